"""What the recipe `released-code` minimises, on the lab and on the lab whose end token is its pad.

    python benchmarks/coverage/released_code.py [--problem chain/0012] [--quick]

The first update on one prompt, by plain code: entropies from full logits, the mean of micro-batch
means, the gradient by autograd. Prints the share of the loss that comes from distributions after
the end token, the mean entropy of those and of all others, and the gradient's norm.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoModelForCausalLM

from emdiag.core.asking import Asking
from emdiag.core.digest import derive_seed
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.engines.open import open_encoder
from emdiag.engines.options import EngineOptions
from emdiag.lab.end_is_pad import write_end_is_pad
from emdiag.resources import default_home, lab_weights
from emdiag.train.em.objectives import TrainRow, form_rows
from emdiag.train.em.recipes import RELEASED_CODE
from emdiag.train.prompts import Reading, find_problems

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class FirstUpdate:
    """The first update of the recipe; entropies in nats at the loss temperature."""

    share_after_end: float
    after_end: float | None
    elsewhere: float
    gradient_norm: float


def first_update(
    folder: Path, *, problem: str = "chain/0012", seed: int = 0, max_tokens: int = 64
) -> FirstUpdate:
    """The loss of the first update on one prompt, with the parts that it is made of."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    checkpoint = resolve_checkpoint(str(folder), label="lab")
    tokenizer = open_tokenizer(str(folder))
    options = EngineOptions()
    encoder = open_encoder("transformers", checkpoint, options=options)
    source = find_problems([problem], home=default_home())
    reading = Reading(
        checkpoint=checkpoint, encoder=encoder, template="chain", chat=False, asking=Asking()
    )
    (prompt,) = reading.prompts(source)
    requests = [
        SampleRequest(
            problem_id=problem,
            sample_index=index,
            token_ids=prompt.token_ids,
            seed=derive_seed(seed, "em", 1, problem, index),
        )
        for index in range(RELEASED_CODE.samples)
    ]
    params = SamplingParams(
        temperature=RELEASED_CODE.temperature,
        top_p=RELEASED_CODE.top_p,
        top_k=RELEASED_CODE.top_k,
        repetition_penalty=RELEASED_CODE.repetition_penalty,
        max_tokens=max_tokens,
        seed=seed,
        stop_token_ids=encoder.stop_token_ids(),
    )
    sampler = TransformersSampler(model, tokenizer, options=options)
    drawn = sampler.sample(requests, params=params)
    completions = sorted(drawn, key=lambda completion: completion.sample_index)
    rows = form_rows(
        completions,
        {problem: prompt.token_ids},
        recipe=RELEASED_CODE,
        pad_id=tokenizer.pad_token_id,
    )
    return _measured(model, rows, end=tokenizer.eos_token_id)


def _measured(model: torch.nn.Module, rows: Sequence[TrainRow], *, end: int) -> FirstUpdate:
    tokens: dict[int, int] = {}
    for row in rows:
        tokens[row.group] = tokens.get(row.group, 0) + len(row.positions)
    loss, of_end = torch.zeros(()), 0.0
    entropies: dict[bool, list[float]] = {True: [], False: []}
    model.train()
    for row in rows:
        ids = torch.tensor([row.token_ids])
        logits = model(input_ids=ids, attention_mask=torch.tensor([row.is_attended]).long()).logits[
            0, list(row.positions)
        ]
        log_p = torch.log_softmax(logits / RELEASED_CODE.effective_loss_temperature, dim=-1)
        values = -(log_p.exp() * log_p).sum(dim=-1)
        weight = 1 / (len(tokens) * tokens[row.group])
        loss = loss + weight * values.sum()
        for place, value in zip(row.positions, values.tolist(), strict=True):
            is_end = row.token_ids[place] == end
            entropies[is_end].append(value)
            of_end += weight * value if is_end else 0.0
    loss.backward()
    squares = sum(float(w.grad.square().sum()) for w in model.parameters() if w.grad is not None)
    mean = {is_end: sum(of) / len(of) if of else None for is_end, of in entropies.items()}
    return FirstUpdate(
        share_after_end=of_end / loss.item(),
        after_end=mean[True],
        elsewhere=mean[False] or 0.0,
        gradient_norm=squares**0.5,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed instead of five")
    parser.add_argument("--problem", default="chain/0012", help="of the benchmark chain")
    options = parser.parse_args()
    seeds = range(1 if options.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        variant = write_end_is_pad(Path(folder) / "lab")
        print("checkpoint    seed  loss after the end  entropy after it  elsewhere  gradient norm")
        for name, path in (("lab", lab_weights()), ("end is pad", variant)):
            for seed in seeds:
                found = first_update(path, problem=options.problem, seed=seed)
                after = "-" if found.after_end is None else f"{found.after_end:.3f}"
                print(
                    f"{name:12}  {seed:4}  {100 * found.share_after_end:16.1f} %  {after:>16}  "
                    f"{found.elsewhere:9.3f}  {found.gradient_norm:13.2f}"
                )


if __name__ == "__main__":
    main()
