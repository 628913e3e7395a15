"""What of a store cannot be read: the rest is, and whoever reads it says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from emdiag.core.errors import StoreError
from emdiag.core.results import Remark, remark

T = TypeVar("T")


class LeftOut:
    """Files that were left out, each with the reason."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def add(self, error: StoreError) -> None:
        """Remember the file, or folder, that an error names."""
        names = (error.facts.get(fact) for fact in ("file", "folder"))
        place = next((name for name in names if name), str(error.facts))
        self._reasons.setdefault(place, error.message)

    def update(self, other: LeftOut) -> None:
        """Take over what another one holds."""
        self._reasons |= other._reasons

    def readable(self, places: Iterable[Path], read: Callable[[Path], T]) -> Iterator[T]:
        """What `read` makes of each place; what it refuses is left out, unless it is gone."""
        for place in places:
            try:
                yield read(place)
            except StoreError as error:
                if place.exists() or place.is_symlink():
                    self.add(error)

    def reasons(self) -> dict[str, str]:
        """Why each file was left out, by its path."""
        return dict(self._reasons)

    def notes(self) -> tuple[Remark, ...]:
        """One remark for each file."""
        return tuple(
            remark("left-out", file=file, reason=reason) for file, reason in self._reasons.items()
        )
