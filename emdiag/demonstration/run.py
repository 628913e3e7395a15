"""Runs the demonstration from its first stage to its page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emdiag.core.claims import ClaimsResult
from emdiag.core.codec import encode
from emdiag.core.files import write_atomically
from emdiag.core.protocols import Progress
from emdiag.core.records import Result
from emdiag.demonstration.measured import FILE, DemoMeasurements
from emdiag.demonstration.plan import MAXIMISED, DemoPlan, StageTime, rl_can_run
from emdiag.demonstration.stages import Stages
from emdiag.demonstration.story import tell
from emdiag.ledger.run import claims
from emdiag.store.run_store import RunStore
from emdiag.store.session import Session, open_session


class DemoResult(Result, frozen=True, kw_only=True, tag="demo"):
    """What the demonstration made.

    Attributes:
        page: The page that tells it.
        stages: How long each stage took, in seconds; one that was done before takes hardly any.
        has_rl: Whether there is an RL checkpoint; without the libraries there is none.
    """

    page: str
    stages: tuple[StageTime, ...]
    claims: ClaimsResult
    has_rl: bool


def demo(
    out: str | Path = "emdiag-demo", *, progress: Progress | None = None, **options: object
) -> DemoResult:
    """The whole study on the lab; the Python twin of `emdiag demo`.

    Args:
        out: Folder of everything; the same call continues there.
        progress: Told how far the work is; silent by default.
        options: Other fields of `DemoPlan`, such as `seeds=5`.

    Raises:
        EmdiagError: A stage failed; what was done before is kept.
    """
    fields: dict[str, object] = {"has_rl": rl_can_run(), **options, "out": str(out)}
    plan = DemoPlan(**fields)  # type: ignore[arg-type]  # checked by the record
    return run_demo(plan, open_session(plan.folder, progress=progress))


def run_demo(plan: DemoPlan, session: Session) -> DemoResult:
    """Every stage in order, then the claims and the page.

    Raises:
        EmdiagError: As `demo`.
    """
    store, again = session.store, RunStore(plan.folder / "again")
    stages = Stages(plan, session, again=again)
    clock = _Clock(plan, session.progress)
    with clock.stage("the base"):
        base = stages.evaluate_base()
    with clock.stage("which prompt to train on"):
        selected = stages.select()
        good, bad = stages.choose(selected)
    with clock.stage("EM from a good prompt"):
        trained = [stages.train_em("em-good", prompt="good")]
    with clock.stage("EM from a bad prompt"):
        trained.append(stages.train_em("em-bad", prompt="bad"))
    with clock.stage("entropy maximised, a control"):
        trained.append(stages.train_em("em-max", prompt="good", objective=MAXIMISED))
    if plan.has_rl:
        with clock.stage("RL"):
            trained.append(stages.train_rl())
    else:
        session.progress.note("RL is left out: it needs pip install 'emdiag[rl]'")
    with clock.stage("temperatures, with an entropy-matched baseline"):
        sweep = stages.sweep()
    with clock.stage("scores and comparisons"):
        scores = stages.evaluate()
        stages.repeat()
        labels = ("em-good", "em-bad", *(("rl",) if plan.has_rl else ()))
        comparisons = [stages.compare(label) for label in labels]
    with clock.stage("logits"):
        logits = stages.logits()
    with clock.stage("claims and the page"):
        verdicts = claims([str(store.root), str(again.root)], store=store.root)
        measured = DemoMeasurements(
            plan=plan,
            base=base,
            selected=selected,
            good=good,
            bad=bad,
            trained=tuple(trained),
            scores=scores,
            comparisons=tuple(comparisons),
            logits=logits,
            sweep=sweep,
            claims=verdicts,
        )
        write_atomically(plan.folder / FILE, encode(measured))
        page = tell(measured, plan.page, session=session)
    return DemoResult(
        page=str(page), stages=tuple(clock.times), claims=verdicts, has_rl=plan.has_rl
    )


class _Clock:
    """Says which stage begins, and keeps how long each took."""

    def __init__(self, plan: DemoPlan, progress: Progress) -> None:
        self._count = 9 + plan.has_rl
        self._progress = progress
        self.times: list[StageTime] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        number = len(self.times) + 1
        self._progress.note(f"[{number} of {self._count}] {name}")
        began = time.perf_counter()
        yield
        self.times.append(StageTime(stage=name, seconds=time.perf_counter() - began))
