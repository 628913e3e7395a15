from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import emdiag
from emdiag.core.errors import GraderError
from emdiag.core.grades import Gold, Verdict
from emdiag.grading.judge.classes import sort_into_classes
from emdiag.grading.pool import pool as pool_module
from emdiag.grading.pool.pool import GraderPool
from emdiag.grading.pool.rules import OURS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLOW = r"\boxed{\int_0^{\infty} \frac{\sin(x^{x^x})}{\ln(\cos(x^3)+2)} dx}"


def processes() -> dict[int, tuple[int, str]]:
    """Of every process: its parent and its command line."""
    running = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                running[int(folder.name)] = parent, (folder / "cmdline").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
    return running


def children() -> set[int]:
    """Ids of grading processes: children of the fork server of this process."""
    running = processes()
    servers = {
        number
        for number, (parent, line) in running.items()
        if parent == os.getpid() and "forkserver" in line
    }
    return {number for number, (parent, _) in running.items() if parent in servers}


def settled() -> set[int]:
    """`children`, once no pool of another test is still replacing one it killed."""
    running, before = children(), None
    while running != before:
        time.sleep(0.4)
        running, before = children(), running
    return running


@pytest.fixture(scope="module")
def pool() -> Iterator[GraderPool]:
    with GraderPool(workers=2, deadline_s=1.0) as opened:
        yield opened


def test_judgements_come_in_the_order_of_the_pairs(pool: GraderPool) -> None:
    pairs = [
        (Gold(answer="5"), SLOW),
        (Gold(answer="5"), r"\boxed{5}"),
        (Gold(answer="2(x+1)"), r"\boxed{2x+2}"),
        (Gold(answer="5"), "I do not know."),
        (Gold(answer="2(x+1)"), r"\boxed{2x+1}"),
    ]
    verdicts = [judgement.verdict.value for judgement in pool.grade(pairs)]
    assert verdicts == ["undecided", "correct", "correct", "no_answer", "wrong"]


def test_a_ready_judgement_does_not_wait_for_the_next_pair(pool: GraderPool) -> None:
    asked = []

    def pairs() -> Iterator[tuple[Gold, str]]:
        for number in range(5):
            asked.append(number)
            yield Gold(answer="5"), rf"\boxed{{{number}}}"

    stream = pool.grade(pairs())
    next(stream)
    assert asked == [0]
    stream.close()  # type: ignore[attr-defined]


def test_a_distinct_pair_is_judged_once_and_repeats_carry_its_time(
    pool: GraderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    original = pool_module.quick

    def counted(gold: Gold, answer: str) -> object:
        asked.append(answer)
        return original(gold, answer)

    monkeypatch.setattr(pool_module, "quick", counted)
    gold = Gold(answer="x + 17")
    judged = list(pool.grade([(gold, r"\boxed{17 + x}")] * 50))
    assert asked.count("17 + x") == 1
    assert len({judgement.elapsed_s for judgement in judged}) == 1
    assert judged[0].elapsed_s > 0


def test_nothing_is_started_for_pairs_that_need_no_algebra() -> None:
    before = settled()
    with GraderPool(workers=1) as lazy:
        judged = list(lazy.grade([(Gold(answer="1,3"), r"\boxed{3, 1}")] * 3))
        assert children() == before
    assert [judgement.verdict for judgement in judged] == [Verdict.CORRECT] * 3


def test_no_process_outlives_the_pool_even_in_the_middle_of_a_comparison() -> None:
    before = children()
    pairs = [(Gold(answer="2(x+1)"), r"\boxed{2x}"), (Gold(answer="5"), SLOW)]

    def grade_until_interrupted() -> None:
        with GraderPool(workers=2, deadline_s=60.0) as opened:
            assert next(opened.grade(pairs)).verdict == Verdict.WRONG
            assert len(children() - before) == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade_until_interrupted()
    assert children() == before


def test_killed_idle_processes_are_replaced() -> None:
    before = children()
    with GraderPool(workers=1, deadline_s=20.0) as opened:
        assert next(opened.grade([(Gold(answer="2(x+1)"), r"\boxed{2x}")])).verdict == Verdict.WRONG
        for process in children() - before:
            os.kill(process, signal.SIGKILL)
        judged = next(opened.grade([(Gold(answer="2(x+1)"), r"\boxed{2x+2}")]))
    assert judged.verdict == Verdict.CORRECT


def test_a_broken_parser_is_refused_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "latex2sympy2_extended").mkdir()
    (tmp_path / "latex2sympy2_extended" / "__init__.py").write_text("raise ImportError('antlr')")
    code = textwrap.dedent(
        r"""
        from emdiag.core.errors import GraderError
        from emdiag.core.grades import Gold
        from emdiag.grading.pool.pool import GraderPool
        try:
            with GraderPool(workers=1) as broken:
                list(broken.grade([(Gold(answer="2(x+1)"), r"\boxed{2x+2}")]))
        except GraderError as error:
            print(error.message, *error.facts)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(emdiag.__file__).parents[1]}"},
    )  # fmt: skip
    assert "antlr" in done.stdout
    assert "latex2sympy2_extended" in done.stdout


def test_a_grader_that_says_something_else_is_refused() -> None:
    lies = (("(x+1)^2", "x^2+2x+2", Verdict.CORRECT), *OURS.worker_tests[1:])
    rules = replace(OURS, worker_tests=lies)
    with GraderPool(workers=1, rules=rules) as broken, pytest.raises(GraderError) as caught:
        list(broken.grade([(Gold(answer="2(x+1)"), r"\boxed{2x+2}")]))
    assert caught.value.facts["found"].startswith("wrong")


def test_a_script_without_a_main_guard_grades_once_and_loads_no_torch(tmp_path: Path) -> None:
    script = tmp_path / "plain.py"
    script.write_text(
        textwrap.dedent(
            r"""
            import sys
            from pathlib import Path
            from emdiag.core.grades import Gold
            from emdiag.grading.pool.pool import GraderPool
            Path(__file__).with_suffix(".log").open("a").write("started\n")
            with GraderPool(workers=1) as pool:
                judged = list(pool.grade([(Gold(answer="2(x+1)"), r"\boxed{2x+2}")]))
            print(judged[0].verdict.value, "torch" in sys.modules, "sympy" in sys.modules)
            """
        )
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["correct", "False", "False"], "")
    assert script.with_suffix(".log").read_text() == "started\n"


def test_a_worker_loads_the_parser_and_not_torch() -> None:
    code = (
        "import sys, emdiag.grading.pool.worker as w; w.start(4096); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "False"


def test_a_worker_that_would_fill_the_memory_is_undecided() -> None:
    code = textwrap.dedent(
        """
        import emdiag.grading.pool.worker as w
        from emdiag.core.grades import Gold
        w.start(1024)
        def greedy(*_):
            return bytearray(3 << 30)
        w.judge = greedy
        outcome = w.decide(Gold(answer="1"), "2", 10.0).outcome
        print(outcome.verdict, outcome.note, sep=", ")
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout.strip() == "undecided, the comparison ran out of memory"


def test_versions_name_every_library_that_decides(pool: GraderPool) -> None:
    assert set(pool.versions) == {
        "math-verify", "latex2sympy2_extended", "antlr4-python3-runtime", "sympy",
    }  # fmt: skip
    assert pool.identity == "math-verify/2"


def test_equal_answers_share_a_class_whatever_their_spelling(pool: GraderPool) -> None:
    groups = [
        [r"\frac{1}{2}", "0.5", "3", "1/2", "3.0", "50\\%"],
        ["(x+1)^2", "x^2", "x^2+2x+1", SLOW[7:-1], SLOW[7:-1]],
        [],
        ["1,3", "3,1", "13"],
    ]
    assert pool.classes(groups) == [
        [r"\frac{1}{2}", r"\frac{1}{2}", "3", r"\frac{1}{2}", "3", r"\frac{1}{2}"],
        ["(x+1)^2", "x^2", "(x+1)^2", SLOW[7:-1], SLOW[7:-1]],
        [],
        ["1,3", "1,3", "13"],
    ]


@given(st.lists(st.lists(st.integers(0, 30).map(str), max_size=12), max_size=6))
@settings(max_examples=60)
def test_classes_are_those_of_the_relation_and_rounds_are_few(groups: list[list[str]]) -> None:
    rounds = 0

    def ask(pairs: Sequence[tuple[str, str]]) -> list[bool]:
        nonlocal rounds
        rounds += 1
        return [int(left) % 5 == int(right) % 5 for left, right in pairs]

    found = sort_into_classes(groups, ask=ask)
    for group, firsts in zip(groups, found, strict=True):
        expected = [next(x for x in group if int(x) % 5 == int(y) % 5) for y in group]
        assert firsts == expected
    assert rounds <= max((len(set(group)) for group in groups), default=0)


@pytest.mark.parametrize("settings_", [{"deadline_s": 0.0}, {"workers": 0}, {"memory_mb": 10}])
def test_settings_that_cannot_work_are_refused(settings_: dict[str, float]) -> None:
    with pytest.raises(GraderError):
        GraderPool(**settings_)  # type: ignore[arg-type]


def test_an_answer_that_cannot_be_read_is_wrong_and_says_why(pool: GraderPool) -> None:
    (unread, wrong) = pool.grade(
        [(Gold(answer="x+1"), r"\boxed{x \frac 1}"), (Gold(answer="x+1"), r"\boxed{x+2}")]
    )
    assert (unread.verdict, unread.note) == (
        Verdict.WRONG,
        "the answer cannot be read as mathematics",
    )
    assert (wrong.verdict, wrong.note) == (Verdict.WRONG, None)
