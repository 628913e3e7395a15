from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy import stats

import emdiag
from emdiag.core.errors import PlanError
from emdiag.core.grades import Grade, Verdict
from emdiag.core.results import remark
from emdiag.core.runs import EngineSpec, GradingSpec, RunSpec
from emdiag.core.sampling import SamplingParams
from emdiag.stats.comparisons import holm
from emdiag.store.run_store import RunStore

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _store_run(
    root: Path, *, benchmark: str, weights: str, right: NDArray[np.bool_], first: int = 0
) -> str:
    """A graded run with `right[problem, sample]`, the first problem numbered; returns its key."""
    spec = RunSpec(
        benchmark=benchmark,
        template="boxed",
        chat=False,
        prompts_sha256="a",
        checkpoint_digest=weights,
        tokenizer_digest="c",
        sampling=SamplingParams(temperature=1.0, max_tokens=64),
        engine=EngineSpec(name="scripted", dtype="float32"),
    )
    run = RunStore(root).run(spec)
    grading = GradingSpec(grader="by hand", versions={}, golds_sha256="g")
    with run.writing(), run.grade_writer(grading) as journal:
        for (problem, sample), correct in np.ndenumerate(right):
            journal.append(
                Grade(
                    problem_id=f"{benchmark}/{first + problem:04d}",
                    sample_index=sample,
                    verdict=Verdict.CORRECT if correct else Verdict.WRONG,
                    extracted="4",
                    boxed=True,
                    answer_class="4",
                    grader="by hand",
                    elapsed_s=0.0,
                )
            )
    return run.key


def test_one_sample_is_compared_by_flips_against_scipy(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    before = random.random((80, 1)) < 0.4
    after = before ^ (random.random((80, 1)) < 0.3)
    left = _store_run(tmp_path, benchmark="toy", weights="l", right=before)
    right = _store_run(tmp_path, benchmark="toy", weights="r", right=after)
    (found,) = emdiag.compare(left, right, store=tmp_path).comparisons
    up, down = int((~before & after).sum()), int((before & ~after).sum())
    assert (len(found.wrong_to_right), len(found.right_to_wrong)) == (up, down)
    assert found.difference == pytest.approx((up - down) / 80)
    assert found.p_value == pytest.approx(stats.binomtest(up, up + down).pvalue)
    assert found.p_holm == found.p_value
    assert found.test == "exact McNemar"


def test_several_samples_are_compared_by_problem(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    chances = random.beta(1, 1, size=(60, 1))
    before = random.random((60, 4)) < chances
    after = random.random((60, 4)) < np.minimum(1, chances + 0.3)
    left = _store_run(tmp_path, benchmark="toy", weights="l", right=before)
    right = _store_run(tmp_path, benchmark="toy", weights="r", right=after)
    (found,) = emdiag.compare(left, right, store=tmp_path).comparisons
    differences = after.mean(axis=1) - before.mean(axis=1)
    assert found.difference == pytest.approx(differences.mean())
    reference = stats.bootstrap((differences,), np.mean, method="BCa", rng=5)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(reference.confidence_interval.low, abs=0.01)
    assert found.interval.high == pytest.approx(reference.confidence_interval.high, abs=0.01)
    assert found.p_value is not None
    assert found.p_value < 0.001
    assert found.conclusion == "right better"


def test_labels_are_compared_on_every_benchmark_they_share_and_averaged(tmp_path: Path) -> None:
    own = tmp_path / "own.jsonl"
    own.write_text("".join(f'{{"statement": "q{i}", "answer": "{i % 3}"}}\n' for i in range(60)))
    refs = []
    for label, answer in (("a", "0"), ("b", "1")):
        table = tmp_path / f"{label}.json"
        table.write_text(json.dumps({"*": [f"\\boxed{{{answer}}}"]}))
        refs.append(f"{label}={table}")
    emdiag.evaluate(
        refs,
        ["toy", str(own)],
        store=tmp_path / "out",
        home=tmp_path,
        engine="scripted",
        template="plain",
        grader_workers=1,
    )
    found = emdiag.compare("a", "b", store=tmp_path / "out")
    assert len(found.comparisons) == 2
    p_values = [comparison.p_value for comparison in found.comparisons]
    corrected = [comparison.p_holm for comparison in found.comparisons]
    assert None not in p_values
    low, high = sorted(p for p in p_values if p is not None)
    expected = {low: min(1.0, 2 * low), high: max(min(1.0, 2 * low), high)}
    assert corrected == [expected[p] for p in p_values if p is not None]
    macro = found.macro
    assert macro is not None
    assert macro.difference == pytest.approx(np.mean([c.difference for c in found.comparisons]))
    assert macro.interval is not None
    assert macro.interval.low < macro.difference < macro.interval.high
    assert macro.test == "sign flips over problems"
    p_values = [comparison.p_value for comparison in (*found.comparisons, macro)]
    assert None not in p_values
    corrected = [comparison.p_holm for comparison in (*found.comparisons, macro)]
    assert corrected == holm([p_value for p_value in p_values if p_value is not None])
    (only,) = emdiag.compare("a", "b", store=tmp_path / "out", benchmarks=["toy"]).comparisons
    assert only.p_holm == only.p_value


def test_a_run_against_itself_is_no_difference_and_says_so(tmp_path: Path) -> None:
    right = np.random.default_rng(3).random((400, 1)) < 0.5
    key = _store_run(tmp_path, benchmark="toy", weights="l", right=right)
    (found,) = emdiag.compare(key, key[:8], store=tmp_path).comparisons
    assert found.difference == 0
    assert found.p_value == 1
    assert found.conclusion == "equivalent"
    assert remark("same-run") in found.notes


def test_few_equal_problems_are_undecided_and_not_equivalent(tmp_path: Path) -> None:
    key = _store_run(tmp_path, benchmark="toy", weights="l", right=np.ones((10, 1), dtype=bool))
    (found,) = emdiag.compare(key, key, store=tmp_path).comparisons
    assert found.conclusion == "undecided"


def test_problems_of_one_side_only_are_left_out_and_counted(tmp_path: Path) -> None:
    right = np.random.default_rng(4).random((30, 2)) < 0.5
    left = _store_run(tmp_path, benchmark="toy", weights="l", right=right)
    other = _store_run(tmp_path, benchmark="toy", weights="r", right=right[:20])
    (found,) = emdiag.compare(left, other, store=tmp_path).comparisons
    assert found.problems == 20
    assert remark("on-one-side-only", problems=10) in found.notes


def test_names_that_fit_no_run_or_several_are_refused(tmp_path: Path) -> None:
    right = np.ones((3, 1), dtype=bool)
    key = _store_run(tmp_path, benchmark="toy", weights="l", right=right)
    other = _store_run(tmp_path, benchmark="math500", weights="l", right=right)
    with pytest.raises(PlanError, match="no run is called 'base'"):
        emdiag.compare("base", key, store=tmp_path)
    with pytest.raises(PlanError, match="share no benchmark"):
        emdiag.compare(key, other, store=tmp_path)
    with pytest.raises(PlanError, match="margin"):
        emdiag.compare(key, key, store=tmp_path, margin=2.0)


def _compared(root: Path, *runs: NDArray[np.bool_]) -> emdiag.CompareResult:
    keys = [
        _store_run(root, benchmark="toy", weights=str(number), right=right)
        for number, right in enumerate(runs)
    ]
    return emdiag.compare(*keys, store=root)


def test_one_shared_problem_with_several_samples_is_compared_and_nothing_follows(
    tmp_path: Path,
) -> None:
    four = np.ones((3, 4), np.bool_)
    (found,) = _compared(tmp_path, four[:1] & [True, False, False, False], four).comparisons
    assert (found.problems, found.difference) == (1, 0.75)
    assert (found.interval, found.p_value, found.conclusion) == (None, 1.0, "undecided")
    assert found.detectable is not None
    assert found.detectable.gain is None
    assert found.notes == (remark("on-one-side-only", problems=2),)


@pytest.mark.parametrize("samples", [1, 4])
def test_two_problems_and_equal_gains_say_nothing_certain(tmp_path: Path, samples: int) -> None:
    right = np.ones((2, samples), np.bool_)
    (found,) = _compared(tmp_path / "gain", ~right, right).comparisons
    assert (found.difference, found.interval, found.conclusion) == (1.0, None, "undecided")
    assert found.p_value == 0.5  # both signs alike, of four ways
    (found,) = _compared(tmp_path / "alike", right, right).comparisons
    assert found.interval is not None
    assert found.interval.high > 0.6
    assert found.conclusion == "undecided"


@pytest.mark.parametrize(("problems", "words"), [(0, "holds no grades"), (3, "share no graded")])
def test_runs_without_a_problem_in_common_are_refused(
    tmp_path: Path, problems: int, words: str
) -> None:
    right = np.ones((3, 2), np.bool_)
    left = _store_run(tmp_path, benchmark="toy", weights="l", right=right)
    other = _store_run(tmp_path, benchmark="toy", weights="r", right=right[:problems], first=3)
    with pytest.raises(emdiag.EmdiagError, match=words):
        emdiag.compare(left, other, store=tmp_path)
