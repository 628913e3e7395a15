"""A benchmark from the hub, at the revision on its card."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]  # the transport's own
    HTTPError,
)

from emdiag.benchmarks.cards import is_on_hub
from emdiag.benchmarks.importers import import_files
from emdiag.benchmarks.load import ImportNote
from emdiag.benchmarks.rows import SUFFIXES
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import BenchmarkCard

_CHECK = "check the network, HTTPS_PROXY and HF_ENDPOINT"

PATIENCE_S = 5.0
"""For the first word of the hub."""


def pull(card: BenchmarkCard, *, home: Path) -> ImportNote:
    """Fetch a benchmark from the hub, convert and check it, and keep it below `home`.

    A copy in the hub's own cache is used without a network; `HF_HUB_OFFLINE` is honoured.

    Raises:
        BenchmarkError: The hub cannot be reached, refuses, holds no such file, or holds other
            problems than the card describes.
    """
    if card.shipped:
        raise BenchmarkError(f"{card.name} is shipped with emdiag; there is nothing to pull")
    if not is_on_hub(card):
        raise BenchmarkError(
            f"no place on the hub is known for {card.name}",
            source=card.source.origin,
            hint=_import_hint(card),
        )
    folder = _snapshot(card)
    source = card.source
    name = f"{source.origin}@{source.revision or folder.name}"
    return import_files(card, data_files(card, folder), home=home, source=name)


def data_files(card: BenchmarkCard, folder: Path) -> list[Path]:
    """The files in a snapshot that hold the card's config and split, in order.

    Raises:
        BenchmarkError: There is none, or they are not the numbered parts of one.
    """
    source = card.source
    files = sorted(file for file in folder.rglob("*") if file.suffix in SUFFIXES)
    chosen = files
    if source.file:
        chosen = [file for file in chosen if file == folder / source.file]
    if source.config:
        chosen = [f for f in chosen if source.config in f.relative_to(folder).with_suffix("").parts]
    if source.split and len(chosen) > 1:
        split = re.compile(rf"(?:^|[-_.]){re.escape(source.split)}(?:[-_.]|$)")
        chosen = [file for file in chosen if split.search(file.stem)]
    parts = [re.fullmatch(r"(.*-)(\d+)(-of-\d+)", file.stem) for file in chosen]
    one_set = len(chosen) == 1 or len({part and (part[1], part[3]) for part in parts}) == 1
    if not chosen or not one_set or (len(chosen) > 1 and not all(parts)):
        raise BenchmarkError(
            f"{source.origin} does not hold one file for {card.name}",
            config=source.config,
            split=source.split,
            found=", ".join(str(file.relative_to(folder)) for file in chosen or files) or "nothing",
            hint=_import_hint(card),
        )
    return chosen


def _snapshot(card: BenchmarkCard) -> Path:
    source = card.source
    wanted = source.config or source.split or ""
    facts = {"data set": source.origin, "revision": source.revision or "main"}
    problem = unreachable(source.origin, source.revision)
    try:
        return Path(
            snapshot_download(
                source.origin,
                repo_type="dataset",
                revision=source.revision,
                local_files_only=problem is not None,
                allow_patterns=[f"*{wanted}*{suffix}" for suffix in SUFFIXES],
            )
        )
    except (errors.HfHubHTTPError, HTTPError, OSError) as error:
        hint = _import_hint(card)
        match error:
            case errors.GatedRepoError():
                message = "the hub gives this data set to registered users only"
                hint = f"accept its terms on the hub and log in with `hf auth login`, or {hint}"
            case errors.RepositoryNotFoundError() | errors.RevisionNotFoundError():
                message = "the hub holds no such data set or revision, or hides it"
            case errors.LocalEntryNotFoundError() | errors.OfflineModeIsEnabled():
                message = "the hub cannot be reached, and its cache does not hold this data set"
                facts |= {"hub": constants.ENDPOINT, **({"reason": problem} if problem else {})}
                check = "unset HF_HUB_OFFLINE" if constants.HF_HUB_OFFLINE else _CHECK
                hint = f"{check}; or {hint}"
            case _:
                reason = str(error).strip().split("\n")[0] or type(error).__name__
                message = f"the hub did not deliver the data set: {reason}"
        raise BenchmarkError(message, **facts, hint=hint) from error


def unreachable(repo: str, revision: str | None) -> str | None:
    """Why the hub does not answer; None where it does. Downloads would try for half a minute."""
    if constants.HF_HUB_OFFLINE:
        return None  # the hub's own library says it
    try:
        HfApi().repo_info(repo, repo_type="dataset", revision=revision, timeout=PATIENCE_S)
    except errors.HfHubHTTPError:
        return None  # it does answer; what it refuses is worded where it is fetched
    except (HTTPError, OSError) as error:
        return str(error).strip().split("\n")[0] or type(error).__name__
    return None


def _import_hint(card: BenchmarkCard) -> str:
    return f"convert a copy you have with `emdiag benchmarks import {card.name} FILE`"
