"""Holds a model that learns: the gradient over micro-batches and devices, and the step."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import PreTrainedModel

from emdiag.core.digest import derive_seed
from emdiag.core.errors import PlanError, TrainingError
from emdiag.engines.hf.memory import give_back_freed
from emdiag.engines.hf.output_head import OutputHead, find_head, hidden_states
from emdiag.engines.hf.padding import pad_rows
from emdiag.engines.options import PaddingSide
from emdiag.train.em.devices import is_sharded
from emdiag.train.em.entropy_loss import LossTerms, weighted_loss, whole_loss
from emdiag.train.em.objectives import TokenWeights, TrainRow
from emdiag.train.em.optimizer import MasterAdamW, squared_distance
from emdiag.train.em.recipes import EMRecipe
from emdiag.train.em.scratch import ScratchTensors


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one update did: its loss over all devices, and L2 norms over all weights.

    The gradient's is before clipping, the step's of the change of the weights.
    """

    loss: float
    gradient_norm: float
    step_norm: float


class Learner:
    """A model whose weights change in place, its optimiser, and how micro-batches are formed.

    Rows of one forward pass (`micro_batch`) and the side on which they are filled up change memory
    and speed, not the gradient.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        recipe: EMRecipe,
        accelerator: Accelerator,
        micro_batch: int,
        padding: PaddingSide = "right",
        folder: Path | None = None,
    ) -> None:
        self.model = model
        self.head = find_head(model)
        self._recipe = recipe
        self._accelerator = accelerator
        self._micro_batch = micro_batch
        self._padding = padding
        if is_sharded(accelerator) and recipe.objective == "random-direction":
            raise PlanError(
                "a random direction needs whole weights, and here they are sharded",
                distributed=accelerator.distributed_type,
                hint="train this control on one device, or with replicas (DDP)",
            )
        learnt = [weight for weight in model.parameters() if weight.requires_grad]
        optimizer: torch.optim.Optimizer = MasterAdamW(
            learnt, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        if is_sharded(accelerator):  # they keep copies in float32 of their own
            optimizer = torch.optim.AdamW(
                learnt, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
            )
        self._loss = LossModule(model, self.head)
        if accelerator.num_processes == 1 and model.device.type == "cpu":
            self._loss.keep_apart()
        self.module, self._stepper = accelerator.prepare(self._loss, optimizer)
        self._optimizer = optimizer
        self._start = ScratchTensors(map(_local, self.weights), folder=folder)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the memory figures should know."""
        if self.head is not None:
            return ()
        name = type(self.model).__name__
        return (f"{name} has no plain linear head: memory grows with vocabulary x tokens",)

    @property
    def weights(self) -> list[Tensor]:
        """Everything that learns, in the order of the model."""
        return [weight for weight in self.module.parameters() if weight.requires_grad]

    @property
    def optimizer(self) -> MasterAdamW:
        """With its copies and moments, where this process holds all of them."""
        assert isinstance(self._optimizer, MasterAdamW)
        return self._optimizer

    def learn(
        self, rows: Sequence[TrainRow], token_weights: Sequence[TokenWeights], *, seed: int
    ) -> Step:
        """One optimiser update on the rows of all devices, of which this process takes its share.

        The seed is of the direction, where the recipe asks for a random one.

        Raises:
            TrainingError: Loss or gradient is not a number; the weights are as before.
        """
        self._stepper.zero_grad()
        give_back_freed(self.model.device)
        loss = self._accumulate(rows, token_weights)
        norm = self._accelerator.clip_grad_norm_(
            self.module.parameters(), self._recipe.gradient_clip or math.inf
        )
        gradient_norm = float(norm) if norm is not None else 0.0
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            raise TrainingError(
                f"the loss is {loss} and the gradient's norm {gradient_norm}: not numbers",
                rate=self._recipe.learning_rate,
                hint="the weights were left as they were; take a lower rate, or --dtype float32",
            )
        give_back_freed(self.model.device)  # activations, before the step takes its room
        moved = self._step(seed)
        self._stepper.zero_grad()
        return Step(loss=loss, gradient_norm=gradient_norm, step_norm=moved)

    def _step(self, seed: int) -> float:
        """Step; L2 norm of what it changed of the weights."""
        if not is_sharded(self._accelerator):
            if self._recipe.objective == "random-direction":
                generator = torch.Generator().manual_seed(derive_seed(seed, "direction"))
                self.optimizer.direction = generator
            self._stepper.step()
            return self.optimizer.step_norm
        before = [_local(weight).to("cpu", copy=True) for weight in self.weights]
        self._stepper.step()
        return self._distance(before)

    def distance(self) -> float:
        """L2 norm of what all updates so far changed."""
        return self._distance(self._start)

    def entropies(self, rows: Sequence[TrainRow]) -> list[list[float]]:
        """For each row, the entropies of its counted distributions at the loss temperature."""
        by_row: dict[int, list[float]] = {}
        for part in self._parts(rows, range(len(rows))):
            zero = torch.zeros(sum(len(rows[n].positions) for n in part))
            with torch.no_grad():
                _, values = self._forward([rows[n] for n in part], zero, zero)
            spread = values.tolist()
            for number in part:
                length = len(rows[number].positions)
                by_row[number], spread = spread[:length], spread[length:]
        return [by_row[number] for number in range(len(rows))]

    def _accumulate(self, rows: Sequence[TrainRow], token_weights: Sequence[TokenWeights]) -> float:
        """The gradient of all rows, summed into the weights; the loss over all devices."""
        world, rank = self._accelerator.num_processes, self._accelerator.process_index
        parts = list(self._parts(rows, range(rank, len(rows), world)))
        total = torch.zeros((), dtype=torch.float64)
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            with nullcontext() if is_last else self._accelerator.no_sync(self.module):
                loss, _ = self._forward(
                    [rows[n] for n in part],
                    torch.tensor([w for n in part for w in token_weights[n].entropy]),
                    torch.tensor([w for n in part for w in _log_prob(token_weights[n])]),
                )
                # Devices average their gradients, and the loss is a sum over all of them.
                self._accelerator.backward(loss * world)
            total += loss.detach().cpu().double()
        self._loss.join_gradients()
        whole = self._accelerator.reduce(total.to(self._accelerator.device), reduction="sum")
        return float(whole)

    def _parts(self, rows: Sequence[TrainRow], numbers: Sequence[int]) -> Iterator[list[int]]:
        """Numbers of rows for one forward pass each, rows of like length together."""
        order = sorted(numbers, key=lambda number: (-len(rows[number].token_ids), number))
        for start in range(0, len(order), self._micro_batch):
            yield order[start : start + self._micro_batch]

    def _forward(
        self, rows: Sequence[TrainRow], entropy_weights: Tensor, log_prob_weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        device = self._accelerator.device
        batch = pad_rows([row.token_ids for row in rows], side=self._padding)
        width = batch.token_ids.shape[1]
        starts = [width - len(r.token_ids) if self._padding == "left" else 0 for r in rows]
        is_attended = batch.is_token.clone()
        is_attended[batch.is_token] = torch.tensor([a for row in rows for a in row.is_attended])
        where = [
            (number, start + position)
            for number, (row, start) in enumerate(zip(rows, starts, strict=True))
            for position in row.positions
        ]
        terms = LossTerms(
            targets=torch.tensor([t for row in rows for t in row.targets]).long().to(device),
            entropy_weights=entropy_weights.float().to(device),
            log_prob_weights=log_prob_weights.float().to(device),
            temperature=self._recipe.effective_loss_temperature,
            dtype=self.model.dtype if self._recipe.loss_dtype == "weights" else torch.float32,
        )
        sums: tuple[Tensor, Tensor] = self.module(
            token_ids=batch.token_ids.to(device),
            is_attended=is_attended.long().to(device),
            positions=batch.positions.to(device),
            where=torch.tensor(where).long().reshape(-1, 2).to(device),
            terms=terms,
        )
        return sums

    def _distance(self, before: Iterable[Tensor]) -> float:
        pairs = zip(map(_local, self.weights), before, strict=True)
        total = sum(squared_distance(weight, old) for weight, old in pairs)
        if is_sharded(self._accelerator):
            square = torch.tensor(total, dtype=torch.float64, device=self._accelerator.device)
            total = float(self._accelerator.reduce(square, reduction="sum"))
        return math.sqrt(total)


class LossModule(nn.Module):
    """The model with its loss behind one `forward`, so that accelerate can wrap all of it."""

    def __init__(self, model: PreTrainedModel, head: OutputHead | None) -> None:
        super().__init__()
        self.model = model
        self._head = head
        # Models without learned or rotary positions take none.
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters
        self._kept: list[Tensor] | None = None

    def keep_apart(self) -> None:
        """Keep the head's gradient apart from that of a tied embedding until `join_gradients`.

        Autograd adds them in a third place of that size. That of the looked-up rows is sparse here.
        """
        if self._head is not None and _is_tied(self.model):
            embedding: Any = self.model.get_input_embeddings()
            embedding.sparse = True
            self._kept = []

    def join_gradients(self) -> None:
        """Add what was kept apart since the last call to the gradient of the embedding."""
        if self._kept:
            weight: Any = self.model.get_input_embeddings().weight
            weight.grad = self._kept.pop().add_(weight.grad)

    def forward(
        self,
        *,
        token_ids: Tensor,
        is_attended: Tensor,
        positions: Tensor,
        where: Tensor,
        terms: LossTerms,
    ) -> tuple[Tensor, Tensor]:
        """Loss and entropies of the counted positions.

        Args:
            token_ids: `[row, position]`.
            is_attended: Attention mask, `[row, position]`.
            positions: Position ids, `[row, position]`.
            where: Row and column of every counted position, `[counted, 2]`.
            terms: Of the counted positions, in the same order.
        """
        inputs: dict[str, Any] = {"input_ids": token_ids, "attention_mask": is_attended}
        if self._takes_positions:
            inputs["position_ids"] = positions
        rows, columns = where.unbind(dim=1)
        if self._head is None:
            logits = self.model(**inputs, use_cache=False).logits
            return whole_loss(logits[rows, columns], terms)
        hidden = hidden_states(self.model, **inputs)[rows, columns]
        layer: Any = self.model.get_output_embeddings()  # type: ignore[no-untyped-call] # no stub
        return weighted_loss(
            hidden,
            replace(self._head, weight=layer.weight, bias=layer.bias),
            terms,
            kept=self._kept,
        )


def _is_tied(model: PreTrainedModel) -> bool:
    """Whether the head's weight is the embedding."""
    embedding = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()  # type: ignore[no-untyped-call] # no stub
    return isinstance(embedding, nn.Embedding) and embedding.weight is head.weight


def _local(weight: Tensor) -> Tensor:
    """The part of a weight that this process holds."""
    held = weight.detach()
    return held.to_local() if hasattr(held, "to_local") else held


def _log_prob(weights: TokenWeights) -> Sequence[float]:
    return weights.log_prob if weights.log_prob is not None else (0.0,) * len(weights.entropy)
