"""Reads the raw logits along texts that are already written: teacher-forced, whole vocabulary.

What is held of a text are its last hidden states. Logits are made of them a few positions at a
time, so that nothing of size vocabulary x tokens ever exists, and they can be made again later
without the network below: only the output head has to stay.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor
from transformers import PreTrainedModel

from emdiag.core.errors import EngineError
from emdiag.core.protocols import LogitReader, Text
from emdiag.core.runs import EngineInfo
from emdiag.engines.checkpoint.tokenizers import max_context
from emdiag.engines.hf.checked import examined
from emdiag.engines.hf.load_check import LoadCheck
from emdiag.engines.hf.memory import is_out_of_memory
from emdiag.engines.hf.model_loading import limit_threads
from emdiag.engines.hf.output_head import OutputHead, find_head, hidden_states
from emdiag.engines.hf.padding import pad_rows
from emdiag.engines.hf.rotary import reset_rotary, rotary_switch
from emdiag.engines.hf.sampler import collect_memory, engine_info

CPU_TOKENS, DEVICE_TOKENS = 1024, 8192
"""Tokens read side by side, padding included; one longer text is read alone."""


@dataclass(slots=True, kw_only=True)
class ReadText:
    """The logits along one completion: a `TextLogits`.

    Attributes:
        states: Last hidden states of the positions that predict the completion,
            `[position, hidden]`; for a model without a plain linear head its logits.
        head: Makes logits of them; None where they are logits already.
    """

    states: Tensor
    head: OutputHead | None

    @property
    def positions(self) -> int:
        """Tokens of the completion."""
        return len(self.states)

    @property
    def chunk_positions(self) -> int:
        """Positions that are worth asking for at once."""
        return self.positions if self.head is None else self.head.chunk_positions()

    def logits(self, start: int, stop: int) -> Tensor:
        """Raw logits, `[position, vocab]`, float32 (float64 for float64 weights)."""
        chunk = self.states[start:stop]
        if self.head is None:
            return chunk.to(torch.promote_types(chunk.dtype, torch.float32))
        with torch.inference_mode():
            return self.head.logits(chunk.to(self.head.weight.device))


@dataclass(slots=True, kw_only=True)
class ReadAgain:
    """The logits along one completion of a model without a plain head, read anew when asked for."""

    reader: ModelReader
    text: Text
    positions: int
    chunk_positions: int
    _read: ReadText | None = field(default=None)

    def logits(self, start: int, stop: int) -> Tensor:
        """As `ReadText.logits`; the text is read once for all of its positions."""
        if self._read is None:
            self._read = next(self.reader.read([self.text]))
        logits = self._read.logits(start, stop)
        if stop >= self.positions:
            self._read = None
        return logits


KeptText = ReadText | ReadAgain
"""A reading that can be used after others."""


class ModelReader:
    """Reads texts with a model held by transformers; a `LogitReader`.

    The model is used as it is, in evaluation mode. Without a `check` it is looked at here.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        threads: int | None = None,
        check: LoadCheck | None = None,
    ) -> None:
        self._model = model
        self._check_of_load = check or examined(model, threads=threads)
        self._switch = rotary_switch(model.config)
        self._head = find_head(model)
        self._threads_before = limit_threads(model, threads)

    @property
    def info(self) -> EngineInfo:
        """What this engine is and how it is set."""
        return engine_info(
            self._model,
            {
                "head": "whole" if self._head is None else "in chunks",
                "texts": "together" if self._check_of_load.reads_together else "one by one",
            },
        )

    @property
    def frees_network(self) -> bool:
        """Whether kept texts need only the output head, so that `close` frees all the rest."""
        return self._head is not None

    def read(self, texts: Sequence[Text]) -> Iterator[ReadText]:
        """The logits along each text, in order; neighbours of like length are read together.

        Raises:
            EngineError: A text is empty, longer than the context, holds a token that the model
                does not have, or does not fit into memory by itself.
        """
        self._check(texts)
        reset_rotary(self._model)
        tokens = CPU_TOKENS if self._model.device.type == "cpu" else DEVICE_TOKENS
        for part in _parts(texts, tokens if self._check_of_load.reads_together else 0):
            for of_side in self._sides(part):
                yield from self._read_part(of_side)

    def keep(self, text: Text, read: ReadText) -> KeptText:
        """A reading that can be used after others: hidden states in main memory.

        A model without a plain head keeps nothing and reads the text again; it must stay open.
        """
        if read.head is None:
            return ReadAgain(
                reader=self,
                text=text,
                positions=read.positions,
                chunk_positions=read.chunk_positions,
            )
        return ReadText(states=read.states.to("cpu", copy=True), head=read.head)

    def close(self) -> None:
        """Free the network, give the threads back; kept texts still have their head."""
        torch.set_num_threads(self._threads_before)
        device, model = self._model.device, weakref.ref(self._model)
        del self._model
        collect_memory(device, model)

    def _read_part(self, part: Sequence[Text]) -> Iterator[ReadText]:
        try:
            states = self._states(part)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            if len(part) == 1:
                raise EngineError(
                    f"a text of {len(part[0][0]) + len(part[0][1])} tokens does not fit into "
                    "memory",
                    device=self._model.device,
                    hint="lower --max-tokens, take --dtype bfloat16, or use a larger device",
                ) from error
            states = None
        if states is None:  # outside `except`, so that the traceback holds on to no tensor
            gc.collect()
            middle = len(part) // 2
            yield from self._read_part(part[:middle])
            yield from self._read_part(part[middle:])
            return
        for row, (prompt, completion) in zip(states, part, strict=True):
            start = len(prompt) - 1  # position t predicts token t + 1
            yield ReadText(states=row[start : start + len(completion)], head=self._head)

    def _states(self, part: Sequence[Text]) -> Tensor:
        # The last token predicts nothing that is asked for, and may lie beyond a rotary switch.
        rows = [prompt + completion[:-1] for prompt, completion in part]
        batch = pad_rows(rows, side="right", device=self._model.device)
        inputs = {"input_ids": batch.token_ids, "attention_mask": batch.is_token.long()}
        with torch.inference_mode():
            if self._head is None:
                logits: Tensor = self._model(**inputs, use_cache=False).logits
                return logits
            return hidden_states(self._model, **inputs)

    def _sides(self, part: Sequence[Text]) -> Iterator[list[Text]]:
        """Neighbours that lie on one side of a switch of rotary factors."""
        for _, of_side in groupby(part, key=self._side):
            yield list(of_side)

    def _side(self, text: Text) -> str:
        """Where a text lies; the model never reads its last token."""
        prompt = len(text[0])
        return self._switch.side(prompt, prompt + len(text[1]) - 1) if self._switch else "short"

    def _check(self, texts: Sequence[Text]) -> None:
        room = max_context(self._model.config)
        known = self._model.config.get_text_config().vocab_size
        for prompt, completion in texts:
            if not prompt or not completion:
                raise EngineError(
                    "a text needs a prompt and a completion of at least one token",
                    hint="leave the empty ones out",
                )
            length = len(prompt) + len(completion)
            if room is not None and length > room:
                raise EngineError(
                    f"a text of {length} tokens is longer than the context of {room}",
                    hint="lower --max-tokens, or leave out the checkpoint with the short context",
                )
            if self._switch is not None and self._side((prompt, completion)) == "across":
                raise self._switch.refusal(len(prompt), f"a text of {length} tokens")
            highest = max(*prompt, *completion)
            if highest >= known:
                raise EngineError(
                    f"a text holds token {highest}, and the model has {known} tokens",
                    hint="the text was written with another tokenizer",
                )


def read_entropies(
    reader: LogitReader[Tensor], texts: Sequence[Text], *, temperature: float = 1.0
) -> Iterator[list[float]]:
    """For each text, the entropy of every distribution that its completion tokens were drawn from.

    One value for each completion token, in nats, between 0 and log(vocab). The temperature divides
    the raw logits; above 0.
    """
    for text in reader.read(texts):
        entropies: list[float] = []
        for start in range(0, text.positions, text.chunk_positions):
            logits = text.logits(start, start + text.chunk_positions)
            entropies += entropy(logits, temperature=temperature).tolist()
        yield entropies


def entropy(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Shannon entropy of softmax(logits / temperature), in nats, `[...]`, at T > 0.

    Raw logits are `[..., vocab]`, reduced in float32 or better.
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = torch.log_softmax(precise / temperature, dim=-1)
    nats: Tensor = torch.special.entr(log_p.exp()).sum(dim=-1)
    return nats


def _parts(texts: Sequence[Text], tokens: int) -> Iterator[list[Text]]:
    """Texts in their order, so many at a time that padded rows stay below a bound of tokens."""
    part: list[Text] = []
    longest = 0
    for text in texts:
        length = len(text[0]) + len(text[1])
        if part and max(longest, length) * (len(part) + 1) > tokens:
            yield part
            part, longest = [], 0
        part.append(text)
        longest = max(longest, length)
    if part:
        yield part
