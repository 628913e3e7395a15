"""How often a command decodes what a run holds."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.sampling import Completion
from emdiag.store import journal
from emdiag.store.run_store import Run, RunStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.records import Record

    Decodings = Callable[..., Counter[tuple[str, str, int]]]

DRAWN = ("-b", "toy", "--samples", "2", "--grader-workers", "1")
EVAL = ("eval", "a=a.json", "b=b.json", *DRAWN, "--temperature", "1")
REPORTED = (*EVAL, "--report", "page.html")


@pytest.fixture
def decodings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Decodings:
    """Runs a command; how often it decodes each completion, by its text, problem and index."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    for label in ("a", "b"):  # each run has texts of its own
        texts = {"*": [f"{label}: \\boxed{{\\frac{{1}}{{2}}}}", f"{label}: nothing"]}
        (tmp_path / f"{label}.json").write_text(json.dumps(texts))
    counts: Counter[tuple[str, str, int]] = Counter()
    decode = journal.decode

    def counted(line: bytes, kind: type[Record]) -> Record:
        record = decode(line, kind)
        if isinstance(record, Completion):
            counts[record.text, record.problem_id, record.sample_index] += 1
        return record

    monkeypatch.setattr(journal, "decode", counted)

    def run(*arguments: str) -> Counter[tuple[str, str, int]]:
        counts.clear()
        found = CliRunner().invoke(app, list(arguments))
        assert found.exit_code == 0, found.output
        return Counter(counts)

    return run


def test_an_evaluation_with_its_page_decodes_each_completion_once(decodings: Decodings) -> None:
    for _ in range(2):  # when it draws, and when it finds everything drawn
        counts = decodings(*REPORTED)
        assert len(counts) == 48
        assert set(counts.values()) == {1}


def test_other_commands_decode_no_completion_twice(decodings: Decodings) -> None:
    decodings(*EVAL)
    for arguments in (
        ("report",),
        ("report", "emdiag-out"),
        ("compare", "a", "b", "--report", "page.html"),
    ):
        counts = decodings(*arguments)
        assert len(counts) == 48, arguments
        assert set(counts.values()) == {1}, arguments
    assert not decodings("runs", "list")  # lists count lines and read no text


def test_a_sweep_with_its_page_decodes_each_completion_once(decodings: Decodings) -> None:
    sweep = ("temp-sweep", "a=a.json", *DRAWN, "--temperatures", "0.5,1")
    counts = decodings(*sweep, "--report", "page.html")
    assert len(counts) == 24
    assert set(counts.values()) == {2}  # either temperature has the same texts, in two runs


def test_the_count_of_decodings_can_fail(
    decodings: Decodings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunStore, "_opened", lambda _, path, spec: Run(path, spec))
    assert set(decodings(*REPORTED).values()) != {1}
