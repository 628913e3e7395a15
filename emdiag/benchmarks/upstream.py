"""Rows of each benchmark, in every layout it is found in, to problems and written solutions.

Both layouts of a set give the same problems, byte for byte, where their rows are the same. Ids
come from the source where it has one that both layouts keep; otherwise they count rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from emdiag.benchmarks import golds
from emdiag.benchmarks.rows import SourceRow, reward_label, text_field
from emdiag.core.errors import BenchmarkError
from emdiag.core.problems import AnswerType, Problem

ToProblem = Callable[[SourceRow, int], Problem]
ToSolution = Callable[[SourceRow], str | None]


@dataclass(frozen=True)
class Layout:
    """One way in which rows of a benchmark are published.

    Attributes:
        name: Such as `hub`.
        fields: Every row has them; the first layout that fits the first row is taken.
        problem: A row and its number, from 1, to a problem.
        solution: A row to its written solution, or None where the row has none that can be used;
            None where no row of the layout has one.
        repeats: Whether the file is one row many times over, as training files of one prompt are.
    """

    name: str
    fields: tuple[str, ...]
    problem: ToProblem
    solution: ToSolution | None = None
    repeats: bool = False


def layouts(benchmark: str) -> tuple[Layout, ...]:
    """The layouts a benchmark is read from, the most specific first.

    Raises:
        BenchmarkError: The benchmark has no upstream files.
    """
    if benchmark not in _LAYOUTS:
        raise BenchmarkError(
            f"{benchmark} has no upstream files to import", hint="it is shipped with emdiag"
        )
    return _LAYOUTS[benchmark]


def in_order(benchmark: str, problems: list[Problem]) -> list[Problem]:
    """Problems in the order emdiag keeps: by id where ids are the source's own and ordered."""
    if benchmark in {"olympiadbench", "amc23"}:
        return sorted(problems, key=lambda problem: _numbers_last(problem.id))
    return problems


def _numbers_last(name: str) -> tuple[str, int]:
    stem, number = re.fullmatch(r"(.*?)(\d+)", name).groups()  # type: ignore[union-attr]  # ids end so
    return stem, int(number)


def _solution(row: SourceRow) -> str | None:
    return _usable(row.get("solution"))


def _first_solution(row: SourceRow) -> str | None:
    written = row.get("solution")
    return _usable(written[0]) if isinstance(written, list) and written else None


def _usable(text: object) -> str | None:
    return text.strip() or None if isinstance(text, str) else None


_MATH_FIELDS = ("problem", "answer", "subject", "level", "unique_id")


def _math(row: SourceRow, number: int) -> Problem:
    level = row["level"]
    if not isinstance(level, int) or isinstance(level, bool):
        raise BenchmarkError(f"row {number}: field 'level' must hold a whole number, not {level!r}")
    statement = text_field(row, "problem", number=number)
    raw = text_field(row, "answer", number=number)
    gold = golds.latex_gold(raw)
    # `(-a, a)` looks like a point; the question says when it is not.
    interval = gold.answer_type == "tuple" and "interval notation" in statement
    unique = text_field(row, "unique_id", number=number)
    return Problem(
        id=f"math500/{_slug(unique, number=number)}",
        benchmark="math500",
        statement=statement,
        answer=gold.answer,
        answer_raw=raw,
        answer_type="interval" if interval else gold.answer_type,
        unit=gold.unit,
        subject=text_field(row, "subject", number=number),
        level=level,
    )


def _slug(unique_id: str, *, number: int) -> str:
    match = re.fullmatch(r"test/([a-z_]+)/(\d+)\.json", unique_id)
    if not match:
        raise BenchmarkError(
            f"row {number}: 'unique_id' is {unique_id!r}, expected test/SUBJECT/NUMBER.json"
        )
    return f"{match[1]}-{match[2]}"


# One of the two layouts names no course; rows are grouped by course in both.
_COURSES = (
    ("Introduction to Astronomy", 53),
    ("Information and Entropy", 3),
    ("Ecology", 5),
    ("Differential Equations", 48),
    ("Dynamics and Control", 26),
    ("Relativity", 11),
    ("Introduction to Solid State Chemistry", 97),
    ("Principles of Microeconomics", 18),
    ("Physical Chemistry", 11),
)


def _minerva_solution(row: SourceRow, number: int) -> Problem:
    solution = text_field(row, "solution", number=number)
    raw = golds.last_box(solution)
    if not raw:
        raise BenchmarkError(
            rf"row {number}: the solution holds no \boxed{{}} with balanced braces",
            solution=solution[-120:],
        )
    return _minerva(text_field(row, "problem", number=number), raw, number)


def _minerva_answer(row: SourceRow, number: int) -> Problem:
    raw = text_field(row, "answer", number=number)
    return _minerva(text_field(row, "question", number=number), raw, number)


def _minerva(statement: str, raw: str, number: int) -> Problem:
    text = raw.replace("np.arc", r"\arc")  # one gold is code
    text = re.sub(r"(?<=\d)\.(?=/)", "", text)  # -1./3
    text = re.sub(r"\\exp\{([^{}]*)\}", lambda match: f"e^{{{match[1].replace('*', ' ')}}}", text)
    gold = golds.latex_gold(text)
    return Problem(
        id=f"minerva_math/{number - 1:04d}",
        benchmark="minerva_math",
        statement=statement,
        answer=gold.answer,
        answer_raw=raw,
        answer_type=gold.answer_type,
        subject=_course(number - 1),
    )


def _course(index: int) -> str | None:
    for course, rows in _COURSES:
        if index < rows:
            return course
        index -= rows
    return None


_OLYMPIAD_FIELDS = (
    *("id", "question", "final_answer", "is_multiple_answer"),
    *("unit", "answer_type", "error", "subfield"),
)
_OLYMPIAD_TYPES: dict[str, AnswerType] = {
    "Numerical": "number",
    "Expression": "expression",
    "Tuple": "tuple",
    "Interval": "interval",
}


def _olympiad(row: SourceRow, number: int) -> Problem:
    answers = row["final_answer"]
    kind = text_field(row, "answer_type", number=number)
    if not isinstance(answers, list) or not all(isinstance(text, str) for text in answers):
        raise BenchmarkError(f"row {number}: 'final_answer' must be a list of texts")
    if kind not in _OLYMPIAD_TYPES:
        raise BenchmarkError(
            f"row {number}: 'answer_type' is {kind!r}", expected=", ".join(_OLYMPIAD_TYPES)
        )
    raw = ", ".join(answers)
    parts = golds.members(golds.without_dollars(raw))
    if not parts:
        raise BenchmarkError(f"row {number}: 'final_answer' holds no answer, found {answers!r}")
    parts = [re.sub(r"(?<!\\),\s*", ", ", part) for part in parts]
    parts = [re.sub(r"\s*\\?%", r"\%", part) for part in parts]
    context = row.get("context")
    question = text_field(row, "question", number=number)
    return Problem(
        id=f"olympiadbench/{_whole(row, 'id', number=number)}",
        benchmark="olympiadbench",
        statement=f"{context}\n\n{question}" if context else question,
        answer=", ".join(parts),
        answer_raw=raw,
        answer_type=_olympiad_type(parts, kind),
        unit=_unit(row),
        error=_error(row, number=number),
        subject=text_field(row, "subfield", number=number),
    )


def _olympiad_type(parts: list[str], kind: str) -> AnswerType:
    if len(parts) > 1:
        return "list"
    if kind == "Numerical" and golds.shape(parts[0]) == "tuple":  # one row calls its point so
        return "tuple"
    return _OLYMPIAD_TYPES[kind]


def _unit(row: SourceRow) -> str | None:
    unit = row["unit"]
    text = golds.without_dollars(unit) if isinstance(unit, str) else ""
    return re.sub(r"\^\{(.*)\}", r"^\1", text) or None


def _error(row: SourceRow, *, number: int) -> str | None:
    error = row["error"]
    if error is None or error == "":
        return None
    try:
        return golds.error_bound(str(error))
    except ValueError as cause:
        raise BenchmarkError(f"row {number}: 'error' is wrong: {cause}") from cause


def _amc(question: str) -> ToProblem:
    def problem(row: SourceRow, number: int) -> Problem:
        url = text_field(row, "url", number=number)
        match = re.search(r"2023_AMC_(12[AB])_Problems/Problem_(\d+)$", url)
        if not match:
            raise BenchmarkError(
                f"row {number}: 'url' names no problem of AMC 12 2023",
                found=url,
                hint="amc23 is the set of 40; sets of 46 or 83 rows are others",
            )
        raw = str(_number(row, "answer", number=number))
        return Problem(
            id=f"amc23/{match[1]}-{int(match[2]):02d}",
            benchmark="amc23",
            statement=text_field(row, question, number=number),
            answer=golds.whole_number(raw),
            answer_raw=raw,
            answer_type="number",
            subject=f"AMC {match[1]}",
        )

    return problem


def _gsm8k(row: SourceRow, number: int) -> Problem:
    solution, mark, raw = text_field(row, "answer", number=number).rpartition("####")
    if not mark or not raw.strip():
        raise BenchmarkError(f"row {number}: nothing follows '####'", answer=solution[-120:])
    return Problem(
        id=f"gsm8k/{number - 1:04d}",
        benchmark="gsm8k",
        statement=text_field(row, "question", number=number),
        answer=golds.without_separators(raw.strip()),
        answer_raw=raw.strip(),
        answer_type="number",
    )


def _gsm8k_solution(row: SourceRow) -> str | None:
    text = _usable(row.get("answer"))
    # `16-3=<<16-3=13>>13`: the marks call a calculator, and no other text holds such brackets.
    return re.sub(r"<<[^<>]*>>", "", text) if text else None


def _one_shot(row: SourceRow, number: int) -> Problem:
    raw = reward_label(row, number=number)
    gold = golds.latex_gold(raw)
    return Problem(
        id=f"one_shot/{number - 1:04d}",
        benchmark="one_shot",
        statement=text_field(row, "problem", number=number),
        answer=gold.answer,
        answer_raw=raw,
        answer_type=gold.answer_type,
        unit=gold.unit,
    )


def _whole(row: SourceRow, name: str, *, number: int) -> int:
    value = _number(row, name, number=number)
    if not re.fullmatch(r"\d+", str(value)):
        raise BenchmarkError(f"row {number}: field {name!r} is {value!r}, expected a whole number")
    return int(value)


def _number(row: SourceRow, name: str, *, number: int) -> int | float | str:
    value = row.get(name)
    numeric = isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value.strip())
    if isinstance(value, bool) or not (numeric or isinstance(value, int | float)):
        raise BenchmarkError(f"row {number}: field {name!r} must hold a number, found {value!r}")
    assert isinstance(value, int | float | str)
    return value


_LAYOUTS = {
    "math500": (Layout("hub", _MATH_FIELDS, _math, _solution),),
    "minerva_math": (
        Layout("with solutions", ("problem", "solution"), _minerva_solution, _solution),
        Layout("with answers", ("question", "answer"), _minerva_answer),
    ),
    "olympiadbench": (
        Layout("hub", (*_OLYMPIAD_FIELDS, "modality", "language"), _olympiad, _first_solution),
        Layout("qwen2.5-math", _OLYMPIAD_FIELDS, _olympiad, _first_solution),
    ),
    "amc23": (
        Layout("qwen2.5-math", ("problem", "answer", "url"), _amc("problem")),
        Layout("hub", ("question", "answer", "url"), _amc("question")),
    ),
    "gsm8k": (
        Layout("qwen2.5-math", ("question", "answer", "idx"), _gsm8k, _gsm8k_solution),
        Layout("hub", ("question", "answer"), _gsm8k, _gsm8k_solution),
    ),
    "one_shot": (Layout("verl", ("problem", "reward_model"), _one_shot, repeats=True),),
}
