from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

import emdiag
from emdiag.core.errors import PlanError
from emdiag.core.results import remark
from emdiag.core.temperature_sweep import SweepSetting, TemperatureSweepResult
from emdiag.resources import lab_weights
from emdiag.store.run_store import RunStore
from emdiag.studies.evaluate import draw
from emdiag.studies.evaluate import entropies as run_entropies
from emdiag.studies.sweep.plan import TEMPERATURES, TemperatureSweepPlan, sweep_design

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from emdiag.core.temperature_sweep import SweepPoint

    Weights = dict[str, torch.Tensor]
    Sweep = Callable[..., TemperatureSweepResult]

LAB = str(lab_weights())
SMALL: dict[str, Any] = {"limit": 12, "samples": 2, "threads": 1, "engine": "transformers"}


def colder(weights: Weights) -> None:
    """Divides all logits by 0.5, exactly up to rounding: the head is the embedding."""
    weights["model.norm.weight"] /= 0.5


@pytest.fixture(scope="module", autouse=True)
def light() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def cold(lab_copy: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lab_copy(tmp_path_factory.mktemp("cold") / "cold", colder)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweep")


@pytest.fixture(scope="module")
def cooled(root: Path, cold: Path) -> TemperatureSweepResult:
    """The lab, and the lab cooled to T 0.5 by its weights; two seeds of the latter are one."""
    return emdiag.temperature_sweep(
        [f"base={LAB}", f"em={cold}"],
        sweep={"temperature": [0, 0.5, 1.0]},
        store=root / "runs",
        home=root / "home",
        **SMALL,
    )


def point(
    result: TemperatureSweepResult, label: str, temperature: float, *, control: bool = False
) -> SweepPoint:
    (found,) = [
        one
        for one in result.points
        if (one.checkpoint, one.setting.temperature, one.is_control)
        == (label, temperature, control)
    ]
    return found


def test_a_checkpoint_that_is_the_cooled_base_is_found_at_its_temperature(
    cooled: TemperatureSweepResult,
) -> None:
    control = next(one for one in cooled.controls if one.temperature == 1.0)
    assert control.base_temperature == pytest.approx(0.5, abs=0.02)
    assert control.entropy_nats == pytest.approx(control.base_entropy_nats, rel=0.02)
    assert control.is_matched
    assert control.difference == pytest.approx(0, abs=1e-12)
    assert control.interval is not None
    assert control.interval.low < 0 < control.interval.high
    assert control.verdict == "undecided"  # 12 problems are too few to say "cooling"


def test_samples_share_their_random_numbers_across_checkpoints(
    root: Path, cooled: TemperatureSweepResult
) -> None:
    """The base at T 0.5 and the cooled weights at T 1 are one distribution: the same texts."""
    runs = {run.key: run for run in RunStore(root / "runs").runs()}
    one, other = (
        runs[point(cooled, label, temperature).run_keys[0]].completions()
        for label, temperature in (("base", 0.5), ("em", 1.0))
    )
    same = [one[sample].token_ids == other[sample].token_ids for sample in one]
    assert len(same) == 24
    assert sum(same) >= 23  # one tie may fall the other way by rounding


def test_entropies_are_those_of_the_distributions_the_tokens_came_from(
    root: Path, cooled: TemperatureSweepResult
) -> None:
    found = point(cooled, "base", 0.5)
    (run,) = [one for one in RunStore(root / "runs").runs() if one.key == found.run_keys[0]]
    model = AutoModelForCausalLM.from_pretrained(LAB, dtype=torch.float32).eval()
    from emdiag.benchmarks.cards import load_card
    from emdiag.benchmarks.load import load_problems
    from emdiag.benchmarks.prompts import fill, load_template
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder

    card = load_card("chain")
    problems = load_problems(card, home=root)[:12]
    encoder = CheckpointEncoder(LAB, trust_remote_code=False)
    prompts = encoder.encode([fill(load_template("chain"), one) for one in problems], chat=False)
    per_problem: list[float] = []
    completions = run.completions()
    for prompt in prompts:
        means = []
        for index in range(2):
            ids = completions[prompt.problem_id, index].token_ids
            with torch.inference_mode():
                logits = model(torch.tensor([[*prompt.token_ids, *ids]])).logits[0].double()
            log_p = torch.log_softmax(logits[len(prompt.token_ids) - 1 : -1] / 0.5, dim=-1)
            means.append(float(-(log_p.exp() * log_p).sum(-1).mean()))
        per_problem.append(float(np.mean(means)))
    assert found.entropy_nats is not None
    assert found.entropy_nats.value == pytest.approx(np.mean(per_problem), rel=1e-4)


def test_scores_are_those_of_eval_and_their_runs_are_shared(
    root: Path, cooled: TemperatureSweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("samples were drawn that the sweep had drawn before")

    monkeypatch.setattr(draw, "open_sampler", never)
    for temperature, samples in ((0.0, 1), (0.5, 2)):
        options = {**SMALL, "samples": samples}
        (score,) = emdiag.evaluate(
            f"base={LAB}",
            temperature=temperature,
            store=root / "runs",
            home=root / "home",
            **options,
        ).scores
        found = point(cooled, "base", temperature)
        assert found.accuracy.name == score.metric
        assert found.accuracy.value == score.value
        assert found.accuracy.interval is not None
        assert score.interval is not None
        assert found.accuracy.interval.low == pytest.approx(score.interval.low, abs=1e-12)
        assert found.run_keys == (score.run_key,)
        assert [one.value for one in found.pass_at_k] == [one.value for one in score.pass_at_k]
        assert found.mean_tokens.value == pytest.approx(score.rates.mean_tokens)


def test_the_same_sweep_again_draws_and_reads_nothing(
    root: Path, cold: Path, cooled: TemperatureSweepResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("weights were loaded for nothing")

    monkeypatch.setattr(draw, "open_sampler", never)
    monkeypatch.setattr(run_entropies, "open_reader", never)
    again = emdiag.temperature_sweep(
        [f"base={LAB}", f"em={cold}"],
        sweep={"temperature": [0, 0.5, 1.0]},
        store=root / "runs",
        home=root / "home",
        **SMALL,
    )
    assert again == cooled
    assert RunStore(root / "runs").saved(TemperatureSweepResult)[-1] == cooled


def test_slopes_are_of_the_accuracies_shown(cooled: TemperatureSweepResult) -> None:
    for slope in cooled.slopes:
        shown = [point(cooled, slope.checkpoint, t).accuracy.value for t in (0.0, 0.5, 1.0)]
        assert slope.value == pytest.approx(np.polyfit([0, 0.5, 1], shown, 1)[0])
    (pair,) = cooled.slope_differences
    of = {slope.checkpoint: slope.value for slope in cooled.slopes}
    assert (pair.left, pair.right) == ("em", "base")
    assert pair.value == pytest.approx(of["em"] - of["base"])


def test_greedy_decoding_is_one_sample_without_entropy(cooled: TemperatureSweepResult) -> None:
    found = point(cooled, "base", 0.0)
    assert (found.samples, found.accuracy.name, found.majority) == (1, "avg@1", None)
    assert found.entropy_nats is not None
    assert found.entropy_nats.value == 0.0


def test_a_top_p_sweep_has_its_own_axis_and_a_second_one_makes_a_grid(
    root: Path,
) -> None:
    result = emdiag.temperature_sweep(
        f"base={LAB}",
        sweep={"top_p": [1.0, 0.5], "temperature": [0.5, 1.0]},
        store=root / "grid",
        home=root / "home",
        entropy=False,
        **{**SMALL, "limit": 4},
    )
    assert result.axes == ("temperature", "top_p")
    assert {one.setting for one in result.points} == {
        SweepSetting(temperature=t, top_p=p) for t in (0.5, 1.0) for p in (0.5, 1.0)
    }
    assert {slope.axis for slope in result.slopes} == {"temperature", "top_p"}
    assert remark("slope-over-all") in result.notes
    (falls,) = [slope for slope in result.slopes if slope.axis == "temperature"]
    heights = {t: [] for t in (0.5, 1.0)}  # type: dict[float, list[float]]
    for one in result.points:
        heights[one.setting.temperature].append(one.accuracy.value)
    rise = np.mean(heights[1.0]) - np.mean(heights[0.5])
    assert falls.value == pytest.approx(rise / 0.5)
    assert all(one.entropy_nats is None for one in result.points)
    assert result.controls == ()


def test_a_table_of_texts_is_swept_without_a_control(
    scripted: Callable[[str, dict[str, list[str]]], str],
    right_answers: Callable[[Sequence[str]], dict[str, list[str]]],
    toy_ids: list[str],
    tmp_path: Path,
) -> None:
    result = emdiag.temperature_sweep(
        [scripted("base", right_answers(toy_ids[:3])), scripted("em", right_answers(toy_ids))],
        "toy",
        sweep={"temperature": [0.0, 1.0]},
        store=tmp_path / "out",
        home=tmp_path / "home",
        template="plain",
        samples=1,
        grader_workers=1,
    )
    assert [point(result, label, 1.0).accuracy.value for label in ("base", "em")] == [0.25, 1.0]
    assert result.controls == ()
    assert remark("texts-without-entropies") in result.notes
    assert all(slope.value == 0 and slope.trend == "undecided" for slope in result.slopes)


def plan(*checkpoints: str, sweep: dict[str, list[float]] | None = None, **options: object) -> Any:
    given = {"checkpoints": checkpoints or "base=lab", "benchmarks": "chain", **options}
    return sweep_design(TemperatureSweepPlan.of({**given, "sweep": sweep or {}}))


def test_without_an_axis_temperatures_are_swept() -> None:
    found = plan()
    assert found.axes == ("temperature",)
    assert tuple(one.temperature for one in found.settings) == TEMPERATURES
    assert plan(sweep={"top_p": [0.9, 1.0]}).settings[0].temperature == 1.0


@pytest.mark.parametrize(
    ("sweep", "options", "message"),
    [
        ({"heat": [1.0, 2.0]}, {}, "no axis 'heat'"),
        ({"temperature": []}, {}, "has no value"),
        ({"temperature": [0.5, 0.5]}, {}, "named twice"),
        ({"temperature": [0.0, 1.0], "top_p": [0.5, 1.0]}, {}, "greedy decoding takes"),
        ({"temperature": [0.5, 1.0], "top_p": [0.5, 1.0], "top_k": [5, 0]}, {}, "at most two"),
        ({"top_k": [1.5, 3.0]}, {}, "whole numbers"),
        ({"temperature": [-1.0, 1.0]}, {}, "`temperature` must be .*, got -1.0"),
        ({"top_p": [0.0, 1.0]}, {}, "`top_p` must be .*, got 0.0"),
        ({}, {"temperature": 0.6}, "what a sweep varies"),
        ({}, {"control_at": (0.7,)}, "not swept"),
        ({}, {"control_at": (0.0,)}, "no entropy to match"),
        ({}, {"base": "em"}, "no checkpoint is called"),
        ({}, {"smaples": 8}, "unknown options"),
        ({}, {"samples": 0}, "`samples` must be >= 1, got 0"),
    ],
)
def test_a_request_that_contradicts_itself_is_refused(
    sweep: dict[str, list[float]], options: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        plan(sweep=sweep, **options)


def test_a_base_of_several_checkpoints_cannot_be_cooled() -> None:
    with pytest.raises(PlanError, match="has 2 checkpoints"):
        plan("base=a", "base=b", "em=c")
    assert plan("base=a", "base=b", "em=c", control=False).base is None
