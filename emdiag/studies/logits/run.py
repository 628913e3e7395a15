"""What happened to the distribution: checkpoints read the same texts, and are compared there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import msgspec

from emdiag.core.digest import digest
from emdiag.core.errors import EngineRefusedError
from emdiag.core.keywords import LogitSkewKeywords
from emdiag.core.logit_skew import (
    OWN,
    Decomposition,
    LogitEstimate,
    LogitSkewResult,
    PublishedFigure,
)
from emdiag.core.moments import PairTrace, ReadingSpec
from emdiag.core.plans import spelled_out
from emdiag.core.protocols import Progress
from emdiag.core.results import Remark, as_given, remark
from emdiag.engines.open import choose_engine, effective_dtype, has_weights
from emdiag.measure.logit_decomposition import decomposition, finding, flows, histograms
from emdiag.measure.logit_estimates import EstimateTable
from emdiag.measure.logit_rows import ArmReadings, add_rows
from emdiag.measure.logit_statistics import Positions, pair_statistics, positions_of
from emdiag.measure.published_logits import PublishedReadings, published_figure
from emdiag.store.provenance import version_notes
from emdiag.store.session import Session, open_session
from emdiag.studies.evaluate.arms import arm_of, distinct_seeds, same_weights
from emdiag.studies.evaluate.task import EvalTask, expand
from emdiag.studies.logits.answer_spans import add_auroc, right_answers, spans_of
from emdiag.studies.logits.plan import LogitSkewDesign, LogitSkewPlan, logit_design
from emdiag.studies.logits.read import Job, StudyCheckpoint, read_missing
from emdiag.studies.logits.sources import StudySources, collect
from emdiag.studies.logits.texts import TextSet

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.vocabularies import SharedVocabulary

    Right = Mapping[str, Mapping[tuple[str, int], bool]]
    """Label of a member to which of its own texts, by problem and sample, are right."""

FEWEST_PROBLEMS = 5


@spelled_out(LogitSkewPlan)
def logit_skew(
    checkpoints: str | Sequence[str],
    benchmark: str = "chain",
    *,
    store: str | Path = "emdiag-out",
    home: str | Path | None = None,
    figures: str | Path | None = None,
    progress: Progress | None = None,
    **options: Unpack[LogitSkewKeywords],
) -> LogitSkewResult:
    """How logits differ between checkpoints; the Python twin of `emdiag logits-skew`.

    Every other option of `LogitSkewPlan` is a keyword, such as `published=True, samples=4`.

    Raises:
        EmdiagError: The request, a benchmark, a checkpoint or an engine is wrong, or a logit is
            not a number.
    """
    return run_logit_skew(
        LogitSkewPlan.of({"checkpoints": checkpoints, "benchmarks": [benchmark], **options}),
        open_session(store, home=home, progress=progress),
        figures=figures,
    )


def run_logit_skew(
    plan: LogitSkewPlan, session: Session, *, figures: str | Path | None = None, keyed: bool = False
) -> LogitSkewResult:
    """Draw the texts that are missing, read what was not read, sum it up, and draw its figures.

    With `keyed` the folder of figures ends in the key of the result: another has another folder.

    Raises:
        EmdiagError: As `logit_skew`; what was drawn and read before is kept.
    """
    from emdiag.engines.checkpoint.vocabularies import shared_vocabulary

    design = logit_design(plan)
    expanded = expand(design.how, session, require_answers=False)
    arms, expanded = distinct_seeds(design.arms, expanded, session.progress)
    left = tuple(member for arm in arms for member in arm.members)
    design = replace(design, arms=arms, how=msgspec.structs.replace(design.how, checkpoints=left))
    readings = {reading.checkpoint.label: reading for reading in expanded}
    _refuse_tables(expanded)
    vocabulary = shared_vocabulary(
        [reading.checkpoint for reading in expanded],
        trust_remote_code=plan.engine.trust_remote_code,
    )
    sources = collect(design, readings, vocabulary, session)
    study = _LogitStudy(design, readings, vocabulary, sources)
    base = study.members[design.base.label]
    read_missing(study.jobs(), base=base, options=plan.engine, session=session)
    right = study.right_answers(session.progress)
    with session.progress.stage("summing up", total=1) as stage:
        result = study.result(right, store=str(session.store.root))
        stage.advance()
    if figures is not None:
        from emdiag.plots.figures import skew_figures
        from emdiag.plots.style import save_figures

        draw = partial(skew_figures, result)
        folder = Path(figures)
        if keyed:
            folder = folder.with_name(f"{folder.name}-{digest(result)[:12]}")
        files = save_figures(draw, folder, progress=session.progress)
        result = msgspec.structs.replace(result, figures=files)
    session.store.save(result)
    return result


def _refuse_tables(readings: Sequence[EvalTask]) -> None:
    for reading in readings:
        if not has_weights(reading.checkpoint):
            raise EngineRefusedError(
                f"{reading.checkpoint.label} has no weights here, and no logits to read",
                checkpoint=reading.checkpoint.path,
                hint="take a checkpoint with weights",
            )


class _LogitStudy:
    """Everything that was read, and what it comes to."""

    def __init__(
        self,
        design: LogitSkewDesign,
        readings: Mapping[str, EvalTask],
        vocabulary: SharedVocabulary,
        sources: StudySources,
    ) -> None:
        self._design, self._plan, self._base = design, design.plan, design.base.label
        self._readings, self._vocabulary, self._sources = readings, vocabulary, sources
        self.members = {label: self._member(reading) for label, reading in readings.items()}
        self._sets = [*sources.shared, *sources.own.values()]  # but those of the published figure
        text_sets = [*self._sets, *sources.published.values()]
        read = {text.problem_id for texts in text_sets for text in texts.texts}
        ids = [problem.id for problem in readings[self._base].all_problems]
        self._problems = [name for name in ids if name in read]
        seed = design.plan.sampling.seed
        self._table = EstimateTable(base=self._base, problems=self._problems, seed=seed)
        self._decompositions: list[Decomposition] = []

    def jobs(self) -> list[Job]:
        """Who reads what."""
        sources, published = self._sources, self._sources.published
        reads = [
            *((label, texts, True) for texts in sources.shared for label in self.members),
            *((label, texts, False) for label, texts in sources.own.items()),
            *((label, texts, False) for label, texts in published.items()),
            *((label, published[self._base], False) for label in published),
        ]
        return [
            Job(
                member=self.members[label], texts=texts, is_paired=is_shared and label != self._base
            )
            for label, texts, is_shared in reads
        ]

    def right_answers(self, progress: Progress) -> Right:
        """Which own texts are right, by label; empty for single samples, which compare nothing."""
        from emdiag.grading.pool.pool import GraderPool

        own = self._sources.own
        if all(texts.reading is None or texts.reading.samples < 2 for texts in own.values()):
            return {}
        with GraderPool.of(self._plan.grading) as grader:
            return {
                label: right_answers(texts, grader, progress=progress)
                for label, texts in own.items()
            }

    def result(self, right: Right, *, store: str) -> LogitSkewResult:
        """All statistics of the study; `right` says which own texts are."""
        reading = self._readings[self._base]
        readings = [*self._on_shared_texts(), *self._on_own_texts(right)]
        estimates = self._table.estimates()
        checkpoints = {label: member.checkpoint for label, member in self.members.items()}
        return LogitSkewResult(
            benchmark=reading.card.name,
            problems=len(self._problems),
            problems_total=len(reading.all_problems),
            samples=max(1 + text.sample_index for texts in self._sets for text in texts.texts),
            continuation=self._plan.continuation,
            base=self._base,
            arms=tuple(
                arm_of(arm, checkpoints, is_base=arm.label == self._base)
                for arm in self._design.arms
            ),
            texts=tuple(texts.info() for texts in self._sets),
            estimates=estimates,
            decompositions=tuple(_concluded(parts, estimates) for parts in self._decompositions),
            flows=tuple(flow for arm in readings for flow in flows(arm, self._vocabulary.text)),
            histograms=tuple(histogram for arm in readings for histogram in histograms(arm)),
            published=self._published(),
            notes=self._notes(estimates),
            store=store,
            vocab_size=self._vocabulary.size,
        )

    def _on_shared_texts(self) -> list[ArmReadings]:
        arms = []
        for texts in self._sources.shared:
            base = self._positions(self._base, texts)
            spans = spans_of(texts, self._vocabulary)
            for arm in self._design.arms:
                is_base = arm.label == self._base
                members = [
                    base if is_base else self._positions(member.label, texts)
                    for member in arm.members
                ]
                pairs = [] if is_base else [
                    pair_statistics(self._pairs(member.label, texts), own=own, base=base)
                    for member, own in zip(arm.members, members, strict=True)
                ]  # fmt: skip
                readings = ArmReadings(
                    label=arm.label,
                    text=texts.name,
                    members=tuple(members),
                    base=None if is_base else base,
                    pairs=tuple(pairs),
                    spans=(spans,) * len(members),
                )
                add_rows(self._table, readings, None)
                if (parts := decomposition(self._table, readings)) is not None:
                    self._decompositions.append(parts)
                arms.append(readings)
        return arms

    def _on_own_texts(self, right: Right) -> list[ArmReadings]:
        own = self._sources.own
        if not own:
            return []
        base = self._positions(self._base, own[self._base])
        base_spans = spans_of(own[self._base], self._vocabulary)
        arms = []
        for arm in self._design.arms:
            labels = [member.label for member in arm.members]
            members = tuple(self._positions(label, own[label]) for label in labels)
            readings = ArmReadings(
                label=arm.label,
                text=OWN,
                members=members,
                base=None if arm.label == self._base else base,
                pairs=(),
                spans=tuple(spans_of(own[label], self._vocabulary) for label in labels),
            )
            add_rows(self._table, readings, base_spans)
            if right:
                add_auroc(
                    self._table,
                    arm.label,
                    texts=[own[label] for label in labels],
                    positions=members,
                    right=[right[label] for label in labels],
                )
            arms.append(readings)
        return arms

    def _published(self) -> PublishedFigure | None:
        texts = self._sources.published
        if not texts:
            return None
        own = {label: self._positions(label, written) for label, written in texts.items()}
        shared = {label: self._positions(label, texts[self._base]) for label in texts}
        readings = PublishedReadings(
            own=own, shared=shared, texts=tuple(written.info() for written in texts.values())
        )
        plan = self._plan
        return published_figure(readings, base=self._base, undo=plan.undo, seed=plan.sampling.seed)

    def _positions(self, label: str, texts: TextSet) -> Positions:
        traces = self.members[label].folder(texts).traces()
        return positions_of(
            [traces[text.sample] for text in texts.texts],
            problems=self._problems,
            temperatures=self._plan.entropy_temperatures,
        )

    def _pairs(self, label: str, texts: TextSet) -> list[PairTrace]:
        spec = self.members[self._base].spec
        pairs = self.members[label].folder(texts).pairs(spec)
        return [pairs[text.sample] for text in texts.texts]

    def _member(self, reading: EvalTask) -> StudyCheckpoint:
        options = self._plan.engine
        return StudyCheckpoint(
            checkpoint=reading.checkpoint,
            engine=choose_engine(options.engine, reading.checkpoint, options=options),
            spec=ReadingSpec(
                checkpoint_digest=reading.checkpoint.digest,
                dtype=effective_dtype("transformers", options=options),
                vocab_size=self._vocabulary.size,
                entropy_temperatures=self._plan.entropy_temperatures,
                trust_remote_code=options.trust_remote_code,
            ),
        )

    def _notes(self, estimates: Sequence[LogitEstimate]) -> tuple[Remark, ...]:
        plan, reading = self._plan, self._readings[self._base]
        problems, total = len(self._problems), len(reading.all_problems)
        notes = [as_given(text) for text in self._vocabulary.notes]
        notes += [note for reading in self._readings.values() for note in reading.notes]
        notes += self._sources.notes
        notes += same_weights({n: member.checkpoint for n, member in self.members.items()})
        if problems < total:
            notes.append(remark("partial", problems=problems, total=total))
        sessions = [
            session
            for texts in self._sets
            for member in self.members.values()
            for session in member.folder(texts).provenance()
        ]
        notes += version_notes(sessions, "logits read")
        if problems < FEWEST_PROBLEMS:
            notes.append(remark("too-few-for-intervals", problems=problems))
        if plan.continuation != "shared" and plan.sampling.samples == 1 and not plan.from_runs:
            notes.append(remark("several-samples-needed"))
        if any(row.kind == "pooled" for row in estimates):
            notes.append(remark("pooled-kurtosis"))
        return tuple(dict.fromkeys(notes))


def _concluded(parts: Decomposition, estimates: Sequence[LogitEstimate]) -> Decomposition:
    """The decomposition with what its share of cooling allows to be said."""
    wanted = (parts.checkpoint, parts.text, "cooling_share")
    share = next(
        row.interval for row in estimates if (row.checkpoint, row.text, row.statistic) == wanted
    )
    return msgspec.structs.replace(parts, finding=finding(parts.kl_nats, share))
