"""The golden file: every disagreement class, right and wrong answers, and what math-verify says."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from math_verify import parse, verify

from emdiag.core.grades import Gold
from emdiag.grading.pool.pool import GraderPool

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "grading_cases.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
GOLD_FIELDS = ("answer_type", "unit", "error", "tolerance")
CLASSES = {
    "e-notation", "lists", "tuples", "intervals", "fractions-and-decimals", "percent", "units",
    "variables-like-units", "thousands", "degrees", "bases", "text", "choices", "equations",
    "matrices-and-vectors", "sets", "plus-minus", "boxes", "magnitudes", "minerva-tolerance",
    "error-bounds", "latex-noise", "symbolic",
}  # fmt: skip


def gold_of(case: dict[str, str]) -> Gold:
    return Gold(answer=case["gold"], **{name: case[name] for name in GOLD_FIELDS if name in case})


@pytest.fixture(scope="module")
def verdicts() -> dict[str, str]:
    with GraderPool(workers=2) as pool:
        judged = list(pool.grade((gold_of(case), case["completion"]) for case in CASES))
    return {
        case["id"]: judgement.verdict.value for case, judgement in zip(CASES, judged, strict=True)
    }


def test_every_golden_case_gets_its_verdict(verdicts: dict[str, str]) -> None:
    wrong = [
        (case, verdicts[case["id"]]) for case in CASES if verdicts[case["id"]] != case["verdict"]
    ]
    assert wrong == []


def test_each_class_holds_right_and_wrong_answers_with_reason_and_source() -> None:
    found = defaultdict(set)
    for case in CASES:
        found[case["class"]].add(case["verdict"])
        assert case["reason"]
        assert case["source"]
    assert len(CASES) >= 170
    assert max(Counter(case["id"] for case in CASES).values()) == 1
    assert set(found) >= CLASSES
    assert all({"correct", "wrong"} <= found[name] for name in CLASSES)


def test_what_math_verify_alone_says_is_still_what_the_file_says() -> None:
    """`math_verify_alone` stands where bare `verify(parse(gold), parse(text))` is mistaken."""
    changed = []
    told = [case for case in CASES if "math_verify_alone" in case]
    for case in told + [case for case in CASES if case not in told][::4]:
        marked = "$" in case["gold"] or "\\boxed" in case["gold"]
        gold = case["gold"] if marked else f"${case['gold']}$"
        right = verify(
            parse(gold, parsing_timeout=3), parse(case["completion"], parsing_timeout=3),
            timeout_seconds=3,
        )  # fmt: skip
        ours = "correct" if case["verdict"] == "correct" else "wrong"
        if ("correct" if right else "wrong") != case.get("math_verify_alone", ours):
            changed.append(case["id"])
    assert changed == []
