from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.claims import ClaimFigure, ClaimResult, ClaimsResult
from emdiag.core.codec import decode, encode, to_plain
from emdiag.core.results import Amount, Interval, Remark, as_given, remark
from emdiag.findings.remark_words import TEMPLATES
from emdiag.findings.remarks import all_words, worded, words_of

if TYPE_CHECKING:
    from emdiag.core.results import RemarkValue

GAIN = Amount(0.031, Interval(low=-0.002, high=0.064, level=0.95, method="w"))
LACKS = (remark("problems-short", needed=30, measured=29), remark("slopes-short"))
SAMPLES: dict[str, RemarkValue] = {
    "": "chain", "at": 0.6, "change": GAIN, "choose": "undecided", "count": 1234, "distance": GAIN,
    "each": LACKS, "either": True, "factor": 2.25, "given": "5", "hundredths": 0.25, "if": True,
    "moved": GAIN, "names": ("a", "b"), "p": 0.0001, "percent": 0.07, "points": GAIN, "role": "em",
    "roles": ("em", "rl"), "row": ("a", "b"), "setting": 0.6, "settings": (0.2, 0.4), "short": 1.5,
    "side": GAIN, "span": (0.6, 1.0), "statistic": GAIN, "sum": LACKS, "verb": 2,
    "whole": 0.37, "storage": 2048, "duration": 90.0, "grouped": 32768,
}  # fmt: skip
"""Specification to a value that it words."""


@pytest.mark.parametrize("code", sorted(TEMPLATES))
def test_every_remark_can_be_worded_and_comes_back_from_its_file(code: str) -> None:
    values: dict[str, Any] = {"before": 2.24, "after": 1.93}
    for _, name, spec, _ in Formatter().parse(TEMPLATES[code]):
        if name is not None and (values.get(name) is None or spec):
            values[name] = SAMPLES[(spec or "").partition(" ")[0]]
    made = Remark(code=code, values=values)
    assert not {"{", "}", "|"} & set(words_of(made))
    assert decode(encode(made), Remark) == made


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (as_given("weights were cast"), "weights were cast"),
        (remark("cut-off", share=0.123, limit=2048),
         "12.3 % of samples were cut off at 2,048 tokens"),
        (remark("doubtful-golds", problems=1), "1 problem has a doubtful gold; see without_tagged"),
        (remark("gain", gain=GAIN, benchmarks=("a", "b"), left="base", right="em", left_seeds=1,
                left_checkpoints=1, right_seeds=2, right_checkpoints=3),
         "+3.1 points [−0.2, 6.4] on a, b, checkpoints: 1 of 1 of base, 2 of 3 of em"),
        (remark("rule-asks", lacks=LACKS),
         "the rule asks for 30 problems (29 measured) and a slope of either side"),
        (remark("lacking", lacks=LACKS[:1], plan="`emdiag eval`"),
         "30 problems (29 measured): `emdiag eval`"),
        (remark("temperature-short", temperatures=(1.0, 1.0)), "T 1"),
        (remark("temperature-short", temperatures=(0.6, 1.0)), "T 0.6 to 1"),
        (remark("times-as-many", times=15.96, of="problems"),
         "about 16.0 times as many problems, if the value stays as it is"),
        (remark("no-checkpoint", roles=("rl", "em_rl")),
         "not measured: no checkpoint of RL or EM then RL was named in a result"),
        (remark("templates-short", measured=0, needed=4, benchmark="toy", templates=(), problems=1,
                label="em"),
         ("not measured: the base was run under 0 of 4 templates on toy (none), counting those "
          "with equal golds on all 1 problem of em")),
        (remark("repeated", change=GAIN, flips=1, samples=300),
         "+3.1 points [−0.2, 6.4]; 1 of 300 answers differ"),
        (remark("auroc", value=GAIN, problems=20),
         "AUROC 0.031 [−0.002, 0.064] over 20 problems with a right and a wrong answer"),
        (remark("of tomorrow", gain=GAIN, of=("a", 1)),
         "of tomorrow: gain 0.031 [-0.002, 0.064], of a and 1"),
    ],
)  # fmt: skip
def test_facts_are_worded_by_the_rule_for_numbers(made: Remark, words: str) -> None:
    assert words_of(made) == words


def test_json_prints_words_where_records_hold_remarks() -> None:
    figure = ClaimFigure(name=remark("answers-differ"), value=0.1, interval=None, unit="share")
    why = (remark("seeds", seeds=2), remark("rule-asks", lacks=LACKS))
    claim = ClaimResult(
        id="C01", statement="s", arms=(), benchmarks=(), verdict="undecided", figures=(figure,),
        published=None, rule="r", why=why, would_decide=as_given("more seeds"),
    )  # fmt: skip
    result = ClaimsResult(claims=(claim,), notes=(remark("not-corrected"),), store="out")
    plain = worded(to_plain(result))
    (printed,) = plain["claims"]
    assert printed["why"] == all_words(why)
    assert printed["would_decide"] == "more seeds"
    assert printed["figures"][0]["name"] == "answers that differ"
    assert plain["notes"] == [
        "verdicts are not corrected for the number of claims and of arms looked at"
    ]
    assert worded({"why": None, "notes": ["as it is"], "codes": {"code": 1}}) == {
        "why": None, "notes": ["as it is"], "codes": {"code": 1},
    }  # fmt: skip
