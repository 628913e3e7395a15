"""`emdiag eval`: checkpoints in, graded answers and honest scores out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emdiag.cli import console

ENGINE, SAMPLING = "Engine", "Sampling"


def evaluate(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=]REF...",
            help="Hub id, id@revision, folder, .gguf file, or lab (the shipped model).",
        ),
    ],
    benchmarks: Annotated[
        str,
        typer.Option(
            "--benchmark",
            "-b",
            help="Names, or .jsonl, .json or .parquet files; separated by commas.",
        ),
    ] = "chain",
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many problems; the score is partial.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Prompt template, or a .toml file of your own.")
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option("--chat/--no-chat", help="Apply the tokenizer's chat template."),
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Samples of each problem.", rich_help_panel=SAMPLING)
    ] = 1,
    temperature: Annotated[
        float, typer.Option(help="0 is greedy.", rich_help_panel=SAMPLING)
    ] = 0.0,
    top_p: Annotated[
        float, typer.Option(help="Nucleus mass kept; 1 keeps all.", rich_help_panel=SAMPLING)
    ] = 1.0,
    top_k: Annotated[
        int, typer.Option(help="Tokens kept; 0 keeps all.", rich_help_panel=SAMPLING)
    ] = 0,
    repetition_penalty: Annotated[
        float, typer.Option(help="1 is none.", rich_help_panel=SAMPLING)
    ] = 1.0,
    max_tokens: Annotated[
        int | None,
        typer.Option(help="New tokens at most; the card's by default.", rich_help_panel=SAMPLING),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(help="A string that ends a completion; repeatable.", rich_help_panel=SAMPLING),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the run.", rich_help_panel=SAMPLING)] = 0,
    engine: Annotated[
        str,
        typer.Option(help="auto, transformers, vllm or scripted.", rich_help_panel=ENGINE),
    ] = "auto",
    dtype: Annotated[
        str,
        typer.Option(help="auto, float32, bfloat16 or float16.", rich_help_panel=ENGINE),
    ] = "auto",
    device: Annotated[
        str, typer.Option(help="auto, cpu, cuda, cuda:1, ...", rich_help_panel=ENGINE)
    ] = "auto",
    batch_size: Annotated[
        int | None, typer.Option(help="Samples drawn side by side.", rich_help_panel=ENGINE)
    ] = None,
    tensor_parallel_size: Annotated[
        int, typer.Option(help="Devices for one model (vllm).", rich_help_panel=ENGINE)
    ] = 1,
    gpu_memory_utilization: Annotated[
        float, typer.Option(help="Share of the device's memory (vllm).", rich_help_panel=ENGINE)
    ] = 0.9,
    max_model_len: Annotated[
        int | None,
        typer.Option(help="Longest sequence (vllm); derived by default.", rich_help_panel=ENGINE),
    ] = None,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code",
            help="Let code shipped with the checkpoint run.",
            rich_help_panel=ENGINE,
        ),
    ] = False,
    grader_workers: Annotated[
        int | None, typer.Option(help="Grading processes; one per core by default.")
    ] = None,
    deadline: Annotated[float, typer.Option(help="Seconds one comparison may take.")] = 10.0,
    out_dir: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of runs; the same command continues there.")
    ] = Path("emdiag-out"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with `scores`.")
    ] = False,
) -> None:
    """Score checkpoints on benchmarks: avg@k, pass@k and maj@k with their intervals."""
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.tables import show_scores
        from emdiag.core.errors import PlanError
        from emdiag.store.run_store import RunStore
        from emdiag.studies.evaluate import run_evaluate
        from emdiag.studies.plans import EvaluatePlan, parse_checkpoints

        try:
            plan = msgspec.convert(
                {
                    "checkpoints": msgspec.to_builtins(parse_checkpoints(checkpoints)),
                    "benchmarks": [name.strip() for name in benchmarks.split(",") if name.strip()],
                    "limit": limit,
                    "template": template,
                    "chat": chat,
                    "samples": samples,
                    "temperature": temperature,
                    "top_p": top_p,
                    "top_k": top_k,
                    "repetition_penalty": repetition_penalty,
                    "max_tokens": max_tokens,
                    "stop": stop or [],
                    "seed": seed,
                    "engine": engine,
                    "dtype": dtype,
                    "device": device,
                    "batch_size": batch_size,
                    "tensor_parallel_size": tensor_parallel_size,
                    "gpu_memory_utilization": gpu_memory_utilization,
                    "max_model_len": max_model_len,
                    "trust_remote_code": trust_remote_code,
                    "grader_workers": grader_workers,
                    "deadline_s": deadline,
                },
                EvaluatePlan,
            )
        except msgspec.ValidationError as error:
            raise PlanError(f"an option has the wrong value: {error}") from error
        result = run_evaluate(
            plan,
            store=RunStore(out_dir),
            home=out.home,
            progress=out.progress,
            command=("emdiag", *sys.argv[1:]),
        )
        if as_json:
            out.result(result)
        else:
            show_scores(result, out)
