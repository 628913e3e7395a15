"""One update by entropy minimisation, as emdiag makes it and as the released code makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from emdiag.core.sampling import Completion
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.open import effective_dtype
from emdiag.engines.options import EngineOptions
from emdiag.train.em.devices import open_accelerator
from emdiag.train.em.learner import Learner
from emdiag.train.em.objectives import Sampled, form_rows, weigh
from emdiag.train.em.recipes import EMRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from emdiag.core.sampling import SampleRequest

TEMPERATURE = 0.5
WARM_TOKENS = 4
"""New tokens of the round that is not counted."""

PLAIN_MICRO_BATCH = 2
"""Rows of one forward pass of the released code."""

CLIP = 1.0
RATE = 2e-5


class Emdiag:
    """The trainer's own parts, put together as `emdiag.train.em.loop` does."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        temperature: float,
        micro_batch: int,
        checkpointing: bool,
    ) -> None:
        self.model = model
        self._checkpointing = checkpointing
        self._recipe = EMRecipe(temperature=temperature, learning_rate=RATE, gradient_clip=CLIP)
        accelerator = open_accelerator(device=model.device.type, tracker=None, folder=Path())
        self._learner = Learner(
            model, recipe=self._recipe, accelerator=accelerator, micro_batch=micro_batch
        )
        self.optimizer: torch.optim.Optimizer = self._learner.optimizer

    def update(self, prompt: tuple[int, ...], drawn: Sequence[tuple[int, ...]]) -> float:
        """The loss before one optimiser update on what was drawn after a prompt."""
        completions = [
            Completion(
                problem_id="prompt",
                sample_index=index,
                text="",
                token_ids=tokens,
                prompt_tokens=len(prompt),
                finish_reason="length",
                seed=0,
            )
            for index, tokens in enumerate(drawn)
        ]
        rows = form_rows(completions, {"prompt": prompt}, recipe=self._recipe, pad_id=None)
        sampled = Sampled(completions=completions, rows=rows, entropy_of=list)
        weights = weigh(sampled, self._recipe)
        if self._checkpointing:
            self.model.train()
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        step = self._learner.learn(rows, weights, seed=0)
        self.model.eval()
        return step.loss


class Plain:
    """Two rows a forward pass, and the softmax of all positions at once."""

    def __init__(self, model: PreTrainedModel, *, temperature: float) -> None:
        self.model = model
        self._temperature = temperature
        self.model.train()
        self.model.gradient_checkpointing_enable({"use_reentrant": False})
        self.optimizer: torch.optim.Optimizer = torch.optim.AdamW(
            model.parameters(), lr=RATE, weight_decay=0.01
        )

    def sample(self, requests: Sequence[SampleRequest], *, new_tokens: int) -> int:
        """Tokens drawn: no cache, train mode, gradient checkpointing on; all rows side by side."""
        ids = torch.tensor([request.token_ids for request in requests], device=self.model.device)
        found = self.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            use_cache=False,
            do_sample=True,
            temperature=self._temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            eos_token_id=None,
            pad_token_id=0,
        )
        return int(found[:, ids.shape[1] :].numel())

    def update(self, prompt: tuple[int, ...], drawn: Sequence[tuple[int, ...]]) -> float:
        """The loss before one optimiser update on what was drawn after a prompt."""
        rows = torch.tensor([(*prompt, *tokens) for tokens in drawn], device=self.model.device)
        # The mask that the paper's formula means, so that both ways have the same loss.
        counted = torch.zeros_like(rows, dtype=torch.float32)
        counted[:, len(prompt) - 1 : -1] = 1
        parts = list(zip(*(t.split(PLAIN_MICRO_BATCH) for t in (rows, counted)), strict=True))
        self.optimizer.zero_grad()
        total = 0.0
        for ids, mask in parts:
            logits = self.model(
                input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False
            ).logits
            scaled = logits.float() / self._temperature
            p = torch.softmax(scaled, dim=-1)
            entropy = -(p * torch.log_softmax(scaled, dim=-1)).sum(dim=-1)
            loss = (entropy * mask).sum() / mask.sum() / len(parts)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return total


def read_model(path: str, dtype: str) -> PreTrainedModel:
    options = EngineOptions(dtype=dtype)
    named = effective_dtype("transformers", options=options)
    return load_model(path, dtype=named, options=options)
