from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from matplotlib.colors import to_hex

from emdiag.core.errors import MeasurementError
from emdiag.core.training import UpdateRecord
from emdiag.findings.training import PANELS, group_statements
from emdiag.plots.style import STAGE_COLOURS
from emdiag.plots.training import training_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def em_run(*, shift: float = 0.0, updates: int = 4) -> list[UpdateRecord]:
    start = UpdateRecord(
        update=0, method="em", held_out_entropy_nats=0.5 + shift, weight_distance=0.0
    )
    later = [
        UpdateRecord(
            update=update,
            method="em",
            loss=0.2 / update + shift,
            loss_temperature=0.5,
            held_out_entropy_nats=0.5 - 0.1 * update + shift,
            answer_flips_frac=0.05 * update,
            gradient_norm=3.0 / update,
            weight_distance=0.1 * update,
            mean_tokens=40.0 + update,
            truncated_frac=0.01,
            majority_frac=0.5 + 0.1 * update,
        )
        for update in range(1, updates + 1)
    ]
    return [start, *later]


def panels(figure: Figure) -> dict[str, Axes]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def title(figure: Figure) -> str:
    """On one line, as it was before it was broken to fit."""
    return " ".join(figure.get_suptitle().split())


def line(axes: Axes, label: str) -> Any:
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


def test_each_run_is_a_thin_line_and_the_mean_of_all_a_thick_one() -> None:
    runs = {"seed 0": em_run(), "seed 1": em_run(shift=0.1)}
    axes = panels(training_figure(runs, stage="em"))["Held-out entropy at T = 1"]
    assert list(line(axes, "seed 1").get_ydata()) == pytest.approx([0.6, 0.5, 0.4, 0.3, 0.2])
    assert list(line(axes, "mean").get_xdata()) == [0, 1, 2, 3, 4]
    assert list(line(axes, "mean").get_ydata()) == pytest.approx([0.55, 0.45, 0.35, 0.25, 0.15])
    assert line(axes, "mean").get_linewidth() > 2 * line(axes, "seed 0").get_linewidth()


def test_a_run_that_has_not_come_as_far_cannot_bend_the_mean() -> None:
    runs = {"seed 0": em_run(updates=4), "seed 1": em_run(shift=1.0, updates=2)}
    axes = panels(training_figure(runs, stage="em"))["Held-out entropy at T = 1"]
    assert list(line(axes, "mean").get_xdata()) == [0, 1, 2]


def test_one_run_is_one_line() -> None:
    axes = panels(training_figure({"seed 0": em_run()}, stage="em"))["Loss at T = 0.5"]
    (only,) = axes.get_lines()
    assert list(only.get_xdata()) == [1, 2, 3, 4]


@pytest.mark.parametrize("stage", ["em", "rl", "em_rl", "rl_em"])
def test_lines_have_the_colour_of_their_stage(stage: Any) -> None:
    figure = training_figure({"seed 0": em_run(), "seed 1": em_run()}, stage=stage)
    colours = {to_hex(line.get_color()) for axes in figure.axes for line in axes.get_lines()}
    assert colours == {STAGE_COLOURS[stage]}


def test_what_no_run_defines_has_no_panel() -> None:
    titles = panels(training_figure({"seed 0": em_run()}, stage="em"))
    assert len(titles) == len(PANELS) - 1
    assert "Reward" not in titles
    only = [UpdateRecord(update=u, method="rl", reward=0.5) for u in (1, 2)]
    assert list(panels(training_figure({"seed 0": only}, stage="rl"))) == ["Reward"]


def test_the_loss_of_another_library_is_not_called_an_entropy() -> None:
    records = [UpdateRecord(update=u, method="rl", loss=-0.01, reward=0.1) for u in (1, 2)]
    axes = panels(training_figure({"seed 0": records}, stage="rl"))["Loss"]
    assert "nats" not in axes.get_ylabel()
    assert axes.get_ylim()[0] < -0.01


def test_shares_are_drawn_on_their_whole_range_and_amounts_from_zero() -> None:
    drawn = panels(training_figure({"seed 0": em_run()}, stage="em"))
    low, high = drawn["Cut off at the limit"].get_ylim()
    assert -0.1 < low < 0
    assert 1 < high < 1.1
    assert drawn["Length of completions"].get_ylim()[0] == 0
    assert drawn["Length of completions"].get_ylim()[1] > 44


def test_every_axis_names_its_unit_and_counts_whole_updates() -> None:
    figure = training_figure({"seed 0": em_run()}, stage="em")
    figure.draw_without_rendering()
    for axes in figure.axes:
        assert axes.get_ylabel()
        assert axes.get_xlabel() == "update"
        assert all(tick == int(tick) for tick in axes.get_xticks())


def test_the_title_tells_the_finding_with_its_numbers() -> None:
    runs = {f"seed {seed}": em_run(shift=seed / 10) for seed in range(3)}
    entropy, answers = group_statements(runs, stage="em")
    assert (entropy.kind, entropy.subject) == ("held-out entropy", "EM")
    assert entropy.value == pytest.approx(-0.4)
    assert answers.value == pytest.approx(0.2)  # of the start none differs
    assert "over 4 updates" in answers.words
    assert (
        "0.600 \u2192 0.200 nats per token over 4 updates, lower in 3 of 3 seeds" in entropy.words
    )
    assert title(training_figure(runs, stage="em")) == entropy.words
    single, _ = group_statements({"seed 0": em_run()}, stage="rl_em")
    assert single.words.endswith("over 4 updates, 1 seed")


def test_the_title_counts_the_runs_that_went_the_other_way() -> None:
    up = [
        UpdateRecord(update=u, method="em", held_out_entropy_nats=e) for u, e in ((0, 0.1), (4, 2))
    ]
    runs = {"seed 0": em_run(), "seed 1": em_run(), "seed 2": up}
    assert "higher in 1 of 3 seeds" in group_statements(runs, stage="em")[0].words


def test_the_title_of_rl_begins_with_its_reward() -> None:
    runs = {
        name: [
            UpdateRecord(update=u, method="rl", reward=0.5 + u / 10, held_out_entropy_nats=0.4)
            for u in range(1, last)
        ]
        for name, last in (("a", 3), ("b", 5))
    }
    reward, entropy = group_statements(runs, stage="rl")
    assert (reward.kind, reward.value) == ("reward", pytest.approx(0.2))
    assert "0.600 \u2192 0.800 over 2 to 4 updates, higher in 2 of 2 runs" in reward.words
    assert (entropy.kind, entropy.value) == ("held-out entropy", 0.0)
    assert "unchanged in 2 of 2 runs" in entropy.words
    assert title(training_figure(runs, stage="rl")) == f"{reward.words} {entropy.words}"


def test_a_run_that_only_began_has_a_figure_and_an_empty_one_says_what_is_missing() -> None:
    figure = training_figure({"seed 0": em_run(updates=0)}, stage="em")
    assert title(figure) == "EM: the start, before any update"
    with pytest.raises(MeasurementError, match="no update has a figure"):
        training_figure({"seed 0": []}, stage="em")
    with pytest.raises(MeasurementError, match="no update has a figure"):
        training_figure({}, stage="em")


@pytest.mark.parametrize("updates", [1, 10, 1000])
def test_no_words_are_cut_off_or_overlap(updates: int) -> None:
    runs = {
        f"seed {seed}": [
            UpdateRecord(
                update=update,
                method="rl",
                **{panel.field: 0.987654 * (1 + update % 2) / 2 for panel in PANELS},
            )
            for update in range(updates + 1)
        ]
        for seed in range(10)
    }
    figure = training_figure(runs, stage="em_rl")
    figure.draw_without_rendering()
    whole = figure.bbox
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts]
    for box in boxes:
        assert box is not None
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    for one, other in combinations(boxes, 2):
        assert one is not None
        assert not one.fully_overlaps(other)
