"""The transformers engine beside a plain `model.generate` loop in dataset order.

Same model object kind, number format, threads, batch size, sampling settings and end tokens; tokens
are counted up to the end token of each sample.

    python benchmarks/speed/transformers_engine.py lab
    python benchmarks/speed/transformers_engine.py MODEL --template boxed --problems FILE.jsonl
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from engine_work import arguments, figures, read_work, report, timed

from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.open import effective_dtype, open_sampler

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from emdiag.core.sampling import SampleRequest, SamplingParams


def main() -> None:
    args = arguments(__doc__.splitlines()[0], batch_size=16)
    checkpoint, requests, params, options = read_work(args, "transformers")
    longest = max(len(request.token_ids) for request in requests) + params.max_tokens
    sampler = open_sampler("transformers", checkpoint, options=options, longest_tokens=longest)
    dtype = effective_dtype("transformers", options=options)
    model = load_model(checkpoint.path, dtype=dtype, options=options)
    pad = open_tokenizer(checkpoint.path).pad_token_id or 0
    warm = requests[: args.batch_size]
    list(sampler.sample(warm[:2], params=params))
    plain_loop(model, warm[:2], params, batch_size=2, pad=pad)
    rounds = []
    for _ in range(args.rounds):
        ours = timed(sampler.sample(requests, params=params))
        plain = plain_loop(model, requests, params, batch_size=args.batch_size, pad=pad)
        rounds.append({"emdiag transformers": ours, "plain model.generate": plain})
    report(args, rounds, sampler.info.settings)


def plain_loop(
    model: PreTrainedModel,
    requests: list[SampleRequest],
    params: SamplingParams,
    *,
    batch_size: int,
    pad: int,
) -> dict[str, float]:
    torch.manual_seed(params.seed)
    start, lengths = time.perf_counter(), []
    for first in range(0, len(requests), batch_size):
        prompts = [request.token_ids for request in requests[first : first + batch_size]]
        width = max(map(len, prompts))
        ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        how = (
            {"do_sample": True, "temperature": params.temperature, "top_k": 0, "top_p": 1.0}
            if params.temperature > 0
            else {"do_sample": False}
        )
        with torch.inference_mode():
            found = model.generate(
                ids.to(model.device),
                attention_mask=mask.to(model.device),
                max_new_tokens=params.max_tokens,
                eos_token_id=list(params.stop_token_ids),
                pad_token_id=pad,
                **how,
            )
        for row in found[:, width:].tolist():
            ends = [n for n, token in enumerate(row) if token in params.stop_token_ids]
            lengths.append(ends[0] + 1 if ends else len(row))
    return figures(lengths, time.perf_counter() - start)


if __name__ == "__main__":
    main()
