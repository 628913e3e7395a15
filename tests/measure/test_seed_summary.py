from __future__ import annotations

import statistics

import numpy as np
import pytest

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import MeasurementError
from emdiag.core.results import BenchmarkScore, ProblemScore, TextRates, as_given, remark
from emdiag.findings.remarks import words_of
from emdiag.measure.seed_summary import Trained, count_above, summarise_seeds, with_directions
from emdiag.stats.intervals import of_differences, wilson


def scored(
    rates: list[float], *, label: str, seed: int | None = None, notes: str = ""
) -> BenchmarkScore:
    return BenchmarkScore(
        label=label,
        checkpoint=CheckpointRef(
            label=label,
            ref="x",
            path=f"/x/{label}",
            digest=label,
            tokenizer_digest="t",
            train_seed=seed,
        ),
        benchmark="toy",
        benchmark_revision=1,
        template="plain",
        chat=False,
        temperature=0.0,
        engine="scripted",
        run_key=label,
        grade_key="g",
        metric="avg@1",
        value=sum(rates) / len(rates),
        interval=None,
        problems=len(rates),
        problems_total=len(rates),
        partial=False,
        samples=1,
        pass_at_k=(),
        maj_at_k=None,
        without_tagged=None,
        by_verdict={},
        rates=TextRates(
            truncated_frac=0.0,
            no_box_frac=0.0,
            undecided_frac=0.0,
            repeated_frac=0.0,
            mean_tokens=9.0,
        ),
        tokens_per_s=None,
        groups=(),
        notes=(as_given(notes),) if notes else (),
        per_problem=tuple(
            ProblemScore(
                problem_id=f"toy/{number}",
                samples=4,
                correct=int(4 * rate),
                by_verdict={},
                truncated=0,
                majority=0.0,
            )
            for number, rate in enumerate(rates)
        ),
    )


def trained(
    cell: str, rates: list[float], *, update: int = 10, registered: bool = False
) -> Trained:
    return Trained(
        cell=cell,
        update=update,
        is_registered=registered,
        score=scored(rates, label=f"{cell}@{update}", seed=3),
    )


def test_a_hand_worked_case_of_three_seeds() -> None:
    found = summarise_seeds(
        [
            trained("seed-0", [1, 0, 0, 0], registered=True),
            trained("seed-1", [1, 1, 0, 0]),
            trained("seed-2", [1, 1, 1, 1]),
        ],
        base=scored([1, 0, 0, 1], label="base"),
    )
    (group,) = found.groups
    assert group.mean == pytest.approx(7 / 12)
    assert group.deviation == pytest.approx(statistics.stdev([0.25, 0.5, 1.0]))
    assert (group.lowest, group.highest) == (0.25, 1.0)
    assert group.difference is not None
    assert group.difference.difference == pytest.approx(7 / 12 - 1 / 2)
    assert found.registered is not None
    assert found.registered.value == 0.25
    assert (found.oracle.cell, found.candidates) == ("seed-2", 3)


def test_seeds_above_the_base_are_counted_with_what_follows_for_all_seeds() -> None:
    base = scored([1, 0, 0, 1] * 10, label="base")
    cells = [trained(f"seed-{n}", [1, 1, n / 4, 1] * 10) for n in range(3)]
    (group,) = summarise_seeds(cells, base=base).groups
    assert group.difference is not None
    counted = group.difference.seeds_above
    assert counted is not None
    assert (counted.above, counted.seeds, counted.level) == (3, 3, 0.95)
    assert counted.at_least == pytest.approx(0.05 ** (1 / 3))
    assert group.lower_seeds is None


def test_a_seed_that_fails_makes_two_groups() -> None:
    good = [trained(f"seed-{n}", [1, 1, 1, n % 2] * 20) for n in (0, 2, 4, 6)]
    failed = trained("seed-9", [0, 0, 0, 1] * 20)
    (group,) = summarise_seeds([*good, failed], base=scored([1, 0, 0, 1] * 20, label="base")).groups
    assert group.lower_seeds == 1


@pytest.mark.parametrize(
    ("cell", "group"),
    [
        (".", ""),
        ("seed-4", ""),
        ("learning_rate=1e-05,temperature=0.5/seed-12", "learning_rate=1e-05,temperature=0.5"),
        ("problem=chain-0012", "problem=chain-0012"),
    ],
)
def test_cells_are_grouped_by_their_name_without_the_seed(cell: str, group: str) -> None:
    assert trained(cell, [1, 0]).group == group


def test_updates_of_one_seed_are_never_taken_for_seeds() -> None:
    found = summarise_seeds(
        [trained("seed-0", [1, 0], update=5), trained("seed-0", [1, 1], update=10)], base=None
    )
    assert [(group.update, len(group.seeds)) for group in found.groups] == [(5, 1), (10, 1)]
    assert all(group.interval is None for group in found.groups)


def test_seeds_that_all_answer_everything_right_are_not_certain() -> None:
    cells = [trained(f"seed-{n}", [1.0] * 40) for n in range(5)]
    (group,) = summarise_seeds(cells, base=scored([1.0] * 40, label="base")).groups
    assert group.interval == wilson(40, 40)
    assert group.difference is not None
    assert group.difference.interval == of_differences(np.zeros(40))


def test_two_seeds_and_one_are_said_to_be_few() -> None:
    seeds = [trained(f"seed-{n}", [1, 0, n / 4]) for n in range(3)]
    notes = [summarise_seeds(seeds[:count], base=None).notes for count in (1, 2, 3)]
    assert [note.code for of in notes for note in of] == ["one-seed", "two-seeds"]
    assert notes[2] == ()


def test_equal_weights_are_said_and_notes_of_scores_come_once() -> None:
    one = scored([1, 0], label="a", notes="leaked")
    found = summarise_seeds(
        [Trained(cell=f"seed-{n}", update=1, is_registered=False, score=one) for n in range(3)],
        base=None,
    )
    assert len(found.groups[0].seeds) == 1
    assert found.notes == (remark("one-seed"), remark("some-same-weights"), as_given("leaked"))


def test_seeds_with_different_problems_are_not_put_together() -> None:
    seeds = [trained("seed-0", [0.5] * 3), trained("seed-1", [0.5] * 4)]
    with pytest.raises(MeasurementError, match="same problems") as refused:
        summarise_seeds(seeds, base=None)
    assert "3 of them in common" in str(refused.value)
    with pytest.raises(MeasurementError, match="same problems"):
        summarise_seeds(seeds[:1], base=scored([0.5] * 2, label="base"))


@pytest.mark.parametrize("rates", [[0.5], [1.0, 1.0], [0.0] * 30])
@pytest.mark.parametrize("seeds", [1, 3])
def test_one_problem_or_equal_ones_are_no_direction(rates: list[float], seeds: int) -> None:
    cells = [trained(f"seed-{number}", rates) for number in range(seeds)]
    summary = summarise_seeds(cells, base=scored([0.5] * len(rates), label="base"))
    (summary,) = with_directions([summary])
    (group,) = summary.groups
    assert "nan" not in repr(group)
    assert group.difference is not None
    assert group.difference.direction == "undecided"


def test_no_seed_above_the_base_says_nothing_of_others() -> None:
    words = words_of(count_above(np.zeros(3)).remark("base on chain"))
    assert words == "none of 3 seeds above base on chain"
    words = words_of(count_above(np.ones(3)).remark("base on chain"))
    assert words == "3 of 3 seeds above base on chain, so at least 37 % of all seeds are (95 %)"
