"""The vLLM engine beside a bare `LLM.generate` on the same prompts, in the same load.

python benchmarks/speed/vllm_engine.py lab
python benchmarks/speed/vllm_engine.py MODEL --template boxed --problems FILE.jsonl --rounds 3
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine_work import arguments, figures, read_work, report, timed

from emdiag.engines.open import effective_dtype
from emdiag.engines.vllm.environment import prepare_environment

if TYPE_CHECKING:
    import vllm

    from emdiag.core.sampling import SampleRequest, SamplingParams


def main() -> None:
    args = arguments(__doc__.splitlines()[0], batch_size=None)
    checkpoint, requests, params, options = read_work(args, "vllm")
    longest = max(len(request.token_ids) for request in requests) + params.max_tokens
    prepare_environment()
    from emdiag.engines.vllm.sampler import VllmSampler

    dtype = effective_dtype("vllm", options=options)
    sampler = VllmSampler(checkpoint, dtype=dtype, options=options, longest_tokens=longest)
    try:
        llm = sampler._llm  # noqa: SLF001 - the same load is the point of the comparison
        timed(sampler.sample(requests[:8], params=params))
        bare(llm, requests[:8], params)
        rounds = []
        for number in range(args.rounds):
            # Prompts are cached by the first way that reads them; both start from nothing.
            ways = [
                ("emdiag vllm", lambda: timed(sampler.sample(requests, params=params))),
                ("bare LLM.generate", lambda: bare(llm, requests, params)),
            ]
            found = {}
            for name, way in ways if number % 2 == 0 else reversed(ways):
                llm.reset_prefix_cache()
                found[name] = way()
            rounds.append({name: found[name] for name, _ in ways})
        report(args, rounds, sampler.info.settings)
    finally:
        sampler.close()


def bare(llm: vllm.LLM, requests: list[SampleRequest], params: SamplingParams) -> dict[str, float]:
    import vllm

    start = time.perf_counter()
    prompts = [{"prompt_token_ids": list(request.token_ids)} for request in requests]
    said = [
        vllm.SamplingParams(
            temperature=params.temperature,
            max_tokens=params.max_tokens,
            seed=request.seed,
            stop_token_ids=list(params.stop_token_ids),
        )
        for request in requests
    ]
    found = llm.generate(prompts, said, use_tqdm=False)
    lengths = [len(output.outputs[0].token_ids) for output in found]
    return figures(lengths, time.perf_counter() - start)


if __name__ == "__main__":
    main()
