"""What the user asked for."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.errors import PlanError
from emdiag.core.grades import MAIN_GRADER
from emdiag.core.records import Record
from emdiag.core.sampling import SamplingParams
from emdiag.engines.options import DtypeName, EngineOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NamedRef(Record, frozen=True, kw_only=True):
    """A checkpoint argument, `[LABEL=]REF`, before anything is opened."""

    label: str
    ref: str


class EvaluatePlan(Record, frozen=True, kw_only=True):
    """Checkpoints x benchmarks under one way of sampling.

    Attributes:
        benchmarks: Names of cards, or paths of problem files (.jsonl, .json, .parquet).
        samples: Of each problem; more than one needs a temperature above 0.
        max_tokens: New tokens at most; None for what the benchmark's card says.
        limit: Only the first so many problems of each benchmark; None for all.
        template: None for the one on the benchmark's card.
        chat: Whether the tokenizer's chat template is applied; None for what the template says.
        engine: `auto`, `transformers`, `vllm`, `scripted`, or `package.module:name`.
        grader: `math-verify`, or `package.module:name`.
        batch_size: Sequences at a time; None for the engine's own rule.
        max_model_len: Longest sequence the engine makes room for; None to derive it.
        metrics: Functions of the user's own, named `package.module:name`.
    """

    checkpoints: tuple[NamedRef, ...]
    benchmarks: tuple[str, ...]
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    seed: int = 0
    stop: tuple[str, ...] = ()
    limit: int | None = None
    template: str | None = None
    chat: bool | None = None
    engine: str = "auto"
    dtype: DtypeName = "auto"
    device: str = "auto"
    batch_size: int | None = None
    tensor_parallel_size: int = 1
    gpu_memory_utilization: float = 0.9
    max_model_len: int | None = None
    trust_remote_code: bool = False
    threads: int | None = None
    grader: str = MAIN_GRADER
    grader_workers: int | None = None
    deadline_s: float = 10.0
    metrics: tuple[str, ...] = ()

    def sampling(self, *, max_tokens: int, stop_token_ids: tuple[int, ...]) -> SamplingParams:
        """What the engine is told; `max_tokens` is the card's, for a plan that names none."""
        return SamplingParams(
            temperature=float(self.temperature),  # 1 and 1.0 are one run
            top_p=float(self.top_p),
            top_k=self.top_k,
            repetition_penalty=float(self.repetition_penalty),
            max_tokens=self.max_tokens or max_tokens,
            seed=self.seed,
            stop=self.stop,
            stop_token_ids=stop_token_ids,
        )

    def engine_options(self) -> EngineOptions:
        """How the engine is set up."""
        return EngineOptions(
            dtype=self.dtype,
            device=self.device,
            batch_size=self.batch_size,
            gpu_memory_utilization=self.gpu_memory_utilization,
            tensor_parallel_size=self.tensor_parallel_size,
            max_model_len=self.max_model_len,
            trust_remote_code=self.trust_remote_code,
            threads=self.threads,
        )


def evaluate_plan(
    checkpoints: Sequence[str], benchmarks: Sequence[str], options: Mapping[str, object]
) -> EvaluatePlan:
    """The plan with these options; ranges are checked by `check_plan`.

    Args:
        checkpoints: `[LABEL=]REF` each.
        benchmarks: Names, or paths of problem files.
        options: Other fields of `EvaluatePlan`.

    Raises:
        PlanError: A checkpoint cannot be parsed, or an option is unknown or of another type.
    """
    known = EvaluatePlan.__struct_fields__[2:]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise PlanError(f"unknown options: {', '.join(unknown)}", known=", ".join(known))
    fields = {
        "checkpoints": msgspec.to_builtins(parse_checkpoints(checkpoints)),
        "benchmarks": benchmarks,
        **options,
    }
    try:
        return msgspec.convert(fields, EvaluatePlan)
    except msgspec.ValidationError as error:
        raise PlanError(f"an option has the wrong type: {error}") from error


def parse_checkpoints(arguments: Sequence[str]) -> tuple[NamedRef, ...]:
    """`[LABEL=]REF...` as typed, each with a label of its own.

    Raises:
        PlanError: There is none, one is empty, or two have the same label.
    """
    refs = parse_refs(arguments)
    labels = [ref.label for ref in refs]
    for label in labels:
        if labels.count(label) > 1:
            raise PlanError(
                f"two checkpoints are called {label!r}",
                refs=", ".join(ref.ref for ref in refs if ref.label == label),
                hint="give each a label of its own: base=REF em=REF",
            )
    return refs


def parse_refs(arguments: Sequence[str]) -> tuple[NamedRef, ...]:
    """`[LABEL=]REF...` as typed; a REF without a label is called by its last part.

    Raises:
        PlanError: There is none, or one is empty.
    """
    refs = tuple(_parse_checkpoint(argument) for argument in arguments)
    if not refs:
        raise PlanError(
            "no checkpoint was named",
            hint="name one, such as `emdiag eval lab` or `emdiag eval base=REF em=REF`",
        )
    return refs


def check_plan(plan: EvaluatePlan) -> None:
    """Refuse a request that contradicts itself.

    Raises:
        PlanError: A value lies outside its range, or two do not go together.
    """
    ranges = (
        ("samples", plan.samples >= 1, "at least 1"),
        ("temperature", 0 <= plan.temperature < inf, "0 (greedy) or above"),
        ("top_p", 0 < plan.top_p <= 1, "above 0 and at most 1 (1 keeps all)"),
        ("top_k", plan.top_k >= 0, "0 (keeps all) or above"),
        ("repetition_penalty", 0 < plan.repetition_penalty < inf, "above 0 (1 is none)"),
        ("max_tokens", plan.max_tokens is None or plan.max_tokens >= 1, "at least 1"),
        ("limit", plan.limit is None or plan.limit >= 1, "at least 1"),
        ("deadline_s", 0 < plan.deadline_s < inf, "above 0"),
    )
    for name, holds, expected in ranges:
        if not holds:
            raise PlanError(f"{name} is {getattr(plan, name)}, expected {expected}")
    if plan.temperature == 0 and plan.samples > 1:
        raise PlanError(
            f"{plan.samples} samples at temperature 0 would be {plan.samples} copies",
            hint="raise --temperature, or ask for one sample",
        )
    if not plan.benchmarks:
        raise PlanError("no benchmark was named", hint="name one with -b, such as -b math500")
    for name in plan.benchmarks:
        if plan.benchmarks.count(name) > 1:
            raise PlanError(f"the benchmark {name!r} was named twice")


def _parse_checkpoint(argument: str) -> NamedRef:
    label, equals, ref = argument.partition("=")
    if not equals or Path(argument).exists():  # a folder may be called out/lr=1e-5
        label, equals, ref = "", "", argument
    ref = ref.strip()
    if not ref or (equals and not label.strip()):
        raise PlanError(
            f"the checkpoint argument {argument!r} is not [LABEL=]REF",
            hint="REF is a hub id, id@revision, a folder, a .gguf file, or lab",
        )
    return NamedRef(label=label.strip() or ref.rstrip("/").rsplit("/", 1)[-1], ref=ref)
