"""What reaches a terminal: texts of others as text, in any encoding, and to a reader who leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from emdiag.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = [
    "\x1b]0;owned\x07", "\x1b[38;5;123mblue", "\x1b[2J", "\x1b]8;;http://x\x1b\\y", "\x1bPq\x1b\\",
    "\x9b31m", "\x9d0;t\x9c", "\x90", "a\rb", "a\x08\x08b", "\x07", "\x7f", "\x00", "\x0b\x0c",
    "\x85", "\u2028x", "\u2029", "\u202egnp.exe", "\u2066x\u2069", "\u200b", "\u200d", "\ufeff",
    "\u00ad", "\u061c", "\U000e0041\U000e0042", "\ufff9", "\u3164", "\u2800", "a\ufe0f", "\u034f",
    "[bold red]x[/]", "[/x]", "[link=http://x]y[/link]", ":smile:", "[#ff0000]", "\\[x]", "{0} %s",
    "[U+001B]", "http://example.org", "x" * 300, "\u4e00" * 90, "e\u0301", "[@click=exit]x",
    "| a | b |", "---", "<b>", "$(x) `y`", "%d", "\t", "\n", "a\nerror: forged", "\U0001f600",
]  # fmt: skip
RAW = re.compile(
    "[\x00-\x06\x07\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ufeff\U000e0000-\U000e0fff]"
)
RICH = re.compile(r"\x1b\[(?:[0-9;]*[mAK]|\?25[lh]|2K)|\r")
"""What rich itself writes: colours, the cursor of a bar, and its lines."""

SCRIPT = """
import json, logging, sys, warnings
from emdiag.cli import console, streams
from emdiag.cli.show import show_table
from emdiag.core.errors import PlanError
from emdiag.findings.page import table
for bad in json.loads(sys.argv[1]):
    with streams.guarded(), console.command() as out:
        out.line(bad); out.sentence(bad); out.say(bad); out.progress.note(bad); console.note(bad)
        show_table(table(bad, (bad, "n"), rows=[[bad, "1.0"], ["em", "2.0 [1, 3]"]]), out)
        with out.progress.stage(bad, total=2) as stage:
            stage.status(bad); stage.advance()
        console.show_error(PlanError(bad, hint=bad, file=bad))
        logging.getLogger("x").warning("%s", bad); warnings.warn(bad); print(bad)
        print(bad, file=sys.stderr); sys.stderr.write(bad)
        out.result({bad: bad})
"""
ENVIRONMENT = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "PYTHONWARNINGS": "always"}


def on_a_terminal(*words: str) -> str:
    """What a command writes to a terminal, on both streams."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=ENVIRONMENT
    ) as process:
        os.close(theirs)
        content = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            content += part
        os.close(ours)
        assert process.wait() == 0, content[-2000:]
    return content.decode()


def test_no_code_reaches_a_terminal_raw() -> None:
    written = RICH.sub("", on_a_terminal(sys.executable, "-c", SCRIPT, json.dumps(HOSTILE)))
    assert RAW.search(written) is None, RAW.search(written)
    for words in ("[bold red]x[/]", ":smile:", "[link=http://x]y[/link]", "[U+202E]gnp.exe"):
        assert words in written
    assert "[U+005B]U+001B]" in written
    assert "\nerror: forged" not in written.replace("a[U+000A]error: forged", "").replace(
        "a\nerror: forged", ""
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Both streams of a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))

    def invoke(*words: str, code: int | None = 0) -> str:
        result = CliRunner().invoke(app, list(words))
        assert code is None or result.exit_code == code, result.output
        assert "Traceback" not in result.output
        assert RAW.search(result.output) is None
        return result.output

    return invoke


@pytest.mark.whole
def test_texts_of_others_are_text_in_every_list(run: Callable[..., str], tmp_path: Path) -> None:
    bad = "\x1b[31m[bold]\u202e:smile:"
    rows = [{"id": f"{bad}{at}", "problem": f"1+1? {bad}", "answer": "2"} for at in range(3)]
    (tmp_path / "mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    folder = tmp_path / "f[red]"
    folder.mkdir()
    for at in range(3):
        (folder / f"{at}.json").write_text(json.dumps({"*": [f"\\boxed{{{at}}} {bad}"]}))
    (tmp_path / "g.jsonl").write_text(json.dumps({"gold": "1", "completion": bad, "id": bad}))
    labels = ["em[a]", "em[b]", "[/x]"]
    refs = [f"{label}={folder / f'{at}.json'}" for at, label in enumerate(labels)]
    run("eval", *refs, "-b", "mine.jsonl", "--store", "s[/red]", code=None)
    run("eval", *refs, "-b", "toy", "--store", "s[/red]", "--report", "p.html")
    listed = run("runs", "list", "--store", "s[/red]")
    assert all(label in listed for label in labels)
    for words in (
        ["compare", "em[a]", "em[b]", "--store", "s[/red]"], ["grade", "g.jsonl", "--explain"],
        ["grade", "g.jsonl", "--json"], ["benchmarks", "show", "mine.jsonl"], ["report", bad],
        ["runs", "show", bad], ["eval", "lab", "--template", bad], ["regrade", bad], [bad],
        ["eval", "lab", "-b", bad], ["claims", bad], ["eval", bad], ["eval", "lab", f"--{bad}"],
        ["eval", "lab", "--dtype", bad], ["benchmarks", "pull", bad], ["train", "score", bad],
        ["select", "lab", "--by", bad], ["eval", "lab", "--plan", bad], ["grade", bad],
    ):  # fmt: skip
        run(*words, code=None)


COMMANDS = [
    ["--help"], ["eval", "--help"], ["benchmarks", "list"], ["benchmarks", "list", "--json"],
    ["benchmarks", "show", "chain", "-n", "300"], ["--version"],
]  # fmt: skip


def shell(line: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    full = {**os.environ, "EMDIAG_HOME": str(tmp_path), **environment}
    full["E"] = f"{sys.executable} -m emdiag"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, env=full, cwd=tmp_path,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        ("| head -1", 0, b""),
        ("| true", 0, b""),
        (">&-", 0, b""),
        ("2>&-", 0, b""),
        (">/dev/full", 2, b"error: the output cannot be written: No space left on device"),
        ("2>/dev/full >/dev/null", 0, b""),
        ("2>&1 | head -c 1", 0, b""),
        (">&- 2>&- <&-", 0, b""),
    ],
)
def test_a_reader_may_leave_at_any_time(end: str, code: int, said: bytes, tmp_path: Path) -> None:
    words = "benchmarks show chain -n 300"
    result = shell(f"PYTHONPATH={Path(__file__).parents[2]} $E {words} {end}", tmp_path)
    assert (result.returncode, result.stderr.strip()) == (code, said)


@pytest.mark.whole
@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize("end", ["| head -1", "| true", ">&-", "2>&-", ">/dev/full"])
def test_a_reader_of_any_command_may_leave(words: list[str], end: str, tmp_path: Path) -> None:
    result = shell(f"PYTHONPATH={Path(__file__).parents[2]} $E {' '.join(words)} {end}", tmp_path)
    is_full = end == ">/dev/full"
    assert result.returncode == (2 if is_full else 0)
    lines = [line for line in result.stderr.splitlines() if not line.startswith(b"to get ")]
    assert len(lines) == int(is_full), result.stderr


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_any_encoding_shows_everything(environment: dict[str, str], tmp_path: Path) -> None:
    rows = [{"id": "\u4e00\u00e9\u25b2", "problem": "1\u2212\U0001f600?", "answer": "2"}]
    (tmp_path / "mine.jsonl").write_text(json.dumps(rows[0]) + "\n")
    root, show = str(Path(__file__).parents[2]), "$E benchmarks show mine.jsonl"
    line = f"$E --help && {show} && {show} --json"
    result = shell(line, tmp_path, **environment, PYTHONPATH=root)
    assert result.returncode == 0, result.stderr
    encoding = environment.get("PYTHONIOENCODING", "ascii")
    assert "[U+4E00]" in result.stdout.decode(encoding)
    (problem,) = json.loads(result.stdout.splitlines()[-1])["problems"]
    assert problem["id"] == f"mine/{rows[0]['id']}"


def test_no_file_of_a_child_takes_the_place_of_a_stream_that_is_closed(tmp_path: Path) -> None:
    """It would be written to by whatever prints: the system gives the first number that is free."""
    child = (
        "import os, sys; number = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n"
        "os.write(number, b'%d' % number)"
    )
    parent = (
        "import subprocess, sys; from emdiag.cli.streams import guarded\n"
        "with guarded(): subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    )
    file = tmp_path / "opened"
    command = [sys.executable, "-c", parent, child, str(file)]
    subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command], check=True)
    assert int(file.read_text()) > 2
