"""What a run is, and where its records came from."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from emdiag.core.asking import Asking
from emdiag.core.checkpoints import AdapterRef
from emdiag.core.reasoning import Reasoning
from emdiag.core.records import Record
from emdiag.core.sampling import SamplingParams

EngineName = Literal["transformers", "vllm", "server", "scripted"]
"""Names of emdiag's own engines; `auto` is resolved to one of them before anything is loaded."""


ServerApi = Literal["tokens", "text", "chat"]
"""How a server is given prompts: as token ids, as text that it encodes, or as messages that it puts
into its own chat template."""


class EngineSpec(Record, frozen=True, kw_only=True):
    """The part of an engine's settings that can change a sample.

    Attributes:
        name: One of `EngineName`; or `package.module:name@DIGITS` for an engine of the user's own,
            with the first digits of its source's checksum.
        server, api: What kind of program serves the model, and how it is given prompts; unset for
            the other engines.
    """

    name: str
    dtype: str
    trust_remote_code: bool = False
    server: str | UnsetType = UNSET
    api: ServerApi | UnsetType = UNSET


class RunSpec(Record, frozen=True, kw_only=True):
    """Everything that could change a sample, and nothing else.

    How many problems and samples are asked for is not part of it. `prompts_sha256` is of ids and
    token ids of all prompts of the benchmark, in order.

    Attributes:
        asking: What was asked beside the template; unset where nothing was, so that runs drawn
            before it existed keep their keys.
        reasoning: How thinking is marked; unset likewise where nothing marks it.
    """

    benchmark: str
    template: str
    chat: bool
    prompts_sha256: str
    checkpoint_digest: str
    tokenizer_digest: str
    sampling: SamplingParams
    engine: EngineSpec
    asking: Asking | UnsetType = UNSET
    reasoning: Reasoning | UnsetType = UNSET

    @property
    def wording(self) -> Asking:
        """What was asked beside the template, empty where nothing was."""
        return self.asking or Asking()


class EngineInfo(Record, frozen=True, kw_only=True):
    """What an engine says about itself once it is open.

    Attributes:
        settings: Effective values that change speed or memory but not what is asked.
        deterministic: Whether equal requests give equal samples whatever shares their batch.
    """

    name: str
    versions: dict[str, str]
    device: str
    dtype: str
    settings: dict[str, str]
    deterministic: bool


class ProblemsFile(Record, frozen=True, kw_only=True):
    """A user's own benchmark, as a session read it.

    Attributes:
        path: As the user gave it: of a file of problems, or of a folder with a card.
        sha256: Of the content of the problems' file; None in runs of 0.1.0, which did not keep it.
    """

    path: str
    sha256: str | None


class Provenance(Record, frozen=True, kw_only=True):
    """Who drew the samples of one session, with what, and when.

    Attributes:
        started, finished: UTC, ISO 8601; `finished` is None while the session runs.
        sampling_s: Seconds spent sampling, without loading.
        problems_file: Of a user's own benchmark; None for one with a card.
        adapter: Of the checkpoint, if it has one.
    """

    label: str
    ref: str
    revision: str | None
    emdiag_version: str
    emdiag_commit: str | None
    versions: dict[str, str]
    device: str
    dtype: str
    threads: int
    command: tuple[str, ...]
    settings: dict[str, str]
    started: str
    finished: str | None = None
    samples: int = 0
    tokens: int = 0
    sampling_s: float = 0.0
    problems_file: ProblemsFile | None = None
    adapter: AdapterRef | UnsetType = UNSET


class GradingSpec(Record, frozen=True, kw_only=True):
    """Everything that could change a grade, beside the completion itself.

    Attributes:
        golds_sha256: Of ids and golds of all problems of the benchmark, in order.
    """

    grader: str
    versions: dict[str, str]
    golds_sha256: str


class ReferenceSpec(Record, frozen=True, kw_only=True):
    """Texts that no checkpoint drew, such as a benchmark's written solutions.

    Attributes:
        texts_sha256: Of ids and token ids of all prompts and texts, in order.
    """

    name: str
    benchmark: str
    tokenizer_digest: str
    texts_sha256: str


class EntropySpec(Record, frozen=True, kw_only=True):
    """Everything that could change an entropy, beside the run whose texts were read.

    Attributes:
        temperature: Divides the raw logits; above 0.
    """

    temperature: float
    dtype: str
    trust_remote_code: bool = False
    engine: str = "transformers"


class SampleEntropy(Record, frozen=True, kw_only=True):
    """How undecided a checkpoint was along one completion of its own.

    Attributes:
        tokens: Over which the mean is, the end token included.
        entropy_nats: Mean over them of the entropy of softmax(logits / temperature), the whole
            vocabulary, in nats.
    """

    problem_id: str
    sample_index: int
    tokens: int
    entropy_nats: float
