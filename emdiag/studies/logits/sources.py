"""Which texts a study of logits reads, and who reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.logit_skew import OWN
from emdiag.core.option_groups import Sampling
from emdiag.core.results import Remark, remark
from emdiag.measure.published_logits import TEMPERATURE, TOP_K
from emdiag.store.session import Session
from emdiag.studies.evaluate.draw import draw_missing
from emdiag.studies.evaluate.plan import EvaluatePlan, NamedRef
from emdiag.studies.evaluate.task import EvalTask, expand
from emdiag.studies.logits.plan import REFERENCE, SOLUTIONS, LogitSkewDesign, LogitSkewPlan
from emdiag.studies.logits.texts import TextSet, drawn_texts, run_texts, solution_texts

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.vocabularies import SharedVocabulary


_PUBLISHED = "published "


@dataclass(frozen=True, kw_only=True)
class StudySources:
    """The texts of a study.

    Attributes:
        shared: Every checkpoint reads these; by name.
        own: Label of a member to the text it wrote.
        published: Likewise, under the released script's sampling; first members only.
    """

    shared: tuple[TextSet, ...]
    own: Mapping[str, TextSet]
    published: Mapping[str, TextSet]
    notes: tuple[Remark, ...]


def collect(
    design: LogitSkewDesign,
    readings: Mapping[str, EvalTask],
    vocabulary: SharedVocabulary,
    session: Session,
) -> StudySources:
    """All texts of the study; what no run holds yet is drawn.

    Raises:
        EmdiagError: A text cannot be drawn, found or named.
    """
    plan = design.plan
    if plan.from_runs:
        return _from_runs(design, session)
    notes: list[Remark] = []
    shared: dict[str, TextSet] = {}
    # Together, so that weights can be shared.
    writers = [arm.label for arm in design.arms if plan.texts is None or arm.label in plan.texts]
    wanted = readings if plan.continuation != "shared" else writers
    draw_missing([readings[name] for name in wanted], design.how, session)
    if plan.continuation != "own":
        for label in writers:
            shared[label] = _drawn(readings[label], label, design.how, session)
        reference = _reference(design, readings[design.base.label], vocabulary, session)
        if reference is not None:
            shared[REFERENCE] = reference
        elif plan.reference == SOLUTIONS and plan.texts is None:
            notes.append(remark("no-solutions"))
        _chosen(plan, shared)
    own = {}
    if plan.continuation != "shared":
        own = {
            name: _drawn(reading, OWN, design.how, session) for name, reading in readings.items()
        }
    published = _published(design, session) if plan.published else {}
    text_sets = [*shared.values(), *own.values(), *published.values()]
    return StudySources(
        shared=tuple(shared.values()),
        own=own,
        published=published,
        notes=(*notes, *_length_notes(text_sets)),
    )


def _from_runs(design: LogitSkewDesign, session: Session) -> StudySources:
    """Texts that runs hold; nothing is drawn."""
    plan, base = design.plan, design.base.members[0]
    given = {
        named.label: run_texts(named, design.how, base=base, session=session)
        for named in plan.from_runs
    }
    labels = {member.label for member in design.how.checkpoints}
    own = {name: replace(texts, name=OWN) for name, texts in given.items() if name in labels}
    if plan.continuation != "shared" and own.keys() != labels:
        raise PlanError(
            "own texts are asked for, and not every checkpoint has a run",
            missing=", ".join(sorted(labels - own.keys())),
            hint="name a run for each: --from-run LABEL=RUN",
        )
    return StudySources(
        shared=() if plan.continuation == "own" else tuple(_chosen(plan, given)),
        own={} if plan.continuation == "shared" else own,
        published={},
        notes=_length_notes(given.values()),
    )


def _drawn(reading: EvalTask, name: str, how: EvaluatePlan, session: Session) -> TextSet:
    """What this reading's checkpoint writes."""
    draw_missing([reading], how, session)
    return drawn_texts(reading, name)


def _reference(
    design: LogitSkewDesign, base: EvalTask, vocabulary: SharedVocabulary, session: Session
) -> TextSet | None:
    """The text that no checkpoint of the study wrote; None where none is wanted or known."""
    plan = design.plan
    if plan.reference == "none" or (plan.texts is not None and REFERENCE not in plan.texts):
        return None
    if plan.reference == SOLUTIONS:
        return solution_texts(REFERENCE, base, vocabulary, session)
    from emdiag.engines.checkpoint.vocabularies import check_same_tokens

    named = NamedRef(label=REFERENCE, ref=plan.reference)
    how = msgspec.structs.replace(design.how, checkpoints=(named,))
    (reading,) = expand(how, session, require_answers=False)
    check_same_tokens(vocabulary, reading.checkpoint)
    return _drawn(reading, REFERENCE, design.how, session)


def _published(design: LogitSkewDesign, session: Session) -> dict[str, TextSet]:
    """What the first member of every arm writes as the released script lets it."""
    sampling = design.plan.sampling
    how = msgspec.structs.replace(
        design.how,
        checkpoints=tuple(arm.members[0] for arm in design.arms),
        sampling=Sampling(
            temperature=TEMPERATURE,
            top_k=TOP_K,
            max_tokens=sampling.max_tokens,
            seed=sampling.seed,
            stop=sampling.stop,
        ),
    )
    labelled = ((r.checkpoint.label, r) for r in expand(how, session, require_answers=False))
    return {
        label: _drawn(reading, f"{_PUBLISHED}{label}", design.how, session)
        for label, reading in labelled
    }


def _chosen(plan: LogitSkewPlan, by_name: Mapping[str, TextSet]) -> list[TextSet]:
    """The texts that the plan names, in their order.

    Raises:
        PlanError: A name fits no text, or there is none.
    """
    unknown = [name for name in plan.texts or () if name not in by_name]
    if unknown or not by_name:
        raise PlanError(
            f"there is no text called {', '.join(map(repr, unknown))}" if unknown else "no text",
            texts=", ".join(by_name) or "none",
            hint="a shared text is named by the label of its writer, by `reference`, or by the "
            "name of a run",
        )
    return [texts for name, texts in by_name.items() if plan.texts is None or name in plan.texts]


def _length_notes(sets: Iterable[TextSet]) -> tuple[Remark, ...]:
    notes = []
    for texts in sets:
        cut = texts.truncated / len(texts.texts)
        published = texts.name.startswith(_PUBLISHED)
        if cut > 0.1:
            notes.append(
                remark("texts-cut-off", share=cut, writer=texts.writer, published=published)
            )
        if texts.empty:
            notes.append(
                remark("empty-texts", texts=texts.empty, writer=texts.writer, published=published)
            )
    return tuple(dict.fromkeys(notes))
