"""The samples of a reading to the figures of each of its prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from emdiag.core.grades import Verdict
from emdiag.core.protocols import Grader, Progress
from emdiag.core.sampling import Completion
from emdiag.core.selection import PromptStatistics
from emdiag.engines.open import has_weights, read_text_entropies
from emdiag.grading.answers import answer_behind
from emdiag.grading.parse.extract import extract, opened_answer
from emdiag.grading.parse.latex import tidy, unboxed
from emdiag.measure.prompts import prompt_statistics
from emdiag.studies.evaluate.entropies import lacks_tokens
from emdiag.studies.evaluate.grade import grade_reading
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.task import EvalTask

DrawnSamples = Mapping[str, Sequence[Completion]]
"""Completions of each problem, by sample index."""

MAX_ANSWER = 4096
"""Characters of an answer that are compared."""
_PROBLEMS_AT_ONCE = 32


def measure_prompts(
    reading: EvalTask, plan: EvaluatePlan, *, token_entropy: bool, progress: Progress
) -> list[PromptStatistics]:
    """Figures of every prompt, in the order of the pool.

    Verdicts exist where a problem has an answer. All other figures never see one: they are the
    same for a pool with its answers taken away. Token entropies are never read of a table of texts.

    Raises:
        GraderError: The grader fails its self-test.
        CheckpointError: The weights cannot be loaded again.
    """
    from emdiag.grading.pool.pool import GraderPool

    kept = reading.run.completions()
    drawn = {
        problem.id: [kept[problem.id, index] for index in range(reading.samples)]
        for problem in reading.problems
    }
    with GraderPool.of(plan.grading) as grader:
        verdicts = _verdicts(reading, grader, progress=progress)
        classes = _classes(reading, drawn, grader, progress=progress)
    entropies: Mapping[str, Sequence[Sequence[float]]] = {}
    if token_entropy and has_weights(reading.checkpoint) and not lacks_tokens(reading.run):
        entropies = _entropies(reading, drawn, plan, progress=progress)
    return [
        prompt_statistics(
            problem,
            drawn[problem.id],
            classes[problem.id],
            verdicts=verdicts.get(problem.id),
            token_entropies=entropies.get(problem.id),
        )
        for problem in reading.problems
    ]


def _verdicts(reading: EvalTask, grader: Grader, *, progress: Progress) -> dict[str, list[Verdict]]:
    """Verdicts of the problems that have an answer; stored and shared with `evaluate`."""
    known = tuple(problem for problem in reading.problems if problem.answer)
    if not known:
        return {}
    key = grade_reading(replace(reading, problems=known), grader, progress=progress)
    grades = reading.run.grades(key)
    return {
        problem.id: [grades[problem.id, index].verdict for index in range(reading.samples)]
        for problem in known
    }


def _classes(
    reading: EvalTask, drawn: DrawnSamples, grader: Grader, *, progress: Progress
) -> dict[str, list[str | None]]:
    """Of each sample, the answer that stands for all equal ones; None without an answer.

    Answers are cut out without the gold: a grade's class may know how many values a gold lists.
    """
    classes: dict[str, list[str | None]] = {}
    opening = opened_answer(reading.run.spec.wording.prefix)
    with progress.stage(f"comparing answers of {reading.title}", total=len(drawn)) as stage:
        names = list(drawn)
        for start in range(0, len(names), _PROBLEMS_AT_ONCE):
            part = names[start : start + _PROBLEMS_AT_ONCE]
            answers = [[_answer(answer_behind(opening, c)) for c in drawn[name]] for name in part]
            distinct = [list(dict.fromkeys(a for a in row if a is not None)) for row in answers]
            firsts = grader.classes(distinct)
            for name, row, group, first in zip(part, answers, distinct, firsts, strict=True):
                stands = dict(zip(group, first, strict=True))
                classes[name] = [None if answer is None else stands[answer] for answer in row]
            stage.advance(len(part))
    return classes


def _answer(text: str) -> str | None:
    """The final answer of a completion; None where there is none, or an empty one."""
    answer = extract(text).answer
    return answer[:MAX_ANSWER] if answer is not None and tidy(unboxed(answer)) else None


def _entropies(
    reading: EvalTask, drawn: DrawnSamples, plan: EvaluatePlan, *, progress: Progress
) -> dict[str, list[list[float]]]:
    """Entropies at temperature 1 along every completion; texts of one length are read together."""
    prompts = {prompt.problem_id: prompt.token_ids for prompt in reading.prompts}
    texts = [
        (name, (prompts[name], completion.token_ids))
        for name, completions in drawn.items()
        for completion in completions
        if completion.token_ids
    ]
    texts.sort(key=lambda item: len(item[1][0]) + len(item[1][1]))
    values = read_text_entropies(
        reading.run.spec.engine.name,
        reading.checkpoint,
        [text for _, text in texts],
        options=plan.engine,
    )
    by_problem: dict[str, list[list[float]]] = {name: [] for name in drawn}
    title = f"reading token entropies of {reading.title}"
    with progress.stage(title, total=len(texts)) as stage:
        for (name, _), entropies in zip(texts, values, strict=True):
            by_problem[name].append(entropies)
            stage.advance(tokens=len(entropies))
    return by_problem
