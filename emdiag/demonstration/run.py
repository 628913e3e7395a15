"""Runs the demonstration from its first stage to its page."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from emdiag.core.claims import ClaimsResult
from emdiag.core.codec import encode
from emdiag.core.errors import MeasurementError
from emdiag.core.files import make_folder, write_atomically
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.plans import Plan
from emdiag.core.problems import Problem
from emdiag.core.protocols import Progress
from emdiag.core.records import Result
from emdiag.core.results import EvaluateResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.demonstration.plan import (
    EM,
    FILE,
    MAXIMISED,
    ChosenPrompt,
    DemoMeasurements,
    DemoPlan,
    StageTime,
    rl_can_run,
)
from emdiag.demonstration.story import tell
from emdiag.lab.chain import training_problems, writes_steps
from emdiag.ledger.run import claims
from emdiag.store.run_store import RunStore
from emdiag.store.session import Session, open_session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.run import run_evaluate
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.logits.run import run_logit_skew
from emdiag.studies.stored.compare import compare
from emdiag.studies.sweep.plan import TemperatureSweepPlan
from emdiag.studies.sweep.run import run_temperature_sweep
from emdiag.studies.training.plans import SelectPlan
from emdiag.studies.training.select import run_select
from emdiag.train.em.plan import EMPlan
from emdiag.train.rl.plan import RLPlan

BENCHMARK, BASE = "chain", "lab"
ENGINE = "transformers"
"""Loads the lab in a second, and draws the same everywhere."""
ARMS = ("em-good", "em-bad", "em-max", "rl")
POOL_SEED, RL_SEED = 2, 1


class DemoResult(Result, frozen=True, kw_only=True, tag="demo"):
    """What the demonstration made.

    Attributes:
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
    stages = Stages(plan, session)
    clock = _Clock(plan, session.progress)
    with clock.stage("the base"):
        base = stages.evaluate()
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
        scores = stages.evaluate(*ARMS)
        stages.evaluate(store=again, batch_size=5)  # equal if nothing depends on the batch
        labels = ("em-good", "em-bad", *(("rl",) if plan.has_rl else ()))
        comparisons = [compare("base", label, store=store.root) for label in labels]
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


class Stages:
    """Everything the demonstration runs; each stage is one command, run as that command runs."""

    def __init__(self, plan: DemoPlan, session: Session) -> None:
        self._plan, self._session, self._store = plan, session, session.store

    def select(self) -> SelectResult:
        """How the base behaves on every prompt of the pool."""
        pool = self._write("pool.jsonl", training_problems(self._plan.pool, seed=POOL_SEED))
        plan = SelectPlan.of(
            {
                "checkpoint": f"base={BASE}",
                "pool": pool,
                "samples": self._plan.pool_samples,
                "engine": ENGINE,
            }
        )
        return run_select(plan, self._session_of(plan, self._store))

    def choose(self, selected: SelectResult) -> tuple[ChosenPrompt, ChosenPrompt]:
        """The prompt that the base answers step by step most often, and the one it does least.

        Both among prompts that are answered in either way. Only the lab allows this choice: there
        it is known that steps are what makes an answer right, and no ranking of prompts knows it.

        Raises:
            MeasurementError: There are no two such prompts.
        """
        (run,) = [run for run in self._store.runs() if run.key == selected.run_key]
        steps: dict[str, list[bool]] = {}
        for (problem_id, index), completion in run.completions().pairs():
            if index < selected.samples:
                steps.setdefault(problem_id, []).append(writes_steps(completion.text))
        figures = {prompt.problem_id: prompt for prompt in selected.ranked}
        mixed = sorted(
            (sum(are_stepwise) / len(are_stepwise), problem_id)
            for problem_id, are_stepwise in steps.items()
            if problem_id in figures and 0 < sum(are_stepwise) < len(are_stepwise)
        )
        if len(mixed) < 2:
            raise MeasurementError(
                f"{len(mixed)} prompts of the pool are answered in both ways, expected two",
                hint="take a larger pool",
            )
        problems = {
            prompt.id: prompt for prompt in training_problems(self._plan.pool, seed=POOL_SEED)
        }
        ranks = {prompt.problem_id: rank for rank, prompt in enumerate(selected.ranked, start=1)}
        chosen = []
        for name, (share, problem_id) in (("good", mixed[-1]), ("bad", mixed[0])):
            self._write(f"{name}-prompt.jsonl", [problems[problem_id]])
            chosen.append(
                ChosenPrompt(figures=figures[problem_id], steps=share, rank=ranks[problem_id])
            )
        return chosen[0], chosen[1]

    def train_em(self, label: str, *, prompt: str, objective: str = EM) -> TrainResult:
        """Entropy minimised (or maximised) on one prompt, several seeds."""
        from emdiag.train.em.run import run_em

        plan, folder = self._plan, self._plan.folder
        training = EMPlan.of(
            {
                "ref": BASE,
                "out": folder / label,
                "recipe": "lab",
                "updates": plan.updates,
                "learning_rate": plan.learning_rate,
                "objective": objective,
                "prompt_file": folder / f"{prompt}-prompt.jsonl",
                "seeds": tuple(range(plan.seeds)),
                "held_out": BENCHMARK,
            }
        )
        return run_em(training, self._session_of(training))

    def train_rl(self) -> TrainResult:
        """GRPO by TRL, one seed."""
        from emdiag.train.rl.run import run_rl

        plan = self._plan
        file = self._write("rl.jsonl", training_problems(plan.rl_problems, seed=RL_SEED))
        training = RLPlan.of(
            {
                "ref": BASE,
                "benchmark": file,
                "out": plan.folder / "rl",
                "recipe": "lab",
                "updates": plan.rl_updates,
            }
        )
        return run_rl(training, self._session_of(training))

    def sweep(self) -> TemperatureSweepResult:
        """Every arm at every temperature, and the base at their entropies."""
        plan = self._plan
        sweep = TemperatureSweepPlan.of(
            {
                "checkpoints": self._arms(*ARMS),
                "benchmarks": BENCHMARK,
                "temperatures": plan.temperatures,
                "seeds": "all",
                "limit": plan.problems,
                "samples": plan.samples,
                "control_at": (max(plan.temperatures),),
                "engine": ENGINE,
            }
        )
        return run_temperature_sweep(sweep, self._session_of(sweep, self._store))

    def evaluate(
        self, *labels: str, store: RunStore | None = None, batch_size: int | None = None
    ) -> EvaluateResult:
        """The base and registered checkpoints, greedy; with a sweep their runs are the sweep's."""
        plan = EvaluatePlan.of(
            {
                "checkpoints": self._arms(*labels),
                "benchmarks": BENCHMARK,
                "limit": self._plan.problems,
                "batch_size": batch_size,
                "engine": ENGINE,
            }
        )
        return run_evaluate(plan, self._session_of(plan, store or self._store))

    def logits(self) -> LogitSkewResult:
        """What happened to the distribution, on the same texts."""
        plan = self._plan
        study = LogitSkewPlan.of(
            {
                "checkpoints": self._arms("em-good", "em-bad", "rl"),
                "benchmarks": BENCHMARK,
                "seeds": "all",
                "limit": plan.logit_problems,
                "samples": plan.samples,
                "continuation": "both",
                "texts": "base",
                "engine": ENGINE,
                "published": True,
            }
        )
        return run_logit_skew(study, self._session_of(study, self._store))

    def _arms(self, *labels: str) -> list[str]:
        """Checkpoint arguments: the base, and the arms that were trained."""
        known = [label for label in labels if label != "rl" or self._plan.has_rl]
        return [f"base={BASE}", *(f"{label}={self._plan.folder / label}" for label in known)]

    def _session_of(self, plan: Plan, store: RunStore | None = None) -> Session:
        """The session of one stage: its command, which names the store that it writes, if any."""
        command = plan.command(store=store.root) if store else plan.command()
        return replace(self._session, store=store or self._store, command=command)

    def _write(self, name: str, problems: Sequence[Problem]) -> Path:
        """A file of problems; one that holds just these is left as it is."""
        path = self._plan.folder / name
        content = b"".join(encode(problem) + b"\n" for problem in problems)
        if not path.exists() or path.read_bytes() != content:
            make_folder(path.parent)
            write_atomically(path, content)
        return path


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
