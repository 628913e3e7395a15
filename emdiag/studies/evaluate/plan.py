"""What the user asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated, ClassVar, Final

from emdiag.core.asking import Asking
from emdiag.core.errors import PlanError
from emdiag.core.marks import has_hidden
from emdiag.core.option_groups import Grading, Sampling, Targets
from emdiag.core.options import Option
from emdiag.core.paths import exists
from emdiag.core.plans import Plan
from emdiag.core.records import Record
from emdiag.core.typed_lists import texts
from emdiag.engines.options import EngineOptions

LONGEST_LABEL: Final = 100
"""Bytes of a label, which is a part of names of files."""


class NamedRef(Record, frozen=True, kw_only=True):
    """A checkpoint argument, `[LABEL=]REF`, before anything is opened."""

    label: str
    ref: str


def parse_checkpoints(arguments: str | Sequence[str]) -> tuple[NamedRef, ...]:
    """`[LABEL=]REF...` as typed, each with a label of its own.

    Raises:
        PlanError: One is empty, or two have the same label.
    """
    return distinct(parse_refs(arguments) if arguments else ())


def distinct(refs: tuple[NamedRef, ...]) -> tuple[NamedRef, ...]:
    """These checkpoints.

    Raises:
        PlanError: Two have the same label.
    """
    labels = [ref.label for ref in refs]
    for label in labels:
        if labels.count(label) > 1:
            raise PlanError(
                f"two checkpoints are called {label!r}",
                refs=", ".join(ref.ref for ref in refs if ref.label == label),
                hint="give each a label of its own: base=REF em=REF",
            )
    return refs


def parse_refs(arguments: str | Sequence[str]) -> tuple[NamedRef, ...]:
    """`[LABEL=]REF...` as typed; a REF without a label is called by its last part.

    Raises:
        PlanError: There is none, or one is empty.
    """
    typed = [arguments] if isinstance(arguments, str) else arguments
    refs = tuple(parse_ref(argument) for argument in typed)
    if not refs:
        raise no_checkpoint()
    return refs


def no_checkpoint() -> PlanError:
    """The error for a study of nothing."""
    return PlanError(
        "no checkpoint was named",
        hint="name one, such as `emdiag eval lab` or `emdiag eval base=REF em=REF`",
    )


def parse_ref(argument: object) -> NamedRef:
    """`[LABEL=]REF` as typed.

    Raises:
        PlanError: It is something else.
    """
    if not isinstance(argument, str):
        raise PlanError(f"a checkpoint is {argument!r}", expected="[LABEL=]REF")
    label, equals, ref = argument.partition("=")
    if not equals or exists(argument):  # a folder may be called out/lr=1e-5
        label, equals, ref = "", "", argument
    ref = ref.strip()
    if not ref or (equals and not label.strip()):
        raise PlanError(
            f"the checkpoint argument {argument!r} is not [LABEL=]REF",
            hint="REF is a hub id, id@revision, a folder, a .gguf file, or lab",
        )
    return NamedRef(label=_label(label.strip(), ref), ref=ref)


def _label(typed: str, ref: str) -> str:
    """How a checkpoint is called, in tables and in names of files.

    Raises:
        PlanError: It is too long, or holds what is not seen.
    """
    label = typed or ref.rstrip("/").rsplit("/", 1)[-1].removeprefix("served:") or ref
    length, is_hidden = len(label.encode(errors="replace")), has_hidden(label)
    if length > LONGEST_LABEL or is_hidden:
        raise PlanError(
            f"a checkpoint cannot be called {label[:40]!r}{'...' * (len(label) > 40)}",
            expected=f"letters, digits, signs and plain spaces, at most {LONGEST_LABEL} bytes",
            found="a character that is not seen" if is_hidden else f"{length} bytes",
            hint="give it a label of its own: LABEL=REF",
        )
    return label


def parse_steps(arguments: str | Sequence[str]) -> tuple[NamedRef, ...]:
    """`[LABEL=]PATTERN...` as typed; one without a label is called by the folder of its steps.

    Raises:
        PlanError: One is empty, or two have the same label.
    """
    typed = [arguments] if isinstance(arguments, str) else arguments
    return distinct(tuple(map(_parse_pattern, typed)))


def _parse_pattern(argument: object) -> NamedRef:
    words = argument if isinstance(argument, str) else ""
    label, equals, ref = words.partition("=")
    if not equals or "/" in label:  # a folder may be called out/lr=1e-5
        label, ref = "", words
    ref = ref.strip()
    if not ref:
        raise PlanError(f"a pattern of steps is {argument!r}", expected="[LABEL=]PATTERN")
    fixed, star, _ = ref.partition("*")
    folder = (fixed.rpartition("/")[0] if star else fixed.rstrip("/")).rpartition("/")[2]
    return NamedRef(label=_label(label.strip() or folder.strip(".") or "steps", ref), ref=ref)


def typed_refs(refs: Sequence[NamedRef]) -> list[str]:
    """`[LABEL=]REF...` as `parse_refs` reads them; a label that a REF has anyway is left out."""
    return [typed_ref(named) for named in refs]


def typed_ref(named: NamedRef) -> str:
    """A checkpoint as it is typed."""
    is_implied = "=" not in named.ref and parse_ref(named.ref).label == named.label
    return named.ref if is_implied else f"{named.label}={named.ref}"


CHECKPOINT = Option(
    "Hub id, id@revision, folder, .gguf file, lab (the shipped model), or served:NAME.",
    metavar="[LABEL=]REF",
    is_argument=True,
    read=parse_ref,
    write=typed_ref,
)
CHECKPOINTS = Option(
    "The base first. A label given several times is one arm with several seeds.",
    metavar="[LABEL=]REF...",
    is_argument=True,
    read=parse_refs,
    write=typed_refs,
)
"""Of a study that compares arms."""


class DrawingPlan(Plan, frozen=True, kw_only=True):
    """A plan that draws completions and grades them."""

    targets: Targets = Targets()
    asking: Asking = Asking()
    sampling: Sampling = Sampling()
    engine: EngineOptions = EngineOptions()
    grading: Grading = Grading()

    def check(self) -> None:
        """As of every plan."""
        super().check()
        self.asking.check_chat(chat=self.targets.chat)
        benchmarks, sampling = self.targets.benchmarks, self.sampling
        if sampling.temperature == 0 and sampling.samples > 1:
            raise PlanError(
                f"{sampling.samples} samples at temperature 0 would be {sampling.samples} copies",
                hint="raise --temperature, or ask for one sample",
            )
        if not benchmarks:
            raise PlanError("no benchmark was named", hint="name one with -b, such as -b math500")
        for name in benchmarks:
            if benchmarks.count(name) > 1:
                raise PlanError(f"the benchmark {name!r} was named twice")

    def drawing(self, checkpoints: Iterable[NamedRef]) -> EvaluatePlan:
        """The evaluation that draws the completions of these checkpoints."""
        return EvaluatePlan(
            checkpoints=tuple(checkpoints),
            targets=self.targets,
            asking=self.asking,
            sampling=self.sampling,
            engine=self.engine,
            grading=self.grading,
        )


class EvaluatePlan(DrawingPlan, frozen=True, kw_only=True):
    """Checkpoints x benchmarks under one way of sampling."""

    verb: ClassVar[str] = "eval"

    checkpoints: Annotated[
        tuple[NamedRef, ...],
        replace(CHECKPOINTS, help=CHECKPOINT.help, read=parse_checkpoints),
    ] = ()
    steps: Annotated[
        tuple[NamedRef, ...],
        Option(
            "Checkpoints of one training by step: a quoted pattern such as 'out/checkpoint-*', or "
            "a folder of steps; repeatable.",
            metavar="[LABEL=]PATTERN",
            is_repeated=True,
            read=parse_steps,
            write=lambda steps: [f"{named.label}={named.ref}" for named in steps],
        ),
    ] = ()
    metrics: Annotated[
        tuple[str, ...],
        Option(
            "Your own function of outcomes, package.module:name; repeatable.",
            flags=("--metric",),
            is_repeated=True,
            read=texts,
        ),
    ] = ()

    def check(self) -> None:
        """As of every plan."""
        super().check()
        if not self.checkpoints and not self.steps:
            raise no_checkpoint()
