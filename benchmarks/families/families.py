"""Random tiny models of many families: emdiag's sampler and reader beside transformers alone.

Each model is saved as a folder with the tokenizer of the lab's model, opened as any checkpoint is,
and drawn from greedily, prompts of several lengths side by side. Prints a table in Markdown.

    python benchmarks/families/families.py                 # all of them, some minutes
    python benchmarks/families/families.py llama mamba     # these
"""

from __future__ import annotations

import argparse
import logging
import shutil
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from configs import SMALL, Family, families
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from emdiag.core.errors import EmdiagError
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint, tokenizer_files
from emdiag.engines.checkpoint.tokenizers import open_tokenizer
from emdiag.engines.hf.load_check import check_model
from emdiag.engines.hf.logit_reader import ModelReader
from emdiag.engines.hf.model_loading import load_model
from emdiag.engines.hf.rotary import rotary_switch
from emdiag.engines.hf.sampler import TransformersSampler
from emdiag.engines.options import EngineOptions
from emdiag.resources import lab_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from emdiag.core.checkpoints import CheckpointRef
    from emdiag.engines.hf.load_check import LoadCheck

VOCAB = 98
LENGTHS = (5, 12, 12, 31, 40, 7)
NEW = 24
SEEDS = range(6)
DISTINCT = 5
"""Different tokens that a model has to draw, or its texts would agree for want of any variety."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was seen of a family.

    Attributes:
        equal: Prompts whose greedy tokens equal `generate` of each alone, in every batch size.
        distinct: Different tokens that `generate` drew over all prompts.
        gap: Largest difference of the reader's logits from an uncached pass alone, over `read`
            texts: those that no rotary switch lies in.
        half: What the load check finds in bfloat16.
    """

    refusal: str = ""
    check: LoadCheck | None = None
    equal: int = 0
    distinct: int = 0
    gap: float = 0.0
    read: int = 0
    half: str = ""
    load_s: float = 0.0
    check_s: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    known = families()
    names = parser.parse_args().names or list(known)
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}\n")
    print("| family | rows | greedy = generate | reader - pass | bfloat16 | load ms | check ms |")
    print("| --- | --- | ---: | ---: | --- | ---: | ---: |")
    for name in names:
        print(line(name, tried(known[name])), flush=True)


def tried(family: Family) -> Outcome:
    """A family from its configuration to its outcome, with the first seed that gives variety."""
    outcome = Outcome()
    for seed in SEEDS:
        with tempfile.TemporaryDirectory() as folder:
            outcome = _tried(build(family, Path(folder), seed=seed))
        if outcome.refusal or outcome.distinct >= DISTINCT:
            break
    return outcome


def build(family: Family, folder: Path, *, seed: int) -> CheckpointRef:
    """Write a random model of the family with the lab's tokenizer."""
    config = config_of(family)
    torch.manual_seed(seed)
    auto: Any = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    model = auto.from_config(config, dtype=torch.float32)
    model.save_pretrained(folder)
    for file in tokenizer_files(lab_weights()):
        shutil.copy(file, folder)
    return resolve_checkpoint(str(folder), label=family.type)


def config_of(family: Family) -> Any:
    """Its configuration; names that the family does not have are left out."""
    changes = {**(SMALL if family.plain else {}), **family.changes}
    kind: Any = CONFIG_MAPPING[family.type.removesuffix("-whole")]
    common = {"vocab_size": VOCAB, "initializer_range": 0.3, "init_std": 0.3}
    ends = {"eos_token_id": None, "bos_token_id": None, "pad_token_id": None}
    for given in ({**ends, **common, **changes}, {**common, **changes}):
        try:
            return kind(**_known(kind, given))
        except Exception as error:
            failure = error
    raise failure


def _known(kind: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What a configuration takes of these values, and the one of its text of the common ones."""
    known = {name: value for name, value in given.items() if _takes(kind, name)}
    parts = getattr(kind, "sub_configs", {})
    for name in parts.keys() & known.keys():
        common = {} if name == "vision_config" else given
        known[name] = _known(parts[name], {**common, **known[name]})
    return known


def _takes(kind: Any, name: str) -> bool:
    fields = getattr(kind, "__dataclass_fields__", {})
    names = {*fields, *kind.attribute_map}
    return name in names or name in {"is_decoder", "eos_token_id", "bos_token_id", "pad_token_id"}


def _tried(checkpoint: CheckpointRef) -> Outcome:
    options = EngineOptions(device="cpu", threads=1)
    began = time.perf_counter()
    try:
        model = load_model(checkpoint.path, dtype="float32", options=options)
    except EmdiagError as error:
        return Outcome(refusal=str(error.message))
    load_s = time.perf_counter() - began
    began = time.perf_counter()
    check = check_model(model)
    check_s = time.perf_counter() - began
    if check.refusal is not None:
        return Outcome(refusal=check.refusal, load_s=load_s, check_s=check_s)
    requests = _requests(model)
    use_cache = check.way != "uncached"  # where the library's own cache fails, without it
    expected = [alone(checkpoint, r.token_ids, use_cache=use_cache) for r in requests]
    equal = [True] * len(requests)
    for size in (1, 4, 16):
        sampler = TransformersSampler(
            model,
            open_tokenizer(checkpoint.path),
            options=EngineOptions(device="cpu", threads=1, batch_size=size),
            check=check,
        )
        params = SamplingParams(temperature=0.0, max_tokens=NEW)
        drawn = {c.sample_index: c.token_ids for c in sampler.sample(requests, params=params)}
        equal = [
            so_far and drawn[request.sample_index] == wanted
            for so_far, request, wanted in zip(equal, requests, expected, strict=True)
        ]
    switch = rotary_switch(model.config)
    texts = [
        (r.token_ids, tokens)
        for r, tokens in zip(requests, expected, strict=True)
        if switch is None
        or switch.side(len(r.token_ids), len(r.token_ids) + len(tokens) - 1) != "across"
    ]
    gap = reading_gap(model, check, texts)
    half = check_model(model.to(torch.bfloat16))
    return Outcome(
        check=check,
        equal=sum(equal),
        distinct=len({token for tokens in expected for token in tokens}),
        gap=gap,
        read=len(texts),
        half=half.refusal or half.way,
        load_s=load_s,
        check_s=check_s,
    )


def _requests(model: PreTrainedModel) -> list[SampleRequest]:
    numbers = torch.Generator().manual_seed(1)
    return [
        SampleRequest(
            problem_id="prompt",
            sample_index=index,
            token_ids=tuple(torch.randint(2, VOCAB, (length,), generator=numbers).tolist()),
            seed=index,
        )
        for index, length in enumerate(LENGTHS)
    ]


def alone(checkpoint: CheckpointRef, prompt: Sequence[int], *, use_cache: bool) -> tuple[int, ...]:
    """What `generate` of a model that was just loaded draws for one prompt alone."""
    loader: Any = AutoModelForCausalLM
    model = loader.from_pretrained(checkpoint.path, dtype=torch.float32).eval()
    model.generation_config = transformers.GenerationConfig()
    ids = torch.tensor([list(prompt)])
    found = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=NEW,
        pad_token_id=0,
        use_cache=use_cache,
    )
    return tuple(found[0, ids.shape[1] :].tolist())


def reading_gap(
    model: PreTrainedModel,
    check: LoadCheck,
    texts: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> float:
    """Largest difference of read logits from an uncached pass over each text alone."""
    gap = 0.0
    reader = ModelReader(model, check=check)
    for (prompt, completion), read in zip(texts, reader.read(texts), strict=True):
        with torch.no_grad():
            whole = model(input_ids=torch.tensor([prompt + completion]), use_cache=False).logits
        wanted = whole[0, len(prompt) - 1 : -1].float()
        gap = max(gap, float((read.logits(0, read.positions) - wanted).abs().max()))
    return gap


def line(name: str, outcome: Outcome) -> str:
    """One line of the table."""
    if outcome.refusal or outcome.check is None:
        return f"| {name} | refused: {outcome.refusal} | | | | | {1000 * outcome.check_s:.0f} |"
    way = outcome.check.way
    few = "" if outcome.distinct >= DISTINCT else f" ({outcome.distinct} tokens)"
    only = "" if outcome.read == len(LENGTHS) else f" ({outcome.read} texts)"
    return (
        f"| {name} | {way} | {outcome.equal} of {len(LENGTHS)}{few} | {outcome.gap:.1e}{only} "
        f"| {outcome.half} | {1000 * outcome.load_s:.0f} | {1000 * outcome.check_s:.0f} |"
    )


if __name__ == "__main__":
    main()
