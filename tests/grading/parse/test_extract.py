from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.grading.parse.extract import answer_start, extract, opened_answer

PLAIN = st.text(alphabet=st.characters(blacklist_characters="\\{}", blacklist_categories=["Cs"]))
BALANCED = st.recursive(
    st.text(alphabet="abx0123 +-^_\\,", max_size=8).filter(lambda text: "\\" not in text),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: "{" + "".join(parts) + "}"),
    max_leaves=12,
)


@given(before=PLAIN, answer=BALANCED, after=PLAIN)
def test_the_last_closed_box_is_found_with_all_its_braces(
    before: str, answer: str, after: str
) -> None:
    found = extract(f"{before}\\boxed{{7{answer}}}{after}")
    assert found.answer == f"7{answer}".strip()
    assert found.boxed


@given(st.text(max_size=300), st.integers(1, 4))
def test_no_text_makes_extraction_fail(text: str, members: int) -> None:
    found = extract(text, members=members)
    assert found.boxed <= (found.answer is not None)


@given(BALANCED, st.integers(1, 40))
def test_a_completion_cut_inside_its_only_box_has_no_answer(answer: str, cut: int) -> None:
    whole = f"We get \\boxed{{7{answer}}}"
    start = whole.index("{") + 1
    found = extract(whole[: max(start, len(whole) - cut)])
    assert found.answer is None


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 140_000,
        "\\boxed{" * 60_000 + "5" + "}" * 60_000,
        "{}" * 500_000,
        "\\" * 1_000_000,
        "\n" * 1_000_000,
        "answer " * 140_000,
        "The answer is " * 70_000,
        "#### " * 200_000,
        "1," * 500_000,
        "\\frac{" * 160_000,
        " " * 1_000_000,
    ],
    ids=lambda text: repr(text[:14]),
)
def test_a_megabyte_is_read_in_linear_time(text: str) -> None:
    def spent(part: str) -> float:
        started = time.process_time()
        extract(part)
        return time.process_time() - started

    quarter, whole = spent(text[: len(text) // 4]), spent(text)
    assert whole < 10 * quarter + 0.25  # quadratic time would be 16 times as much, and seconds


def test_the_prompt_is_never_looked_at_and_a_last_number_is_only_named() -> None:
    found = extract("She has 3 eggs and sells them for 6 dollars each so that is 18")
    assert (found.answer, found.boxed) == (None, False)
    assert "18, is not judged" in str(found.note)


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        ("2 + 2 is 4, so \\boxed{4}.", "\\boxed{4}."),
        ("\\boxed{3} was wrong; \\boxed{4}", "\\boxed{4}"),
        ("We get \\fbox{\\frac{1}{2}} at last", "\\fbox{\\frac{1}{2}} at last"),
        ("Two and two.\nThe answer is 4", "answer is 4"),
        ("The answer is 3. No: the final answer is 4", "final answer is 4"),
        ("Some lines\n#### 18", "#### 18"),
        ("It is 1,\n<answer>18</answer>", "<answer>18</answer>"),
        ("The answer is 5; truly \\boxed{4}", "\\boxed{4}"),
        ("\N{GRINNING FACE} then \\boxed{4}", "\\boxed{4}"),
    ],
)
def test_the_answer_begins_with_its_box_or_the_words_that_announce_it(
    completion: str, answer: str
) -> None:
    start = answer_start(completion)
    assert start is not None
    assert completion[start:] == answer


@pytest.mark.parametrize(
    "completion",
    ["", "4", "\\boxed{4}", "no answer here", "We get \\boxed{4", "\\boxed{}", "Answer: 4"],
)
def test_without_an_answer_or_anything_before_it_there_is_no_border(completion: str) -> None:
    assert answer_start(completion) is None


@given(st.text(max_size=200))
def test_a_border_lies_within_the_text(text: str) -> None:
    start = answer_start(text)
    assert start is None or 0 < start < len(text)


@pytest.mark.parametrize(
    ("prefix", "opening"),
    [
        (None, ""),
        ("<think>\n", ""),
        ("Let us see. ", ""),
        (r"Answer: \boxed{", r"\boxed{"),
        (r"We get $\boxed{\text{(", r"\boxed{\text{("),
        (r"Not \boxed{}, so \boxed{", r"\boxed{"),
        (r"It is \boxed{4}.", ""),
        ("First this.\nThe answer is ", "The answer is "),
        ("Final answer: $", "Final answer: $"),
        ("The answer is 4, so", ""),
    ],
)
def test_of_a_prefix_only_what_opens_an_answer_is_graded(prefix: str | None, opening: str) -> None:
    assert opened_answer(prefix) == opening


def test_an_answer_that_the_prefix_opened_is_cut_out_where_the_model_closed_it() -> None:
    found = extract(opened_answer(r"So \boxed{") + r"\frac{1}{2}}, and that is all.")
    assert (found.answer, found.boxed) == (r"\frac{1}{2}", True)
    assert extract(opened_answer(r"So \boxed{") + "5 and no end").answer is None
    assert extract(opened_answer("The answer is ") + "12.\n\nBecause it is so.").answer == "12"
