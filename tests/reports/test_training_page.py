from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.training import TrainResult
from emdiag.reports.pages import training_page
from emdiag.reports.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(updates: Any, *, chosen: str | None = "seed-0/update-3") -> Page:
    result = TrainResult(out="out/em", parent="base", stage="em", chosen=chosen, cells=())
    return training_page(result, updates)


def test_entropy_is_stated_from_start_to_end_with_how_far_runs_differ(make: Make) -> None:
    runs = {"seed-0": make["updates"](), "seed-1": make["updates"](shift=0.1)}
    entropy = page_of(runs).answers[0]
    assert (entropy.kind, entropy.subject) == ("held-out entropy", "EM")
    assert entropy.value == pytest.approx(-0.3)
    assert "0.550 → 0.250 nats per token over 3 updates" in entropy.words
    assert "lower in 2 of 2 seeds (0.200 to 0.300 at the end)" in entropy.words


def test_a_single_run_says_nothing_of_others(make: Make) -> None:
    page = page_of({".": make["updates"]()})
    assert page.answers[0].words.endswith("over 3 updates, 1 run")
    assert page.answers[0].interval is None
    assert page.cautions[0] == "One training run: another seed may end elsewhere."


def test_the_registered_checkpoint_is_named_and_a_grid_has_none(make: Make) -> None:
    runs = {"seed-0": make["updates"](updates=0)}
    (registered,) = page_of(runs).answers
    assert (registered.kind, registered.subject) == ("registered", "seed-0/update-3")
    assert registered.words.endswith("out/em/seed-0/update-3")
    assert page_of(runs, chosen=None).answers[0].subject == ""


def test_every_cell_of_a_grid_has_a_picture_of_its_seeds(make: Make) -> None:
    names = ("lr-1/seed-0", "lr-1/seed-1", "lr-2/seed-0")
    page = page_of({name: make["updates"]() for name in names}, chosen=None)
    assert [one.name for one in page.sections[0].pictures] == ["training-lr-1", "training-lr-2"]


def test_a_start_without_updates_has_no_picture(make: Make) -> None:
    page = page_of({"seed-0": make["updates"](updates=0)})
    assert page.sections[0].pictures == ()
    assert render(page)


def test_runs_that_have_not_come_as_far_are_doubted(make: Make) -> None:
    runs = {"seed-0": make["updates"](updates=2), "seed-1": make["updates"](updates=3)}
    assert "2 to 3 updates" in page_of(runs).cautions[0]


def test_every_update_of_every_run_can_be_unfolded(make: Make) -> None:
    detail = page_of({"seed-0": make["updates"]()}).sections[-1]
    assert detail.is_detail
    assert [row[0].text for row in detail.tables[0].rows] == ["0", "1", "2", "3"]
