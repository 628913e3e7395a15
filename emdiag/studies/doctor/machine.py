"""A look at the machine: no library is opened whose version its metadata tells."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from emdiag.benchmarks.cards import list_cards
from emdiag.benchmarks.load import load_problems, problems_file
from emdiag.core.doctor import Check
from emdiag.core.errors import EmdiagError, RunLockedError
from emdiag.core.results import as_given, remark
from emdiag.engines import presence
from emdiag.engines.open import vllm_can_run
from emdiag.engines.options import ENGINE_NAMES, EngineOptions
from emdiag.engines.vllm.compat import check_vllm, installed_version
from emdiag.resources import version
from emdiag.store.files import held
from emdiag.store.session import Session
from emdiag.studies.doctor.checkpoint import unreadable

LEAST_FREE_BYTES: Final = 100 * 1024**2
"""Less than this holds no run of a few thousand samples."""

_MOST_FILES = 20_000
"""Looked at for the size of a folder."""


def machine_checks(session: Session, options: EngineOptions) -> Iterator[Check]:
    """Every line of the look, the quick ones first."""
    yield Check(
        name="emdiag",
        state=as_given(f"{version()}, Python {platform.python_version()}, {platform.platform()}"),
    )
    yield from _engines(options)
    yield _training()
    yield from _devices()
    yield from _folders(session)
    yield _locks(session.store.root)
    flags = presence.offline_flags()
    state = remark("offline", flags=flags) if flags else remark("online")
    yield Check(name="network", state=state)
    yield from _benchmarks(session.home)
    yield from _grader()


def _engines(options: EngineOptions) -> Iterator[Check]:
    parts = tuple(
        f"{name} {presence.version_of(name) or '-'}" for name in ("transformers", "torch")
    )
    can_run = presence.is_importable("transformers", "torch")
    yield Check(
        name="transformers",
        state=remark("can-run", versions=parts) if can_run else remark("not-installed"),
        remedy=None if can_run else remark("install", what="emdiag"),
        is_wrong=not can_run,
    )
    yield _vllm(options)
    if "server" in ENGINE_NAMES:
        yield Check(name="server", state=remark("asks-server"))
    yield Check(name="scripted", state=remark("reads-tables"))


def _vllm(options: EngineOptions) -> Check:
    if not presence.is_importable("vllm"):
        remedy = remark("install-vllm", has_driver=presence.has_driver())
        return Check(name="vllm", state=remark("not-installed"), remedy=remedy)
    try:
        check_vllm()
    except EmdiagError as error:
        return replace(unreadable("vllm", error), is_wrong=False)
    parts = (f"vLLM {installed_version()}",)
    can_run = vllm_can_run(options)
    state = remark("can-run", versions=parts) if can_run else remark("no-device", versions=parts)
    return Check(name="vllm", state=state)


def _training() -> Check:
    versions = {name: presence.version_of(name) for name in ("trl", "peft", "ray")}
    words = [f"{name} {known or 'not installed'}" for name, known in versions.items()]
    return Check(name="training", state=as_given(", ".join(words)))


def _devices() -> Iterator[Check]:
    yield Check(name="processor", state=remark("cores", cores=os.cpu_count() or 1))
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Check(name="memory", state=remark("memory-in-all", memory=memory))
    devices = presence.cuda_devices()
    for number, (device, memory, built_for) in enumerate(devices):
        state = remark("cuda", device=device, memory=memory, built_for=built_for)
        yield Check(name=f"cuda:{number}", state=state)
    if not devices:
        yield Check(name="cuda", state=remark("no-cuda", has_driver=presence.has_driver()))


def _folders(session: Session) -> Iterator[Check]:
    for name, path, setting in (
        ("hub cache", presence.hub_cache(), "HF_HOME"),
        ("home", session.home, "EMDIAG_HOME"),
        ("store", session.store.root, "--store"),
    ):
        above = _existing(path)
        can_write, free = os.access(above, os.W_OK), shutil.disk_usage(above).free
        size, is_whole = _size(path)
        state = remark(
            "folder",
            path=str(path.absolute()),
            is_there=path.is_dir(),
            size=size,
            more="" if is_whole else " or more",
            free=free,
            can_write=can_write,
        )
        has_room = free >= LEAST_FREE_BYTES
        yield Check(
            name=name,
            state=state,
            remedy=None if can_write and has_room else remark("other-place", setting=setting),
            is_wrong=not (can_write and has_room),
        )


def _locks(store: Path) -> Check:
    """A lock is taken where the store is or would be, and tried a second time."""
    scratch = _existing(store) / f".emdiag-doctor-{os.getpid()}"
    try:
        with held(scratch):
            try:
                with held(scratch):
                    state = remark("locks-fail")
            except RunLockedError:
                return Check(name="file locks", state=remark("locks-hold"))
    except EmdiagError as error:
        state = as_given(error.message)
    return Check(
        name="file locks",
        state=state,
        remedy=remark("other-place", setting="--store"),
        is_wrong=True,
    )


def _benchmarks(home: Path) -> Iterator[Check]:
    whole, absent = [], []
    for card in list_cards():
        if not problems_file(card, home=home).is_file():
            absent.append(card.name)
            continue
        try:
            whole.append(f"{card.name} ({len(load_problems(card, home=home)):,})")
        except EmdiagError as error:
            yield unreadable(f"benchmark {card.name}", error)
    remedy = remark("get-benchmarks", names=tuple(absent)) if absent else None
    state = remark("benchmarks-whole", names=tuple(whole))
    yield Check(name="benchmarks", state=state, remedy=remedy)


def _grader() -> Iterator[Check]:
    from emdiag.grading.pool.pool import GraderPool
    from emdiag.grading.pool.self_test import DOZEN, failures

    started = time.perf_counter()
    try:
        with GraderPool(workers=1) as pool:
            failed = failures(pool)
    except EmdiagError as error:
        state, failed = as_given(error.message), []
    else:
        state = remark(
            "grader-tested",
            passed=len(DOZEN) - len(failed),
            pairs=len(DOZEN),
            grader=pool.identity,
            seconds=time.perf_counter() - started,
        )
        if not failed:
            yield Check(name="grader", state=state)
            return
    remedy = remark("reinstall-grader")
    yield Check(name="grader", state=state, remedy=remedy, is_wrong=True)
    for pair in failed:
        state = remark(
            "judged-wrongly",
            gold=pair.gold,
            text=pair.completion,
            verdict=pair.verdict,
            expected=pair.expected,
        )
        yield Check(name="grader", state=state, is_wrong=True)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if place.is_dir())


def _size(folder: Path) -> tuple[int, bool]:
    """Bytes of the files in a folder, links left out, and whether all were looked at."""
    total = count = 0
    folders: list[str | Path] = [folder] if folder.is_dir() else []
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.is_symlink():
                        total += entry.stat().st_size
        except OSError:
            return total, False
        if count > _MOST_FILES:
            return total, False
    return total, True
