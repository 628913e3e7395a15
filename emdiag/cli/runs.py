"""`emdiag runs`: what lies in the store."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from emdiag.cli import console, options
from emdiag.cli.show import show_table
from emdiag.core.codec import to_plain
from emdiag.core.runs import Provenance
from emdiag.core.sampling import SamplingParams
from emdiag.findings.numbers import NOTHING, count, listed
from emdiag.findings.page import table

app = typer.Typer(no_args_is_help=True, help="List, show and export stored runs.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_OLD_STORE = options.renamed(store=options.OLD_STORE)
_COLUMNS = ("run", "labels", "engine", "template", "T", "sampling", "problems", "samples", "graded")
_SECONDARY = ("template", "engine", "graded", "problems", "sampling")


@app.command("list", cls=_OLD_STORE)
def list_runs(
    store: options.Store = options.STORE, as_json: AsJson = False, wide: options.Wide = False
) -> None:
    """Every run, the one written to last at the end."""
    with console.command(json=as_json, wide=wide) as out:
        from emdiag.findings.remarks import words_of
        from emdiag.store.run_store import RunStore, summarise

        runs = RunStore(store)
        if store != options.STORE:  # the default one is made by the first evaluation
            runs.require()
        by_path = {run.path: run for run in runs.runs()}
        summaries = list(runs.left_out.readable(by_path, lambda path: summarise(by_path[path])))
        if as_json:
            reasons = runs.left_out.reasons().items()
            out.result([*summaries, *({"left_out": file, "reason": why} for file, why in reasons)])
            return
        rows = [
            [
                summary.name,
                listed(summary.labels),
                f"{summary.spec.engine.name} {summary.spec.engine.dtype}",
                ", ".join(
                    filter(
                        None,
                        (
                            summary.spec.template,
                            "" if summary.spec.chat else "no chat",
                            summary.spec.wording.line,
                        ),
                    )
                ),
                f"{summary.spec.sampling.temperature:g}",
                _sampling(summary.spec.sampling),
                f"{summary.problems:,}",
                f"{summary.completions:,}",
                f"{summary.graded:,}",
            ]
            for summary in summaries
        ]
        show_table(table(f"Runs in {store}", _COLUMNS, rows=rows, secondary=_SECONDARY), out)
        for note in runs.notes():
            out.say(f"note: {words_of(note)}")


def _sampling(sampling: SamplingParams) -> str:
    """What is not at its neutral value, such as `top-p 0.95`; the temperature is left out."""
    neutral = SamplingParams(
        temperature=sampling.temperature,
        max_tokens=sampling.max_tokens,
        stop_token_ids=sampling.stop_token_ids,
    )
    usual = to_plain(neutral)
    return ", ".join(
        f"{name.replace('_', '-')} {value}"
        for name, value in to_plain(sampling).items()
        if value != usual.get(name)
    )


@app.command("show", cls=_OLD_STORE)
def show(
    run: Annotated[str, typer.Argument(help="Key or folder of a run.")],
    store: options.Store = options.STORE,
    as_json: AsJson = False,
) -> None:
    """What was asked, what was drawn, with what, and when."""
    with console.command(json=as_json) as out:
        from emdiag.store.run_store import RunStore, summarise
        from emdiag.studies.stored.find_runs import require_run

        stored = require_run(run, store=RunStore(store))
        summary, sessions = summarise(stored), stored.provenance()
        if as_json:
            out.result({"run": to_plain(summary), "sessions": to_plain(sessions)})
            return
        for line in _fields(to_plain(summary)):
            out.line(line)
        for session in sessions:
            ended = session.finished or "not closed"
            out.line(
                f"session  {session.started} to {ended}: {count(session.samples, 'sample')}, "
                f"{count(session.tokens, 'token')} in {session.sampling_s:.1f} s on "
                f"{session.device}{_file_facts(session)}; {shlex.join(session.command)}"
            )
            for line in _fields(to_plain(session.adapter), "adapter") if session.adapter else ():
                out.line(line)


def _file_facts(session: Provenance) -> str:
    """What is known of the weights that were loaded, such as `, quantised fp8`."""
    facts = {name: session.settings.get(name) for name in ("trainer", "step", "quantised")}
    return "".join(f", {name} {value}" for name, value in facts.items() if value is not None)


def _fields(value: object, name: str = "") -> Iterator[str]:
    """A line for each field, such as `spec.sampling.temperature  0.6`."""
    if isinstance(value, dict):
        for part, inner in value.items():
            yield from _fields(inner, f"{name}.{part}" if name else part)
    else:
        words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        yield f"{name}  {NOTHING if words in (None, '') else words}"


@app.command("export", cls=_OLD_STORE)
def export(
    run: Annotated[str, typer.Argument(help="Key or folder of a run.")],
    file: Annotated[Path, typer.Argument(help="Ends in .jsonl or .parquet.")],
    store: options.Store = options.STORE,
) -> None:
    """Write one row per sample: problem, completion, verdict and extracted answer."""
    with console.command() as out:
        from emdiag.findings.remarks import words_of
        from emdiag.store.run_store import RunStore
        from emdiag.studies.stored.export import export_run
        from emdiag.studies.stored.find_runs import require_run

        stored = require_run(run, store=RunStore(store))
        rows, notes = export_run(stored, file, home=out.home)
        for note in notes:
            out.say(words_of(note))
        out.say(f"{rows} samples written to {file}")
