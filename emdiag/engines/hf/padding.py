"""Rows of token ids of different lengths as one rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from emdiag.engines.options import PaddingSide


@dataclass(frozen=True, slots=True, kw_only=True)
class PaddedRows:
    """Token ids with padding on one side.

    Attributes:
        token_ids: `[row, position]` int64; 0 where there is padding.
        is_token: `[row, position]` bool; False for padding.
        positions: `[row, position]` int64, counted from each row's first token; 0 for padding.
    """

    token_ids: Tensor
    is_token: Tensor
    positions: Tensor


def pad_rows(
    rows: Sequence[Sequence[int]], *, side: PaddingSide, device: torch.device | None = None
) -> PaddedRows:
    """Rows side by side on a device, each filled up to the longest on the given side."""
    token_ids, is_token = (
        pad_sequence(columns, batch_first=True, padding_side=side).to(device)
        for columns in (
            [torch.tensor(row, dtype=torch.long) for row in rows],
            [torch.ones(len(row), dtype=torch.bool) for row in rows],
        )
    )
    positions = (is_token.cumsum(dim=1) - 1).clamp(min=0)
    return PaddedRows(token_ids=token_ids, is_token=is_token, positions=positions)
