"""How undecided a model is along texts that are already written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from emdiag.core.protocols import LogitReader, Text


def read_entropies(
    reader: LogitReader[Tensor], texts: Sequence[Text], *, temperature: float = 1.0
) -> Iterator[list[float]]:
    """For each text, the entropy of every distribution that its completion tokens were drawn from.

    Args:
        reader: Of the checkpoint.
        texts: Prompt and completion; every completion holds at least one token.
        temperature: Divides the raw logits; above 0.

    Yields:
        One value for each completion token, in nats, between 0 and log(vocab).
    """
    for text in reader.read(texts):
        entropies: list[float] = []
        for start in range(0, text.positions, text.chunk_positions):
            logits = text.logits(start, start + text.chunk_positions)
            entropies += entropy(logits, temperature=temperature).tolist()
        yield entropies


def entropy(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Shannon entropy of softmax(logits / temperature), in nats, `[...]`.

    Args:
        logits: `[..., vocab]`, raw; reduced in float32 or better.
        temperature: Above 0.
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p = torch.log_softmax(precise / temperature, dim=-1)
    nats: Tensor = torch.special.entr(log_p.exp()).sum(dim=-1)
    return nats
