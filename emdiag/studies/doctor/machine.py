"""A look at the machine: no library is opened whose version its metadata tells."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from emdiag.benchmarks.cards import list_cards
from emdiag.benchmarks.load import load_problems, problems_file
from emdiag.core.doctor import Check
from emdiag.core.errors import EmdiagError, RunLockedError, system_errors_as
from emdiag.core.results import as_given, remark
from emdiag.engines import presence
from emdiag.engines.open import vllm_can_run
from emdiag.engines.options import EngineOptions
from emdiag.engines.vllm.compat import check_vllm, installed_version
from emdiag.resources import version
from emdiag.store.files import held
from emdiag.store.session import Session
from emdiag.studies.doctor.checkpoint import unreadable

LEAST_FREE_BYTES: Final = 100 * 1024**2
"""Less than this holds no run of a few thousand samples."""

_OFFLINE: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def machine_checks(session: Session, options: EngineOptions) -> Iterator[Check]:
    """Every line of the look, the quick ones first."""
    system = f"{version()}, Python {platform.python_version()}, {platform.platform()}"
    yield Check("emdiag", as_given(system))
    yield _libraries("transformers", "torch", is_needed=True)
    yield _vllm(options)
    yield _libraries("trl", "peft", "ray", is_needed=False)
    yield from _devices()
    yield from _folders(session)
    yield _locks(session.store.root)
    flags = tuple(f"{name}={os.environ[name]}" for name in _OFFLINE if os.environ.get(name))
    yield Check("network", remark("offline", flags=flags))
    yield from _benchmarks(session.home)
    yield _grader()


def _libraries(*names: str, is_needed: bool) -> Check:
    versions = {name: presence.version_of(name) for name in names}
    words = ", ".join(f"{name} {known or 'not installed'}" for name, known in versions.items())
    if not is_needed:
        return Check("training", as_given(words))
    is_wrong = None in versions.values()
    state = remark("runs", versions=words, how="no" if is_wrong else "yes")
    remedy = as_given("pip install emdiag") if is_wrong else None
    return Check(names[0], state, remedy=remedy, is_wrong=is_wrong)


def _vllm(options: EngineOptions) -> Check:
    try:
        check_vllm()
    except EmdiagError as error:
        return unreadable("vllm", error, is_wrong=False)
    how = "yes" if vllm_can_run(options) else "no-device"
    return Check("vllm", remark("runs", versions=f"vLLM {installed_version()}", how=how))


def _devices() -> Iterator[Check]:
    memory = 0
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Check("processor", remark("cores", cores=os.cpu_count() or 1, memory=memory))
    devices = presence.cuda_devices()
    for number, (device, memory, built_for) in enumerate(devices):
        state = remark("cuda", device=device, memory=memory, built_for=built_for)
        yield Check(f"cuda:{number}", state)
    if not devices:
        yield Check("cuda", remark("no-cuda", has_driver=presence.has_driver()))


def _folders(session: Session) -> Iterator[Check]:
    for name, path, setting in (
        ("hub cache", presence.hub_cache(), "HF_HOME"),
        ("home", session.home, "EMDIAG_HOME"),
        ("store", session.store.root, "--store"),
    ):
        above = _existing(path)
        can_write = above.is_dir() and os.access(above, os.W_OK)
        free = shutil.disk_usage(above if above.is_dir() else above.parent).free
        is_wrong = not can_write or free < LEAST_FREE_BYTES
        place, is_there = str(path.absolute()), above == path.absolute()
        state = remark("folder", path=place, is_there=is_there, free=free, can_write=can_write)
        remedy = remark("other-place", setting=setting) if is_wrong else None
        yield Check(name, state, remedy=remedy, is_wrong=is_wrong)


def _locks(store: Path) -> Check:
    """A lock is taken where the store is or would be, and tried a second time."""
    scratch = _existing(store) / f".emdiag-doctor-{os.getpid()}"
    try:
        with held(scratch):
            try:
                with held(scratch):
                    state = remark("locks-fail")
            except RunLockedError:
                return Check("file locks", remark("locks-hold"))
    except EmdiagError as error:
        state = as_given(error.message)
    remedy = remark("other-place", setting="--store")
    return Check("file locks", state, remedy=remedy, is_wrong=True)


def _benchmarks(home: Path) -> Iterator[Check]:
    whole, absent = [], []
    for card in list_cards():
        try:
            with system_errors_as("the problems cannot be read"):
                if problems_file(card, home=home).is_file():
                    whole.append(f"{card.name} ({len(load_problems(card, home=home)):,})")
                else:
                    absent.append(card.name)
        except EmdiagError as error:
            yield unreadable(f"benchmark {card.name}", error)
    remedy = remark("get-benchmarks", names=tuple(absent)) if absent else None
    state = remark("benchmarks-whole", names=tuple(whole))
    yield Check("benchmarks", state, remedy=remedy)


def _grader() -> Check:
    from emdiag.grading.pool.pool import GraderPool
    from emdiag.grading.pool.self_test import DOZEN, failures

    started = time.perf_counter()
    remedy = remark("reinstall-grader")
    try:
        with GraderPool(workers=1) as pool:
            failed = failures(pool)
    except EmdiagError as error:
        state = as_given(error.message)
        return Check("grader", state, remedy=remedy, is_wrong=True)
    state = remark(
        "grader-tested",
        passed=len(DOZEN) - len(failed),
        pairs=len(DOZEN),
        grader=pool.identity,
        seconds=time.perf_counter() - started,
        failed=tuple(
            remark(
                "judged-wrongly", gold=gold, text=text, verdict=verdict.value, expected=known.value
            )
            for (gold, text, known), verdict in failed
        ),
    )
    return Check("grader", state, remedy=remedy if failed else None, is_wrong=bool(failed))


def _existing(path: Path) -> Path:
    """What has this name, or is the nearest above it that exists."""
    return next(
        place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place)
    )
