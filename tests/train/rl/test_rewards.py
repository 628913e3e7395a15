from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emdiag.core.grades import Gold, Judgement, Verdict
from emdiag.grading.pool.pool import GraderPool
from emdiag.train.rl.rewards import JudgedSamples, judge, reward_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def grader() -> Iterator[GraderPool]:
    with GraderPool(workers=1) as pool:
        yield pool


def judged(classes: list[str | None], *, group_size: int, seed: int = 0) -> JudgedSamples:
    judgements = tuple(
        Judgement(verdict=Verdict.WRONG, extracted=name, boxed=False, elapsed_s=0)
        for name in classes
    )
    return JudgedSamples(
        update=1, group_size=group_size, judgements=judgements, classes=tuple(classes), seed=seed
    )


def test_only_a_right_answer_earns_the_reward_of_being_correct(grader: GraderPool) -> None:
    texts = [r"\boxed{4}", r"\boxed{5}", "I cannot say what it is.", r"2+2=4. \boxed{4}"]
    samples = judge(texts, [Gold(answer="4")] * 4, grader=grader, group_size=4, update=1, seed=0)
    assert reward_of("correct", samples) == [1, 0, 0, 1]


def test_a_closed_box_earns_the_format_reward_whatever_is_in_it(grader: GraderPool) -> None:
    texts = [r"\boxed{4}", r"\boxed{77}", "The answer is 4", r"\boxed{4"]
    samples = judge(texts, [Gold(answer="4")] * 4, grader=grader, group_size=4, update=1, seed=0)
    assert reward_of("format", samples) == [1, 1, 0, 0]


def test_the_majority_is_of_equal_answers_and_not_of_equal_texts(grader: GraderPool) -> None:
    texts = [r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{3}", r"\boxed{\frac{1}{2}}"]
    samples = judge(texts, [Gold(answer="3")] * 4, grader=grader, group_size=4, update=1, seed=0)
    assert reward_of("majority", samples) == [1, 1, 0, 1]


def test_the_majority_is_the_same_whatever_the_gold_is(grader: GraderPool) -> None:
    texts = [r"\boxed{7}", r"\boxed{7}", r"\boxed{2}", "nothing at all is said here."]
    found = [
        reward_of(
            "majority",
            judge(texts, [gold] * 4, grader=grader, group_size=4, update=1, seed=0),
        )
        for gold in (Gold(answer="7"), Gold(answer="2"), Gold(answer=""))
    ]
    assert found == [[1, 1, 0, 0]] * 3


def test_a_majority_is_found_within_each_group() -> None:
    samples = judged(["a", "a", "b", "b", "b", "a"], group_size=3)
    assert reward_of("majority", samples) == [1, 1, 0, 1, 1, 0]


def test_all_answers_of_a_tie_earn_the_majority_reward_and_silence_never_does() -> None:
    assert reward_of("majority", judged(["a", "b", None, None], group_size=4)) == [1, 1, 0, 0]
    assert reward_of("majority", judged([None, None], group_size=2)) == [0, 0]


def test_the_random_reward_is_a_fair_coin_that_a_continued_run_throws_again() -> None:
    samples = judged(["a"] * 2000, group_size=8)
    first = reward_of("random", samples)
    assert first == reward_of("random", samples)
    assert abs(sum(first) / 2000 - 0.5) < 0.05
    assert first != reward_of("random", judged(["a"] * 2000, group_size=8, seed=1))


def test_text_made_to_hang_a_parser_is_rewarded_in_time(grader: GraderPool) -> None:
    texts = [r"\boxed{9^{9^{9^{9^9}}}}", r"\boxed{" + "(" * 5000 + "}", "\ud800", ""]
    samples = judge(texts, [Gold(answer="1")] * 4, grader=grader, group_size=4, update=1, seed=0)
    assert reward_of("correct", samples) == [0, 0, 0, 0]
