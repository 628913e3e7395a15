"""A language model taken apart: the network below, and the linear head that makes logits.

Whoever needs logits of many positions applies the head to a few positions at a time and keeps the
reduced values: nothing of size vocabulary x tokens is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CHUNK_NUMBERS = 2**23
"""Logits held at a time: 32 MiB in float32, whatever the vocabulary."""

_PROBE = 8
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}
_LOOSE = 5e-2  # half precision
_PLAIN = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputHead:
    """How logits are made of the last hidden state: `cap * tanh(scale * (h W' + b) / cap)`.

    Attributes:
        weight: `[vocab, hidden]`; the embedding itself where the two are tied.
        bias: `[vocab]` or None.
        scale: Multiplies the logits; 1 for most models.
        soft_cap: Bound of soft-capped logits; None for most models.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    soft_cap: float | None = None

    def logits(self, hidden: Tensor) -> Tensor:
        """Raw logits in float32 (float64 for float64 weights), `[..., vocab]`.

        The last hidden states are `[..., hidden]`, in the dtype of the weight.
        """
        logits = nn.functional.linear(hidden, self.weight, self.bias)
        logits = logits.to(torch.float64 if logits.dtype == torch.float64 else torch.float32)
        if self.scale != 1:
            logits = logits * self.scale
        if self.soft_cap is not None:
            logits = torch.tanh(logits / self.soft_cap) * self.soft_cap
        return logits

    def chunk_positions(self) -> int:
        """Positions whose logits are held at a time."""
        return max(1, CHUNK_NUMBERS // self.weight.shape[0])


def find_head(model: PreTrainedModel) -> OutputHead | None:
    """The head of a model; None where its logits are not those of a plain linear head.

    The parts are found by name and believed only after a reading of a few tokens gives the
    logits that the whole model gives.
    """
    layer = model.get_output_embeddings()  # type: ignore[no-untyped-call] # not annotated
    if not isinstance(layer, nn.Linear) or model.base_model is model:
        return None
    if layer.weight.dtype not in _PLAIN:  # quantised
        return None
    config = model.config.get_text_config()
    head = OutputHead(
        weight=layer.weight,
        bias=layer.bias,
        scale=_scale(config),
        soft_cap=getattr(config, "final_logit_softcapping", None),
    )
    return head if _agrees(model, head) else None


def hidden_states(model: PreTrainedModel, **inputs: Tensor) -> Tensor:
    """Last hidden states, `[batch, position, hidden]`; `find_head` says whether they can be used.

    The inputs are `input_ids`, and `attention_mask` and `position_ids` where wanted.
    """
    states: Tensor = model.base_model(**inputs, use_cache=False).last_hidden_state
    return states


def _scale(config: Any) -> float:
    """What the logits are multiplied by: Cohere multiplies, Granite divides."""
    if getattr(config, "logits_scaling", None):
        return 1 / float(config.logits_scaling)
    return float(getattr(config, "logit_scale", None) or 1.0)


@torch.no_grad()
def _agrees(model: PreTrainedModel, head: OutputHead) -> bool:
    was_training = model.training
    model.train(mode=False)
    try:
        vocab = head.weight.shape[0]
        ids = (torch.arange(1, _PROBE + 1, device=model.device) * 7919 % vocab)[None]
        whole = model(input_ids=ids, use_cache=False).logits.float()
        parts = head.logits(hidden_states(model, input_ids=ids)).float()
    finally:
        model.train(mode=was_training)
    if whole.shape != parts.shape:
        return False
    close = _TOLERANCE.get(head.weight.dtype, _LOOSE)
    gap = (whole - parts).abs().max()
    return bool(gap <= close * whole.abs().max())
