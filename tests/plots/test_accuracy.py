from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.results import (
    BenchmarkScore,
    CompareResult,
    Comparison,
    Interval,
    Metric,
    TextRates,
)
from emdiag.core.seed_scores import BenchmarkSeeds, SeedDifference, SeedGroup, SeedScore
from emdiag.findings.comparison import comparison_statement
from emdiag.findings.evaluation import score_statements
from emdiag.findings.seeds import mean_statement
from emdiag.plots.accuracy import (
    accuracy_figure,
    difference_figure,
    pass_at_k_figure,
    seeds_figure,
)
from emdiag.plots.style import STAGE_COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def around(value: float, half: float = 0.05) -> Interval:
    return Interval(
        low=value - half, high=value + half, level=0.95, method="bootstrap over problems"
    )


def score(label: str, value: float, **other: Any) -> BenchmarkScore:
    stage: Any = {"base": "base", "em": "em", "rl": "rl"}.get(label)
    samples = other.get("samples", 4)
    fields: dict[str, Any] = {
        "label": label,
        "checkpoint": CheckpointRef(
            label=label, ref=label, path=label, digest="0", tokenizer_digest="0", stage=stage
        ),
        "benchmark": "chain",
        "benchmark_revision": 1,
        "template": "chain",
        "chat": False,
        "temperature": 1.0,
        "engine": "transformers",
        "run_key": label,
        "grade_key": "0",
        "metric": f"avg@{samples}",
        "value": value,
        "interval": around(value),
        "problems": 300,
        "problems_total": 300,
        "partial": False,
        "samples": samples,
        "pass_at_k": tuple(
            Metric(name=f"pass@{k}", value=value + 0.05 * (k - 1), interval=None)
            for k in range(1, samples + 1)
        ),
        "maj_at_k": None,
        "without_tagged": None,
        "by_verdict": {"correct": 600, "wrong": 600},
        "rates": TextRates(
            truncated_frac=0.0,
            no_box_frac=0.0,
            undecided_frac=0.0,
            repeated_frac=0.0,
            mean_tokens=40.0,
        ),
        "tokens_per_s": None,
        "groups": (),
        "notes": (),
    }
    return BenchmarkScore(**fields | other)


def comparison(benchmark: str, difference: float, conclusion: Any, **other: Any) -> Comparison:
    fields: dict[str, Any] = {
        "left": "base",
        "right": "em",
        "benchmark": benchmark,
        "metric": "avg@4",
        "left_value": 0.5,
        "right_value": 0.5 + difference,
        "difference": difference,
        "interval": around(difference, 0.01),
        "test": "sign flips",
        "p_value": 0.01,
        "p_holm": 0.02,
        "problems": 300,
        "left_samples": 4,
        "right_samples": 4,
        "wrong_to_right": (),
        "right_to_wrong": (),
        "margin": 0.02,
        "conclusion": conclusion,
        "notes": (),
    }
    return Comparison(**fields | other)


def marks(figure: Figure, panel: int = 0) -> list[float]:
    """Where single marks stand, from top to bottom."""
    found = [one for one in figure.axes[panel].get_lines() if len(one.get_xdata()) == 1]
    found.sort(key=lambda one: float(one.get_ydata()[0]))
    return [float(one.get_xdata()[0]) for one in found]


def names(figure: Figure) -> list[str]:
    return [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_every_score_is_a_mark_in_percent_in_the_colour_of_its_stage() -> None:
    figure = accuracy_figure([score("base", 0.6), score("em", 0.9)])
    assert marks(figure) == pytest.approx([60.0, 90.0])
    colours = [one.get_color() for one in figure.axes[0].get_lines()]
    assert colours == [STAGE_COLOURS["base"], STAGE_COLOURS["em"]]
    assert names(figure) == ["base", "em"]


def test_the_title_gives_scores_and_leaves_their_order_to_the_paired_difference() -> None:
    figure = accuracy_figure([score("base", 0.6), score("em", 0.9)])
    statements = score_statements([score("base", 0.6), score("em", 0.9)])
    assert figure.get_suptitle() == "\n".join(one.words for one in statements)
    assert "better" not in figure.get_suptitle()


def test_one_checkpoint_at_several_temperatures_has_a_line_for_each() -> None:
    scores = [score("base", 0.5, temperature=t) for t in (1.0, 0.2)]
    assert names(accuracy_figure(scores)) == ["base, T 0.2", "base, T 1"]


def test_each_benchmark_has_a_panel_and_a_missing_score_leaves_a_gap() -> None:
    scores = [score("base", 0.5), score("em", 0.7, benchmark="amc23")]
    figure = accuracy_figure(scores)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["chain", "amc23"]
    assert (marks(figure, 0), marks(figure, 1)) == ([50.0], pytest.approx([70.0]))


def test_a_score_without_interval_has_a_mark_and_no_bar() -> None:
    figure = accuracy_figure([score("base", 0.5, interval=None)])
    assert len(figure.axes[0].collections) == 0
    assert [text.get_text() for text in figure.axes[0].texts] == ["50.0"]


def test_no_tick_promises_more_than_a_hundred_percent() -> None:
    figure = accuracy_figure([score("base", 0.2), score("em", 0.99)])
    assert max(figure.axes[0].get_xticks()) <= 100


def test_differences_are_in_points_beside_the_zone_of_no_difference() -> None:
    result = CompareResult(
        comparisons=(
            comparison("chain", 0.3, "right better"),
            comparison("amc23", -0.1, "left better"),
        ),
        macro=comparison("mean of 2 benchmarks", 0.1, "undecided"),
    )
    figure = difference_figure(result)
    assert marks(figure) == pytest.approx([30.0, -10.0, 10.0])
    zone = figure.axes[0].patches[0].get_extents()
    ends = figure.axes[0].transData.inverted().transform([[zone.x0, 0], [zone.x1, 0]])
    assert [end[0] for end in ends] == pytest.approx([-2.0, 2.0])


@pytest.mark.parametrize("conclusion", ["right better", "left better", "equivalent", "undecided"])
def test_the_title_says_what_the_comparison_concluded(conclusion: Any) -> None:
    row = comparison("chain", 0.3, conclusion)
    title = difference_figure(CompareResult(comparisons=(row,), macro=None)).get_suptitle()
    assert title.replace("\n    ", " ") == comparison_statement(row).words


def test_names_that_have_no_room_are_cut_in_the_title_alone() -> None:
    row = comparison("chain", 0.3, "right better", right="a" * 40)
    figure = difference_figure(CompareResult(comparisons=(row,), macro=None))
    assert "a" * 23 not in figure.get_suptitle()
    assert comparison_statement(row).words.startswith("a" * 40)


def test_coverage_grows_over_doubling_numbers_of_samples() -> None:
    figure = pass_at_k_figure([score("base", 0.5), score("em", 0.7)])
    assert figure is not None
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4"]
    drawn = axes.get_lines()[0]
    assert list(drawn.get_ydata()) == pytest.approx([50.0, 55.0, 60.0, 65.0])


def test_single_samples_have_no_coverage_to_draw() -> None:
    assert pass_at_k_figure([score("base", 0.5, samples=1)]) is None


def test_every_seed_is_a_mark_and_the_registered_one_has_a_ring() -> None:
    seeds = tuple(
        SeedScore(
            cell=f"seed-{index}",
            seed=index,
            update=10,
            checkpoint=f"out/seed-{index}/update-10",
            value=value,
            interval=around(value),
            truncated_frac=0.0,
            run_key=str(index),
        )
        for index, value in enumerate((0.8, 0.9))
    )
    group = SeedGroup(
        name="",
        update=10,
        seeds=seeds,
        mean=0.85,
        interval=around(0.85),
        deviation=0.07,
        lowest=0.8,
        highest=0.9,
        difference=SeedDifference(
            base="base", difference=0.25, interval=around(0.25), direction="higher"
        ),
    )
    found = BenchmarkSeeds(
        benchmark="chain",
        metric="avg@1",
        temperature=0.0,
        samples=1,
        problems=300,
        partial=False,
        registered=seeds[0],
        groups=(group,),
        oracle=seeds[1],
        candidates=2,
        base=Metric(name="base", value=0.6, interval=around(0.6)),
        notes=(),
    )
    figure = seeds_figure(found)
    drawn = figure.axes[0].get_lines()
    dots, ring = (one for one in drawn if one.get_marker() == "o")
    assert list(dots.get_xdata()) == [80.0, 90.0]
    assert list(ring.get_xdata()) == [80.0]
    assert figure.get_suptitle() == mean_statement(group, found).words
