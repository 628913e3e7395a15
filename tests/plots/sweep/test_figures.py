from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from emdiag.core.checkpoints import Arm
from emdiag.core.results import Interval, Metric
from emdiag.core.temperature_sweep import (
    CoolingControl,
    Slope,
    SlopeDifference,
    SweepPoint,
    SweepSetting,
    TemperatureSweepResult,
)
from emdiag.findings.sweep.statements import (
    baselines,
    slope_difference,
    trends,
    trends_by_checkpoint,
)
from emdiag.plots.figures import sweep_figures
from emdiag.plots.style import figure_svg, style
from emdiag.plots.sweep.heat import heat_figure
from emdiag.plots.sweep.lines import accuracy_figure
from emdiag.plots.sweep.lookup import SweepLookup
from emdiag.plots.sweep.slopes import control_figure, slopes_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
ARMS = (("base", "base"), ("em", "em"), ("rl", "rl"))
FALLS = (-0.12, -0.3, 0.05, -0.2, -0.08, 0.02, 0.1, -0.4)


def around(value: float, half: float) -> Interval:
    return Interval(
        low=value - half, high=value + half, level=0.95, method="bootstrap over problems"
    )


def metric(name: str, value: float, half: float | None = 0.03) -> Metric:
    return Metric(name=name, value=value, interval=None if half is None else around(value, half))


def point(label: str, at: SweepSetting, start: float, *, fall: float, **other: Any) -> SweepPoint:
    """A point on a line; greedy has one sample."""
    temperature = at.temperature
    samples = 1 if temperature == 0 else 8
    half = other.pop("half", 0.03)
    value = min(max(start + fall * temperature - 0.1 * (1 - at.top_p), 0.0), 1.0)
    several = samples > 1
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "setting": at,
        "samples": samples,
        "seeds": 1,
        "problems": 300,
        "accuracy": metric(f"avg@{samples}", value, half),
        "pass_at_k": tuple(
            metric(f"pass@{k}", min(1.0, value + 0.03 * (k - 1)), half)
            for k in range(1, samples + 1)
        ),
        "majority": metric("maj@8", value, half) if several else None,
        "agreement": metric("agreement", 0.9 - 0.3 * temperature, half) if several else None,
        "distinct_answers": metric("distinct", 1.5 + temperature, half) if several else None,
        "entropy_nats": metric("entropy", (0.6 + fall) * 0.5 * temperature, half),
        "mean_tokens": metric("tokens", 42 + 3 * temperature, 1.0),
        "truncated_frac": metric("truncated", 0.01 * temperature, 0.004),
        "repeated_frac": metric("repeated", 0.0, 0.0),
        "no_box_frac": metric("no box", 0.02 * temperature, 0.004),
        "run_keys": (f"{label}-{temperature:g}",),
        "grade_keys": ("0",),
    }
    return SweepPoint(**fields | other)


def slope(label: str, value: float, *, half: float | None = 0.04, **other: Any) -> Slope:
    interval = None if half is None else around(value, half)
    beyond = half is not None and abs(value) > half
    fields: dict[str, Any] = {
        "checkpoint": label,
        "benchmark": "chain",
        "axis": "temperature",
        "value": value,
        "interval": interval,
        "low": 0.0,
        "high": 1.2,
        "trend": ("rises" if value > 0 else "falls") if beyond else "undecided",
    }
    return Slope(**fields | other)


def control(label: str, at: float, *, gain: float = 0.2, **other: Any) -> CoolingControl:
    fields: dict[str, Any] = {
        "checkpoint": label,
        "base": "base",
        "benchmark": "chain",
        "temperature": at,
        "base_temperature": 0.7 * at,
        "entropy_nats": 0.21 * at,
        "base_entropy_nats": 0.212 * at,
        "tolerance_nats": 0.005,
        "tried": (0.5, 0.7 * at),
        "is_matched": True,
        "value": 0.62 + gain,
        "base_value": 0.62,
        "difference": gain,
        "interval": around(gain, 0.03),
        "verdict": "more than cooling" if gain > 0.05 else "undecided",
        "is_headline": at == 1.0,
    }
    return CoolingControl(**fields | other)


def sweep(
    arms: Sequence[tuple[str, Any]] = ARMS,
    *,
    benchmarks: Sequence[str] = ("chain",),
    temperatures: Sequence[float] = TEMPERATURES,
    half: float | None = 0.03,
    **other: Any,
) -> TemperatureSweepResult:
    """Arms that fall or rise along straight lines, each with its slope and its control."""
    points, slopes, differences, controls = [], [], [], []
    for place, benchmark in enumerate(benchmarks):
        for index, (label, stage) in enumerate(arms):
            start, fall = 0.65 + 0.07 * (index % 4) - 0.15 * place, FALLS[index % 8]
            points += [
                point(
                    label,
                    SweepSetting(temperature=at),
                    start,
                    fall=fall,
                    benchmark=benchmark,
                    half=half,
                )
                for at in temperatures
            ]
            if len(temperatures) > 1:
                slopes.append(slope(label, fall, benchmark=benchmark, half=half))
            if stage != "base":
                made = [at for at in temperatures if at][:4]
                base = arms[0][0]
                controls += [control(label, at, benchmark=benchmark, base=base) for at in made]
        for index, (left, _) in enumerate(arms):
            for right, _ in arms[index + 1 :]:
                differences.append(
                    SlopeDifference(
                        left=left,
                        right=right,
                        benchmark=benchmark,
                        axis="temperature",
                        value=0.1,
                        interval=None if half is None else around(0.1, 0.05),
                        p_value=0.01,
                        p_holm=0.03,
                        direction="undecided" if half is None else "higher",
                    )
                )
    fields: dict[str, Any] = {
        "benchmarks": tuple(benchmarks),
        "problems_total": dict.fromkeys(benchmarks, 300),
        "base": arms[0][0],
        "axes": ("temperature",),
        "arms": tuple(
            Arm(label=label, stage=stage, checkpoints=("a",), digests=("0",))
            for label, stage in arms
        ),
        "points": tuple(points),
        "slopes": tuple(slopes),
        "slope_differences": tuple(differences) if len(temperatures) > 1 else (),
        "controls": tuple(controls),
        "notes": (),
        "store": "runs",
    }
    return TemperatureSweepResult(**fields | other)


def two_axes(first: Any = "temperature", second: Any = "top_p") -> TemperatureSweepResult:
    """Temperatures 0, 0.5 and 1 by top-p 0.8, 0.9 and 1; greedy once."""
    made = []
    for index, (label, _) in enumerate(ARMS):
        settings = [SweepSetting(temperature=0.0)]
        settings += [
            SweepSetting(temperature=at, top_p=share)
            for at in (0.5, 1.0)
            for share in (0.8, 0.9, 1)
        ]
        made += [point(label, one, 0.6 + 0.1 * index, fall=-0.2) for one in settings]
    slopes = tuple(slope(label, -0.2) for label, _ in ARMS)
    along_p = tuple(slope(label, 0.1, axis="top_p", low=0.8, high=1.0) for label, _ in ARMS)
    return sweep(points=tuple(made), axes=(first, second), slopes=(*slopes, *along_p), controls=())


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def title(figure: Figure) -> str:
    """On one line, as it was before it was broken to fit."""
    return " ".join(figure.get_suptitle().split())


def line(axes: Axes, label: str) -> Any:
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


DRAWN = {
    "accuracy": accuracy_figure,
    "control": control_figure,
    "slopes": slopes_figure,
    "heat": heat_figure,
}


def one_figure(name: str, result: TemperatureSweepResult) -> Figure:
    """One figure alone, which is quicker than all."""
    with style():
        figure = DRAWN[name](SweepLookup(result))
    assert figure is not None
    return figure


@pytest.fixture(scope="module")
def usual() -> dict[str, Figure]:
    return sweep_figures(sweep())


def test_the_curve_of_an_arm_is_its_accuracy_in_percent_at_every_temperature(
    usual: dict[str, Figure],
) -> None:
    (axes,) = usual["accuracy"].axes
    drawn = line(axes, "em")
    assert list(drawn.get_xdata()) == list(TEMPERATURES)
    assert list(drawn.get_ydata()) == pytest.approx([100 * (0.72 - 0.3 * t) for t in TEMPERATURES])


def test_greedy_is_named_at_temperature_zero(usual: dict[str, Figure]) -> None:
    (axes,) = usual["accuracy"].axes
    assert axes.get_xticklabels()[0].get_text() == "0\ngreedy"


def test_a_baseline_stands_at_the_temperature_of_the_checkpoint_it_matches(
    usual: dict[str, Figure],
) -> None:
    (axes,) = usual["accuracy"].axes
    drawn = line(axes, "baseline of em")
    assert list(drawn.get_xdata()) == [0.2, 0.4, 0.6, 0.8]
    assert list(drawn.get_ydata()) == pytest.approx([62.0] * 4)
    assert drawn.get_color() == line(axes, "base").get_color()
    assert drawn.get_markerfacecolor() == "white"


def test_a_baseline_of_another_entropy_is_no_point_of_the_curve() -> None:
    controls = (control("em", 0.4), control("em", 0.8, is_matched=False, verdict="undecided"))
    figure = one_figure("accuracy", sweep(controls=controls))
    assert list(line(figure.axes[0], "baseline of em").get_xdata()) == [0.4]


def test_titles_are_the_statements_on_trends() -> None:
    slopes = (slope("base", 0.01), slope("em", -0.3), slope("rl", 0.2, half=None))
    result = sweep(slopes=slopes)
    assert title(one_figure("accuracy", result)) == " ".join(s.words for s in trends(result))


def test_over_several_benchmarks_trends_are_counted() -> None:
    slopes = tuple(
        slope("em", value, benchmark=name)
        for name, value in (("chain", -0.3), ("amc23", -0.2), ("math500", 0.01))
    )
    result = sweep(benchmarks=("chain", "amc23", "math500"), slopes=slopes)
    (counted,) = trends_by_checkpoint(result, "temperature")
    assert title(one_figure("accuracy", result)) == counted.words
    assert "falls on 2, shows no clear trend on 1 of 3 benchmarks" in counted.words


def test_a_title_bears_three_statements_and_says_how_many_more_there_are() -> None:
    labels = [f"em{number}" for number in range(5)]
    result = sweep([(label, None) for label in labels])
    words = title(one_figure("accuracy", result))
    assert [label in words for label in labels] == [False, True, True, True, False]
    assert words.endswith("2 more in the figure")


def test_the_entropy_figure_puts_each_point_at_its_own_entropy(usual: dict[str, Figure]) -> None:
    (axes,) = usual["entropy"].axes
    assert list(line(axes, "em").get_xdata()) == pytest.approx([0.15 * t for t in TEMPERATURES])
    assert {"0.2", "1.2"} <= {text.get_text() for text in axes.texts}


def test_figures_of_several_samples_have_no_greedy_point(usual: dict[str, Figure]) -> None:
    found = panels(usual["samples"])
    agreement = line(found["Two samples agree"], "em")
    coverage = line(found["Any of 8 right"], "em")
    assert isnan(agreement.get_ydata()[0])
    assert isnan(coverage.get_ydata()[0])
    assert coverage.get_ydata()[1] == pytest.approx(100 * (0.72 - 0.06 + 0.21))


def test_a_metric_that_no_run_has_gets_no_panel() -> None:
    points = tuple(
        point("base", SweepSetting(temperature=t), 0.6, fall=0, samples=1, majority=None,
              agreement=None, distinct_answers=None, entropy_nats=None)
        for t in (0.2, 0.6)
    )  # fmt: skip
    figures = sweep_figures(sweep(ARMS[:1], points=points))
    assert set(panels(figures["samples"])) == {"Length", "Truncated"}
    assert "entropy" not in figures


def test_what_never_happens_is_said_and_not_drawn(usual: dict[str, Figure]) -> None:
    assert "Repetitive" not in panels(usual["samples"])
    said = " ".join(text.get_text() for text in usual["samples"].texts)
    assert "Nowhere above 0, so not drawn: repetitive." in " ".join(said.split())


FIVE: Sequence[tuple[str, Any]] = (*ARMS, ("bad", "em"), ("max", None))


@pytest.mark.parametrize("temperatures", [(0.0, 0.5, 1.0), (0.2, 0.3, 1.2), (0.6,)])
def test_arms_stand_a_hair_apart_and_inside_the_axes(temperatures: tuple[float, ...]) -> None:
    result = sweep(FIVE, temperatures=temperatures, half=0.3)
    axes = one_figure("accuracy", result).axes[0]
    low, high = axes.get_xlim()
    span = (max(temperatures) - min(temperatures)) or 1.0
    starts = []
    for label, _ in FIVE:
        drawn = line(axes, label).get_xdata()
        assert (drawn > low).all()
        assert (drawn < high).all()
        assert drawn == pytest.approx(temperatures, abs=0.0201 * span)
        starts.append(drawn[0])
    assert len({round(start, 6) for start in starts}) == len(FIVE)


def test_arms_whose_bars_do_not_meet_stand_at_their_temperature() -> None:
    axes = one_figure("accuracy", sweep(FIVE[:4], temperatures=(0.0, 1.0), half=1e-6)).axes[0]
    for label, _ in FIVE[:4]:
        assert list(line(axes, label).get_xdata()) == [0.0, 1.0]


def test_the_control_figure_shows_both_accuracies_and_the_zone_of_cooling(
    usual: dict[str, Figure],
) -> None:
    left, right = usual["control"].axes
    drawn = [line.get_xdata()[0] for line in left.get_lines() if len(line.get_xdata()) == 1]
    assert sorted(set(drawn)) == pytest.approx([62.0, 82.0])
    zone = right.patches[0].get_extents().transformed(right.transData.inverted())
    assert (zone.x0, zone.x1) == pytest.approx((-2.0, 2.0))
    assert "+20.0 [17.0, 23.0]: more than cooling" in {text.get_text() for text in right.texts}


def test_a_control_whose_entropies_differ_says_so_and_claims_nothing() -> None:
    unmatched = control("em", 1.0, is_matched=False, verdict="undecided")
    result = sweep(controls=(unmatched,))
    figure = one_figure("control", result)
    (statement,) = baselines(result)
    assert title(figure) == statement.words
    assert (statement.direction, statement.value) == ("undecided", None)
    assert "entropies differ: undecided" in {text.get_text() for text in figure.axes[1].texts}


def test_slopes_stand_in_points_with_their_pairs_beside(usual: dict[str, Figure]) -> None:
    left, right = usual["slopes"].axes
    marks = [line.get_xdata()[0] for line in left.get_lines() if line.get_marker() == "o"]
    assert marks == pytest.approx([-12.0, -30.0, 5.0])
    names = [label.get_text() for label in right.get_yticklabels()]
    assert names == [f"{a} \N{MINUS SIGN} {b}" for a, b in (("base", "em"), ("base", "rl"),
                                                             ("em", "rl"))]  # fmt: skip


def test_differences_that_the_test_does_not_bear_are_not_in_the_title() -> None:
    first, *others = sweep().slope_differences
    weak = [msgspec.structs.replace(pair, p_holm=0.4, direction="undecided") for pair in others]
    figure = one_figure("slopes", sweep(slope_differences=(first, *weak)))
    assert title(figure) == slope_difference(first).words
    assert "rl" not in title(figure)


def test_labels_in_a_title_stay_on_one_line_and_are_cut_in_their_middle() -> None:
    label = f"a\u202e{'x' * 60}z"
    words = title(one_figure("accuracy", sweep([("base", "base"), (label, "em")])))
    assert "\u202e" not in words
    assert label not in words
    assert "\\u202e" in words


def test_two_axes_make_a_map_of_percents_in_which_greedy_counts_for_all() -> None:
    first = one_figure("heat", two_axes()).axes[0]
    cells = {
        (round(text.get_position()[0]), round(text.get_position()[1])): text.get_text()
        for text in first.texts
    }
    assert cells[0, 0] == cells[0, 2] == "60"
    assert cells[2, 2] == "40"
    assert len(cells) == 9


def test_with_two_axes_curves_hold_the_second_one_where_it_cuts_nothing() -> None:
    figure = one_figure("accuracy", two_axes())
    assert list(line(figure.axes[0], "base").get_ydata()) == pytest.approx([60, 50, 40])
    quiet = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
    assert "top-p is 1 throughout" in quiet


def test_top_k_zero_is_all_tokens_and_the_last_of_even_steps() -> None:
    points = tuple(
        point("base", SweepSetting(temperature=1.0, top_k=k), 0.6, fall=0.0) for k in (0, 50, 1, 5)
    )
    made = sweep(ARMS[:1], points=points, axes=("top_k",), slopes=(), controls=())
    (axes,) = one_figure("accuracy", made).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "5", "50", "all"]
    assert list(axes.get_xticks()) == [0, 1, 2, 3]


def test_only_figures_that_apply_are_drawn(usual: dict[str, Figure]) -> None:
    assert set(usual) == {"accuracy", "control", "entropy", "slopes", "samples"}
    bare = sweep(temperatures=(0.6,), controls=(), slopes=(), slope_differences=())
    assert set(sweep_figures(bare)) == {"accuracy", "entropy", "samples"}


def test_eight_arms_without_intervals_and_odd_labels_are_drawn() -> None:
    arms = [(f"$x_{index}$ of a user with long names", None) for index in range(6)]
    arms += [("\u202eevil", "em"), ("_base", "base")]
    figures = sweep_figures(sweep(arms, benchmarks=("a", "b"), half=None))
    for figure in figures.values():
        figure.draw_without_rendering()
    assert len(figures["accuracy"].axes) == 2


def test_the_same_result_gives_the_same_svg() -> None:
    first, second = (figure_svg(one_figure("slopes", sweep())) for _ in range(2))
    assert first == second
    assert "<dc:date>" not in first
