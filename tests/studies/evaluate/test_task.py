from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

import emdiag
from emdiag.core.errors import CheckpointError, PlanError
from emdiag.core.results import remark
from emdiag.engines.checkpoint.chat_files import has_chat_template
from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
from emdiag.findings.remarks import words_of
from emdiag.resources import lab_weights
from emdiag.store.session import open_session
from emdiag.studies.evaluate.plan import EvaluatePlan
from emdiag.studies.evaluate.task import EvalTask, expand

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEMPLATE = "{{ messages[-1]['content'] }}\n"


@pytest.fixture
def readings(tmp_path: Path) -> Callable[..., list[EvalTask]]:
    def of(checkpoints: object, benchmarks: object = "toy", **options: object) -> list[EvalTask]:
        plan = EvaluatePlan.of({"checkpoints": checkpoints, "benchmarks": benchmarks, **options})
        return expand(plan, open_session(tmp_path / "out", home=tmp_path / "home"))

    return of


def lab(folder: Path, *, template: str | None = None, **config: int) -> str:
    """A copy of the lab as a checkpoint argument, called by its folder's name."""
    shutil.copytree(lab_weights(), folder)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return str(folder)


def notes_of(reading: EvalTask) -> dict[str, dict[str, Any]]:
    return {note.code: dict(note.values) for note in reading.notes if note.code != "as-given"}


def test_where_nobody_asks_for_a_chat_a_tokenizer_without_template_reads_plain_text(
    readings: Callable[..., list[EvalTask]],
) -> None:
    (reading,) = readings("lab")
    assert (reading.run.spec.chat, reading.run.spec.template) == (False, "boxed")
    assert notes_of(reading)["no-chat-template"]["labels"] == ("lab",)
    assert reading.run.key == readings("lab", chat=False)[0].run.key
    assert notes_of(readings("lab", chat=False)[0]) == {}
    assert notes_of(readings("lab", "chain")[0]) == {}  # its own template is none for chats


@pytest.mark.parametrize("asked", [{"chat": True}, {"template": "boxed"}])
def test_a_chat_that_was_asked_for_is_not_replaced(
    asked: dict[str, object],
    readings: Callable[..., list[EvalTask]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = "emdiag.studies.evaluate.task.open_encoder"
    monkeypatch.setattr(opened, lambda *_, **__: pytest.fail("a library was opened first"))
    with pytest.raises(CheckpointError, match="none") as error:
        readings("lab", **asked)
    assert "--no-chat" in (error.value.hint or "")


def test_all_checkpoints_of_a_command_are_asked_alike(
    readings: Callable[..., list[EvalTask]], tmp_path: Path
) -> None:
    tuned = lab(tmp_path / "tuned", template=TEMPLATE)
    assert [r.run.spec.chat for r in readings(tuned)] == [True]
    both = readings(["lab", tuned])
    assert [r.run.spec.chat for r in both] == [False, False]
    note = words_of(next(n for n in both[1].notes if n.code == "no-chat-template"))
    assert note == (
        "the tokenizer of lab has no chat template, so toy is asked as plain text of all "
        "checkpoints, as `--no-chat` does"
    )


def test_answers_get_the_room_that_is_left_in_the_smallest_context(
    readings: Callable[..., list[EvalTask]], tmp_path: Path
) -> None:
    small = lab(tmp_path / "small", max_position_embeddings=300)
    alone = readings("lab")[0].run.spec.sampling.max_tokens
    both = readings(["lab", small])
    longest = max(len(prompt.token_ids) for prompt in both[0].prompts)
    assert alone == 512  # the card's
    assert [r.run.spec.sampling.max_tokens for r in both] == [300 - longest] * 2
    note = notes_of(both[0])["room-left"]
    assert (note["label"], note["context"], note["wanted"]) == ("small", 300, 512)
    typed = readings(small, max_tokens=300 - longest)[0]
    assert typed.run.key == both[1].run.key
    assert "room-left" not in notes_of(typed)


def test_more_problems_need_no_other_limit_of_tokens(
    readings: Callable[..., list[EvalTask]], tmp_path: Path
) -> None:
    small = lab(tmp_path / "small", max_position_embeddings=300)
    first, whole = readings(small, limit=2)[0], readings(small)[0]
    assert first.run.key == whole.run.key


def test_problems_that_fit_are_measured_where_others_of_the_benchmark_do_not(
    readings: Callable[..., list[EvalTask]], tmp_path: Path
) -> None:
    file = tmp_path / "long.jsonl"
    rows = [{"statement": text, "answer": "1"} for text in ("1+0?", "1+" * 400 + "0?")]
    file.write_text("\n".join(map(json.dumps, rows)))
    small = lab(tmp_path / "small", max_position_embeddings=300)
    (reading,) = readings(small, str(file), limit=1)
    assert reading.run.spec.sampling.max_tokens == 300 - len(reading.prompts[0].token_ids)
    with pytest.raises(PlanError, match="exceed the context"):
        readings(small, str(file))


def test_a_limit_of_tokens_that_was_typed_and_does_not_fit_is_refused(
    readings: Callable[..., list[EvalTask]],
) -> None:
    with pytest.raises(PlanError, match="exceed the context") as error:
        readings("lab", max_tokens=1000)
    assert "--max-tokens" in (error.value.hint or "")


def test_no_library_is_opened_for_a_checkpoint_that_is_not_there(
    readings: Callable[..., list[EvalTask]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open_benchmark", "resolve_checkpoint", "open_encoder"):
        monkeypatch.setattr(
            f"emdiag.studies.evaluate.task.{name}", lambda *_, **__: pytest.fail("too early")
        )
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        readings(["lab", "em=./nowhere"])


@pytest.mark.parametrize("place", ["none", "config", "null", "jinja", "additional"])
def test_files_say_what_the_tokenizer_says_of_its_chat_template(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    lab(folder, template=TEMPLATE if place == "jinja" else None)
    config = folder / "tokenizer_config.json"
    if place in {"config", "null"}:
        value = {"chat_template": TEMPLATE if place == "config" else None}
        config.write_text(json.dumps(json.loads(config.read_text()) | value))
    if place == "additional":
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "other.jinja").write_text(TEMPLATE)
    opened = CheckpointEncoder(str(folder)).tokenizer.chat_template
    assert has_chat_template(folder) == (opened is not None)


@pytest.mark.parametrize("study", ["temp-sweep", "logits-skew"])
def test_one_checkpoint_under_one_label_is_one_seed_whatever_it_is_called(
    study: str, tmp_path: Path
) -> None:
    again = f"em={lab(tmp_path / 'again')}"
    checkpoints = ["base=lab", "em=lab", again, "em=lab"]
    common: dict[str, Any] = {"store": tmp_path / "out", "engine": "transformers"}
    if study == "temp-sweep":
        swept = emdiag.temperature_sweep(
            checkpoints, "chain", limit=2, samples=2, temperatures=[0, 1], entropy=False,
            grader_workers=1, max_tokens=5, **common,
        )  # fmt: skip
        arms, notes = swept.arms, swept.notes
        assert {point.seeds for point in swept.points} == {1}
    else:
        read = emdiag.logit_skew(
            checkpoints, "chain", limit=2, max_tokens=5, texts=["base"], **common
        )
        arms, notes = read.arms, read.notes
        assert {row.seeds for row in read.estimates} == {1}
    assert [len(arm.digests) for arm in arms] == [1, 1]
    assert remark("seeds-again", label="em", again=2) in notes
    assert remark("same-weights", labels=("base", "em")) in notes
