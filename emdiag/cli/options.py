"""Options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.core.errors import PlanError

ENGINE, SAMPLING = "Engine", "Sampling"
RECIPE, RECORD = "Recipe", "Record and checkpoints"

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
    str, typer.Option(help="auto, transformers, vllm or scripted.", rich_help_panel=ENGINE)
]
GpuMemoryUtilization = Annotated[
    float, typer.Option(help="Share of the device's memory (vllm).", rich_help_panel=ENGINE)
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


def numbers(text: str, *, option: str) -> list[float]:
    """Numbers separated by commas.

    Raises:
        PlanError: Something between the commas is no number.
    """
    found = []
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            found.append(float(part))
        except ValueError as error:
            raise PlanError(
                f"{option} holds {part.strip()!r}, expected numbers separated by commas"
            ) from error
    return found
