"""What a training run is, what it writes down, and what its checkpoints say of themselves."""

from __future__ import annotations

from typing import Literal

import msgspec

from emdiag.core.checkpoints import Stage
from emdiag.core.records import Record, Result

Method = Literal["em", "rl"]
"""How a checkpoint was trained: entropy minimisation, or reinforcement learning."""


class UpdateRecord(Record, frozen=True, kw_only=True):
    """One optimiser update, or, as update 0, the start; None where something is not defined.

    Lengths and rates are of the samples this update learned from. Entropies are in nats per
    token. Held-out figures are of the weights *after* the update, all other ones of the weights
    before it.

    Attributes:
        loss: What was minimised, over the whole batch.
        loss_temperature: The temperature the loss divides logits by; a loss at 0.5 is no entropy
            of the model's own distribution.
        reward: Mean reward of the samples; None for methods without one.
        held_out_entropy_nats: Mean entropy at temperature 1 on held-out prompts, over texts that
            the starting checkpoint wrote: the same tokens at every update.
        answer_flips_frac: Share of held-out prompts whose greedy answer differs from the starting
            checkpoint's.
        gradient_norm: L2 norm over all weights, before clipping.
        step_norm: L2 norm of what this update changed.
        weight_distance: L2 norm of what all updates together changed.
        samples, tokens: Learned from in this update; tokens that carry weight in the loss.
        truncated_frac, repeated_frac: As in `TextRates`.
        boxed_frac: With a closed box around the answer.
        majority_frac: Share of all samples that give their prompt's most frequent answer; 0 where
            none gives an answer.
        sampling_s, update_s, measuring_s: Seconds for drawing, for the gradient and the step, and
            for the held-out figures.
        peak_memory_bytes: Highest use so far, of the device where it is CUDA, else of the process.
    """

    update: int
    method: Method
    loss: float | None = None
    loss_temperature: float | None = None
    reward: float | None = None
    held_out_entropy_nats: float | None = None
    answer_flips_frac: float | None = None
    gradient_norm: float | None = None
    step_norm: float | None = None
    weight_distance: float | None = None
    learning_rate: float | None = None
    samples: int = 0
    tokens: int = 0
    mean_tokens: float | None = None
    longest_tokens: int | None = None
    truncated_frac: float | None = None
    repeated_frac: float | None = None
    boxed_frac: float | None = None
    majority_frac: float | None = None
    sampling_s: float | None = None
    update_s: float | None = None
    measuring_s: float | None = None
    peak_memory_bytes: int | None = None


class TrainManifest(Record, frozen=True, kw_only=True):
    """`emdiag.json` of a trained checkpoint: what it is and how it was made.

    Attributes:
        stage, recipe, train_seed, update: What every checkpoint of emdiag says about itself.
        parent: What the user named as the start; `parent_digest` is of its weights.
        settings: The whole recipe, field by field.
        prompts_sha256: Of ids and token ids of the training prompts, in order.
        problem_ids: Of the training prompts, the first 100.
        provenance: Versions, device, command and times.
        files: SHA-256 of every other file of the checkpoint by its name, as it was written; none
            before version 0.2.
    """

    stage: Stage
    recipe: str
    train_seed: int
    update: int
    method: Method
    parent: str
    parent_digest: str
    parent_stage: Stage
    settings: dict[str, str | int | float | bool | None]
    prompts_sha256: str
    problem_ids: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: dict[str, str]
    files: dict[str, str] = msgspec.field(default_factory=dict)


class TrainFolder(Record, frozen=True, kw_only=True):
    """`training.json`: what an output folder of training holds.

    Attributes:
        key: SHA-256 of everything that shapes the weights; another command is refused.
        chosen: The checkpoint that other commands take, relative to the folder: the seed and the
            update registered before training. None for a grid, where none is.
        cells: Every folder of this one that trains on its own, relative; one by itself is `.`.
        saved_updates: Updates after which each cell keeps a checkpoint.
    """

    key: str
    method: Method
    chosen: str | None
    cells: tuple[str, ...]
    saved_updates: tuple[int, ...]


class TrainedCell(Record, frozen=True, kw_only=True):
    """One training run that is done.

    Attributes:
        name: Its folder below the plan's; `.` for the only one.
        start, first, last: Records of update 0, of the first update (None where a recipe makes
            none) and of the last.
    """

    name: str
    seed: int
    recipe: str
    checkpoint: str
    start: UpdateRecord
    first: UpdateRecord | None
    last: UpdateRecord
    notes: tuple[str, ...]


class TrainResult(Result, frozen=True, kw_only=True, tag="training"):
    """Everything a plan trained.

    Attributes:
        parent: The checkpoint that training started from, as the user named it.
        chosen: The checkpoint that other commands take for the folder; None for a grid.
    """

    out: str
    parent: str
    stage: Stage
    chosen: str | None
    cells: tuple[TrainedCell, ...]


def next_stage(parent: Stage | None, method: Method) -> Stage:
    """What training by `method` makes of a checkpoint; an unmarked parent counts as `base`.

    A third stage onward, the last two are named.
    """
    match parent, method:
        case ((None | "base" | "em"), "em"):
            return "em"
        case ((None | "base" | "rl"), "rl"):
            return "rl"
        case _, "em":
            return "rl_em"
        case _:
            return "em_rl"
