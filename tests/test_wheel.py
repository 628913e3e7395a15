"""The wheel carries what the checkout shows, and works where the checkout is not."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ("coverage", "families", "speed")
REPORT_DATA = ("reports/templates", "reports/assets", "reports/claims.toml")

pytestmark = pytest.mark.wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def missing_files(names: set[str], root: Path) -> list[str]:
    """Tracked files of the package and the data folders that a wheel does not carry."""
    tracked = subprocess.run(
        ["git", "-C", str(root), "ls-files", "emdiag", "benchmarks", *REPORT_DATA],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    wanted = {
        f"emdiag/_data/{name}" if name.startswith(("benchmarks/", "reports/")) else name
        for name in tracked
        if not name.startswith(tuple(f"benchmarks/{kind}/" for kind in SCRIPTS))
    }
    return sorted(wanted - names)


def test_the_wheel_carries_the_package_and_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert missing_files(names, ROOT) == []
    assert not [
        name
        for name in names
        if name.startswith("tests/") or any(f"/{kind}/" in name for kind in SCRIPTS)
    ]


def test_the_wheel_guard_can_fail(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist()) - {"emdiag/_data/benchmarks/toy/card.toml"}
    assert missing_files(names, ROOT) == ["emdiag/_data/benchmarks/toy/card.toml"]


def test_an_installed_wheel_finds_its_own_data(wheel: Path, tmp_path: Path) -> None:
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*install, str(tmp_path / "site"), str(wheel)], check=True)
    code = (
        "from emdiag.benchmarks.cards import load_card\n"
        "from emdiag.benchmarks.load import load_problems\n"
        "from emdiag.resources import data_dir, lab_weights\n"
        "from pathlib import Path\n"
        "print(data_dir('benchmarks'), lab_weights())\n"
        "print(len(load_problems(load_card('chain'), home=Path('none'))))\n"
        "assert (lab_weights() / 'model.safetensors').is_file()\n"
        "from emdiag.findings.page import Page\n"
        "from emdiag.reports.render import render\n"
        "empty = {'answers': (), 'sections': (), 'cautions': ()}\n"
        "print(render(Page(kind='claims', title='t', question='q', **empty))[:15])\n"
        "from emdiag.ledger.claims_file import ledger_file, read_ledger\n"
        "from emdiag.ledger.run import STATISTICS\n"
        "print(len(read_ledger(ledger_file(), statistics=STATISTICS)))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert found[0].count(str(tmp_path / "site")) == 2
    assert found[1] == "300"
    assert found[2].lower() == "<!doctype html>"
    assert found[3] == "15"
