"""Options of each plan, for type checkers and editors; written by `.ci/keywords.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict


class AskingKeywords(TypedDict, total=False):
    """How prompts are asked, beside their template."""

    chat_options: Mapping[str, object] | str | Sequence[str]
    system: str | None
    prefix: str | None


class TargetsKeywords(TypedDict, total=False):
    """Which problems are asked, and how they are put."""

    limit: int | None
    template: str | None
    chat: bool | None
    reasoning: str


class SamplingKeywords(TypedDict, total=False):
    """How completions are drawn."""

    samples: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    max_tokens: int | None
    stop: str | Sequence[str]
    seed: int


class EngineKeywords(TypedDict, total=False):
    """Set-up of an engine; None leaves the choice to the engine, which states what it chose."""

    engine: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    device: str
    batch_size: int | None
    tensor_parallel_size: int
    gpu_memory_utilization: float
    max_model_len: int | None
    trust_remote_code: bool
    threads: int | None
    base_url: str | None
    model: str | None
    server_api: Literal["auto", "tokens", "text", "chat"]
    patience_s: float
    request_timeout_s: float


class GradingKeywords(TypedDict, total=False):
    """How answers are judged."""

    grader: str
    grader_workers: int | None
    deadline_s: float


class EvaluateKeywords(
    TargetsKeywords, AskingKeywords, SamplingKeywords, EngineKeywords, GradingKeywords, total=False
):
    """Options of `emdiag eval`."""

    steps: str | Sequence[str]


class TemperatureSweepKeywords(
    TargetsKeywords, AskingKeywords, EngineKeywords, GradingKeywords, total=False
):
    """Options of `emdiag temp-sweep`."""

    temperatures: str | Sequence[float] | None
    sweep: Mapping[str, Sequence[float]] | Sequence[str]
    seeds: Literal["registered", "all"]
    base: str | None
    control: bool
    control_at: str | Sequence[float] | None
    entropy: bool
    samples: int
    min_p: float
    repetition_penalty: float
    max_tokens: int | None
    stop: str | Sequence[str]
    seed: int


class LogitSkewKeywords(
    TargetsKeywords, AskingKeywords, SamplingKeywords, EngineKeywords, GradingKeywords, total=False
):
    """Options of `emdiag logits-skew`."""

    base: str | None
    seeds: Literal["registered", "all"]
    continuation: Literal["shared", "own", "both"]
    texts: str | Sequence[str] | None
    reference: str
    from_runs: str | Sequence[str]
    entropy_temperatures: str | Sequence[float]
    published: bool
    undo: (
        str
        | Sequence[
            Literal[
                "own-text", "cut-to-shortest", "top-k", "zeros-dropped", "temperature", "pooled"
            ]
        ]
    )


class SelectKeywords(
    TargetsKeywords, AskingKeywords, SamplingKeywords, EngineKeywords, GradingKeywords, total=False
):
    """Options of `emdiag select`."""

    by: (
        Literal["outcome-variance", "answer-entropy", "agreement", "token-entropy", "majority"]
        | None
    )
    token_entropy: bool
    out: str | None


class SeedScoresKeywords(
    TargetsKeywords, AskingKeywords, SamplingKeywords, EngineKeywords, GradingKeywords, total=False
):
    """Options of `emdiag train score`."""

    base: str | None
    updates: Literal["last", "all"]


class DoctorKeywords(AskingKeywords, EngineKeywords, total=False):
    """Options of `emdiag doctor`."""

    benchmark: str | None
    template: str | None
    chat: bool | None
    reasoning: str


class EMKeywords(AskingKeywords, total=False):
    """Options of `emdiag train em`."""

    problems: str | Sequence[str]
    prompt_file: str | None
    prompts: int | None
    recipe: str
    updates: int
    samples: int
    temperature: float
    loss_temperature: float | None
    learning_rate: float
    max_tokens: int | None
    weight_decay: float
    gradient_clip: float
    objective: Literal["entropy", "entropy-maximised", "random-direction"]
    top_p: float
    top_k: int
    repetition_penalty: float
    template: str | None
    chat: bool | None
    step: Literal["update", "micro-batch"]
    processes: int
    mask: Literal["producers", "positions"]
    prompt_end: Literal["row", "absolute"]
    pad_by_id: bool
    train_mode: bool
    token_mean: Literal["update", "micro-batch"]
    loss_dtype: Literal["float32", "weights"]
    set: str | Sequence[str]
    grid: str | Sequence[str]
    seeds: str | Sequence[int]
    save_updates: str | Sequence[int]
    held_out: str | None
    held_out_problems: int
    state_every: int
    tracker: (
        Literal["tensorboard", "wandb", "mlflow", "comet_ml", "aim", "clearml", "swanlab"] | None
    )
    micro_batch: int | None
    gradient_checkpointing: bool
    padding: Literal["left", "right"]
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    device: str
    batch_size: int | None
    trust_remote_code: bool
    threads: int | None


class RLKeywords(AskingKeywords, total=False):
    """Options of `emdiag train rl`."""

    limit: int | None
    recipe: str
    reward: Literal["correct", "format", "random", "majority"]
    updates: int
    completions: int
    group_size: int
    temperature: float
    learning_rate: float
    max_tokens: int | None
    weight_decay: float
    gradient_clip: float
    beta: float
    loss_type: Literal["grpo", "dapo", "dr_grpo", "bnpo"]
    scale_rewards: Literal["group", "batch", "none"]
    epsilon: float
    epsilon_high: float | None
    mask_truncated: bool
    gradient_checkpointing: bool
    template: str | None
    chat: bool | None
    micro_batch: int | None
    set: str | Sequence[str]
    seeds: str | Sequence[int]
    save_updates: str | Sequence[int]
    held_out: int
    held_out_every: int
    state_every: int
    check_samples: int
    first_reward_check: bool
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    device: str
    trust_remote_code: bool
    grader_workers: int | None
    deadline_s: float
