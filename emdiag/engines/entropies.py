"""How undecided a model is along texts that are already written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from emdiag.engines.output_head import find_head, hidden_states
from emdiag.engines.padding import pad_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor
    from transformers import PreTrainedModel

TOKENS_AT_ONCE = 4096

Text = tuple[tuple[int, ...], tuple[int, ...]]
"""Token ids of a prompt and of its completion."""


def read_entropies(
    model: PreTrainedModel, texts: Sequence[Text], *, temperature: float = 1.0
) -> Iterator[list[float]]:
    """For each text, the entropy of every distribution that its completion tokens were drawn from.

    Teacher-forced: the model reads the given tokens. The head is applied to a few positions at a
    time, so that memory does not grow with vocabulary x tokens.

    Args:
        model: In evaluation mode.
        texts: Prompt and completion; every completion holds at least one token.
        temperature: Divides the raw logits; above 0.

    Yields:
        One value for each completion token, in nats, between 0 and log(vocab).
    """
    head = find_head(model)
    for part in _parts(texts):
        batch = pad_rows([prompt + completion for prompt, completion in part], side="right")
        batch = batch.to(model.device)
        with torch.inference_mode():
            if head is None:
                inputs = {"input_ids": batch.token_ids, "attention_mask": batch.is_token.long()}
                states = model(**inputs, use_cache=False).logits
            else:
                states = hidden_states(
                    model,
                    input_ids=batch.token_ids,
                    attention_mask=batch.is_token.long(),
                )
            for row, (prompt, completion) in zip(states, part, strict=True):
                start = len(prompt) - 1  # position t predicts token t + 1
                wanted = row[start : start + len(completion)]
                step = len(wanted) if head is None else head.chunk_positions()
                found: list[float] = []
                for chunk in wanted.split(step):
                    logits = chunk.float() if head is None else head.logits(chunk)
                    found += entropy(logits, temperature=temperature).tolist()
                yield found


def entropy(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Shannon entropy of softmax(logits / temperature), in nats, `[...]`.

    Args:
        logits: `[..., vocab]`, raw; reduced in float32 or better.
        temperature: Above 0.
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = torch.log_softmax(precise / temperature, dim=-1)
    found: Tensor = torch.special.entr(log_p.exp()).sum(dim=-1)
    return found


def _parts(texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Texts in their order, so many at a time that padded rows stay below a bound of tokens."""
    part: list[Text] = []
    longest = 0
    for text in texts:
        length = len(text[0]) + len(text[1])
        if part and max(longest, length) * (len(part) + 1) > TOKENS_AT_ONCE:
            yield part
            part, longest = [], 0
        part.append(text)
        longest = max(longest, length)
    if part:
        yield part
