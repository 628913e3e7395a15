"""`benchmarks/NAME/card.toml` to `BenchmarkCard`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from emdiag import resources
from emdiag.benchmarks.rows import SUFFIXES
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard
from emdiag.core.reading import InputFile

CARD_FILE = "card.toml"
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_-])?", re.ASCII)
_METRIC = re.compile(r"(?:avg|pass|maj)@[1-9][0-9]*")


def list_cards() -> list[BenchmarkCard]:
    """All shipped cards, by name.

    Raises:
        BenchmarkError: A card cannot be read.
    """
    return [load_card(name) for name in card_names()]


def card_names() -> list[str]:
    """Names of all shipped cards, sorted."""
    return list(_card_files())


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
            accepted=f"one of these, {', '.join(SUFFIXES)} files, and folders with a {CARD_FILE}",
            hint=closest_hint(
                name,
                list(files),
                otherwise="`emdiag benchmarks list` shows all; a file of your own is .jsonl, .json "
                "or .parquet",
            ),
        )
    card = read_card(files[name])
    if card.name != name:
        raise BenchmarkError(
            f"a card calls itself {card.name!r}, but its folder is {name!r}", file=files[name]
        )
    return card


def read_card(file: Path) -> BenchmarkCard:
    """The card in a file.

    Raises:
        BenchmarkError: It cannot be read, or a value is out of range; the error names the field.
    """
    source = InputFile(
        path=file,
        what="a benchmark card",
        error=BenchmarkError,
        hint="benchmarks/README.md lists the fields of a card",
    )
    try:
        card = msgspec.convert(source.toml(), BenchmarkCard)
    except msgspec.ValidationError as error:
        raise source.refused(str(error)) from error
    _check(card, file=file)
    return card


def card_folder(name: str) -> Path:
    """Folder of a shipped card; it holds the problems too where the card says `shipped`."""
    return resources.data_dir("benchmarks") / name


def closest_hint(name: str, known: Sequence[str], *, otherwise: str) -> str:
    """What the user may have meant; `otherwise` where no known name is close."""
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else otherwise


def is_on_hub(card: BenchmarkCard) -> bool:
    """Whether the card's source is a hub id, which `pull` can fetch, and not a sentence."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", card.source.origin) is not None


def sizes(card: BenchmarkCard) -> str:
    """Number of problems, and of other accepted copies where it differs."""
    known = [card.size, *(other.size for other in card.source.alternatives)]
    return " or ".join(str(size) for size in dict.fromkeys(known))


def origin(card: BenchmarkCard) -> str:
    """Where the problems come from: hub id, config and split, or words."""
    source = card.source
    return ", ".join(part for part in (source.origin, source.config, source.split) if part)


def _check(card: BenchmarkCard, *, file: Path) -> None:
    """Refuse names that make no folder of runs, and values out of their range."""
    if _NAME.fullmatch(card.name) is None:
        raise BenchmarkError(
            f"a benchmark cannot be named {card.name!r}",
            file=file,
            expected="at most 64 letters, digits, '_', '-' and '.', the first and last no '.', the "
            "first no '-'",
            found=card.name or "nothing",
            hint="change `name` in the card",
        )
    rules = (
        ("revision", card.revision >= 0, "a whole number >= 0"),
        ("size", card.size >= 1, "a whole number >= 1"),
        ("max_tokens", card.max_tokens >= 1, "a whole number >= 1"),
        (
            "headline",
            _METRIC.fullmatch(card.headline) is not None,
            "avg@k, pass@k or maj@k with a whole number k >= 1",
        ),
    )
    for field, holds, expected in rules:
        if not holds:
            raise BenchmarkError(
                f"`{field}` of a benchmark card is out of range",
                file=file,
                expected=expected,
                found=getattr(card, field),
                hint=f"change `{field}` in the card",
            )


def _card_files() -> dict[str, Path]:
    root = resources.data_dir("benchmarks")
    return {file.parent.name: file for file in sorted(root.glob(f"*/{CARD_FILE}"))}
