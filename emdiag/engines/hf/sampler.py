"""Samples with transformers: any causal language model, on a CPU or one GPU."""

from __future__ import annotations

import gc
import logging
import weakref
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import tokenizers
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineError
from emdiag.core.runs import EngineInfo
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams, TokenScores
from emdiag.engines.checkpoint.tokenizers import decode, max_context, open_tokenizer
from emdiag.engines.hf.adapters import load_checkpoint
from emdiag.engines.hf.checked import examined
from emdiag.engines.hf.decoding import TokenChooser
from emdiag.engines.hf.generated import open_batch
from emdiag.engines.hf.load_check import LoadCheck
from emdiag.engines.hf.memory import is_out_of_memory, rows_that_fit
from emdiag.engines.hf.model_loading import limit_threads
from emdiag.engines.hf.rotary import refuse_crossing, reset_rotary, rotary_switch
from emdiag.engines.hf.rows import Batch, BatchRow, RowWriter, Way
from emdiag.engines.options import EngineOptions
from emdiag.engines.requests import check_requests
from emdiag.engines.texts import completion_of

logger = logging.getLogger(__name__)

CPU_BATCH = 16
DEVICE_BATCH = 64

_REFILL_SHARE = 4
"""New prompts are read when this part of the batch is free: one reading costs about a step."""


def load_sampler(
    checkpoint: CheckpointRef, *, dtype: str, options: EngineOptions, home: Path | None = None
) -> TransformersSampler:
    """A sampler with the weights of a checkpoint; a home remembers what its load check found.

    Raises:
        CheckpointError: Weights or tokenizer cannot be loaded.
        EngineMissingError: The device is not there.
        EngineRefusedError: The model is not causal, or cannot be run.
    """
    trust = options.trust_remote_code
    model = load_checkpoint(checkpoint, dtype=dtype, options=options)
    tokenizer = open_tokenizer(
        checkpoint.tokenizer_path, base=checkpoint.path, trust_remote_code=trust
    )
    check = examined(model, threads=options.threads, checkpoint=checkpoint, home=home)
    return TransformersSampler(model, tokenizer, options=options, check=check)


class TransformersSampler:
    """Draws completions with a model held by transformers; a `Sampler`.

    The model is used as it is, in the mode it is in; a trainer keeps it and changes its weights.

    Rows are taken longest prompt first, leave when they are finished and make room for others,
    as far as the load check allows.
    Where memory runs out the batch is halved and its rows are drawn again from their own seeds.

    Without a `check` the model is looked at here.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        options: EngineOptions,
        check: LoadCheck | None = None,
    ) -> None:
        self._model = model
        self._device = model.device
        self._decode = partial(decode, tokenizer, skip_special_tokens=True)
        default = CPU_BATCH if self._device.type == "cpu" else DEVICE_BATCH
        self._batch_size = options.batch_size or default
        self._threads_before = limit_threads(model, options.threads)
        self.check = check or examined(model, threads=options.threads)
        self.scores: TokenScores | None = None

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set; the batch size as it is by now."""
        return engine_info(
            self._model,
            {
                "batch_size": str(self._batch_size),
                "refill": str(self.check.way == "refill").lower(),
                "rows": self.check.way,
            },
        )

    def sample(
        self, requests: Sequence[SampleRequest], *, params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions as they finish, in any order; one for each request.

        Raises:
            EngineError: A prompt is empty or too long, the logits are not numbers, or one row
                alone does not fit into memory.
        """
        check_requests(requests, params=params, max_context=max_context(self._model.config))
        lanes = self._lanes(requests, params)
        self._plan_memory(requests, params)
        reset_rotary(self._model)
        for way, of_lane in lanes:
            yield from self._decode_lane(way, of_lane, params)

    def _decode_lane(
        self, way: Way, requests: Sequence[SampleRequest], params: SamplingParams
    ) -> Iterator[Completion]:
        """The completions of rows that may be decoded side by side."""
        # Longest first; equal prompts stand side by side, so that they are read once.
        queue = deque(
            sorted(requests, key=lambda r: (-len(r.token_ids), r.problem_id, r.sample_index))
        )
        writer = RowWriter(
            chooser=TokenChooser(params), params=params, decode=self._decode, scores=self.scores
        )
        batch = open_batch(self._model, way, writer)
        while queue or batch.rows:
            arriving = self._take(queue, batch, way)
            try:
                finished = batch.admit(arriving) if arriving else batch.step()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                finished = None
            if finished is None:
                # Outside `except`, so that the traceback no longer holds on to tensors.
                queue.extendleft(row.request for row in reversed([*batch.rows, *arriving]))
                batch = open_batch(self._model, way, writer)
                self._halve(reason)
                continue
            for row in finished:
                assert row.finish_reason is not None
                yield completion_of(
                    row.request,
                    row.tokens,
                    row.finish_reason,
                    decode=self._decode,
                    params=params,
                )

    def close(self) -> None:
        """Free the weights, give the threads back; the engine is not used again."""
        torch.set_num_threads(self._threads_before)
        model = weakref.ref(self._model)
        del self._model
        collect_memory(self._device, model)

    def _plan_memory(self, requests: Sequence[SampleRequest], params: SamplingParams) -> None:
        if self._device.type != "cpu" or not requests:
            return
        longest = max(len(request.token_ids) for request in requests) + params.max_tokens
        item_bytes = self._model.dtype.itemsize
        rows = rows_that_fit(self._model.config, tokens=longest, item_bytes=item_bytes)
        if rows is not None and rows < self._batch_size:
            logger.warning("memory holds %d rows of %d tokens; the batch is that", rows, longest)
            self._batch_size = rows

    def _lanes(
        self, requests: Sequence[SampleRequest], params: SamplingParams
    ) -> list[tuple[Way, list[SampleRequest]]]:
        """Requests that may be decoded side by side, and how: apart where rotary factors switch."""
        refuse_crossing(self._model.config, requests, max_tokens=params.max_tokens)
        switch = rotary_switch(self._model.config)
        if switch is None:
            return [(self.check.way, list(requests))]
        lanes: dict[str, list[SampleRequest]] = {"short": [], "long": [], "across": []}
        for request in requests:
            prompt = len(request.token_ids)
            lanes[switch.side(prompt, prompt + params.max_tokens - 1)].append(request)
        # Dynamic factors are those of one length: rows have to keep step.
        across: Way = self.check.way if self.check.way in {"alone", "uncached"} else "equal"
        ways: dict[str, Way] = {"short": self.check.way, "long": self.check.way, "across": across}
        return [(ways[side], of_side) for side, of_side in lanes.items() if of_side]

    def _take(self, queue: deque[SampleRequest], batch: Batch, way: Way) -> list[BatchRow]:
        """Rows to start now: as many as there is room for, or none yet."""
        room = self._batch_size - len(batch.rows)
        if batch.rows:
            enough = max(1, self._batch_size // _REFILL_SHARE)
            if not batch.takes_rows_midway or room < enough:
                return []
        if way in {"alone", "uncached"}:
            room = 1
        taken: list[SampleRequest] = []
        while queue and len(taken) < room:
            if way == "equal" and taken and len(queue[0].token_ids) != len(taken[0].token_ids):
                break
            taken.append(queue.popleft())
        return [
            BatchRow(request=r, generator=torch.Generator(self._device).manual_seed(r.seed))
            for r in taken
        ]

    def _halve(self, reason: str) -> None:
        if self._batch_size == 1:
            raise EngineError(
                f"one completion alone does not fit into memory: {reason}",
                device=self._device,
                hint="lower --max-tokens, take --dtype bfloat16, or use a larger device",
            )
        collect_memory(self._device)
        self._batch_size //= 2
        logger.warning(
            "memory ran out; the batch is now %d, and unfinished samples are drawn again from "
            "their seeds (%s)",
            self._batch_size,
            reason,
        )


def engine_info(model: PreTrainedModel, settings: Mapping[str, str]) -> EngineInfo:
    """What an engine around a model of transformers says of itself; `settings` are its own."""
    is_cuda = model.device.type == "cuda"
    return EngineInfo(
        name="transformers",
        versions={
            "torch": str(torch.__version__),
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
        },
        device=torch.cuda.get_device_name(model.device) if is_cuda else str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        settings={
            **settings,
            "attention": str(model.config._attn_implementation),  # noqa: SLF001 - no public name
            "threads": str(torch.get_num_threads()),
        },
        deterministic=False,
    )


def collect_memory(device: torch.device, model: weakref.ref[PreTrainedModel] | None = None) -> None:
    """Hand back what nothing holds any longer, the device's memory too.

    A search for circles takes a fifth of a second: it is left out where the model is gone without.
    """
    if model is None or model() is not None:
        gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
