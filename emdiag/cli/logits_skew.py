"""`emdiag logits-skew`: what happened to the distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options

TEXTS, FIGURE = "Texts", "Published figure"


def logits_skew(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=]REF...",
            help="The base first. A label given several times is one arm with several seeds.",
        ),
    ],
    benchmark: Annotated[
        str, typer.Option("--benchmark", "-b", help="A name, or a .jsonl, .json or .parquet file.")
    ] = "chain",
    problems: Annotated[int, typer.Option(min=1, help="The first so many problems.")] = 20,
    base: Annotated[
        str | None, typer.Option(help="Label that differences are to; the first by default.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="What a training folder stands for: registered, or all seeds.")
    ] = "registered",
    continuation: Annotated[
        str,
        typer.Option(
            help="shared: all read the same texts; own: each its own; or both.",
            rich_help_panel=TEXTS,
        ),
    ] = "shared",
    texts: Annotated[
        str | None,
        typer.Option(
            help="Shared texts, by the labels of their writers or `reference`, separated by "
            "commas; all by default.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(
            help="solutions (the benchmark's own), none, or a checkpoint that only writes.",
            rich_help_panel=TEXTS,
        ),
    ] = "solutions",
    from_run: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]RUN",
            help="Read the texts of a stored run and draw none; repeatable.",
            rich_help_panel=TEXTS,
        ),
    ] = None,
    entropy_at: Annotated[
        str, typer.Option(help="Temperatures beside 1, separated by commas.")
    ] = "",
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Also measure as the released script does: T 0.6, top 50, pooled, own text.",
            rich_help_panel=FIGURE,
        ),
    ] = False,
    undo: Annotated[
        str,
        typer.Option(
            help="Quirks left out, separated by commas: own-text, cut-to-shortest, top-k, "
            "zeros-dropped, temperature, pooled.",
            rich_help_panel=FIGURE,
        ),
    ] = "",
    template: options.Template = None,
    chat: options.Chat = None,
    samples: options.Samples = 1,
    temperature: options.Temperature = 1.0,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
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
    grader: options.GraderName = "math-verify",
    grader_workers: options.GraderWorkers = None,
    deadline: options.Deadline = 10.0,
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder of the plots; below --out by default."),
    ] = None,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="Draw figures.")] = True,
    out_dir: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of runs; the same command continues there.")
    ] = Path("emdiag-out"),
    report: options.Report = None,
    wide: options.Wide = False,
    as_json: options.Json = False,
) -> None:
    """Compare next-token logits between checkpoints that read the same texts."""
    with console.command(json=as_json, resumes=True, wide=wide) as out:
        from emdiag.cli.show import printed, show
        from emdiag.findings.logits.statements import logit_findings
        from emdiag.studies.logits.plan import logit_skew_plan
        from emdiag.studies.logits.run import run_logit_skew

        plan = logit_skew_plan(
            checkpoints,
            benchmark,
            seeds=seeds,
            options={
                "problems": problems,
                "base": base,
                "continuation": continuation,
                "texts": _names(texts) if texts is not None else None,
                "reference": reference,
                "from_runs": from_run or [],
                "entropy_temperatures": options.numbers(entropy_at, option="--entropy-at"),
                "published": published,
                "undo": _names(undo),
                "template": template,
                "chat": chat,
                "samples": samples,
                "temperature": temperature,
                "top_p": top_p,
                "top_k": top_k,
                "max_tokens": max_tokens,
                "seed": seed,
                "engine": engine,
                "dtype": dtype,
                "device": device,
                "batch_size": batch_size,
                "tensor_parallel_size": tensor_parallel_size,
                "gpu_memory_utilization": gpu_memory_utilization,
                "max_model_len": max_model_len,
                "trust_remote_code": trust_remote_code,
                "grader": grader,
                "grader_workers": grader_workers,
                "deadline_s": deadline,
            },
        )
        labels = "-".join(arm.label for arm in plan.arms)
        folder = figures or out_dir / "figures" / f"{Path(benchmark).stem}-{labels}"[:80]
        session = options.session_on(out_dir, out)
        result = run_logit_skew(plan, session, figures=folder if plots else None)
        if as_json:
            out.result(printed(result, logit_findings(result, all_texts=True)))
        else:
            show(logit_findings(result, all_statistics=out.wide), out)
        options.write_page(result, report, session, out)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
