"""`emdiag select`: a pool of prompts in, a ranking out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options


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
    template: options.Template = None,
    chat: options.Chat = None,
    samples: Annotated[
        int, typer.Option(help="Samples of each prompt.", rich_help_panel=options.SAMPLING)
    ] = 16,
    temperature: Annotated[
        float,
        typer.Option(
            help="1 is the model's own distribution; the paper trains at 0.5.",
            rich_help_panel=options.SAMPLING,
        ),
    ] = 1.0,
    max_tokens: options.MaxTokens = None,
    seed: options.Seed = 0,
    engine: options.Engine = "auto",
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    batch_size: options.BatchSize = None,
    tensor_parallel_size: options.TensorParallelSize = 1,
    gpu_memory_utilization: options.GpuMemoryUtilization = 0.9,
    max_model_len: options.MaxModelLen = None,
    trust_remote_code: options.TrustRemoteCode = False,
    token_entropy: Annotated[
        bool,
        typer.Option(
            "--token-entropy/--no-token-entropy",
            help="Load the weights once more and read the entropy of every token.",
        ),
    ] = True,
    grader: options.GraderName = "math-verify",
    grader_workers: options.GraderWorkers = None,
    deadline: options.Deadline = 10.0,
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
    report: options.Report = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with `ranked`.")
    ] = False,
) -> None:
    """Rank the prompts of a pool by how a checkpoint behaves on them, and write them in order."""
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.show import show
        from emdiag.findings.selection import selection_findings
        from emdiag.studies.training.select import run_select, select_plan

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
            grader=grader,
            grader_workers=grader_workers,
            deadline_s=deadline,
        )
        session = options.session_on(store, out)
        result = run_select(plan, session)
        if as_json:
            out.result(result)
        else:
            show(selection_findings(result, top=top), out)
        options.write_page(result, report, session, out)
