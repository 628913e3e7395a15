"""Options that both trainers have, and how lists of whole numbers are typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from emdiag.core.errors import PlanError
from emdiag.core.options import Option
from emdiag.core.recipes import RECIPE
from emdiag.core.sampling import LEAST_TEMPERATURE, MOST_TEMPERATURE, MOST_TOKENS

MOST_SEEDS = 4_096


def parse_seeds(value: object) -> object:
    """Seeds as typed: `3`, `0,2,5`, `0..4`, or those joined by commas.

    Raises:
        PlanError: It is none of them.
    """
    if not isinstance(value, str):
        return value
    seeds: list[int] = []
    for part in value.split(","):
        match = re.fullmatch(r"\s*(\d{1,19})(?:\.\.(\d{1,19}))?\s*", part)
        if not match or (match[2] and int(match[2]) < int(match[1])):
            raise PlanError(f"seeds are written as 3, 0,2,5 or 0..4; found {value!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first >= MOST_SEEDS - len(seeds):
            raise PlanError(
                f"`seeds` must be at most {MOST_SEEDS:,} numbers, got {value[:60]!r}",
                hint="each seed is a training of its own",
            )
        seeds += range(first, last + 1)
    return tuple(seeds)


def parse_numbers(value: object) -> object:
    """Whole numbers joined by commas, ascending and each once.

    Raises:
        PlanError: It is something else.
    """
    if not isinstance(value, str):
        return value
    try:
        return tuple(sorted({int(part) for part in value.split(",")}))
    except ValueError as error:
        raise PlanError(f"whole numbers are written as 1,5,10; found {value!r}") from error


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that do not name one training each.

    Raises:
        PlanError: There is none, one is below 0, or two are equal.
    """
    if not seeds or min(seeds) < 0 or len(set(seeds)) < len(seeds):
        raise PlanError(f"`seeds` must be one or more different numbers >= 0, got {seeds}")


RECORD = "Record and checkpoints"
"""Panel of the help page."""

NOT_GREEDY = (
    f"> 0 (greedy samples are all the same), from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}"
)
"""What a temperature of training must be."""

LEAST_RATE, MOST_RATE = 1e-12, 10.0
"""Of learning: less moves no weight in float32, more leaves none."""

MOST_SEED = 2**63 - 1
MOST_UPDATES = 100_000_000
MOST_WEIGHT = 1e6
"""Of a term of the loss, of decay or of clipping."""

Ref = Annotated[
    str,
    Option(
        "Hub id, id@revision, folder, .gguf file, lab, or an earlier --out.",
        metavar="REF",
        is_argument=True,
    ),
]
OutFolder = Annotated[
    str,
    Option("Folder of the result; the same command continues.", flags=("--out", "-o"), read=str),
]
Seeds = Annotated[
    tuple[int, ...],
    Option(
        "3, 0,2,5 or 0..4; the first is registered.",
        panel=RECIPE,
        at_least=0,
        at_most=MOST_SEED,
        read=parse_seeds,
    ),
]
SaveUpdates = Annotated[
    tuple[int, ...],
    Option(
        "Updates whose checkpoint is kept, such as 1,5; the last always is.",
        panel=RECORD,
        at_least=0,
        at_most=MOST_UPDATES,
        read=parse_numbers,
    ),
]
StateEvery = Annotated[
    int,
    Option(
        "Updates between states that a killed run goes on from; 0 keeps none.",
        panel=RECORD,
        at_least=0,
        at_most=MOST_UPDATES,
    ),
]

# Of a recipe.
Chat = Annotated[
    bool | None, Option("Apply the tokenizer's chat template.", flags=("--chat/--no-chat",))
]
MaxTokens = Annotated[
    int | None,
    Option("New tokens at most; the benchmark's by default.", at_least=1, at_most=MOST_TOKENS),
]
Template = Annotated[str | None, Option("Prompt template; the benchmark's by default.")]
AtLeastZero = Annotated[float, Option(at_least=0, at_most=MOST_WEIGHT)]
