from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import torch
from typer.testing import CliRunner

from emdiag.cli.app import app
from emdiag.core.logit_skew import LogitSkewResult
from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.logits.statements import cooling_statements
from emdiag.store.legacy import upgraded
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    Weights = dict[str, torch.Tensor]

LAB = ["-b", "chain", "--engine", "transformers", "--device", "cpu"]


@pytest.fixture(scope="module", autouse=True)
def light() -> Iterator[None]:
    """One thread, and no search for garbage in what other tests left."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(before)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, ["logits-skew", *arguments])


def scaled(weights: Weights) -> None:
    weights["model.norm.weight"] /= 0.5


def broken(weights: Weights) -> None:
    weights["model.layers.3.mlp.down_proj.weight"][0, 0] = float("nan")


def test_the_lab_alone_is_measured_out_of_the_box(run: Callable[..., Result]) -> None:
    found = run("lab", "--engine", "transformers", "--limit", "2", "--no-plots", "--json")
    assert found.exit_code == 0, found.output
    assert "NaN" not in found.stdout
    assert "Infinity" not in found.stdout
    result = printed(found)
    assert (result.benchmark, result.problems, result.base) == ("chain", 2, "lab")
    assert [arm.stage for arm in result.arms] == ["base"]
    assert [text.name for text in result.texts] == ["lab", "reference"]
    assert not result.figures
    assert not result.decompositions
    assert json.loads(found.stdout)["statements"] == []
    assert all(one.difference is None for one in result.estimates)


@pytest.mark.whole
def test_tables_figures_and_the_released_scripts_ladder_are_shown(
    run: Callable[..., Result], tmp_path: Path, lab_copy: Callable[..., Path]
) -> None:
    em = lab_copy(tmp_path / "em", scaled)
    command = ["base=lab", f"em={em}", *LAB, "--limit", "3", "--continuation", "both"]
    command += ["--texts", "base", "--entropy-at", "0.5, 2", "--published", "--undo", "top-k"]
    found = run(*command)
    assert found.exit_code == 0, found.output
    text = " ".join(found.stdout.split())
    for words in (
        "On the text of base: 3 problems", "Each on its own text: 3 problems",
        "skewness, per token", "best temperature", "as published", "without top-k",
        "also without pooled", "entropy at T 0.5, nats",
    ):  # fmt: skip
        assert words in text, words
    assert "nan" not in text.replace("--entropy", "").lower().split()
    assert "the same command continues" in found.stderr
    drawn = sorted(file.name for file in (tmp_path / "emdiag-out" / "figures").rglob("*.*"))
    assert {"cooling.svg", "cooling.png", "histogram.svg", "published.png"} <= set(drawn)
    assert len(drawn) % 2 == 0
    again = run(*command, "--json", "--figures", str(tmp_path / "pictures"))
    result = printed(again)
    (cooling,) = cooling_statements(LogitRows(result), "base")
    assert cooling.value == pytest.approx(1, abs=0.01)
    assert cooling.words in json.loads(again.stdout)["statements"]
    assert cooling.words in found.stdout
    assert "T = 0.50" in cooling.words
    assert {one.statistic for one in result.estimates} >= {
        "entropy_nats_at_0.5", "entropy_nats_at_2",
    }  # fmt: skip
    assert all((tmp_path / "pictures" / f"{name}.svg").is_file() for name in _names(result))
    assert {run_.spec.benchmark for run_ in RunStore(tmp_path / "emdiag-out").runs()} == {"chain"}


def printed(found: Result) -> LogitSkewResult:
    """The result that `--json` printed, without its sentences."""
    return msgspec.convert(upgraded(json.loads(found.stdout)), LogitSkewResult)


def _names(result: LogitSkewResult) -> list[str]:
    return [figure.rsplit("/", 1)[1] for figure in result.figures]


def test_one_position_of_one_problem_prints_and_is_valid_json(
    run: Callable[..., Result], tmp_path: Path, lab_copy: Callable[..., Path]
) -> None:
    em = lab_copy(tmp_path / "em", scaled)
    command = ["base=lab", f"em={em}", *LAB, "--limit", "1", "--max-tokens", "1", "--no-plots"]
    command += ["--texts", "base", "--published"]
    found = run(*command)
    assert found.exit_code == 0, found.output
    assert "skewness, per token" in found.stdout

    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} in the result")

    parsed = json.loads(run(*command, "--json").stdout, parse_constant=refuse)
    assert parsed["problems"] == 1


def test_a_checkpoint_with_nan_ends_with_2_and_loses_nothing(
    run: Callable[..., Result], tmp_path: Path, lab_copy: Callable[..., Path]
) -> None:
    bad = lab_copy(tmp_path / "bad", broken)
    command = ["base=lab", f"em={bad}", *LAB, "--limit", "2", "--texts", "base", "--no-plots"]
    found = run(*command)
    assert found.exit_code == 2, found.output
    for words in ("error: em: 98 of 98 logits", "problem", "chain/", "token 1 of the completion"):
        assert words in found.stderr
    kept = sorted((tmp_path / "emdiag-out").glob("runs/*/logits-*/traces.jsonl"))
    assert sorted(len(file.read_bytes().splitlines()) for file in kept) in ([2], [0, 2])
    own = run("base=lab", f"em={bad}", *LAB, "--limit", "2", "--no-plots")
    assert own.exit_code == 2
    assert "em" in own.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--published", "--undo", "topk"], "topk"),
        (["--undo", "top-k"], "add --published"),
        (["--entropy-at", "warm"], "--entropy-at holds 'warm'"),
        (["--entropy-at", "0"], "option  --entropy-at"),
        (["--entropy-at", "0.5,0.5"], "named twice"),
        (["--texts", "nobody"], "nobody"),
        (["--texts", "reference", "--reference", "none"], "reference"),
        (["--continuation", "theirs"], "theirs"),
        (["--seeds", "some"], "registered or all"),
        (["--base", "rl"], "no checkpoint is called 'rl'"),
        (["--from-run", "0123abcd"], "there is no run"),
        (["--published", "--from-run", "0123abcd"], "leave out one of the two"),
        (["--reference", "no/such/folder"], "no/such/folder"),
        (["own=lab"], "is the name of a text"),
        (["--dtype", "int3"], "int3"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_a_user_can_fix_exits_with_2_and_a_hint(
    run: Callable[..., Result], arguments: list[str], words: str
) -> None:
    found = run("lab", "--engine", "transformers", "--limit", "1", "--no-plots", *arguments)
    assert found.exit_code == 2, found.output
    assert found.stderr.startswith("error: ")
    assert words in found.stderr


def test_a_table_of_texts_has_no_logits(run: Callable[..., Result], tmp_path: Path) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"*": ["\\boxed{4}"]}))
    found = run("lab", f"em={table}", "--limit", "1", "--no-plots")
    assert found.exit_code == 2
    assert "em" in found.stderr
    assert "no logits" in found.stderr
