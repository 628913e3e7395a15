"""Rows that are decoded side by side: they join when there is room and leave when finished."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from emdiag.engines.hf.padding import pad_rows
from emdiag.engines.hf.row_cache import RowCache
from emdiag.engines.hf.rows import BatchRow, RowWriter


class DecodingBatch:
    """A batch of rows, padded on the left, and the cache that belongs to it.

    With `refill`, for which the model's cache has to be plain attention, rows can join at any time
    and padding that all rows share is dropped. Other caches can only lose rows.
    """

    def __init__(self, model: PreTrainedModel, *, writer: RowWriter, refill: bool) -> None:
        self.rows: list[BatchRow] = []
        self.takes_rows_midway = refill
        self._model = model
        self._writer = writer
        self._cache: Cache | None = None
        self._accepts = set(inspect.signature(model.forward).parameters)

    @torch.inference_mode()
    def admit(self, rows: Sequence[BatchRow]) -> list[BatchRow]:
        """Read the prompts of new rows and draw their first tokens; rows already finished.

        Rows with equal prompts share one reading of it.
        """
        assert self.takes_rows_midway or not self.rows
        prompts = list(dict.fromkeys(row.request.token_ids for row in rows))
        place = {prompt: index for index, prompt in enumerate(prompts)}
        which = [place[row.request.token_ids] for row in rows]
        batch = pad_rows(prompts, side="left", device=self._model.device)
        cache = RowCache() if self.takes_rows_midway else DynamicCache(config=self._model.config)
        logits = self._forward(batch.token_ids, batch.is_token, batch.positions, cache)
        self._writer.draw(rows, logits[torch.tensor(which, device=logits.device)])
        going_on = [number for number, row in enumerate(rows) if row.finish_reason is None]
        if going_on:
            cache.reorder_cache(torch.LongTensor([which[number] for number in going_on]))
            if self.rows:
                assert isinstance(self._cache, RowCache)
                assert isinstance(cache, RowCache)
                self._cache.join(cache)
            else:
                self._cache = cache
            self.rows = [*self.rows, *(rows[number] for number in going_on)]
            self._trim()
        return [row for row in rows if row.finish_reason is not None]

    @torch.inference_mode()
    def step(self) -> list[BatchRow]:
        """Draw one token for every row; the rows that it finished, which have left."""
        device = self._model.device
        last = torch.tensor([[row.tokens[-1]] for row in self.rows], device=device)
        lengths = torch.tensor([row.length for row in self.rows], device=device)
        columns = self._columns + 1
        mask = torch.arange(columns, device=device) >= (columns - lengths)[:, None]
        logits = self._forward(last, mask, lengths[:, None] - 1, self._cache)
        self._writer.draw(self.rows, logits)
        finished = [row for row in self.rows if row.finish_reason is not None]
        if finished:
            going_on = [n for n, row in enumerate(self.rows) if row.finish_reason is None]
            self.rows = [self.rows[number] for number in going_on]
            if going_on:
                assert self._cache is not None
                self._cache.reorder_cache(torch.LongTensor(going_on))
                self._trim()
            else:
                self._cache = None
        return finished

    @property
    def _columns(self) -> int:
        """Positions held by the cache."""
        assert self._cache is not None
        return self._cache.get_seq_length()

    def _forward(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache | None) -> Tensor:
        """Logits of the last position, `[rows, vocab]` float32."""
        optional: dict[str, Any] = {"position_ids": positions, "logits_to_keep": 1}
        output = self._model(
            input_ids=ids,
            attention_mask=mask.long(),
            past_key_values=cache,
            use_cache=True,
            **{name: value for name, value in optional.items() if name in self._accepts},
        )
        logits: Tensor = output.logits[:, -1].to(torch.float32)
        return logits

    def _trim(self) -> None:
        """Drop padding that all rows share: the newest token of a row is not in the cache yet."""
        if isinstance(self._cache, RowCache):
            spare = self._columns - max(row.length - 1 for row in self.rows)
            if spare > 0:
                self._cache.drop_left(spare)


def has_plain_cache(model: PreTrainedModel) -> bool:
    """Whether every layer keeps keys and values by position and nothing else.

    A sliding window is plain too: its mask is as right over a cache that keeps everything.
    """
    plain = (DynamicLayer, DynamicSlidingWindowLayer)
    return all(type(layer) in plain for layer in DynamicCache(config=model.config).layers)
