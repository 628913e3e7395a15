"""Which tokens of a text are its answer, and whether right answers were written with less doubt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.grades import Verdict
from emdiag.core.logit_skew import OWN
from emdiag.core.protocols import Grader, Progress
from emdiag.core.results import remark
from emdiag.grading.parse.extract import answer_start, opened_answer
from emdiag.measure.logit_estimates import EstimateRow, EstimateTable
from emdiag.measure.logit_rows import Mask
from emdiag.measure.logit_statistics import Floats, Positions
from emdiag.stats.comparisons import within_problem_auroc
from emdiag.stats.moments import DECILES
from emdiag.store.samples import Sample
from emdiag.studies.evaluate.grade import grade_reading
from emdiag.studies.logits.texts import TextSet

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.vocabularies import SharedVocabulary


def spans_of(texts: TextSet, vocabulary: SharedVocabulary) -> tuple[Mask, Mask]:
    """Which positions lie before the final answer and which belong to it, `[position]` each.

    Positions of a text without an answer, or with nothing before it, are in neither.
    """
    before, answer = [], []
    opening = opened_answer(texts.reading.run.spec.wording.prefix) if texts.reading else ""
    for text in texts.texts:
        tokens = text.token_ids[1]
        after = text.answer_from
        start = answer_start(text.text, after=after) if after else None
        if after == 0:
            start = answer_start(opening + text.text)
            start = start - len(opening) if start and start > len(opening) else None
        first = 0 if start is None else vocabulary.tokens_before(tokens, characters=start)
        place = np.arange(len(tokens))
        has_answer = start is not None and 0 < first < len(tokens)
        before.append((place < first) & has_answer)
        answer.append((place >= first) & has_answer)
    return np.concatenate(before), np.concatenate(answer)


def right_answers(texts: TextSet, grader: Grader, *, progress: Progress) -> dict[Sample, bool]:
    """Whether each text is right; empty where no run drew the texts or no problem has an answer."""
    reading = texts.reading
    if reading is None or not all(problem.answer for problem in reading.problems):
        return {}
    key = grade_reading(reading, grader, progress=progress)
    grades = reading.run.grades(key)
    return {
        text.sample: grades[text.sample].verdict is Verdict.CORRECT
        for text in texts.texts
        if grades[text.sample].verdict is not Verdict.UNDECIDED
    }


def add_auroc(
    table: EstimateTable,
    label: str,
    *,
    texts: Sequence[TextSet],
    positions: Sequence[Positions],
    right: Sequence[Mapping[Sample, bool]],
) -> None:
    """Rows for the chance that a right answer has less entropy than a wrong one of its problem.

    The arm wrote the texts and reads them; texts, positions and right answers are by seed. Few
    seeds have both on the same problems, so each problem counts its mean over those that do.
    """
    parts: list[int | None] = [None, *range(1, DECILES + 1)]
    for decile in parts:
        of_seeds = np.stack(
            [
                _aurocs(own, _means(read, decile), known, table.problems)
                for own, read, known in zip(texts, positions, right, strict=True)
            ]
        )
        defined = ~np.isnan(of_seeds)
        counts = defined.sum(axis=0)
        sums = np.where(defined, of_seeds, 0).sum(axis=0)
        means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        table.rows.append(
            EstimateRow(
                checkpoint=label,
                text=OWN,
                statistic="entropy_auroc",
                kind="per_token",
                source="raw",
                part=None if decile is None else f"decile {decile}",
                spread=means[None] if counts.any() else None,
                tokens=sum(map(len, positions)),
                seeds=len(texts),
                problems=len(table.problems) if counts.any() else 0,
                note=remark("over-mixed-problems") if counts.any() else remark("no-mixed-problem"),
            )
        )


def _means(read: Positions, decile: int | None) -> Floats:
    """Mean entropy of each text, or of its positions in a decile, `[text]`; nan without any."""
    chosen = read.decile > 0 if decile is None else read.decile == decile
    size = int(read.text.max()) + 1
    sums = np.bincount(read.text[chosen], read.statistics["entropy_nats"][chosen], minlength=size)
    counts = np.bincount(read.text[chosen], minlength=size)
    means: Floats = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    return means


def _aurocs(
    texts: TextSet, entropies: Floats, right: Mapping[Sample, bool], problems: Sequence[str]
) -> Floats:
    sides: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for text, entropy in zip(texts.texts, entropies.tolist(), strict=True):
        if text.sample in right and not np.isnan(entropy):
            sides[text.problem_id][0 if right[text.sample] else 1].append(entropy)
    values = [within_problem_auroc(*sides[name]) if name in sides else None for name in problems]
    return np.array([np.nan if value is None else value for value in values])
