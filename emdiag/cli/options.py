"""Options that several commands have, each said once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emdiag.core.errors import PlanError

if TYPE_CHECKING:
    from emdiag.cli.console import Out
    from emdiag.core.records import Result
    from emdiag.store.session import Session

ENGINE, SAMPLING = "Engine", "Sampling"
RECIPE, RECORD = "Recipe", "Record and checkpoints"

_MOST_STEPS = 100

BatchSize = Annotated[
    int | None, typer.Option(help="Samples drawn side by side.", rich_help_panel=ENGINE)
]
Chat = Annotated[
    bool | None, typer.Option("--chat/--no-chat", help="Apply the tokenizer's chat template.")
]
Deadline = Annotated[float, typer.Option(help="Seconds one comparison may take.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel=ENGINE)]
Dtype = Annotated[
    str, typer.Option(help="auto, float32, bfloat16 or float16.", rich_help_panel=ENGINE)
]
Engine = Annotated[
    str,
    typer.Option(
        help="auto, transformers, vllm, scripted or package.module:name.", rich_help_panel=ENGINE
    ),
]
GpuMemoryUtilization = Annotated[
    float, typer.Option(help="Share of the device's memory (vllm).", rich_help_panel=ENGINE)
]
GraderName = Annotated[
    str, typer.Option(help="math-verify, or package.module:name for one of your own.")
]
GraderWorkers = Annotated[
    int | None, typer.Option(help="Grading processes; one per core by default.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Limit = Annotated[
    int | None, typer.Option(help="Only the first so many problems; the score is partial.")
]
MaxModelLen = Annotated[
    int | None,
    typer.Option(help="Longest sequence (vllm); derived by default.", rich_help_panel=ENGINE),
]
MaxTokens = Annotated[
    int | None,
    typer.Option(help="New tokens at most; the card's by default.", rich_help_panel=SAMPLING),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE.html", help="Also write the result as a page."),
]
Samples = Annotated[int, typer.Option(help="Samples of each problem.", rich_help_panel=SAMPLING)]
Seed = Annotated[int, typer.Option(help="Seed of the run.", rich_help_panel=SAMPLING)]
Seeds = Annotated[
    str, typer.Option(help="3, 0,2,5 or 0..4; the first is registered.", rich_help_panel=RECIPE)
]
StartRef = Annotated[
    str,
    typer.Argument(
        metavar="REF", help="Hub id, id@revision, folder, .gguf file, lab, or an earlier --out."
    ),
]
StateEvery = Annotated[
    int,
    typer.Option(
        help="Updates between states that a killed run goes on from; 0 keeps none.",
        rich_help_panel=RECORD,
    ),
]
Temperature = Annotated[float, typer.Option(help="0 is greedy.", rich_help_panel=SAMPLING)]
Template = Annotated[str | None, typer.Option(help="Prompt template, or a .toml file of your own.")]
TensorParallelSize = Annotated[
    int, typer.Option(help="Devices for one model (vllm).", rich_help_panel=ENGINE)
]
TopK = Annotated[int, typer.Option(help="Tokens kept; 0 keeps all.", rich_help_panel=SAMPLING)]
TopP = Annotated[
    float, typer.Option(help="Nucleus mass kept; 1 keeps all.", rich_help_panel=SAMPLING)
]
TrainingChat = Annotated[
    bool | None,
    typer.Option(
        "--chat/--no-chat", help="Apply the tokenizer's chat template.", rich_help_panel=RECIPE
    ),
]
TrainingDevice = Annotated[str, typer.Option(help="auto, cpu, cuda, ...", rich_help_panel=ENGINE)]
TrainingMaxTokens = Annotated[
    int | None,
    typer.Option(help="New tokens at most; the benchmark's by default.", rich_help_panel=RECIPE),
]
TrainingOut = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the result; the same command continues.")
]
TrainingTemplate = Annotated[
    str | None,
    typer.Option(help="Prompt template; the benchmark's by default.", rich_help_panel=RECIPE),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Let code shipped with the checkpoint run.",
        rich_help_panel=ENGINE,
    ),
]


def session_on(store: Path, out: Out) -> Session:
    """The session of the command that was typed, on this folder."""
    from emdiag.store.session import open_session

    typed = ("emdiag", *sys.argv[1:])
    return open_session(store, home=out.home, progress=out.progress, command=typed)


Wide = Annotated[bool, typer.Option("--wide", help="Show every column of a table.")]

Metrics = Annotated[
    list[str] | None,
    typer.Option(help="Your own function of outcomes, package.module:name; repeatable."),
]


def write_page(result: Result, path: Path | None, session: Session, out: Out) -> None:
    """Write the page of a result where one is asked for, and say where it lies.

    Args:
        result: Of the command.
        path: As given to `--report`; None writes nothing.
        session: Of the command.
        out: The command's way to the user.
    """
    if path is None:
        return
    from emdiag.publish.report import write_report

    out.say(f"page: {write_report(result, path, session)}")


def numbers(text: str, *, option: str) -> list[float]:
    """Numbers separated by commas; `0,0.2,...,1.2` fills in the steps, as a reader would.

    Raises:
        PlanError: Something between the commas is no number, or `...` does not stand between two
            numbers that give a step and the last one, which the steps must meet.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    found: list[float] = []
    for place, part in enumerate(parts):
        if part == "...":
            last = parts[place + 1] if place + 1 < len(parts) else ""
            found += _filled(found, last, text=text, option=option)
        else:
            found.append(_number(part, option=option))
    return found


def _filled(before: list[float], last: str, *, text: str, option: str) -> list[float]:
    """The numbers that `...` stands for, the last one left out."""
    problem = PlanError(
        f"{option} is {text!r}, where ... does not fill a range",
        hint="give two numbers before it and the last one after it: 0,0.2,...,1.2",
    )
    if len(before) < 2 or not last:
        raise problem
    step, end = before[-1] - before[-2], _number(last, option=option)
    count = (end - before[-1]) / step if step else 0.0
    if not 1 <= round(count) <= _MOST_STEPS or abs(count - round(count)) > 1e-6:
        raise problem
    return [round(before[-1] + number * step, 10) for number in range(1, round(count))]


def _number(part: str, *, option: str) -> float:
    try:
        return float(part)
    except ValueError as error:
        raise PlanError(f"{option} holds {part!r}, expected numbers separated by commas") from error
