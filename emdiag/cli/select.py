"""`emdiag select`: a pool of prompts in, a ranking out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console

ENGINE, SAMPLING = "Engine", "Sampling"


def select(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="[LABEL=]REF",
            help="Hub id, id@revision, folder, .gguf file, or lab (the shipped model).",
        ),
    ],
    pool: Annotated[
        str,
        typer.Option(help="A benchmark, or a .jsonl, .json or .parquet file, answers or not."),
    ] = "chain",
    by: Annotated[
        str | None,
        typer.Option(
            help="outcome-variance (uses labels), answer-entropy, agreement, token-entropy or "
            "majority; the first where most problems have an answer, else the second.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Prompts shown; all are written.")] = 10,
    limit: Annotated[
        int | None, typer.Option(help="Only the first so many problems of the pool.")
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="Prompt template, or a .toml file of your own.")
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option("--chat/--no-chat", help="Apply the tokenizer's chat template."),
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Samples of each prompt.", rich_help_panel=SAMPLING)
    ] = 16,
    temperature: Annotated[
        float,
        typer.Option(
            help="1 is the model's own distribution; the paper trains at 0.5.",
            rich_help_panel=SAMPLING,
        ),
    ] = 1.0,
    max_tokens: Annotated[
        int | None,
        typer.Option(help="New tokens at most; the card's by default.", rich_help_panel=SAMPLING),
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
    token_entropy: Annotated[
        bool,
        typer.Option(
            "--token-entropy/--no-token-entropy",
            help="Load the weights once more and read the entropy of every token.",
        ),
    ] = True,
    grader_workers: Annotated[
        int | None, typer.Option(help="Grading processes; one per core by default.")
    ] = None,
    deadline: Annotated[float, typer.Option(help="Seconds one comparison may take.")] = 10.0,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.jsonl",
            help="Ranked problems, for `train --prompt-file`; in STORE/select by default.",
        ),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of runs, shared with `eval`.")] = Path(
        "emdiag-out"
    ),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with `ranked`.")
    ] = False,
) -> None:
    """Rank the prompts of a pool by how a checkpoint behaves on them, and write them in order."""
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.tables import show_selection
        from emdiag.store.run_store import RunStore
        from emdiag.studies.prompt_selection import run_select, select_plan

        plan = select_plan(
            checkpoint,
            pool,
            by=by,
            token_entropy=token_entropy,
            out=out_file,
            limit=limit,
            template=template,
            chat=chat,
            samples=samples,
            temperature=temperature,
            max_tokens=max_tokens,
            seed=seed,
            engine=engine,
            dtype=dtype,
            device=device,
            batch_size=batch_size,
            tensor_parallel_size=tensor_parallel_size,
            gpu_memory_utilization=gpu_memory_utilization,
            max_model_len=max_model_len,
            trust_remote_code=trust_remote_code,
            grader_workers=grader_workers,
            deadline_s=deadline,
        )
        result = run_select(
            plan,
            store=RunStore(store),
            home=out.home,
            progress=out.progress,
            command=("emdiag", *sys.argv[1:]),
        )
        if as_json:
            out.result(result)
        else:
            show_selection(result, out, top=top)
