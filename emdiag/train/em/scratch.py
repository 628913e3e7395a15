"""Tensors kept on the disk, for what is read once in a while and would double the memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from emdiag.core.files import scratch_file


class ScratchTensors:
    """Copies of tensors as they are now, in a file that goes with the process; read one by one."""

    def __init__(self, tensors: Iterable[Tensor], *, folder: Path | None) -> None:
        self._file = scratch_file(folder)
        weakref.finalize(self, self._file.close)
        self._like = []
        for tensor in tensors:
            self._like.append((tensor.dtype, tensor.shape))
            self._file.write(_bytes(tensor.cpu()))
        self._file.flush()

    def __iter__(self) -> Iterator[Tensor]:
        self._file.seek(0)
        for dtype, shape in self._like:
            tensor = torch.empty(shape, dtype=dtype)
            self._file.readinto(_bytes(tensor))
            yield tensor


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.flatten().view(torch.uint8).numpy().data
