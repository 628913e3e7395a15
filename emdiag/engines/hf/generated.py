"""Rows of one length that transformers' own `generate` decodes, with whatever cache it keeps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel
from transformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList

from emdiag.engines.checkpoint.tokenizers import quiet_transformers
from emdiag.engines.hf.batch import DecodingBatch
from emdiag.engines.hf.rotary import reset_rotary
from emdiag.engines.hf.rows import Batch, BatchRow, RowWriter, Way


class GeneratedRows:
    """Rows whose prompts have one length; they begin together and all are finished by `admit`.

    Nothing is padded, so that no padding enters a recurrent state, and no row leaves early, so that
    any kind of cache will do. `generate` asks for every token where it would choose the best one.
    """

    takes_rows_midway = False

    def __init__(self, model: PreTrainedModel, *, writer: RowWriter, use_cache: bool) -> None:
        self.rows: list[BatchRow] = []
        self._model = model
        self._writer = writer
        self._use_cache = use_cache

    @torch.inference_mode()
    def admit(self, rows: Sequence[BatchRow]) -> list[BatchRow]:
        """All rows, finished."""
        device = self._model.device
        ids = torch.tensor([row.request.token_ids for row in rows], device=device)
        reset_rotary(self._model)
        drawing = _Drawing(rows, self._writer)
        with quiet_transformers(), _neutral(self._model):
            generate: Any = self._model.generate
            generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=GenerationConfig(  # type: ignore[no-untyped-call]  # the library's own gap
                    do_sample=False,
                    max_new_tokens=self._writer.params.max_tokens,
                    use_cache=self._use_cache,
                    disable_compile=True,
                    pad_token_id=0,
                ),
                logits_processor=LogitsProcessorList([drawing]),
                stopping_criteria=StoppingCriteriaList([_AllFinished(rows)]),
            )
        return list(rows)

    def step(self) -> list[BatchRow]:
        """Nothing: no row is left after `admit`."""
        return []


def open_batch(model: PreTrainedModel, way: Way, writer: RowWriter) -> Batch:
    """An empty batch whose rows are decoded in a given way."""
    if way in {"refill", "padded"}:
        return DecodingBatch(model, writer=writer, refill=way == "refill")
    return GeneratedRows(model, writer=writer, use_cache=way != "uncached")


class _Drawing(LogitsProcessor):
    """Leaves `generate` one token to choose for every row: the one that was drawn."""

    def __init__(self, rows: Sequence[BatchRow], writer: RowWriter) -> None:
        self._rows, self._writer = rows, writer

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        going_on = [n for n, row in enumerate(self._rows) if row.finish_reason is None]
        if going_on:  # a device may ask once more before it looks whether all are finished
            logits = scores[torch.tensor(going_on, device=scores.device)]
            self._writer.draw([self._rows[n] for n in going_on], logits)
        last = torch.tensor([[row.tokens[-1]] for row in self._rows], device=scores.device)
        return torch.full_like(scores, -torch.inf).scatter_(1, last, 0.0)


class _AllFinished(StoppingCriteria):
    def __init__(self, rows: Sequence[BatchRow]) -> None:
        self._rows = rows

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Any:
        finished = [row.finish_reason is not None for row in self._rows]
        return torch.tensor(finished, device=input_ids.device)


@contextmanager
def _neutral(model: PreTrainedModel) -> Iterator[None]:
    """Without the checkpoint's own generation settings, which would fill in what is not given."""
    own = model.generation_config
    model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]  # as above
    try:
        yield
    finally:
        model.generation_config = own
