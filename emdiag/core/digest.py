"""Canonical JSON, run keys and derived seeds; the only place that makes seeds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from emdiag.core.codec import to_plain
from emdiag.core.sampling import Prompt


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys, no spaces and no nan: equal values give equal bytes."""
    plain = to_plain(value)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of a record or plain value, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def prompts_digest(prompts: Iterable[Prompt]) -> str:
    """SHA-256 over ids and token ids of prompts, in order; over texts where a server encodes."""
    return digest(
        [
            [prompt.problem_id, list(prompt.token_ids) or prompt.messages or prompt.text or []]
            for prompt in prompts
        ]
    )


def derive_seed(run_seed: int, *parts: str | int) -> int:
    """A seed in [0, 2**63) that depends on nothing but the run seed and `parts`.

    Samples use (problem id, sample index), so order, batch and interruption never matter.
    """
    text = canonical_json([run_seed, *parts])
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1
