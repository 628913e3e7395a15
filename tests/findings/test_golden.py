"""What a terminal shows of a stored result of each kind, whole and exactly.

`EMDIAG_REFRESH=1 python -m pytest tests/findings/test_golden.py` writes the texts anew, from the
results in `tests/golden/store_0_1_0.tar.xz`; read the difference before it is committed.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from emdiag.cli.console import Out
from emdiag.cli.show import show
from emdiag.core.claims import ClaimsResult
from emdiag.core.regrades import RegradeResult
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.seed_scores import SeedScoresResult
from emdiag.core.selection import SelectResult
from emdiag.core.training import TrainResult
from emdiag.findings.kinds import findings_of
from emdiag.store.files import read_result

HERE = Path(__file__).parent
STORE = HERE.parent / "golden" / "store_0_1_0.tar.xz"
KINDS = (
    ClaimsResult,
    CompareResult,
    EvaluateResult,
    RegradeResult,
    SeedScoresResult,
    SelectResult,
    TrainResult,
)


@pytest.mark.parametrize("record", KINDS)
def test_a_terminal_of_80_columns_shows_every_word_and_number_of_it(
    record: type[EvaluateResult],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"COLUMNS": "80", "TTY_COMPATIBLE": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    file = f"{record.kind()}.json"
    with tarfile.open(STORE) as archive:
        archive.extract(file, tmp_path, filter="data")
    show(findings_of(read_result(tmp_path / file, record)), Out(json=False))
    shown = "".join(f"{line.rstrip()}\n" for line in capsys.readouterr().out.splitlines())
    golden = HERE / "golden" / f"{record.kind()}.txt"
    if os.environ.get("EMDIAG_REFRESH"):
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
    assert not [line for line in shown.splitlines() if len(line) > 80 and "`" not in line]
