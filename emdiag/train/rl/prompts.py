"""Problems as TRL reads them, checked token by token before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.benchmarks.custom import is_problems_file
from emdiag.benchmarks.open import open_benchmark
from emdiag.benchmarks.prompts import load_template, question_mark
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import derive_seed
from emdiag.core.errors import CheckpointError
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.core.protocols import PromptEncoder
from emdiag.core.sampling import Prompt
from emdiag.engines.requests import check_room
from emdiag.train.prompts import Reading, source_of
from emdiag.train.rl.plan import RLPlan

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MOST_HELD_OUT = 5
"""At most one problem in so many is kept out of training."""


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Problems to train on and problems to measure on, as one checkpoint reads them.

    Attributes:
        problems, prompts: To train on; they belong to each other one by one.
        held_out: Prompts of problems that are not trained on.
        question_mark: How the prompts mark their question, if they do.
        notes: What a reader of a score should know.
        choices: Those of them that say what nobody typed.
    """

    card: BenchmarkCard
    problems: tuple[Problem, ...]
    prompts: tuple[Prompt, ...]
    held_out: tuple[Prompt, ...]
    max_tokens: int
    question_mark: str | None
    notes: tuple[str, ...]
    choices: tuple[str, ...]


def load_training_set(
    plan: RLPlan, checkpoint: CheckpointRef, encoder: PromptEncoder, *, home: Path
) -> TrainingSet:
    """The problems of a plan, encoded, with some of them held out.

    Raises:
        BenchmarkError: The benchmark or the template is unknown, absent or wrong.
        PlanError: Too few problems, or a prompt leaves no room for the answer.
    """
    labelled = plan.recipe.reward == "correct"
    card, problems, _ = open_benchmark(plan.benchmark, home=home, require_answers=labelled)
    problems = problems[: plan.limit]
    source = source_of(card, problems)
    reading = Reading(
        checkpoint=checkpoint,
        encoder=encoder,
        template=plan.recipe.template,
        chat=plan.recipe.chat,
        asking=plan.asking,
    )
    prompts = reading.prompts(source)
    kept_out = _held_out(problems, wanted=plan.held_out)
    max_tokens = plan.recipe.max_tokens or reading.max_tokens(source, prompts)
    check_room(prompts, max_tokens=max_tokens, max_context=encoder.max_context)
    pairs = list(zip(problems, prompts, strict=True))
    trained = [pair for pair in pairs if pair[0].id not in kept_out]
    notes = reading.notes()
    if not is_problems_file(plan.benchmark):
        notes.append(
            f"trained on the problems of {card.name}: a score on them does not test this checkpoint"
        )
    if len(kept_out) < plan.held_out:
        notes.append(f"{len(kept_out)} of {len(problems)} problems are held out of training")
    return TrainingSet(
        card=card,
        problems=tuple(problem for problem, _ in trained),
        prompts=tuple(prompt for _, prompt in trained),
        held_out=tuple(prompt for problem, prompt in pairs if problem.id in kept_out),
        max_tokens=max_tokens,
        question_mark=question_mark(load_template(plan.recipe.template or card.template)),
        notes=tuple(notes),
        choices=tuple(reading.choices),
    )


def schedule(count: int, *, rows: int, seed: int) -> list[int]:
    """Which of `count` problems each group of samples is of, for the groups of all updates.

    Whole passes, each in an order of its own.
    """
    order: list[int] = []
    turn = 0
    while len(order) < rows:
        keys = [derive_seed(seed, "rl-order", turn, place) for place in range(count)]
        order += sorted(range(count), key=keys.__getitem__)
        turn += 1
    return order[:rows]


def texts_for_trl(prompts: Sequence[Prompt], tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Texts that TRL's own encoding turns into exactly the token ids of the prompts.

    TRL encodes a plain text with the tokenizer's special tokens. A rendered chat begins with some
    of them already; where it does, they are left to the tokenizer.

    Raises:
        CheckpointError: A prompt cannot be had; the error names the first difference.
    """
    begin = tokenizer.bos_token or ""
    texts = []
    for prompt in prompts:
        candidates = [prompt.text]
        if begin and prompt.text.startswith(str(begin)):
            candidates.append(prompt.text.removeprefix(str(begin)))
        encodings = [tuple(tokenizer(text=[text])["input_ids"][0]) for text in candidates]
        if prompt.token_ids not in encodings:
            raise _unequal(prompt, encodings[0], tokenizer)
        texts.append(candidates[encodings.index(prompt.token_ids)])
    return texts


def _unequal(
    prompt: Prompt, encoded: tuple[int, ...], tokenizer: PreTrainedTokenizerBase
) -> CheckpointError:
    pairs = zip(prompt.token_ids, encoded, strict=False)
    shorter = min(len(prompt.token_ids), len(encoded))
    place = next((at for at, (expected, trl) in enumerate(pairs) if expected != trl), shorter)
    return CheckpointError(
        "TRL tokenizes a prompt differently from evaluation",
        problem=prompt.problem_id,
        position=place,
        evaluation=f"{prompt.token_ids[place : place + 4]} of {len(prompt.token_ids)}",
        trl=f"{encoded[place : place + 4]} of {len(encoded)}",
        tokenizer_class=type(tokenizer).__name__,
        hint="train without the chat template (--no-chat), or repair the tokenizer files",
    )


def _held_out(problems: Sequence[Problem], *, wanted: int) -> set[str]:
    """Ids of problems to measure on: the same for every seed of training."""
    count = min(wanted, len(problems) // _MOST_HELD_OUT)
    names = [problem.id for problem in problems]
    return set(sorted(names, key=lambda name: derive_seed(0, "rl-held-out", name))[:count])
