"""Groups of options that several commands share, each option declared once."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from emdiag.core.grades import MAIN_GRADER
from emdiag.core.options import Option
from emdiag.core.reasoning import typed_reasoning
from emdiag.core.records import Record
from emdiag.core.sampling import (
    LEAST_PENALTY,
    LEAST_TEMPERATURE,
    LEAST_TOP_P,
    MOST_PENALTY,
    MOST_SAMPLES,
    MOST_TEMPERATURE,
    MOST_TOKENS,
    SamplingParams,
)
from emdiag.core.typed_lists import names, stop_strings

MOST_PROBLEMS = 1_000_000_000
"""No benchmark is larger."""

THINKING_TOKENS = 32_768
"""New tokens of a checkpoint that thinks, where nobody says how many: what the makers of Qwen3 and
QwQ advise for most problems."""

MOST_PROCESSES = 1024
"""Threads, workers or devices of one machine."""

LEAST_DEADLINE_S, A_DAY_S = 0.01, 86_400

OWN_TEMPERATURE = f"0 (greedy) or from {LEAST_TEMPERATURE:g} to {MOST_TEMPERATURE:g}"


class Targets(Record, frozen=True, kw_only=True):
    """Which problems are asked, and how they are put."""

    benchmarks: Annotated[
        tuple[str, ...],
        Option(
            "Names, .jsonl, .json or .parquet files, or folders with a card; separated by commas.",
            flags=("-b", "--benchmark"),
            read=names,
        ),
    ] = ("chain",)
    limit: Annotated[
        int | None,
        Option(
            "Use only the first N problems; the score is partial.",
            at_least=1,
            at_most=MOST_PROBLEMS,
        ),
    ] = None
    template: Annotated[str | None, Option("Prompt template, or a .toml file of your own.")] = None
    chat: Annotated[
        bool | None, Option("Apply the tokenizer's chat template.", flags=("--chat/--no-chat",))
    ] = None
    reasoning: Annotated[
        str,
        Option(
            "How thinking is marked: auto, none, think, harmony, START,END, text:START,END.",
            read=typed_reasoning,
        ),
    ] = "auto"


class Sampling(Record, frozen=True, kw_only=True):
    """How completions are drawn."""

    panel: ClassVar[str] = "Sampling"

    samples: Annotated[
        int, Option("Samples of each problem.", at_least=1, at_most=MOST_SAMPLES)
    ] = 1
    temperature: Annotated[
        float,
        Option(
            "0 is greedy.",
            at_least=LEAST_TEMPERATURE,
            at_most=MOST_TEMPERATURE,
            also=0,
            expected=OWN_TEMPERATURE,
        ),
    ] = 0.0
    top_p: Annotated[
        float,
        Option(
            "Nucleus mass kept; 1 keeps all.",
            at_least=LEAST_TOP_P,
            at_most=1,
            expected=f"in (0, 1] (1 keeps all), {LEAST_TOP_P:g} or more",
        ),
    ] = 1.0
    top_k: Annotated[
        int,
        Option(
            "Tokens kept; 0 keeps all.",
            at_least=0,
            at_most=MOST_TOKENS,
            expected=f"from 0 (keeps all) to {MOST_TOKENS:,}",
        ),
    ] = 0
    min_p: Annotated[
        float,
        Option(
            "Leave out tokens below this share of the likeliest one; 0 keeps all.",
            at_least=0,
            at_most=1,
            expected="in [0, 1] (0 keeps all)",
        ),
    ] = 0.0
    repetition_penalty: Annotated[
        float,
        Option(
            "1 is none.",
            at_least=LEAST_PENALTY,
            at_most=MOST_PENALTY,
            expected=f"from {LEAST_PENALTY:g} to {MOST_PENALTY:g} (1 is none)",
        ),
    ] = 1.0
    max_tokens: Annotated[
        int | None,
        Option(
            "New tokens at most; the card's by default, 32,768 where the checkpoint thinks.",
            at_least=1,
            at_most=MOST_TOKENS,
        ),
    ] = None
    stop: Annotated[
        tuple[str, ...],
        Option("A string that ends a completion; repeatable.", is_repeated=True, read=stop_strings),
    ] = ()
    seed: Annotated[int, Option("Seed of the run.")] = 0

    def params(self, *, max_tokens: int, stop_token_ids: tuple[int, ...]) -> SamplingParams:
        """What an engine is told; `max_tokens` are the card's, for a plan that names none."""
        shared = {
            name: getattr(self, name)
            for name in SamplingParams.__struct_fields__
            if name in self.__struct_fields__
        }
        shared |= {"max_tokens": self.max_tokens or max_tokens, "stop_token_ids": stop_token_ids}
        return msgspec.convert(shared, SamplingParams)  # 1 and 1.0 are one run


class Grading(Record, frozen=True, kw_only=True):
    """How answers are judged."""

    grader: Annotated[str, Option("math-verify, or package.module:name for one of your own.")] = (
        MAIN_GRADER
    )
    grader_workers: Annotated[
        int | None,
        Option("Grading processes; one per core by default.", at_least=1, at_most=MOST_PROCESSES),
    ] = None
    deadline_s: Annotated[
        float,
        Option(
            "Seconds one comparison may take.",
            flags=("--deadline",),
            at_least=LEAST_DEADLINE_S,
            at_most=A_DAY_S,
        ),
    ] = 10.0
