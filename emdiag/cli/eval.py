"""`emdiag eval`: checkpoints in, graded answers and honest scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emdiag.cli import console, options


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
    limit: options.Limit = None,
    template: options.Template = None,
    chat: options.Chat = None,
    samples: options.Samples = 1,
    temperature: options.Temperature = 0.0,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
    repetition_penalty: Annotated[
        float, typer.Option(help="1 is none.", rich_help_panel=options.SAMPLING)
    ] = 1.0,
    max_tokens: options.MaxTokens = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            help="A string that ends a completion; repeatable.", rich_help_panel=options.SAMPLING
        ),
    ] = None,
    seed: options.Seed = 0,
    engine: options.Engine = "auto",
    dtype: options.Dtype = "auto",
    device: options.Device = "auto",
    batch_size: options.BatchSize = None,
    tensor_parallel_size: options.TensorParallelSize = 1,
    gpu_memory_utilization: options.GpuMemoryUtilization = 0.9,
    max_model_len: options.MaxModelLen = None,
    trust_remote_code: options.TrustRemoteCode = False,
    metric: options.Metrics = None,
    grader: options.GraderName = "math-verify",
    grader_workers: options.GraderWorkers = None,
    deadline: options.Deadline = 10.0,
    out_dir: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of runs; the same command continues there.")
    ] = Path("emdiag-out"),
    report: options.Report = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object with `scores`.")
    ] = False,
) -> None:
    """Score checkpoints on benchmarks: avg@k, pass@k and maj@k with their intervals."""
    with console.command(json=as_json, resumes=True) as out:
        from emdiag.cli.show import show
        from emdiag.core.errors import PlanError
        from emdiag.findings.kinds import findings_of
        from emdiag.studies.evaluate.plan import EvaluatePlan, parse_checkpoints
        from emdiag.studies.evaluate.run import run_evaluate

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
                    "grader": grader,
                    "grader_workers": grader_workers,
                    "deadline_s": deadline,
                    "metrics": metric or [],
                },
                EvaluatePlan,
            )
        except msgspec.ValidationError as error:
            raise PlanError(f"an option has the wrong value: {error}") from error
        session = options.session_on(out_dir, out)
        result = run_evaluate(plan, session)
        if as_json:
            out.result(result)
        else:
            show(findings_of(result), out)
        options.write_page(result, report, session, out)
