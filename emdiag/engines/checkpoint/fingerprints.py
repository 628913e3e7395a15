"""SHA-256 of files, remembered by size and modification time."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emdiag.core.digest import digest
from emdiag.core.files import write_atomically

CACHE_NAME = "fingerprints.json"
_IGNORED_CONFIG = frozenset({"_name_or_path", "_commit_hash", "transformers_version"})

logger = logging.getLogger(__name__)


def file_sha256(path: Path, *, home: Path | None) -> str:
    """SHA-256 of a file in hexadecimal.

    Args:
        path: File to read; a link is followed, so that copies in a hub cache are hashed once.
        home: Folder whose `fingerprints.json` remembers results by size and modification time;
            None hashes every time. A damaged or unwritable cache costs time, never the result.
    """
    real = path.resolve()
    status = real.stat()
    cache = _read_cache(home) if home else {}
    state = {"size": status.st_size, "mtime_ns": status.st_mtime_ns}
    match cache.get(str(real)):
        case {"sha256": str(value), **rest} if rest == state:
            return value
    with real.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    if home:
        # Read again: another process may have added entries while this one was hashing.
        _write_cache(home, {**_read_cache(home), str(real): {**state, "sha256": value}})
    return value


def weights_digest(config: Path, weights: Iterable[Path], *, home: Path | None) -> str:
    """SHA-256 over a model's configuration and the content of its weight files, by name.

    Left out of the configuration is what says where it came from and which library wrote it.
    """
    content = json.loads(config.read_bytes())
    kept = {name: value for name, value in content.items() if name not in _IGNORED_CONFIG}
    files = [[path.name, file_sha256(path, home=home)] for path in sorted(weights)]
    return digest({"config": json.dumps(kept, sort_keys=True), "weights": files})


def files_digest(files: Iterable[Path]) -> str:
    """SHA-256 over names and content of small files, in name order."""
    return digest([[path.name, file_sha256(path, home=None)] for path in sorted(files)])


def _read_cache(home: Path) -> dict[str, Any]:
    path = home / CACHE_NAME
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        logger.warning("%s cannot be read and is rebuilt: %s", path, error)
        return {}
    return content if isinstance(content, dict) else {}


def _write_cache(home: Path, content: dict[str, Any]) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(home / CACHE_NAME, json.dumps(content).encode())
    except OSError as error:
        logger.warning("fingerprints are not remembered: %s", error)
