"""`emdiag train score`: every seed of a training, the registered one first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options


def score(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder that `emdiag train` was told to write.")
    ],
    benchmarks: Annotated[
        str,
        typer.Option("--benchmark", "-b", help="Names or .jsonl files, separated by commas."),
    ] = "chain",
    base: Annotated[
        str | None,
        typer.Option(metavar="[LABEL=]REF", help="Compare with it, such as the parent."),
    ] = None,
    updates: Annotated[str, typer.Option(help="last, or all whose checkpoint was saved.")] = "last",
    limit: options.Limit = None,
    template: options.Template = None,
    chat: options.Chat = None,
    samples: options.Samples = 1,
    temperature: options.Temperature = 0.0,
    max_tokens: options.MaxTokens = None,
    seed: Annotated[
        int,
        typer.Option(help="Seed of the run, not of training.", rich_help_panel=options.SAMPLING),
    ] = 0,
    engine: Annotated[
        str, typer.Option(help="auto, transformers or vllm.", rich_help_panel=options.ENGINE)
    ] = "auto",
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    batch_size: options.BatchSize = None,
    trust_remote_code: options.TrustRemoteCode = False,
    grader_workers: options.GraderWorkers = None,
    store: Annotated[
        Path, typer.Option(help="Folder of runs; the same command continues there.")
    ] = Path("emdiag-out"),
    report: options.Report = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with `benchmarks`.")
    ] = False,
) -> None:
    """Score all seeds of a training: the registered checkpoint, their mean, and how they differ."""
    with console.command(json=as_json, resumes=True) as shown:
        from emdiag.cli.show import show
        from emdiag.findings.kinds import findings_of
        from emdiag.studies.training.score_seeds import run_score_seeds, seed_scores_plan

        plan = seed_scores_plan(
            out,
            [name.strip() for name in benchmarks.split(",") if name.strip()],
            base=base,
            updates=updates,
            options={
                "limit": limit,
                "template": template,
                "chat": chat,
                "samples": samples,
                "temperature": temperature,
                "max_tokens": max_tokens,
                "seed": seed,
                "engine": engine,
                "dtype": dtype,
                "device": device,
                "batch_size": batch_size,
                "trust_remote_code": trust_remote_code,
                "grader_workers": grader_workers,
            },
        )
        session = options.session_on(store, shown)
        result = run_score_seeds(plan, session)
        if as_json:
            shown.result(result)
        else:
            show(findings_of(result), shown)
        options.write_page(result, report, session, shown)
