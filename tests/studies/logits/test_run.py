from __future__ import annotations

import gc
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import torch
from scipy import stats
from scipy.interpolate import CubicSpline
from scipy.special import rel_entr, softmax
from transformers import AutoModelForCausalLM

from emdiag.core.codec import encode
from emdiag.core.errors import (
    CheckpointError,
    EmdiagError,
    EngineError,
    MeasurementError,
    PlanError,
)
from emdiag.core.logit_skew import LogitEstimate, LogitSkewResult
from emdiag.core.protocols import SilentProgress
from emdiag.core.results import remark
from emdiag.core.training import TrainFolder
from emdiag.engines.open import open_reader
from emdiag.findings.logits.rows import LogitRows
from emdiag.findings.logits.statements import cooling_statements, logit_findings, text_statements
from emdiag.findings.remarks import words_of
from emdiag.resources import lab_weights
from emdiag.store.run_store import RunStore
from emdiag.store.session import open_session
from emdiag.store.training_folder import write_folder
from emdiag.studies.evaluate import draw
from emdiag.studies.evaluate.task import expand
from emdiag.studies.logits import read as read_logits
from emdiag.studies.logits.plan import LogitSkewPlan, logit_design
from emdiag.studies.logits.run import logit_skew

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from emdiag.core.logit_skew import QuirkStep
    from emdiag.engines.hf.logit_reader import ModelReader
    from emdiag.store.run_store import Sample

    Weights = dict[str, torch.Tensor]
    Logits = dict[Sample, NDArray[np.float64]]

ENGINE: dict[str, Any] = {"engine": "transformers", "device": "cpu", "threads": 1}
ONE_TEXT: dict[str, Any] = {"texts": ("base",), "reference": "none"}
"""Only the base writes; everything else reads."""


def colder(weights: Weights) -> None:
    """Divides all logits by 0.7, exactly up to rounding: the head is the embedding."""
    weights["model.norm.weight"] /= 0.7


def noisier(weights: Weights) -> None:
    generator = torch.Generator().manual_seed(0)
    for name in sorted(weights):
        weights[name] += 0.02 * torch.randn(weights[name].shape, generator=generator)


@dataclass(frozen=True)
class World:
    """The lab, and two checkpoints made of it; `em` is the lab cooled to T 0.7."""

    root: Path
    em: Path
    rl: Path

    def study(self, *refs: str, store: str = "runs", **options: Any) -> LogitSkewResult:
        known = {"base": str(lab_weights()), "em": str(self.em), "rl": str(self.rl)}
        named = [ref if "=" in ref else f"{ref}={known[ref]}" for ref in refs]
        where = {"store": self.root / store, "home": self.root / "home"}
        return logit_skew(named, "chain", **{**ENGINE, **where, **options})


@pytest.fixture(scope="module", autouse=True)
def light() -> Iterator[None]:
    """One thread, and no search for garbage in what other tests left: readers collect at the end.

    Threads of torch only wait for each other where a whole model is a few thousand numbers.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, lab_copy: Callable[..., Path]) -> World:
    root = tmp_path_factory.mktemp("world")
    em, rl = lab_copy(root / "colder", colder), lab_copy(root / "noisier", noisier)
    return World(root=root, em=em, rl=rl)


@pytest.fixture(scope="module")
def whole(world: World) -> LogitSkewResult:
    """Everything a study can be asked for, on eight problems."""
    return world.study(
        "base", "em", "rl", problems=8, continuation="both", entropy_temperatures=(0.5,),
        published=True, undo=("pooled", "top-k"),
    )  # fmt: skip


def row(result: LogitSkewResult, statistic: str, **where: Any) -> LogitEstimate:
    """The one estimate that fits; per token, raw, of all tokens unless said otherwise."""
    asked = {"text": "base", "kind": "per_token", "source": "raw", "part": None, **where}
    (found,) = [
        one
        for one in result.estimates
        if one.statistic == statistic and all(getattr(one, k) == v for k, v in asked.items())
    ]
    return found


# Every logit of every position, made by the whole model, text by text.


class Materialised:
    """All logits of the study's texts, in float64."""

    def __init__(self, world: World, problems: int) -> None:
        self._store = RunStore(world.root / "runs")
        plan = logit_design(LogitSkewPlan.of({"checkpoints": f"base={lab_weights()}", **ENGINE}))
        (reading,) = expand(plan.how, open_session(self._store.root, home=world.root / "home"))
        self.prompts = {p.problem_id: p.token_ids for p in reading.prompts[:problems]}
        self._folders = {"base": lab_weights(), "em": world.em, "rl": world.rl}
        self._models: dict[str, Any] = {}

    def read(self, label: str, run: str) -> Logits:
        """What a checkpoint's logits are along the texts of a run."""
        (found,) = [one for one in self._store.runs() if str(one.path) == run]
        if label not in self._models:
            model: Any = AutoModelForCausalLM.from_pretrained(
                self._folders[label], dtype=torch.float32
            )
            self._models[label] = model.eval()
        logits: Logits = {}
        for sample, completion in found.completions().items():
            if sample[0] not in self.prompts:
                continue
            ids = self.prompts[sample[0]] + completion.token_ids
            with torch.inference_mode():
                every = self._models[label](input_ids=torch.tensor([ids])).logits[0].double()
            first = len(self.prompts[sample[0]]) - 1
            logits[sample] = every[first : first + len(completion.token_ids)].numpy()
        return logits


@pytest.fixture(scope="module")
def logits(world: World, whole: LogitSkewResult) -> Materialised:
    del whole  # its runs are read
    return Materialised(world, 8)


def run_of(result: LogitSkewResult, name: str, writer: str | None = None) -> str:
    return next(
        text.run
        for text in result.texts
        if text.name == name and (writer is None or text.writer == writer)
    )


def by_problem(values: dict[Sample, Any]) -> NDArray[np.float64]:
    """Mean over each problem's positions."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for (problem, _), of_text in values.items():
        found[problem] += list(of_text)
    return np.array([np.mean(found[problem]) for problem in sorted(found)])


PER_TOKEN: dict[str, Callable[[NDArray[np.float64]], Any]] = {
    "skewness": lambda z: stats.skew(z, axis=1),
    "excess_kurtosis": lambda z: stats.kurtosis(z, axis=1),
    "sigma": lambda z: z.std(axis=1),
    "entropy_nats": lambda z: stats.entropy(softmax(z, axis=1), axis=1),
    "entropy_nats_at_0.5": lambda z: stats.entropy(softmax(z / 0.5, axis=1), axis=1),
    "top1_prob": lambda z: softmax(z, axis=1).max(axis=1),
}


@pytest.mark.parametrize("text", ["base", "rl"])
@pytest.mark.parametrize("statistic", list(PER_TOKEN))
def test_values_and_paired_differences_are_those_of_all_logits(
    whole: LogitSkewResult, logits: Materialised, statistic: str, text: str
) -> None:
    means = {}
    for label in ("base", "em", "rl"):
        read = logits.read(label, run_of(whole, text))
        means[label] = by_problem({key: PER_TOKEN[statistic](z) for key, z in read.items()})
        found = row(whole, statistic, checkpoint=label, text=text)
        assert found.value == pytest.approx(means[label].mean(), rel=1e-4, abs=1e-5)
        assert found.tokens == sum(map(len, read.values()))
        assert (found.problems, found.seeds) == (8, 1)
        assert found.interval is not None
        assert found.interval.low <= means[label].mean() <= found.interval.high
    for label in ("em", "rl"):
        change = row(whole, statistic, checkpoint=label, text=text).difference
        assert change is not None
        expected = (means[label] - means["base"]).mean()
        assert change.value == pytest.approx(expected, rel=1e-3, abs=2e-5)
        assert change.base == "base"
    assert row(whole, statistic, checkpoint="base", text=text).difference is None


def test_pooled_figures_are_those_of_scipy_on_all_logits_together(
    whole: LogitSkewResult, logits: Materialised
) -> None:
    known: dict[tuple[str, str, str], float] = {}
    for label in ("base", "em", "rl"):
        every = np.concatenate(list(logits.read(label, run_of(whole, "base")).values()))
        lse = np.log(np.exp(every).sum(axis=1, keepdims=True))
        for source, values in (("raw", every), ("log_prob", every - lse)):
            for name, expected in (
                ("mean", values.mean()),
                ("sigma", values.std()),
                ("skewness", stats.skew(values, axis=None)),
                ("excess_kurtosis", stats.kurtosis(values, axis=None)),
            ):
                found = row(whole, name, checkpoint=label, kind="pooled", source=source)
                assert found.value == pytest.approx(expected, rel=1e-5)
                known[label, source, name] = expected
                if found.difference is not None:
                    change = expected - known["base", source, name]
                    assert found.difference.value == pytest.approx(change, rel=1e-4, abs=2e-5)


def test_divergences_and_flips_are_those_of_all_logits(
    whole: LogitSkewResult, logits: Materialised
) -> None:
    base, rl = (logits.read(label, run_of(whole, "em")) for label in ("base", "rl"))
    p = {key: softmax(z, axis=1) for key, z in rl.items()}
    q = {key: softmax(z, axis=1) for key, z in base.items()}
    for name, expected in (
        ("kl_nats", {key: rel_entr(p[key], q[key]).sum(axis=1) for key in p}),
        ("reverse_kl_nats", {key: rel_entr(q[key], p[key]).sum(axis=1) for key in p}),
        ("top1_flips_frac", {key: rl[key].argmax(1) != base[key].argmax(1) for key in p}),
    ):
        value = by_problem(expected).mean()
        assert value > 0
        found = row(whole, name, checkpoint="rl", text="em")
        assert found.value == pytest.approx(value, rel=1e-3, abs=1e-5)
    flips = [one for one in whole.flows if (one.checkpoint, one.text) == ("rl", "em")]
    changed = sum(int((rl[key].argmax(1) != base[key].argmax(1)).sum()) for key in p)
    assert sum(one.count for one in flips) == changed
    assert all(one.from_token != one.to_token for one in flips)


def test_own_texts_are_compared_without_pretending_that_they_are_the_same(
    whole: LogitSkewResult, logits: Materialised
) -> None:
    means = {
        label: by_problem(
            {
                key: PER_TOKEN["entropy_nats"](z)
                for key, z in logits.read(label, run_of(whole, "own", label)).items()
            }
        ).mean()
        for label in ("base", "rl")
    }
    found = row(whole, "entropy_nats", checkpoint="rl", text="own")
    assert found.value == pytest.approx(means["rl"], rel=1e-4)
    assert {one.statistic for one in whole.estimates if one.text == "own"}.isdisjoint(
        {"kl_nats", "top1_flips_frac", "cooling_temperature"}
    )
    assert not [one for one in whole.decompositions if one.text == "own"]
    assert {(one.name, one.writer) for one in whole.texts} >= {
        ("own", "base"), ("own", "em"), ("own", "rl"), ("reference", "written solutions"),
    }  # fmt: skip


# What changed.


@pytest.mark.parametrize("text", ["base", "em", "rl", "reference"])
def test_a_checkpoint_that_only_cools_is_found_to_cool_by_the_right_temperature(
    whole: LogitSkewResult, text: str
) -> None:
    (found,) = [d for d in whole.decompositions if (d.checkpoint, d.text) == ("em", text)]
    assert found.temperature == pytest.approx(0.7, abs=1e-3)
    assert found.finding == "cooling"
    assert found.reranking_nats < 1e-9
    assert found.rest_nats < 1e-4 * found.kl_nats
    share = row(whole, "cooling_share", checkpoint="em", text=text)
    assert share.value == pytest.approx(1, abs=1e-3)
    assert row(whole, "top1_flips_frac", checkpoint="em", text=text).value == 0
    assert row(whole, "kendall_tau", checkpoint="em", text=text).value == pytest.approx(1, abs=1e-3)
    own = row(whole, "own_temperature", checkpoint="em", text=text)
    assert own.value == pytest.approx(0.7, rel=1e-3)
    for kind in ("per_token", "pooled"):
        change = row(whole, "skewness", checkpoint="em", text=text, kind=kind).difference
        assert change is not None
        assert abs(change.value) < 1e-5
        assert change.direction == "undecided"
    (said,) = [
        one for one in cooling_statements(LogitRows(whole), text) if one.subject.startswith("em on")
    ]
    assert (said.value, said.interval) == (share.value, share.interval)
    assert "is cooling" in said.words
    assert "T = 0.70" in said.words


def test_the_parts_of_the_divergence_add_up_and_none_is_negative(whole: LogitSkewResult) -> None:
    assert len(whole.decompositions) == 8
    for one in whole.decompositions:
        parts = (one.cooling_nats, one.reranking_nats, one.rest_nats)
        assert sum(parts) == pytest.approx(one.kl_nats, abs=1e-9)
        assert min(parts) >= 0
        kl = row(whole, "kl_nats", checkpoint=one.checkpoint, text=one.text)
        assert kl.value == pytest.approx(one.kl_nats)
        # One temperature for all problems, also for those that it takes farther from the base.
        curve = CubicSpline(np.log(one.curve_temperatures), one.curve_nats)
        best = float(curve(np.linspace(np.log(1 / 8), np.log(4), 2001)).min())
        left = row(whole, "kl_after_cooling_nats", checkpoint=one.checkpoint, text=one.text)
        assert one.kl_nats - one.cooling_nats == pytest.approx(best, rel=0, abs=5e-5)
        assert left.value == pytest.approx(one.kl_nats - one.cooling_nats, abs=1e-9)
        assert one.curve_nats[one.curve_temperatures.index(1.0)] == pytest.approx(
            one.kl_nats, abs=1e-5
        )
        assert one.own_temperatures_nats >= one.cooling_nats - 1e-5
    (rl,) = [d for d in whole.decompositions if (d.checkpoint, d.text) == ("rl", "base")]
    assert rl.finding != "cooling"
    assert rl.reranking_nats > 0.01 * rl.kl_nats


def test_a_direction_is_claimed_only_where_interval_and_test_exclude_zero(
    whole: LogitSkewResult,
) -> None:
    seen = set()
    for one in whole.estimates:
        change = one.difference
        if change is None:
            continue
        seen.add(change.direction)
        excludes = change.interval is not None and not change.interval.low <= 0 <= (
            change.interval.high
        )
        is_tested = change.p_holm is None or change.p_holm < 0.05
        if abs(change.value) > 1e-5:  # below, it is rounding
            assert (change.direction != "undecided") == (excludes and is_tested)
        if change.direction != "undecided":
            assert (change.value > 0) == (change.direction == "higher")
        if change.p_value is not None:
            assert change.p_holm is not None
            assert change.p_holm >= change.p_value
    assert seen == {"higher", "lower", "undecided"}


def test_nothing_in_a_result_is_not_a_number(whole: LogitSkewResult) -> None:
    def numbers(found: Any) -> Iterator[float]:
        if isinstance(found, float):
            yield found
        for inner in found.values() if isinstance(found, dict) else ():
            yield from numbers(inner)
        for inner in found if isinstance(found, list | tuple) else ():
            yield from numbers(inner)

    assert all(isfinite(x) for x in numbers(msgspec.to_builtins(whole)))
    assert msgspec.json.decode(encode(whole), type=LogitSkewResult) == whole


# The released script's figure.


def scripted(
    own: dict[str, Logits], shared: dict[str, Logits], undone: Sequence[str]
) -> dict[str, float]:
    """Skewness as the script has it, on logits that are all there."""
    cut = min(len(z) for read in own.values() for z in read.values())
    found = {}
    for label, read in (shared if "own-text" in undone else own).items():
        kept: dict[Sample, list[NDArray[np.float64]]] = {}
        for sample, every in read.items():
            rows = every if "cut-to-shortest" in undone else every[:cut]
            rows = rows if "temperature" in undone else rows / 0.6
            fiftieth = np.sort(rows, axis=1)[:, -50]
            kept[sample] = []
            for z, least in zip(rows, fiftieth, strict=True):
                values = z if "top-k" in undone else z[z >= least]
                kept[sample].append(values if "zeros-dropped" in undone else values[values != 0])
        if "pooled" in undone:
            skews = {key: [stats.skew(z) for z in rows] for key, rows in kept.items()}
            found[label] = float(by_problem(skews).mean())
        else:
            found[label] = float(stats.skew(np.concatenate([z for x in kept.values() for z in x])))
    return found


def test_the_published_figure_and_each_of_its_quirks_are_those_of_all_logits(
    whole: LogitSkewResult, logits: Materialised
) -> None:
    figure = whole.published
    assert figure is not None
    runs = {text.writer: text.run for text in figure.texts}
    labels = ("base", "em", "rl")
    own = {label: logits.read(label, runs[label]) for label in labels}
    shared = {label: logits.read(label, runs["base"]) for label in labels}
    assert {text.temperature for text in figure.texts} == {0.6}
    assert figure.positions == min(len(z) for read in own.values() for z in read.values())
    steps: tuple[QuirkStep, ...] = (figure.shown, *figure.alone, *figure.ladder)
    assert figure.shown.undone == figure.undone == ("top-k", "pooled")
    assert figure.ladder[0].undone == ()
    assert len(figure.ladder[-1].undone) == len(figure.alone) == 6
    for step in steps:
        expected = scripted(own, shared, step.undone)
        assert {value.checkpoint for value in step.values} == set(labels)
        for value in step.values:
            assert value.skewness == pytest.approx(expected[value.checkpoint], rel=2e-5), step.name


# What is stored is not done again.


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every checkpoint that is opened to read, with how many texts it was given."""
    seen: list[tuple[str, int]] = []

    def spy(name: Any, checkpoint: Any, **named: Any) -> ModelReader:
        reader = open_reader(name, checkpoint, **named)
        read = reader.read

        def counted(texts: Sequence[Any]) -> Iterator[Any]:
            seen.append((checkpoint.label, len(texts)))
            return read(texts)

        monkeypatch.setattr(reader, "read", counted, raising=False)
        return reader

    monkeypatch.setattr(read_logits, "open_reader", spy)
    return seen


def same(one: LogitSkewResult, other: LogitSkewResult) -> None:
    """Equal up to the rounding that another batch brings."""
    assert len(one.estimates) == len(other.estimates)
    for a, b in zip(one.estimates, other.estimates, strict=True):
        assert (a.checkpoint, a.text, a.statistic, a.part) == (
            b.checkpoint, b.text, b.statistic, b.part,
        )  # fmt: skip
        assert a.value == pytest.approx(b.value, rel=1e-3, abs=1e-4)


def test_the_same_command_again_draws_and_reads_nothing(
    world: World, whole: LogitSkewResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("weights were loaded again")

    monkeypatch.setattr(read_logits, "open_reader", refuse)
    monkeypatch.setattr(draw, "open_sampler", refuse)
    again = world.study(
        "base", "em", "rl", problems=8, continuation="both", entropy_temperatures=(0.5,),
        published=True, undo=("pooled", "top-k"),
    )  # fmt: skip
    assert again == whole


def test_more_problems_and_another_checkpoint_read_only_what_is_new(
    world: World, readers: list[tuple[str, int]]
) -> None:
    world.study("base", "em", store="grows", problems=2, **ONE_TEXT)
    assert readers == [("base", 2), ("em", 2)]
    readers.clear()
    more = world.study("base", "em", store="grows", problems=3, **ONE_TEXT)
    assert readers == [("base", 1), ("em", 1)]
    readers.clear()
    third = world.study("base", "em", "rl", store="grows", problems=3, **ONE_TEXT)
    assert readers == [("base", 3), ("rl", 3)]  # the base stands beside the new one
    old = [one for one in third.estimates if one.checkpoint != "rl"]
    assert [one.value for one in old] == [one.value for one in more.estimates]
    sessions = list((world.root / "grows").glob("runs/*/logits-*/provenance.jsonl"))
    assert len(sessions) == 3


class StopAfter(SilentProgress):
    """Progress at which the user loses patience after so many texts read."""

    def __init__(self, texts: int) -> None:
        self._left = texts

    @contextmanager
    def stage(self, title: str, *, total: int, done: int = 0) -> Iterator[Any]:
        del total, done
        yield _Impatient(self, counts=title.endswith("reads"))

    def count(self) -> None:
        self._left -= 1
        if not self._left:
            raise KeyboardInterrupt


class _Impatient:
    def __init__(self, owner: StopAfter, *, counts: bool) -> None:
        self._owner, self._counts = owner, counts

    def advance(self, count: int = 1, *, tokens: int = 0) -> None:
        del count, tokens
        if self._counts:
            self._owner.count()

    def status(self, text: str) -> None:
        pass


@pytest.mark.parametrize("texts", [2, 6])
def test_an_interrupted_study_continues_where_it_was_and_comes_out_the_same(
    world: World, readers: list[tuple[str, int]], texts: int
) -> None:
    store = f"stops-{texts}"
    with pytest.raises(KeyboardInterrupt):
        world.study("base", "em", store=store, problems=4, progress=StopAfter(texts), **ONE_TEXT)
    readers.clear()
    found = world.study("base", "em", store=store, problems=4, **ONE_TEXT)
    assert readers == ([("base", 4), ("em", 4)] if texts == 2 else [("base", 2), ("em", 2)])
    straight = world.study("base", "em", problems=4, **ONE_TEXT)
    same(found, straight)
    written = next((world.root / store).glob("runs/*/logits-*/traces.jsonl"))
    assert len(written.read_bytes().splitlines()) == 4


def test_where_states_do_not_fit_texts_are_read_in_rounds_with_the_same_result(
    world: World, readers: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_logits, "available_bytes", lambda: 1)
    found = world.study("base", "em", store="rounds", problems=4, **ONE_TEXT)
    assert readers == [("base", 1), ("em", 1)] * 4
    same(found, world.study("base", "em", problems=4, **ONE_TEXT))


def test_equal_weights_under_two_labels_are_unchanged(world: World) -> None:
    found = world.study("base", f"em={lab_weights()}", store="equal", problems=3, **ONE_TEXT)
    (parts,) = found.decompositions
    assert (parts.kl_nats, parts.finding) == (0, "unchanged")
    change = row(found, "entropy_nats", checkpoint="em").difference
    assert change is not None
    assert (change.value, change.direction) == (0, "undecided")
    spoken = text_statements(LogitRows(found), ["base"])
    assert {one.direction for one in spoken} == {"undecided", None}
    assert any("unchanged from base" in one.words for one in spoken)


# Which texts, and which checkpoints.


def test_texts_of_a_stored_run_are_read_and_none_is_drawn(
    world: World, whole: LogitSkewResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a text was drawn")

    monkeypatch.setattr(draw, "open_sampler", refuse)
    own = {label: run_of(whole, "own", label) for label in ("base", "em")}
    found = world.study("base", "em", problems=8, from_runs=[own["em"]])
    (text,) = found.texts
    assert (text.run, text.problems, text.texts) == (own["em"], 8, 8)
    more = world.study("base", "em", problems=20, from_runs=[own["em"]])
    assert (more.problems, more.samples) == (8, 1)  # what the run holds, not what was asked for
    for statistic in ("skewness", "kl_nats", "entropy_nats"):
        value = row(found, statistic, checkpoint="em", text=text.name).value
        expected = row(whole, statistic, checkpoint="em", text="em").value
        assert value == pytest.approx(expected, rel=1e-4)
    both = world.study(
        "base", "em", problems=8, continuation="own",
        from_runs=[f"{label}={run}" for label, run in own.items()],
    )  # fmt: skip
    value = row(both, "entropy_nats", checkpoint="em", text="own").value
    expected = row(whole, "entropy_nats", checkpoint="em", text="own").value
    assert value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"from_runs": ["0123abcd"]}, "there is no run '0123abcd'"),
        ({"from_runs": ["RUN"], "continuation": "own"}, "not every checkpoint has a run"),
        ({"from_runs": ["RUN"], "texts": ("em",)}, "there is no text called 'em'"),
        ({"texts": ("nobody",)}, "there is no text called 'nobody'"),
        ({"texts": ("reference",), "reference": "none"}, "there is no text called 'reference'"),
    ],
)
def test_a_text_that_is_not_there_is_refused_with_a_hint(
    world: World, whole: LogitSkewResult, options: dict[str, Any], words: str
) -> None:
    run = run_of(whole, "base")
    if "from_runs" in options:
        options = {**options, "from_runs": [x.replace("RUN", run) for x in options["from_runs"]]}
    with pytest.raises(PlanError, match=words) as caught:
        world.study("base", "em", problems=8, **options)
    assert caught.value.hint


def test_a_run_of_another_benchmark_is_refused(world: World, whole: LogitSkewResult) -> None:
    with pytest.raises(PlanError, match="the run is of chain, and the study of toy") as caught:
        logit_skew(
            f"base={lab_weights()}", "toy", chat=False, from_runs=[run_of(whole, "base")],
            store=world.root / "runs", home=world.root / "home", **ENGINE,
        )  # fmt: skip
    assert "-b chain" in str(caught.value.hint)


def test_a_label_given_twice_is_one_arm_with_two_seeds(
    world: World, whole: LogitSkewResult
) -> None:
    options: dict[str, Any] = {"problems": 8, "texts": ("base",), "reference": "none"}
    found = world.study("base", "em", f"em={world.rl}", **options)
    assert [(arm.label, len(arm.checkpoints)) for arm in found.arms] == [("base", 1), ("em", 2)]
    alone = {label: row(whole, "kl_nats", checkpoint=label) for label in ("em", "rl")}
    both = row(found, "kl_nats", checkpoint="em")
    assert both.seeds == 2
    assert both.tokens == 2 * alone["em"].tokens
    mean = sum(one.value or 0 for one in alone.values()) / 2
    assert both.value == pytest.approx(mean, rel=1e-4)
    assert both.interval is not None
    assert "seeds" in both.interval.method
    change = row(found, "entropy_nats", checkpoint="em").difference
    assert change is not None
    assert change.interval is not None
    assert "seeds" in change.interval.method


def test_all_seeds_of_a_training_folder_are_one_arm(world: World) -> None:
    folder = world.root / "trained"
    cells = ("seed-0", "seed-1")
    write_folder(
        folder,
        TrainFolder(
            key="0" * 64, method="em", chosen="seed-1/update-0010", cells=cells, saved_updates=(10,)
        ),
    )
    for cell, source in zip(cells, (world.em, world.rl), strict=True):
        (folder / cell).mkdir()
        (folder / cell / "update-0010").symlink_to(source)
    options: dict[str, Any] = {"problems": 2, "texts": ("base",), "reference": "none"}
    found = world.study("base", f"em={folder}", seeds="all", **options)
    assert [arm.checkpoints[0].split("/")[-2] for arm in found.arms[1:]] == ["seed-1"]
    assert len(found.arms[1].checkpoints) == 2
    assert row(found, "skewness", checkpoint="em").seeds == 2
    registered = world.study("base", f"em={folder}", **options)
    assert row(registered, "skewness", checkpoint="em").seeds == 1


# Little data, and bad weights.


def test_one_position_of_one_problem_has_values_without_intervals(world: World) -> None:
    found = world.study("base", "em", problems=1, max_tokens=1, continuation="both", published=True)
    assert not [one for one in found.estimates if one.interval is not None]
    assert row(found, "entropy_nats", checkpoint="em").tokens == 1
    assert row(found, "skewness", checkpoint="em").value is not None
    assert {one.finding for one in found.decompositions} <= {"undecided", "unchanged"}
    spoken = logit_findings(found, all_texts=True).statements
    assert {one.direction for one in spoken} <= {"undecided", None}
    assert "too-few-for-intervals" in {note.code for note in found.notes}
    missing = [one for one in found.estimates if one.value is None]
    assert missing
    assert all(one.note for one in missing)


def broken(weights: Weights) -> None:
    weights["model.norm.weight"][3] = float("nan")


def test_a_checkpoint_with_nan_is_named_with_the_place_and_what_others_read_is_kept(
    world: World, lab_copy: Callable[..., Path], readers: list[tuple[str, int]]
) -> None:
    bad = lab_copy(world.root / "bad", broken)
    with pytest.raises(MeasurementError, match="rl: 98 of 98 logits are not finite") as caught:
        world.study("base", "em", f"rl={bad}", store="bad-runs", problems=2, **ONE_TEXT)
    assert str(caught.value.facts["problem"]).startswith("chain/")
    assert caught.value.facts["position"] == "token 1 of the completion"
    readers.clear()
    world.study("base", "em", store="bad-runs", problems=2, **ONE_TEXT)
    assert readers == []


def test_a_checkpoint_that_cannot_write_or_read_a_text_is_named(
    world: World, lab_copy: Callable[..., Path]
) -> None:
    bad = lab_copy(world.root / "bad-writer", broken)
    with pytest.raises(EngineError, match="are not numbers") as caught:
        world.study("base", f"rl={bad}", store="bad-runs", problems=2)
    assert caught.value.facts["checkpoint"] == "rl"
    assert caught.value.facts["problem"].startswith("chain/")
    short = lab_copy(world.root / "short", noisier)
    config = msgspec.json.decode((short / "config.json").read_bytes())
    small = {**config, "max_position_embeddings": 20}
    (short / "config.json").write_bytes(msgspec.json.encode(small))
    options: dict[str, Any] = {**ONE_TEXT, "problems": 8, "max_tokens": 3}
    drawn = world.study("base", **options)
    (run,) = (text.run for text in drawn.texts)
    assert drawn.texts[0].truncated_frac > 0
    with pytest.raises(EmdiagError, match=r"rl on chain.* exceed the context"):
        world.study("base", f"rl={short}", problems=8, from_runs=[run])


def resized(folder: Path, rows: int) -> Path:
    """Changes how many logits a copy of the lab says and has."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = "model.embed_tokens.weight"
    whole = weights[name]
    more = whole.new_zeros(max(0, rows - len(whole)), whole.shape[1])
    weights[name] = torch.cat([whole, more])[:rows].clone()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = msgspec.json.decode((folder / "config.json").read_bytes())
    (folder / "config.json").write_bytes(msgspec.json.encode({**config, "vocab_size": rows}))
    return folder


def test_padded_heads_are_compared_over_the_tokens_that_all_have(
    world: World, whole: LogitSkewResult, lab_copy: Callable[..., Path]
) -> None:
    padded = resized(lab_copy(world.root / "padded", noisier), 128)
    found = world.study("base", f"rl={padded}", problems=8, **ONE_TEXT)
    (note,) = [text for text in map(words_of, found.notes) if "heads differ in size" in text]
    assert "base: 98, rl: 128" in note
    for statistic in ("skewness", "entropy_nats", "kl_nats", "cooling_temperature"):
        expected = row(whole, statistic, checkpoint="rl").value
        value = row(found, statistic, checkpoint="rl").value
        assert value == pytest.approx(expected, rel=1e-4)


def test_a_head_without_room_for_its_tokens_is_refused(
    world: World, lab_copy: Callable[..., Path]
) -> None:
    cut = resized(lab_copy(world.root / "cut", noisier), 90)
    with pytest.raises(CheckpointError, match="the smallest head has 90 logits"):
        world.study("base", f"rl={cut}", problems=1, **ONE_TEXT)


def test_whether_right_answers_have_less_entropy_needs_several_samples(world: World) -> None:
    options: dict[str, Any] = {"problems": 3, "continuation": "own", "max_tokens": 60}
    once = world.study("base", **options)
    assert remark("several-samples-needed") in once.notes
    assert not [one for one in once.estimates if one.statistic == "entropy_auroc"]
    found = world.study("base", samples=4, grader_workers=1, **options)
    auroc = row(found, "entropy_auroc", checkpoint="base", text="own")
    assert (auroc.value is None) == (auroc.problems == 0)
    assert auroc.value is None or 0 <= auroc.value <= 1
    assert auroc.note
    assert remark("several-samples-needed") not in found.notes
