"""Where texts come from, as far as it says which part of them is no answer.

Under emdiag's own engines special tokens never become text. Texts from elsewhere hold them as their
tokenizer spells them, and a base model writes the question mark of its own prompt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from emdiag.core.grades import Gold, Judgement
from emdiag.core.protocols import Grader
from emdiag.grading.parse.extract import before_question


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What the writer of a completion puts around answers.

    Attributes:
        question_mark: Of its prompts' template; None where that marks nothing.
        tokens: Special tokens of its tokenizer, as text.
        turn_ends: Those of them at which a completion ends.
        opening: What its prompts' end opens: a box, or words that announce an answer.
    """

    question_mark: str | None = None
    tokens: tuple[str, ...] = ()
    turn_ends: tuple[str, ...] = ()
    opening: str = ""

    @cached_property
    def _tokens(self) -> re.Pattern[str]:
        longest_first = sorted({*self.tokens, *self.turn_ends}, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, longest_first)))

    def spoken(self, completion: str) -> str:
        """A completion up to its turn's end and its next question, with blanks for its tokens.

        Every character that is left stands where it stood.
        """
        if self._tokens.pattern:
            pieces, at = [], 0
            for token in self._tokens.finditer(completion):
                pieces.append(completion[at : token.start()])
                at = token.end()
                if token[0] in self.turn_ends and any(map(str.strip, pieces)):
                    break
                pieces.append(" " * len(token[0]))
            else:
                pieces.append(completion[at:])
            completion = "".join(pieces)
        if self.question_mark is None:
            return completion
        return before_question(completion, self.question_mark)


class GraderOfOrigin:
    """A `Grader` that is given what completions of one origin say, and nothing else of them."""

    def __init__(self, grader: Grader, origin: Origin) -> None:
        self._grader, self._origin = grader, origin
        self.identity, self.versions, self.classes = (
            grader.identity,
            grader.versions,
            grader.classes,
        )

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """One judgement for each (gold, completion text), in their order."""
        opening = self._origin.opening
        return self._grader.grade(
            (gold, opening + self._origin.spoken(text)) for gold, text in pairs
        )
