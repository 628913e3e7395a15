"""Small stores for claims: runs graded by hand, and sweeps that say what labels stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emdiag.core.checkpoints import Arm, Stage
from emdiag.core.codec import encode
from emdiag.core.grades import Grade, Verdict
from emdiag.core.results import Interval, Metric
from emdiag.core.runs import EngineSpec, GradingSpec, RunSpec
from emdiag.core.sampling import SamplingParams
from emdiag.core.temperature_sweep import SweepPoint, SweepSetting, TemperatureSweepResult
from emdiag.core.training import TrainManifest, UpdateRecord
from emdiag.ledger.claims_file import ledger_file, read_ledger
from emdiag.ledger.evidence import gather
from emdiag.ledger.run import STATISTICS
from emdiag.store.run_store import RunStore
from emdiag.store.training_folder import UPDATES_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from emdiag.core.claims import ClaimResult

SCRIPTED = EngineSpec(name="scripted", dtype="float32")


def write_run(  # noqa: PLR0913 - a store has as many sides
    root: Path,
    weights: str,
    right: NDArray[np.bool_],
    *,
    benchmark: str = "toy",
    temperature: float = 0.0,
    template: str = "boxed",
    grader: str = "by hand",
    prefix: str = "",
    answers: NDArray[np.str_] | None = None,
    golds: str = "g",
    engine: EngineSpec = SCRIPTED,
    max_tokens: int = 64,
) -> str:
    """A graded run with `right[problem, sample]`; returns its key."""
    spec = RunSpec(
        benchmark=benchmark,
        template=template,
        chat=False,
        prompts_sha256="a",
        checkpoint_digest=weights,
        tokenizer_digest="c",
        sampling=SamplingParams(temperature=temperature, max_tokens=max_tokens),
        engine=engine,
    )
    run = RunStore(root).run(spec)
    grading = GradingSpec(grader=grader, versions={}, golds_sha256=golds)
    with run.writing(), run.grade_writer(grading) as journal:
        for (problem, sample), correct in np.ndenumerate(right):
            answer = "4" if answers is None else str(answers[problem, sample])
            journal.append(
                Grade(
                    problem_id=f"{prefix or benchmark}/{problem:04d}",
                    sample_index=sample,
                    verdict=Verdict.CORRECT if correct else Verdict.WRONG,
                    extracted=answer,
                    boxed=True,
                    answer_class=answer,
                    grader=grader,
                    elapsed_s=0.0,
                )
            )
    return run.key


def arm(label: str, stage: Stage | None, *digests: str, folder: Path | None = None) -> Arm:
    """An arm; its checkpoints lie in `folder`, or nowhere."""
    places = tuple(str((folder or "/nowhere") / one if folder else one) for one in digests)
    return Arm(label=label, stage=stage, checkpoints=places, digests=digests)


def sweep(*arms: Arm, **parts: object) -> TemperatureSweepResult:
    """A sweep with these arms and nothing else, unless `parts` say so."""
    fields: dict[str, object] = {
        "benchmarks": ("toy",), "problems_total": {"toy": 9}, "base": "base",
        "axes": ("temperature",), "arms": arms, "points": (), "slopes": (),
        "slope_differences": (), "controls": (), "notes": (), "store": "out",
    }  # fmt: skip
    return TemperatureSweepResult(**{**fields, **parts})  # type: ignore[arg-type]


def write_manifest(
    folder: Path, name: str, *, objective: str = "entropy", prompt: str = "toy/0001"
) -> None:
    """`emdiag.json` of a trained checkpoint."""
    manifest = TrainManifest(
        stage="em",
        recipe="lab",
        train_seed=0,
        update=10,
        method="em",
        parent="lab",
        parent_digest="b",
        parent_stage="base",
        settings={"objective": objective, "updates": 10, "learning_rate": 1e-4},
        prompts_sha256=prompt,
        problem_ids=(prompt,),
        notes=(),
        provenance={},
    )
    (folder / name).mkdir(parents=True)
    (folder / name / "emdiag.json").write_bytes(encode(manifest))


def write_steps(cell: Path, norm: float, *, updates: int = 10) -> None:
    """`updates.jsonl` of a training whose steps all have one norm."""
    records = [UpdateRecord(update=n, method="em", step_norm=norm) for n in range(1, updates + 1)]
    cell.mkdir(parents=True, exist_ok=True)
    (cell / UPDATES_FILE).write_bytes(b"".join(encode(record) + b"\n" for record in records))


def point(label: str, temperature: float, **numbers: int) -> SweepPoint:
    """A point of a sweep on `toy`: 40 problems, 5 seeds, 8 samples unless `numbers` say so."""
    metric = Metric(name="x", value=0.5, interval=None)
    return SweepPoint(
        checkpoint=label, benchmark="toy", setting=SweepSetting(temperature=temperature),
        accuracy=metric, pass_at_k=(), majority=None, agreement=None, distinct_answers=None,
        entropy_nats=None, mean_tokens=metric, truncated_frac=metric, repeated_frac=metric,
        no_box_frac=metric, run_keys=(), grade_keys=(),
        **{"samples": 8, "seeds": 5, "problems": 40, **numbers},
    )  # fmt: skip


def between(low: float, high: float) -> Interval:
    """An interval by hand."""
    return Interval(low=low, high=high, level=0.95, method="by hand")


def draws(
    share: float, *, problems: int = 120, samples: int = 1, seed: int = 0
) -> NDArray[np.bool_]:
    """Random outcomes `[problem, sample]`; equal seeds give nested ones."""
    return np.random.default_rng(seed).random((problems, samples)) < share


def judged(root: Path, claim: str, *more: Path) -> list[ClaimResult]:
    """What the shipped ledger says of one claim, on one store or several."""
    (asked,) = (one for one in read_ledger(ledger_file(), statistics=STATISTICS) if one.id == claim)
    evidence = gather([str(root), *map(str, more)], store=RunStore(root))
    return list(STATISTICS[asked.statistic](asked, evidence).results)
