"""The demonstration as one page, told in order."""

from __future__ import annotations

from pathlib import Path

from emdiag.core.records import Result
from emdiag.core.results import CompareResult
from emdiag.core.selection import SelectResult
from emdiag.core.training import TrainResult
from emdiag.demonstration.plan import ChosenPrompt, DemoMeasurements
from emdiag.publish.report import StudyPart, study_of
from emdiag.reports.render import write_page
from emdiag.store.run_store import RunStore
from emdiag.store.session import Session

TITLE = "One-shot entropy minimisation, in miniature"
QUESTION = (
    "One unlabelled prompt and ten updates of entropy minimisation: does the checkpoint get "
    "better, what happens to its distribution, and is it more than sampling colder?"
)


def tell(measured: DemoMeasurements, page: Path, *, session: Session) -> Path:
    """Write the page; returns where it is.

    Raises:
        StoreError: A run cannot be read, or the page cannot be written.
    """
    study = study_of(
        chapters(measured, store=session.store), session, title=TITLE, question=QUESTION
    )
    return write_page(study, page)


def chapters(measured: DemoMeasurements, *, store: RunStore) -> list[StudyPart]:
    """The results in the order of the story, each with what leads to it."""
    words = _words(measured)
    good, bad, maximised, *rl = measured.trained
    against = [
        (f"{compared.comparisons[0].right} against base, problem by problem", compared, "")
        for compared in measured.comparisons
    ]
    parts: list[tuple[str, Result, str]] = [
        ("The base model: capable but uncertain", measured.base, "base"),
        ("Which prompt to train on", measured.selected, "selection"),
        ("Entropy minimised on the good prompt", good, "good"),
        ("Entropy minimised on the bad prompt", bad, "bad"),
        ("A control: entropy maximised", maximised, "maximised"),
        *(("Reinforcement learning", training, "rl") for training in rl),
        ("How often each is right", measured.scores, "scores"),
        *against,
        ("What happened to the distribution", measured.logits, "logits"),
        ("Temperature sweep with an entropy-matched baseline", measured.sweep, "sweep"),
        ("Claims", measured.claims, ""),
    ]
    return [
        StudyPart(
            result=result,
            store=store,
            heading=heading,
            words=tuple(words.get(chapter, "").splitlines()),
            is_brief=isinstance(result, SelectResult | TrainResult | CompareResult),
        )
        for heading, result, chapter in parts
    ]


def _words(measured: DemoMeasurements) -> dict[str, str]:
    """What opens each chapter, a paragraph on each line."""
    plan, good, bad = measured.plan, measured.good, measured.bad
    without = "" if plan.has_rl else " There is no RL checkpoint: TRL is not installed here."
    return {
        "base": (
            "The lab's model has 0.67 million parameters and learned from text in which some "
            "problems are worked step by step and others answered at once, more often the one or "
            "the other depending on the wording. Step by step it is nearly always right; at once "
            "it mostly guesses."
        ),
        "selection": (
            "The paper chooses a prompt whose outcomes vary most. Two prompts of the pool are "
            f"trained on here: {_prompt('good', good)}; {_prompt('bad', bad)}.\n"
            "They were chosen by something that only the lab knows: how often the base goes step "
            "by step on them."
        ),
        "good": (
            f"{plan.updates} updates on samples of one prompt, without its answer, "
            f"{plan.seeds} seeds."
        ),
        "bad": "The same recipe, another prompt.",
        "maximised": (
            "The same updates with the sign turned: if any change of the weights helped, this one "
            "would as well."
        ),
        "rl": (
            f"{plan.rl_updates} updates of GRPO on {plan.rl_problems} problems with right answers "
            "as reward: what entropy minimisation is said to rival. One seed."
        ),
        "scores": (
            f"The registered checkpoint of each training, greedy, on the first {plan.problems} "
            f"held-out problems.{without}"
        ),
        "logits": (
            "All checkpoints read the same texts, written by the base: raw logits, the whole "
            "vocabulary, position by position. The published way of measuring is shown as well."
        ),
        "sweep": (
            "Less entropy is what a lower temperature gives as well. So the base is sampled at the "
            "temperature at which its entropy equals that of the trained checkpoint, and accuracy "
            "is compared there."
        ),
    }


def _prompt(name: str, chosen: ChosenPrompt) -> str:
    figures = chosen.figures
    variance = figures.outcome_variance
    spread = "" if variance is None else f", outcome variance {variance:.3f}"
    rate = figures.pass_rate or 0.0
    return (
        f"the {name} one ({figures.problem_id}: {100 * chosen.steps:.0f} % of {figures.samples} "
        f"samples step by step, {100 * rate:.0f} % right{spread})"
    )
