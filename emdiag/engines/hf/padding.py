"""Rows of token ids of different lengths as one rectangle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

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

    def to(self, device: torch.device) -> PaddedRows:
        """The same on another device."""
        return PaddedRows(
            token_ids=self.token_ids.to(device),
            is_token=self.is_token.to(device),
            positions=self.positions.to(device),
        )


def pad_rows(rows: Sequence[Sequence[int]], *, side: PaddingSide) -> PaddedRows:
    """Rows side by side, each filled up to the longest on the given side."""
    longest = max(map(len, rows))
    token_ids = torch.zeros(len(rows), longest, dtype=torch.long)
    is_token = torch.zeros(len(rows), longest, dtype=torch.bool)
    for number, row in enumerate(rows):
        place = slice(longest - len(row), None) if side == "left" else slice(len(row))
        token_ids[number, place] = torch.tensor(row, dtype=torch.long)
        is_token[number, place] = True
    positions = (is_token.cumsum(dim=1) - 1).clamp(min=0)
    return PaddedRows(token_ids=token_ids, is_token=is_token, positions=positions)
