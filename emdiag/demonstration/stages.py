"""The stages of the demonstration; each is one command, run as that command runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emdiag.core.codec import encode
from emdiag.core.errors import MeasurementError
from emdiag.core.files import write_atomically
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.core.plans import Plan
from emdiag.core.problems import Problem
from emdiag.core.results import CompareResult, EvaluateResult
from emdiag.core.selection import SelectResult
from emdiag.core.temperature_sweep import TemperatureSweepResult
from emdiag.core.training import TrainResult
from emdiag.demonstration.measured import ChosenPrompt
from emdiag.demonstration.plan import EM, DemoPlan
from emdiag.lab.chain import training_problems, writes_steps
from emdiag.store.run_store import RunStore
from emdiag.store.session import Session
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
POOL_SEED, RL_SEED = 2, 1


class Stages:
    """Everything the demonstration runs, on one store.

    Args:
        plan: What to do.
        session: Where runs lie; every stage has a command of its own.
        again: A second store, for what is drawn twice.
    """

    def __init__(self, plan: DemoPlan, session: Session, *, again: RunStore) -> None:
        self._plan, self._session, self._again = plan, session, again
        self._store = session.store

    def evaluate_base(self) -> EvaluateResult:
        """The base, greedy."""
        return self._evaluate([f"base={BASE}"], self._store)

    def select(self) -> SelectResult:
        """How the base behaves on every prompt of the pool."""
        pool = self._write("pool.jsonl", training_problems(self._plan.pool, seed=POOL_SEED))
        plan = SelectPlan.of(
            {"checkpoint": f"base={BASE}", "pool": pool, "samples": self._plan.pool_samples}
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
        for (problem_id, index), completion in run.completions().items():
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
                "checkpoints": self._arms("em-good", "em-bad", "em-max", "rl"),
                "benchmarks": BENCHMARK,
                "temperatures": plan.temperatures,
                "seeds": "all",
                "limit": plan.problems,
                "samples": plan.samples,
                "control_at": (max(plan.temperatures),),
            }
        )
        return run_temperature_sweep(sweep, self._session_of(sweep, self._store))

    def evaluate(self) -> EvaluateResult:
        """The registered checkpoints, greedy; their runs are the sweep's."""
        return self._evaluate(self._arms("em-good", "em-bad", "em-max", "rl"), self._store)

    def repeat(self) -> EvaluateResult:
        """The base a second time, other samples side by side: equal if nothing depends on that."""
        return self._evaluate([f"base={BASE}"], self._again, batch_size=5)

    def compare(self, label: str) -> CompareResult:
        """An arm's registered checkpoint against the base, problem by problem."""
        return compare("base", label, store=self._store.root)

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
                "published": True,
            }
        )
        return run_logit_skew(study, self._session_of(study, self._store))

    def _evaluate(
        self, checkpoints: Sequence[str], store: RunStore, *, batch_size: int | None = None
    ) -> EvaluateResult:
        plan = EvaluatePlan.of(
            {
                "checkpoints": checkpoints,
                "benchmarks": BENCHMARK,
                "limit": self._plan.problems,
                "batch_size": batch_size,
            }
        )
        return run_evaluate(plan, self._session_of(plan, store))

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
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        return path
