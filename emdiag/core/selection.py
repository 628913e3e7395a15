"""Which prompt to train on: the figures of each, and what ranked them."""

from __future__ import annotations

from typing import Literal

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.records import Record, Result
from emdiag.core.results import Interval, Remark

Criterion = Literal[
    "outcome-variance", "answer-entropy", "agreement", "token-entropy", "majority"
]  # fmt: skip
"""What prompts are ranked by. `outcome-variance` needs labels, the others do not."""


class PromptStatistics(Record, frozen=True, kw_only=True):
    """How a checkpoint behaves on one prompt, over its samples.

    A sample without an answer counts as a sample and is no vote (`measure/votes.py`): it lowers
    agreement and majority; `no_answer_frac` shows how many there are.

    Attributes:
        pass_rate: Share of right samples, with its interval over samples; uses labels.
        outcome_variance: Unbiased sample variance of being right, between 0 and 1/2; uses labels.
        majority_correct: Share of right samples among those with the most frequent answer,
            averaged over several; 0 without an answer; uses labels. These three are None where
            the problem has no label.
        answer_entropy_nats: Of the shares of the answers given; None where none was.
        agreement: Unbiased chance that two samples give the same answer.
        majority_frac: Share of all samples that give the most frequent answer.
        majority_answer: That answer, the earliest of several; None where none was given.
        token_entropy_nats: Mean over all sampled tokens of the entropy of the distribution at
            temperature 1; None where it was not read.
    """

    problem_id: str
    statement: str
    samples: int
    pass_rate: float | None
    pass_rate_interval: Interval | None
    outcome_variance: float | None
    majority_correct: float | None
    answer_entropy_nats: float | None
    agreement: float
    majority_frac: float
    majority_answer: str | None
    no_answer_frac: float
    token_entropy_nats: float | None
    mean_tokens: float
    truncated_frac: float
    unfinished_frac: float | None = None


class SelectResult(Result, frozen=True, kw_only=True, tag="selection"):
    """A pool of prompts, ranked for one checkpoint.

    Attributes:
        problems_total: Of the whole pool; more than `problems` where a limit was given.
        labelled: Problems that have an answer to compare with.
        best, meaning: Which end of the criterion comes first, and what that end means.
        ranked: Every prompt, the best first; equal ones in the order of the pool, and those on
            which the criterion is not defined last.
        tied: Prompts that share the best value, the first one included.
    """

    label: str
    checkpoint: CheckpointRef
    pool: str
    problems: int
    problems_total: int
    labelled: int
    samples: int
    temperature: float
    template: str
    chat: bool
    engine: str
    run_key: str
    by: Criterion
    best: Literal["highest", "lowest"]
    meaning: Remark
    used_labels: bool
    ranked: tuple[PromptStatistics, ...]
    tied: int
    file: str
    notes: tuple[Remark, ...]
