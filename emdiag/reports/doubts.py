"""What a reader should distrust in a result, beyond its own notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.reports.pieces import count, listed, percent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from emdiag.core.checkpoints import Arm
    from emdiag.core.results import BenchmarkScore

FEW_PROBLEMS = 30
"""Below this, intervals of a bootstrap are too narrow and single problems weigh much."""

MUCH_TRUNCATED = 0.05
"""Above this share, a score says as much about the limit of new tokens as about the model."""


def score_doubts(scores: Sequence[BenchmarkScore]) -> tuple[str, ...]:
    """Of an evaluation, each a sentence: the gravest first, then the notes of the scores."""
    found = [
        *(doubt for score in scores for doubt in _of_score(score)),
        *_mixed(scores),
        *template_doubt(scores),
        *one_seed([(s.label, s.checkpoint.stage, 1) for s in scores]),
    ]
    notes = [note for score in scores for note in score.notes]
    return once(_by_note(found) + _by_note(notes))


def _of_score(score: BenchmarkScore) -> list[str]:
    name = f"{score.label} on {score.benchmark}"
    rates, found = score.rates, []
    if score.partial:
        found.append(
            f"Partial: {score.problems} of {count(score.problems_total, 'problem')} of "
            f"{score.benchmark} were measured."
        )
    found += few_problems({score.benchmark: score.problems})
    found += truncation({name: rates.truncated_frac})
    if rates.undecided_frac > 0:
        found.append(
            f"{name}: the grader could not decide {100 * rates.undecided_frac:.1f} % of samples; "
            "they count as not right."
        )
    if score.without_tagged is not None:
        metric = score.without_tagged
        found.append(
            f"{name}: some golds are doubtful; without these problems the score is "
            f"{percent(metric.value, metric.interval)}."
        )
    if score.interval is None:
        found.append(f"{name}: no interval can be given, so nothing follows from the number.")
    return found


def truncation(shares: Mapping[str, float]) -> list[str]:
    """A sentence for each name with more than `MUCH_TRUNCATED` of its samples cut off."""
    return [
        f"{name}: {100 * share:.1f} % of samples were cut off at the limit of new tokens, and "
        "count as they stand."
        for name, share in shares.items()
        if share > MUCH_TRUNCATED
    ]


def few_problems(problems: Mapping[str, int]) -> list[str]:
    """A sentence for each benchmark with fewer than `FEW_PROBLEMS` problems."""
    return [
        f"{name} was measured on {count(many, 'problem')} only: below {FEW_PROBLEMS}, intervals "
        "are rough and tend to be too narrow."
        for name, many in problems.items()
        if many < FEW_PROBLEMS
    ]


def one_seed(arms: Iterable[tuple[str, str | None, int]]) -> list[str]:
    """Trained checkpoints, as (label, stage, seeds), of which one training seed was measured."""
    alone = [label for label, stage, seeds in arms if stage not in {None, "base"} and seeds == 1]
    if not alone:
        return []
    names = listed(list(dict.fromkeys(alone)))
    said = "the intervals are over problems and say nothing about another seed of the same recipe"
    return [f"One training seed each for {names}: {said}."]


def arm_doubts(arms: Sequence[Arm]) -> list[str]:
    """The same for the arms of a study."""
    return one_seed((arm.label, arm.stage, len(arm.checkpoints)) for arm in arms)


def template_doubt(scores: Sequence[BenchmarkScore]) -> list[str]:
    """Whether a gain over the base could be one of format."""
    stages = {score.checkpoint.stage for score in scores}
    templates = sorted({score.template for score in scores})
    if "base" not in stages or len(stages) < 2 or len(templates) > 1:
        return []
    said = "A base can score higher with another one, so a gain over it may be one of format"
    return [f"Every checkpoint was asked with the template {templates[0]}. {said}."]


def _mixed(scores: Sequence[BenchmarkScore]) -> list[str]:
    found = []
    for what, values in (
        ("engines", {score.engine for score in scores}),
        ("templates", {score.template for score in scores}),
        ("ways to apply the chat template", {str(score.chat) for score in scores}),
    ):
        if len(values) > 1:
            found.append(
                f"The scores come from different {what} ({listed(sorted(values))}): their "
                "difference is not only one of the checkpoints."
            )
    return found


def once(sentences: Iterable[str]) -> tuple[str, ...]:
    """Each sentence the first time it is said."""
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))


def _by_note(notes: Sequence[str]) -> list[str]:
    """Notes as sentences: with a capital letter and a full stop."""
    return [as_sentence(note) for note in notes]


def as_sentence(note: str) -> str:
    """A note with a capital letter and a full stop; names such as `em` keep their case."""
    text = note.strip()
    first = text.split(" ", 1)[0].rstrip(":,")
    if first.isalpha() and first.islower() and len(first) > 3:
        text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
