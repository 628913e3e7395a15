from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest

from emdiag.engines.checkpoint.fingerprints import CACHE_NAME, file_sha256

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"weights" * 1000)
    return path


def test_the_value_is_sha256_of_the_content(weights: Path, tmp_path: Path) -> None:
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert file_sha256(weights, home=None) == expected
    assert file_sha256(weights, home=tmp_path / "home") == expected
    assert file_sha256(weights, home=tmp_path / "home") == expected


def test_an_untouched_file_is_not_read_again(weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    file_sha256(weights, home=home)
    cache = json.loads((home / CACHE_NAME).read_text())
    cache[str(weights.resolve())]["sha256"] = "remembered"
    (home / CACHE_NAME).write_text(json.dumps(cache))
    assert file_sha256(weights, home=home) == "remembered"


def test_a_touched_file_is_read_again(weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = file_sha256(weights, home=home)
    stamp = weights.stat().st_mtime_ns
    weights.write_bytes(b"WEIGHTS" * 1000)
    os.utime(weights, ns=(stamp + 1, stamp + 1))
    assert file_sha256(weights, home=home) != before


@pytest.mark.parametrize("keep_inode", [True, False])
@pytest.mark.parametrize("place", [0, 300_000, 999_999])
def test_other_content_with_equal_size_and_time_is_read_again(
    tmp_path: Path,
    keep_inode: bool,  # noqa: FBT001 - a parametrised case
    place: int,
) -> None:
    file, home = tmp_path / "model.safetensors", tmp_path / "home"
    content = bytearray(1_000_000)
    file.write_bytes(content)
    status = file.stat()
    before = file_sha256(file, home=home)
    content[place] = 1
    target = file if keep_inode else tmp_path / "other"
    target.write_bytes(content)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    target.replace(file)
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert file_sha256(file, home=home) != before


def test_other_content_shows_where_a_file_system_invents_inodes_and_times(
    weights: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    before = file_sha256(weights, home=home)
    weights.write_bytes(b"WEIGHTS" * 1000)
    cache = json.loads((home / CACHE_NAME).read_text())
    status = weights.stat()
    cache[str(weights.resolve())] |= {
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
    }
    (home / CACHE_NAME).write_text(json.dumps(cache))
    assert file_sha256(weights, home=home) != before


def test_what_was_remembered_before_is_read_again(weights: Path, tmp_path: Path) -> None:
    status = weights.stat()
    entry = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": "old"}
    (tmp_path / CACHE_NAME).write_text(json.dumps({str(weights.resolve()): entry}))
    assert file_sha256(weights, home=tmp_path) != "old"


def test_a_link_shares_the_fingerprint_of_its_target(weights: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.safetensors"
    link.symlink_to(weights)
    home = tmp_path / "home"
    assert file_sha256(link, home=home) == file_sha256(weights, home=home)
    assert len(json.loads((home / CACHE_NAME).read_text())) == 1


@pytest.mark.parametrize("damage", ["", "{", "[1, 2]", '{"x": 3}', "\x00"])
def test_a_damaged_cache_is_rebuilt(weights: Path, tmp_path: Path, damage: str) -> None:
    (tmp_path / CACHE_NAME).write_text(damage)
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert file_sha256(weights, home=tmp_path) == expected
    assert str(weights) in json.loads((tmp_path / CACHE_NAME).read_text())


def test_an_unwritable_home_costs_nothing_but_time(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert file_sha256(weights, home=tmp_path / "file") == expected


def test_no_temporary_file_is_left(weights: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    file_sha256(weights, home=home)
    assert [path.name for path in home.iterdir()] == [CACHE_NAME]
