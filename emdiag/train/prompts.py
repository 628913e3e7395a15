"""From what the user named to the token ids that a trainer reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emdiag.benchmarks.custom import is_problems_file, load_custom
from emdiag.benchmarks.open import open_benchmark
from emdiag.benchmarks.prompts import fill, load_template
from emdiag.core.asking import Asking
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import BenchmarkError, PlanError
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.core.protocols import PromptEncoder
from emdiag.core.reading import LONGEST_LINE, InputFile
from emdiag.core.results import Remark
from emdiag.core.sampling import Prompt
from emdiag.engines.defaults import ReadPrompts, chosen_chat, tokens_with_room
from emdiag.findings.remarks import words_of

FILE_MAX_TOKENS = 2048
"""Limit of new tokens for a prompt that comes without a card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSource:
    """Problems with the way their benchmark asks them.

    Attributes:
        name: Of their benchmark.
        template: Name, or path of a `.toml` file.
        max_tokens: New tokens at most, by the benchmark's card.
        benchmark_problems: All problems of the same benchmark, for holding out.
    """

    problems: tuple[Problem, ...]
    name: str
    template: str
    max_tokens: int
    benchmark_problems: tuple[Problem, ...] = ()


def find_problems(names: Sequence[str], *, home: Path) -> ProblemSource:
    """The problems called `BENCHMARK/ID`, all of one benchmark.

    Raises:
        BenchmarkError: The benchmark is unknown or absent, or has no such problem.
        PlanError: A name has another form, or they are of several benchmarks.
    """
    benchmarks = sorted({name.partition("/")[0] for name in names})
    if not all("/" in name for name in names) or len(benchmarks) != 1:
        raise PlanError(
            "training problems are named BENCHMARK/ID and come from one benchmark",
            found=", ".join(names),
            hint="such as one_shot/0000 or chain/0012; `emdiag benchmarks list` shows all",
        )
    card, problems, _ = open_benchmark(benchmarks[0], home=home)
    by_id = {problem.id: problem for problem in problems}
    missing = [name for name in names if name not in by_id]
    if missing:
        ids = list(by_id)
        raise BenchmarkError(
            f"{card.name} has no problem {missing[0]!r}",
            known=f"{len(ids)} problems, {ids[0]} to {ids[-1]}",
        )
    return source_of(card, [by_id[name] for name in dict.fromkeys(names)], list(by_id.values()))


def read_prompt_file(path: Path, *, prompts: int | None = None) -> ProblemSource:
    """The problems of a problems file, or the text of any other file as one prompt.

    Args:
        path: A problems file ends as one does; everything else is a text.
        prompts: How many problems from the start of the file; None for all of them.

    Raises:
        BenchmarkError: The file cannot be read, or holds fewer problems or no text.
        PlanError: Several prompts are asked of a text.
    """
    if is_problems_file(path.name):
        card, problems = load_custom(path, require_answers=False)
        if prompts is not None and len(problems) < prompts:
            raise BenchmarkError(
                f"{prompts} training prompts are asked for, the file holds {len(problems)}",
                file=path,
            )
        return source_of(card, problems[:prompts], problems)
    if prompts not in {None, 1}:
        raise PlanError(
            f"{prompts} training prompts are asked for, and a text file is one prompt",
            file=path,
            hint="several prompts stand in a problems file (.jsonl), one on each line",
        )
    text = InputFile(path=path, what="a prompt file", error=BenchmarkError).text(most=LONGEST_LINE)
    if not text.strip():
        raise BenchmarkError("a prompt file holds no text", file=path)
    problem = Problem(
        id=f"{path.stem}/0000",
        benchmark=path.stem,
        statement=text,
        answer="",
        answer_raw="",
    )
    return ProblemSource(
        problems=(problem,), name=path.stem, template="plain", max_tokens=FILE_MAX_TOKENS
    )


def read_benchmark(
    name: str, *, home: Path, leave_out: Sequence[Problem], count: int
) -> ProblemSource:
    """Problems of a benchmark or problems file that are not trained on, spread over it evenly.

    Raises:
        BenchmarkError: It is unknown, absent or holds no other problem.
    """
    card, problems, _ = open_benchmark(name, home=home, require_answers=False)
    held_out = spread(problems, leave_out=leave_out, count=count)
    if not held_out:
        raise BenchmarkError(f"{card.name} holds no problem that is not trained on")
    return source_of(card, held_out, problems)


def spread(
    problems: Sequence[Problem], *, leave_out: Sequence[Problem], count: int
) -> list[Problem]:
    """`count` problems at even distances, without those whose statement is left out."""
    unwanted = {problem.statement for problem in leave_out}
    rest = [problem for problem in problems if problem.statement not in unwanted]
    count = min(count, len(rest))
    return [rest[(2 * place + 1) * len(rest) // (2 * count)] for place in range(count)]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a checkpoint is asked.

    Attributes:
        template: None for that of the problems' benchmark.
        chat: None for what the template says, as far as the tokenizer has a chat template.
        choices: What of it nobody typed, as far as a reader should know; grows with each reading.
    """

    checkpoint: CheckpointRef
    encoder: PromptEncoder
    template: str | None
    chat: bool | None
    asking: Asking
    choices: list[str] = field(default_factory=list)

    def prompts(self, source: ProblemSource) -> list[Prompt]:
        """The problems as the checkpoint reads them.

        Raises:
            BenchmarkError: There is no such template.
            CheckpointError: The tokenizer loses characters, or lacks a chat template asked for.
            PlanError: They are plain, and something is asked that only a chat can take.
        """
        template, asking = load_template(self.template or source.template), self.asking.with_text()
        chat, notes = chosen_chat(
            asking,
            by_template=template.chat,
            chat=self.chat,
            template=self.template,
            checkpoints=[self.checkpoint],
            benchmark=source.name,
        )
        self._say(notes)
        filled = [fill(template, problem, asking) for problem in source.problems]
        return self.encoder.encode(filled, chat=chat)

    def max_tokens(self, source: ProblemSource, prompts: Sequence[Prompt]) -> int:
        """New tokens at most where nobody typed them: the card's, or what the context leaves."""
        read = ReadPrompts(
            label=self.checkpoint.label,
            prompts=prompts,
            measured=prompts,
            context=self.encoder.max_context,
        )
        tokens, notes = tokens_with_room(source.max_tokens, [read], benchmark=source.name)
        self._say(notes)
        return tokens

    def _say(self, notes: Sequence[Remark]) -> None:
        self.choices.extend(
            words for note in notes if (words := words_of(note)) not in self.choices
        )

    def notes(self) -> list[str]:
        """What a reader of a score should know of the prompts."""
        words = self.asking.with_text().words
        wording = [f"prompts are asked with {what} {how}" for what, how in words.items()]
        return [*self.encoder.notes, *self.choices, *wording]


def source_of(
    card: BenchmarkCard, problems: Sequence[Problem], benchmark_problems: Sequence[Problem] = ()
) -> ProblemSource:
    """Problems as the benchmark of a card asks them."""
    return ProblemSource(
        problems=tuple(problems),
        name=card.name,
        template=card.template,
        max_tokens=card.max_tokens,
        benchmark_problems=tuple(benchmark_problems),
    )
