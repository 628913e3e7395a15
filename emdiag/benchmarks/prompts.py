"""Prompt templates: files with a place for the statement."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from emdiag import resources
from emdiag.benchmarks.cards import closest_hint
from emdiag.core.asking import Asking
from emdiag.core.errors import BenchmarkError
from emdiag.core.paths import expanded
from emdiag.core.problems import Problem
from emdiag.core.reading import InputFile
from emdiag.core.records import Record
from emdiag.core.sampling import FilledPrompt

_NOTHING = Asking()

PLACE = "{statement}"
"""Replaced as plain text: statements are LaTeX and hold braces of their own."""


MOST_EXAMPLES = 100


class Example(Record, frozen=True, kw_only=True):
    """A question with its answer, in front of the one that is asked."""

    statement: str
    answer: str


class _TemplateFile(Record, frozen=True, kw_only=True):
    name: str
    chat: bool
    user: str
    plain: str
    system: str | None = None
    examples: tuple[Example, ...] = ()


class PromptTemplate(_TemplateFile, frozen=True, kw_only=True):
    """What stands around a statement.

    Attributes:
        name: As in the file, such as `boxed`.
        chat: Whether the tokenizer's chat template is applied unless the user says otherwise.
        system: System message under a chat template; None for none.
        user: User message under a chat template; holds `{statement}`.
        plain: The whole text without a chat template; holds `{statement}`.
        examples: Turns of user and assistant in front of the question; without a chat template in
            the plain form, each with its answer and a blank line behind.
        sha256: Of the template file.
    """

    sha256: str


def load_template(name: str) -> PromptTemplate:
    """The shipped template called `name`, or the one in the file `name` if it ends in `.toml`.

    Raises:
        BenchmarkError: There is no such template, or it cannot be read.
    """
    if name.endswith(".toml"):
        return _read_template(expanded(name))
    folder = resources.data_dir("benchmarks") / "templates"
    files = {file.stem: file for file in sorted(folder.glob("*.toml"))}
    if name not in files:
        raise BenchmarkError(
            f"there is no prompt template named {name!r}",
            known=", ".join(files),
            hint=closest_hint(
                name,
                list(files),
                otherwise="a template of your own is given as a path that ends in .toml",
            ),
        )
    return _read_template(files[name])


def fill(template: PromptTemplate, problem: Problem, asking: Asking = _NOTHING) -> FilledPrompt:
    """The problem's statement in the places of the template, character for character.

    `asking` has the text of its system message, not the path of a file.
    """
    examples = template.examples
    shots = (_plain_example(template.plain, example) for example in examples)
    return FilledPrompt(
        problem_id=problem.id,
        system=template.system if asking.system is None else asking.system,
        user=template.user.replace(PLACE, problem.statement),
        plain="".join((*shots, template.plain.replace(PLACE, problem.statement))),
        template_sha256=template.sha256,
        examples=tuple((template.user.replace(PLACE, e.statement), e.answer) for e in examples),
        asking=asking,
        statement=problem.statement,
    )


def _plain_example(plain: str, example: Example) -> str:
    question = plain.replace(PLACE, example.statement)
    is_apart = question[-1:].isspace() or example.answer[:1].isspace()
    return f"{question}{' ' * (not is_apart)}{example.answer.rstrip()}\n\n"


def question_mark(template: PromptTemplate) -> str | None:
    """What a template writes in front of every question, such as `Question:`.

    It is the line before the statement, or what stands on the same line; None where that holds no
    word. A model that writes it again has begun a question of its own.
    """
    for text in (template.plain, template.user):
        before = text.partition(PLACE)[0].rstrip().rpartition("\n")[2].strip()
        if re.search(r"[^\W\d_]{2}", before):
            return before
    return None


def _read_template(file: Path) -> PromptTemplate:
    source = InputFile(
        path=file,
        what="a prompt template",
        error=BenchmarkError,
        hint="its keys are name, chat, user, plain and, if wanted, system and [[examples]], each "
        "with statement and answer",
    )
    try:
        template = msgspec.convert(source.toml(), _TemplateFile)
    except msgspec.ValidationError as error:
        raise source.refused(str(error)) from error
    for key, text in (("user", template.user), ("plain", template.plain)):
        if text.count(PLACE) != 1:
            raise BenchmarkError(
                f"{key!r} of a prompt template holds {PLACE} {text.count(PLACE)} times, "
                "expected once",
                file=file,
            )
    _check_examples(template.examples, source)
    fields = msgspec.structs.asdict(template)
    return PromptTemplate(**fields, sha256=hashlib.sha256(source.content()).hexdigest())


def _check_examples(examples: Sequence[Example], source: InputFile) -> None:
    if len(examples) > MOST_EXAMPLES:
        raise source.refused(
            "it holds too many examples",
            expected=f"at most {MOST_EXAMPLES}",
            found=f"{len(examples):,}",
        )
    for number, example in enumerate(examples, start=1):
        for key, text in msgspec.structs.asdict(example).items():
            if not text.strip():
                raise source.refused(
                    f"the {key} of example {number} is empty",
                    expected="a text",
                    found=repr(text[:20]),
                )
