"""Commands that are killed, meet at one store, or run out of room: 0 lost, 0 twice, nothing left.

Every command ends as it does undisturbed, whenever it was killed before. Slow: some minutes.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from hashlib import sha256
from importlib import util
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

KILLS = 4
"""Of each command, one after the other in one folder."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
LAB = ["lab", "-b", "chain", "--limit", "6"]
SAMPLED = ["--samples", "4", "--temperature", "1", "--batch-size", "4"]
EM = ["--problem", "chain/0000", "--recipe", "lab", "--updates", "3", "--samples", "4"]
COMMANDS = {
    "eval": ["eval", *LAB, *SAMPLED, "--report", "page.html"],
    "regrade": ["regrade", "lab", "--store", "stored"],
    "export": ["runs", "export", "KEY", "rows.jsonl", "--store", "stored"],
    "export parquet": ["runs", "export", "KEY", "rows.parquet", "--store", "stored"],
    "report": ["report", "--store", "stored", "--out", "page.html"],
    "claims": ["claims", "--store", "stored"],
    "logits-skew": ["logits-skew", *LAB, "--max-tokens", "16"],
    "temp-sweep": ["temp-sweep", *LAB, "--temperatures", "0.5,1", "--samples", "2"],
    "select": ["select", "lab", "--pool", "chain", "--limit", "6", "--out", "ranked.jsonl"],
    "train em": ["train", "em", "lab", *EM, "--state-every", "1", "--save-updates", "1"],
    "train rl": ["train", "rl", *LAB[:3], "--recipe", "lab", "--updates", "2", "--set",
                 "completions=8", "--set", "group_size=4", "--state-every", "1"],
    "lab problems": ["lab", "problems", "--size", "50000", "--out", "drawn.jsonl"],
    "end-is-pad": ["lab", "end-is-pad", "--out", "weights"],
}  # fmt: skip


def command(name: str, folder: Path) -> list[str]:
    words = [*COMMANDS[name], *(["--out", "trained"] if name.startswith("train") else [])]
    if "KEY" in words:
        (run,) = (folder / "stored/runs").iterdir()
        words[words.index("KEY")] = run.name.rpartition("-")[2]
    return [sys.executable, "-m", "emdiag", *words]


def finished(name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name, folder),
        cwd=folder,
        env={**ENVIRONMENT, "EMDIAG_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )


def started(name: str, folder: Path, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command(name, folder),
        cwd=folder,
        env={**ENVIRONMENT, "EMDIAG_HOME": str(folder / "home")},
        stdout=subprocess.DEVNULL,
        stderr=options.pop("stderr", subprocess.DEVNULL),
        **options,
    )


def what_is_in(folder: Path) -> dict[str, object]:
    """Everything that does not hold a time, by the name of its file."""
    content: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        assert ".partial" not in name, "something was left"
        assert path.name != "writer.txt", "a writer was left"
        if not path.is_file() or "home/" in name:
            continue
        if path.suffix == ".jsonl" and "provenance" not in name:
            content[name] = _rows(path)
        elif path.suffix in {".safetensors", ".parquet", ".svg"} and path.stem != "training":
            content[name] = sha256(path.read_bytes()).hexdigest()
        elif path.suffix == ".html":
            content[name] = path.read_text().rstrip().endswith("</html>")
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
    return content


def _rows(path: Path) -> list[object]:
    """Lines without times, each once; samples in their order."""
    lines = path.read_bytes().splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    rows = [json.loads(line) for line in lines]
    if path.name == "updates.jsonl":  # one that was made again counts as it went the last time
        last = {row["update"]: (row["loss"], row["held_out_entropy_nats"]) for row in rows}
        return sorted(last.items())
    samples = [(row.get("problem_id"), row.get("sample_index")) for row in rows]
    if None not in {part for sample in samples for part in sample}:
        assert len(samples) == len(set(samples)), f"a sample is twice in {path.name}"
    return sorted(json.dumps(_timeless(row), sort_keys=True) for row in rows)


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if not key.endswith("_s")}
    return value


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, for commands that read one."""
    folder = tmp_path_factory.mktemp("stored")
    done = finished("eval", folder)
    assert done.returncode == 0, done.stderr
    (folder / "emdiag-out").rename(folder / "stored")
    (folder / "page.html").unlink()
    return folder


@pytest.fixture
def whole(name: str, stored: Path, tmp_path: Path) -> tuple[dict[str, object], float]:
    """What the command leaves undisturbed, and how many seconds it takes."""
    folder = tmp_path / "whole"
    shutil.copytree(stored, folder)
    began = time.monotonic()
    done = finished(name, folder)
    assert done.returncode == 0, done.stderr
    return what_is_in(folder), time.monotonic() - began


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_again_and_again_ends_as_if_it_never_was(
    name: str, stored: Path, whole: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    if name == "train rl" and util.find_spec("trl") is None:
        pytest.skip("TRL is not installed")
    expected, seconds = whole
    folder = tmp_path / "killed"
    shutil.copytree(stored, folder)
    for number in range(KILLS):
        process = started(name, folder)
        moment = random.Random(f"{name} {number}").uniform(0.2, 1)
        time.sleep(moment * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = finished(name, folder)
    assert done.returncode == 0, done.stderr
    assert what_is_in(folder) == expected


@pytest.mark.parametrize("name", ["eval", "temp-sweep"])
def test_two_writers_lose_nothing_and_draw_nothing_twice(
    name: str, stored: Path, whole: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    folder = tmp_path / "two"
    shutil.copytree(stored, folder)
    both = [started(name, folder) for _ in range(2)]
    ends = {process.wait() for process in both}
    assert ends <= {0, 2}
    assert 0 in ends
    assert finished(name, folder).returncode == 0
    assert what_is_in(folder) == whole[0]


@pytest.mark.parametrize("name", ["eval", "train em", "export", "end-is-pad"])
def test_files_that_may_not_grow_end_a_command_with_its_reason_and_nothing_is_lost(
    name: str, stored: Path, whole: tuple[dict[str, object], float], tmp_path: Path
) -> None:
    """As on a full disk, which takes root to make."""
    folder = tmp_path / "full"
    shutil.copytree(stored, folder)
    for size in (0, 50, 300, 1_000, 3_000, 10_000, 20_000, 50_000, 200_000, 1_000_000):
        process = started(
            name,
            folder,
            stderr=subprocess.PIPE,
            preexec_fn=lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )
        _, errors = process.communicate()
        assert process.returncode in {0, 2}, errors.decode()
        assert b"Traceback" not in errors
        reasons = (b"File too large", b"No usable temporary directory")
        assert process.returncode == 0 or any(reason in errors for reason in reasons)
        if process.returncode == 0:
            break
    assert finished(name, folder).returncode == 0
    assert what_is_in(folder) == whole[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
@pytest.mark.parametrize("name", ["eval", "report", "select", "train em", "lab problems"])
def test_a_folder_that_may_not_be_written_is_named(name: str, stored: Path, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    shutil.copytree(stored, folder)
    folder.chmod(0o555)
    try:
        done = finished(name, folder)
    finally:
        folder.chmod(0o755)
    assert (done.returncode, "Permission denied" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
