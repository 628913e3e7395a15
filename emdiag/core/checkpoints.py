"""Which weights are measured."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from emdiag.core.records import Record

Stage = Literal["base", "em", "rl", "em_rl", "rl_em"]
"""How a checkpoint was made; `em_rl` is EM first, then RL."""


class AdapterRef(Record, frozen=True, kw_only=True):
    """A LoRA adapter, which is used with the weights of its base and not merged into them.

    Attributes:
        path: Its folder.
        base: Reference of the base: as typed before `+`, or as the adapter names it.
        rank: Of its largest matrices.
        digest: SHA-256 over its configuration and weights, without those of the base.
        has_tokenizer: Whether the tokenizer is that of its folder and not of the base.
    """

    path: str
    base: str
    rank: int
    digest: str
    has_tokenizer: bool = False


class CheckpointRef(Record, frozen=True, kw_only=True):
    """A checkpoint as the user named it and as it was found.

    Attributes:
        ref: What the user typed: hub id, `id@revision`, folder, `.gguf` file, `lab`,
            an adapter's folder, or `BASE+ADAPTER`.
        path: Of configuration and weights; of the base where there is an adapter.
        digest: SHA-256 over configuration and weights, those of an adapter too.
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
    adapter: AdapterRef | UnsetType = UNSET

    @property
    def file_facts(self) -> dict[str, str | int]:
        """What the files around the weights say of them, in words; what they do not say is left."""
        facts: dict[str, str | int | UnsetType] = {
            "trainer": self.trainer,
            "step": self.step,
            "quantised": self.quantization,
        }
        if self.adapter:
            at = "" if self.revision is None or "@" in self.adapter.base else f"@{self.revision}"
            facts |= {"adapter of rank": self.adapter.rank, "base": f"{self.adapter.base}{at}"}
        return {name: fact for name, fact in facts.items() if not isinstance(fact, UnsetType)}

    @property
    def folder(self) -> str:
        """Where what is said of these weights stands, such as `emdiag.json`."""
        return self.adapter.path if self.adapter else self.path

    @property
    def tokenizer_path(self) -> str:
        """Folder or file of the tokenizer."""
        return self.folder if self.adapter and self.adapter.has_tokenizer else self.path


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
