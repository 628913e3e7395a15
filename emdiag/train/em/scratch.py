"""Tensors kept on the disk, for what is read once in a while and would double the memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BufferedRandom
from pathlib import Path

import torch
from torch import Tensor

from emdiag.core.errors import system_errors_as
from emdiag.core.files import scratch_file


class ScratchTensors:
    """Copies of tensors as they are now, in a file that goes with the process; read one by one.

    Raises:
        StoreError: The disk is full or cannot be written.
    """

    def __init__(self, tensors: Iterable[Tensor], *, folder: Path | None) -> None:
        self._like = []
        what = "the starting weights cannot be kept on the disk"
        with system_errors_as(what, folder=folder or tempfile.gettempdir()):
            self._file = scratch_file(folder)
            weakref.finalize(self, _close, self._file)
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


def _close(file: BufferedRandom) -> None:
    with suppress(OSError):  # on a full disk its last bytes are refused again
        file.close()
