"""What each kind of server takes beyond the common fields; what it would ignore is refused.

Sources: vLLM 0.32, `entrypoints/openai/*/protocol.py`; SGLang, `entrypoints/openai/protocol.py`;
llama.cpp, `tools/server/README.md`; Ollama, `docs/openai.md`; TGI, the OpenAPI file of its router.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from emdiag.core.errors import EngineRefusedError
from emdiag.core.sampling import SamplingParams

OPTIONS: Final = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
"""Sampling options that the common API lacks, at the values that change nothing."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One kind of server.

    Attributes:
        fields: What it calls each of `OPTIONS`; one that is absent cannot be said.
        no_top_k: How it says that all tokens are kept.
        takes_stop_ids: Whether our end tokens can stand in place of its own.
        extra: Further fields of every request.
        has_defaults: Whether what cannot be said may be other than neutral there.
        counts_prompts: Whether `usage` counts the whole prompt, also where it was cached.
        most_seed: The largest seed that it takes, or that is surely taken.
        concurrency: Requests at once, where nobody says how many.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    no_top_k: int = 0
    takes_stop_ids: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)
    has_defaults: bool = False
    counts_prompts: bool = True
    most_seed: int = 2**31 - 1
    concurrency: int = 32

    def unsaid(self) -> tuple[str, ...]:
        """Options that stay at the server's own values, whatever they are."""
        return tuple(name for name in OPTIONS if name not in self.fields) * self.has_defaults

    def body(self, params: SamplingParams, *, seed: int) -> dict[str, Any]:
        """The fields of a request that shape its sample.

        Raises:
            EngineRefusedError: An option would be ignored.
        """
        body: dict[str, Any] = {
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_tokens,
            "seed": seed % (self.most_seed + 1),
            **self.extra,
        }
        if params.stop:
            body["stop"] = list(params.stop)
        if params.stop_token_ids and self.takes_stop_ids:
            body |= {"stop_token_ids": list(params.stop_token_ids), "ignore_eos": True}
        for name, neutral in OPTIONS.items():
            value = getattr(params, name) or neutral
            if name in self.fields:
                body[self.fields[name]] = value
            elif value != neutral:
                raise EngineRefusedError(
                    f"the server would ignore {name}",
                    found=value,
                    hint="leave it out, or serve the model with vLLM, SGLang or llama.cpp",
                )
        if body.get("top_k") == 0:
            body["top_k"] = self.no_top_k
        return body


_SAME: Final = {name: name for name in OPTIONS}
_NO_PENALTIES: Final = {"presence_penalty": 0.0, "frequency_penalty": 0.0}

DIALECTS: Final[Mapping[str, Dialect]] = {
    "vllm": Dialect(
        fields=_SAME,
        takes_stop_ids=True,
        extra={**_NO_PENALTIES, "return_token_ids": True, "skip_special_tokens": True},
        most_seed=2**63 - 1,
        concurrency=256,
    ),
    "sglang": Dialect(
        fields=_SAME,
        no_top_k=-1,
        takes_stop_ids=True,
        extra={**_NO_PENALTIES, "skip_special_tokens": True},
        concurrency=256,
    ),
    "llama.cpp": Dialect(
        fields={**_SAME, "repetition_penalty": "repeat_penalty"}, extra=_NO_PENALTIES
    ),
    "tgi": Dialect(),
    "ollama": Dialect(has_defaults=True, counts_prompts=False),
    "openai": Dialect(),
    "unknown": Dialect(has_defaults=True),
}
OWNERS: Final = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "library": "ollama",
    "openai": "openai",
    "openai-internal": "openai",
    "system": "openai",
}
"""`owned_by` of a model in the list, and what lists it so."""
