"""The base of every record: frozen, keyword-only, and strict about its fields."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that is written down: unknown or missing fields are errors when it is read back.

    Subclasses repeat `frozen=True, kw_only=True`: msgspec applies the second per class, and type
    checkers the first. nan and infinity never enter a record; "not defined" is None.
    """


class Result(Record, frozen=True, kw_only=True, tag_field="kind"):
    """What a command measured; its JSON begins with `kind`, which says which record it is.

    Subclasses give `tag="..."`, the value of `kind`.

    Attributes:
        folder: Of a store, where such results are written; empty where a command only prints them.
    """

    folder: ClassVar[str] = ""

    @classmethod
    def kind(cls) -> str:
        """The value of `kind` in the JSON of this record."""
        return str(cls.__struct_config__.tag)
