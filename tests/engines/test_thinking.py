"""Where thinking ends, on token ids and on text: a table of situations and their verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from emdiag.core.grades import Gold, Verdict
from emdiag.core.reasoning import HARMONY, THINK
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.reasoning import find_reasoning
from emdiag.engines.checkpoint.tokenizers import decode
from emdiag.engines.texts import completion_of
from emdiag.engines.thinking import divided, is_open
from emdiag.grading.answers import judged
from emdiag.grading.pool.pool import GraderPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from emdiag.core.sampling import Completion

END = "<|endoftext|>"


def byte_level(*markers: str, special: bool = False) -> PreTrainedTokenizerFast:
    """Tokens are bytes, and the markers one token each."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END)
    tokenizer.add_tokens([AddedToken(marker, special=special) for marker in markers])
    return tokenizer


def sentence_pieces(*markers: str, special: bool = False) -> PreTrainedTokenizerFast:
    """Words begin with a mark that stands for their blank; other characters are bytes."""
    pieces = ["<unk>", *(f"<0x{n:02X}>" for n in range(256)), "\u2581", "\u2581so", "\u2581the"]
    pieces += [chr(n) for n in range(33, 127)]
    backend = Tokenizer(
        models.BPE(
            vocab={piece: place for place, piece in enumerate(pieces)},
            merges=[],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    backend.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END, unk_token="<unk>")
    tokenizer.add_tokens([AddedToken(marker, special=special) for marker in markers])
    return tokenizer


TOKENIZERS: dict[str, Callable[..., PreTrainedTokenizerFast]] = {
    "bytes": byte_level, "pieces": sentence_pieces,
}  # fmt: skip


class Writer:
    """A checkpoint that writes what it is told, token by token."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, wanted: str = "auto") -> None:
        self.tokenizer = tokenizer
        self.reasoning = find_reasoning(tokenizer, wanted)

    def decode(self, ids: object) -> str:
        return decode(self.tokenizer, ids, skip_special_tokens=True)  # type: ignore[arg-type]

    def ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def writes(self, text: str, *, lead_in: str = "", stop: tuple[str, ...] = ()) -> Completion:
        """The completion with this text; it is cut off where it has no end token."""
        params = SamplingParams(
            temperature=1.0, max_tokens=999, stop=stop, stop_token_ids=self.ends()
        )
        ids = self.ids(text)
        request = _request(self.ids("?"))
        is_cut = not stop and ids[-1:] != self.ids(END)
        completion = completion_of(
            request, ids, "length" if is_cut else "stop", decode=self.decode, params=params
        )
        if self.reasoning is None:
            return completion
        return divided(completion, self.reasoning, lead_in=self.ids(lead_in), decode=self.decode)

    def ends(self) -> tuple[int, ...]:
        return self.ids(END)


def _request(ids: tuple[int, ...]) -> SampleRequest:
    return SampleRequest(problem_id="p", sample_index=0, token_ids=ids, seed=0)


@pytest.fixture(scope="module")
def grader() -> Iterator[GraderPool]:
    with GraderPool(workers=1, deadline_s=10.0) as pool:
        yield pool


FIVE, THREE = r"\boxed{5}", r"\boxed{3}"
THOUGHT = f"first {THREE}, then"
R1, OFF = "<think>\n", "<think>\n\n</think>\n\n"
FINAL, ANALYSIS = "<|channel|>final<|message|>", "<|channel|>analysis<|message|>"
TURN = "<|end|><|start|>assistant"
COMMENTARY = "<|channel|>commentary<|message|>"
CALL = "<|channel|>commentary to=functions.sum json<|message|>{}<|call|>"

CORRECT, WRONG, NONE = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER


@dataclass(frozen=True)
class Case:
    """What is written behind a prompt with this end; an answer of None is thinking without end."""

    name: str
    text: str
    answer: str | None
    verdict: Verdict = NONE
    lead_in: str = ""


TAGS = [
    # the situations of the research on what tools do today; those of harmony are below
    Case("box after thinking", f"<think>{THOUGHT}</think>so {FIVE}", f"so {FIVE}", CORRECT),
    Case("cut off while thinking", f"<think>{THOUGHT} maybe, wait", None),
    Case("no box after thinking", f"<think>{THOUGHT}</think>I am sure of that.",
         "I am sure of that."),
    Case("announced after thinking", f"<think>{THOUGHT}</think>Final answer: 5", "Final answer: 5",
         CORRECT),
    Case("opened in the prompt", f"{THOUGHT}</think>**Final Answer** 5", "**Final Answer** 5",
         CORRECT, R1),
    Case("the task repeated while thinking", r"<think>I put \boxed{answer} in \boxed{}.", None),
    # more of them
    Case("opened in the prompt, cut off", THOUGHT, None, NONE, R1),
    Case("closed in the prompt", f"so {FIVE}", f"so {FIVE}", CORRECT, OFF),
    Case("closed in the prompt, cut off", "so the answer", "so the answer", NONE, OFF),
    Case("closed in the prompt, opened again", f"<think>{FIVE}", None, NONE, OFF),
    Case("no marker at all", f"so {FIVE}", f"so {FIVE}", CORRECT),
    Case("end without a start", f"{THREE}</think>{FIVE}", FIVE, CORRECT),
    Case("nested", f"<think>a<think>b</think>c</think>{FIVE}", FIVE, CORRECT),
    Case("nested, one end", f"<think>a<think>b</think>{FIVE}", FIVE, CORRECT),
    Case("opened again after the end", f"<think>a</think>{FIVE}<think>wait", None),
    Case("opened again and ended", f"<think>a</think>{THREE}<think>no</think>{FIVE}", FIVE,
         CORRECT),
    Case("several ends", f"<think>a</think>{THREE}</think>{FIVE}", FIVE, CORRECT),
    Case("nothing after the end", f"<think>{FIVE}</think>", ""),
    Case("nothing but the end", "</think>", "", NONE, R1),
    Case("box in thinking alone", f"<think>{FIVE}</think>I am sure of it.", "I am sure of it."),
    Case("draft right, answer wrong", f"<think>{FIVE}</think>{THREE}", THREE, WRONG),
    Case("answer before thinking", f"{FIVE}<think>is it?</think>I am sure of it.",
         "I am sure of it."),
    Case("prose before thinking, cut off", "Well.<think>hm", None),
    Case("ended by itself while thinking", f"<think>{FIVE}{END}", None),
    Case("ended by itself", f"<think>a</think>{FIVE}{END}", FIVE, CORRECT),
    Case("characters of several bytes",
         f"<think>\u00e9\u20ac\U0001f600</think>\u20ac: {FIVE}", f"\u20ac: {FIVE}", CORRECT),
    Case("the end as prose", f"<think>a</think>{FIVE} < / think >", f"{FIVE} < / think >",
         CORRECT),
    Case("empty", "", ""),
    Case("empty, opened in the prompt", "", None, NONE, R1),
]  # fmt: skip

CHANNELS = [
    Case("analysis, then final", f"{ANALYSIS}{THREE}{TURN}{FINAL}{FIVE}<|return|>", FIVE, CORRECT),
    Case("analysis alone", f"{ANALYSIS}{THREE}", None),
    Case("analysis, ended by itself", f"{ANALYSIS}{THREE}<|return|>", None),
    Case("cut off in the channel's name", f"{ANALYSIS}a{TURN}<|channel|>fin", None),
    Case("cut off behind the name", f"{ANALYSIS}a{TURN}<|channel|>final", None),
    Case("final begun and empty", f"{ANALYSIS}a{TURN}{FINAL}", ""),
    Case("final cut off", f"{ANALYSIS}a{TURN}{FINAL}so the", "so the"),
    Case("final alone", f"{FINAL}{FIVE}<|return|>", FIVE, CORRECT),
    Case("commentary", f"{ANALYSIS}a{TURN}{COMMENTARY}{THREE}", None),
    Case("commentary, then final", f"{COMMENTARY}{THREE}{TURN}{FINAL}{FIVE}", FIVE, CORRECT),
    Case("tool call", f"{ANALYSIS}a{TURN}{CALL}", None),
    Case("two finals", f"{FINAL}{THREE}{TURN}{FINAL}{FIVE}<|return|>", FIVE, CORRECT),
    Case("analysis again behind final", f"{FINAL}{FIVE}{TURN}{ANALYSIS}{THREE}", FIVE, CORRECT),
    Case("a turn of the user behind final",
         f"{FINAL}{FIVE}<|end|><|start|>user<|message|>4?{TURN}{FINAL}{THREE}", FIVE, CORRECT),
    Case("final with a format",
         f"<|channel|>final <|constrain|>json<|message|>{FIVE}<|return|>", FIVE, CORRECT),
    Case("no channel at all", f"so {FIVE}", f"so {FIVE}", CORRECT),
    Case("a message without a channel", f"<|message|>{FIVE}", None),
    Case("final named in prose", f"{ANALYSIS}I will say final {FIVE}", None),
    Case("characters of several bytes",
         f"{ANALYSIS}\u20ac\U0001f600{TURN}{FINAL}\u20ac {FIVE}", f"\u20ac {FIVE}", CORRECT),
    Case("final begun in the prompt", f"{FIVE}<|return|>", FIVE, CORRECT, TURN + FINAL),
    Case("analysis begun in the prompt", f"{FIVE}", None, NONE, TURN + ANALYSIS),
]  # fmt: skip


def of(cases: list[Case]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@pytest.mark.parametrize("special", [False, True], ids=["in the text", "left out of it"])
@pytest.mark.parametrize("kind", TOKENIZERS)
@of(TAGS)
def test_what_follows_the_last_end_is_the_answer(
    kind: str, special: object, case: Case, grader: GraderPool
) -> None:
    writer = Writer(TOKENIZERS[kind](*THINK, special=bool(special)))
    completion = writer.writes(case.text, lead_in=case.lead_in)
    assert completion.is_thinking == (case.answer is None)
    if case.answer is not None:
        assert completion.text.endswith(completion.answer_text)
        # a tokenizer that marks beginnings of words gives a first blank
        assert completion.answer_text.removeprefix(" ") == case.answer
    (judgement,) = judged(grader, [(Gold(answer="5"), completion)])
    assert judgement.verdict is case.verdict, judgement
    if judgement.why and judgement.why.span:
        first, end = judgement.why.span
        assert judgement.extracted
        assert first >= (completion.answer_start or 0)
        assert judgement.extracted[-1] in completion.text[first:end]


def test_counts_are_of_tokens() -> None:
    writer = Writer(byte_level(*THINK))
    assert writer.writes(f"<think>ab</think>xyz{END}").reasoning_tokens == 4
    assert writer.writes("ab</think>xyz", lead_in=R1).reasoning_tokens == 3
    assert writer.writes("xyz", lead_in=OFF).reasoning_tokens == 0
    assert writer.writes("<think>abc").reasoning_tokens == 4
    assert writer.writes("xyz").reasoning_tokens == 0


@pytest.mark.parametrize("special", [False, True])
def test_a_character_on_the_border_belongs_to_the_answer(special: object) -> None:
    writer = Writer(byte_level(*THINK, special=bool(special)))
    start, end = writer.reasoning.token_ids if writer.reasoning else (0, 0)
    by_byte = writer.ids("\u20ac")
    ids = (start, *writer.ids("a"), *by_byte[:1], end, *by_byte[1:], *writer.ids("b"))
    assert len(by_byte) == 3
    params = SamplingParams(temperature=1.0, max_tokens=99)
    completion = completion_of(_request((1,)), ids, "length", decode=writer.decode, params=params)
    assert writer.reasoning is not None
    completion = divided(completion, writer.reasoning, lead_in=(), decode=writer.decode)
    # bytes that a marker holds apart are no character; where the marker is left out they are one
    assert completion.answer_text == ("\u20acb" if special else "\ufffd\ufffdb")


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(
    ("text", "stop", "answer"),
    [
        (f"<think>a</think>{FIVE} END more", " END", f"{FIVE}"),
        (r"<think>a END", " END", None),
        (r"<think>a</think>", "</think>", ""),
    ],
)
def test_a_stop_string_cuts_the_answer(kind: str, text: str, stop: str, answer: str | None) -> None:
    completion = Writer(TOKENIZERS[kind](*THINK)).writes(text, stop=(stop,))
    assert completion.is_thinking == (answer is None)
    assert completion.answer_text.strip() == (answer or "")


def test_prose_that_looks_like_a_marker_is_prose_on_ids() -> None:
    """A base model may write `<think>` in pieces, where its vocabulary has one token for it."""
    writer = Writer(byte_level(*THINK))
    ids = tuple(number for letter in f"<think>{FIVE}" for number in writer.ids(letter))
    assert writer.reasoning is not None
    assert not set(writer.reasoning.token_ids) & set(ids)
    params = SamplingParams(temperature=1.0, max_tokens=99)
    completion = completion_of(_request((1,)), ids, "stop", decode=writer.decode, params=params)
    completion = divided(completion, writer.reasoning, lead_in=(), decode=writer.decode)
    assert (completion.answer_start, completion.reasoning_tokens) == (0, 0)
    assert completion.answer_text == completion.text


@pytest.mark.parametrize("kind", TOKENIZERS)
@of(TAGS)
def test_markers_that_are_text_are_found_in_text(kind: str, case: Case) -> None:
    writer = Writer(TOKENIZERS[kind](), "text:<think>,</think>")
    completion = writer.writes(case.text, lead_in=case.lead_in)
    assert completion.is_thinking == (case.answer is None)
    if case.answer is not None:
        assert completion.answer_text.removeprefix(" ") == case.answer
        before = writer.decode(completion.token_ids[: completion.reasoning_tokens or 0])
        assert len(before) == completion.answer_start


@pytest.mark.parametrize("kind", TOKENIZERS)
@of(CHANNELS)
def test_the_last_final_message_is_the_answer(kind: str, case: Case, grader: GraderPool) -> None:
    writer = Writer(TOKENIZERS[kind](*HARMONY, "<|constrain|>", special=True))
    assert writer.reasoning is not None
    assert writer.reasoning.style == "harmony"
    completion = writer.writes(case.text, lead_in=case.lead_in or TURN)
    assert completion.is_thinking == (case.answer is None)
    if case.answer is not None:
        assert completion.answer_text.strip() == case.answer
    (judgement,) = judged(grader, [(Gold(answer="5"), completion)])
    assert judgement.verdict is case.verdict, judgement


@pytest.mark.parametrize(
    ("lead_in", "opened"),
    [("", None), (R1, True), (OFF, False), ("<think>a</think><think>", True), ("\n", None)],
)
def test_a_prompt_may_begin_thinking_or_end_it(lead_in: str, opened: object) -> None:
    for writer in (Writer(byte_level(*THINK)), Writer(byte_level(), "text:<think>,</think>")):
        assert writer.reasoning is not None
        assert is_open(writer.ids(lead_in), writer.reasoning, decode=writer.decode) is opened


def test_an_engine_that_tells_answers_apart_is_believed() -> None:
    writer = Writer(byte_level(*THINK))
    assert writer.reasoning is not None
    given = msgspec.structs.replace(
        writer.writes("<think>a</think>b"), answer_start=2, reasoning_tokens=1
    )
    assert divided(given, writer.reasoning, lead_in=(), decode=writer.decode) == given
