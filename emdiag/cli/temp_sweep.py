"""`emdiag temp-sweep`: accuracy against temperature, with an entropy-matched baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options

CONTROL = "Entropy-matched baseline"


def temp_sweep(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="[LABEL=]REF...",
            help="The base first. A label given several times is one arm with several seeds.",
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
    temperatures: Annotated[
        str | None,
        typer.Option(
            help="Separated by commas; 0,0.2,...,1.2 fills in the steps. 0 is greedy, one sample.",
            show_default="0,0.2,...,1.2; 1 where another axis is swept",
        ),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AXIS=VALUE,VALUE",
            help="Another axis: top_p=0.8,0.9,1 or top_k=20,50,0; two axes give a heat map.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="What a training folder stands for: registered, or all seeds.")
    ] = "registered",
    base: Annotated[
        str | None,
        typer.Option(
            help="Label of the base; the first checkpoint by default.",
            rich_help_panel=CONTROL,
        ),
    ] = None,
    control: Annotated[
        bool,
        typer.Option(
            "--control/--no-control",
            help="Compare each checkpoint with the base at the temperature of equal entropy.",
            rich_help_panel=CONTROL,
        ),
    ] = True,
    control_at: Annotated[
        str | None,
        typer.Option(
            help="Temperatures of the others at which the base is matched; all but 0 by default.",
            rich_help_panel=CONTROL,
        ),
    ] = None,
    entropy: Annotated[
        bool,
        typer.Option(
            "--entropy/--no-entropy",
            help="Read completions again for their entropy, which the control needs.",
            rich_help_panel=CONTROL,
        ),
    ] = True,
    limit: options.Limit = None,
    template: options.Template = None,
    chat: options.Chat = None,
    samples: Annotated[
        int, typer.Option(help="Samples of each problem.", rich_help_panel=options.SAMPLING)
    ] = 8,
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
    """Sweep the temperature of sampling (or top-p, top-k), with an entropy-matched baseline."""
    with console.command(json=as_json, resumes=True, wide=wide) as out:
        from emdiag.cli.show import printed, show
        from emdiag.findings.sweep.tables import sweep_findings
        from emdiag.studies.sweep.plan import temperature_sweep_plan
        from emdiag.studies.sweep.run import run_temperature_sweep

        names = [name.strip() for name in benchmarks.split(",") if name.strip()]
        at = options.numbers(control_at, option="--control-at") if control_at else None
        plan = temperature_sweep_plan(
            checkpoints,
            names,
            sweep=_axes(temperatures, sweep or []),
            seeds=seeds,
            options={
                "base": base,
                "control": control,
                "control_at": at,
                "entropy": entropy,
                "limit": limit,
                "template": template,
                "chat": chat,
                "samples": samples,
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
        folder = figures or out_dir / "figures" / f"sweep-{Path(names[0]).stem}-{labels}"[:80]
        session = options.session_on(out_dir, out)
        result = run_temperature_sweep(plan, session, figures=folder if plots else None)
        if as_json:
            out.result(printed(result, sweep_findings(result)))
        else:
            show(sweep_findings(result), out)
        options.write_page(result, report, session, out)


def _axes(temperatures: str | None, sweep: list[str]) -> dict[str, list[float]]:
    from emdiag.core.errors import PlanError

    axes = {}
    if temperatures is not None:
        axes["temperature"] = options.numbers(temperatures, option="--temperatures")
    for argument in sweep:
        name, equals, values = argument.partition("=")
        if not equals or not name.strip():
            raise PlanError(
                f"--sweep is {argument!r}, expected AXIS=VALUE,VALUE",
                hint="such as --sweep top_p=0.8,0.9,1",
            )
        if name.strip() in axes:
            raise PlanError(f"the axis {name.strip()!r} was named twice")
        axes[name.strip()] = options.numbers(values, option=f"--sweep {name.strip()}")
    return axes
