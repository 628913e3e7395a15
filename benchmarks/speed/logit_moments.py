"""emdiag's reading of logits beside the plain way and the bare forward pass, on the same texts.

    python benchmarks/speed/logit_moments.py
    python benchmarks/speed/logit_moments.py --model FOLDER
    python benchmarks/speed/logit_moments.py --random-vocab 152000
    python benchmarks/speed/logit_moments.py --random-vocab 152000 --hidden 896 --layers 24

emdiag: every text is read and reduced to its trace, with all statistics of every position, both
histograms and the moments; the pooled skewness comes from the traces. Plain: the logits of all
positions are kept, flattened in float32 and given to `scipy.stats.skew`, which finds the mean,
sigma and the skewness and nothing else. Bare: `model(input_ids).logits` for each text, dropped at
once. All three take the same model object, texts and threads; rounds alternate and medians are
shown. Bare and plain make the logits of the prompt as well, as a plain call does; emdiag leaves
them out. The two skewnesses must agree to 1e-6 (of 1, or of the value where it is larger), or the
run ends.

Texts are what the model itself writes at temperature 1, all of one length. A random model has the
shape of Qwen2, tied; unless told otherwise its network (hidden 256, 4 layers) is far smaller than
any that comes with a large vocabulary, so that its time is nearly all head and statistics. Its
probabilities are almost equal unless `--sharpness` multiplies its logits: `wide` is the share of
positions whose nucleus has over 100 tokens, which are sorted whole.

`pair` is a second checkpoint, the first one with logits times 1.25, read beside the hidden states
that the first one left, against two bare passes.

Memory: what a way adds to a process of its own that holds the model and has read one short text
(VmHWM over VmRSS, Linux only). glibc is told to give large blocks back at once, so that what is
seen is tensors and not its habits.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from logit_ways import (
    bare_pass,
    cooled_copy,
    emdiag_way,
    find_model,
    paired_way,
    peak_in_child,
    plain_way,
    write_texts,
)

from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.hf.logit_reader import ModelReader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transformers import PreTrainedModel

    from emdiag.core.protocols import Text

TOLERANCE = 1e-6
WAYS_WITH_PEAKS = ("emdiag", "plain")
OF_THE_MODEL = ("random_vocab", "hidden", "layers", "sharpness", "dtype", "threads")
PACKAGES = ("emdiag", "torch", "transformers", "numpy", "scipy")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="lab", help="hub id, folder, .gguf file or lab")
    parser.add_argument("--random-vocab", type=int, default=None, help="a random model instead")
    parser.add_argument("--hidden", type=int, default=256, help="of the random model")
    parser.add_argument("--layers", type=int, default=4, help="of the random model")
    parser.add_argument("--sharpness", type=float, default=1.0, help="of the random model's logits")
    parser.add_argument("--texts", type=int, default=2, help="at 1x")
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128, help="of each completion")
    parser.add_argument("--growth", type=int, nargs="+", default=[1, 2, 4, 8], help="of texts")
    parser.add_argument("--rounds", type=int, default=3, help="of the time, alternating")
    parser.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", action="store_true", help="print raw figures alone")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    path = None if args.random_vocab else resolve_checkpoint(args.model, label="speed").path
    case = {"path": path, **{name: getattr(args, name) for name in OF_THE_MODEL}}
    raw = {
        "benchmark": "logit_moments",
        "arguments": {name: str(value) for name, value in vars(args).items()},
        "machine": platform.platform(),
        "versions": {name: version(name) for name in PACKAGES},
        **compare(args, case),
    }
    if not args.json:
        show(raw)
    print(json.dumps(raw))


def compare(args: argparse.Namespace, case: dict[str, Any]) -> dict[str, Any]:
    """One row for each number of texts, and the pair."""
    model = find_model(case)
    reader = ModelReader(model, threads=args.threads)
    texts = write_texts(
        model,
        count=args.texts * max(args.growth),
        prompt_tokens=args.prompt_tokens,
        completion_tokens=args.tokens,
    )
    compare_time(model, reader, texts[:1], rounds=1)  # not counted
    rows = []
    for growth in args.growth:
        part = texts[: args.texts * growth]
        row = compare_time(model, reader, part, rounds=args.rounds)
        if args.memory:
            row["memory"] = {way: peak_in_child(way, part, case=case) for way in WAYS_WITH_PEAKS}
        rows.append(row)
        print(f"{row['tokens']:,} tokens: {row}", file=sys.stderr)
    return {
        "torch_threads": torch.get_num_threads(),
        "engine": reader.info.settings,
        "vocab_size": model.config.vocab_size,
        "parameters": model.num_parameters(),
        "rows": rows,
        "pair": time_pairs(model, reader, texts[: args.texts * args.growth[0]], args),
    }


def compare_time(
    model: PreTrainedModel, reader: ModelReader, texts: Sequence[Text], *, rounds: int
) -> dict[str, Any]:
    """Seconds of every round, and what both ways found.

    Raises:
        SystemExit: They found something else.
    """
    found: dict[str, Any] = {}

    def keep(name: str, value: Any) -> None:
        found[name] = value

    seconds = alternate(
        {
            "emdiag": lambda: keep("emdiag", emdiag_way(reader, texts)),
            "bare": lambda: bare_pass(model, texts),
            "plain": lambda: keep("plain", plain_way(model, texts)),
        },
        rounds,
    )
    ours, plain = found["emdiag"], found["plain"]
    gap = abs(ours.skewness - plain.skewness)
    if gap > TOLERANCE * max(1.0, abs(plain.skewness)):
        raise SystemExit(f"not the same skewness: {ours.skewness:.9g} and {plain.skewness:.9g}")
    return {
        "texts": len(texts),
        "tokens": sum(len(completion) for _, completion in texts),
        "seconds": seconds,
        "over_bare": ratio(seconds, "emdiag", "bare"),
        "plain_over_emdiag": ratio(seconds, "plain", "emdiag"),
        **{name: [getattr(w, name) for w in (ours, plain)] for name in ("mean", "sigma")},
        "skewness": [ours.skewness, plain.skewness],
        "relative_difference": gap / abs(plain.skewness),
        "wide_nuclei_frac": ours.wide_frac,
    }


def time_pairs(
    model: PreTrainedModel, reader: ModelReader, texts: Sequence[Text], args: argparse.Namespace
) -> dict[str, Any]:
    """Seconds of reading the second checkpoint of a pair, and of two bare passes."""
    other = cooled_copy(model)
    beside = ModelReader(other, threads=args.threads)
    seconds = alternate(
        {
            "pair": lambda: paired_way(reader, beside, texts),
            "bare": lambda: (bare_pass(model, texts), bare_pass(other, texts)),
        },
        args.rounds,
    )
    return {
        "texts": len(texts),
        "seconds": seconds,
        "over_two_bare": ratio(seconds, "pair", "bare"),
    }


def alternate(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way in each round; every round begins with another way."""
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            ways[name]()
            seconds[name].append(round(time.perf_counter() - start, 4))
    return seconds


def ratio(seconds: dict[str, list[float]], above: str, below: str) -> float:
    """Median over rounds of the ratio within a round."""
    pairs = zip(seconds[above], seconds[below], strict=True)
    return round(statistics.median(one / other for one, other in pairs), 3)


def show(raw: dict[str, Any]) -> None:
    print(f"{raw['vocab_size']:,} logits, {raw['parameters']:,} parameters, seconds are medians")
    print(
        "tokens   emdiag s  bare s  plain s  emdiag/bare  plain/emdiag  wide  "
        "skewness (emdiag, plain, difference)"
    )
    for row in raw["rows"]:
        times = {name: statistics.median(values) for name, values in row["seconds"].items()}
        print(
            f"{row['tokens']:6,} {times['emdiag']:10.2f} {times['bare']:7.2f} "
            f"{times['plain']:8.2f} {row['over_bare']:12.2f} {row['plain_over_emdiag']:13.2f} "
            f"{row['wide_nuclei_frac']:5.0%}  {row['skewness'][0]:.8f} {row['skewness'][1]:.8f} "
            f"{row['relative_difference']:.1e}"
        )
    print(f"pair over two bare passes, {raw['pair']['texts']} texts: ", end="")
    print(f"{raw['pair']['over_two_bare']:.2f}")
    if "memory" not in raw["rows"][0]:
        return
    print("tokens   MiB added: emdiag    plain  plain/emdiag")
    for row in raw["rows"]:
        ours, plain = (row["memory"][way]["rise"] for way in WAYS_WITH_PEAKS)
        print(f"{row['tokens']:6,} {ours:18.1f} {plain:8.1f} {plain / max(1.0, ours):13.1f}")


if __name__ == "__main__":
    main()
