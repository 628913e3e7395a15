"""Every option of every command against values that no option has, and those at the edges."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_args, get_origin

import pytest
import typer
from typer.testing import CliRunner

import emdiag
from emdiag.cli import plan_options
from emdiag.cli.app import app
from emdiag.core.errors import PlanError
from emdiag.core.options import Field, fields_of
from emdiag.core.plans import Plan
from emdiag.studies.doctor.plan import DoctorPlan
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.sweep.plan import TemperatureSweepPlan
from emdiag.studies.training.plans import SeedScoresPlan, SelectPlan
from emdiag.train.em.plan import EMPlan
from emdiag.train.rl.plan import RLPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLANS = (
    EvaluatePlan, TemperatureSweepPlan, LogitSkewPlan, SelectPlan, SeedScoresPlan, EMPlan, RLPlan,
    DoctorPlan,
)  # fmt: skip
NEVER = (
    "nan", "inf", "-inf", "1e300", "1" + "0" * 400, "1" + "0" * 5000, "", "x", " ", "9" * 10_000,
    "y" * 10_000, "\x1b[31m", "\u202e1", "1,,x", "0x10", "\u0661e9999",
)  # fmt: skip
"""Values that no number has."""
EDGES = ("-1", "0", "1e-300", "1e-40", str(2**63), str(2**31), "1e9", "1e-6", "1.5")
ARGUMENTS = {
    "doctor": ["lab"],
    "eval": ["lab"], "compare": ["a", "b"], "logits-skew": ["lab"], "temp-sweep": ["lab"],
    "select": ["lab"], "grade": ["none.jsonl"], "regrade": ["a"], "train score": ["folder"],
    "train em": ["lab", "--out", "o", "--problem", "chain/0000"],
    "train rl": ["lab", "--out", "o", "-b", "chain"],
    "runs show": ["a"], "runs export": ["a", "b.jsonl"], "benchmarks show": ["toy"],
    "benchmarks pull": ["none"], "benchmarks import": ["none", "none.jsonl"],
    "benchmarks verify": ["none"], "lab problems": ["--out", "p.jsonl"],
}  # fmt: skip

OWN_NUMBERS = {
    ("compare", "margin"), ("grade", "deadline"), ("grade", "workers"), ("regrade", "top"),
    ("regrade", "workers"), ("regrade", "deadline"), ("select", "top"), ("demo", "seeds"),
    ("demo", "limit"), ("lab build", "steps"), ("lab build", "seed"), ("lab problems", "size"),
    ("lab problems", "seed"), ("benchmarks show", "problems"), ("benchmarks verify", "workers"),
}  # fmt: skip
"""Of commands, not of plans."""


class Planned(BaseException):
    """A command that would run."""


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        path = f"{prefix} {name}".strip()
        if hasattr(command, "commands"):
            yield from commands(command, path)
        else:
            yield path, command


def options() -> list[tuple[str, str, bool]]:
    """Command, flag, and whether its value is a number, of each option that has a value."""
    numbers = {(plan.verb, item.name) for plan in PLANS for item in fields_of(plan) if number(item)}
    found = []
    for path, command in commands(typer.main.get_command(app)):
        for option in command.params:
            if option.param_type_name != "option" or option.is_flag or option.name == "help":
                continue
            is_number = (path, option.name) in numbers | OWN_NUMBERS
            found.append((path, option.opts[0], is_number))
    return found


def number(item: Field) -> bool:
    kind = item.plain_kind
    if get_origin(kind) is tuple:
        kind = get_args(kind)[0]
    return kind in {int, float}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int | None, str]]:
    """Exit code and stderr of a command; None where it would run."""

    def stop(*_: object, **__: object) -> None:
        raise Planned

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(plan_options, "_session", stop)
    for module, name in (("demonstration.run", "run_demo"), ("lab.build", "build_lab")):
        monkeypatch.setitem(sys.modules, f"emdiag.{module}", SimpleNamespace(**{name: stop}))

    def invoke(*words: str) -> tuple[int | None, str]:
        try:
            result = CliRunner().invoke(app, list(words), catch_exceptions=False)
        except Planned:
            return None, ""
        return result.exit_code, result.stderr

    return invoke


@pytest.mark.parametrize("plan", PLANS)
def test_every_number_of_a_plan_refuses_what_it_cannot_be(plan: type[Plan]) -> None:
    needed = {"checkpoints": "lab", "checkpoint": "lab", "ref": "lab", "out": "o",
              "benchmark": "chain", "problems": "chain/0000"}  # fmt: skip
    known = {item.name: item for item in fields_of(plan)}
    given = {name: value for name, value in needed.items() if name in known}
    for item in filter(number, known.values()):
        numbers = [float("nan"), float("inf"), float("-inf"), 1e300, 10**400, True, {}]
        for value in (*NEVER, *numbers):
            with pytest.raises(PlanError) as caught:
                plan.of({**given, item.name: value})
            assert item.name in str(caught.value) or item.flag in str(caught.value), value


@pytest.mark.parametrize(("command", "flag", "is_number"), options())
def test_every_option_of_every_command_refuses_a_code_of_the_terminal(
    run: Callable[..., tuple[int | None, str]], command: str, flag: str, *, is_number: bool
) -> None:
    check(run, command, flag, values=["\x1b[31m\u202e"], is_number=is_number)


@pytest.mark.parametrize(("command", "name"), sorted(OWN_NUMBERS))
def test_every_number_of_a_command_refuses_what_it_cannot_be(
    run: Callable[..., tuple[int | None, str]], command: str, name: str
) -> None:
    check(run, command, f"--{name}", values=["nan", "-inf", "1" + "0" * 400, "", "-1e300"])


@pytest.mark.whole
@pytest.mark.parametrize(("command", "flag", "is_number"), options())
def test_every_option_of_every_command_refuses_what_it_cannot_be(
    run: Callable[..., tuple[int | None, str]], command: str, flag: str, *, is_number: bool
) -> None:
    check(run, command, flag, values=[*NEVER, *EDGES], is_number=is_number)


def check(
    run: Callable[..., tuple[int | None, str]], command: str, flag: str, *, values: list[str],
    is_number: bool = True,
) -> None:  # fmt: skip
    """A command says within its plan what is wrong, and names the option where it is a number."""
    given = [*command.split(), *ARGUMENTS.get(command, [])]
    name = flag.lstrip("-").replace("-", "_")
    for value in values:
        code, errors = run(*given, f"{flag}={value}" if flag.startswith("--") else f"{flag}{value}")
        assert "Traceback" not in errors, (value, errors)
        assert code in {None, 0, 2}, (value, errors)
        assert code in {None, 0} or errors.startswith(("error: ", "note: ")), (value, errors)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", errors)
        assert len(errors) < 20_000
        if is_number and value not in EDGES:
            assert code == 2, value
            assert f"--{name.replace('_', '-')}" in errors or name in errors, (value, errors)


def test_numbers_of_a_plan_have_a_range_declared() -> None:
    for plan in PLANS:
        for item in fields_of(plan):
            if number(item) and item.name != "seed":
                option = item.option
                assert (option.at_least, option.above) != (None, None), (plan, item.name)
                assert option.at_most is not None, (plan, item.name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": "x"}, "expected  a number"),
        ({"temperature": 1e-40}, "0 (greedy) or from 0.01 to 100"),
        ({"temperature": 0.009}, "0 (greedy) or from 0.01 to 100"),
        ({"temperature": float("nan")}, "0 (greedy) or from 0.01 to 100"),
        ({"repetition_penalty": 1e-300}, "from 0.01 to 100"),
        ({"top_p": 1e-300}, "in (0, 1]"),
        ({"stop": ""}, "a stop string is empty"),
        ({"stop": ["a", ""]}, "a stop string is empty"),
        ({"limit": 10**400}, "must be <="),
        ({"limit": 10**10}, "must be <= 1,000,000,000"),
        ({"batch_size": 0}, "must be >= 1"),
        ({"threads": -1}, "must be >= 1"),
        ({"grader_workers": 0}, "must be >= 1"),
        ({"deadline_s": 0}, "--deadline"),
        ({"gpu_memory_utilization": 1.5}, "must be <= 1"),
        ({"max_model_len": 0}, "must be >= 1"),
        ({"device": "meta"}, "auto, cpu, cuda, cuda:1, mps or xpu"),
        ({"device": "cuda:x"}, "auto, cpu, cuda"),
        ({"device": 0}, "a text"),
        ({"dtype": "int8"}, "short forms: bf16"),
        ({"engine": "magic"}, "one of auto, transformers"),
        ({"plots": False}, "figures=FOLDER"),
    ],
)
def test_python_is_told_what_the_command_is_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=re.escape(words)):
        emdiag.evaluate("lab", **given)


@pytest.mark.parametrize(
    ("written", "dtype"),
    [("bf16", "bfloat16"), ("fp16", "float16"), ("half", "float16"), ("fp32", "float32"),
     ("float", "float32"), ("torch.bfloat16", "bfloat16"), ("BFloat16", "bfloat16"),
     ("auto", "auto")],
)  # fmt: skip
def test_number_formats_have_the_short_forms_of_the_field(written: str, dtype: str) -> None:
    assert EvaluatePlan.of({"checkpoints": "lab", "dtype": written}).engine.dtype == dtype


@pytest.mark.parametrize("temperature", [0, 0.01, 0.6, 100])
def test_temperatures_that_engines_draw_at_are_taken(temperature: float) -> None:
    plan = EvaluatePlan.of({"checkpoints": "lab", "temperature": temperature})
    assert plan.sampling.temperature == temperature


@pytest.mark.parametrize(
    "label",
    ["x" * 101, "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 34, "a\x1b[31m", "a\u202eb", "a\u200bb", "a\nb",
     "a\tb", "a\u00a0b", "a\ufe0f", "\u2800", "a\u3164", "a\udcff", "a\U000e0041b", "a\u2028b"],
)  # fmt: skip
def test_a_label_is_short_and_seen(label: str) -> None:
    for argument in (f"{label}=lab", f"folder/{label}"):
        with pytest.raises(PlanError, match="cannot be called") as caught:
            EvaluatePlan.of({"checkpoints": argument})
        assert "LABEL=REF" in str(caught.value)


@pytest.mark.parametrize("label", ["em[a]", "[/red]", ":smile:", "x" * 100, "\u00e9\u4e00", "a b"])
def test_other_labels_are_taken(label: str) -> None:
    plan = EvaluatePlan.of({"checkpoints": f"{label}=lab"})
    assert plan.checkpoints[0].label == label


@pytest.mark.parametrize("name", ["x.pdf", "x", "x.html.gz", ".html", "", "x.HTMLX", "a/b.json"])
def test_a_page_is_named_as_one(
    run: Callable[..., tuple[int | None, str]], name: str, tmp_path: Path
) -> None:
    for words in (["eval", "lab", "--report", name], ["report", "--out", name]):
        code, errors = run(*words)
        assert code == 2, words
        assert "expected  a name that ends in .html or .htm" in errors
    assert list(tmp_path.iterdir()) == []


def test_a_user_who_is_not_there_is_named(run: Callable[..., tuple[int | None, str]]) -> None:
    for words in (["report", "~nosuchuser/x"], ["eval", "lab", "--plan", "~nosuchuser/x.toml"]):
        code, errors = run(*words)
        assert code == 2
        assert "there is no home of a user 'nosuchuser'" in errors


def test_a_folder_may_be_called_like_a_user_who_is_not_there(
    run: Callable[..., tuple[int | None, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~nosuchuser").mkdir()
    code, errors = run("eval", "lab", "--plan", "./~nosuchuser")
    assert code == 2
    assert "no home" not in errors
    _, errors = run("eval", "./~nosuchuser")
    assert "no home" not in errors


@pytest.mark.parametrize("level", ["x", "1", "warn ing", "\x1b[31m"])
def test_an_unknown_level_of_the_log_is_refused(
    run: Callable[..., tuple[int | None, str]], level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMDIAG_LOG", level)
    code, errors = run("runs", "list")
    assert code == 2
    assert "expected  DEBUG, INFO, WARNING, ERROR, CRITICAL" in errors


def test_plans_are_all_of_them() -> None:
    def below(plan: type[Plan]) -> set[type[Plan]]:
        return {plan, *(inner for kind in plan.__subclasses__() for inner in below(kind))}

    assert {plan for plan in below(Plan) if hasattr(plan, "verb") and plan.__module__.startswith(
        "emdiag.")} == set(PLANS)  # fmt: skip


EARLY = [
    ("train em lab --out o --problem nosuch/1", "there is no benchmark named 'nosuch'"),
    ("train em lab --out o --problem chain/9999", "chain has no problem 'chain/9999'"),
    ("train em lab --out o --problem chain/0 --save-updates 99", "there is no update 99"),
    ("train em lab --out o --problem chain/0000 --grid lr=x", "a field of the recipe"),
    ("train em lab --out o --problem chain/0000 --held-out no", "there is no benchmark named"),
    ("train em no/ --out o --problem chain/0000", "there is no checkpoint at 'no/'"),
    ("train rl lab --out o -b nosuch", "there is no benchmark named 'nosuch'"),
    ("logits-skew lab --base nope", "no checkpoint is called 'nope'"),
    ("logits-skew lab --undo top-k", "add --published"),
    ("temp-sweep lab --base nope", "no checkpoint is called 'nope'"),
    ("eval no/", "there is no checkpoint at 'no/'"),
    ("eval lab -b nosuch", "there is no benchmark named 'nosuch'"),
    ("eval lab --template nosuch", "there is no prompt template"),
    ("select lab --pool nosuch", "there is no benchmark named 'nosuch'"),
]
"""What can be told from what was typed, with none of the libraries that take seconds."""


def test_what_was_typed_is_checked_before_heavy_imports(tmp_path: Path) -> None:
    script = (
        "import json, sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.partition('.')[0] in {'torch', 'transformers', 'trl', 'vllm'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from typer.testing import CliRunner\n"
        "from emdiag.cli.app import app\n"
        "runs = [CliRunner().invoke(app, line.split()) for line in json.loads(sys.argv[1])]\n"
        "print(json.dumps([[run.exit_code, run.output] for run in runs]))\n"
    )
    words = [sys.executable, "-c", script, json.dumps([line for line, _ in EARLY])]
    done = subprocess.run(words, capture_output=True, cwd=tmp_path, check=True, text=True)
    for (line, said), (code, output) in zip(EARLY, json.loads(done.stdout), strict=True):
        assert code == 2, (line, output)
        assert said in output, (line, output)
