"""Accuracy against the temperature of sampling, and against an entropy-matched baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Unpack

import msgspec

from emdiag.core.digest import digest
from emdiag.core.keywords import TemperatureSweepKeywords
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Grader, Progress
from emdiag.core.results import Remark, remark
from emdiag.core.temperature_sweep import CoolingControl, SweepSetting, TemperatureSweepResult
from emdiag.store.provenance import version_notes
from emdiag.store.session import Session, open_session
from emdiag.studies.evaluate.arms import arm_of, distinct_seeds, same_weights
from emdiag.studies.evaluate.draw import draw_missing
from emdiag.studies.evaluate.entropies import entropies, read_missing_entropies
from emdiag.studies.evaluate.grade import grade_reading
from emdiag.studies.evaluate.score import caveats
from emdiag.studies.evaluate.task import EvalTask, expand
from emdiag.studies.sweep.match_entropy import (
    BaseCurve,
    control_of,
    match_entropies,
    with_verdicts,
)
from emdiag.studies.sweep.plan import SweepDesign, TemperatureSweepPlan, plan_at, sweep_design
from emdiag.studies.sweep.points import MeasuredPoint, SweepRun, measure_point
from emdiag.studies.sweep.slopes import sweep_slopes

SettingOfArm = tuple[str, str, SweepSetting]
"""Label of an arm, benchmark, setting."""


@spelled_out(TemperatureSweepPlan)
def temperature_sweep(
    checkpoints: str | Sequence[str],
    benchmarks: str | Sequence[str] = ("chain",),
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    figures: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[TemperatureSweepKeywords],
) -> TemperatureSweepResult:
    """Scores of checkpoints as sampling varies; the Python twin of `emdiag temp-sweep`.

    Every other option of `TemperatureSweepPlan` is a keyword, such as `samples=8`, or
    `sweep={"top_p": [0.8, 0.9, 1]}` (axes are `temperature`, `top_p` and `top_k`).

    Raises:
        EmdiagError: The request, a benchmark, a checkpoint or an engine is wrong.
    """
    plan = {"checkpoints": checkpoints, "benchmarks": benchmarks, **options}
    return run_temperature_sweep(
        TemperatureSweepPlan.of(plan),
        open_session(store, home=home, progress=progress),
        figures=figures,
    )


def run_temperature_sweep(
    plan: TemperatureSweepPlan,
    session: Session,
    *,
    figures: str | Path | None = None,
    keyed: bool = False,
) -> TemperatureSweepResult:
    """Draw, grade and read what is missing, match the base's entropy, and sum all of it up.

    With `keyed` the folder of figures ends in the key of the result: another has another folder.

    Raises:
        EmdiagError: As `temperature_sweep`; what was drawn before is kept.
    """
    from emdiag.grading.pool.pool import GraderPool

    design = sweep_design(plan)
    first = plan_at(design.how, design.settings[0])
    arms, readings = distinct_seeds(design.arms, expand(first, session), session.progress)
    design = replace(design, arms=arms)
    with GraderPool.of(plan.grading) as grader:
        study = _SweepStudy(design, readings, session, grader=grader)
        study.measure_arms()
        controls = study.match_base() if design.base else []
    with session.progress.stage("summing up", total=1) as stage:
        result = study.result(controls)
        stage.advance()
    if figures is not None:
        from emdiag.plots.figures import sweep_figures
        from emdiag.plots.style import save_figures

        draw = partial(sweep_figures, result)
        folder = Path(figures)
        if keyed:
            folder = folder.with_name(f"{folder.name}-{digest(result)[:12]}")
        files = save_figures(draw, folder, progress=session.progress)
        result = msgspec.structs.replace(result, figures=files)
    session.store.save(result)
    return result


class _SweepStudy:
    """Every arm under every setting, and the base at temperatures of its own."""

    def __init__(
        self, design: SweepDesign, readings: Sequence[EvalTask], session: Session, *, grader: Grader
    ) -> None:
        self._design, self._session, self._grader = design, session, grader
        self._readings = {
            (reading.checkpoint.label, reading.card.name): reading for reading in readings
        }
        self._benchmarks = tuple(dict.fromkeys(reading.card.name for reading in readings))
        self._found: dict[SettingOfArm, MeasuredPoint] = {}
        self._cooled: dict[tuple[str, float], MeasuredPoint] = {}

    def measure_arms(self) -> None:
        """Every arm under every setting; all is drawn first, so that weights can be shared."""
        places = [(name, setting) for name in self._benchmarks for setting in self._design.settings]
        members_of = {arm: [member.label for member in arm.members] for arm in self._design.arms}
        readings = {
            label: {place: self._at(label, *place) for place in places}
            for labels in members_of.values()
            for label in labels
        }
        self._draw(reading for of_label in readings.values() for reading in of_label.values())
        for arm, labels in members_of.items():
            members = [self._measure(readings[label]) for label in labels]
            for benchmark, setting in places:
                self._found[arm.label, benchmark, setting] = measure_point(
                    arm.label, setting, [runs[benchmark, setting] for runs in members]
                )

    def match_base(self) -> list[CoolingControl]:
        """The base at the entropy of every other arm, at each temperature asked for."""
        base = self._design.base or ""
        targets = {name: self._targets(name) for name in self._benchmarks}
        curves = {name: BaseCurve(points=self._base_points(name)) for name in self._benchmarks}
        usable = {
            name: of_benchmark
            for name, of_benchmark in targets.items()
            if of_benchmark
            and any(measured.entropy is not None for measured in curves[name].points.values())
        }
        match_entropies(usable, curves, measure=self._measure_base)
        return with_verdicts(
            [
                control_of(target, curves[name], base=base)
                for name, of_benchmark in usable.items()
                for target in of_benchmark
            ]
        )

    def result(self, controls: Sequence[CoolingControl]) -> TemperatureSweepResult:
        """All figures of the study."""
        plan = self._design
        checkpoints = {label: reading.checkpoint for (label, _), reading in self._readings.items()}
        base = plan.base or plan.arms[0].label
        used = {(control.benchmark, control.base_temperature) for control in controls}
        cooled = [
            measured.point for place, measured in sorted(self._cooled.items()) if place in used
        ]
        slopes, differences = sweep_slopes(self._found, plan.axes)
        return TemperatureSweepResult(
            benchmarks=self._benchmarks,
            problems_total={
                name: len(reading.all_problems) for (_, name), reading in self._readings.items()
            },
            base=plan.base,
            axes=plan.axes,
            arms=tuple(arm_of(arm, checkpoints, is_base=arm.label == base) for arm in plan.arms),
            points=(*(measured.point for measured in self._found.values()), *cooled),
            slopes=slopes,
            slope_differences=differences,
            controls=tuple(controls),
            notes=self._notes(controls),
            store=str(self._session.store.root),
        )

    def _draw(self, readings: Iterable[EvalTask]) -> None:
        draw_missing(list(readings), self._design.how, self._session)

    def _measure(
        self, readings: Mapping[tuple[str, SweepSetting], EvalTask]
    ) -> dict[tuple[str, SweepSetting], SweepRun]:
        """One checkpoint at these places, drawn by now, graded and read."""
        options, progress = self._design.how.engine, self._session.progress
        if self._design.plan.entropy:
            read_missing_entropies(list(readings.values()), options=options, session=self._session)
        return {
            place: SweepRun(
                reading=reading,
                grade_key=grade_reading(reading, self._grader, progress=progress),
                entropies=entropies(reading, options=options)
                if self._design.plan.entropy
                else None,
            )
            for place, reading in readings.items()
        }

    def _at(self, label: str, benchmark: str, setting: SweepSetting) -> EvalTask:
        """The reading of a checkpoint on a benchmark, under another setting."""
        reading = self._readings[label, benchmark]
        how = plan_at(self._design.how, setting)
        spec = reading.run.spec
        sampling = how.sampling.params(
            max_tokens=spec.sampling.max_tokens, stop_token_ids=spec.sampling.stop_token_ids
        )
        return replace(
            reading,
            run=self._session.store.run(msgspec.structs.replace(spec, sampling=sampling)),
            samples=how.sampling.samples,
            setting=setting.words(self._design.axes),
        )

    def _targets(self, benchmark: str) -> list[MeasuredPoint]:
        wanted = self._design.plan.control_at
        return [
            measured
            for (label, name, setting), measured in self._found.items()
            if name == benchmark
            and label != self._design.base
            and self._keeps_all(setting)
            and setting.temperature > 0
            and (wanted is None or setting.temperature in wanted)
            and measured.entropy_nats > 0
        ]

    def _base_points(self, benchmark: str) -> dict[float, MeasuredPoint]:
        return {
            setting.temperature: measured
            for (label, name, setting), measured in self._found.items()
            if name == benchmark and label == self._design.base and self._keeps_all(setting)
        }

    def _measure_base(
        self, wanted: Mapping[str, Sequence[float]]
    ) -> dict[str, dict[float, MeasuredPoint]]:
        base = self._design.base or ""
        places = [
            (name, SweepSetting(temperature=temperature))
            for name, temperatures in wanted.items()
            for temperature in temperatures
        ]
        readings = {place: self._at(base, *place) for place in places}
        self._draw(readings.values())
        members = self._measure(readings)
        points: dict[str, dict[float, MeasuredPoint]] = {}
        for (name, setting), member in members.items():
            point = measure_point(base, setting, [member], is_control=True)
            self._cooled[name, setting.temperature] = point
            points.setdefault(name, {})[setting.temperature] = point
        return points

    def _keeps_all(self, setting: SweepSetting) -> bool:
        """Whether texts were drawn from whole distributions, as entropies are read."""
        return setting.top_p == 1 and setting.top_k == 0 and self._design.how.sampling.min_p == 0

    def _notes(self, controls: Sequence[CoolingControl]) -> tuple[Remark, ...]:
        notes, base = [], self._design.base
        coolest = min(self._design.settings, key=lambda setting: setting.temperature)
        for label, benchmark in self._readings:
            notes += caveats(self._at(label, benchmark, coolest))
        notes += same_weights({label: r.checkpoint for (label, _), r in self._readings.items()})
        for label, name in self._readings:
            for setting in self._design.settings:
                sessions = self._at(label, name, setting).run.provenance()
                notes += version_notes(sessions, "drawn")
        notes += [
            remark("entropy-falls-somewhere", benchmark=name, base=base)
            for name in self._benchmarks
            if base and BaseCurve(points=self._base_points(name)).falls_somewhere()
        ]
        if len(self._design.axes) > 1:
            notes.append(remark("slope-over-all"))
        notes += _entropy_notes(self._design, controls, self._found)
        engines = {reading.run.spec.engine.name for reading in self._readings.values()}
        if "transformers" in engines or "vllm" in engines:
            notes.append(remark("seeds-shared"))
        return tuple(dict.fromkeys(notes))


def _entropy_notes(
    design: SweepDesign,
    controls: Sequence[CoolingControl],
    points: Mapping[SettingOfArm, MeasuredPoint],
) -> list[Remark]:
    if not design.plan.entropy:
        return [remark("entropies-not-read")]
    sampled = [point for (*_, setting), point in points.items() if setting.temperature]
    if sampled and all(point.entropy is None for point in sampled):
        return [remark("texts-without-entropies")]
    if controls:
        return [remark("base-temperature-as-known")]
    return [remark("no-setting-keeps-all")] if design.base else []
