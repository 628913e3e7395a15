"""What a completion looks like, whatever it answers."""

from __future__ import annotations

REPEATED_ABOVE = 0.5
_GRAM = 4
_FEWEST_GRAMS = 20


def repeated_share(text: str) -> float:
    """Share of word 4-grams that occur earlier in the text, in [0, 1).

    0 for texts of fewer than 20 such 4-grams, where a repeat says nothing.

    Source: seq-rep-4 of Welleck et al. 2019, arXiv:1908.04319, on words instead of tokens.
    """
    words = text.split()
    grams = list(zip(*(words[start:] for start in range(_GRAM)), strict=False))
    if len(grams) < _FEWEST_GRAMS:
        return 0.0
    return 1 - len(set(grams)) / len(grams)
