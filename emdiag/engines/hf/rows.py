"""Completions in the making, and how each gets its next token, whatever the way of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

from emdiag.core.errors import EngineError
from emdiag.core.sampling import (
    FinishReason,
    SampleRequest,
    SamplingParams,
    TokenScore,
    TokenScores,
)
from emdiag.engines.hf.decoding import TokenChooser
from emdiag.engines.texts import Decoder, ends_in_stop_string

Way = Literal["refill", "padded", "equal", "alone", "uncached"]
"""How rows may be decoded, the quickest first.

`refill`: rows of any lengths, others join when some have finished. `padded`: rows of any lengths
that begin together. `equal`: rows of equal prompt length, by transformers' own `generate`. `alone`:
one row after another. `uncached`: alone, and every token by a reading of the whole text.
"""


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


class Batch(Protocol):
    """Rows that are decoded side by side."""

    rows: list[BatchRow]
    takes_rows_midway: bool

    def admit(self, rows: Sequence[BatchRow]) -> list[BatchRow]:
        """Begin with new rows; those that are finished already."""
        ...

    def step(self) -> list[BatchRow]:
        """Draw one token for every row; the rows that it finished, which have left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWriter:
    """Draws a token for every row and says which rows it finished.

    Attributes:
        scores: Where it is a dict, what the raw logits make of the tokens, by sample.
    """

    chooser: TokenChooser
    params: SamplingParams
    decode: Decoder
    scores: TokenScores | None = None

    def draw(self, rows: Sequence[BatchRow], logits: Tensor) -> None:
        """One token for each row from its raw logits, `[rows, vocab]` float32.

        Raises:
            EngineError: The logits of a row are not numbers.
        """
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
        contexts = [row.context for row in rows] if self.params.repetition_penalty != 1 else []
        chosen = self.chooser.choose(logits, contexts, [row.generator for row in rows])
        for row, token in zip(rows, chosen, strict=True):
            row.tokens.append(token)
            row.finish_reason = self._reason(row.tokens)
        if self.scores is not None:
            _score(self.scores, rows, logits)

    def _reason(self, tokens: list[int]) -> FinishReason | None:
        if tokens[-1] in self.params.stop_token_ids:
            return "stop"
        if ends_in_stop_string(tokens, decode=self.decode, stop=self.params.stop):
            return "stop"
        return "length" if len(tokens) >= self.params.max_tokens else None


def _score(scores: TokenScores, rows: Sequence[BatchRow], logits: Tensor) -> None:
    """Add what raw logits, `[rows, vocab]`, make of the newest token of each row."""
    log_p = logits.log_softmax(dim=-1)
    likeliest = log_p.topk(min(2, log_p.shape[-1]), dim=-1).values.tolist()
    for row, of_row, (first, *second) in zip(rows, log_p, likeliest, strict=True):
        sample = (row.request.problem_id, row.request.sample_index)
        if len(row.tokens) == 1:  # a row that is drawn again begins anew
            scores[sample] = []
        margin = first - second[0] if second else 0.0
        scores[sample].append(TokenScore(float(of_row[row.tokens[-1]]), margin))
