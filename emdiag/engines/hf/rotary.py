"""Rotary factors that switch with the length of a text: `longrope` (Phi-3) and dynamic NTK.

transformers takes the factors of a whole pass from its longest position. Keys that are in a cache
keep the factors they were written with, so that a text has other logits beside a longer one, and
at a switch other ones with a cache than without. What lies on one side of it is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import PreTrainedConfig, PreTrainedModel

from emdiag.core.errors import EmdiagError, EngineError, PlanError
from emdiag.core.sampling import Prompt, SampleRequest
from emdiag.engines.checkpoint.border import checkpoint_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class RotarySwitch:
    """Texts of up to `length` tokens have one set of factors.

    Longer ones have a second (`longrope`), or one for every length (`dynamic`).
    """

    kind: Literal["longrope", "dynamic"]
    length: int

    def side(self, prompt_tokens: int, tokens: int) -> Literal["short", "long", "across"]:
        """Where a text lies that has `tokens` in all and is read or drawn from its prompt on.

        The model never reads the last token of what it draws.
        """
        if tokens <= self.length:
            return "short"
        return "long" if self.kind == "longrope" and prompt_tokens > self.length else "across"

    def refusal(
        self, prompt_tokens: int, what: str, error: type[EmdiagError] = EngineError, **facts: object
    ) -> EmdiagError:
        """That a text cannot be used which is not on one side."""
        room = self.length + 1 - prompt_tokens
        switch = (
            "another set of rotary factors begins"
            if self.kind == "longrope"
            else "every length has rotary factors of its own"
        )
        return error(
            f"{what} would pass {self.length} tokens, after which {switch} ({self.kind}): keys "
            "that were read before belong to the factors before",
            **facts,
            prompt=f"{prompt_tokens} tokens",
            hint=f"--max-tokens {room} is the most that stays on one side"
            if room > 0
            else "leave the longest prompts out",
        )


def rotary_switch(config: PreTrainedConfig) -> RotarySwitch | None:
    """Where a model's rotary factors switch first; None where they are the same at every length.

    Raises:
        CheckpointError: The configuration does not say it in numbers.
    """
    with checkpoint_errors(
        "the rotary factors of the configuration cannot be read",
        checkpoint=config.name_or_path,
        hint="use the config.json that belongs to these weights",
    ):
        switches = list(_switches(config.get_text_config()))
    return min(switches, key=lambda switch: switch.length, default=None)


def _switches(text: Any) -> Iterator[RotarySwitch]:
    for parameters in _rope_parameters(text):
        match parameters.get("rope_type", parameters.get("type")):
            case "longrope":
                length = parameters.get("original_max_position_embeddings") or getattr(
                    text, "original_max_position_embeddings", text.max_position_embeddings
                )
                yield RotarySwitch(kind="longrope", length=int(length))
            case "dynamic":
                length = int(text.max_position_embeddings)
                yield RotarySwitch(kind="dynamic", length=length)


def refuse_crossing(
    config: PreTrainedConfig, requests: Iterable[SampleRequest], *, max_tokens: int
) -> None:
    """Refuse to draw what would pass a switch of `longrope`.

    Raises:
        EngineError: A request would.
    """
    switch = rotary_switch(config)
    for request in requests if switch is not None else ():
        length = len(request.token_ids)
        if (
            switch is not None
            and switch.kind == "longrope"
            and switch.side(length, length + max_tokens - 1) == "across"
        ):
            raise switch.refusal(length, "the completion", problem=request.problem_id)


def require_short(config: PreTrainedConfig, prompts: Iterable[Prompt], *, max_tokens: int) -> None:
    """Refuse to train on texts that would pass a switch: one pass has one set of factors.

    Raises:
        PlanError: A prompt and its `max_tokens` would.
    """
    switch = rotary_switch(config)
    for prompt in prompts if switch is not None else ():
        length = len(prompt.token_ids)
        if switch is not None and length + max_tokens > switch.length:
            raise switch.refusal(length, "training", error=PlanError, problem=prompt.problem_id)


def reset_rotary(model: PreTrainedModel) -> None:
    """Forget the longest text so far: dynamic factors stay at it until a shorter one is read."""
    switch = rotary_switch(model.config)
    if switch is not None and switch.kind == "dynamic":
        with torch.no_grad():
            model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device))


def _rope_parameters(config: Any) -> Iterator[dict[str, Any]]:
    """Of all layers, or of each type of layer."""
    parameters = getattr(config, "rope_parameters", None)
    if isinstance(parameters, dict):
        yield parameters
        yield from (part for part in parameters.values() if isinstance(part, dict))
