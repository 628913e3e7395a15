from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emdiag.cli.console import Out
from emdiag.cli.show import show
from emdiag.findings.page import Cell, Findings, Statement, table

if TYPE_CHECKING:
    from emdiag.findings.page import Table

NUMBERS = [f"{60 + place}.0 [54.4, 65.{place}]" for place in range(6)]


def drawn(text: str) -> list[str]:
    """Lines of tables as they are seen, without the sentence on what is left out."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    return [line for line in lines if not line.startswith("not shown")]


def wide_table() -> Table:
    columns = ["checkpoint", "benchmark", "problems", "avg@8", "pass@8", "maj@8", "cut off"]
    row = ["a-rather-long-label-of-a-checkpoint", "olympiadbench", "675 of 675", *NUMBERS[:4]]
    return table("scores", columns, rows=[row], secondary=("cut off", "maj@8", "pass@8"))


def shown(
    findings: Findings,
    width: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    wide: bool = False,
) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    show(findings, Out(json=False, wide=wide))
    return capsys.readouterr().out


def test_a_note_on_a_column_is_shown_only_with_the_column(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = replace(wide_table(), note="All.", column_notes=(("cut off", "Cut."), ("gone", "No.")))
    assert "All. Cut.\n" in shown(Findings(tables=(noted,)), 300, capsys, monkeypatch)
    assert "All.\n" in shown(Findings(tables=(noted,)), 84, capsys, monkeypatch)
    assert noted.whole_note == "All. Cut."


@pytest.mark.parametrize("width", [40, 60, 72, 80, 84, 90, 100, 101, 102, 160])
def test_no_number_label_or_id_is_cut_at_any_width(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(Findings(tables=(wide_table(),)), width, capsys, monkeypatch)
    assert "a-rather-long-label-of-a-checkpoint" in text
    assert "olympiadbench" in text
    assert NUMBERS[0].split(" ")[0] in text
    assert NUMBERS[0].split(" ", 1)[1] in text
    assert "…" not in text
    for name in ("avg@8", "pass@8", "maj@8"):
        left_out = next((line for line in text.splitlines() if line.startswith("not shown")), "")
        number, interval = NUMBERS[["avg@8", "pass@8", "maj@8"].index(name)].split(" ", 1)
        assert (number in text and interval in text) is not (name in left_out)
    assert max(map(len, drawn(text))) <= width


def test_columns_left_out_are_named_with_the_option_that_shows_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(Findings(tables=(wide_table(),)), 90, capsys, monkeypatch)
    assert "not shown for want of room: cut off" in text
    assert "--wide shows all columns" in text
    assert NUMBERS[3].split(" ", maxsplit=1)[0] not in text


def test_every_column_is_there_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(Findings(tables=(wide_table(),)), 60, capsys, monkeypatch, wide=True)
    assert all(number in text for number in NUMBERS[:4])
    assert "not shown" not in text


def test_a_table_that_fits_nowhere_is_written_row_by_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = shown(Findings(tables=(wide_table(),)), 40, capsys, monkeypatch)
    assert f"  avg@8: {NUMBERS[0]}" in text.splitlines()


def test_markup_in_labels_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [Cell(text="[red]em[/red]"), Cell(text="1.0")]
    made = table("scores [b]", ["checkpoint", "avg@1"], rows=[cells])
    findings = Findings(tables=(made,), statements=(Statement(words="[i]x[/i]"),))
    text = shown(findings, 80, capsys, monkeypatch)
    assert "[red]em[/red]" in text
    assert "scores [b]" in text
    assert "[i]x[/i]" in text
