"""`benchmarks/NAME/card.toml` to `BenchmarkCard`."""

from __future__ import annotations

import difflib
import re
import tomllib
from typing import TYPE_CHECKING

import msgspec

from emdiag import resources
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard

if TYPE_CHECKING:
    from pathlib import Path

CARD_FILE = "card.toml"


def list_cards() -> list[BenchmarkCard]:
    """All shipped cards, by name.

    Raises:
        BenchmarkError: A card cannot be read.
    """
    return [_read_card(file) for file in _card_files().values()]


def load_card(name: str) -> BenchmarkCard:
    """The card of the benchmark called `name`.

    Raises:
        BenchmarkError: There is no such benchmark, or its card cannot be read.
    """
    files = _card_files()
    if name not in files:
        raise BenchmarkError(
            f"there is no benchmark named {name!r}",
            known=", ".join(files),
            hint=_closest(name, list(files)),
        )
    return _read_card(files[name])


def card_folder(name: str) -> Path:
    """Folder of a shipped card; it holds the problems too where the card says `shipped`."""
    return resources.data_dir("benchmarks") / name


def is_on_hub(card: BenchmarkCard) -> bool:
    """Whether the card's source is a hub id, which `pull` can fetch, and not a sentence."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", card.source.origin) is not None


def _card_files() -> dict[str, Path]:
    root = resources.data_dir("benchmarks")
    return {file.parent.name: file for file in sorted(root.glob(f"*/{CARD_FILE}"))}


def _read_card(file: Path) -> BenchmarkCard:
    try:
        card = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), BenchmarkCard)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BenchmarkError(
            f"a benchmark card cannot be read: {error}",
            file=file,
            hint="benchmarks/README.md lists the fields of a card",
        ) from error
    if card.name != file.parent.name:
        raise BenchmarkError(
            f"a card calls itself {card.name!r}, but its folder is {file.parent.name!r}", file=file
        )
    return card


def _closest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return "`emdiag benchmarks list` shows all; a file of your own is .jsonl, .json or .parquet"
