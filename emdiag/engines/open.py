"""From a name to an engine; the one place that imports the leaves, each when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.errors import EngineMissingError, EngineRefusedError, PlanError
from emdiag.core.protocols import PromptEncoder, Sampler, Text
from emdiag.core.runs import EngineSpec
from emdiag.core.sampling import SampleRequest
from emdiag.engines.checkpoint.adapter_config import MERGE, read_config
from emdiag.engines.checkpoint.weight_files import stray_weights
from emdiag.engines.options import ENGINE_NAMES, EngineOptions
from emdiag.engines.outside import is_outside, open_outside, outside_name
from emdiag.engines.scripted import ByteEncoder
from emdiag.engines.server.references import MessageEncoder, is_served
from emdiag.engines.vllm.compat import check_vllm, importing_vllm, is_cpu_build
from emdiag.engines.vllm.environment import prepare_environment

if TYPE_CHECKING:
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder
    from emdiag.engines.hf.logit_reader import ModelReader
    from emdiag.engines.hf.sampler import TransformersSampler


def choose_engine(name: str, checkpoint: CheckpointRef, *, options: EngineOptions) -> str:
    """The engine that `name` means for a checkpoint; `auto` decides as follows.

    A `.json` table goes to `scripted`; a `.gguf` file to `transformers`; a folder to `vllm`
    where it can run (vLLM for CUDA with a CUDA device, or vLLM for the CPU, and the device option
    does not ask for another device), else to `transformers`; everything but tables to `server`
    where the address of one is given. `package.module:name` is an engine of the user's own, and its
    source is part of the name that comes back.

    Raises:
        PlanError: There is no such engine, it cannot be imported, or it cannot read this kind of
            checkpoint.
        EngineMissingError: vLLM is asked for by name and is not installed in a version that works,
            or what quantised weights need is not.
    """
    if is_outside(name):
        if checkpoint.adapter:
            raise EngineRefusedError(
                f"the engine {name} is given whole weights, and this is an adapter",
                adapter=checkpoint.adapter.path,
                hint=MERGE,
            )
        return outside_name(name)
    is_table = checkpoint.path.endswith(".json")
    if name not in ENGINE_NAMES:
        raise _unknown(name)
    if name == "auto" and options.base_url is not None and not is_table:
        return "server"
    if is_table != (name == "scripted") and not (is_table and name == "auto"):
        raise PlanError(
            f"the engine {name!r} cannot read this checkpoint",
            checkpoint=checkpoint.path,
            hint="the scripted engine reads .json tables and nothing else does",
        )
    if name == "auto":
        if is_table:
            return "scripted"
        is_lacking = checkpoint.path.lower().endswith(".gguf") or _is_dora(checkpoint)
        name = "vllm" if not is_lacking and vllm_can_run(options) else "transformers"
    elif name == "vllm":
        _check_vllm(checkpoint)
    if name == "transformers" and checkpoint.quantization:
        check_quantised(checkpoint, options=options)
    return name


def check_quantised(checkpoint: CheckpointRef, *, options: EngineOptions) -> None:
    """Refuse quantised weights that transformers cannot load here, before anything is drawn.

    Raises:
        EngineMissingError: A package or a device is missing.
        EngineRefusedError: transformers does not have the method.
    """
    from emdiag.engines.checkpoint.tokenizers import open_config
    from emdiag.engines.hf.quantised import packing_of

    config = open_config(checkpoint.path, trust_remote_code=options.trust_remote_code)
    packing_of(config, checkpoint.path)


def has_weights(checkpoint: CheckpointRef) -> bool:
    """Whether there are distributions to read; tables and served names have texts alone."""
    return not checkpoint.path.endswith(".json") and not is_served(checkpoint.ref)


def vllm_can_run(options: EngineOptions) -> bool:
    """Whether a vLLM that works is installed for a device that is there and the options allow."""
    try:
        check_vllm()
    except EngineMissingError:
        return False
    if is_cpu_build():
        return options.device in {"auto", "cpu"}
    import torch

    return torch.cuda.is_available() and options.device in {"auto", "cuda"}


def effective_dtype(name: str, *, options: EngineOptions) -> str:
    """The number format the engine will use, known before any weights are read.

    `auto` is bfloat16 under vLLM and, for transformers, on a CUDA device; float32 elsewhere. An
    engine of the user's own is told `auto`.
    """
    if name == "scripted":
        return "none"
    if name == "server" and options.dtype == "auto":
        return "unknown"
    if options.dtype != "auto" or is_outside(name):
        return options.dtype
    if name == "vllm":
        return "bfloat16"
    from emdiag.engines.hf.model_loading import auto_dtype, pick_device

    return auto_dtype(pick_device(options.device))


def engine_spec(name: str, *, options: EngineOptions) -> EngineSpec:
    """The part of the set-up that can change a sample, for the run key.

    That of a server is not whole before `served.describe_server`.
    """
    return EngineSpec(
        name=name,
        dtype=effective_dtype(name, options=options),
        trust_remote_code=options.trust_remote_code,
    )


def open_encoder(
    name: str,
    checkpoint: CheckpointRef,
    *,
    options: EngineOptions,
    reasoning: str = "auto",
    home: Path | None = None,
) -> PromptEncoder:
    """What turns filled templates into the token ids this checkpoint reads.

    Raises:
        CheckpointError: Tokenizer or configuration cannot be opened, or the markers of thinking
            that are wanted are no tokens.
        EngineError: A server that reads them cannot be reached.
    """
    if name == "server" and (is_served(checkpoint.ref) or options.server_api == "chat"):
        return MessageEncoder(reasoning)
    if not has_weights(checkpoint):
        return ByteEncoder(reasoning)
    from emdiag.engines.checkpoint.tokenizers import CheckpointEncoder

    encoder = CheckpointEncoder(
        checkpoint.path,
        tokenizer_path=checkpoint.tokenizer_path,
        trust_remote_code=options.trust_remote_code,
        reasoning=reasoning,
    )
    if name == "server":
        from emdiag.engines.server.probe import look

        limits = (encoder.max_context, look(checkpoint, options, home).max_context)
        encoder.max_context = min((limit for limit in limits if limit is not None), default=None)
    return encoder


def check_lengths(
    name: str,
    checkpoint: CheckpointRef,
    requests: Sequence[SampleRequest],
    *,
    max_tokens: int,
    options: EngineOptions,
) -> None:
    """Refuse requests of which the configuration alone says that they cannot be drawn.

    Raises:
        CheckpointError: The configuration cannot be opened.
        EngineError: Rotary factors would switch inside a text.
    """
    if name != "transformers" or checkpoint.path.lower().endswith(".gguf"):
        return
    from emdiag.engines.checkpoint.tokenizers import open_config
    from emdiag.engines.hf.rotary import refuse_crossing

    config = open_config(checkpoint.path, trust_remote_code=options.trust_remote_code)
    refuse_crossing(config, requests, max_tokens=max_tokens)


def shared_load(name: str, checkpoint: CheckpointRef) -> str:
    """What is equal for checkpoints that are drawn from with weights loaded once."""
    return checkpoint.path if name == "vllm" else checkpoint.digest


def open_sampler(
    name: str,
    checkpoint: CheckpointRef,
    *,
    options: EngineOptions,
    longest_tokens: int,
    home: Path | None = None,
    siblings: Sequence[CheckpointRef] = (),
) -> Sampler:
    """The engine that `choose_engine` named, with the weights loaded; close it after use.

    No prompt plus its `max_tokens` will be longer than `longest_tokens`. A home remembers what a
    look at the model found. With `siblings` of the same `shared_load` it is a `FamilySampler`.

    Raises:
        CheckpointError: The weights cannot be loaded.
        EngineError: The engine cannot be started.
        EngineMissingError: Its library or device is missing.
        EngineRefusedError: The model is not causal, or cannot be run.
    """
    match name:
        case "scripted":
            from emdiag.engines.scripted import ScriptedSampler, read_table

            return ScriptedSampler(read_table(checkpoint.path))
        case "transformers":
            from emdiag.engines.hf.sampler import load_sampler

            dtype = effective_dtype(name, options=options)
            return load_sampler(checkpoint, dtype=dtype, options=options, home=home)
        case "vllm":
            _check_vllm(checkpoint)
            prepare_environment()
            with importing_vllm():
                from emdiag.engines.vllm.sampler import VllmSampler

            dtype = effective_dtype(name, options=options)
            return VllmSampler(
                checkpoint,
                dtype=dtype,
                options=options,
                longest_tokens=longest_tokens,
                siblings=siblings,
            )
        case "server":
            from emdiag.engines.server.sampler import open_server

            return open_server(checkpoint, options=options, home=home)
        case _ if is_outside(name):
            return open_outside(name, checkpoint, options=options)
        case _:
            raise _unknown(name)


def open_reader(
    name: str, checkpoint: CheckpointRef, *, options: EngineOptions, home: Path | None = None
) -> ModelReader:
    """What reads logits along texts, with the checkpoint's weights loaded; close it after use.

    It is transformers, whichever engine wrote the texts: vLLM gives no whole logits. A home
    remembers what a look at the model found.

    Raises:
        CheckpointError: The weights cannot be loaded.
        EngineMissingError: The device is not there.
        EngineRefusedError: A scripted table has no logits, or the model is not causal.
    """
    if not has_weights(checkpoint):
        raise EngineRefusedError(
            f"the {name} engine has no logits to read",
            checkpoint=checkpoint.path,
            hint="take a checkpoint with weights",
        )
    from emdiag.engines.hf.adapters import load_checkpoint
    from emdiag.engines.hf.checked import examined
    from emdiag.engines.hf.logit_reader import ModelReader

    dtype = effective_dtype("transformers", options=options)
    model = load_checkpoint(checkpoint, dtype=dtype, options=options)
    check = examined(model, threads=options.threads, checkpoint=checkpoint, home=home)
    return ModelReader(model, threads=options.threads, check=check)


def open_sampler_and_reader(
    checkpoint: CheckpointRef,
    encoder: CheckpointEncoder,
    *,
    options: EngineOptions,
    home: Path | None = None,
) -> tuple[TransformersSampler, ModelReader]:
    """Both of transformers, on one load of the weights; the reader is closed first.

    Raises:
        EmdiagError: As `open_reader`.
    """
    from emdiag.engines.hf.adapters import load_checkpoint
    from emdiag.engines.hf.checked import examined
    from emdiag.engines.hf.logit_reader import ModelReader
    from emdiag.engines.hf.sampler import TransformersSampler

    dtype = effective_dtype("transformers", options=options)
    model = load_checkpoint(checkpoint, dtype=dtype, options=options)
    check = examined(model, threads=options.threads, checkpoint=checkpoint, home=home)
    sampler = TransformersSampler(model, encoder.tokenizer, options=options, check=check)
    return sampler, ModelReader(model, threads=options.threads, check=check)


def state_bytes(checkpoint: CheckpointRef, *, options: EngineOptions) -> int:
    """Bytes of one position's last hidden state, as a reader keeps it.

    Raises:
        CheckpointError: The configuration cannot be opened.
    """
    from emdiag.engines.checkpoint.tokenizers import open_config

    config = open_config(checkpoint.path, trust_remote_code=options.trust_remote_code)
    item = {"float32": 4}.get(effective_dtype("transformers", options=options), 2)
    return int(config.get_text_config().hidden_size) * item


def read_text_entropies(
    name: str,
    checkpoint: CheckpointRef,
    texts: Sequence[Text],
    *,
    options: EngineOptions,
) -> Iterator[list[float]]:
    """Entropy at T 1, in nats, of every distribution along texts that are already written.

    The weights are loaded for this and freed afterwards, by transformers whichever engine wrote
    the texts; one list for each text, one value for each completion token.

    Raises:
        CheckpointError: The weights cannot be loaded.
        EngineRefusedError: A scripted table has no distributions.
    """
    from emdiag.engines.hf.logit_reader import read_entropies

    reader = open_reader(name, checkpoint, options=options)
    try:
        yield from read_entropies(reader, texts)
    finally:
        reader.close()


def _unknown(name: str) -> PlanError:
    return PlanError(
        f"there is no engine {name!r}",
        hint=f"one of {', '.join(ENGINE_NAMES)}, or package.module:name for one of your own",
    )


def _check_vllm(checkpoint: CheckpointRef) -> None:
    check_vllm()
    if checkpoint.path.lower().endswith(".gguf"):
        raise EngineRefusedError(
            "the engine vllm reads safetensors folders, and this is a GGUF file",
            checkpoint=checkpoint.path,
            hint="run it with --engine transformers",
        )
    if _is_dora(checkpoint):
        raise EngineRefusedError(
            "vLLM does not have DoRA, which this adapter is",
            adapter=checkpoint.folder,
            hint=f"run it with --engine transformers, or {MERGE}",
        )
    if strays := stray_weights(Path(checkpoint.path)):
        raise EngineRefusedError(
            "vLLM would read other safetensors files of this folder than transformers does",
            files=", ".join(map(str, strays[:3])),
            hint="move them out of the folder, or run it with --engine transformers",
        )


def _is_dora(checkpoint: CheckpointRef) -> bool:
    return bool(checkpoint.adapter) and read_config(Path(checkpoint.folder)).use_dora
