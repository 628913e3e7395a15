from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.grades import Verdict
from emdiag.core.problems import Problem
from emdiag.core.sampling import Completion
from emdiag.measure.prompts import prompt_statistics

PROBLEM = Problem(id="p/0", benchmark="p", statement="How many?", answer="2", answer_raw="2")
RIGHT, WRONG = Verdict.CORRECT, Verdict.WRONG


def completions(*lengths: int) -> list[Completion]:
    return [
        Completion(
            problem_id="p/0", sample_index=index, text="", token_ids=tuple(range(length)),
            prompt_tokens=3, finish_reason="length" if length > 9 else "stop", seed=index,
        )
        for index, length in enumerate(lengths)
    ]  # fmt: skip


def test_a_hand_worked_prompt() -> None:
    found = prompt_statistics(
        PROBLEM,
        completions(1, 2, 3, 10),
        ["2", "7", "2", None],
        verdicts=[RIGHT, WRONG, RIGHT, Verdict.NO_ANSWER],
        token_entropies=[[1.0], [0.0, 0.0], [0.5, 0.5, 0.5], [0.1] * 10],
    )
    assert found.pass_rate == 0.5
    assert found.outcome_variance == pytest.approx(1 / 3)
    assert (found.majority_answer, found.majority_frac, found.majority_correct) == ("2", 0.5, 1.0)
    assert found.answer_entropy_nats == pytest.approx(log(3) - 2 / 3 * log(2))
    assert found.agreement == pytest.approx(1 / 6)
    assert (found.no_answer_frac, found.truncated_frac, found.mean_tokens) == (0.25, 0.25, 4.0)
    assert found.token_entropy_nats == pytest.approx(3.5 / 16)  # by token, not by completion


def test_a_sample_without_an_answer_is_no_vote_and_is_counted() -> None:
    found = prompt_statistics(
        PROBLEM,
        completions(1, 1, 1),
        [None, None, "2"],
        verdicts=[Verdict.NO_ANSWER, Verdict.NO_ANSWER, RIGHT],
        token_entropies=None,
    )
    assert (found.majority_answer, found.majority_correct) == ("2", 1.0)
    assert found.majority_frac == pytest.approx(1 / 3)
    assert found.no_answer_frac == pytest.approx(2 / 3)
    assert (found.agreement, found.answer_entropy_nats) == (0.0, 0.0)
    assert found.token_entropy_nats is None


def test_where_nothing_is_answered_there_is_no_majority_and_no_answer_entropy() -> None:
    found = prompt_statistics(
        PROBLEM,
        completions(1, 1),
        [None, None],
        verdicts=[Verdict.NO_ANSWER, Verdict.NO_ANSWER],
        token_entropies=None,
    )
    assert (found.majority_answer, found.majority_frac, found.majority_correct) == (None, 0.0, 0.0)
    assert (found.agreement, found.answer_entropy_nats, found.no_answer_frac) == (0.0, None, 1.0)


def test_equal_largest_classes_share_the_majority() -> None:
    found = prompt_statistics(
        PROBLEM,
        completions(1, 1, 1, 1, 1),
        ["7", "2", "2", "7", "5"],
        verdicts=[WRONG, RIGHT, RIGHT, WRONG, WRONG],
        token_entropies=None,
    )
    assert (found.majority_answer, found.majority_correct) == ("7", 0.5)


@given(st.lists(st.sampled_from(["1", "2", None]), min_size=2, max_size=12))
def test_what_needs_no_labels_does_not_change_with_them(classes: list[str | None]) -> None:
    drawn = completions(*[1] * len(classes))
    bare = prompt_statistics(PROBLEM, drawn, classes, verdicts=None, token_entropies=None)
    verdicts = [RIGHT if name == "2" else WRONG for name in classes]
    full = prompt_statistics(PROBLEM, drawn, classes, verdicts=verdicts, token_entropies=None)
    labelled = {"pass_rate", "pass_rate_interval", "outcome_variance", "majority_correct"}
    for name in bare.__struct_fields__:
        if name in labelled:
            assert getattr(bare, name) is None
            assert getattr(full, name) is not None
        else:
            assert getattr(bare, name) == getattr(full, name)
