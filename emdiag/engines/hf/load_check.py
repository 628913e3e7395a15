"""One look at a model when it is opened: which ways of decoding give the model's own logits.

The reference is an uncached pass over one text alone. A later token must not move an earlier logit:
a model that fails this is refused. Then the ways of decoding are tried by the engine itself, the
quickest first, with rows of several lengths, and the first that agrees is used.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor
from transformers import PreTrainedModel

from emdiag.core.errors import CheckpointError, EngineError, EngineRefusedError
from emdiag.core.records import Record
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.tokenizers import max_context, quiet_transformers
from emdiag.engines.hf.batch import has_plain_cache
from emdiag.engines.hf.decoding import TokenChooser
from emdiag.engines.hf.generated import open_batch
from emdiag.engines.hf.memory import is_out_of_memory
from emdiag.engines.hf.padding import pad_rows
from emdiag.engines.hf.rows import Batch, BatchRow, RowWriter, Way

logger = logging.getLogger(__name__)

TOKENS, STEPS, CHANGED = 24, 4, 3
"""Tokens of the longer text, how many of them are drawn one by one, and changed for causality."""

_SAME, _LOOSE = {torch.float32: 5e-3, torch.float64: 1e-6}, 0.1
"""Gap up to which two ways of computing a logit agree, in relation to the spread of all logits.

Attention differs by 1e-6 in single precision, scans of a state by up to 4e-3; in half precision
what is right differs by 0.03. What is wrong differs by 0.2 and more."""
_STILL, _LOOSE_STILL, _LOOSE_ROUTED = {torch.float32: 2e-5, torch.float64: 1e-9}, 5e-3, 5e-2
"""The same for logits that a later token must not move: shapes are equal, and so is the rounding,
but for a mixture of experts in half precision, whose groups of tokens differ."""

_INDEX_HEADS = 16
"""Heads of an index of sparse attention from which on its scores hardly tie: each is cut off at 0,
and with a few all of them are 0 for many positions. Which of these is kept depends on the length of
the text and on the batch, more often than a look at a few tokens shows."""

_WAYS = {
    "padded": "no row joins a batch midway",
    "equal": "rows of equal prompt length only, by transformers' generate",
    "alone": "one row after another, by transformers' generate",
    "uncached": "without a cache, one row after another: slow",
}


class LoadCheck(Record, frozen=True, kw_only=True):
    """What a look at a model found.

    Attributes:
        way: The quickest way of decoding that gives the model's own logits.
        reads_together: Whether texts of several lengths can be read side by side.
        reasons: Why the quicker ways, or reading side by side, do not.
        refusal: Why the model cannot be used at all; None where it can.
        is_readable: Whether a pass over a text went through, whatever came of it.
    """

    way: Way = "uncached"
    reads_together: bool = True
    reasons: tuple[str, ...] = ()
    refusal: str | None = None
    is_readable: bool = True

    @property
    def note(self) -> str | None:
        """What a user should know; None where rows are decoded as those of most models."""
        if self.way in {"refill", "padded"} and self.reads_together:
            return None
        notes = [] if self.way == "refill" else [f"decoded {_WAYS[self.way]}"]
        notes += [] if self.reads_together else ["texts are read one by one"]
        return f"{'; '.join(notes)} ({'; '.join(self.reasons)})"


def check_model(model: PreTrainedModel) -> LoadCheck:
    """Try the model on a few tokens, in evaluation mode.

    Raises:
        EngineError: Memory does not hold a few rows of a few tokens.
    """
    was_training = model.training
    model.train(mode=False)
    try:
        with quiet_transformers():
            return _Probe(model).look()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise EngineError(
            f"three rows of {TOKENS} tokens do not fit into memory: {error}",
            device=model.device,
            hint="take --dtype bfloat16, or use a larger device",
        ) from error
    finally:
        model.train(mode=was_training)


def require(check: LoadCheck, model: PreTrainedModel, path: str | None = None) -> LoadCheck:
    """The check, if the model can be used; its note is logged.

    Raises:
        CheckpointError: The model cannot read a text.
        EngineRefusedError: It can, and cannot be used.
    """
    name = type(model).__name__
    if check.refusal is not None:
        config = Path(path or "") / "config.json"
        facts = {"file": config} if path and config.is_file() else {"checkpoint": path or name}
        kind = EngineRefusedError if check.is_readable else CheckpointError
        raise kind(
            check.refusal,
            **facts,
            architecture=name,
            hint="give a causal language model, such as Llama, Qwen2 or Gemma2"
            if check.is_readable
            else "use the config.json that belongs to these weights; --dtype float32 if a number "
            "format is at fault",
        )
    if check.note:
        logger.warning("%s: %s", name, check.note)
    return check


class _Probe:
    """Two texts, and what the model says along each when it reads it alone."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._is_exact = model.dtype in _SAME
        self._bound = _SAME.get(model.dtype, _LOOSE)
        self._is_routed = any("expert" in name for name in model.config.to_dict())
        vocab = self._vocab = int(model.config.get_text_config().vocab_size)
        size = min(TOKENS, max_context(model.config) or TOKENS)
        # From the middle of the vocabulary: special tokens are at its ends.
        numbers = [vocab // 8 + n * 7919 % max(1, vocab // 2) for n in range(1, 2 * TOKENS)]
        self._long = tuple(numbers[:size])
        self._short = tuple(numbers[TOKENS : TOKENS + size // 4 + STEPS])

    def look(self) -> LoadCheck:
        """All of it."""
        if (heads := _index_heads(self._model)) < _INDEX_HEADS:
            return LoadCheck(
                refusal=f"the sparse attention of the model has {heads} index heads: with fewer "
                f"than {_INDEX_HEADS} many scores are equal, and the length of a text decides "
                "which positions are kept"
            )
        try:
            self._alone = [self._read([text])[0] for text in (self._long, self._short)]
        except Exception as error:
            if is_out_of_memory(error):
                raise
            refusal = f"the model cannot read a text: {_words(error)}"
            return LoadCheck(refusal=refusal, is_readable=False)
        if any(bool(logits.isnan().any()) for logits in self._alone):
            # Nothing can be compared, and other texts may have numbers: the library's own way.
            reason = f"logits of a text of {len(self._long)} tokens are not numbers"
            return LoadCheck(way="alone", reads_together=False, reasons=(reason,))
        still = _STILL.get(self._model.dtype, _LOOSE_ROUTED if self._is_routed else _LOOSE_STILL)
        # Twice: once may be a near tie in a router.
        if (moved := self._moved(1)) > still and self._moved(2) > still:
            return LoadCheck(
                refusal="the model is not causal: a later token moves the logits before it, "
                f"by {moved:.2g} of their spread"
            )
        return self._ways()

    def _ways(self) -> LoadCheck:
        apart = self._why_apart()
        reasons = [apart] if apart else []
        takes_cache = "past_key_values" in inspect.signature(self._model.forward).parameters
        if not takes_cache:
            reasons.append("it takes no cache of keys and values")
        for way in get_args(Way):
            if way in {"refill", "padded"} and not takes_cache:
                continue
            if way == "refill" and not has_plain_cache(self._model):
                continue
            if (reason := self._why_not(way)) is None:
                return LoadCheck(way=way, reads_together=not apart, reasons=tuple(reasons))
            reasons.append(f"{way}: {reason}")
        return LoadCheck(refusal=f"no way of decoding gives the model's own logits: {reasons[-1]}")

    def _why_apart(self) -> str | None:
        """Why texts of several lengths cannot be read side by side; None if they can."""
        try:
            together = self._read([self._long, self._short])
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return f"two texts cannot be read at once: {_words(error)}"
        gaps = [_gaps(*pair) for pair in zip(together, self._alone, strict=True)]
        is_apart = self._worst(torch.cat(gaps)) > self._bound
        return "a text has other logits beside a longer one" if is_apart else None

    def _moved(self, shift: int) -> float:
        """How far other last tokens move the logits before them."""
        last = ((token + shift) % self._vocab for token in self._short[:CHANGED])
        changed = (*self._long[:-CHANGED], *last)
        gaps = _gaps(self._read([changed])[0][:-CHANGED], self._alone[0][:-CHANGED])
        return self._worst(gaps) if self._is_routed else float(gaps.max())

    def _worst(self, gaps: Tensor) -> float:
        """The largest gap; in half precision a quarter may be flips of near ties in a router."""
        return float(gaps.max() if self._is_exact else gaps.quantile(0.75))

    def _why_not(self, way: Way) -> str | None:
        """Why a way of decoding does not give the logits of the model; None if it does."""
        script = _Script((self._long, self._short))
        try:
            for groups in self._batches(way):
                _follow(open_batch(self._model, way, script.writer), groups)
        except Exception as error:
            if is_out_of_memory(error):
                raise
            logger.info("%s: %s cannot be used", type(self._model).__name__, way, exc_info=True)
            return _words(error)
        gaps = [_gaps(logits, self._alone[text][at]) for text, at, logits in script.seen]
        worst = self._worst(torch.stack(gaps))
        return None if worst <= self._bound else f"logits differ by {worst:.2g} of their spread"

    def _batches(self, way: Way) -> list[list[list[tuple[int, ...]]]]:
        """Groups of prompts for each batch; the second group of a batch joins it midway."""
        long, short = self._long[:-STEPS], self._short[:-STEPS]
        middle, like_short = self._long[: len(self._long) // 2], self._long[: len(short)]
        match way:
            case "refill":
                return [[[long, short], [middle]]]
            case "padded":
                return [[[long, short, middle]]]
            case "equal":
                return [[[like_short, short]], [[long]]]
            case _:
                return [[[long]], [[short]]]

    @torch.no_grad()
    def _read(self, texts: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Logits of an uncached pass over texts side by side, `[position, vocab]` each."""
        batch = pad_rows(texts, side="right", device=self._model.device)
        output = self._model(
            input_ids=batch.token_ids, attention_mask=batch.is_token.long(), use_cache=False
        )
        pairs = zip(output.logits, texts, strict=True)
        return [_precise(logits[: len(text)]) for logits, text in pairs]


class _Script(TokenChooser):
    """Draws the tokens of given texts, whatever the logits are, and keeps those."""

    def __init__(self, texts: Sequence[tuple[int, ...]]) -> None:
        # A penalty, so that contexts are given: they say which text a row is.
        params = SamplingParams(temperature=0.0, max_tokens=STEPS, repetition_penalty=2.0)
        super().__init__(params)
        self.writer = RowWriter(chooser=self, params=params, decode=lambda _: "")
        self.seen: list[tuple[int, int, Tensor]] = []
        self._texts = texts

    def choose(
        self,
        logits: Tensor,
        contexts: Sequence[Sequence[int]],
        generators: Sequence[torch.Generator],
    ) -> list[int]:
        """The next token of each row's text; the number of the text and its length are kept."""
        chosen = []
        for row, context in zip(logits, contexts, strict=True):
            size = len(context)
            number = next(n for n, t in enumerate(self._texts) if t[:size] == tuple(context))
            self.seen.append((number, size - 1, _precise(row)))
            chosen.append(self._texts[number][size])
        return chosen


def _index_heads(model: PreTrainedModel) -> float:
    """Heads of the index by which sparse attention keeps `index_topk` positions; infinity without.

    Of all positions at once: those families that choose for each token alone name it otherwise.
    """
    config = model.config.get_text_config().to_dict()
    heads = config.get("index_n_heads") if config.get("index_topk") else None
    return heads if isinstance(heads, int) else math.inf


def _follow(batch: Batch, groups: Sequence[Sequence[tuple[int, ...]]]) -> None:
    """Decode groups of prompts: the first begins, each other joins after a step."""
    for number, group in enumerate(groups):
        if number:
            batch.step()
        batch.admit(
            [
                BatchRow(
                    request=SampleRequest(
                        problem_id="load check", sample_index=index, token_ids=prompt, seed=0
                    ),
                    generator=torch.Generator(),
                )
                for index, prompt in enumerate(group)
            ]
        )
    while batch.rows:
        batch.step()


def _gaps(given: Tensor, wanted: Tensor) -> Tensor:
    """How far logits differ in relation to their spread over the vocabulary, `[...]`.

    Both are `[..., vocab]`. A number added to all logits of a position is no difference; infinite
    ones, which some models give words that do not exist, have to be the same.
    """
    usable = wanted.isfinite()
    if not bool((usable == given.isfinite()).all()):
        return torch.full(wanted.shape[:-1], torch.inf, device=wanted.device)
    centred = []
    for logits in (given, wanted):
        kept = logits.where(usable, 0.0)
        mean = kept.sum(dim=-1, keepdim=True) / usable.sum(dim=-1, keepdim=True).clamp(min=1)
        centred.append((kept - mean).where(usable, 0.0))
    spread = centred[1].square().sum(dim=-1).sqrt()
    gaps = (centred[0] - centred[1]).square().sum(dim=-1).sqrt()
    return gaps / spread.clamp(min=torch.finfo(gaps.dtype).tiny)


def _precise(logits: Tensor) -> Tensor:
    return logits.detach().to(torch.promote_types(logits.dtype, torch.float32))


def _words(error: Exception) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
