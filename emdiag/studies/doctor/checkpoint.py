"""A look at a checkpoint: what its files say, and how prompts are read and completions drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from emdiag.core.doctor import Check
from emdiag.core.errors import EmdiagError
from emdiag.core.results import Remark, as_given, remark
from emdiag.engines.checkpoint.adapters import base_of
from emdiag.engines.checkpoint.border import read_json
from emdiag.engines.checkpoint.folder import has_tokenizer, is_adapter
from emdiag.engines.checkpoint.gguf_file import gguf_numbers, is_gguf, read_metadata
from emdiag.engines.checkpoint.weight_files import stored_numbers, weight_files
from emdiag.engines.open import vllm_can_run
from emdiag.engines.options import EngineOptions
from emdiag.studies.evaluate.task import EvalTask

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
    from emdiag.studies.doctor.agreement import DrawnByEngine

SHOWN_CHARACTERS = 300
"""Of a rendered question; its middle is left out where it is longer."""


class _Family(msgspec.Struct):
    model_type: str | None = None
    architectures: list[str] | None = None


def unreadable(name: str, error: EmdiagError, *, is_wrong: bool = True) -> Check:
    """The line of what cannot be read, with what was expected and what is there."""
    facts = ", ".join(f"{fact} {value}" for fact, value in error.facts.items())
    state = remark("unreadable", reason=error.message, facts=facts)
    remedy = as_given(error.hint) if error.hint else None
    return Check(name, state, remedy=remedy, is_wrong=is_wrong)


def file_checks(path: Path) -> Iterator[Check]:
    """What the files say; what cannot be read is said and the rest is looked at all the same."""
    yield Check("path", as_given(str(path.absolute())))
    looks: dict[str, Callable[[Path], Remark]] = {"family": _family, "weights": _weights}
    if path.is_dir() and is_adapter(path):
        looks = {"base of the adapter": _base}
    for name, look in looks.items():
        try:
            yield Check(name, look(path))
        except EmdiagError as error:
            yield unreadable(name, error)


def refused_checks(path: Path) -> Iterator[Check]:
    """What the files of a checkpoint say that is refused as a whole."""
    yield from file_checks(path)
    if path.is_dir() and (is_adapter(path) or not has_tokenizer(path)):
        return
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder

    try:
        yield _tokenizer(CheckpointEncoder(str(path)))
    except EmdiagError as error:
        yield unreadable("tokenizer", error)


def reading_checks(encoder: CheckpointEncoder, task: EvalTask) -> Iterator[Check]:
    """How texts are read: tokenizer, tokens at both ends, the first question, its context."""
    tokenizer = encoder.tokenizer
    yield _tokenizer(encoder)
    begin, none = tokenizer.bos_token_id, as_given("none")
    state = none
    if begin is not None:
        starts = task.prompts[0].token_ids[:1] == (begin,)
        token = repr(tokenizer.bos_token)
        state = remark("begin-token", token=token, number=begin, starts=starts)
    yield Check("begin token", state)
    stops = [f"{tokenizer.convert_ids_to_tokens(n)!r} ({n})" for n in encoder.stop_token_ids()]
    remedy = None if stops else remark("name-stop-token")
    state = as_given(", ".join(stops) or "none")
    yield Check("stop tokens", state, remedy=remedy, is_wrong=not stops)
    has_template, is_used = tokenizer.chat_template is not None, task.run.spec.chat
    state = remark("chat-template", has_template=has_template, is_used=is_used)
    yield Check("chat template", state)
    yield Check("a question", as_given(_shortened(task.prompts[0].text)))
    thinking, context = encoder.reasoning, encoder.max_context
    yield Check("reasoning", as_given(thinking.name) if thinking else none)
    yield Check("context", remark("context", tokens=context) if context else none)


def engine_check(task: EvalTask, options: EngineOptions) -> Check:
    """Which engine is taken, and why."""
    engine = task.run.spec.engine
    why = engine.name if options.engine == "auto" else "named"
    if why == "transformers" and not vllm_can_run(options):
        why = "no-vllm"
    state = remark("engine-taken", engine=engine.name, why=why, dtype=engine.dtype)
    return Check("engine", state)


def cost_checks(
    task: EvalTask, encoder: CheckpointEncoder, taken: DrawnByEngine, *, is_timed: bool
) -> Iterator[Check]:
    """Memory, and if wanted the time of the benchmark, by the engine that is taken.

    Weights take what they are read as, and keys and values 2 x layers x key heads x width numbers
    for each token of each row.
    Source: Kwon et al. (2023), PagedAttention, arXiv:2309.06180, section 3.
    """
    from emdiag.engines.hf.memory import cache_numbers_per_token

    item_bytes = 4 if taken.info.dtype == "float32" else 2
    numbers, size = weights_of(Path(task.checkpoint.path))
    loaded = size if task.checkpoint.quantization else sum(numbers.values()) * item_bytes
    yield Check("memory", remark("memory", size=loaded, dtype=taken.info.dtype))
    limit = task.run.spec.sampling.max_tokens
    if per_token := cache_numbers_per_token(encoder.config):
        rows = int(taken.info.settings.get("batch_size") or taken.info.settings["max_num_seqs"])
        tokens, token = limit + max(len(p.token_ids) for p in task.prompts), per_token * item_bytes
        cache = token * rows * tokens
        state = remark("memory-of-rows", token=token, rows=rows, tokens=tokens, cache=cache)
        yield Check("keys and values", state)
    if is_timed:
        state = remark(
            "time",
            benchmark=task.card.name,
            problems=len(task.all_problems),
            tokens=limit,
            seconds=len(task.all_problems) * limit / taken.tokens_per_s,
            speed=taken.tokens_per_s,
            rows=len(taken.sampled),
        )
        yield Check("time", state)


def weights_of(path: Path) -> tuple[dict[str, int], int]:
    """Numbers by format, those of equal matrices stored once counted once, and bytes on disk.

    Raises:
        CheckpointError: There are none, or a file is cut off.
    """
    if is_gguf(path):
        return gguf_numbers(path), path.stat().st_size
    files = weight_files(path)
    return stored_numbers(files), sum(file.stat().st_size for file in files)


def _weights(path: Path) -> Remark:
    numbers, size = weights_of(path)
    formats = tuple(sorted(numbers, key=numbers.__getitem__, reverse=True))
    return remark("weights", numbers=sum(numbers.values()), formats=formats, size=size)


def _base(path: Path) -> Remark:
    return as_given(base_of(path))


def _family(path: Path) -> Remark:
    if is_gguf(path):
        return as_given(str(read_metadata(path).get("general.architecture")))
    family = read_json(path / "config.json", _Family)
    classes = ", ".join(family.architectures or ())
    return as_given(f"{family.model_type}{f' ({classes})' if classes else ''}")


def _tokenizer(encoder: CheckpointEncoder) -> Check:
    kind, tokens = type(encoder.tokenizer).__name__, len(encoder.tokenizer)
    return Check("tokenizer", remark("tokenizer", kind=kind, tokens=tokens))


def _shortened(text: str) -> str:
    half = SHOWN_CHARACTERS // 2
    if len(text) > SHOWN_CHARACTERS:
        text = f"{text[:half]} ... {text[-half:]}"
    return repr(text)
