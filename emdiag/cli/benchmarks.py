"""`emdiag benchmarks`: what can be measured, and where its problems are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from emdiag.benchmarks.cards import list_cards, load_card, origin, sizes
from emdiag.benchmarks.importers import defects, import_files
from emdiag.benchmarks.load import (
    ImportNote,
    absence_hint,
    load_problems,
    problems_file,
    read_note,
)
from emdiag.benchmarks.open import open_benchmark, open_if_present
from emdiag.cli import console, options
from emdiag.cli.show import show_table
from emdiag.core.codec import to_plain
from emdiag.core.problems import BenchmarkCard, Problem
from emdiag.findings.numbers import NOTHING, count
from emdiag.findings.page import table
from emdiag.studies.stored.verify_golds import BenchmarkVerification, GoldCheck, verify_benchmark

app = typer.Typer(help="Benchmarks: what there is, and how to get it.", no_args_is_help=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Openable = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A benchmark, a .jsonl, .json or .parquet file, or a folder with a card.",
    ),
]
Name = Annotated[str, typer.Argument(help="A benchmark, as `emdiag benchmarks list` names it.")]

GRADER_DEADLINE_S = 10.0


@app.command("list")
def list_(json: JsonFlag = False, wide: options.Wide = False) -> None:
    """List the benchmarks, and whether their problems are on this machine."""
    with console.command(json=json, wide=wide) as out:
        cards = list_cards()
        if json:
            out.result({"benchmarks": [_card_json(card, home=out.home) for card in cards]})
            return
        rows = [
            [
                card.name,
                sizes(card),
                _presence(card, home=out.home),
                origin(card),
                card.source.license or NOTHING,
            ]
            for card in cards
        ]
        columns = ("benchmark", "problems", "here", "source", "licence")
        show_table(table("Benchmarks", columns, rows=rows, secondary=("source", "licence")), out)
        absent = [card for card in cards if not problems_file(card, home=out.home).is_file()]
        if absent:
            out.say(f"to get {absent[0].name}: {absence_hint(absent[0])}")


@app.command("show")
def show(
    name: Openable,
    problems: Annotated[
        int, typer.Option("--problems", "-n", min=0, max=1_000_000_000, help="Problems to show.")
    ] = 3,
    json: JsonFlag = False,
) -> None:
    """Show the card of a benchmark and its first problems."""
    with console.command(json=json) as out:
        card, content, own = open_if_present(name, home=out.home)
        shown = content[:problems]
        if json:
            plain = _card_json(card, home=out.home)
            if own:
                plain |= {"present": True, "path": own.path, "imported": None}
            out.result({**plain, "defects": defects(card.name), "problems": shown})
            return
        presence = f"your own, {own.path}" if own else _presence(card, home=out.home)
        for line in _describe(card, presence):
            out.line(line)
        for problem in shown:
            _show_problem(problem, out)
        if not content:
            out.say(f"its problems are not on this machine: {absence_hint(card)}")


@app.command("pull")
def pull_(name: Name, json: JsonFlag = False) -> None:
    """Fetch a benchmark from the hub and check it against its card."""
    with console.command(json=json) as out:
        from emdiag.benchmarks.pull import pull

        _show_note(pull(load_card(name), home=out.home), out)


@app.command("import")
def import_(
    name: Name,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Your copy: .jsonl, .json or .parquet, in order."),
    ],
    json: JsonFlag = False,
) -> None:
    """Convert your copy of a benchmark and check it against its card."""
    with console.command(json=json) as out:
        _show_note(import_files(load_card(name), files, home=out.home), out)


@app.command("verify")
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME...]",
            help="Benchmarks, or files or folders of your own; all that are here by default.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, max=1024, help="Grader processes.")
    ] = os.cpu_count() or 1,
    json: JsonFlag = False,
    wide: options.Wide = False,
) -> None:
    """Check problems against their cards, and every gold against itself under the grader."""
    with console.command(json=json, wide=wide) as out:
        from emdiag.grading.pool.pool import GraderPool

        opened = [open_benchmark(name, home=out.home)[:2] for name in names or []] or [
            (card, load_problems(card, home=out.home))
            for card in list_cards()
            if problems_file(card, home=out.home).is_file()
        ]
        results = []
        with GraderPool(workers=workers, deadline_s=GRADER_DEADLINE_S) as grader:
            for card, problems in opened:
                out.say(f"{card.name}: {count(len(problems), 'gold')}")
                results.append(verify_benchmark(card, problems, grader=grader))
        if json:
            out.result({"verifications": results})
        else:
            _show_verifications(results, out)
        if not all(result.passed for result in results):
            raise typer.Exit(2)


def _presence(card: BenchmarkCard, *, home: Path) -> str:
    if not problems_file(card, home=home).is_file():
        return "no"
    if card.shipped:
        return "shipped"
    note = read_note(problems_file(card, home=home).parent)
    return f"{note.size} problems" if note else "yes"


def _card_json(card: BenchmarkCard, *, home: Path) -> dict[str, object]:
    file = problems_file(card, home=home)
    present = file.is_file()
    plain: dict[str, object] = to_plain(card)
    note = read_note(file.parent) if present else None
    return {**plain, "present": present, "path": str(file), "imported": note}


def _describe(card: BenchmarkCard, presence: str) -> list[str]:
    source = card.source
    facts = {
        "benchmark": f"{card.name} - {card.title}, revision {card.revision}",
        "problems": sizes(card),
        "here": presence,
        "source": origin(card) + (f" @ {source.revision}" if source.revision else ""),
        "paper": source.paper,
        "licence": source.license,
        "grader": f"{card.grader.name}, numbers {card.grader.tolerance}",
        "template": card.template,
        "max tokens": str(card.max_tokens),
        "headline": card.headline,
    }
    lines = [f"{name:<10}  {value}" for name, value in facts.items() if value]
    lines += [f"{'beware':<10}  {caveat}" for caveat in card.caveats]
    return lines + [
        f"{defect.tag}: {', '.join(defect.ids)}: {defect.reason}" for defect in defects(card.name)
    ]


def _show_problem(problem: Problem, out: console.Out) -> None:
    kind = ", ".join(str(part) for part in (problem.subject, problem.level) if part is not None)
    out.line("")
    out.line(f"{problem.id}  {kind}".rstrip() + "".join(f"  [{tag}]" for tag in problem.tags))
    out.line(problem.statement)
    unit = f" {problem.unit}" if problem.unit else ""
    error = f" +- {problem.error}" if problem.error else ""
    out.line(f"answer ({problem.answer_type}): {problem.answer}{unit}{error}")


def _show_note(note: ImportNote, out: console.Out) -> None:
    if out.json:
        out.result(note)
        return
    copy = "" if note.copy == "main" else f" (copy: {note.copy})"
    out.line(f"{note.benchmark}  {note.size} problems from {note.source}{copy}")
    out.line(f"sha256  {note.sha256}")
    out.line(f"folder  {out.home / 'benchmarks' / note.benchmark}")


def _show_verifications(results: list[BenchmarkVerification], out: console.Out) -> None:
    rows = []
    for result in results:
        failed = [check for check in result.tagged if check.verdict != "correct"]
        rows.append(
            [
                result.benchmark,
                f"{result.problems:,}",
                f"{result.agreeing:,}",
                str(len(result.disagreeing)),
                f"{len(result.tagged)} ({len(failed)} of them do not)" if result.tagged else "0",
                f"{result.reworded:,}",
                str(len(result.only_as_text)),
            ]
        )
    columns = (
        *("benchmark", "golds", "equal themselves", "untagged that do not", "tagged"),
        *("also reworded", "equal as text only"),
    )
    secondary = ("equal as text only", "also reworded", "tagged")
    show_table(table("Golds against themselves", columns, rows=rows, secondary=secondary), out)
    for result in results:
        for check in (*result.disagreeing, *result.tagged):
            out.line(_check_line(check))
        for check in result.only_as_text:
            out.line(f"{_check_line(check)}  as {check.written}")


def _check_line(check: GoldCheck) -> str:
    tags = "".join(f"  [{tag}]" for tag in check.tags)
    note = f"  ({check.note})" if check.note else ""
    return f"{check.problem_id}{tags}  {check.verdict}: {check.answer}{note}"
