"""The demonstration as one page, told in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emdiag.core.results import CompareResult
from emdiag.core.selection import SelectResult
from emdiag.core.training import TrainResult
from emdiag.publish.study import StudyPart, study_of
from emdiag.reports.render import write_page

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.records import Result
    from emdiag.demonstration.measured import ChosenPrompt, DemoMeasurements
    from emdiag.demonstration.plan import DemoPlan
    from emdiag.store.run_store import RunStore
    from emdiag.store.session import Session

TITLE = "One-shot entropy minimisation, in miniature"
QUESTION = (
    "One unlabelled prompt and ten updates of entropy minimisation: does the checkpoint get "
    "better, what happens to its distribution, and is it more than sampling colder?"
)


def tell(measured: DemoMeasurements, page: Path, *, session: Session) -> Path:
    """Write the page; returns where it is.

    Args:
        measured: Every result.
        page: Where it goes.
        session: Where the samples lie.

    Raises:
        StoreError: A run cannot be read, or the page cannot be written.
    """
    study = study_of(
        chapters(measured, store=session.store), session, title=TITLE, question=QUESTION
    )
    return write_page(study, page)


def chapters(measured: DemoMeasurements, *, store: RunStore) -> list[StudyPart]:
    """The results in the order of the story, each with what leads to it."""
    plan = measured.plan
    good, bad, maximised, *rl = measured.trained
    parts: list[tuple[str, Result, tuple[str, ...]]] = [
        ("The base can, and is undecided", measured.base, _of_base()),
        ("Which prompt to train on", measured.selected, _of_selection(measured)),
        ("Entropy minimised on the good prompt", good, _of_good(plan)),
        ("Entropy minimised on the bad prompt", bad, ("The same recipe, another prompt.",)),
        ("A control: entropy maximised", maximised, _of_maximised()),
    ]
    parts += [("Reinforcement learning", training, _of_rl(plan)) for training in rl]
    parts.append(("How often each is right", measured.scores, _of_scores(plan)))
    for comparison in measured.comparisons:
        label = comparison.comparisons[0].right
        parts.append((f"{label} against base, problem by problem", comparison, ()))
    parts += [
        ("What happened to the distribution", measured.logits, _of_logits()),
        ("Temperature sweep with an entropy-matched baseline", measured.sweep, _of_sweep()),
        ("Claims", measured.claims, ()),
    ]
    return [
        StudyPart(
            result=result,
            store=store,
            heading=heading,
            words=words,
            is_brief=isinstance(result, SelectResult | TrainResult | CompareResult),
        )
        for heading, result, words in parts
    ]


def _of_base() -> tuple[str, ...]:
    return (
        (
            "The lab's model has 0.67 million parameters and learned from text in which some "
            "problems are worked step by step and others answered at once, more often the one or "
            "the other depending on the wording. Step by step it is nearly always right; at once "
            "it mostly guesses."
        ),
    )


def _of_selection(measured: DemoMeasurements) -> tuple[str, ...]:
    good, bad = measured.good, measured.bad
    return (
        (
            "The paper chooses a prompt whose outcomes vary most. Two prompts of the pool are "
            f"trained on here: {_prompt('good', good)}; {_prompt('bad', bad)}."
        ),
        (
            "They were chosen by something that only the lab knows: how often the base goes step "
            "by step on them."
        ),
    )


def _prompt(name: str, chosen: ChosenPrompt) -> str:
    figures = chosen.figures
    variance = figures.outcome_variance
    spread = "" if variance is None else f", outcome variance {variance:.3f}"
    rate = figures.pass_rate or 0.0
    return (
        f"the {name} one ({figures.problem_id}: {100 * chosen.steps:.0f} % of {figures.samples} "
        f"samples step by step, {100 * rate:.0f} % right{spread})"
    )


def _of_good(plan: DemoPlan) -> tuple[str, ...]:
    return (
        (
            f"{plan.updates} updates on samples of one prompt, without its answer, "
            f"{plan.seeds} seeds."
        ),
    )


def _of_maximised() -> tuple[str, ...]:
    return (
        (
            "The same updates with the sign turned: if any change of the weights helped, this one "
            "would as well."
        ),
    )


def _of_rl(plan: DemoPlan) -> tuple[str, ...]:
    return (
        (
            f"{plan.rl_updates} updates of GRPO on {plan.rl_problems} problems with right answers "
            "as reward: what entropy minimisation is said to rival. One seed."
        ),
    )


def _of_scores(plan: DemoPlan) -> tuple[str, ...]:
    without = "" if plan.has_rl else " There is no RL checkpoint: TRL is not installed here."
    return (
        (
            f"The registered checkpoint of each training, greedy, on the first {plan.problems} "
            f"held-out problems.{without}"
        ),
    )


def _of_logits() -> tuple[str, ...]:
    return (
        (
            "All checkpoints read the same texts, written by the base: raw logits, the whole "
            "vocabulary, position by position. The published way of measuring stands beside it."
        ),
    )


def _of_sweep() -> tuple[str, ...]:
    return (
        (
            "Less entropy is what a lower temperature gives as well. So the base is sampled at the "
            "temperature at which its entropy equals that of the trained checkpoint, and accuracy "
            "is compared there."
        ),
    )
