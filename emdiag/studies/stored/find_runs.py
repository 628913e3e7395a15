"""Which runs a user means: by label, by key, or by folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.digest import digest
from emdiag.core.errors import PlanError, StoreError
from emdiag.core.grades import is_outside_grader, is_second_grader
from emdiag.core.paths import expanded
from emdiag.core.runs import GradingSpec, RunSpec
from emdiag.findings.numbers import count
from emdiag.store.run_store import Run, RunStore

if TYPE_CHECKING:
    from emdiag.studies.stored.outcomes import Outcomes

_FEWEST_KEY_DIGITS, _KEY_DIGITS = 4, 8


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """A run that a name may mean; `evaluation` counts evaluations, None for a run by key."""

    label: str
    run: Run
    grade_key: str | None = None
    samples: int | None = None
    evaluation: int | None = None

    def open(self) -> Outcomes:
        return graded(self.run, label=self.label, grade_key=self.grade_key, samples=self.samples)


_Sides = tuple[list[_Candidate], list[_Candidate]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Which of several stored ways of measuring is meant; None leaves it open.

    Attributes:
        runs: Keys of runs with the samples of each problem.
        is_last: Of several the last is meant, as in comparisons of before.
    """

    temperature: float | None = None
    samples: int | None = None
    template: str | None = None
    max_tokens: int | None = None
    runs: Collection[tuple[str, int]] | None = None
    is_last: bool = False

    def allows(self, candidate: _Candidate) -> bool:
        """Whether a run that a name may mean was measured so; one that is named by key was."""
        if candidate.evaluation is None:
            return True
        if self.runs is not None:
            return (candidate.run.key, candidate.samples) in self.runs
        values = _choices(candidate)
        return all(getattr(self, name) in {None, value} for name, value in values.items())


def settings_of(spec: RunSpec) -> dict[str, str]:
    """Under what a run was drawn, apart from seeds and stop ids."""
    engine = spec.engine
    sampling: dict[str, object] = msgspec.structs.asdict(spec.sampling)
    return {
        "template": spec.template,
        "chat": str(spec.chat),
        "asked beside the template": spec.wording.line or "nothing",
        "reasoning": spec.reasoning.name if spec.reasoning else "none",
        "engine": f"{engine.name} in {engine.dtype}{', own code' * engine.trust_remote_code}",
        **{n: str(v) for n, v in sampling.items() if n not in ("seed", "stop_token_ids")},
    }


def find_run(name: str, *, store: RunStore) -> Run | None:
    """The run whose folder (anywhere), or key in the store, `name` is; None where it is neither.

    Raises:
        PlanError: Several keys begin like this.
    """
    if (run := store.run_in(expanded(name))) is not None:
        return run
    runs = {run.path.name: run for run in store.runs()}
    if name in runs:
        return runs[name]
    matching = [run for run in runs.values() if run.key.startswith(name)]
    if len(name) < _FEWEST_KEY_DIGITS or not matching:
        return None
    if len(matching) > 1:
        raise PlanError(
            f"{len(matching)} runs have a key that begins with {name!r}",
            runs=", ".join(run.path.name for run in matching),
            hint="give more digits of the key",
        )
    return matching[0]


def require_run(name: str, *, store: RunStore) -> Run:
    """The run whose folder or key `name` is.

    Raises:
        PlanError: There is none, or there are several.
    """
    run = find_run(name, store=store)
    if run is None:
        raise PlanError(
            f"there is no run {name!r}",
            store=store.root,
            hint="`emdiag runs list` shows them; a key needs its first 4 digits",
        )
    return run


def runs_named(name: str, *, store: RunStore) -> list[tuple[str, Run]]:
    """Runs that a name means, each with what to call it: a key, a folder, or a label.

    A label stands for every run that any evaluation scored under it.

    Raises:
        PlanError: It is none of these.
    """
    run = find_run(name, store=store)
    if run is not None:
        labels = dict.fromkeys(session.label for session in run.provenance())
        return [(", ".join(labels) or run.path.name, run)]
    candidates = _candidates(name, store=store).values()
    runs = {
        candidate.run.key: candidate.run
        for of_benchmark in candidates
        for candidate in of_benchmark
    }
    return [(name, run) for run in runs.values()]


def find_pairs(
    left: str,
    right: str,
    *,
    store: RunStore,
    benchmarks: Sequence[str] = (),
    measured: Measured | None = None,
) -> list[tuple[Outcomes, Outcomes]]:
    """Runs of two names on the same benchmarks, in the order of the benchmarks' names.

    Labels are looked up in evaluations: of runs that were measured alike the last evaluation that
    has both, else the last one of each.

    Raises:
        StoreError: There is no such store, and a name is no run's folder.
        PlanError: A name fits no run, the two do not share these benchmarks (by default any), or
            were measured in several ways there.
    """
    sides = [_candidates(name, store=store) for name in (left, right)]
    shared = sorted(set(sides[0]) & set(sides[1]))
    if not shared:
        raise PlanError(
            f"{left} and {right} share no benchmark",
            left=", ".join(sorted(sides[0])),
            right=", ".join(sorted(sides[1])),
            hint="evaluate both on the same benchmark",
        )
    for name in benchmarks:
        if name not in shared:
            raise PlanError(
                f"{left} and {right} were not both measured on {name!r}", shared=", ".join(shared)
            )
    wanted = measured or Measured()
    of_benchmarks = {
        name: _allowed((sides[0][name], sides[1][name]), wanted) for name in benchmarks or shared
    }
    if not any(map(all, of_benchmarks.values())):
        stored = [_listing((sides[0][name], sides[1][name])) for name in of_benchmarks]
        raise PlanError(f"{left} and {right} were not both measured so", stored="; ".join(stored))
    pairs = [
        _match(allowed, f"{left} and {right} on {name}", wanted)
        for name, allowed in of_benchmarks.items()
        if all(allowed)
    ]
    return [(first.open(), second.open()) for first, second in pairs]


def graded(
    run: Run, *, label: str, grade_key: str | None = None, samples: int | None = None
) -> Outcomes:
    """The run's outcomes by the main grader's last grades, unless a key says otherwise.

    Of each problem this many samples, or as many as any problem has; problems with fewer are left
    out.

    Raises:
        StoreError: The run holds no grades.
    """
    from emdiag.studies.stored.outcomes import outcomes_of

    if grade_key is None:
        grading = main_grading(run)
        grade_key = digest(grading) if grading else ""
    whole = outcomes_of(run, grade_key, label=label)
    if not len(whole):
        raise no_grades(run)
    graded_samples = run.grades(grade_key)
    wanted = range(samples or whole.samples)
    kept = (
        ((problem, index) for index in wanted)
        for problem in whole.problems
        if all((problem, index) in graded_samples for index in wanted)
    )
    return outcomes_of(run, grade_key, label=label, samples=chain.from_iterable(kept))


def no_grades(run: Run) -> StoreError:
    """The error for a run that was drawn and not graded yet."""
    return StoreError(
        "the run holds no grades",
        folder=run.path,
        hint="`emdiag eval` grades what it draws; give the same command again",
    )


def main_grading(run: Run) -> GradingSpec | None:
    """What the main grader used last; None where only a second grader judged, or none.

    A grader of the user's own stands for it where it alone judged.
    """
    gradings = [spec for spec in run.gradings() if not is_second_grader(spec.grader)]
    main = [spec for spec in gradings if not is_outside_grader(spec.grader)] or gradings
    return main[-1] if main else None


def _candidates(name: str, *, store: RunStore) -> dict[str, list[_Candidate]]:
    """Runs that a name may mean, by benchmark, the last one at the end."""
    run = find_run(name, store=store)
    if run is not None:
        return {run.spec.benchmark: [_Candidate(label=run.path.name, run=run)]}
    runs = {run.key: run for run in store.runs()}
    results = store.results()
    candidates: dict[str, list[_Candidate]] = {}
    for number, result in enumerate(results):
        for score in result.scores:
            if score.label == name and score.run_key in runs:
                candidate = _Candidate(
                    label=name,
                    run=runs[score.run_key],
                    grade_key=score.grade_key,
                    samples=score.samples,
                    evaluation=number,
                )
                candidates.setdefault(score.benchmark, []).append(candidate)
    if not candidates:
        store.require()
        labels = sorted({score.label for result in results for score in result.scores})
        raise PlanError(
            f"no run is called {name!r}",
            store=store.root,
            labels=", ".join(labels) or "none",
            hint="give a label of an evaluation, a run's key or its folder; "
            "`emdiag runs list` shows them",
        )
    return candidates


def _allowed(sides: _Sides, measured: Measured) -> _Sides:
    left, right = ([run for run in side if measured.allows(run)] for side in sides)
    return left, right


def _match(sides: _Sides, subject: str, measured: Measured) -> tuple[_Candidate, _Candidate]:
    """The run that is meant on each side."""
    narrowed = _in_common(sides, _way)
    narrowed = narrowed and _in_common(narrowed, lambda candidate: candidate.samples)
    if narrowed is None and measured.is_last:
        narrowed = sides
    if narrowed is None:
        raise PlanError(
            f"{subject} were measured in several ways, and which is meant is not said",
            stored=_listing(sides),
            hint=f"{_options([*sides[0], *sides[1]])}give the keys of two runs for the labels",
        )
    left, right = narrowed
    together = [
        (first, second)
        for first in left
        for second in right
        if first.evaluation is not None and first.evaluation == second.evaluation
    ]
    return together[-1] if together else (left[-1], right[-1])


def _in_common(sides: _Sides, feature: Callable[[_Candidate], object]) -> _Sides | None:
    """The runs of both sides with the one value that the sides share; None where it is not one.

    Where they share none, each side has one of its own.
    """
    left, right = ({feature(run) for run in side} for side in sides)
    shared = left & right
    if len(shared) > 1 or (not shared and max(len(left), len(right)) > 1):
        return None
    if not shared:
        return sides
    first, second = ([run for run in side if feature(run) in shared] for side in sides)
    return first, second


def _way(candidate: _Candidate) -> tuple[object, ...]:
    spec = candidate.run.spec
    return (spec.sampling.seed, *settings_of(spec).values())


def _choices(candidate: _Candidate) -> dict[str, object]:
    """What `Measured` chooses by."""
    spec = candidate.run.spec
    return {
        "temperature": spec.sampling.temperature,
        "samples": candidate.samples,
        "template": spec.template,
        "max_tokens": spec.sampling.max_tokens,
    }


def _listing(sides: _Sides) -> str:
    """Every way in which something is stored, once, with what it is stored of."""
    labels: dict[str, dict[str, None]] = {}
    for candidate in chain(*sides):
        spec = candidate.run.spec
        words = [
            f"T {spec.sampling.temperature:g}",
            count(candidate.samples, "sample") if candidate.samples else "all samples",
            f"template {spec.template}{' as a chat' * spec.chat}",
            *([spec.wording.line] if spec.wording.line else []),
            f"{spec.sampling.max_tokens} tokens",
        ]
        name = f"{candidate.label} ({candidate.run.key[:_KEY_DIGITS]})"
        labels.setdefault(", ".join(words), {})[name] = None
    return "; ".join(f"{words}: {', '.join(names)}" for words, names in labels.items())


def _options(candidates: Sequence[_Candidate]) -> str:
    """The options that tell these runs apart, as they were measured last, to begin a hint."""
    flags = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in _choices(candidates[-1]).items()
        if any(_choices(candidate)[name] != value for candidate in candidates)
    ]
    return f"such as {' '.join(flags)}; or " if flags else ""
