from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from emdiag.core.errors import CheckpointError, EngineError
from emdiag.core.sampling import Completion, SampleRequest, SamplingParams
from emdiag.engines.scripted import ByteEncoder, ScriptedSampler, read_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.sampling import FilledPrompt


def request(problem_id: str, index: int = 0) -> SampleRequest:
    return SampleRequest(problem_id=problem_id, sample_index=index, token_ids=(65, 66), seed=index)


def draw(table: dict[str, list[str]], *requests: SampleRequest, **changes: Any) -> list[Completion]:
    params = SamplingParams(**{"temperature": 1.0, "max_tokens": 50, **changes})
    return list(ScriptedSampler(table).sample(requests, params=params))


def test_each_sample_gets_its_own_text_and_the_list_starts_again() -> None:
    table = {"p": ["one", "two"], "*": ["other"]}
    found = draw(table, *(request("p", index) for index in range(3)), request("q"))
    assert [f.text for f in found] == ["one", "two", "one", "other"]
    assert [f.token_ids for f in found][:1] == [tuple(b"one")]
    assert {f.finish_reason for f in found} == {"stop"}
    assert {f.prompt_tokens for f in found} == {2}
    assert [f.seed for f in found] == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("limit", "text", "reason"), [(4, "abcd", "length"), (5, "abcde", "stop"), (1, "a", "length")]
)
def test_a_longer_text_is_cut_at_the_limit(limit: int, text: str, reason: str) -> None:
    (found,) = draw({"p": ["abcde"]}, request("p"), max_tokens=limit)
    assert (found.text, found.finish_reason, len(found.token_ids)) == (text, reason, limit)


def test_a_limit_inside_a_character_shows_that_something_is_missing() -> None:
    (found,) = draw({"p": ["é"]}, request("p"), max_tokens=1)
    assert found.text == "\ufffd"


def test_stop_strings_end_a_scripted_text_as_they_end_a_sampled_one() -> None:
    (found,) = draw({"p": ["A: 4\nQ: more"]}, request("p"), stop=("Q:",))
    assert (found.text, found.finish_reason) == ("A: 4\n", "stop")
    assert bytes(found.token_ids) == b"A: 4\nQ:"
    (beyond,) = draw({"p": ["A: 4\nQ: more"]}, request("p"), stop=("Q:",), max_tokens=6)
    assert (beyond.text, beyond.finish_reason) == ("A: 4\nQ", "length")


def test_a_problem_without_a_text_is_named() -> None:
    with pytest.raises(EngineError, match="no text for a problem") as caught:
        draw({"p": ["x"]}, request("q"))
    assert "q" in caught.value.facts.values()


@pytest.mark.parametrize("table", [{"p": []}, {"p": "text"}, {"p": [1]}])
def test_a_wrong_table_is_refused(table: Any, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        ScriptedSampler(table)
    path = tmp_path / "t.json"
    path.write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match="has no list of texts"):
        read_table(str(path))


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_file_that_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(text)
    with pytest.raises(CheckpointError):
        read_table(str(path))


def test_prompts_are_bytes_of_the_chosen_text(fill: Callable[..., list[FilledPrompt]]) -> None:
    encoder = ByteEncoder()
    filled = fill("Why é?", system="Be brief.")
    assert bytes(encoder.encode(filled, chat=False)[0].token_ids).decode() == "Why é?"
    assert encoder.encode(filled, chat=True)[0].text == "Be brief.\n\nWhy é?"
    assert (encoder.stop_token_ids(), encoder.max_context, encoder.notes) == ((), None, ())


def test_the_scripted_engine_promises_to_repeat_itself() -> None:
    info = ScriptedSampler({"p": ["x"]}).info
    assert (info.name, info.deterministic) == ("scripted", True)
