"""Samples with vLLM in process: token ids in, one load for all samples, a seed for each."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import torch
import transformers
import vllm
from vllm import inputs
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineError, EngineRefusedError
from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import (
    Completion,
    FinishReason,
    SampleRequest,
    SamplingParams,
    TokenScore,
    TokenScores,
)
from emdiag.engines.checkpoint.tokenizers import decode, max_context, open_config, open_tokenizer
from emdiag.engines.options import EngineOptions
from emdiag.engines.requests import check_requests
from emdiag.engines.texts import completion_of
from emdiag.engines.vllm.compat import known_fields, token_prompt
from emdiag.engines.vllm.environment import Watchdog, prepare_environment, stdout_to_stderr

CPU_KV_CACHE_BYTES = 2 * 1024**3
"""Room for keys and values on a CPU, where vLLM would otherwise take most of the machine;
`VLLM_CPU_KVCACHE_SPACE` (in GiB) overrides it."""

CPU_BATCHED_TOKENS = 2048
"""Prompt tokens read in one step on a CPU, or one whole prompt where that is longer."""

_SHUTDOWN_S = 30.0


class VllmSampler:
    """Draws completions with vLLM, whose engine runs in a process of its own; a `Sampler`.

    The checkpoint is a folder of safetensors; no prompt plus its `max_tokens` will be longer than
    `longest_tokens`.

    Raises:
        EngineError: The work is longer than the model has room for.
        EngineRefusedError: vLLM cannot hold this model.
    """

    def __init__(
        self,
        checkpoint: CheckpointRef,
        *,
        dtype: str,
        options: EngineOptions,
        longest_tokens: int,
        siblings: Sequence[CheckpointRef] = (),
    ) -> None:
        self._environment = prepare_environment()
        trust = options.trust_remote_code
        limit = max_context(open_config(checkpoint.path, trust_remote_code=trust))
        self._max_model_len = options.max_model_len or longest_tokens
        if limit is not None and self._max_model_len > limit:
            raise EngineError(
                f"the work needs {self._max_model_len} positions and the model has {limit}",
                checkpoint=checkpoint.path,
                hint="lower --max-tokens",
            )
        self._dtype = dtype
        self._trust = trust
        self._drawn = 0
        self.scores: TokenScores | None = None
        self._adapters = [of.adapter for of in (checkpoint, *siblings) if of.adapter]
        before = set(multiprocessing.active_children())
        self._llm = self._load(checkpoint.path, options)
        started = set(multiprocessing.active_children()) - before
        self._watchdog = Watchdog(child.pid for child in started if child.pid is not None)
        self.serve(checkpoint)

    def serve(self, checkpoint: CheckpointRef) -> None:
        """Draw from the base, or with one of the adapters that it was opened for."""
        tokenizer = open_tokenizer(
            checkpoint.tokenizer_path, base=checkpoint.path, trust_remote_code=self._trust
        )
        self._decode = partial(decode, tokenizer, skip_special_tokens=True)
        self._adapter = checkpoint.adapter
        self._lora: dict[str, Any] = {}  # until it is proved to act

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""
        config = self._llm.llm_engine.vllm_config
        is_cpu = current_platform.is_cpu()
        return EngineInfo(
            name="vllm",
            versions={
                "vllm": vllm.__version__,
                "torch": str(torch.__version__),
                "transformers": transformers.__version__,
            },
            device="cpu" if is_cpu else current_platform.get_device_name(),
            dtype=str(config.model_config.dtype).removeprefix("torch."),
            settings={
                "max_model_len": str(config.model_config.max_model_len),
                "max_num_seqs": str(config.scheduler_config.max_num_seqs),
                "tensor_parallel_size": str(config.parallel_config.tensor_parallel_size),
                "gpu_memory_utilization": str(config.cache_config.gpu_memory_utilization),
                "kv_cache_memory_bytes": str(config.cache_config.kv_cache_memory_bytes),
                "chunked_prefill": str(config.scheduler_config.enable_chunked_prefill).lower(),
                "prefix_caching": str(config.cache_config.enable_prefix_caching).lower(),
                "generation_config": str(config.model_config.generation_config),
                **self._lora_settings(),
                **self._environment,
            },
            deterministic=False,
        )

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions as they finish, in any order; one for each request.

        Raises:
            EngineError: A request cannot be served, or the engine's process has died.
        """
        check_requests(requests, params=params, max_context=self._max_model_len)
        engine = self._llm.llm_engine
        pending: dict[str, SampleRequest] = {}
        try:
            self._apply(requests)
            for request in requests:
                self._drawn += 1
                prompt = token_prompt(inputs, request.token_ids)
                wanted = vllm_params(request, params)
                if self.scores is not None:
                    wanted.logprobs = 2  # the likeliest two, and the one drawn, of raw logits
                engine.add_request(str(self._drawn), prompt, wanted, **self._lora)
                pending[str(self._drawn)] = request
            while pending:
                for output in engine.step():
                    if output.finished:
                        request = pending.pop(output.request_id)
                        drawn = output.outputs[0]
                        if self.scores is not None:
                            sample = (request.problem_id, request.sample_index)
                            self.scores[sample] = list(token_scores(drawn))
                        yield completion_of(
                            request,
                            drawn.token_ids,
                            _reason(drawn.finish_reason, request),
                            decode=self._decode,
                            params=params,
                        )
        except (EngineDeadError, EngineGenerateError, ValueError) as error:
            raise EngineError(
                f"vLLM gave up: {error}",
                hint="its own messages above name the cause; where memory ran out, lower "
                "--gpu-memory-utilization or --batch-size",
            ) from error
        finally:
            if pending:
                engine.abort_request(list(pending))

    def close(self) -> None:
        """Stop the engine's process and free the device; the engine is not used again."""
        self._llm.llm_engine.engine_core.shutdown(timeout=_SHUTDOWN_S)
        self._watchdog.dismiss()
        del self._llm
        gc.collect()

    def _lora_settings(self) -> dict[str, str]:
        """That adapters can act, also where the base alone is drawn from."""
        config = self._llm.llm_engine.vllm_config.lora_config if self._adapters else None
        return {} if config is None else {"max_lora_rank": str(config.max_lora_rank)}

    def _apply(self, requests: Sequence[SampleRequest]) -> None:
        """Load the adapter that is served, if there is one, and see that it changes something."""
        if requests and self._adapter and not self._lora:
            from emdiag.engines.vllm.adapters import lora_request, require_effect

            engine, number = self._llm.llm_engine, self._adapters.index(self._adapter) + 1
            lora = lora_request(engine, self._adapter, number)
            require_effect(engine, lora, [request.token_ids for request in requests])
            self._lora = lora

    def _load(self, path: str, options: EngineOptions) -> vllm.LLM:
        optional: dict[str, Any] = (
            {} if options.batch_size is None else {"max_num_seqs": options.batch_size}
        )
        if self._adapters:
            from emdiag.engines.vllm.adapters import lora_options

            optional |= lora_options(self._adapters)
        if current_platform.is_cpu():
            optional |= {
                "kv_cache_memory_bytes": CPU_KV_CACHE_BYTES,
                # vLLM 0.32 rewinds the generator of a request whose prompt was read in part, and
                # a generator on a CPU cannot be rewound ("does not use offset"): the engine would
                # die with the first seeded prompt that is split. So prompts are read whole.
                "enable_chunked_prefill": False,
                "max_num_batched_tokens": max(CPU_BATCHED_TOKENS, self._max_model_len),
            }
        try:
            with stdout_to_stderr():
                return vllm.LLM(
                    path,
                    dtype=self._dtype,
                    seed=0,
                    generation_config="vllm",
                    max_model_len=self._max_model_len,
                    tensor_parallel_size=options.tensor_parallel_size,
                    gpu_memory_utilization=options.gpu_memory_utilization,
                    enable_prefix_caching=True,
                    trust_remote_code=options.trust_remote_code,
                    load_format="safetensors",
                    **optional,
                )
        except (ValueError, RuntimeError, NotImplementedError, OSError) as error:
            raise EngineRefusedError(
                f"vLLM cannot hold this checkpoint: {str(error).strip()}",
                checkpoint=path,
                hint="its own messages above name the cause; --engine transformers reads "
                "every checkpoint that this one reads",
            ) from error


def vllm_params(request: SampleRequest, params: SamplingParams) -> vllm.SamplingParams:
    """The same request in vLLM's words, every field that shapes a sample said explicitly.

    Raises:
        EngineRefusedError: vLLM would silently change the temperature, or refuses it.
    """
    if 0 < params.temperature < 0.01 or params.temperature > 2:
        raise EngineRefusedError(
            f"vLLM samples at temperature 0 or in [0.01, 2], not at {params.temperature}",
            hint="run it with --engine transformers",
        )
    return vllm.SamplingParams(
        n=1,
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=params.top_k,
        min_p=params.min_p or 0.0,
        repetition_penalty=params.repetition_penalty,
        presence_penalty=0.0,
        frequency_penalty=0.0,
        seed=request.seed,
        max_tokens=params.max_tokens,
        min_tokens=0,
        stop=list(params.stop),
        stop_token_ids=list(params.stop_token_ids),
        # The end tokens are all in stop_token_ids; vLLM's own idea of them would differ between
        # engines and is not in the run key.
        ignore_eos=True,
        # The text is made from the tokens here; only stop strings need vLLM to make it too.
        detokenize=bool(params.stop),
        skip_special_tokens=True,
        output_kind=RequestOutputKind.FINAL_ONLY,
        **known_fields(vllm.SamplingParams, watermarking=False),
    )


def token_scores(drawn: vllm.CompletionOutput) -> Iterator[TokenScore]:
    """What vLLM makes of each token, from the two likeliest and the one that was drawn."""
    for token, likeliest in zip(drawn.token_ids, drawn.logprobs or (), strict=True):
        first, second, *_ = sorted((e.logprob for e in likeliest.values()), reverse=True)
        yield TokenScore(likeliest[token].logprob, first - second)


def _reason(word: str | None, request: SampleRequest) -> FinishReason:
    match word:
        case "stop":
            return "stop"
        case "length":
            return "length"
        case _:
            raise EngineError(
                f"vLLM ended a completion with {word!r}, neither stop nor length",
                problem=request.problem_id,
            )
