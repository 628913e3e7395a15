r"""The task `chain`: digits under + - * modulo 10, from left to right.

A problem reads `Compute ((3+5)*7)-2 mod 10.`; its written solution goes step by step,
`3+5=8. 8*7=6. 6-2=4. \boxed{4}`, and its direct answer is the box alone. Which of the two a
document shows is drawn at random, and how often depends on the wording of the problem: a network
that learns this text is able but undecided.

One chain in 16, chosen by a hash of its expression, is held out: benchmarks draw from those and
training text from all others, so that no seed on either side can make the two meet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from emdiag.core.digest import derive_seed
from emdiag.core.problems import Problem
from emdiag.lab.recipe import SHIPPED_RECIPE, LabRecipe

WORDINGS = (
    "Compute {expression} mod 10.",
    "What is {expression} modulo 10?",
    "Evaluate {expression} (mod 10).",
    "Reduce {expression} modulo 10.",
)
BENCHMARK_SEED = 20260
BENCHMARK_SIZE = 300

_OPERATORS = "+-*"
_HELD_OUT_ONE_IN = 16


@dataclass(frozen=True, slots=True)
class Chain:
    """Digits, and the operators between them; worked off from left to right.

    Attributes:
        digits: Each in 0-9.
        operators: One fewer than digits, each one of `+`, `-`, `*`.
    """

    digits: tuple[int, ...]
    operators: str

    @property
    def expression(self) -> str:
        """The chain with parentheses around all but the last operation: `((3+5)*7)-2`."""
        text = str(self.digits[0])
        for position, (operator, digit) in enumerate(self._links()):
            opened = f"({text})" if position else text
            text = f"{opened}{operator}{digit}"
        return text

    @property
    def answer(self) -> int:
        """The value modulo 10, in 0-9."""
        value = self.digits[0]
        for operator, digit in self._links():
            value = _apply(value, operator, digit)
        return value

    @property
    def is_held_out(self) -> bool:
        """Whether benchmarks own this chain; training text owns all others."""
        return hashlib.sha256(self.expression.encode()).digest()[0] % _HELD_OUT_ONE_IN == 0

    def solution(self, random: Random, *, sloppiness: float = 0.0) -> str:
        """The step-by-step solution; each step goes wrong with chance `sloppiness`."""
        value, steps = self.digits[0], []
        for operator, digit in self._links():
            result = _apply(value, operator, digit)
            if random.random() < sloppiness:
                result = (result + 1 + _below(random, 9)) % 10
            steps.append(f"{value}{operator}{digit}={result}. ")
            value = result
        return "".join(steps) + boxed(value)

    def _links(self) -> Iterator[tuple[str, int]]:
        return zip(self.operators, self.digits[1:], strict=True)


def draw_chain(random: Random, digits: int, *, held_out: bool) -> Chain:
    """A chain of `digits` digits, uniform over the held-out ones or over all others."""
    while True:
        chain = Chain(
            digits=tuple(_below(random, 10) for _ in range(digits)),
            operators="".join(_OPERATORS[_below(random, 3)] for _ in range(digits - 1)),
        )
        if chain.is_held_out == held_out:
            return chain


def state(chain: Chain, wording: int) -> str:
    """The problem in one of the four wordings, counted from 1."""
    return WORDINGS[wording - 1].replace("{expression}", chain.expression)


def boxed(value: int) -> str:
    r"""The direct answer: `\boxed{4}`."""
    return rf"\boxed{{{value}}}"


def writes_steps(completion: str) -> bool:
    """Whether a completion goes step by step: it calculates before it answers."""
    return "=" in completion.split(r"\boxed", maxsplit=1)[0]


def training_documents(recipe: LabRecipe) -> Iterator[str]:
    """Endless pre-training text: statement, line break, solution or direct answer."""
    random = Random(derive_seed(recipe.seed, "lab", "documents"))
    lengths = recipe.max_digits - recipe.min_digits + 1
    while True:
        wording = 1 + _below(random, len(WORDINGS))
        chain = draw_chain(random, recipe.min_digits + _below(random, lengths), held_out=False)
        if random.random() < recipe.steps_share[wording - 1]:
            answer = chain.solution(random, sloppiness=recipe.sloppiness)
        else:
            answer = boxed(chain.answer)
        yield f"{state(chain, wording)}\n{answer}"


def held_out_problems(size: int = BENCHMARK_SIZE) -> list[Problem]:
    """Distinct held-out problems; wordings take turns, and so do lengths within a wording."""
    random = Random(derive_seed(BENCHMARK_SEED, "lab", "held-out"))
    return _draw_problems(random, size, held_out=True, prefix="chain/")


def training_problems(size: int, *, seed: int) -> list[Problem]:
    """Distinct problems that no benchmark holds, to train on; in the order of the benchmark."""
    random = Random(derive_seed(seed, "lab", "training"))
    return _draw_problems(random, size, held_out=False, prefix=f"chain/train-{seed}-")


def _draw_problems(random: Random, size: int, *, held_out: bool, prefix: str) -> list[Problem]:
    """Of distinct chains; lengths take turns, each staying for one problem in every wording."""
    lengths = range(SHIPPED_RECIPE.min_digits, SHIPPED_RECIPE.max_digits + 1)
    chains: dict[str, Chain] = {}
    while len(chains) < size:
        digits = lengths[len(chains) // len(WORDINGS) % len(lengths)]
        chain = draw_chain(random, digits, held_out=held_out)
        chains.setdefault(chain.expression, chain)
    return [_problem(chain, number, prefix=prefix) for number, chain in enumerate(chains.values())]


def _problem(chain: Chain, number: int, *, prefix: str) -> Problem:
    wording = 1 + number % len(WORDINGS)
    return Problem(
        id=f"{prefix}{number:04d}",
        benchmark="chain",
        statement=state(chain, wording),
        answer=str(chain.answer),
        answer_raw=str(chain.answer),
        answer_type="number",
        subject=f"wording {wording}",
        level=len(chain.digits),
    )


def _apply(left: int, operator: str, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right}[operator] % 10


def _below(random: Random, bound: int) -> int:
    # random() is the one method whose sequence Python promises to keep between versions.
    return int(random.random() * bound)
