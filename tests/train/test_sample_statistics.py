from __future__ import annotations

from emdiag.core.sampling import Completion, FinishReason
from emdiag.core.training import UpdateRecord
from emdiag.train.cell import described

START = UpdateRecord(update=1, method="em")


def sample(text: str, *, problem: str = "p/0", tokens: int = 2, cut: bool = False) -> Completion:
    reason: FinishReason = "length" if cut else "stop"
    return Completion(
        problem_id=problem,
        sample_index=0,
        text=text,
        token_ids=(1,) * tokens,
        prompt_tokens=3,
        finish_reason=reason,
        seed=0,
    )


def test_the_majority_is_of_answers_given_prompt_by_prompt() -> None:
    found = described(
        START,
        [
            sample(r"\boxed{4}"),
            sample(r"\boxed{4}", tokens=6),
            sample(r"\boxed{5}"),
            sample("and so on and so on, for which we have", cut=True),
            sample(r"\boxed{4}", problem="p/1"),
        ],
    )
    assert found.majority_frac == 3 / 5
    assert found.boxed_frac == 4 / 5
    assert found.truncated_frac == 1 / 5
    assert (found.samples, found.mean_tokens, found.longest_tokens) == (5, 14 / 5, 6)


def test_where_nobody_answers_there_is_no_majority() -> None:
    cut = [sample("we have then that of which", cut=True)] * 3
    assert described(START, cut).majority_frac == 0


def test_a_text_that_turns_in_circles_counts_as_repeated() -> None:
    circle = "one two three four five " * 30
    straight = " ".join(f"word{number}" for number in range(150))
    assert described(START, [sample(circle), sample(straight)]).repeated_frac == 0.5
