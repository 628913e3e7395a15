"""A benchmark by what the user calls it: a name, a file of problems, or a folder with a card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from emdiag.benchmarks.cards import CARD_FILE, card_names, load_card, read_card
from emdiag.benchmarks.custom import is_problems_file, load_custom, read_problems
from emdiag.benchmarks.load import PROBLEMS_FILE, load_problems, problems_file
from emdiag.benchmarks.rows import SUFFIXES, file_content
from emdiag.core.errors import BenchmarkError
from emdiag.core.paths import expanded
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.core.runs import ProblemsFile


class Benchmark(NamedTuple):
    """A benchmark that was opened.

    Attributes:
        file: Where a user's own is read from; None for the name of a card.
    """

    card: BenchmarkCard
    problems: list[Problem]
    file: ProblemsFile | None


def open_benchmark(name: str, *, home: Path, require_answers: bool = True) -> Benchmark:
    """The card and the problems that `name` stands for.

    Args:
        name: Of a card; or the path of a .jsonl, .json or .parquet file (see `load_custom`); or of
            a folder with `card.toml`, `problems.jsonl` and, for a template of its own,
            `templates/NAME.toml`. A name goes before a path: `./NAME` is the folder.
        home: Folder of imported benchmarks.
        require_answers: Whether a problem of a file or folder without an answer is an error.

    Raises:
        BenchmarkError: It is none of these, or cannot be read.
    """
    path = expanded(name)
    if name not in card_names():
        if is_problems_file(name):
            card, problems = load_custom(path, require_answers=require_answers)
            return Benchmark(card, problems, _file(name, path))
        if path.is_dir():
            card, problems = _load_folder(path, require_answers=require_answers)
            return Benchmark(card, problems, _file(name, path / PROBLEMS_FILE))
        if path.is_file():
            raise BenchmarkError(
                f"problems are not read from files of type {path.suffix or 'none'}",
                file=path,
                expected=", ".join(SUFFIXES),
                hint="write one JSON object a line, such as "
                '{"statement": "What is 1 + 1?", "answer": "2"}, into a .jsonl file',
            )
    card = load_card(name)  # says what there is
    return Benchmark(card, load_problems(card, home=home), None)


def open_if_present(name: str, *, home: Path) -> Benchmark:
    """The same; a card whose problems are not on this machine has none.

    Raises:
        BenchmarkError: As `open_benchmark`.
    """
    if name in card_names():
        card = load_card(name)
        if not problems_file(card, home=home).is_file():
            return Benchmark(card, [], None)
    return open_benchmark(name, home=home)


def _file(name: str, rows: Path) -> ProblemsFile:
    return ProblemsFile(path=name, sha256=hashlib.sha256(file_content(rows)).hexdigest())


def _load_folder(folder: Path, *, require_answers: bool) -> tuple[BenchmarkCard, list[Problem]]:
    file, rows = folder / CARD_FILE, folder / PROBLEMS_FILE
    for wanted in (file, rows):
        if not wanted.is_file():
            raise BenchmarkError(
                f"the folder of a benchmark holds no {wanted.name}",
                folder=folder,
                expected=f"{CARD_FILE}, {PROBLEMS_FILE} and, if wanted, templates/NAME.toml",
                found=", ".join(sorted(file.name for file in folder.iterdir())) or "nothing",
                hint="benchmarks/README.md lists the fields of a card; a file of problems needs "
                "no card: give its path",
            )
    card = read_card(file)
    if card.name in card_names():
        raise BenchmarkError(
            f"a benchmark of your own cannot be named {card.name!r}",
            file=file,
            expected="not the name of a benchmark of emdiag",
            found=card.name,
            hint="change `name` in the card",
        )
    problems = read_problems(rows, card.name, require_answers=require_answers)[1]
    _check(card, problems, file=rows)
    template = folder / "templates" / f"{card.template}.toml"
    if template.is_file():
        card = msgspec.structs.replace(card, template=str(template))
    return card, problems


def _check(card: BenchmarkCard, problems: list[Problem], *, file: Path) -> None:
    """Refuse problems that are not those the card describes."""
    sha256 = hashlib.sha256(file_content(file)).hexdigest()
    if card.source.sha256 not in (None, sha256):
        raise BenchmarkError(
            f"the problems of {card.name} are not those its card describes",
            file=file, expected=card.source.sha256, found=sha256,
            hint="restore the file, or take `sha256` out of the card",
        )  # fmt: skip
    if len(problems) != card.size:
        raise BenchmarkError(
            f"{card.name} holds {len(problems)} problems, its card says {card.size}",
            file=file, hint=f"set `size = {len(problems)}` in the card if that is right",
        )  # fmt: skip
