"""A grader that knows nothing of mathematics: the last word has to be the gold's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.grades import Judgement, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from emdiag.core.grades import Gold


class ExactWords:
    """An `emdiag.core.protocols.Grader`; it is made and asked in processes with limits."""

    identity = "exact-words/1"
    versions = {"my-words": "3.1"}  # noqa: RUF012 - as a user would write it

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """One judgement for each pair; what is raised becomes `undecided` with a note."""
        for gold, completion in pairs:
            words = completion.split()
            if words[0] == "crash":
                raise RuntimeError(completion)
            if words[0] == "hang":
                while True:
                    pass
            yield Judgement(
                verdict=Verdict.CORRECT if words[-1] == gold.answer else Verdict.WRONG,
                extracted=words[-1],
                boxed=False,
                elapsed_s=0.0,
            )

    def classes(self, groups: Sequence[Sequence[str]]) -> list[list[str]]:
        """Answers are equal where they begin with one letter."""
        return [
            [next(one for one in group if one[0] == answer[0]) for answer in group]
            for group in groups
        ]


class Silent:
    """Lacks most of what a grader has."""

    identity = "silent/1"


class Texts(ExactWords):
    """Answers with text where a `Judgement` is due."""

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """Wrong on purpose; it prints too."""
        for _ in pairs:
            print("grader at work")  # noqa: T201 - a user may
            yield "correct"  # type: ignore[misc]


class Dumb(ExactWords):
    """Gives nothing."""

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """Wrong on purpose."""
        return iter(())


class Leaving(ExactWords):
    """Ends its process."""

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """Wrong on purpose."""
        raise SystemExit(4)
