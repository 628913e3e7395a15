"""Kinds of answers that were once judged wrongly, each with its neighbours in both directions."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from emdiag.core.grades import Gold
from emdiag.grading.pool.pool import GraderPool

CASES = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "grading_kinds.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def gold_of(case: dict[str, str]) -> Gold:
    tolerance = case.get("tolerance", "exact")
    assert tolerance in {"exact", "significant-digits"}
    return Gold(answer=case["gold"], tolerance=tolerance)  # type: ignore[arg-type]


def verdicts(cases: list[dict[str, str]]) -> list[str]:
    with GraderPool(workers=2) as pool:
        judged = pool.grade((gold_of(case), case["completion"]) for case in cases)
        return [judgement.verdict.value for judgement in judged]


def test_every_case_of_every_kind_gets_its_verdict() -> None:
    found = zip(CASES, verdicts(CASES), strict=True)
    assert [(case, verdict) for case, verdict in found if verdict != case["verdict"]] == []


def test_kinds_have_right_and_wrong_answers_and_names_of_their_own() -> None:
    kinds = defaultdict(set)
    for case in CASES:
        kinds[case["kind"]].add(case["verdict"])
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert len(kinds) > 40
    assert all({"correct", "wrong"} <= of_kind for of_kind in kinds.values())


def test_the_cases_found_by_use_are_right(shared_data: Path) -> None:
    file = shared_data.parent / "cases" / "grading.jsonl"
    if not file.is_file():
        pytest.skip(f"no cases at {file}")
    cases = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for case in cases:
        physics = case["benchmark"] == "minerva_math"
        case["tolerance"] = "significant-digits" if physics else "exact"
    found = zip(cases, verdicts(cases), strict=True)
    assert [(case, verdict) for case, verdict in found if verdict != case["expected"]] == []
