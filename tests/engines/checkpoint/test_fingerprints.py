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
