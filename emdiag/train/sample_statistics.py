"""What the samples of one update look like, and what the machine spent."""

from __future__ import annotations

import resource
import sys
from collections import Counter
from collections.abc import Sequence

import msgspec
import torch

from emdiag.core.sampling import Completion
from emdiag.core.training import UpdateRecord
from emdiag.grading.parse.extract import extract
from emdiag.measure.answers import REPEATED_ABOVE, repeated_share


def described(record: UpdateRecord, completions: Sequence[Completion]) -> UpdateRecord:
    """The record with what the samples of the update decide; at least one.

    Answers are compared as texts, prompt by prompt. The majority is of answers that were given:
    where most samples give none its share is small.
    """
    extractions = [extract(completion.text) for completion in completions]
    answers: dict[str, Counter[str]] = {}
    for completion, extraction in zip(completions, extractions, strict=True):
        if extraction.answer is not None:
            answers.setdefault(completion.problem_id, Counter())[extraction.answer] += 1
    count = len(completions)
    lengths = [len(completion.token_ids) for completion in completions]
    return msgspec.structs.replace(
        record,
        samples=count,
        mean_tokens=sum(lengths) / count,
        longest_tokens=max(lengths),
        truncated_frac=sum(c.finish_reason == "length" for c in completions) / count,
        repeated_frac=sum(repeated_share(c.text) > REPEATED_ABOVE for c in completions) / count,
        boxed_frac=sum(extraction.boxed for extraction in extractions) / count,
        majority_frac=sum(max(counts.values()) for counts in answers.values()) / count,
    )


def peak_memory_bytes(device: torch.device) -> int:
    """Highest use of memory so far: of a CUDA device, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
