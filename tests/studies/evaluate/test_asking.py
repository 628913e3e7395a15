"""What is asked beside the template, from the options to runs, grades and pages."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from msgspec import UNSET

import emdiag
from emdiag.core.asking import Asking
from emdiag.core.errors import CheckpointError, PlanError
from emdiag.core.grades import Verdict
from emdiag.publish.commands import DrawnSession, recreating_commands
from emdiag.resources import lab_weights
from emdiag.store.run_store import RunStore
from emdiag.store.session import open_session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.task import expand

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.store.run_store import Run

THINKS = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
    "{% if enable_thinking is defined and enable_thinking is false %}<think></think>{% endif %}"
)
EFFORT = (
    "{% if reasoning_effort is not defined %}{% set reasoning_effort = 'medium' %}{% endif %}"
    "Reasoning: {{ reasoning_effort }}\n"
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"
)


def lab(folder: Path, template: str) -> str:
    """A copy of the lab with a chat template."""
    shutil.copytree(lab_weights(), folder)
    (folder / "chat_template.jinja").write_text(template)
    return str(folder)


def score(checkpoint: str, folder: Path, benchmark: str = "toy", **options: object) -> Run:
    """The run that an evaluation of three problems makes."""
    result = emdiag.evaluate(
        checkpoint, benchmark, store=folder / "out", home=folder / "home", limit=3, max_tokens=8,
        grader_workers=1, engine="transformers", **options,
    )  # fmt: skip
    runs = {run.key: run for run in RunStore(folder / "out").runs()}
    return runs[result.scores[0].run_key]


@pytest.mark.parametrize(
    ("template", "option"),
    [(THINKS, {"enable_thinking": False}), (EFFORT, {"reasoning_effort": "low"})],
)
def test_a_chat_option_makes_another_run_that_is_drawn_once_and_recreated(
    template: str, option: dict[str, object], tmp_path: Path
) -> None:
    checkpoint = lab(tmp_path / "thinker", template)
    before, after = score(checkpoint, tmp_path), score(checkpoint, tmp_path, chat_options=option)
    assert before.key != after.key
    assert before.spec.prompts_sha256 != after.spec.prompts_sha256
    assert after.spec.wording.variables == option
    assert before.spec.wording == Asking()
    again = score(checkpoint, tmp_path, chat_options=option)
    assert (again.key, len(again.provenance())) == (after.key, 1)
    session = DrawnSession(session=after.provenance()[0], spec=after.spec)
    (command,) = recreating_commands([session])
    assert f"--chat-option {after.spec.wording.chat_options[0]}" in command
    assert before.spec.asking is UNSET  # as in runs of before, whose keys stay


def test_a_system_message_takes_the_place_of_the_templates_and_a_prefix_ends_the_prompt(
    tmp_path: Path,
) -> None:
    checkpoint = lab(tmp_path / "thinker", THINKS)
    (tmp_path / "system.txt").write_text("Be brief.\n")
    plan = EvaluatePlan.of(
        {
            "checkpoints": checkpoint,
            "benchmarks": "toy",
            "template": "qwen-math",
            "system": str(tmp_path / "system.txt"),
            "prefix": "So <think>",
        }
    )
    (reading,) = expand(plan, open_session(tmp_path / "out", home=tmp_path / "home"))
    text = reading.prompts[0].text
    assert text.startswith("<system>Be brief.\n<user>")
    assert text.endswith("<assistant>So <think>")
    assert reading.run.spec.wording == Asking(system="Be brief.", prefix="So <think>")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"benchmark": "chain", "system": "Be brief."}, "chain is asked as plain text"),
        ({"chat": False, "chat_options": ["a=1"]}, "asked as plain text"),
    ],
)
def test_what_plain_text_has_no_place_for_is_refused(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    checkpoint = lab(tmp_path / "thinker", THINKS)
    with pytest.raises(PlanError, match=message) as caught:
        score(checkpoint, tmp_path, **options)
    assert "--chat" in str(caught.value.hint)


def test_an_option_is_not_dropped_where_a_tokenizer_has_no_chat_template(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="this tokenizer has none"):
        score("lab", tmp_path, chat_options=["enable_thinking=false"])


def test_a_box_that_the_prefix_opens_is_graded_with_what_the_model_wrote(tmp_path: Path) -> None:
    problem = {"id": "q", "statement": "What is 2+3?", "answer": "5"}
    (tmp_path / "mine.jsonl").write_text(json.dumps(problem))
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"*": ["5} and no more. It is so."]}))
    verdicts = {}
    for prefix in (None, r"The answer is \boxed{"):
        result = emdiag.evaluate(
            str(table), str(tmp_path / "mine.jsonl"), store=tmp_path / "out",
            home=tmp_path / "home", grader_workers=1, prefix=prefix,
        )  # fmt: skip
        (of_run,) = result.scores
        verdicts[prefix] = next(name for name, count in of_run.by_verdict.items() if count)
    assert list(verdicts.values()) == [Verdict.NO_ANSWER.value, Verdict.CORRECT.value]
    regraded = emdiag.regrade(
        [of_run.run_key], store=tmp_path / "out", home=tmp_path / "home", workers=1
    )
    assert regraded.runs[0].second_score.value == 1.0
