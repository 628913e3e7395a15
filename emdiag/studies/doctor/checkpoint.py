"""A look at a checkpoint: what its files say, and how prompts are read and completions drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.doctor import Check
from emdiag.core.errors import EmdiagError
from emdiag.core.results import Remark, as_given, remark
from emdiag.engines import presence
from emdiag.engines.checkpoint.adapters import base_of
from emdiag.engines.checkpoint.facts import family_of, weights_of
from emdiag.engines.checkpoint.gguf_file import is_gguf
from emdiag.engines.options import EngineOptions
from emdiag.studies.evaluate.task import EvalTask

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
    from emdiag.studies.doctor.agreement import DrawnByEngine

SHOWN_CHARACTERS = 300
"""Of a rendered question; its middle is left out where it is longer."""


def file_checks(path: Path) -> Iterator[Check]:
    """What the files say; what cannot be read is said and the rest is looked at all the same."""
    yield Check(name="path", state=as_given(str(path)))
    looks: dict[str, Callable[[Path], Remark]] = {"family": _family, "weights": _weights}
    if is_adapter(path):
        looks = {"base of the adapter": _base}
    for name, look in looks.items():
        try:
            yield Check(name=name, state=look(path))
        except EmdiagError as error:
            yield unreadable(name, error)


def unreadable(name: str, error: EmdiagError) -> Check:
    """The line of what cannot be read."""
    state = remark("unreadable", reason=error.message, file=error.facts.get("file"))
    remedy = as_given(error.hint) if error.hint else None
    return Check(name=name, state=state, remedy=remedy, is_wrong=True)


def tokenizer_checks(encoder: CheckpointEncoder, task: EvalTask | None) -> Iterator[Check]:
    """How texts are read; with a task, how its first question is."""
    tokenizer = encoder.tokenizer
    state = remark("tokenizer", kind=type(tokenizer).__name__, tokens=len(tokenizer))
    yield Check(name="tokenizer", state=state)
    begin = tokenizer.bos_token_id
    state = remark("nothing-named")
    if begin is not None:
        starts = "yes" if task and task.prompts[0].token_ids[:1] == (begin,) else "no"
        state = remark(
            "begin-token",
            token=repr(tokenizer.bos_token),
            number=begin,
            starts=starts if task else "unknown",
        )
    yield Check(name="begin token", state=state)
    stops = [
        f"{tokenizer.convert_ids_to_tokens(number)!r} ({number})"
        for number in encoder.stop_token_ids()
    ]
    yield Check(
        name="stop tokens",
        state=as_given(", ".join(stops)) if stops else remark("nothing-named"),
        is_wrong=not stops,
        remedy=None if stops else remark("name-stop-token"),
    )
    has_template = tokenizer.chat_template is not None
    use = "unknown" if task is None else "chat" if task.run.spec.chat else "plain"
    state = remark("chat-template", has_template=has_template, use=use)
    yield Check(name="chat template", state=state)
    if task is not None:
        yield Check(name="a question", state=as_given(_shortened(task.prompts[0].text)))
    thinking = encoder.reasoning
    state = remark("nothing-named") if thinking is None else as_given(thinking.name)
    yield Check(name="reasoning", state=state)
    context = encoder.max_context
    state = remark("context", tokens=context) if context else remark("nothing-named")
    yield Check(name="context", state=state)


def engine_check(task: EvalTask, options: EngineOptions) -> Check:
    """Which engine is taken, and why."""
    name = task.run.spec.engine.name
    if options.engine != "auto":
        why = "named"
    elif name in {"scripted", "server", "vllm"}:
        why = name
    elif is_gguf(task.checkpoint.path):
        why = "gguf"
    else:
        why = "no-device" if presence.is_importable("vllm") else "no-vllm"
    dtype = task.run.spec.engine.dtype
    return Check(name="engine", state=remark("engine-taken", engine=name, why=why, dtype=dtype))


def cost_checks(
    task: EvalTask, encoder: CheckpointEncoder, drawn: Sequence[DrawnByEngine], *, is_timed: bool
) -> Iterator[Check]:
    """Memory, and if wanted the time of the benchmark, by the engine that is taken.

    Weights take what they are read as, and keys and values 2 x layers x key heads x width numbers
    for each token of each row.
    Source: Kwon et al. (2023), PagedAttention, arXiv:2309.06180, section 3.
    """
    from emdiag.engines.hf.memory import cache_numbers_per_token

    taken = next((item for item in drawn if item.name == task.run.spec.engine.name), None)
    if taken is None:
        return
    path, item_bytes = Path(task.checkpoint.path), 4 if taken.info.dtype == "float32" else 2
    weights = weights_of(path)
    numbers = weights.numbers.total()
    per_token = cache_numbers_per_token(encoder.config)
    rows = int(taken.info.settings.get("batch_size") or taken.info.settings["max_num_seqs"])
    limit = task.run.spec.sampling.max_tokens
    tokens = limit + max(len(prompt.token_ids) for prompt in task.prompts)
    loaded = weights.size if task.checkpoint.quantization else numbers * item_bytes
    state = remark("memory", weights=loaded, dtype=taken.info.dtype)
    if per_token is not None:
        state = remark(
            "memory-of-rows",
            weights=loaded,
            dtype=taken.info.dtype,
            token=per_token * item_bytes,
            rows=rows,
            tokens=tokens,
            cache=per_token * item_bytes * rows * tokens,
        )
    yield Check(name="memory", state=state)
    if not is_timed:
        return
    problems = len(task.all_problems)
    yield Check(
        name="time",
        state=remark(
            "time",
            benchmark=task.card.name,
            problems=problems,
            tokens=limit,
            seconds=problems * limit / taken.tokens_per_s,
            speed=taken.tokens_per_s,
            drawn=sum(len(scores) for _, scores in taken.sampled),
            rows=len(taken.sampled),
        ),
    )


def _weights(path: Path) -> Remark:
    weights = weights_of(path)
    return remark(
        "weights",
        numbers=weights.numbers.total(),
        formats=tuple(name for name, _ in weights.numbers.most_common()),
        size=weights.size,
    )


def is_adapter(path: Path) -> bool:
    """Whether a folder holds an adapter, of which the base alone can be said here."""
    return (path / "adapter_config.json").is_file()


def _base(path: Path) -> Remark:
    return as_given(base_of(path))


def _family(path: Path) -> Remark:
    return as_given(family_of(path))


def _shortened(text: str) -> str:
    half = SHOWN_CHARACTERS // 2
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:half]} ... {text[-half:]}"
    return repr(text)
