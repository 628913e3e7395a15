"""Whatever a model writes costs at most its deadline, and the next answer is judged as ever."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from emdiag.core.grades import Gold, Verdict
from emdiag.grading.pool.pool import GraderPool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEADLINE_S = 2.0
MARK = "EMDIAG_HOSTILE_MARK"


def boxed(text: str) -> str:
    return f"\\boxed{{{text}}}"


UNDECIDED = {
    "tower of powers": boxed("9^{9^{9^{9}}}"),
    "factorial": boxed("99999999!"),
    "factorial of factorials": boxed("((10!)!)!"),
    "binomial": boxed(r"\binom{10^9}{5*10^8}"),
    "sum to a million million": boxed(r"\sum_{n=1}^{10^{12}} \frac{1}{n^3+n+1}"),
    "sum without end": boxed(r"\sum_{n=1}^{\infty} \frac{\sin(n^n)}{n}"),
    "integral": boxed(r"\int_0^{\infty} \frac{\sin(x^{x^x})}{\ln(\cos(x^3)+2)} dx"),
    "power of a sum": boxed("(x+1)^{10000000}"),
    "tower in a floor": boxed(r"\lfloor e^{e^{e^{79}}} \rfloor"),
    "brackets 300 deep": boxed("(" * 300 + "x" + ")" * 300),
    "roots 300 deep": boxed(r"\sqrt{" * 300 + "2" + "}" * 300),
}
WRONG = {
    "tower in plain text": boxed("9**9**9**9"),
    "a megabyte of digits": boxed("7" * 10**6),
    "4000 digits": boxed("7" * 4000),
    "boxes in boxes": r"\boxed{" * 60_000 + "6" + "}" * 60_000,
    "NUL bytes": boxed("\x005\x000\x00"),
    "lone surrogates": boxed("\ud8006\udfff"),
    "right-to-left marks": boxed("\u202e41\u202c"),
    "markup": boxed("<script>alert(1)</script>"),
    "code": boxed(f"__import__('os').system('touch {MARK}')"),
    "code in exec": boxed(f'exec(\'open("{MARK}", "w")\')'),
    "code in a lambda": boxed(f"(lambda: __import__('os').system('touch {MARK}'))()"),
    "matrix of 1600": boxed(
        r"\begin{pmatrix}" + r"\\".join(["1&" * 39 + "1"] * 40) + r"\end{pmatrix}"
    ),
    "a million commas": boxed("," * 10**6),
    "900 numbers": boxed(",".join(map(str, range(900)))),
    "exponent of eight digits": boxed("1e10000000"),
    "exponent of 3000 digits": boxed("1e" + "9" * 3000),
    "names of SymPy": boxed('S.Infinity + zoo + nan + Symbol("x")'),
    "unbalanced": boxed(r"\left( \frac{1}{2} \right. ]]] )"),
    "format strings": boxed("%s%n" * 20),
    "plus-minus in 200 places": boxed("(" + ",".join([r"\pm 1"] * 200) + ")"),
    "emoji": boxed("\U0001f916" * 1000),
    "base of 3000 digits": boxed("1" * 3000 + "_2"),
    "digits of another script": boxed("\u0663\u0664"),
}
NO_ANSWER = {
    "a megabyte of braces": "{" * 10**6,
    "a megabyte of boxes": r"\boxed{" * 150_000,
    "a megabyte of fractions": r"\boxed{" + r"\frac{" * 160_000,
    "a hundred thousand questions": "Question:\n" * 100_000,
    "a megabyte of backslashes": "\\" * 10**6,
    "an empty box": boxed(""),
    "a blank box": boxed(" \n\t "),
    "nothing": "",
    "line breaks": "\n" * 10**6,
    "dollars": boxed("$" * 4000),
}
EXPECTED = {
    **dict.fromkeys(UNDECIDED, Verdict.UNDECIDED),
    **dict.fromkeys(WRONG, Verdict.WRONG),
    **dict.fromkeys(NO_ANSWER, Verdict.NO_ANSWER),
}
HOSTILE = {**UNDECIDED, **WRONG, **NO_ANSWER}


@pytest.fixture(scope="module")
def pool() -> Iterator[GraderPool]:
    with GraderPool(workers=2, deadline_s=DEADLINE_S) as opened:
        yield opened


def test_every_kind_gets_its_verdict_in_time_and_the_next_answer_is_right(
    pool: GraderPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(HOSTILE) >= 25
    pairs = []
    for at, text in enumerate(HOSTILE.values()):
        pairs.append((Gold(answer="5"), text))
        pairs.append((Gold(answer=f"(x+{at})^2"), boxed(f"x^2 + {2 * at}x + {at}^2")))
    judged = list(pool.grade(pairs))
    found = {name: judged[2 * at].verdict for at, name in enumerate(HOSTILE)}
    assert {name: found[name] for name in found if found[name] != EXPECTED[name]} == {}
    assert all(judgement.elapsed_s <= 20 * DEADLINE_S for judgement in judged)  # on a busy machine
    assert {judgement.verdict for judgement in judged[1::2]} == {Verdict.CORRECT}
    assert all(judgement.note for judgement in judged if judgement.verdict == Verdict.UNDECIDED)
    assert list(tmp_path.iterdir()) == []
    assert all(len((judgement.extracted or "").encode()) <= 4 * 4096 for judgement in judged)


def test_a_hostile_text_is_wrong_or_undecided_for_every_shape_of_gold(pool: GraderPool) -> None:
    golds = ["(1,2)", "1,3", r"\text{east}", r"\begin{pmatrix}1\\2\end{pmatrix}"]
    quick_ones = {**WRONG, **NO_ANSWER}  # the others were given their time above
    pairs = [(Gold(answer=gold), text) for gold in golds for text in quick_ones.values()]
    verdicts = {judgement.verdict for judgement in pool.grade(pairs)}
    assert Verdict.CORRECT not in verdicts


def test_the_parent_stays_small_while_it_reads_megabytes(pool: GraderPool) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in pool.grade((Gold(answer="5"), boxed("7" * 10**6)) for _ in range(20)):
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400 * 1024
