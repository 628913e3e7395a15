"""How an engine is set up: what changes speed or memory, and the number format."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, get_args

from emdiag.core.errors import PlanError
from emdiag.core.option_groups import A_DAY_S, MOST_PROCESSES
from emdiag.core.options import Option, described
from emdiag.core.records import Record
from emdiag.core.runs import EngineName, ServerApi
from emdiag.core.sampling import MOST_SAMPLES, MOST_TOKENS

ENGINE = "Engine"

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

ENGINE_NAMES: Final = ("auto", *get_args(EngineName))

_DTYPES: Final = {
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
    "fp32": "float32",
    "float": "float32",
}
"""Short forms of the field, also behind `torch.`."""

_DEVICE: Final = re.compile(r"auto|cpu|(?:cuda|mps|xpu)(?::\d{1,3})?")

SERVER_OPTIONS: Final = ("base_url", "model", "server_api", "patience_s", "request_timeout_s")
"""Those that nothing but a server has."""

ApiChoice = Literal["auto", ServerApi]

PaddingSide = Literal["left", "right"]
"""Where rows of different lengths are filled up."""


def parse_dtype(value: object) -> object:
    """A number format by its name, a short form of it, or as torch has it."""
    name = str(value).strip().lower().removeprefix("torch.")  # torch.bfloat16 itself is said so
    if name not in (*get_args(DtypeName), *_DTYPES):
        raise PlanError(
            f"there is no number format {value!r}",
            expected=described(DtypeName),
            hint=f"short forms: {', '.join(_DTYPES)}",
        )
    return _DTYPES.get(name, name)


def parse_device(value: object) -> object:
    """A device of torch that models run on."""
    if isinstance(value, str) and not _DEVICE.fullmatch(value):
        raise PlanError(
            f"the device is {value!r}", expected="auto, cpu, cuda, cuda:1, mps or xpu", found=value
        )
    return value


def parse_engine(value: object) -> object:
    """The name of an engine of emdiag, or where one of the user's own is."""
    if isinstance(value, str) and value not in ENGINE_NAMES and ":" not in value:
        raise PlanError(
            f"there is no engine {value!r}",
            hint=f"one of {', '.join(ENGINE_NAMES)}, or package.module:name for one of your own",
        )
    return value


class EngineOptions(Record, frozen=True, kw_only=True):
    """Set-up of an engine; None leaves the choice to the engine, which states what it chose.

    Attributes:
        engine: `auto` is resolved for each checkpoint.
        dtype: Number format of weights and activations. `auto`: transformers takes bfloat16 on
            CUDA and float32 elsewhere, vLLM takes bfloat16.
        device: `auto`, or a torch device such as `cpu`, `cuda` or `cuda:1`. `auto` takes CUDA
            where there is a device. vLLM uses what it was built for.
        batch_size: Samples drawn side by side at most. None: transformers 16 on a CPU and 64 on
            another device, vLLM its own default, a server 256 requests where it is vLLM or SGLang
            and 32 where it is another. Halved where memory runs out.
        gpu_memory_utilization: In (0, 1].
        max_model_len: Of prompt plus completion, in tokens.
        base_url: Of a server; without a path, `/v1` is added.
        model: Its name there; None is the checkpoint's, or the only one that is served.
        server_api: `auto` takes token ids where the server reads them as they are, else text; a
            `served:NAME` is asked in messages or in text, as its prompts are.
        patience_s: Without any answer, before a command gives up.
        request_timeout_s: Of one request, from its first byte to the last of its answer.
        threads: CPU threads of torch; None is one for a model of under 20 million parameters, and
            torch's own choice otherwise.
    """

    panel: ClassVar[str] = ENGINE

    engine: Annotated[
        str,
        Option(
            "auto, transformers, vllm, server, scripted or package.module:name.", read=parse_engine
        ),
    ] = "auto"
    dtype: Annotated[DtypeName, Option("auto, float32, bfloat16 or float16.", read=parse_dtype)] = (
        "auto"
    )
    device: Annotated[str, Option("auto, cpu, cuda, cuda:1, ...", read=parse_device)] = "auto"
    batch_size: Annotated[
        int | None,
        Option(
            "Samples drawn side by side.",
            flags=("--batch-size", "--concurrency"),
            at_least=1,
            at_most=MOST_SAMPLES,
        ),
    ] = None
    tensor_parallel_size: Annotated[
        int, Option("Devices for one model (vllm).", at_least=1, at_most=MOST_PROCESSES)
    ] = 1
    gpu_memory_utilization: Annotated[
        float, Option("Share of the device's memory (vllm).", at_least=0.01, at_most=1)
    ] = 0.9
    max_model_len: Annotated[
        int | None,
        Option("Longest sequence (vllm); derived by default.", at_least=1, at_most=MOST_TOKENS),
    ] = None
    trust_remote_code: Annotated[
        bool,
        Option("Let code shipped with the checkpoint run.", flags=("--trust-remote-code",)),
    ] = False
    threads: Annotated[
        int | None, Option("CPU threads of torch.", at_least=1, at_most=MOST_PROCESSES)
    ] = None
    base_url: Annotated[
        str | None, Option("Of a server with an OpenAI API, such as http://host:8000/v1 (server).")
    ] = None
    model: Annotated[str | None, Option("Its name at the server (server).")] = None
    server_api: Annotated[
        ApiChoice, Option("How prompts are sent: auto, tokens, text or chat (server).")
    ] = "auto"
    patience_s: Annotated[
        float,
        Option(
            "Seconds without any answer before giving up (server).",
            flags=("--patience",),
            at_least=0,
            at_most=A_DAY_S,
        ),
    ] = 600.0
    request_timeout_s: Annotated[
        float,
        Option(
            "Seconds one request may take (server).",
            flags=("--request-timeout",),
            at_least=1,
            at_most=A_DAY_S,
        ),
    ] = 3600.0
