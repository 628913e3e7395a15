"""Docs name what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import typer.main

from emdiag.benchmarks.cards import list_cards
from emdiag.cli.app import app

ROOT = Path(__file__).parents[1]


def missing_from(text: str, names: list[str]) -> list[str]:
    """Names that `text` does not quote as code."""
    fences = re.findall(r"```.*?```", text, re.DOTALL)
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    quoted = " ".join(" ".join([*fences, *inline]).split())
    return [name for name in names if not names_word(quoted, name)]


def names_word(text: str, name: str) -> bool:
    """Whether a name stands in a text as a whole: `list` does not in `list-all` or `enlist`."""
    return re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) is not None


def missing_commands(text: str, commands: dict[str, list[str]]) -> list[str]:
    """Commands that no line names, and subcommands that no line with their command names."""
    missing = []
    for name, subcommands in commands.items():
        lines = "\n".join(f"```{line}```" for line in text.splitlines() if names_word(line, name))
        missing += [f"{name} {inner}" for inner in missing_from(lines, subcommands)]
    return [*missing_from(text, list(commands)), *missing]


def _commands() -> dict[str, list[str]]:
    group = typer.main.get_command(app)
    return {
        f"emdiag {name}": list(getattr(command, "commands", {}))
        for name, command in group.commands.items()  # type: ignore[attr-defined]  # a group
    }


def test_the_readme_names_every_command() -> None:
    assert missing_commands((ROOT / "README.md").read_text(), _commands()) == []


def test_the_readme_names_every_benchmark_and_template() -> None:
    text = (ROOT / "README.md").read_text()
    assert missing_from(text, [card.name for card in list_cards()]) == []
    assert (
        missing_from(text, [file.stem for file in (ROOT / "benchmarks/templates").glob("*.toml")])
        == []
    )


def test_the_docs_guard_can_fail() -> None:
    assert missing_from("`emdiag eval` and gsm8k", ["emdiag eval", "gsm8k"]) == ["gsm8k"]
    text = "`emdiag runs list-all`\n`emdiag lab` or `list`"
    commands = {"emdiag runs": ["list"], "emdiag la": []}
    assert missing_commands(text, commands) == ["emdiag la", "emdiag runs list"]


def without_reason(names: list[str], page: str) -> list[str]:
    """Libraries that no first column of a table names."""
    cells = " ".join(re.findall(r"^\| *([^|]+?) *\|", page, re.MULTILINE))
    return [name for name in names if not names_word(cells, name)]


def test_every_dependency_has_a_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    names = [re.split(r"[<>=]", line)[0] for line in [*project["dependencies"], *extras]]
    assert without_reason(names, (ROOT / "CONTRIBUTING.md").read_text()) == []


def test_a_library_that_is_only_mentioned_has_no_reason() -> None:
    page = "| library | for |\n| pyarrow | rich tables |\n\nrich is enriched by build."
    assert without_reason(["pyarrow", "rich", "build"], page) == ["rich", "build"]


def test_links_between_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("benchmarks/*.md"), *ROOT.glob("reports/*.md")]
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text())
    ]
    assert len(links) > 10
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []
