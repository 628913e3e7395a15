"""A plan, the command that follows it and the file that holds it say the same."""

from __future__ import annotations

import ast
import inspect
import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import PlanError
from emdiag.core.option_groups import Sampling
from emdiag.core.options import fields_of
from emdiag.core.plans import read_plan_file
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.logits.plan import LogitSkewPlan
from emdiag.studies.sweep.plan import TemperatureSweepPlan
from emdiag.studies.training.plans import SeedScoresPlan, SelectPlan
from emdiag.train.em.plan import EMPlan
from emdiag.train.rl.plan import RLPlan

if TYPE_CHECKING:
    from emdiag.core.plans import Plan

ROOT = Path(__file__).parents[2]
CHECKPOINTS = {"checkpoints": ["base=lab", "em=out/em"]}
EM: dict[str, Any] = {"ref": "lab", "out": "o", "problems": ["chain/0000"]}

PLANS: list[tuple[type[Plan], dict[str, Any]]] = [
    (EvaluatePlan, {"checkpoints": "lab"}),
    (
        EvaluatePlan,
        {
            **CHECKPOINTS,
            "benchmarks": ["chain", "my problems.jsonl"],
            "samples": 8,
            "temperature": 0.6,
            "min_p": 1e-5,
            "stop": ["\n\n", "-- end", 'a "quote" \\ and \x7f \t\u00e9'],
            "chat": False,
            "prefix": "so $\\boxed{",
            "trust_remote_code": True,
            "deadline_s": 2.5,
        },
    ),
    (TemperatureSweepPlan, {**CHECKPOINTS, "temperatures": "0,0.2,...,1", "control": False}),
    (
        EvaluatePlan,
        {
            **CHECKPOINTS,
            "chat_options": {"enable_thinking": False, "effort": "low", "text": "3"},
            "system": "Be 'brief'.\n-- and \"right\"",
        },
    ),
    (
        TemperatureSweepPlan,
        {**CHECKPOINTS, "sweep": {"top_p": [0.8, 1.0], "temperature": [0.5, 1.0]}, "min_p": 0.1},
    ),
    (
        LogitSkewPlan,
        {
            **CHECKPOINTS,
            "limit": 7,
            "texts": ["base", "reference"],
            "entropy_temperatures": [0.3, 2.0],
            "published": True,
            "undo": "top-k,pooled",
        },
    ),
    (LogitSkewPlan, {**CHECKPOINTS, "from_runs": ["a=12ab", "34cd"], "limit": None}),
    (SelectPlan, {"checkpoint": "base=lab", "pool": "toy", "by": "agreement", "out": "r.jsonl"}),
    (SeedScoresPlan, {"out": "out/em", "base": "b=lab", "updates": "all"}),
    (EMPlan, EM),
    (
        EMPlan,
        {
            **EM,
            "recipe": "released-code",
            "learning_rate": 1e-4,
            "max_tokens": "none",
            "weight_decay": 0.1,
            "set": ["micro_batch=4"],
            "micro_batch": 3,
            "seeds": "0..2",
            "grid": ["temperature=0.3,0.5"],
        },
    ),
    (RLPlan, {"ref": "lab", "benchmark": "toy", "out": "o", "recipe": "lab", "beta": 0.04}),
]


def parsed(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan that a command line is understood as; nothing runs."""
    from typer.testing import CliRunner

    from emdiag.cli import plan_options

    plans: list[Plan] = []

    class Stopped(Exception):  # noqa: N818 - not an error
        pass

    def stop(plan: Plan, *_: object) -> None:
        plans.append(plan)
        raise Stopped

    monkeypatch.setattr(plan_options, "_session", stop)
    found = CliRunner().invoke(app, list(words[1:]))
    assert plans, found.output
    return plans[0]


@pytest.mark.parametrize(("kind", "options"), PLANS)
def test_the_file_and_the_command_of_a_plan_give_the_plan_again(
    kind: type[Plan], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = kind.of(options)
    assert kind.from_toml(plan.to_toml()) == plan
    assert kind.from_toml(plan.to_toml()).to_toml() == plan.to_toml()
    assert parsed(plan.command(), monkeypatch) == plan


finite = st.floats(0.01, 100, allow_nan=False)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(
    samples=st.integers(1, 10**6),
    temperature=finite,
    top_p=st.floats(1e-6, 1.0),
    stop=st.lists(words, max_size=3),
    limit=st.none() | st.integers(1, 10**9),
    chat=st.none() | st.booleans(),
    device=st.from_regex(r"cuda:[0-9]{1,2}|cpu|auto", fullmatch=True),
)
def test_any_values_come_back_from_a_file(**options: Any) -> None:
    plan = EvaluatePlan.of({"checkpoints": "base=lab", **options})
    assert EvaluatePlan.from_toml(plan.to_toml()) == plan


def test_the_default_of_an_option_is_left_out() -> None:
    plan = EvaluatePlan.of({"checkpoints": "base=lab", "temperature": 0, "samples": 1})
    assert plan.command() == ("emdiag", "eval", "base=lab")
    assert plan.command(store="x") == ("emdiag", "eval", "base=lab", "--store", "x")
    assert plan.to_toml().splitlines()[1:] == ['checkpoints = ["base=lab"]']


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("temprature = 1", ["unknown options: temprature", "did you mean temperature?", "known"]),
        ('samples = "many"', ["samples has the wrong type", "'many'", "a whole number"]),
        ("dtype = 8", ["no number format 8", "auto, float32, bfloat16 or float16"]),
        ("temperature = -1", ["`temperature` must be 0 (greedy) or from 0.01 to 100, got -1"]),
        ("samples 3", ["not TOML", "line 2", "NAME = VALUE"]),
        ("stop = [1]", ["stop has the wrong type", "a list, each a text"]),
        ("[sampling]\nsamples = 3", ["unknown options: sampling"]),
        (f"stop = {'[' * 100_000}", ["nests lists or tables too deeply", "NAME = VALUE"]),
        (f"stop = {'[' * 9}{']' * 9}", ["nests lists or tables too deeply", "stop"]),
        (f"limit{'.a' * 2_000} = 1", ["nests lists or tables too deeply", "limit"]),
        (f"limit = {9:9<5000}", ["not TOML", "NAME = VALUE"]),
        (f"limit = 0x{9:9<5000}", ["`limit` must be", "a number of 20000 bits"]),
        (
            "limit = 99999999999999999999999",
            ["`limit` must be", "<= 9223372036854775807, got 9999"],
        ),
        ("samples = 9223372036854775808", ["`samples` must be", "<= 9223372036854775807"]),
        ("max-tokens = 3\nmax_tokens = 4", ["max_tokens is given twice", "max-tokens"]),
        *(
            (f"{name} = 1", [f"{name} is given on the command line only", f"--{name}"])
            for name in ("store", "report", "plan", "json", "wide", "figures", "plots", "top")
        ),
        ("out = 1", ["out is given on the command line only", "--store"]),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_was_expected(
    text: str, words: list[str]
) -> None:
    with pytest.raises(PlanError) as caught:
        EvaluatePlan.from_toml(f'checkpoints = "lab"\n{text}')
    for word in words:
        assert word in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="does not exist") as caught:
        read_plan_file(tmp_path / "none.toml")
    assert str(tmp_path / "none.toml") in str(caught.value)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="cannot be read"):
        read_plan_file(tmp_path / "bytes.toml")


@pytest.mark.parametrize(
    "content", ["limit = 3".encode("utf-16"), "a = 1".encode("utf-16-le"), b"\x7fELF\0"]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(PlanError, match="not a text in UTF-8") as caught:
        read_plan_file(path)
    for word in (str(path), "expected", "found", "hint"):
        assert word in str(caught.value)


def test_a_file_that_is_too_long_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text("a" * 2**20)
    with pytest.raises(PlanError, match="not TOML"):
        read_plan_file(path)
    path.write_text("a" * (2**20 + 1))
    with pytest.raises(PlanError, match="too long") as caught:
        read_plan_file(path)
    for word in (str(path), "at most 1,048,576 characters", "found", "hint"):
        assert word in str(caught.value)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(b"\xef\xbb\xbflimit = 3\r\n")
    assert read_plan_file(path) == {"limit": 3}


@pytest.mark.parametrize("name", ["", "."])
def test_a_folder_is_no_plan(name: str) -> None:
    with pytest.raises(PlanError, match=r"is a folder\n(.*\n)*.*hint  --plan takes a file"):
        read_plan_file(Path(name))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1])
def test_whole_numbers_fit_in_64_bits(value: int) -> None:
    for name, given_value in (("seed", value), ("seed", [value]), ("stop", [value])):
        with pytest.raises(PlanError, match=f"must be [<>]= -?922337203685477580.*got {value}"):
            EvaluatePlan.of({"checkpoints": "lab", name: given_value})
    assert EvaluatePlan.of({"checkpoints": "lab", "seed": 2**63 - 1}).sampling.seed == 2**63 - 1


@pytest.mark.parametrize("options", [{"system": b"x"}, {"prefix": b"x"}, {"stop": [b"x"]}])
def test_bytes_are_no_text(options: Any) -> None:
    with pytest.raises(PlanError, match="wrong type or value"):
        EvaluatePlan.of({"checkpoints": "lab", **options})


def test_where_training_writes_is_its_out() -> None:
    with pytest.raises(PlanError, match="did you mean out"):
        EMPlan.of({**EM, "store": "x"})


def test_an_argument_is_not_called_an_option() -> None:
    with pytest.raises(PlanError, match="argument  checkpoints") as wrong:
        EvaluatePlan.from_toml("checkpoints = [1]")
    with pytest.raises(PlanError, match=r"hint  argument \[LABEL=\]REF... of the command") as empty:
        TemperatureSweepPlan.from_toml("")
    for caught in (wrong, empty):
        assert "--checkpoints" not in str(caught.value)


def test_what_has_to_be_given_is_asked_for() -> None:
    with pytest.raises(PlanError, match="out is not given"):
        EMPlan.of({"ref": "lab"})


DOORWAYS = [
    (emdiag.evaluate, EvaluatePlan),
    (emdiag.temperature_sweep, TemperatureSweepPlan),
    (emdiag.logit_skew, LogitSkewPlan),
    (emdiag.select, SelectPlan),
    (emdiag.score_seeds, SeedScoresPlan),
    (emdiag.train_em, EMPlan),
    (emdiag.train_rl, RLPlan),
]
WHERE = {"store", "home", "figures", "progress"}


@pytest.mark.parametrize(("function", "plan"), DOORWAYS)
def test_a_function_names_every_option_of_its_plan(function: Any, plan: type[Plan]) -> None:
    shown = set(inspect.signature(function).parameters) - WHERE
    names = {one.name for one in fields_of(plan)}
    if "benchmark" in shown and "benchmarks" in names:
        shown = shown - {"benchmark"} | {"benchmarks"}
    assert shown == names
    for name, parameter in inspect.signature(function).parameters.items():
        assert parameter.kind is not parameter.VAR_KEYWORD, name
    helped = {one.name for one in fields_of(plan) if one.option.help} & shown
    for name in {*helped, *WHERE} & set(inspect.signature(function).parameters):
        assert f"\n    {name}: " in function.__doc__


def test_the_keywords_that_editors_read_are_those_of_the_plans() -> None:
    script = runpy.run_path(str(ROOT / ".ci" / "keywords.py"))
    written = (ROOT / "emdiag" / "core" / "keywords.py").read_text()
    assert ast.dump(ast.parse(written)) == ast.dump(ast.parse(script["module"]())), (
        "run: python .ci/keywords.py"
    )


def test_an_option_is_declared_in_one_place() -> None:
    assert {one.name for one in fields_of(Sampling)} <= {
        one.name for one in fields_of(EvaluatePlan)
    }
    assert "min_p" in inspect.signature(emdiag.select).parameters


def test_an_old_name_of_an_option_works_with_a_note(caplog: pytest.LogCaptureFixture) -> None:
    plan = LogitSkewPlan.of({**CHECKPOINTS, "problems": 3})
    assert plan.targets.limit == 3
    assert "problems is now limit" in caplog.text


def test_a_recipe_is_named_as_version_0_1_named_it(monkeypatch: pytest.MonkeyPatch) -> None:
    words = (
        "emdiag train em lab --out o --problem chain/0000 --set top_k=3 --max-tokens 64 --lr 1e-4"
    )
    plan = parsed(tuple(words.split()), monkeypatch)
    assert isinstance(plan, EMPlan)
    assert plan.recipe.name == "paper with learning_rate=0.0001 max_tokens=64 top_k=3"
    words = "emdiag train rl lab -b toy --out o --micro-batch 4 --lr 1e-4 --reward format"
    rl = parsed(tuple(words.split()), monkeypatch)
    assert isinstance(rl, RLPlan)
    assert rl.recipe.name == "grpo with reward=format learning_rate=0.0001 micro_batch=4"


def test_an_option_may_be_named_as_it_is_typed() -> None:
    assert EMPlan.of({**EM, "lr": 1e-4}).recipe.learning_rate == 1e-4
    text = 'checkpoints = "lab"\nbenchmark = "toy"\ndeadline = 3.0'
    plan = EvaluatePlan.from_toml(text)
    assert (plan.targets.benchmarks, plan.grading.deadline_s) == (("toy",), 3.0)
    with pytest.raises(PlanError, match=r"given twice\n.*benchmark and benchmarks"):
        EvaluatePlan.from_toml(f'{text}\nbenchmarks = "chain"')
