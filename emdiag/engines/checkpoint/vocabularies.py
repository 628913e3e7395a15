"""Whether several checkpoints mean the same by a token id, and how many ids they share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint.tokenizers import decode, open_config, open_tokenizer

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedVocabulary:
    """What checkpoints that read the same token ids have in common.

    Attributes:
        tokenizer: Of the first checkpoint; where ids are known to it they mean the same to all.
        size: Logits that every checkpoint has at each position: its first so many.
        notes: What a reader of the figures should know.
    """

    tokenizer: PreTrainedTokenizerBase
    size: int
    notes: tuple[str, ...]

    def text(self, token_ids: Sequence[int]) -> str:
        """Text of token ids, special tokens written out."""
        return decode(self.tokenizer, token_ids, skip_special_tokens=False)

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that follows a prompt: no begin or end token is added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def tokens_before(self, token_ids: Sequence[int], *, characters: int) -> int:
        """How many of the first tokens are needed for so many characters of their text.

        A token on the border counts among them only if it brings the last of those characters.
        """
        low, high = 0, len(token_ids)
        while low < high:
            middle = (low + high) // 2
            known = decode(self.tokenizer, token_ids[:middle], skip_special_tokens=True)
            # A character whose bytes are not all there yet is decoded to a sign of its own.
            if len(known.rstrip("\ufffd")) < characters:
                low = middle + 1
            else:
                high = middle
        return low


def shared_vocabulary(
    checkpoints: Sequence[CheckpointRef], *, trust_remote_code: bool = False
) -> SharedVocabulary:
    """What the checkpoints share, if one token id means the same text to all of them.

    Heads are often padded to a round size, and not always to the same: then the ids that all have
    are counted, and a note says so.

    Raises:
        CheckpointError: A tokenizer or configuration cannot be opened, two tokenizers give an id
            to different texts, or a head is smaller than the vocabulary of its tokenizer.
    """
    first = checkpoints[0]
    sizes = {
        checkpoint.label: int(
            open_config(checkpoint.path, trust_remote_code=trust_remote_code)
            .get_text_config()
            .vocab_size
        )
        for checkpoint in checkpoints
    }
    size = min(sizes.values())
    tokenizer = open_tokenizer(
        first.tokenizer_path, base=first.path, trust_remote_code=trust_remote_code
    )
    known = _tokens(tokenizer)
    notes, digests = [], {first.tokenizer_digest}
    for other in checkpoints[1:]:
        if other.tokenizer_digest in digests:
            continue
        digests.add(other.tokenizer_digest)
        tokens = _tokens(
            open_tokenizer(
                other.tokenizer_path, base=other.path, trust_remote_code=trust_remote_code
            )
        )
        _refuse_other_meanings(first.label, known, other.label, tokens)
        if extra := tokens.keys() ^ known.keys():
            notes.append(
                f"{len(extra)} token ids are known to only one of the tokenizers of {first.label} "
                f"and {other.label}; all others mean the same"
            )
    highest = max(known)
    if highest >= size:
        raise CheckpointError(
            f"the smallest head has {size} logits, and the tokenizer of {first.label} knows token "
            f"{highest}",
            heads=", ".join(f"{label}: {count}" for label, count in sizes.items()),
            hint="compare checkpoints of one model family",
        )
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{label}: {count}" for label, count in sizes.items())
        notes.append(
            f"the heads differ in size ({listed}); all are read over their first {size} logits, "
            f"of which the tokenizer uses {highest + 1}"
        )
    return SharedVocabulary(tokenizer=tokenizer, size=size, notes=tuple(notes))


def check_same_tokens(shared: SharedVocabulary, writer: CheckpointRef) -> None:
    """Refuse a writer whose token ids mean something else to those who will read them.

    Raises:
        CheckpointError: As `shared_vocabulary`, or it knows tokens that the readers do not have.
    """
    known = _tokens(shared.tokenizer)
    written = _tokens(open_tokenizer(writer.tokenizer_path, base=writer.path))
    _refuse_other_meanings("the checkpoints", known, writer.label, written)
    if unknown := written.keys() - known.keys():
        raise CheckpointError(
            f"{writer.label} writes with {len(unknown)} tokens that the checkpoints do not know",
            examples=", ".join(repr(written[id_]) for id_ in sorted(unknown)[:_SHOWN]),
            hint="take a reference with the same tokenizer",
        )


def _tokens(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    return {number: token for token, number in tokenizer.get_vocab().items()}


def _refuse_other_meanings(
    first: str, known: dict[int, str], other: str, tokens: dict[int, str]
) -> None:
    differing = sorted(id_ for id_ in known.keys() & tokens.keys() if known[id_] != tokens[id_])
    if differing:
        shown = [f"{id_}: {known[id_]!r} and {tokens[id_]!r}" for id_ in differing[:_SHOWN]]
        raise CheckpointError(
            f"{len(differing)} token ids mean something else to {first} than to {other}, so the "
            "same token ids cannot be read by all",
            examples="; ".join(shown),
            hint="compare checkpoints with one tokenizer",
        )
