"""Rows that are decoded side by side: they join when there is room and leave when finished."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from emdiag.core.errors import EngineError
from emdiag.core.sampling import FinishReason, SampleRequest, SamplingParams
from emdiag.engines.hf.decoding import TokenChooser
from emdiag.engines.hf.padding import pad_rows
from emdiag.engines.hf.row_cache import RowCache
from emdiag.engines.texts import Decoder, ends_in_stop_string


@dataclass(slots=True, kw_only=True)
class BatchRow:
    """One completion in the making."""

    request: SampleRequest
    generator: torch.Generator
    tokens: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def context(self) -> list[int]:
        """Prompt and completion so far."""
        return [*self.request.token_ids, *self.tokens]

    @property
    def length(self) -> int:
        """Tokens of prompt and completion so far."""
        return len(self.request.token_ids) + len(self.tokens)


class DecodingBatch:
    """A batch of rows, padded on the left, and the cache that belongs to it.

    Where the model's cache is plain attention, rows can join at any time and padding that all
    rows share is dropped. Other caches (linear attention, for one) can only lose rows.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        chooser: TokenChooser,
        params: SamplingParams,
        decode: Decoder,
    ) -> None:
        self.rows: list[BatchRow] = []
        self.takes_rows_midway = has_plain_cache(model)
        self._model = model
        self._chooser = chooser
        self._params = params
        self._decode = decode
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
        self._draw(rows, logits[torch.tensor(which, device=logits.device)])
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
        self._draw(self.rows, logits)
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

    def _draw(self, rows: Sequence[BatchRow], logits: Tensor) -> None:
        usable = logits.amax(dim=-1).isfinite()
        if not usable.all():
            row = rows[int((~usable).nonzero()[0])]
            raise EngineError(
                "the model's logits are not numbers (nan or infinite)",
                problem=row.request.problem_id,
                position=len(row.tokens),
                hint="the weights are damaged or overflow in this number format: try "
                "--dtype bfloat16 or float32",
            )
        contexts = [row.context for row in rows] if self._params.repetition_penalty != 1 else []
        chosen = self._chooser.choose(logits, contexts, [row.generator for row in rows])
        for row, token in zip(rows, chosen, strict=True):
            row.tokens.append(token)
            row.finish_reason = self._reason(row.tokens)

    def _reason(self, tokens: list[int]) -> FinishReason | None:
        if tokens[-1] in self._params.stop_token_ids:
            return "stop"
        if ends_in_stop_string(tokens, decode=self._decode, stop=self._params.stop):
            return "stop"
        return "length" if len(tokens) >= self._params.max_tokens else None

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
