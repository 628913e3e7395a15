from __future__ import annotations

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from emdiag.cli.app import app
from emdiag.core.codec import decode
from emdiag.demonstration.plan import FILE, DemoMeasurements, DemoPlan
from emdiag.demonstration.run import run_demo
from emdiag.store.session import open_session
from emdiag.studies.evaluate import draw

if TYPE_CHECKING:
    from emdiag.demonstration.run import DemoResult

pytestmark = pytest.mark.whole

TINY = {
    "pool": 8,
    "pool_samples": 4,
    "seeds": 1,
    "updates": 1,
    "problems": 4,
    "temperatures": (0.0, 1.0),
    "samples": 2,
    "logit_problems": 2,
    "has_rl": False,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoPlan, DemoResult]:
    folder = tmp_path_factory.mktemp("demo")
    plan = DemoPlan(out=str(folder / "demo"), **TINY)  # type: ignore[arg-type]
    return plan, run_demo(plan, open_session(plan.folder, home=folder / "home"))


def test_the_study_is_told_on_one_page_that_ends_with_the_claims(
    made: tuple[DemoPlan, DemoResult],
) -> None:
    plan, result = made
    page = Path(result.page).read_text()
    assert Path(result.page) == plan.page
    assert page.index("Which prompt to train on") < page.index("an entropy-matched baseline")
    assert page.rindex("What to distrust") > page.index("C01")
    assert {one.id for one in result.claims.claims} >= {"C01", "C05", "C07", "C08", "C24"}


def test_without_its_libraries_rl_is_left_out_and_said_so(
    made: tuple[DemoPlan, DemoResult],
) -> None:
    _, result = made
    page = Path(result.page).read_text()
    assert "TRL is not installed" in page
    claim = next(one for one in result.claims.claims if one.id == "C06")
    assert (claim.verdict, claim.figures) == ("undecided", ())


def test_every_command_that_recreates_the_page_is_one_that_emdiag_takes(
    made: tuple[DemoPlan, DemoResult],
) -> None:
    page = Path(made[1].page).read_text()
    shown = page[page.index('id="recreate"') :]
    commands = [unescape(text) for text in re.findall(r"<code[^>]*>(emdiag [^<]*)</code>", shown)]
    assert len(commands) >= 6
    for text in commands:
        parse(shlex.split(text)[1:])


def parse(arguments: list[str]) -> None:
    """Raises where the command line would be refused; nothing runs."""
    command = typer.main.get_command(app)
    while (commands := getattr(command, "commands", None)) is not None:
        name, *arguments = arguments
        command = commands[name]
    command.make_context("emdiag", arguments)


def test_a_command_that_emdiag_does_not_take_is_refused() -> None:
    with pytest.raises(Exception, match="--objectives"):
        parse(["train", "em", "lab", "--out", "x", "--objectives", "entropy"])


def test_the_same_demonstration_again_draws_nothing(
    made: tuple[DemoPlan, DemoResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("samples were drawn again")

    plan, result = made
    monkeypatch.setattr(draw, "open_sampler", never)
    again = run_demo(plan, open_session(plan.folder, home=tmp_path))
    assert [one.verdict for one in again.claims.claims] == [
        one.verdict for one in result.claims.claims
    ]


def test_what_was_measured_is_kept_as_one_record(made: tuple[DemoPlan, DemoResult]) -> None:
    plan, result = made
    content = (plan.folder / FILE).read_bytes()
    found = decode(content, DemoMeasurements)
    assert found.claims == result.claims
    assert found.plan == plan
    assert json.loads(content)["good"]["steps"] > json.loads(content)["bad"]["steps"]
