from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emdiag.findings.page import Context
from emdiag.reports.render import render
from emdiag.reports.training_page import training_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from emdiag.findings.page import Page

    Make = dict[str, Callable[..., Any]]


def page_of(updates: Any, *, chosen: str | None = "seed-0/update-3") -> Page:
    return training_page(
        "out/em", stage="em", updates=updates, notes=(), context=Context(), chosen=chosen
    )


def test_entropy_is_said_from_start_to_end_with_how_far_runs_differ(
    make: Make, said: Callable[[Page], str]
) -> None:
    runs = {"seed-0": make["updates"](), "seed-1": make["updates"](shift=0.1)}
    assert (
        "Held-out entropy went from 0.55 to 0.25 nats per token, mean of 2 runs that end between "
        "0.2 and 0.3" in said(page_of(runs))
    )


def test_a_single_run_is_said_to_have_no_interval(make: Make, said: Callable[[Page], str]) -> None:
    page = page_of({".": make["updates"]()})
    assert "in one run, so without an interval" in said(page)
    assert page.cautions[0] == "One training run: another seed may go another way."


def test_the_registered_checkpoint_is_named_and_a_grid_has_none(
    make: Make, said: Callable[[Page], str]
) -> None:
    runs = {"seed-0": make["updates"](updates=0)}
    assert "seed-0/update-3" in said(page_of(runs))
    assert "grid has no registered checkpoint" in said(page_of(runs, chosen=None))


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
    assert "from 2 to 3" in page_of(runs).cautions[0]


def test_every_update_of_every_run_can_be_unfolded(make: Make) -> None:
    detail = page_of({"seed-0": make["updates"]()}).sections[-1]
    assert detail.is_detail
    assert [row[0].text for row in detail.tables[0].rows] == ["0", "1", "2", "3"]
