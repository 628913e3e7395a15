"""Digests of files, remembered for as long as nothing casts a doubt on them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emdiag.core.digest import digest
from emdiag.core.files import make_folder, write_atomically

logger = logging.getLogger(__name__)

CACHE_NAME = "fingerprints.json"
_IGNORED_CONFIG = frozenset({"_name_or_path", "_commit_hash", "transformers_version"})
_SAMPLE_BYTES = 1 << 16


def file_sha256(path: Path, *, home: Path | None) -> str:
    """SHA-256 of a file in hexadecimal; a link is followed, so that a hub's copies are hashed once.

    `fingerprints.json` in the home, if there is one, remembers results by size, times of
    modification and of change, inode, and a sample of the content: copies that keep size and time
    differ in the others, and a file system that makes inodes up only costs a reading. Where the
    cache is damaged or cannot be written that costs time, never the result.
    """
    real = path.resolve()
    state = _state(real)
    cache = read_cache(home / CACHE_NAME) if home else {}
    match cache.get(str(real)):
        case {"sha256": str(value), **rest} if rest == state:
            return value
    with real.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    if home and _state(real) == state:
        # Read again: another process may have added entries while this one was hashing.
        write_cache(
            home / CACHE_NAME,
            {**read_cache(home / CACHE_NAME), str(real): {**state, "sha256": value}},
        )
    return value


def weights_digest(config: Path, weights: Iterable[Path], *, home: Path | None) -> str:
    """SHA-256 over a model's configuration and the content of its weight files, by name.

    Left out of the configuration is what says where it came from and which library wrote it.
    """
    content = json.loads(config.read_bytes())
    kept = {name: value for name, value in content.items() if name not in _IGNORED_CONFIG}
    files = [[path.name, file_sha256(path, home=home)] for path in sorted(weights)]
    return digest({"config": json.dumps(kept, sort_keys=True), "weights": files})


def _state(path: Path) -> dict[str, Any]:
    """What is the same while a file is; the sample is of its start, middle and end."""
    status = path.stat()
    sample = hashlib.sha256()
    with path.open("rb") as file:
        for start in (0, status.st_size // 2, max(0, status.st_size - _SAMPLE_BYTES)):
            file.seek(start, os.SEEK_SET)
            sample.update(file.read(_SAMPLE_BYTES))
    return {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
        "sample": sample.hexdigest(),
    }


def read_cache(path: Path) -> dict[str, Any]:
    """What a file of the home remembers; nothing where it is absent or damaged."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        logger.warning("%s cannot be read and is rebuilt: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def write_cache(path: Path, content: dict[str, Any]) -> None:
    """Remember this; where it cannot be written that costs time, never a result."""
    try:
        make_folder(path.parent)
        write_atomically(path, json.dumps(content).encode())
    except OSError as error:
        logger.warning("%s is not remembered: %s", path, error)
