from __future__ import annotations

import pytest

from emdiag.core.grades import Grade, Verdict
from emdiag.core.problems import Problem
from emdiag.core.results import ProblemScore
from emdiag.core.sampling import Completion, FinishReason
from emdiag.measure.answers import average, by_group, metrics, repeated_share, score_problem, shares
from emdiag.stats.intervals import wilson


def _completion(text: str = "x", *, finish: FinishReason = "stop", tokens: int = 2) -> Completion:
    return Completion(
        problem_id="p",
        sample_index=0,
        text=text,
        token_ids=tuple(range(tokens)),
        prompt_tokens=3,
        finish_reason=finish,
        seed=7,
    )


def _grade(answer: str | None, verdict: Verdict, *, boxed: bool = True) -> Grade:
    return Grade(
        problem_id="p",
        sample_index=0,
        verdict=verdict,
        extracted=answer,
        boxed=boxed,
        answer_class=answer,
        grader="by hand",
        elapsed_s=0.0,
    )


RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG


@pytest.mark.parametrize(
    ("answers", "majority"),
    [
        ([("4", RIGHT), ("4", RIGHT), ("5", WRONG)], 1.0),
        ([("4", RIGHT), ("5", WRONG), ("5", WRONG)], 0.0),
        ([("4", RIGHT), ("5", WRONG)], 0.5),
        ([("4", RIGHT), ("5", WRONG), ("6", WRONG)], 1 / 3),
        ([(None, Verdict.NO_ANSWER), (None, Verdict.NO_ANSWER), ("4", RIGHT)], 1.0),
        ([(None, Verdict.NO_ANSWER)], 0.0),
    ],
)
def test_the_majority_is_taken_over_answers_and_ties_are_drawn(
    answers: list[tuple[str | None, Verdict]], majority: float
) -> None:
    grades = [_grade(answer, verdict) for answer, verdict in answers]
    score = score_problem([_completion()] * len(grades), grades)
    assert score.majority == pytest.approx(majority)


def test_the_four_verdicts_are_counted_apart() -> None:
    grades = [_grade("4", verdict) for verdict in Verdict]
    score = score_problem([_completion(finish="length")] * 4, grades)
    assert score.by_verdict == {"correct": 1, "wrong": 1, "no_answer": 1, "undecided": 1}
    assert score.correct == 1
    assert score.truncated == 4


def _score(problem: str, *, samples: int, correct: int) -> ProblemScore:
    return ProblemScore(
        problem_id=problem,
        samples=samples,
        correct=correct,
        by_verdict={},
        truncated=0,
        majority=float(correct * 2 > samples),
    )


def test_one_sample_of_each_problem_has_a_wilson_interval() -> None:
    scores = [_score(str(i), samples=1, correct=i % 2) for i in range(40)]
    metric = average(scores)
    assert (metric.name, metric.value) == ("avg@1", 0.5)
    assert metric.interval == wilson(20, 40)
    assert "maj@1" not in shares(scores)


def test_several_samples_are_resampled_by_problem() -> None:
    scores = [_score(str(i), samples=4, correct=i % 5) for i in range(40)]
    metric = average(scores)
    assert (metric.name, metric.value) == ("avg@4", 0.5)
    assert metric.interval is not None
    assert metric.interval.method == "Bayesian bootstrap over problems"
    found = metrics(shares(scores))["maj@4"]
    assert (found.name, found.value) == ("maj@4", 0.4)


def test_pass_at_k_is_given_for_every_k_and_starts_at_the_average() -> None:
    scores = [_score(str(i), samples=4, correct=i % 5) for i in range(40)]
    found = [metrics(shares(scores))[f"pass@{k}"] for k in range(1, 5)]
    assert [metric.name for metric in found] == ["pass@1", "pass@2", "pass@3", "pass@4"]
    assert found[0].value == pytest.approx(average(scores).value)
    assert found[3].value == pytest.approx(0.8)
    assert sorted(metric.value for metric in found) == [metric.value for metric in found]


def test_parts_of_a_benchmark_are_scored_apart() -> None:
    problems = {
        str(i): Problem(
            id=str(i),
            benchmark="toy",
            statement="?",
            answer="1",
            answer_raw="1",
            level=1 + i % 2,
            subject="algebra" if i < 3 else None,
        )
        for i in range(4)
    }
    scores = [_score(str(i), samples=1, correct=i % 2) for i in range(4)]
    groups = {group.group: group for group in by_group(scores, problems)}
    assert set(groups) == {"level 1", "level 2", "algebra"}
    assert (groups["level 1"].metric.value, groups["level 2"].metric.value) == (0.0, 1.0)
    assert groups["algebra"].problems == 3


def test_repetition_counts_four_grams_seen_before() -> None:
    words = [f"w{i}" for i in range(23)]
    assert repeated_share(" ".join(words)) == 0.0
    assert repeated_share(" ".join(words + words)) == pytest.approx(1 - 26 / 43, abs=0.08)
    assert repeated_share("a b c d " * 2) == 0.0
