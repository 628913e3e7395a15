from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.vocabularies import (
    SharedVocabulary,
    check_same_tokens,
    shared_vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef


@pytest.fixture
def variant(tmp_path: Path, save_tiny_llama: Callable[..., Path]) -> Callable[..., CheckpointRef]:
    """A tiny checkpoint of another label, head or tokenizer."""

    def build(
        label: str, change: Callable[[dict[str, Any]], None] | None = None, **config: object
    ) -> CheckpointRef:
        folder = save_tiny_llama(tmp_path / label, **config)
        file = folder / "tokenizer.json"
        tokenizer = json.loads(file.read_text())
        if change is not None:
            change(tokenizer)
            file.write_text(json.dumps(tokenizer))
        return resolve_checkpoint(str(folder), label=label)

    return build


def swapped(tokenizer: dict[str, Any]) -> None:
    vocab = tokenizer["model"]["vocab"]
    vocab["a"], vocab["b"] = vocab["b"], vocab["a"]


def longer(tokenizer: dict[str, Any]) -> None:
    last = tokenizer["added_tokens"][-1]
    tokenizer["added_tokens"].append({**last, "id": 259, "content": "<|think|>"})


def rewritten(tokenizer: dict[str, Any]) -> None:
    tokenizer["truncation"] = None
    tokenizer["version"] = "1.0"


def test_checkpoints_with_one_tokenizer_and_head_share_all_of_it_without_a_note(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    shared = shared_vocabulary([tiny, variant("other", seed=4)])
    assert (shared.size, shared.notes) == (259, ())


def test_another_file_with_the_same_meanings_is_no_other_tokenizer(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    other = variant("other", rewritten)
    assert other.tokenizer_digest != tiny.tokenizer_digest
    assert shared_vocabulary([tiny, other]).notes == ()


def test_padded_heads_share_the_smaller_size_and_say_so(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    padded, more = variant("padded", vocab_size=320), variant("more", vocab_size=384)
    shared = shared_vocabulary([padded, tiny, more])
    assert shared.size == 259
    (note,) = shared.notes
    assert "padded: 320, tiny: 259, more: 384" in note
    assert "first 259 logits, of which the tokenizer uses 259" in note
    assert shared_vocabulary([padded, more]).size == 320


def test_one_id_with_two_meanings_is_refused_with_examples(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    other = variant("other", swapped)
    with pytest.raises(CheckpointError, match="2 token ids mean something else to tiny") as caught:
        shared_vocabulary([tiny, other])
    assert "'a' and 'b'" in caught.value.facts["examples"]
    assert "'b' and 'a'" in caught.value.facts["examples"]
    assert caught.value.hint
    with pytest.raises(CheckpointError, match="mean something else to the checkpoints than to oth"):
        check_same_tokens(shared_vocabulary([tiny]), other)


def test_a_third_checkpoint_with_other_tokens_is_found_as_well(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    with pytest.raises(CheckpointError, match="to tiny than to third"):
        shared_vocabulary([tiny, variant("second", rewritten), variant("third", swapped)])


def test_a_token_that_only_one_knows_is_noted_and_refused_of_a_writer(
    tiny: CheckpointRef, variant: Callable[..., CheckpointRef]
) -> None:
    base, more = variant("base", vocab_size=320), variant("more", longer, vocab_size=320)
    (note,) = shared_vocabulary([base, more]).notes
    assert "1 token ids are known to only one of the tokenizers of base and more" in note
    with pytest.raises(CheckpointError, match="more writes with 1 tokens") as caught:
        check_same_tokens(shared_vocabulary([tiny]), more)
    assert "<|think|>" in caught.value.facts["examples"]
    check_same_tokens(shared_vocabulary([more]), base)  # fewer tokens are no harm


@pytest.mark.parametrize("order", [1, -1])
def test_a_head_that_is_smaller_than_its_tokenizer_is_refused(
    variant: Callable[..., CheckpointRef], order: int, tiny: CheckpointRef
) -> None:
    small = variant("small", vocab_size=258)
    with pytest.raises(CheckpointError, match="the smallest head has 258 logits") as caught:
        shared_vocabulary([tiny, small][::order])
    assert "small: 258" in caught.value.facts["heads"]


@pytest.fixture(scope="module")
def bytes_only(byte_tokenizer: Callable[..., Any]) -> SharedVocabulary:
    return SharedVocabulary(tokenizer=byte_tokenizer(), size=259, notes=())


def test_tokens_before_a_character_are_counted_in_whole_characters(
    bytes_only: SharedVocabulary,
) -> None:
    text = "aé\N{GRINNING FACE}b"
    ids = bytes_only.token_ids(text)
    assert len(ids) == 1 + 2 + 4 + 1
    needed = [bytes_only.tokens_before(ids, characters=place) for place in range(5)]
    assert needed == [0, 1, 3, 7, 8]


WHOLE = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")


@given(before=st.text(alphabet=WHOLE, max_size=30), after=st.text(alphabet=WHOLE, max_size=30))
def test_tokens_before_a_place_are_those_of_the_text_before_it(
    bytes_only: SharedVocabulary, before: str, after: str
) -> None:
    ids = bytes_only.token_ids(before + after)
    assert bytes_only.text(ids) == before + after
    found = bytes_only.tokens_before(ids, characters=len(before))
    assert ids[:found] == bytes_only.token_ids(before)


def test_special_tokens_are_shown_and_take_no_characters(bytes_only: SharedVocabulary) -> None:
    ids = (*bytes_only.token_ids("ab"), 256, *bytes_only.token_ids("c"))
    assert bytes_only.text(ids) in {"ab<|endoftext|>c", "ab<|im_start|>c", "ab<|im_end|>c"}
    assert bytes_only.tokens_before(ids, characters=3) == 4
    assert bytes_only.tokens_before(ids, characters=2) == 2
