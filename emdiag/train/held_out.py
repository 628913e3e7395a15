"""What training does to prompts it does not see, measured after every update."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from emdiag.core.digest import derive_seed
from emdiag.core.protocols import Sampler
from emdiag.core.sampling import Completion, Prompt, SampleRequest, SamplingParams
from emdiag.engines.hf.logit_reader import ModelReader, read_entropies
from emdiag.grading.parse.extract import extract
from emdiag.store.journal import JournalWriter, read_journal

_WRITTEN, _GREEDY = 0, 1
_SEED = 0


class HeldOut:
    """Held-out prompts, the starting checkpoint's texts on them, and its greedy answers.

    Entropies are read along the starting checkpoint's texts, drawn once at temperature 1: the
    same tokens at every update, so that a difference is a difference of distributions. They are
    kept in `held_out.jsonl`, so that a continued run measures on the same tokens.
    Of the sampling, limits and end tokens are used; the texts are the same for every training seed.
    """

    def __init__(self, prompts: Sequence[Prompt], *, sampling: SamplingParams) -> None:
        self._prompts = tuple(prompts)
        self._sampling = sampling
        self._texts: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
        self._answers: list[str | None] = []

    def start(self, sampler: Sampler, journal: Path) -> None:
        """Draw the starting checkpoint's texts and answers, or read those in the cell's journal."""
        known = {(c.problem_id, c.sample_index): c for c in read_journal(journal, Completion)}
        ids = [prompt.problem_id for prompt in self._prompts]
        if not all((name, which) in known for name in ids for which in (_WRITTEN, _GREEDY)):
            journal.unlink(missing_ok=True)
            drawn = [*self._draw(sampler, _WRITTEN), *self._draw(sampler, _GREEDY)]
            writer: JournalWriter[Completion] = JournalWriter(journal)
            with writer:
                for completion in drawn:
                    writer.append(completion)
            known = {(c.problem_id, c.sample_index): c for c in drawn}
        self._texts = [
            (prompt.token_ids, known[prompt.problem_id, _WRITTEN].token_ids)
            for prompt in self._prompts
        ]
        self._answers = [extract(known[name, _GREEDY].text).answer for name in ids]

    def entropy(self, model: PreTrainedModel) -> float | None:
        """Mean over all tokens of all texts, at temperature 1, in nats; None without prompts."""
        reader = ModelReader(model, threads=torch.get_num_threads())
        values = [value for text in read_entropies(reader, self._texts) for value in text]
        return sum(values) / len(values) if values else None

    def flips(self, sampler: Sampler) -> float | None:
        """Share of prompts whose greedy answer is not the starting checkpoint's; None without any.

        Answers are compared as texts: the figure is a signal of change, not a grade.
        """
        if not self._prompts:
            return None
        answers = {c.problem_id: extract(c.text).answer for c in self._draw(sampler, _GREEDY)}
        pairs = zip(self._prompts, self._answers, strict=True)
        return sum(answers[p.problem_id] != before for p, before in pairs) / len(self._prompts)

    def _draw(self, sampler: Sampler, which: int) -> list[Completion]:
        requests = [
            SampleRequest(
                problem_id=prompt.problem_id,
                sample_index=which,
                token_ids=prompt.token_ids,
                seed=derive_seed(_SEED, "held-out", prompt.problem_id, which),
            )
            for prompt in self._prompts
        ]
        params = SamplingParams(
            temperature=0.0 if which == _GREEDY else 1.0,
            max_tokens=self._sampling.max_tokens,
            seed=_SEED,
            stop=self._sampling.stop,
            stop_token_ids=self._sampling.stop_token_ids,
        )
        return list(sampler.sample(requests, params=params))
