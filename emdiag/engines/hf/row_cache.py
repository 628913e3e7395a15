"""A key-value cache whose rows come and go while the batch is decoded."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

_MIN_SLACK = 64


class RowLayer(DynamicLayer):  # type: ignore[no-untyped-call]  # the library's __init_subclass__
    """Keys and values of one layer, rows right-aligned in a buffer with room to grow.

    `DynamicLayer` copies its whole content for every new token. Here a token is written in place
    and the buffer grows by a quarter when it is full; dropping columns on the left is free.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]  # the library's own gap
        self._buffers: list[Tensor] = []
        self._start = 0
        self._end = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *_args: object, **_kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Append `[rows, heads, positions, width]` and return all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        count = key_states.shape[-2]
        if not self._buffers or self._end + count > self._buffers[0].shape[-2]:
            self._grow(key_states, value_states)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., self._end : self._end + count, :] = states
        self._end += count
        return self._show()

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Keep these rows, in this order; a row may be named several times."""
        index = beam_idx.to(self.device)
        self._buffers = [buffer.index_select(0, index) for buffer in self._buffers]
        self._show()

    def drop_left(self, count: int) -> None:
        """Forget the first `count` positions of every row."""
        self._start += count
        self._show()

    def join(self, other: RowLayer) -> None:
        """Take over the rows of `other` below one's own; the shorter are padded on the left."""
        length = max(self._end - self._start, other._end - other._start)
        capacity = length + _slack(length)
        parts, other_parts = self._parts(), other._parts()
        self._buffers = []
        for left, right in zip(parts, other_parts, strict=True):
            rows, heads, _, width = left.shape
            # Zeros, not leftovers: padding is masked, but 0 times nan would still be nan.
            buffer = left.new_zeros(rows + right.shape[0], heads, capacity, width)
            buffer[:rows, :, length - left.shape[-2] : length] = left
            buffer[rows:, :, length - right.shape[-2] : length] = right
            self._buffers.append(buffer)
        self._start, self._end = 0, length
        self._show()

    def _parts(self) -> list[Tensor]:
        return [buffer[..., self._start : self._end, :] for buffer in self._buffers]

    def _show(self) -> tuple[Tensor, Tensor]:
        self.keys, self.values = self._parts()
        return self.keys, self.values

    def _grow(self, *states: Tensor) -> None:
        length = self._end - self._start
        capacity = length + states[0].shape[-2]
        capacity += _slack(capacity)
        old = self._parts() if self._buffers else [None, None]
        self._buffers = []
        for part, state in zip(old, states, strict=True):
            rows, heads, _, width = state.shape
            buffer = state.new_zeros(rows, heads, capacity, width)
            if part is not None:
                buffer[..., :length, :] = part
            self._buffers.append(buffer)
        self._start, self._end = 0, length


class RowCache(Cache):
    """A cache for plain attention whose rows can be selected, joined and trimmed."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=RowLayer)

    def drop_left(self, count: int) -> None:
        """Forget the first `count` positions of every row."""
        for layer in cast("list[RowLayer]", self.layers):
            layer.drop_left(count)

    def join(self, other: RowCache) -> None:
        """Take over the rows of `other` below one's own."""
        for layer, other_layer in zip(self.layers, other.layers, strict=True):
            cast("RowLayer", layer).join(cast("RowLayer", other_layer))


def _slack(length: int) -> int:
    return max(_MIN_SLACK, length // 4)
