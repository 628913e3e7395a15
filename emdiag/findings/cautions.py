"""What a reader should know before trusting a number, beyond the notes of its record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from emdiag.core.checkpoints import Arm
from emdiag.core.results import BenchmarkScore, Remark
from emdiag.findings.numbers import count, listed, percent
from emdiag.findings.remarks import words_of

FEW_PROBLEMS: Final = 30
"""Below this, intervals of a bootstrap are too narrow and single problems weigh much."""

MUCH_TRUNCATED: Final = 0.05
"""Above this share, a score says as much about the limit of new tokens as about the model."""

_CAUTIONED: Final = ("partial", "ungraded", "not-finished")
"""Codes of notes that the cautions of a score are about already."""


def score_cautions(scores: Sequence[BenchmarkScore]) -> tuple[str, ...]:
    """Of an evaluation, each a sentence: the gravest first, then the notes of the scores."""
    return distinct(
        [
            *(caution for score in scores for caution in _of_score(score)),
            *_mixed(scores),
            *template_caution(scores),
            *one_seed([(score.label, score.checkpoint.stage, 1) for score in scores]),
            *(note for score in scores for note in note_sentences(score.notes, without=_CAUTIONED)),
        ]
    )


def _of_score(score: BenchmarkScore) -> list[str]:
    name = f"{score.label} on {score.benchmark}"
    cautions = []
    if score.partial:
        cautions.append(
            f"Partial: {score.problems:,} of {count(score.problems_total, 'problem')} of "
            f"{score.benchmark} were measured."
        )
    cautions += few_problems({score.benchmark: score.problems})
    cautions += truncation({name: score.rates.truncated_frac})
    cautions += unfinished({name: score.rates.unfinished_frac})
    if score.rates.undecided_frac > 0:
        cautions.append(
            f"{name}: the grader could not decide {100 * score.rates.undecided_frac:.1f} % of "
            "samples; they count as not right."
        )
    if score.without_tagged is not None:
        metric = score.without_tagged
        cautions.append(
            f"{name}: some golds are doubtful; without these problems the score is "
            f"{percent(metric.value, metric.interval)}."
        )
    if score.interval is None:
        cautions.append(f"{name}: no interval can be given, so nothing follows from the number.")
    return cautions


def truncation(shares: Mapping[str, float]) -> list[str]:
    """A sentence for each name with more than `MUCH_TRUNCATED` of its samples cut off."""
    return [
        f"{name}: {100 * share:.1f} % of samples were cut off at the limit of new tokens, and "
        "count as they stand."
        for name, share in shares.items()
        if share > MUCH_TRUNCATED
    ]


def unfinished(shares: Mapping[str, float | None]) -> list[str]:
    """The same of thinking that never ended; None where nothing marks thinking."""
    return [
        f"{name}: {100 * share:.1f} % of samples never finished thinking, and count as not right."
        for name, share in shares.items()
        if share is not None and share > MUCH_TRUNCATED
    ]


def few_problems(problems: Mapping[str, int]) -> list[str]:
    """A sentence for each benchmark with fewer than `FEW_PROBLEMS` problems."""
    return [
        f"{name} was measured on {count(measured, 'problem')} only: below {FEW_PROBLEMS}, "
        "intervals are rough and tend to be too narrow."
        for name, measured in problems.items()
        if measured < FEW_PROBLEMS
    ]


def one_seed(arms: Iterable[tuple[str, str | None, int]]) -> list[str]:
    """Trained checkpoints, as (label, stage, seeds), of which one training seed was measured."""
    single = [label for label, stage, seeds in arms if stage not in {None, "base"} and seeds == 1]
    if not single:
        return []
    names = listed(list(dict.fromkeys(single)))
    caution = (
        f"One training seed each for {names}: the intervals are over problems and say nothing "
        "about another seed of the same recipe."
    )
    return [caution]


def arm_cautions(arms: Sequence[Arm]) -> list[str]:
    """The same for the arms of a study."""
    return one_seed((arm.label, arm.stage, len(arm.checkpoints)) for arm in arms)


def template_caution(scores: Sequence[BenchmarkScore]) -> list[str]:
    """Whether a gain over the base could be one of format."""
    stages = {score.checkpoint.stage for score in scores}
    templates = sorted({score.template for score in scores})
    if "base" not in stages or len(stages) < 2 or len(templates) > 1:
        return []
    caution = (
        f"All checkpoints were prompted with the template {templates[0]}. A base can score higher "
        "with another one, so a gain over it may be one of format."
    )
    return [caution]


def _mixed(scores: Sequence[BenchmarkScore]) -> list[str]:
    cautions = []
    for what, values in (
        ("engines", {score.engine for score in scores}),
        ("templates", {score.template for score in scores}),
        ("ways to apply the chat template", {str(score.chat) for score in scores}),
    ):
        if len(values) > 1:
            cautions.append(
                f"The scores come from different {what} ({listed(sorted(values))}): their "
                "difference is not only one of the checkpoints."
            )
    return cautions


def untested(rows: Iterable[tuple[bool, float | None]]) -> list[str]:
    """Of results that say a direction, by its corrected p-value, which earlier versions lacked."""
    words = (
        "Stored by an earlier version: some directions rest on an interval without a test. The "
        "same command tests them, and draws nothing anew."
    )
    return [words] if any(is_said and p_value is None for is_said, p_value in rows) else []


def distinct(sentences: Iterable[str]) -> tuple[str, ...]:
    """Each sentence once, where it comes first."""
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))


def note_sentences(notes: Iterable[Remark], *, without: Collection[str] = ()) -> list[str]:
    """Notes as sentences, but for those of codes that a caution is about already."""
    return [as_sentence(words_of(note)) for note in notes if note.code not in without]


def as_sentence(note: str) -> str:
    """A note with a capital letter and a full stop; names such as `em` keep their case."""
    text = note.strip()
    first = text.split(" ", 1)[0].rstrip(":,")
    if first.isalpha() and first.islower() and len(first) > 3:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
