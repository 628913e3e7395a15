"""Draws the next token of every row of a batch, each row from its own generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessor,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from emdiag.core.sampling import SamplingParams


class TokenChooser:
    """Next tokens under fixed sampling parameters.

    Penalty, temperature, top-k, top-p and min-p are transformers' own and in its order. A token
    is then drawn by adding Gumbel noise from the row's generator and taking the largest score,
    which has exactly the softmax distribution of the scores (Gumbel 1954; Maddison et al. 2014,
    arXiv:1411.0030), and in which no other row has a part.
    """

    def __init__(self, params: SamplingParams) -> None:
        self.is_greedy = params.temperature == 0
        self._penalty = (
            RepetitionPenaltyLogitsProcessor(float(params.repetition_penalty))
            if params.repetition_penalty != 1
            else None
        )
        self._warpers: list[LogitsProcessor] = []
        if not self.is_greedy:
            self._warpers.append(TemperatureLogitsWarper(float(params.temperature)))
            if params.top_k > 0:
                self._warpers.append(TopKLogitsWarper(params.top_k))
            if params.top_p < 1:
                self._warpers.append(TopPLogitsWarper(float(params.top_p)))
            if params.min_p:
                self._warpers.append(MinPLogitsWarper(float(params.min_p)))

    def scores(self, logits: Tensor, contexts: Sequence[Sequence[int]]) -> Tensor:
        """Processed logits, `[rows, vocab]` float32; minus infinity for tokens left out.

        Contexts are prompt and completion so far of each row, which the penalty looks at.
        """
        scores = logits.to(torch.float32)
        if self._penalty is not None:
            # Row by row: in one padded batch the padding would be penalised as if it were text.
            scores = torch.cat(
                [
                    self._penalty(_long([list(context)], scores.device), row[None])
                    for context, row in zip(contexts, scores, strict=True)
                ]
            )
        for warper in self._warpers:
            scores = warper(_long([], scores.device), scores)  # none of these looks at tokens
        return scores

    def choose(
        self,
        logits: Tensor,
        contexts: Sequence[Sequence[int]],
        generators: Sequence[torch.Generator],
    ) -> list[int]:
        """One token id for each row of raw logits, `[rows, vocab]`, and contexts as of `scores`.

        Each row has its generator, on the device of the logits; it is untouched when greedy.
        """
        scores = self.scores(logits, contexts)
        if not self.is_greedy:
            noise = torch.empty_like(scores)
            for row, generator in zip(noise, generators, strict=True):
                row.exponential_(generator=generator)
            # -log of an exponential variable is Gumbel; 0 would beat every other token.
            noise.clamp_(min=torch.finfo(noise.dtype).tiny).log_()
            scores = scores - noise
        chosen: list[int] = scores.argmax(dim=-1).tolist()
        return chosen


def _long(values: list[list[int]], device: torch.device) -> torch.LongTensor:
    return cast("torch.LongTensor", torch.tensor(values, dtype=torch.long, device=device))
