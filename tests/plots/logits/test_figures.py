from __future__ import annotations

import unicodedata
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import matplotlib.text
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch, Rectangle
from msgspec.structs import replace

from emdiag.core.logit_skew import LogitDifference
from emdiag.core.moments import COOLING_TEMPERATURES, RANK_BUCKETS, Histogram
from emdiag.findings.logits.rows import POOLED_SKEWNESS, SKEWNESS, LogitRows
from emdiag.findings.logits.statements import (
    cooling_statements,
    flip_statements,
    published_statements,
    shift_statements,
    skewness_statements,
    tenth_statements,
)
from emdiag.plots.figures import skew_figures
from emdiag.plots.logits.cooling import cooling_figure
from emdiag.plots.logits.flips import flips_figure
from emdiag.plots.logits.lines import along_figure, shift_figure
from emdiag.plots.logits.lookup import DrawnStudy
from emdiag.plots.logits.published import published_figure
from emdiag.plots.logits.shapes import histogram_figure
from emdiag.plots.logits.violins import violin_figure
from emdiag.plots.style import STAGE_COLOURS, save_figure, style

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult

    Drawn = Callable[[str], dict[str, Figure]]

NAMES = [
    "histogram",
    "per-token-skewness",
    "along-the-answer",
    "shift-by-rank",
    "cooling",
    "published",
    "flips",
]
RESULTS = ["usual", "odd", "own_only", "many_texts"]


def lines_of(axes: Axes, label: str) -> list[Any]:
    return [line for line in axes.get_lines() if line.get_label() == label]


def line(axes: Axes, label: str) -> Any:
    (found,) = lines_of(axes, label)
    return found


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def words(figure: Figure) -> list[matplotlib.text.Text]:
    with style():
        figure.draw_without_rendering()
    return [
        text
        for text in figure.findobj(matplotlib.text.Text)
        if isinstance(text, matplotlib.text.Text) and text.get_visible() and text.get_text()
    ]


def alone(draw: Callable[[DrawnStudy], Figure | None], result: LogitSkewResult) -> Figure:
    """One figure of a result that was made for one test."""
    with style():
        figure = draw(DrawnStudy(result))
    assert figure is not None
    return figure


def quiet(figure: Figure) -> str:
    """What is said below the title, which is the first text of a figure."""
    return " ".join(figure.texts[1].get_text().split())


def title_of(figure: Figure) -> str:
    return " ".join(figure.get_suptitle().split())


def vertices(artist: Any) -> Any:
    """Corners of what was drawn, `[corner, x and y]`."""
    return (artist.get_path() if isinstance(artist, PathPatch) else artist.get_paths()[0]).vertices


def row_of(result: LogitSkewResult, label: str, **what: Any) -> LogitEstimate:
    wanted = {"text": "base", "part": None, "kind": "per_token", "source": "raw"} | what
    (found,) = [
        row
        for row in result.estimates
        if row.checkpoint == label
        and all(getattr(row, name) == value for name, value in wanted.items())
    ]
    return found


def changed(result: LogitSkewResult, old: LogitEstimate, **fields: Any) -> LogitSkewResult:
    rows = [replace(row, **fields) if row is old else row for row in result.estimates]
    return replace(result, estimates=tuple(rows))


def test_a_study_gets_the_figures_it_has_something_for(
    usual: LogitSkewResult, drawn: Drawn
) -> None:
    assert list(drawn("usual")) == NAMES
    assert list(drawn("own_only")) == NAMES[:3]
    nothing = replace(usual, estimates=(), decompositions=(), flows=(), histograms=())
    assert list(skew_figures(replace(nothing, published=None))) == []


def test_titles_are_the_statements_of_the_study(usual: LogitSkewResult, drawn: Drawn) -> None:
    figures, rows = drawn("usual"), LogitRows(usual)
    statements = {
        "per-token-skewness": skewness_statements(rows, "base", SKEWNESS),
        "histogram": skewness_statements(rows, "base", POOLED_SKEWNESS),
        "along-the-answer": tenth_statements(rows, "base"),
        "shift-by-rank": shift_statements(rows, "base"),
        "cooling": cooling_statements(rows, "base"),
        "published": published_statements(usual),
        "flips": flip_statements(rows, "base", ["em", "rl"]),
    }
    assert list(statements) != []
    for name, spoken in statements.items():
        assert [one.subject.split()[0] for one in spoken] == ["em", "rl"], name
        assert title_of(figures[name]) == " ".join(one.words for one in spoken), name


def test_the_numbers_of_a_title_are_those_of_the_record(usual: LogitSkewResult) -> None:
    rows = LogitRows(usual)
    em, rl = skewness_statements(rows, "base", SKEWNESS)
    gap = row_of(usual, "em", statistic="skewness").difference
    assert gap is not None
    assert (em.value, em.interval, em.direction) == (gap.value, gap.interval, "lower")
    assert "2.24 \u2192 1.93 (\u22120.31 [\u22120.36, \u22120.26])" in em.words
    assert "2.24 \u2192 1.81 (\u22120.43 [\u22120.48, \u22120.38])" in rl.words
    assert skewness_statements(rows, "base", POOLED_SKEWNESS)[0].direction == "higher"
    assert "skewness lower in 9 of 10 tenths" in tenth_statements(rows, "base")[0].words
    shift = shift_statements(rows, "base")[0].words
    assert "at rank 1, \u22121.07 [\u22121.12, \u22121.02] at 1025+: head raised" in shift
    share = row_of(usual, "em", statistic="cooling_share")
    cooling = cooling_statements(rows, "base")[0]
    assert (cooling.value, cooling.interval) == (share.value, share.interval)
    published = published_statements(usual)[0]
    assert published.value == pytest.approx(1.5)
    assert "+1.50 [1.38, 1.62]" in published.words
    assert "\u22120.30 [\u22120.42, \u22120.18]" in published.words
    assert "'3' \u2192 '4' (40 times)" in flip_statements(rows, "base", ["em"])[0].words


def test_own_texts_are_described_and_not_compared(own_only: LogitSkewResult, drawn: Drawn) -> None:
    lines = drawn("own_only")["along-the-answer"].get_suptitle()
    first, _ = tenth_statements(LogitRows(own_only), "own")
    assert first.direction is None
    assert "skewness 2.25 [2.20, 2.30] \u2192 2.70" in first.words
    assert lines.startswith("base, first to last tenth")
    assert all(one.count("[") == one.count("]") for one in lines.splitlines())
    for figure in drawn("own_only").values():
        assert "lower" not in title_of(figure)
        assert "less" not in title_of(figure)


def test_every_checkpoint_has_its_line_in_the_title_up_to_three(drawn: Drawn) -> None:
    title = title_of(drawn("odd")["cooling"])
    assert [title.count(f" to {name} ") for name in ("_base", "em", "em, bad prompt")] == [1] * 3
    assert title.endswith("\N{HORIZONTAL ELLIPSIS} 2 more in the figure")
    assert "more in the figure" not in drawn("odd")["flips"].get_suptitle()


def test_numbers_stand_on_the_text_of_the_base_or_on_own_texts(drawn: Drawn) -> None:
    usual, own, many = (
        drawn(name)["per-token-skewness"] for name in ("usual", "own_only", "many_texts")
    )
    assert quiet(usual).startswith("Read on the text of base; n = 20 problems, 12,345 tokens")
    assert "1 to 5 seeds" in quiet(usual)
    assert quiet(own).startswith("Read on each checkpoint's own text")
    assert quiet(many).startswith("Read on the text of base (the left panel")
    assert title_of(own).endswith("unpaired, so not compared")


def test_texts_stand_side_by_side_up_to_four_the_base_s_first(drawn: Drawn) -> None:
    figures = drawn("many_texts")
    titles = ["The text of base", "The text of em", "The text of rl", "The reference text"]
    assert [axes.get_title(loc="left") for axes in figures["per-token-skewness"].axes] == titles
    assert [axes.get_title(loc="left") for axes in figures["cooling"].axes][:4] == titles


def test_the_density_holds_all_counts_and_is_cropped_to_them(drawn: Drawn) -> None:
    axes = panels(drawn("usual")["histogram"])["Raw logits, pooled over positions"]
    curve = line(axes, "em")
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(1, abs=1e-3)
    low, high = axes.get_xlim()
    assert -14 < low < -10
    assert 7 < high < 13


def test_counts_beyond_the_edges_are_told(usual: LogitSkewResult) -> None:
    first = usual.histograms[0]
    cut = replace(first, histogram=replace(first.histogram, above=7))
    figure = alone(histogram_figure, replace(usual, histograms=(cut, *usual.histograms[1:])))
    assert "not drawn: 7 logits" in quiet(figure)


def test_the_table_beside_the_density_holds_the_estimates(drawn: Drawn) -> None:
    shown = [text.get_text() for text in words(drawn("usual")["histogram"])]
    for said in ("0.05 [0.00, 0.10]", "1.93 [1.88, 1.98]", "\u22122.90", "em"):
        assert said in shown


def test_violins_have_the_shape_of_the_counts_and_a_dot_at_the_estimate(
    usual: LogitSkewResult,
) -> None:
    counts = (0, 0, 1, 4, 2, 0)
    histogram = Histogram(low=0.0, width=0.5, counts=counts)
    named = [one for one in usual.histograms if one.quantity == "per-token skewness"]
    result = replace(usual, histograms=tuple(replace(one, histogram=histogram) for one in named))
    (axes,) = alone(violin_figure, result).axes
    shape = next(one for one in axes.collections if one.get_label() == "em")
    points = vertices(shape)
    heights = {x: points[points[:, 0] == x, 1].max() - 1 for x in (1.25, 1.75, 2.25)}
    assert heights[1.75] == pytest.approx(0.36)
    assert heights[1.25] == pytest.approx(0.09)
    assert heights[2.25] == pytest.approx(0.18)
    dots: list[Any] = [drawn for drawn in axes.get_lines() if drawn.get_marker() == "s"]
    assert list(dots[0].get_xdata()) == pytest.approx([1.93])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["base", "em", "rl"]


def test_tenths_are_drawn_as_they_were_estimated(usual: LogitSkewResult, drawn: Drawn) -> None:
    top, bottom = drawn("usual")["along-the-answer"].axes
    for axes, name in ((top, "skewness"), (bottom, "entropy_nats")):
        expected = [
            row_of(usual, "em", statistic=name, part=f"decile {tenth}").value
            for tenth in range(1, 11)
        ]
        assert list(line(axes, "em").get_ydata()) == pytest.approx(expected)
        assert list(line(axes, "em").get_xdata()) == list(range(1, 11))
    assert "nats" in bottom.get_ylabel()


def test_a_value_that_is_not_defined_is_a_gap_and_no_interval_no_band(
    usual: LogitSkewResult,
) -> None:
    gone = row_of(usual, "em", statistic="skewness", part="decile 4")
    result = changed(usual, gone, value=None, interval=None, difference=None)
    rows = [replace(row, interval=None) for row in result.estimates if row.checkpoint != "base"]
    result = replace(result, estimates=tuple(rows))
    top = alone(along_figure, result).axes[0]
    assert np.isnan(line(top, "em").get_ydata()).tolist() == [at == 4 for at in range(1, 11)]
    assert list(top.collections) == []


def test_bands_are_the_intervals(usual: LogitSkewResult, drawn: Drawn) -> None:
    row = row_of(usual, "rl", statistic="centred_shift", part="rank 5-8")
    axes = panels(drawn("usual")["shift-by-rank"])["Logit minus the mean over the vocabulary"]
    points = vertices(axes.collections[1])
    at = points[points[:, 0] == 4, 1]
    assert row.interval is not None
    assert (at.min(), at.max()) == pytest.approx((row.interval.low, row.interval.high))


def test_ranks_stand_one_bucket_after_the_other_around_a_zero_line(drawn: Drawn) -> None:
    for axes in drawn("usual")["shift-by-rank"].axes:
        assert len(line(axes, "em").get_xdata()) == len(RANK_BUCKETS)
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert labels[:3] == ["1", "2", "3-4"]
        assert labels[-1] == "1025+"
        assert any(list(one.get_ydata()) == [0, 0] for one in axes.get_lines())
        assert lines_of(axes, "base") == []


def test_ranks_beyond_a_small_vocabulary_are_left_out(usual: LogitSkewResult) -> None:
    small = [row for row in usual.estimates if row.part not in ("rank 513-1024", "rank 1025-")]
    figure = alone(shift_figure, replace(usual, estimates=tuple(small)))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()][-1] == "257-512"
    assert "at 257-512: head raised, tail lowered" in title_of(figure)


def test_the_curve_has_its_mark_at_the_best_temperature(
    usual: LogitSkewResult, drawn: Drawn
) -> None:
    curves, _ = drawn("usual")["cooling"].axes
    part = usual.decompositions[0]
    mark = line(curves, "best for em")
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == pytest.approx(
        (part.temperature, part.kl_nats - part.cooling_nats)
    )
    shown = dict(zip(line(curves, "em").get_xdata(), line(curves, "em").get_ydata(), strict=True))
    assert [shown[t] for t in COOLING_TEMPERATURES] == pytest.approx(list(part.curve_nats))
    assert curves.get_xscale() == curves.get_yscale() == "log"


def test_the_parts_of_a_bar_add_up_to_the_kl(usual: LogitSkewResult, drawn: Drawn) -> None:
    _, bars = drawn("usual")["cooling"].axes
    pieces = [patch for patch in bars.patches if isinstance(patch, Rectangle)]
    assert len(pieces) == 6
    for part, three in zip(usual.decompositions, (pieces[:3], pieces[3:]), strict=True):
        widths = [piece.get_width() for piece in three]
        expected = [part.cooling_nats, part.reranking_nats, part.rest_nats]
        assert widths == pytest.approx(expected)
        assert three[-1].get_x() + widths[-1] == pytest.approx(part.kl_nats)


def test_a_checkpoint_equal_to_the_base_can_be_drawn(usual: LogitSkewResult) -> None:
    zero = dict.fromkeys(("kl_nats", "cooling_nats", "reranking_nats", "rest_nats"), 0.0)
    same = replace(
        usual.decompositions[0],
        **zero,
        own_temperatures_nats=0.0,
        curve_nats=tuple(0.0 for _ in COOLING_TEMPERATURES),
        temperature=None,
        finding="unchanged",
    )
    figure = alone(cooling_figure, replace(usual, decompositions=(same,)))
    figure.draw_without_rendering()
    assert "is as good as unchanged from base" in title_of(figure)


def test_the_ladder_and_each_quirk_alone_are_drawn_as_found(
    usual: LogitSkewResult, drawn: Drawn
) -> None:
    ladder, single = drawn("usual")["published"].axes
    assert usual.published is not None
    steps = usual.published.ladder
    assert list(line(ladder, "em").get_ydata()) == [step.values[1].skewness for step in steps]
    names = [label.get_text().replace("\n", " ") for label in ladder.get_xticklabels()]
    assert names == [step.name for step in steps]
    assert [float(dot.get_xdata()[0]) for dot in lines_of(single, "em")] == [
        step.values[1].skewness for step in usual.published.alone
    ]
    shown = replace(usual.published, ladder=(), alone=())
    (only,) = alone(published_figure, replace(usual, published=shown)).axes
    assert len(line(only, "em").get_ydata()) == 1


def test_bands_of_flips_are_as_thick_as_their_counts(usual: LogitSkewResult, drawn: Drawn) -> None:
    axes = drawn("usual")["flips"].axes[0]
    bands = [patch for patch in axes.patches if isinstance(patch, PathPatch)]
    thick = sorted(_thickness(band) for band in bands)
    counts = sorted(flow.count for flow in usual.flows if flow.checkpoint == "em")
    assert [one / thick[0] for one in thick] == pytest.approx([one / counts[0] for one in counts])
    shown = [text.get_text() for text in axes.texts]
    assert "\\n" in shown
    assert "45" in shown  # 3 went to 4 and to 9


def _thickness(band: PathPatch) -> float:
    points = vertices(band)
    return float(points[-2, 1] - points[0, 1])


@pytest.mark.parametrize("name", ["usual", "odd"])
def test_bands_lie_on_their_tokens_and_tokens_beside_each_other(name: str, drawn: Drawn) -> None:
    for axes in drawn(name)["flips"].axes:
        nodes = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        ends = [[], []]  # type: list[list[tuple[float, float]]]
        for node in nodes:
            ends[node.get_x() > 0.5].append((node.get_y(), node.get_y() + node.get_height()))
        for column in ends:
            assert all(-1e-9 <= low < high <= 1 + 1e-9 for low, high in column)
            ordered = sorted(column)
            assert all(one[1] < other[0] for one, other in pairwise(ordered))
        for band in axes.patches:
            if isinstance(band, PathPatch):
                points = vertices(band)
                for column, (low, high) in zip(
                    ends, ((points[0, 1], points[-2, 1]), (points[3, 1], points[4, 1])), strict=True
                ):
                    assert any(a - 1e-9 <= low and high <= b + 1e-9 for a, b in column)


def test_flips_are_drawn_for_three_checkpoints_and_twelve_pairs(drawn: Drawn) -> None:
    figure = drawn("odd")["flips"]
    assert len(figure.axes) == 3
    for axes in figure.axes:
        assert sum(isinstance(patch, PathPatch) for patch in axes.patches) == 12
    assert "Not drawn: 2 checkpoints more." in quiet(figure)


@pytest.mark.parametrize("name", RESULTS)
def test_words_of_users_and_models_have_no_effect(name: str, drawn: Drawn) -> None:
    for figure in drawn(name).values():
        for text in words(figure):
            assert not text.get_parse_math()
            for character in text.get_text().replace("\n", ""):
                assert unicodedata.category(character)[0] not in "CM"
                assert unicodedata.bidirectional(character) not in ("R", "AL", "AN")


def test_every_arm_is_named_even_one_that_begins_with_an_underscore(
    odd: LogitSkewResult, drawn: Drawn
) -> None:
    figures = drawn("odd")
    for name in ("histogram", "along-the-answer", "published", "per-token-skewness"):
        shown = {text.get_text() for text in words(figures[name])}
        assert set(DrawnStudy(odd).names.values()) <= shown


def test_labels_that_are_cut_to_the_same_stay_apart(usual: LogitSkewResult) -> None:
    long = ["a" * 30, "a" * 31, "a" * 32]
    arms = tuple(replace(arm, label=label) for arm, label in zip(usual.arms, long, strict=True))
    names = DrawnStudy(replace(usual, arms=arms)).names
    assert len(set(names.values())) == 3


@pytest.mark.parametrize("name", RESULTS)
def test_no_words_are_cut_off_or_overlap(name: str, drawn: Drawn) -> None:
    for figure in drawn(name).values():
        with style():
            figure.draw_without_rendering()
        boxes = [axes.get_tightbbox() for axes in figure.axes]
        boxes += [text.get_window_extent() for text in figure.texts]
        boxes += [legend.get_window_extent() for legend in figure.legends]
        whole = figure.bbox
        for box in boxes:
            assert box is not None
            assert whole.x0 - 1 <= box.x0 < box.x1 <= whole.x1 + 1
            assert whole.y0 - 1 <= box.y0 < box.y1 <= whole.y1 + 1
        for one, other in combinations(boxes, 2):
            assert one is not None
            assert not one.padded(-1).overlaps(other)


@pytest.mark.parametrize("name", RESULTS)
def test_words_of_one_panel_do_not_run_into_each_other(name: str, drawn: Drawn) -> None:
    for figure in drawn(name).values():
        level = [text for text in words(figure) if text.get_rotation() == 0]
        hidden = _hidden(figure)
        level = [text for text in level if text not in hidden]
        boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in level]
        for (one, box), (other, beside) in combinations(boxes, 2):
            assert not box.overlaps(beside), (one, other)


def _hidden(figure: Figure) -> set[matplotlib.text.Text]:
    """Labels of ticks beyond the limits of their axis, which matplotlib keeps but does not draw."""
    found: set[matplotlib.text.Text] = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        every = {tick.label1 for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())}
        shown = axis._update_ticks() if axis.axes.axison else ()  # type: ignore[attr-defined]  # no public way
        found |= every - {tick.label1 for tick in shown}
    return found


def test_every_axis_names_its_unit(drawn: Drawn) -> None:
    for name, figure in drawn("usual").items():
        if name not in ("flips", "along-the-answer"):
            shown = [axes for axes in figure.axes if axes.axison]
            assert all(axes.get_xlabel() for axes in shown), name


def test_lines_have_the_colour_of_their_stage_and_another_dash(drawn: Drawn) -> None:
    figures = drawn("usual")
    for name in ("along-the-answer", "published", "cooling"):
        every = {label: lines_of(figures[name].axes[0], label) for label in ("base", "em", "rl")}
        found = {label: lines[0] for label, lines in every.items() if lines}
        stages = {"base": "base", "em": "em", "rl": "rl"}
        colours: dict[str, str] = dict(STAGE_COLOURS)  # type: ignore[arg-type]  # keys are stages
        for label, one in found.items():
            assert to_hex(one.get_color()) == colours[stages[label]]
        assert len({str(one._unscaled_dash_pattern) for one in found.values()}) == len(found)


@pytest.mark.parametrize("draw", [cooling_figure, flips_figure])
def test_equal_results_give_equal_files(
    draw: Callable[[DrawnStudy], Figure | None], usual: LogitSkewResult, tmp_path: Path
) -> None:
    one, other = (save_figure(alone(draw, usual), tmp_path / turn) for turn in "ab")
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in other]


def test_one_arm_and_one_problem_can_be_drawn(odd: LogitSkewResult) -> None:
    label = odd.arms[1].label
    rows = tuple(row for row in odd.estimates if row.checkpoint == label)
    single = replace(
        odd,
        base=label,
        arms=odd.arms[1:2],
        estimates=tuple(replace(row, difference=None) for row in rows),
        histograms=tuple(one for one in odd.histograms if one.checkpoint == label),
        decompositions=(),
        flows=(),
    )
    figures = skew_figures(single)
    assert "histogram" in figures
    for figure in figures.values():
        figure.draw_without_rendering()
    (statement,) = skewness_statements(LogitRows(single), "own", POOLED_SKEWNESS)
    assert (statement.direction, statement.value) == (None, pytest.approx(-0.067))
    assert title_of(figures["histogram"]) == statement.words


def test_a_difference_without_an_interval_claims_nothing(usual: LogitSkewResult) -> None:
    row = row_of(usual, "em", statistic="skewness")
    gap = LogitDifference(
        base="base", value=-0.31, interval=None, p_value=None, p_holm=None, direction="undecided"
    )
    title = alone(violin_figure, changed(usual, row, interval=None, difference=gap))
    assert "(\u22120.310), without an interval rl is" in title_of(title)
