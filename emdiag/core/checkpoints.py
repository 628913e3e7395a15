"""Which weights are measured."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from emdiag.core.records import Record

Stage = Literal["base", "em", "rl", "em_rl", "rl_em"]
"""How a checkpoint was made; `em_rl` is EM first, then RL."""


class CheckpointRef(Record, frozen=True, kw_only=True):
    """A checkpoint as the user named it and as it was found.

    Attributes:
        ref: What the user typed: hub id, `id@revision`, folder, `.gguf` file, or `lab`.
        digest: SHA-256 over configuration and weights.
        tokenizer_digest: SHA-256 over everything that turns text into token ids and back.
        stage, recipe, train_seed, update: From the folder's `emdiag.json`; None without one.
        trainer, step: Who left the weights and of which step they are, where folders tell.
        quantization: How the weights are packed, such as `gptq 4 bit`, by the configuration.
    """

    label: str
    ref: str
    path: str
    digest: str
    tokenizer_digest: str
    revision: str | None = None
    stage: Stage | None = None
    recipe: str | None = None
    train_seed: int | None = None
    update: int | None = None
    trainer: str | UnsetType = UNSET
    step: int | UnsetType = UNSET
    quantization: str | UnsetType = UNSET

    @property
    def file_facts(self) -> dict[str, str | int]:
        """What the files around the weights say of them, in words; what they do not say is left."""
        facts = {"trainer": self.trainer, "step": self.step, "quantised": self.quantization}
        return {name: fact for name, fact in facts.items() if not isinstance(fact, UnsetType)}


class Arm(Record, frozen=True, kw_only=True):
    """One label of a study: a checkpoint, or several that differ in their training seed.

    Attributes:
        checkpoints: What the user named, one for each seed.
        digests: Of their weights, in the same order.
    """

    label: str
    stage: Stage | None
    checkpoints: tuple[str, ...]
    digests: tuple[str, ...]
