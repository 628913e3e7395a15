"""The one record that decides the lab's weights: mixture, sloppiness, seed, size and schedule."""

from __future__ import annotations

from typing import Literal

import msgspec

from emdiag.core.records import Record


class LabRecipe(Record, frozen=True, kw_only=True):
    """Everything that pre-trains the lab checkpoint; equal recipes see equal text.

    Attributes:
        seed: Of the initial weights and of the text.
        steps_share: For each wording, the fraction of documents solved step by step; the rest
            answer with the bare box.
        sloppiness: Chance that a written step goes wrong; later steps build on its result.
        min_digits, max_digits: Shortest and longest chain; every length is equally likely.
        layers, heads, hidden, intermediate: Shape of the Qwen2 network.
        steps: Optimiser updates, each on `documents_per_step` documents.
        learning_rate: Peak; reached after `warmup_steps`, then a cosine down to 0.
        weight_decay: Of AdamW, on matrices only.
        gradient_clip: Largest norm of the gradient.
    """

    seed: int = 0
    steps_share: tuple[float, float, float, float] = (0.70, 0.58, 0.46, 0.34)
    sloppiness: float = 0.04
    min_digits: int = 4
    max_digits: int = 8
    layers: int = 4
    heads: int = 4
    hidden: int = 128
    intermediate: int = 256
    steps: int = 3000
    documents_per_step: int = 64
    learning_rate: float = 2e-3
    warmup_steps: int = 100
    weight_decay: float = 0.01
    gradient_clip: float = 1.0


class LabManifest(Record, frozen=True, kw_only=True):
    """`emdiag.json` of a lab checkpoint: what it is and how it was made.

    Attributes:
        stage, recipe, train_seed, update: What every checkpoint of emdiag says about itself.
        final_loss_nats: Mean loss per token over the last 100 updates.
        weights_sha256: Of `model.safetensors`.
        provenance: Versions, threads and times.
    """

    stage: Literal["base"] = "base"
    recipe: str
    train_seed: int
    update: int
    lab: LabRecipe
    final_loss_nats: float
    weights_sha256: str
    provenance: dict[str, str]


class LabBuild(Record, frozen=True, kw_only=True):
    """A finished build: where it lies and what its `emdiag.json` says."""

    path: str
    manifest: LabManifest


SHIPPED_RECIPE = LabRecipe()
"""What pre-trained `emdiag/lab/weights`."""


def recipe_name(recipe: LabRecipe) -> str:
    """`lab/1` for the shipped recipe under any seed, else that and what was changed."""
    shipped = msgspec.structs.asdict(SHIPPED_RECIPE)
    changed = [
        f"{field}={value}"
        for field, value in msgspec.structs.asdict(recipe).items()
        if field != "seed" and value != shipped[field]
    ]
    return " ".join(["lab/1", *(["with", *changed] if changed else [])])
