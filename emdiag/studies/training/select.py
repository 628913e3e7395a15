"""Which prompt of a pool to train on: how a checkpoint behaves on each, and a ranking."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from emdiag.benchmarks.custom import custom_name
from emdiag.core.codec import to_plain
from emdiag.core.errors import MeasurementError, PlanError, StoreError, system_errors_as
from emdiag.core.files import check_file, make_folder, write_atomically
from emdiag.core.keywords import SelectKeywords
from emdiag.core.paths import expanded
from emdiag.core.plans import spelled_out
from emdiag.core.problems import Problem
from emdiag.core.protocols import Progress
from emdiag.core.reading import InputFile, parse_json
from emdiag.core.results import Amount, Remark, remark
from emdiag.core.selection import Criterion, PromptStatistics, SelectResult
from emdiag.engines.open import has_weights
from emdiag.store.run_store import RunStore
from emdiag.store.session import Session, open_session
from emdiag.studies.evaluate.draw import draw_missing
from emdiag.studies.evaluate.entropies import lacks_tokens
from emdiag.studies.evaluate.score import TRUNCATED_WORTH_A_NOTE, caveats
from emdiag.studies.evaluate.task import EvalTask, expand
from emdiag.studies.training.criteria import RULES, choose_criterion, rank
from emdiag.studies.training.plans import SelectPlan
from emdiag.studies.training.prompt_statistics import measure_prompts

SILENT_WORTH_A_NOTE = 0.25
_MARK = "selection"
"""Field that only files of ranked problems have: a file without it is never replaced."""


@spelled_out(SelectPlan)
def select(
    checkpoint: str,
    pool: str = "chain",
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[SelectKeywords],
) -> SelectResult:
    """Prompts of a pool, ranked for a checkpoint; the Python twin of `emdiag select`.

    Every other option of `SelectPlan` is a keyword, such as `samples=32`.

    Raises:
        EmdiagError: The request, the pool, the checkpoint or an engine is wrong.
    """
    return run_select(
        SelectPlan.of({"checkpoint": checkpoint, "pool": pool, **options}),
        open_session(store, home=home, progress=progress),
    )


def run_select(plan: SelectPlan, session: Session) -> SelectResult:
    """Draw what is missing, measure every prompt, rank them, and write the ranked problems.

    Raises:
        EmdiagError: As `select`; what was drawn before is kept.
    """
    drawing = plan.evaluation
    (reading,) = expand(drawing, session, require_answers=False)
    labelled = sum(bool(problem.answer) for problem in reading.problems)
    by = choose_criterion(plan.by, labelled=labelled, problems=len(reading.problems))
    if by == "token-entropy" and not has_weights(reading.checkpoint):
        raise PlanError(
            f"the {reading.run.spec.engine.name} engine has no weights, so no token entropy can "
            "be read",
            hint="rank by another criterion, or take a checkpoint with weights",
        )
    target = _target(plan, reading, session.store)
    with system_errors_as("the ranked problems cannot be written", file=target):
        check_file(target)
    _check_target(target)
    draw_missing([reading], drawing, session)
    if by == "token-entropy" and lacks_tokens(reading.run):
        raise MeasurementError(
            "the server tells texts and not their token ids, so no token entropy can be read",
            run=reading.run.path,
            hint="rank by another criterion: --by, and the texts drawn are used",
        )
    ranked = rank(
        measure_prompts(
            reading, drawing, token_entropy=plan.token_entropy, progress=session.progress
        ),
        RULES[by],
    )
    result = _result(reading, ranked, by=by, target=target)
    problems = {problem.id: problem for problem in reading.problems}
    _write_ranked(target, [problems[prompt.problem_id] for prompt in ranked], _facts_of(result))
    return result


def _target(plan: SelectPlan, reading: EvalTask, store: RunStore) -> Path:
    if plan.out is not None:
        return expanded(plan.out)
    name = f"{reading.card.name}-{reading.checkpoint.label}"
    return store.root / "select" / (re.sub(r"[^A-Za-z0-9_.-]+", "-", name) + ".jsonl")


def _result(
    reading: EvalTask, ranked: Sequence[PromptStatistics], *, by: Criterion, target: Path
) -> SelectResult:
    rule = RULES[by]
    spec = reading.run.spec
    return SelectResult(
        label=reading.checkpoint.label,
        checkpoint=reading.checkpoint,
        pool=reading.card.name,
        problems=len(ranked),
        problems_total=len(reading.all_problems),
        labelled=sum(bool(problem.answer) for problem in reading.problems),
        samples=reading.samples,
        temperature=spec.sampling.temperature,
        template=spec.template,
        chat=spec.chat,
        engine=spec.engine.name,
        run_key=reading.run.key,
        by=by,
        best=rule.best,
        meaning=rule.meaning,
        used_labels=rule.uses_labels,
        ranked=tuple(ranked),
        tied=sum(rule.value(prompt) == rule.value(ranked[0]) for prompt in ranked),
        file=str(target),
        notes=tuple(_notes(reading, ranked, by=by)),
    )


def _notes(reading: EvalTask, ranked: Sequence[PromptStatistics], *, by: Criterion) -> list[Remark]:
    notes, problems, total = [], len(ranked), len(reading.all_problems)
    unlabelled = sum(not problem.answer for problem in reading.problems)
    if 0 < unlabelled < problems:
        last = RULES[by].uses_labels
        notes.append(remark("unlabelled", problems=unlabelled, total=problems, stand_last=last))
    if problems < total:
        notes.append(remark("partial", problems=problems, total=total))
    truncated = sum(prompt.truncated_frac for prompt in ranked) / problems
    if truncated > TRUNCATED_WORTH_A_NOTE:
        limit = reading.run.spec.sampling.max_tokens
        notes.append(remark("cut-off", share=truncated, limit=limit))
    silent = sum(prompt.no_answer_frac for prompt in ranked) / problems
    if silent > SILENT_WORTH_A_NOTE:
        notes.append(remark("silent", share=silent))
    return [*notes, *_caution(ranked[0], by=by), *caveats(reading)]


def _caution(first: PromptStatistics, *, by: Criterion) -> list[Remark]:
    """What training on the first prompt may amplify, where labels say that it is wrong."""
    interval, looked = first.pass_rate_interval, RULES[by].uses_labels
    if first.majority_correct is None or first.pass_rate is None or interval is None:
        return []
    if first.majority_correct < 0.5:
        is_silent = first.no_answer_frac > first.majority_frac
        caution = remark(
            "first-mostly-wrong", problem=first.problem_id, looked=looked,
            answer=None if is_silent else first.majority_answer,
            share=first.no_answer_frac if is_silent else first.majority_frac,
        )  # fmt: skip
        return [caution]
    right = Amount(first.pass_rate, interval)
    caution = remark("first-often-wrong", problem=first.problem_id, right=right, looked=looked)
    return [caution] if interval.low < 0.5 else []


def _facts_of(result: SelectResult) -> list[dict[str, object]]:
    """What is written beside each ranked problem."""
    common: dict[str, object] = {
        "by": result.by,
        "checkpoint": result.label,
        "run_key": result.run_key,
    }
    common |= {"template": result.template, "chat": result.chat}
    rows = []
    for place, prompt in enumerate(result.ranked, start=1):
        figures = to_plain(prompt)
        del figures["problem_id"], figures["statement"]  # they stand in the row already
        rows.append({"rank": place, **common, **figures})
    return rows


def _check_target(path: Path) -> None:
    """Refuse a place where the ranked problems could not be written or read again.

    Raises:
        PlanError: The file has another suffix, or holds something else than ranked problems.
        BenchmarkError: A benchmark of emdiag is called as the file is.
    """
    if path.suffix != ".jsonl":
        raise PlanError("ranked problems are written as JSON lines", file=path, hint="use .jsonl")
    custom_name(path)
    if path.exists() and not _is_ranked(path):
        raise PlanError(
            "the file exists and holds no ranked problems, so it is not replaced",
            file=path,
            hint="name another one with --out",
        )


def _write_ranked(
    path: Path, problems: Sequence[Problem], figures: Sequence[dict[str, object]]
) -> None:
    """Replace the file at once; a reader sees the old one or the whole new one.

    Raises:
        StoreError: The file cannot be written; what stood there is kept.
    """
    rows = [
        json.dumps({**_row(problem), _MARK: facts}, ensure_ascii=False, allow_nan=False)
        for problem, facts in zip(problems, figures, strict=True)
    ]
    with system_errors_as("the ranked problems cannot be written", file=path):
        make_folder(path.parent)
        write_atomically(path, ("\n".join(rows) + "\n").encode())


def _row(problem: Problem) -> dict[str, object]:
    """The problem without fields that say nothing; `benchmark` is the one its id names."""
    plain: dict[str, object] = to_plain(problem)
    plain["benchmark"] = problem.id.partition("/")[0]
    if not problem.answer:
        del plain["answer_type"]
    return {name: value for name, value in plain.items() if value not in (None, "", (), [])}


def _is_ranked(path: Path) -> bool:
    source = InputFile(path=path, what="the file of ranked problems", error=StoreError)
    try:
        row = parse_json(source.decoded(next(source.lines(), b"")))
    except (StoreError, ValueError):
        return False
    return isinstance(row, dict) and _MARK in row
