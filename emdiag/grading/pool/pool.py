"""Graders in parallel: each distinct pair judged once, within a deadline that kills.

Most pairs need no algebra and are decided here at once, also while the processes start. The others
go to those processes, which start when the first of them comes and stay warm. One that overruns its
deadline is killed: the pair is `undecided`, and the next one finds a fresh process.
"""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineError
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from emdiag.core.errors import GraderError
from emdiag.core.grades import AnswerComparison, Gold, Judgement, Reason, Verdict
from emdiag.grading.judge.classes import sort_into_classes
from emdiag.grading.judge.judge import MAX_ANSWER, Outcome, members, quick, versions
from emdiag.grading.parse.extract import Extraction, extract
from emdiag.grading.pool.rules import OURS, Rules, Test, rules_named
from emdiag.grading.pool.spawning import BlankContext
from emdiag.grading.pool.worker import Decided, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from emdiag.core.option_groups import Grading

T = TypeVar("T")

START_S = 120.0
"""Seconds in which the first worker has to start and pass the self-test."""
AHEAD = 512
"""Pairs per worker that may wait for an earlier one."""

Sent = Future[Future[T]]
"""What will be given to a process, and then what that process will answer."""

GoldAnswer = tuple[Gold, str]
"""A gold, and an answer or a whole completion, as the rules take it."""


class GraderPool:
    """`core.protocols.Grader` on worker processes; use it as a context manager.

    Args:
        workers: Processes; None takes the number of processors, eight at most.
        deadline_s: Seconds one pair may take in a worker.
        memory_mb: Address space of one worker, in MiB.
        rules: What decides a pair; the main grader's unless said otherwise.
    """

    def __init__(
        self,
        *,
        workers: int | None = None,
        deadline_s: float = 10.0,
        memory_mb: int = 2048,
        rules: Rules = OURS,
    ) -> None:
        if deadline_s <= 0 or (workers is not None and workers < 1) or memory_mb < 512:
            raise GraderError(
                "a grader pool needs a deadline above 0 s, a worker and 512 MiB of memory",
                deadline_s=deadline_s, workers=workers, memory_mb=memory_mb,
            )  # fmt: skip
        self._workers = workers or min(8, os.cpu_count() or 1)
        self._deadline_s = deadline_s
        self._memory_mb = memory_mb
        self._rules = rules
        self._processes: ProcessPool | None = None
        self._sender = _sender()
        self._tested = False
        self._tests: list[tuple[Test, Sent[Decided]]] = []
        self._known: dict[GoldAnswer, Decided | Sent[Decided]] = {}

    @classmethod
    def of(cls, grading: Grading, *, own: Sequence[Rules] = (OURS,), kind: str = "grader") -> Self:
        """The pool that options ask for; `own` and `kind` as `rules_named` takes them.

        Raises:
            PlanError: There is no such grader, it cannot be imported, or it is no `Grader`.
        """
        rules = rules_named(grading.grader, own=own, kind=kind)
        return cls(workers=grading.grader_workers, deadline_s=grading.deadline_s, rules=rules)

    @property
    def identity(self) -> str:
        """Name and revision, such as `math-verify/1`."""
        return self._rules.identity

    @property
    def versions(self) -> dict[str, str]:
        """Library name to version, for every library that decides a verdict."""
        return self._rules.versions()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the workers; verdicts already given stay valid."""
        self._sender.shutdown(cancel_futures=True)
        self._sender = _sender()
        self._stop()

    def _stop(self) -> None:
        if self._processes is not None:
            self._processes.stop()  # type: ignore[no-untyped-call]
            self._processes.join()
            self._processes = None

    def grade(self, pairs: Iterable[tuple[Gold, str]]) -> Iterator[Judgement]:
        """One judgement for each (gold, completion text), in their order, as they get ready.

        Raises:
            GraderError: The self-test fails; nothing is graded then.
        """
        self._test_here()
        waiting: deque[tuple[Gold, Extraction]] = deque()
        for gold, completion in pairs:
            extraction = extract(completion, members=members(gold))
            if self._rules.reads_whole_text:
                extraction = Extraction(
                    answer=completion, boxed=extraction.boxed, rule="whole text"
                )
            if extraction.answer is not None:
                self._submit((gold, extraction.answer))
            waiting.append((gold, extraction))
            while waiting and (len(waiting) > AHEAD * self._workers or self._is_ready(waiting[0])):
                yield self._judgement(*waiting.popleft())
        while waiting:
            yield self._judgement(*waiting.popleft())

    def classes(self, groups: Sequence[Sequence[str]]) -> list[list[str]]:
        """For each group of answers, the first answer of the group equal to each of them.

        Equality is exact and knows no gold; a pair that stays undecided counts as different.
        """
        self._test_here()
        if self._rules.classes is None:
            return sort_into_classes(groups, ask=self._equal)
        futures = [
            self._run(self._rules.classes, (list(group), self._deadline_s), self._deadline_s)
            for group in groups
        ]
        return [self._firsts(group, of) for group, of in zip(groups, futures, strict=True)]

    def _firsts(self, group: Sequence[str], sent: Sent[list[str]]) -> list[str]:
        try:
            return sent.result().result()
        except (DeadlineError, ProcessExpired, BrokenProcessPool):
            return list(group)
        except ImportError as error:
            raise self._cannot_start(error) from error

    def _equal(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        keys = [(Gold(answer=first), answer) for first, answer in pairs]
        for key in keys:
            self._submit(key)
        return [self._decided(key).outcome.verdict is Verdict.CORRECT for key in keys]

    def _test_here(self) -> None:
        """Check the verdicts that need no worker."""
        for gold, answer, expected in self._rules.tests_here:
            judgement = quick(Gold(answer=gold), answer)
            if judgement is None or judgement.verdict != expected:
                raise _failed_self_test(
                    gold, answer, expected, str(judgement and judgement.verdict)
                )

    def _submit(self, pair: GoldAnswer) -> None:
        if pair in self._known:
            return
        started = time.perf_counter()
        outcome = None if self._rules.reads_whole_text else quick(*pair)
        if outcome is not None:
            elapsed = time.perf_counter() - started
            self._known[pair] = Decided(outcome, elapsed)
        else:
            self._known[pair] = self._schedule(pair, self._deadline_s)

    def _schedule(self, pair: GoldAnswer, deadline_s: float) -> Sent[Decided]:
        if not self._tested:
            self._tested = True
            self._tests = [
                (test, self._schedule((Gold(answer=test[0]), test[1]), START_S))
                for test in self._rules.worker_tests
            ]
        return self._run(self._rules.decide, (*pair, deadline_s), deadline_s)

    def _run(
        self, function: Callable[..., T], arguments: tuple[object, ...], deadline_s: float
    ) -> Sent[T]:
        """Give work to a process from a thread of its own, which waits while they start."""
        return self._sender.submit(self._send, function, arguments, deadline_s)

    def _send(
        self, function: Callable[..., T], arguments: tuple[object, ...], deadline_s: float
    ) -> Future[T]:
        if self._processes is None or not self._processes.active:
            self._stop()
            self._processes = self._opened()
        future: Future[T] = self._processes.schedule(function, args=arguments, timeout=deadline_s)
        return future

    def _opened(self) -> ProcessPool:
        processes = ProcessPool(
            max_workers=self._workers,
            initializer=start,
            initargs=(self._memory_mb, bool(self._rules.worker_tests)),
            context=BlankContext(),
        )
        processes.active  # noqa: B018 - starts the processes
        return processes

    def _test_workers(self) -> None:
        """Wait for the pairs with known verdicts, which were given to the workers first.

        Raises:
            GraderError: A worker cannot start, or a verdict is not the known one.
        """
        while self._tests:
            (gold, answer, expected), sent = self._tests.pop()
            try:
                outcome = sent.result(timeout=START_S).result(timeout=START_S).outcome
            except (DeadlineError, ProcessExpired, BrokenProcessPool, ImportError) as error:
                raise self._cannot_start(error) from error
            if outcome.verdict != expected:
                self.close()
                actual = f"{outcome.verdict} ({outcome.note})"
                raise _failed_self_test(gold, answer, expected, actual)

    def _cannot_start(self, error: BaseException) -> GraderError:
        self.close()
        return GraderError(
            f"a grading process cannot start: {type(error).__name__}: {error}",
            hint="reinstall math-verify and its parser: pip install --force-reinstall math-verify"
            if self._rules.worker_tests
            else "a grader of your own must be importable from the folder of the command",
            **self.versions,
        )

    def _is_ready(self, item: tuple[Gold, Extraction]) -> bool:
        gold, extraction = item
        known = None if extraction.answer is None else self._known[gold, extraction.answer]
        return not isinstance(known, Future) or (known.done() and known.result().done())

    def _decided(self, pair: GoldAnswer) -> Decided:
        known = self._known[pair]
        if isinstance(known, Future):
            known = self._known[pair] = self._result(pair, known)
        return known

    def _result(self, pair: GoldAnswer, sent: Sent[Decided]) -> Decided:
        self._test_workers()  # before any verdict of theirs is used
        for attempt in range(2):
            try:
                return sent.result().result()
            except DeadlineError:
                note = f"the comparison took longer than {self._deadline_s:g} s"
                return _undecided(note, self._deadline_s)
            except ProcessExpired as error:
                note = f"the grading process died (exit code {error.exitcode})"
                return _undecided(note)
            except ImportError as error:
                raise self._cannot_start(error) from error
            except BrokenProcessPool:  # an idle worker was killed from outside
                if attempt == 0:
                    sent = self._schedule(pair, self._deadline_s)
        return _undecided("the grading processes die before they can judge")

    def _judgement(self, gold: Gold, extraction: Extraction) -> Judgement:
        if extraction.answer is None:
            return Judgement(
                verdict=Verdict.NO_ANSWER, extracted=None, boxed=False, elapsed_s=0.0,
                note=extraction.note, why=_reason(extraction, extraction.note),
            )  # fmt: skip
        decided = self._decided((gold, extraction.answer))
        outcome = decided.outcome
        notes = [text for text in (extraction.note, outcome.note) if text]
        empty = outcome.verdict is Verdict.NO_ANSWER
        answer = decided.extracted if self._rules.reads_whole_text else extraction.answer
        return Judgement(
            verdict=outcome.verdict,
            extracted=None if empty or answer is None else _readable(answer[:MAX_ANSWER]),
            boxed=extraction.boxed and not empty,
            elapsed_s=decided.elapsed_s,
            note="; ".join(notes) or None,
            why=_reason(extraction, outcome.rule or outcome.note, outcome.comparisons),
        )


def _sender() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="grading")


def _undecided(note: str, elapsed_s: float = 0.0) -> Decided:
    return Decided(Outcome(Verdict.UNDECIDED, note), elapsed_s)


def _reason(
    extraction: Extraction, rule: str | None, comparisons: tuple[AnswerComparison, ...] = ()
) -> Reason | None:
    """None where neither a rule nor a note says why."""
    if rule is None:
        return None
    return Reason(
        rule=rule, found_by=extraction.rule, span=extraction.span, comparisons=comparisons
    )


def _readable(text: str) -> str:
    """`text` without the lone surrogates that no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _failed_self_test(gold: str, answer: str, expected: Verdict, verdict: str) -> GraderError:
    return GraderError(
        "the grader fails its self-test, so it would not be right about models either",
        hint="reinstall math-verify and its parser: pip install --force-reinstall math-verify",
        gold=gold, answer=answer, expected=expected.value, found=verdict, **versions(),
    )  # fmt: skip
