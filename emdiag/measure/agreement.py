"""Whether two ways of computing one checkpoint agree: on greedy tokens and on probabilities.

The rule. Each number format has a `BOUND` in nats; of two formats the coarser one's counts.
`disagree`: the mean |log p(sampler) - log p(reader)| over tokens drawn at temperature 1 is above
the bound, or the estimate k3 of their KL above its square, or the two take another greedy token
where the reader holds one of the two for more than `TIE` bounds likelier, or tokens are more than
`CHANCE` standard errors likelier or rarer than the entropies say: log-probabilities are those of
raw logits, and do not show how tokens are drawn. Otherwise `near-ties only` where a greedy token
differs, and `agree` where none does.

The square, since for gaps that are normal with deviation s the mean is 0.8 s and k3 s^2 / 2. `TIE`,
since a difference of two logits, each off by its rounding, is what makes another token the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log, sqrt
from statistics import fmean
from typing import Any, Final

from emdiag.core.doctor import (
    READER,
    AgreementVerdict,
    EngineAgreement,
    GreedyDifference,
    LogProbGap,
)
from emdiag.core.moments import LogitTrace
from emdiag.core.sampling import Completion, TokenScore

BOUND: Final[Mapping[str, float]] = {"float32": 0.01, "float16": 0.0125, "bfloat16": 0.1}
"""Largest mean gap in nats, by number format.

bfloat16 keeps 8 bits: logits from 16 to 32 stand 1/8 apart. Trainers count a k3 of 0.001 to 0.002
between bfloat16 engines as usual and refuse more than 0.01 to 0.015, the square of this bound; a
mean gap of 0.064 was reported of two engines that both are right. float16 keeps three bits more, so
an eighth of it. float32 differs by 1e-5 in attention; scans of a state differ by up to half a
percent of the spread of the logits, which the load check lets pass and is about this much.

Source: prime-rl, pull requests 3414 and 3543 (0.01, 0.015); verl, pull request 7749 (0.0016);
verl-omni, issue 637 (0.064).
"""

TIE: Final = 2.5
"""Bounds between two tokens that may change places: in bfloat16 a quarter of a nat, two steps."""

CHANCE: Final = 6.0
"""Standard errors: where few tokens carry the variance, 5 come by chance once in 10,000 looks."""


@dataclass(frozen=True, kw_only=True)
class ScoredText:
    """A text as its engine drew it, and as the reader reads it.

    Attributes:
        scores: The engine's own, one for each token.
        trace: The reader's, of the same tokens.
    """

    completion: Completion
    scores: Sequence[TokenScore]
    trace: LogitTrace


@dataclass(frozen=True, kw_only=True)
class EngineTexts:
    """What an engine drew on the same prompts, greedily and at temperature 1."""

    name: str
    dtype: str
    greedy: Sequence[ScoredText]
    sampled: Sequence[ScoredText]


def against_reader(engine: EngineTexts, *, reader_dtype: str) -> EngineAgreement:
    """An engine against the reader, along the engine's own texts."""
    differences = [part for text in engine.greedy for part in _from_reader(text)]
    tokens = sum(len(text.scores) for text in engine.greedy)
    return EngineAgreement(
        left=engine.name,
        right=READER,
        left_dtype=engine.dtype,
        right_dtype=reader_dtype,
        prompts=len(engine.greedy),
        tokens=tokens,
        equal=tokens - len(differences),
        **_judged(differences, log_prob_gap(engine.sampled), bound_of(engine.dtype, reader_dtype)),
    )


def between(left: EngineTexts, right: EngineTexts, *, reader_dtype: str) -> EngineAgreement:
    """Two engines, each along its own greedy text up to where they part."""
    differences, tokens, equal = [], 0, 0
    for pair in zip(left.greedy, right.greedy, strict=True):
        both = [side.completion.token_ids for side in pair]
        parted = next((n for n, (a, b) in enumerate(zip(*both, strict=False)) if a != b), None)
        tokens += max(map(len, both))
        equal += min(map(len, both)) if parted is None else parted
        if parted is not None:
            differences.append(_parting(*pair, parted))
    return EngineAgreement(
        left=left.name,
        right=right.name,
        left_dtype=left.dtype,
        right_dtype=right.dtype,
        prompts=len(left.greedy),
        tokens=tokens,
        equal=equal,
        **_judged(differences, None, bound_of(left.dtype, right.dtype, reader_dtype)),
    )


def bound_of(*dtypes: str) -> float:
    """Of the coarsest of these number formats; an unknown one counts as bfloat16."""
    return max(BOUND.get(dtype, BOUND["bfloat16"]) for dtype in dtypes)


def log_prob_gap(texts: Sequence[ScoredText]) -> LogProbGap:
    """How far the engine's log-probabilities of its tokens are from the reader's."""
    ratios = [
        read - own.log_prob
        for text in texts
        for own, read in zip(text.scores, text.trace.written_log_prob, strict=True)
    ]
    traces = [text.trace for text in texts]
    entropy = sum(sum(item.entropy_nats) for item in traces)
    excess = -sum(sum(item.written_log_prob) for item in traces) - entropy
    variance = sum(sum(item.varentropy_nats2) for item in traces)
    return LogProbGap(
        tokens=len(ratios),
        mean=fmean(map(abs, ratios)),
        largest=max(map(abs, ratios)),
        k1=-fmean(ratios),
        k3=fmean(expm1(min(ratio, 700.0)) - ratio for ratio in ratios),
        surprise=excess / len(ratios),
        surprise_z=excess / sqrt(variance) if variance > 0 else 0.0,
    )


def verdict_of(
    differences: Sequence[GreedyDifference], gap: LogProbGap | None, bound: float
) -> AgreementVerdict:
    """The rule above."""
    figures = [(part.reader_gap, TIE * bound) for part in differences]
    if gap is not None:
        figures += [(gap.mean, bound), (gap.k3, bound**2), (abs(gap.surprise_z), CHANCE)]
    if not all(figure <= most for figure, most in figures):  # nan is within no bound
        return "disagree"
    return "near-ties only" if differences else "agree"


def _judged(
    differences: Sequence[GreedyDifference], gap: LogProbGap | None, bound: float
) -> dict[str, Any]:
    return {
        "first": min(differences, key=lambda part: part.position, default=None),
        "widest": max(differences, key=lambda part: part.reader_gap, default=None),
        "gap": gap,
        "bound": bound,
        "verdict": verdict_of(differences, gap, bound),
    }


def _from_reader(text: ScoredText) -> Iterator[GreedyDifference]:
    """Every position at which the reader would have taken another token."""
    trace = text.trace
    for place, token in enumerate(text.completion.token_ids):
        if token == trace.top1_token[place]:
            continue
        yield GreedyDifference(
            problem_id=text.completion.problem_id,
            position=place + 1,
            left_token=token,
            right_token=trace.top1_token[place],
            left_margin=text.scores[place].margin,
            right_margin=trace.top1_margin_nats[place],
            reader_gap=log(trace.top1_prob[place]) - trace.written_log_prob[place],
        )


def _parting(left: ScoredText, right: ScoredText, place: int) -> GreedyDifference:
    gap = left.trace.written_log_prob[place] - right.trace.written_log_prob[place]
    return GreedyDifference(
        problem_id=left.completion.problem_id,
        position=place + 1,
        left_token=left.completion.token_ids[place],
        right_token=right.completion.token_ids[place],
        left_margin=left.scores[place].margin,
        right_margin=right.scores[place].margin,
        reader_gap=abs(gap),
    )
