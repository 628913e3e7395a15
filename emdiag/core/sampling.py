"""What an engine is asked and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import UNSET, UnsetType
from msgspec.structs import force_setattr

from emdiag.core.asking import Asking
from emdiag.core.records import Record

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.01, 100.0
"""Besides 0, which is greedy. Logits divided by less lose what float32 holds of their differences,
and at last overflow; vLLM draws at this value instead, with a warning, so that engines would differ
under one name. At more, all tokens are about equally likely.

Source: vLLM, `sampling_params.py`, `_MAX_TEMP`.
"""

LEAST_PENALTY, MOST_PENALTY = 0.01, 100.0
"""Of repetition: logits are divided by it, or multiplied."""

LEAST_TOP_P = 1e-6
"""Less than float32 tells from no mass at all; 0.01 keeps the likeliest token alone as well."""

MOST_TOKENS = 100_000_000
"""Of one completion, or of a context: more than any model holds."""

MOST_SAMPLES = 1_000_000
"""Of one problem, one update or one forward pass."""

FinishReason = Literal["stop", "length"]
"""`stop`: the model ended its answer (an end token or a stop string); `length`: it was cut off."""


class ChatTurn(Record, frozen=True, kw_only=True):
    """One turn of a chat that a server puts into its own template."""

    role: Literal["system", "user", "assistant"]
    content: str


class FilledPrompt(Record, frozen=True, kw_only=True):
    """A problem in a prompt template, before any checkpoint's tokenizer has seen it.

    Attributes:
        system: System message where the chat template is applied; None for none.
        user: User message where the chat template is applied.
        plain: The whole text where no chat template is applied, up to the prefix.
        examples: Questions and answers in front of `user` where the chat template is applied.
        statement: Of the problem, as it stands in `user` and `plain`.
    """

    problem_id: str
    system: str | None
    user: str
    plain: str
    template_sha256: str
    examples: tuple[tuple[str, str], ...] = ()
    asking: Asking = Asking()
    statement: str = ""

    @property
    def plain_text(self) -> str:
        """The whole text where no chat template is applied."""
        return self.plain + (self.asking.prefix or "")

    def behind(self, text: str, *, chat: bool) -> str:
        """What a prompt made of this holds behind the user's own text."""
        own = (self.user if chat else self.statement).strip()
        return text.rpartition(own)[2] if own else ""

    def read_as(self, text: str, token_ids: Iterable[int]) -> Prompt:
        """The prompt of a checkpoint that reads `text` as these tokens."""
        return Prompt(
            problem_id=self.problem_id,
            text=text,
            token_ids=tuple(token_ids),
            template_sha256=self.template_sha256,
        )


class Prompt(Record, frozen=True, kw_only=True):
    """A problem as one checkpoint reads it.

    Attributes:
        text: The whole text after template and chat markup.
        token_ids: What the engine receives; `text` is never encoded twice. Empty where only a
            server can encode it.
        lead_in: Tokens behind the user's own text, where thinking may begin; empty where nothing
            marks thinking.
        messages: What a server is given in place of text; empty for none.
    """

    problem_id: str
    text: str
    token_ids: tuple[int, ...]
    template_sha256: str
    lead_in: tuple[int, ...] = ()
    messages: tuple[ChatTurn, ...] = ()


class SamplingParams(Record, frozen=True, kw_only=True):
    """Every field that shapes a sample; engines pass each one explicitly.

    How many samples are drawn is not among them: asking for more leaves the others unchanged.

    Attributes:
        temperature: Divides the logits; 0 is greedy.
        min_p: Tokens are left out that are less likely than this share of the likeliest one's
            probability; unset where it is 0, so that runs drawn before it existed keep their keys.
        repetition_penalty: 1 is none; above 1 makes seen tokens less likely.
        seed: Of the run; every sample's own seed is derived from it.
        stop: Strings that end a completion; they are cut off its text.
        stop_token_ids: Tokens that end a completion, sorted; resolved per checkpoint.
    """

    temperature: float
    max_tokens: int
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    min_p: float | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.min_p == 0:
            force_setattr(self, "min_p", UNSET)


class SampleRequest(Record, frozen=True, kw_only=True):
    """One completion to draw.

    Attributes:
        prompt: Whose tokens these are, for an engine that encodes its text or messages itself.
    """

    problem_id: str
    sample_index: int
    token_ids: tuple[int, ...]
    seed: int
    prompt: Prompt | None = None


class Completion(Record, frozen=True, kw_only=True):
    """One sample, as drawn and stored.

    Attributes:
        text: The completion without special tokens; never the prompt.
        token_ids: As sampled, the end token included; empty where a server tells only how many.
        reasoning_tokens: Those before the answer; unset where nothing marks thinking.
        answer_start: Characters of `text` before the answer; None where thinking never ended.
        answer_end: Where the answer ends, if anything follows it.
        tokens: How many a server drew, where it does not tell which.
    """

    problem_id: str
    sample_index: int
    text: str
    token_ids: tuple[int, ...]
    prompt_tokens: int
    finish_reason: FinishReason
    seed: int
    reasoning_tokens: int | UnsetType = UNSET
    answer_start: int | UnsetType | None = UNSET
    answer_end: int | UnsetType = UNSET
    tokens: int | UnsetType = UNSET

    @property
    def is_marked(self) -> bool:
        """Whether the answer was told from the thinking."""
        return not isinstance(self.answer_start, UnsetType)

    @property
    def is_thinking(self) -> bool:
        """Whether thinking never ended, so that nothing is an answer."""
        return self.answer_start is None

    @property
    def answered_text(self) -> str:
        """The text up to the end of its answer, with its thinking."""
        return self.text[: None if isinstance(self.answer_end, UnsetType) else self.answer_end]

    @property
    def answer_text(self) -> str:
        """What may hold the answer: all of the text where nothing marks thinking."""
        return "" if self.is_thinking else self.answered_text[self.answer_start or 0 :]

    @property
    def length(self) -> int:
        """Tokens drawn, the end token included."""
        return len(self.token_ids) if isinstance(self.tokens, UnsetType) else self.tokens


class TokenScore(Record, frozen=True):
    """What an engine itself makes of a token that it drew, of its raw logits, in nats.

    Attributes:
        margin: Log-probability of the likeliest token minus that of the second one.
    """

    log_prob: float
    margin: float


TokenScores = dict[tuple[str, int], list[TokenScore]]
"""By problem id and sample index, one for each token."""
