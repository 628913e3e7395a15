from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emdiag.engines.hf.row_cache import RowCache, RowLayer


def states(rows: int, count: int, base: float) -> tuple[torch.Tensor, torch.Tensor]:
    keys = base + torch.arange(rows * 2 * count * 3, dtype=torch.float32).reshape(rows, 2, count, 3)
    return keys, -keys


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_sequence_of_changes_matches_concatenation(data: st.DataObject) -> None:
    """Against the plain way: torch.cat, indexing, and padding with zeros."""
    layer, base = RowLayer(), 0.0
    plain: torch.Tensor = torch.zeros(0)
    for number in range(data.draw(st.integers(1, 12))):
        base += 1000
        kind = data.draw(st.sampled_from(["write", "keep", "drop", "join"])) if number else "write"
        rows = plain.shape[0] if number else data.draw(st.integers(1, 4))
        if kind == "write":
            keys, values = states(rows, data.draw(st.integers(1, 90)), base)
            layer.update(keys, values)
            plain = torch.cat([plain, keys], dim=2) if number else keys
        elif kind == "keep":
            index = data.draw(st.lists(st.integers(0, rows - 1), min_size=1, max_size=5))
            layer.reorder_cache(torch.tensor(index))
            plain = plain[index]
        elif kind == "drop":
            count = data.draw(st.integers(0, plain.shape[2] - 1))
            layer.drop_left(count)
            plain = plain[:, :, count:]
        else:
            other = RowLayer()
            keys, values = states(data.draw(st.integers(1, 3)), data.draw(st.integers(1, 90)), base)
            other.update(keys, values)
            layer.join(other)
            length = max(plain.shape[2], keys.shape[2])
            pad = [
                torch.nn.functional.pad(part, (0, 0, length - part.shape[2], 0))
                for part in (plain, keys)
            ]
            plain = torch.cat(pad)
        assert layer.get_seq_length() == plain.shape[2]
        assert torch.equal(layer.keys, plain)
        assert torch.equal(layer.values, -plain)


def test_every_layer_of_a_cache_changes_alike() -> None:
    cache, other = RowCache(), RowCache()
    for layer in range(3):
        cache.update(*states(2, 4, 10.0 * layer), layer)
        other.update(*states(1, 2, 50.0 * layer), layer)
    cache.reorder_cache(torch.tensor([1]))
    cache.join(other)
    cache.drop_left(1)
    shapes = {tuple(layer.keys.shape) for layer in cache.layers}  # type: ignore[union-attr]
    assert len(cache.layers) == 3
    assert shapes == {(2, 2, 3, 3)}
    assert cache.get_seq_length() == 3
