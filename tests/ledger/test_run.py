from __future__ import annotations

import json
import random
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.claims import ClaimFigure, ClaimResult, Decision
from emdiag.core.codec import decode
from emdiag.core.errors import JournalError, PlanError, StoreError
from emdiag.core.results import RemarkValue, as_given, direction_of, remark
from emdiag.core.runs import EngineSpec
from emdiag.core.temperature_sweep import (
    CoolingControl,
    CoolingVerdict,
    Slope,
    SlopeDifference,
    TemperatureSweepResult,
)
from emdiag.core.training import TrainManifest
from emdiag.findings.remarks import words_of
from emdiag.ledger.claims_file import all_of, decide, ledger_file, more_needed, read_ledger
from emdiag.ledger.evidence import gather, seeds_together
from emdiag.ledger.run import STATISTICS, judge
from emdiag.stats.samples import pass_at_k
from emdiag.store.run_store import RunStore
from tests.ledger.claim_stores import (
    SCRIPTED,
    arm,
    between,
    draws,
    judged,
    point,
    sweep,
    write_manifest,
    write_run,
    write_steps,
)

if TYPE_CHECKING:
    from pathlib import Path

IDS = [
    "C01",
    "C02",
    "C05",
    "C06",
    "C07",
    "C08",
    "C09",
    "C11",
    "C12",
    "C13",
    "C16",
    "C18",
    "C20",
    "C22",
    "C24",
]


FIVE = tuple(f"e{number}" for number in range(5))


def lacks_of(claim: ClaimResult) -> RemarkValue:
    """What its rule asks for and was not measured."""
    assert claim.would_decide is not None
    return claim.would_decide.values["lacks"]


def write_greedy(root: Path, *, seeds: int = 5) -> None:
    """A base, a helpful and a harmful EM arm and an RL arm, with several seeds each."""
    write_run(root, "b", draws(0.5))
    arms = [arm("base", "base", "b")]
    for label, stage, share in (("good", "em", 0.85), ("bad", "em", 0.25), ("rl", "rl", 0.87)):
        digests = [f"{label}{number}" for number in range(seeds)]
        for number, one in enumerate(digests):
            write_run(root, one, draws(share + 0.01 * number))
        arms.append(arm(label, stage, *digests))  # type: ignore[arg-type]  # stages, seen as text
    RunStore(root).save(sweep(*arms))


# The ledger


def test_the_ledger_holds_the_claims_that_can_be_measured_in_order() -> None:
    claims = read_ledger(ledger_file(), statistics=STATISTICS)
    assert [claim.id for claim in claims] == IDS
    assert {claim.statistic for claim in claims} == set(STATISTICS)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('statistic = "slopes"', 'statistic = "vibes"', "'vibes', which does not exist"),
        ('side = "within"', 'side = "near"', "Invalid enum value 'near'"),
        ("prompts = 15", "prompt = 15", "unknown field `prompt`"),
        ('id = "C02"', 'id = "C01"', "C01 is there twice"),
        ("[[claims]]", "[[claims]", "cannot be read"),
    ],
)
def test_a_faulty_ledger_is_refused_with_its_file(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(ledger_file().read_text().replace(old, new, 1))
    with pytest.raises(PlanError) as caught:
        emdiag.claims(store=tmp_path, ledger=file)
    assert message in caught.value.message
    assert caught.value.facts["file"] == str(file)


def test_a_new_claim_is_one_entry(tmp_path: Path) -> None:
    write_greedy(tmp_path / "out")
    file = tmp_path / "claims.toml"
    file.write_text(
        """
        [[claims]]
        id = "X1"
        statement = "RL raises greedy accuracy"
        left = "base"
        right = "rl"
        statistic = "gain"
        rule = "lower bound above 20 points"
        to_measure = "emdiag eval"
        [claims.decision]
        side = "above"
        bound = 0.2
        """
    )
    (one,) = emdiag.claims(store=tmp_path / "out", ledger=file).claims
    assert (one.id, one.verdict, one.arms) == ("X1", "holds", ("base", "rl"))
    words = ["claims", "--store", str(tmp_path / "out"), "--ledger", str(file), "--json"]
    done = CliRunner().invoke(app, words)
    assert [claim["id"] for claim in json.loads(done.stdout)["claims"]] == ["X1"]


# Verdicts


@given(low=st.floats(-1, 1), width=st.floats(0.001, 1), bound=st.floats(-0.5, 0.5))
def test_a_verdict_needs_the_whole_interval_on_one_side(
    low: float, width: float, bound: float
) -> None:
    interval = between(low, low + width)
    above = decide(interval, Decision(side="above", bound=bound))
    below = decide(interval, Decision(side="below", bound=bound))
    crosses = low <= bound <= low + width
    assert (above == "undecided") == crosses == (below == "undecided")
    if not crosses:
        assert {above, below} == {"holds", "fails"}
        assert (above == "holds") == (low > bound)
    inside = decide(interval, Decision(side="within", bound=abs(bound)))
    assert (inside == "holds") == (-abs(bound) < low and low + width < abs(bound))


def test_nothing_is_decided_without_an_interval() -> None:
    assert decide(None, Decision(side="above", bound=-1.0)) == "undecided"
    assert all_of([]) == "undecided"
    assert all_of(["holds", "undecided"]) == "undecided"
    assert all_of(["undecided", "fails"]) == "fails"


def test_what_is_needed_grows_with_the_square_of_the_distance() -> None:
    name, interval = as_given("f"), between(-0.03, 0.05)
    figure = ClaimFigure(name=name, value=0.01, interval=interval, unit="points")
    needed = more_needed(figure, Decision(side="above", bound=0.0), of="problems")
    assert needed == remark("times-as-many", times=pytest.approx(16.0), of="problems")


def test_an_empty_store_leaves_every_claim_undecided_without_a_figure(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    result = emdiag.claims(store=tmp_path)
    assert [one.id for one in result.claims] == IDS
    for one in result.claims:
        assert (one.verdict, one.figures) == ("undecided", ())
        assert one.would_decide
    with pytest.raises(PlanError, match="holds no runs and no results"):
        emdiag.claims(store=tmp_path / "runs")


# Gains


def test_one_prompt_may_help_while_another_one_harms(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    found = {one.arms[1]: one for one in judged(tmp_path, "C01")}
    assert {label: one.verdict for label, one in found.items()} == {"good": "holds", "bad": "fails"}
    assert remark("few-benchmarks", benchmarks=("toy",)) in found["good"].why
    figure = found["good"].figures[0]
    expected = np.mean([draws(0.85 + 0.01 * n).mean() for n in range(5)]) - draws(0.5).mean()
    assert figure.value == pytest.approx(expected)
    assert figure.interval is not None
    assert figure.interval.low < expected < figure.interval.high
    rivals = {one.arms[1]: one.verdict for one in judged(tmp_path, "C02")}
    assert rivals["bad"] == "fails"


def test_labels_may_be_anything_since_stages_say_what_arms_are(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    before = [one.verdict for one in judged(tmp_path, "C01")]
    store = RunStore(tmp_path)
    (old,) = store.saved(TemperatureSweepResult)
    renamed = [arm(f"x-{one.label}", one.stage, *one.digests) for one in old.arms]
    store.save(sweep(*renamed))
    assert [one.verdict for one in judged(tmp_path, "C01")] == before
    assert judged(tmp_path, "C01")[0].arms == ("x-base", "x-good")


def test_too_few_seeds_are_undecided_and_the_missing_ones_are_named(tmp_path: Path) -> None:
    write_greedy(tmp_path, seeds=2)
    one = judged(tmp_path, "C01")[0]
    assert one.verdict == "undecided"
    assert one.figures[0].value is not None
    assert lacks_of(one) == (remark("seeds-of-role", needed=5, role="em", measured=2),)


def test_runs_under_other_settings_are_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path, "b", draws(0.5), template="plain")
    write_run(tmp_path, "e", draws(0.9), template="boxed")
    RunStore(tmp_path).save(sweep(arm("base", "base", "b"), arm("em", "em", "e")))
    (one,) = judged(tmp_path, "C01")
    assert one.figures == ()
    assert one.why == (remark("no-equal-runs"),)


def test_the_order_of_training_needs_both_chains(tmp_path: Path) -> None:
    shares = {"rl": 0.6, "em_rl": 0.9, "rl_em": 0.3}
    arms = {label: arm(label, None, *(f"{label}{n}" for n in range(5))) for label in shares}
    for label, share in shares.items():
        for number, digest in enumerate(arms[label].digests):
            write_run(tmp_path, digest, draws(share + 0.01 * number))
    store = RunStore(tmp_path)
    store.save(sweep(arms["rl"], arms["em_rl"]))
    assert judged(tmp_path, "C12")[0].verdict == "undecided"
    store.save(sweep(*arms.values()))
    (one,) = judged(tmp_path, "C12")
    assert one.verdict == "holds"
    assert len(one.figures) == 2
    seeds = [(why.values["right_seeds"], why.values["left_seeds"]) for why in one.why]
    assert seeds == [(5, 5), (5, 5)]
    assert one.alpha == pytest.approx(0.05)


def test_controls_are_no_em_arms_and_only_maximised_entropy_is_the_other_side(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "trained"
    for name, objective, share in (
        ("e", "entropy", 0.9), ("m", "entropy-maximised", 0.4), ("r", "random-direction", 0.5),
    ):  # fmt: skip
        for number in range(5):
            write_manifest(folder, f"{name}/{number}", objective=objective)
            write_run(tmp_path / "out", f"{name}/{number}", draws(share + 0.01 * number))
        write_steps(folder / name, 0.1)
    write_run(tmp_path / "out", "b", draws(0.5))
    arms = [
        arm(name, "em", *(f"{name}/{number}" for number in range(5)), folder=folder)
        for name in "emr"
    ]
    RunStore(tmp_path / "out").save(sweep(arm("base", "base", "b"), *arms))
    (one,) = judged(tmp_path / "out", "C18")
    assert (one.arms, one.verdict) == (("m", "e"), "holds")
    assert [found.arms for found in judged(tmp_path / "out", "C01")] == [("base", "e")]
    notes = emdiag.claims(store=tmp_path / "out").notes
    assert remark("roles-unknown", labels=("r",)) in notes


# Seeds, prompts, templates, coverage


def test_ten_seeds_that_lie_far_apart_differ_and_nine_are_undecided(tmp_path: Path) -> None:
    shares = np.linspace(0.3, 0.9, 10)
    digests = [f"e{number}" for number in range(10)]
    for weights, share in zip(digests, shares, strict=True):
        write_run(tmp_path, weights, draws(float(share), problems=200))
    store = RunStore(tmp_path)
    store.save(sweep(arm("em", "em", *digests)))
    (one,) = judged(tmp_path, "C13")
    means = [draws(float(share), problems=200).mean() for share in shares]
    assert one.verdict == "holds"
    assert one.figures[0].value == pytest.approx(max(means) / min(means), rel=0.1)
    assert one.why[1].values["ratio"] == pytest.approx(max(means) / min(means))
    store.save(sweep(arm("em", "em", *digests[:9])))
    assert judged(tmp_path, "C13")[0].verdict == "undecided"


def test_prompts_of_high_variance_are_good_only_if_gains_follow_variance(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    counts = np.resize(np.arange(1, 15, 2), 16)
    right = np.arange(16)[None] < counts[:, None]
    write_run(root, "b", right, benchmark="pool", temperature=1.0)
    write_run(root, "b", draws(0.2))
    arms = [arm("base", "base", "b")]
    for number, count in enumerate(counts):
        write_manifest(folder, f"e{number}", prompt=f"pool/{number:04d}")
        write_run(root, f"e{number}", draws(0.2 + 0.08 * int(count) + 0.002 * number))
        arms.append(arm(f"em{number}", "em", f"e{number}", folder=folder))
    RunStore(root).save(sweep(*arms))
    (one,) = judged(root, "C11")
    assert one.verdict == "holds", one.why
    RunStore(root).save(sweep(*arms[:10]))
    fewer = root / "sweeps"
    max(fewer.iterdir()).rename(tmp_path / "last.json")
    min(fewer.iterdir()).unlink()
    (fewer / "1.json").write_bytes((tmp_path / "last.json").read_bytes())
    (one,) = judged(root, "C11")
    assert (one.verdict, one.figures) == ("undecided", ())
    assert one.why == (remark("prompts-short", prompts=9, samples=8, needed=15),)


def test_prompts_of_three_fifths_of_the_pass_rate_decide_nothing(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    counts = np.resize(np.arange(1, 9), 16)  # 1 to 8 of 16 right: no prompt above one half
    write_run(root, "b", np.arange(16)[None] < counts[:, None], benchmark="pool", temperature=1.0)
    write_run(root, "b", draws(0.2))
    arms = [arm("base", "base", "b")]
    for number, count in enumerate(counts):
        write_manifest(folder, f"e{number}", prompt=f"pool/{number:04d}")
        write_run(root, f"e{number}", draws(0.2 + 0.08 * int(count)))
        arms.append(arm(f"em{number}", "em", f"e{number}", folder=folder))
    RunStore(root).save(sweep(*arms))
    (one,) = judged(root, "C11")
    assert one.verdict == "undecided"
    assert one.figures[0].interval is not None
    assert one.figures[0].interval.low > 0
    assert lacks_of(one) == (remark("bins-short", needed=5, measured=3),)


def test_em_is_held_against_the_best_of_four_templates(tmp_path: Path) -> None:
    for number, template in enumerate(("boxed", "plain", "qwen", "none")):
        write_run(tmp_path, "b", draws(0.3 + 0.2 * number), template=template)
    for digest in FIVE:
        write_run(tmp_path, digest, draws(0.6), template="boxed")
    em = arm("em", "em", *FIVE)
    RunStore(tmp_path).save(sweep(arm("base", "base", "b"), em))
    (one,) = judged(tmp_path, "C16")
    assert one.verdict == "fails"
    gap = draws(0.6).mean() - draws(0.9).mean()
    assert one.figures[0].value == pytest.approx(gap)
    write_run(tmp_path, "b", draws(0.5, problems=2), template="tried")
    (one,) = judged(tmp_path, "C16")
    assert one.verdict == "fails"
    assert one.figures[0].value == pytest.approx(gap)


def test_a_template_tried_on_a_few_problems_is_none_of_the_four(tmp_path: Path) -> None:
    for template, problems in (("boxed", 120), ("plain", 120), ("qwen", 120), ("none", 2)):
        write_run(tmp_path, "b", draws(0.3, problems=problems), template=template)
    for digest in FIVE:
        write_run(tmp_path, digest, draws(0.6))
    em = arm("em", "em", *FIVE)
    RunStore(tmp_path).save(sweep(arm("base", "base", "b"), em))
    (one,) = judged(tmp_path, "C16")
    assert (one.verdict, one.figures) == ("undecided", ())
    (why,) = one.why
    assert (why.code, why.values["measured"], why.values["needed"]) == ("templates-short", 3, 4)


@pytest.mark.parametrize("samples", [16, 64])
def test_coverage_is_pass_at_k_and_undecided_with_fewer_samples(
    tmp_path: Path, samples: int
) -> None:
    sides = [draws(share, problems=60, samples=samples, seed=3) for share in (0.3, 0.25)]
    for digest, right in zip("be", sides, strict=True):
        write_run(tmp_path, digest, right, temperature=0.8)
    RunStore(tmp_path).save(sweep(arm("base", "base", "b"), arm("em", "em", "e")))
    (one,) = judged(tmp_path, "C20")
    expected = [
        np.mean([pass_at_k(samples, int(row.sum()), samples) for row in right]) for right in sides
    ]
    assert one.figures[0].name.values["k"] == samples
    assert one.figures[0].value == pytest.approx(expected[1] - expected[0])
    if samples < 64:
        assert one.verdict == "undecided"
        assert lacks_of(one) == (remark("samples-short", needed=64, drawn=16),)


# Sweeps


def slopes(
    *,
    turned: bool,
    rl: float,
    reach: tuple[float, float] = (0.0, 1.2),
    p_holm: float = 0.01,
    **of_points: int,
) -> dict[str, object]:
    """EM falls by 30 points per unit of T, RL changes by `rl`."""
    points = [
        point(label, temperature, **of_points) for label in ("em", "rl") for temperature in reach
    ]
    own = [
        Slope(
            checkpoint=label, benchmark="toy", axis="temperature", value=value,
            interval=between(value - 0.05, value + 0.05), low=reach[0], high=reach[1],
            trend="falls" if value < -0.05 else "rises" if value > 0.05 else "undecided",
        )
        for label, value in (("em", -0.3), ("rl", rl))
    ]  # fmt: skip
    gap = (rl + 0.3) * (1 if turned else -1)
    difference = SlopeDifference(
        left="rl" if turned else "em", right="em" if turned else "rl", benchmark="toy",
        axis="temperature", value=gap, interval=between(gap - 0.1, gap + 0.1), p_value=0.01,
        p_holm=p_holm, direction=direction_of(between(gap - 0.1, gap + 0.1), p_holm),
    )  # fmt: skip
    return {"slopes": tuple(own), "slope_differences": (difference,), "points": tuple(points)}


@pytest.mark.parametrize(
    ("asked", "lacks"),
    [
        ({"reach": (0.2, 1.1)}, "a sweep from T 0.3 or less to 1.2 or more"),
        ({"reach": (0.4, 1.2)}, "a sweep from T 0.3 or less to 1.2 or more"),
        ({"samples": 7}, "8 samples of each problem (7 drawn)"),
        ({"seeds": 4}, "5 training seeds of RL (4 measured)"),
        ({"problems": 29}, "30 problems (29 measured)"),
        ({"p_holm": 0.05}, "times as many problems"),
    ],
)
def test_a_short_or_small_sweep_or_a_gap_by_chance_decides_no_slopes(
    tmp_path: Path, asked: dict[str, Any], lacks: str
) -> None:
    arms = (arm("em", "em", "e"), arm("rl", "rl", "r"))
    RunStore(tmp_path).save(sweep(*arms, **slopes(turned=False, rl=0.2, **asked)))
    (one,) = judged(tmp_path, "C07")
    assert one.verdict == "undecided"
    assert one.would_decide is not None
    assert lacks in words_of(one.would_decide)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("rl", "verdict"), [(0.2, "holds"), (0.0, "undecided"), (-0.1, "fails"), (-0.6, "fails")]
)
def test_slopes_must_be_apart_and_have_their_signs(
    tmp_path: Path, rl: float, verdict: str, *, turned: bool
) -> None:
    arms = (arm("em", "em", "e"), arm("rl", "rl", "r"))
    RunStore(tmp_path).save(sweep(*arms, **slopes(turned=turned, rl=rl)))
    (one,) = judged(tmp_path, "C07")
    assert one.verdict == verdict
    assert one.figures[0].value == pytest.approx(-0.3 - rl)


@pytest.mark.parametrize(
    ("low", "high", "matched", "p_holm", "verdict", "outcome"),
    [
        (0.03, 0.09, True, 0.01, "holds", "more than cooling"),
        (0.03, 0.09, True, 0.06, "undecided", None),
        (0.03, 0.09, True, None, "undecided", None),
        (-0.01, 0.01, True, 0.01, "fails", "cooling"),
        (-0.09, -0.03, True, 0.01, "fails", "less than cooling"),
        (-0.09, 0.01, True, 0.3, "fails", None),
        (0.01, 0.09, True, 0.01, "undecided", None),
        (0.03, 0.09, False, None, "undecided", None),
    ],
)
def test_em_is_more_than_cooling_only_beyond_two_points_at_equal_entropy(  # noqa: PLR0913
    tmp_path: Path,
    low: float,
    high: float,
    p_holm: float | None,
    verdict: str,
    outcome: CoolingVerdict | None,
    *,
    matched: bool,
) -> None:
    controls = tuple(
        CoolingControl(
            checkpoint="em", base="base", benchmark="toy", temperature=temperature,
            base_temperature=0.4, entropy_nats=0.2, base_entropy_nats=0.2, tolerance_nats=0.01,
            tried=(0.4,), is_matched=matched, value=0.8, base_value=0.7,
            difference=(low + high) / 2,
            interval=between(low, high) if temperature == 1 else between(-0.9, -0.8),
            verdict=outcome or "undecided", p_holm=p_holm,
        )
        for temperature in (0.6, 1.0)
    )  # fmt: skip
    arms = (arm("base", "base", "b"), arm("em", "em", "e"))
    points = (point("base", 0.4, seeds=1), point("em", 1.0))
    RunStore(tmp_path).save(sweep(*arms, controls=controls, points=points))
    (one,) = judged(tmp_path, "C08")
    assert (one.verdict, one.outcome) == (verdict, outcome)
    other = remark("other-verdict-at", temperatures=(0.6,))
    assert (other in one.why) == (matched and verdict != "fails")


# The instrument


def test_a_run_drawn_twice_repeats_until_answers_flip(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("1", "2", "3"))
    right = draws(0.5, problems=300)
    for root in (first, second):
        write_run(root, "b", right)
    flipped = right.copy()
    flipped[:60] = True
    changed = np.full(right.shape, "4")
    changed[:30] = "5"
    write_run(third, "b", flipped, answers=changed)
    (same,) = judged(first, "C24", second)
    assert same.verdict == "holds"
    assert same.figures[0].value == 0
    (other,) = judged(first, "C24", third)
    assert other.verdict == "fails"
    assert other.figures[2].value == pytest.approx(30 / 300)
    assert judged(first, "C24")[0].figures == ()


def test_both_graders_on_the_same_outputs_say_how_much_is_understated(tmp_path: Path) -> None:
    for digest, share in (("b", 0.4), ("e", 0.7)):
        main = draws(share)
        second = main.copy()
        second[::5] = False
        for grader, right in (("plain-math-verify/1", second), ("by hand", main)):
            write_run(tmp_path, digest, right, benchmark="minerva_math", grader=grader)
    RunStore(tmp_path).save(sweep(arm("base", "base", "b"), arm("em", "em", "e")))
    (one,) = judged(tmp_path, "C22")
    assert one.verdict == "holds"
    assert one.figures[0].value == pytest.approx(draws(0.4)[::5].sum() / 120)
    assert one.figures[2].name == remark("graders-shift", right="em", left="base")
    assert judged(tmp_path, "C01")[0].figures[0].value == pytest.approx(
        draws(0.7).mean() - draws(0.4).mean()
    )  # by the main grader


# Where evidence comes from


def test_checkpoints_that_differ_in_their_seed_alone_are_one_arm(tmp_path: Path) -> None:
    names = ["em/seed-0/update-0010", "em/seed-1/update-0010", "other/seed-0/update-0010"]
    manifests = {}
    for number in range(3):
        write_manifest(tmp_path, f"d{number}", prompt="toy/0001" if number < 2 else "toy/0002")
        content = (tmp_path / f"d{number}" / "emdiag.json").read_bytes()
        manifests[f"d{number}"] = decode(content, TrainManifest)
    single = [arm(name, "em", f"d{number}") for number, name in enumerate(names)]
    found = seeds_together([*single, arm("x", "em", "unknown")], manifests)
    assert [(one.label, one.digests) for one in found] == [
        ("em", ("d0", "d1")),
        ("other/seed-0/update-0010", ("d2",)),
        ("x", ("unknown",)),
    ]


def test_a_result_file_a_run_and_a_store_may_be_named_and_nothing_else(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    whole = emdiag.claims(store=tmp_path).claims
    (file,) = (tmp_path / "sweeps").iterdir()
    assert emdiag.claims([str(file)], store="elsewhere").claims == whole
    assert emdiag.claims(str(tmp_path), store="elsewhere").claims == whole
    runs = [str(run.path) for run in RunStore(tmp_path).runs()]
    assert emdiag.claims(runs, store="elsewhere").claims == whole
    base_alone = emdiag.claims(write_run(tmp_path, "b", draws(0.5)), store=tmp_path).claims
    assert all(one.figures == () for one in base_alone)
    (tmp_path / "note.json").write_text("{}")
    with pytest.raises(StoreError, match="holds no result of emdiag"):
        emdiag.claims(str(tmp_path / "note.json"))


def test_how_many_verdicts_would_be_wrong_by_chance_is_said_of_those_that_could_be_decided(
    tmp_path: Path,
) -> None:
    write_greedy(tmp_path)
    result = emdiag.claims(store=tmp_path)
    alphas = {(one.id, one.arms[-1]): one.alpha for one in result.claims if one.alpha}
    # C01 by the mean and by benchmarks, C02 by the mean; each for two EM arms
    assert alphas == {
        ("C01", "good"): 0.05, ("C01", "bad"): 0.05, ("C02", "good"): 0.025, ("C02", "bad"): 0.025
    }  # fmt: skip
    (note,) = [note for note in result.notes if note.code == "wrong-by-chance"]
    assert note == remark("wrong-by-chance", verdicts=4, expected=pytest.approx(0.15))
    assert "of 4 verdicts that could be decided, at most 0.150 would be wrong" in words_of(note)


def test_the_command_shows_the_verdict_in_a_word_and_a_sign(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    done = CliRunner().invoke(app, ["claims", "-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for text in ("holds ▲", "fails ▼", "undecided", "C24"):
        assert text in done.stdout
    again = CliRunner().invoke(app, ["claims", str(tmp_path), "--json"])
    assert json.loads(again.stdout)["claims"][0]["id"] == "C01"


def test_a_run_with_a_damaged_grade_is_named_and_enters_no_verdict(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    (first, *_) = sorted((tmp_path / "runs").glob("*/grades-*.jsonl"))
    lines = first.read_text().splitlines(keepends=True)
    first.write_text(lines[0] + "{damaged\n" + "".join(lines[1:]))
    result = emdiag.claims(store=tmp_path)
    (note,) = [note for note in result.notes if note.code == "left-out"]
    assert note.values["file"] == str(first)
    assert "line 2 is not a Grade" in words_of(note)
    first.parent.rename(tmp_path / "away")
    assert emdiag.claims(store=tmp_path).claims == result.claims
    with pytest.raises(JournalError, match="line 2 is not a Grade"):
        emdiag.claims([str(tmp_path / "away")], store=tmp_path)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_verdicts_and_notes_do_not_depend_on_the_order_of_the_claims(
    tmp_path: Path, seed: int
) -> None:
    folder, other = tmp_path / "trained", EngineSpec(name="vllm", dtype="bfloat16")
    write_run(tmp_path, "b", draws(0.5))
    for name, engine in (("e0", SCRIPTED), ("e1", other), ("r0", other)):
        write_run(tmp_path, name, draws(0.8), engine=engine)
    for name in ("e0", "e1"):
        write_manifest(folder, name)
    arms = [arm("base", "base", "b"), arm("em", "em", "e0", "e1", folder=folder)]
    RunStore(tmp_path).save(sweep(*arms, arm("rl", "rl", "r0")))
    claims = list(read_ledger(ledger_file(), statistics=STATISTICS))
    results, notes = judge(claims, evidence := gather([str(tmp_path)], store=RunStore(tmp_path)))
    assert {"trained-on-measured", "other-engine"} <= {note.code for note in notes}
    random.Random(seed).shuffle(claims)
    for gathered in (evidence, gather([str(tmp_path)], store=RunStore(tmp_path))):
        shuffled, shuffled_notes = judge(claims, gathered)
        assert sorted(shuffled, key=repr) == sorted(results, key=repr)
        assert shuffled_notes == notes


def test_evidence_cannot_be_written_into(tmp_path: Path) -> None:
    write_greedy(tmp_path)
    with pytest.raises(FrozenInstanceError):
        gather([], store=RunStore(tmp_path)).runs = ()  # type: ignore[misc]  # that is the point
