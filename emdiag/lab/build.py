"""The recipe carried out: pre-trains the lab checkpoint and writes its folder.

Torch and transformers live here and nowhere else in the lab. The network is an ordinary Qwen2 with
heads of 32, which every engine runs, and its tokenizer is Qwen2's own kind: byte-level BPE, with
one token per printable ASCII character and no merges. (transformers picks the tokenizer class by
the model type; a word-level character tokenizer would lose its spaces without a word.)
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from math import cos, pi
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer

from emdiag.core.codec import encode
from emdiag.core.digest import derive_seed
from emdiag.core.errors import CheckpointError, system_errors_as
from emdiag.core.files import make_folder, replacing
from emdiag.core.protocols import Progress, ProgressStage
from emdiag.lab.chain import held_out_problems, training_documents
from emdiag.lab.recipe import LabBuild, LabManifest, LabRecipe, recipe_name
from emdiag.resources import version

END = "<|endoftext|>"
PAD = "<|pad|>"
CONTEXT = 1024
_CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
_IGNORED = -100  # the label that cross-entropy leaves out
_LAST_LOSSES = 100

_LOG = logging.getLogger(__name__)


def build_lab(out: Path, *, recipe: LabRecipe, progress: Progress) -> LabBuild:
    """Pre-train from nothing and write the checkpoint folder; it appears whole or not at all.

    Equal recipes give equal weights on one machine with one number of threads; elsewhere, equal
    scores within their intervals.

    Raises:
        CheckpointError: `out` holds something already, or the tokenizer loses characters.
    """
    started = datetime.now(UTC)
    _prepare(out)
    with replacing(out) as partial:
        tokenizer = lab_tokenizer()
        tokenizer.save_pretrained(partial)  # before it is used, or its padding would be stored
        check_tokenizer(partial)
        model = _new_model(recipe, tokenizer)
        with progress.stage("pre-training the lab", total=recipe.steps) as stage:
            loss = _pretrain(model, tokenizer, recipe=recipe, stage=stage)
        manifest = LabManifest(
            recipe=recipe_name(recipe),
            train_seed=recipe.seed,
            update=recipe.steps,
            lab=recipe,
            final_loss_nats=round(loss, 6),
            weights_sha256=_save_model(model, partial),
            provenance=_provenance(started),
        )
        (partial / "emdiag.json").write_bytes(encode(manifest) + b"\n")
    return LabBuild(path=str(out), manifest=manifest)


def lab_tokenizer() -> Qwen2Tokenizer:
    """One token per character: end and pad first, then the line break and printable ASCII."""
    [(letters, _)] = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(
        _CHARACTERS
    )
    tokens = (END, PAD, *letters)
    return Qwen2Tokenizer(
        vocab={token: position for position, token in enumerate(tokens)},
        merges=[],
        eos_token=END,
        pad_token=PAD,
        model_max_length=CONTEXT,
    )


def check_tokenizer(folder: Path) -> None:
    """Load the tokenizer as every engine will, and send all benchmark prompts through it.

    Raises:
        CheckpointError: A prompt does not come back as it went in.
    """
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    for problem in held_out_problems():
        text = f"{problem.statement}\n"
        ids = tokenizer.encode(text, add_special_tokens=False)
        if len(ids) != len(text) or tokenizer.decode(ids) != text:
            raise CheckpointError(
                "the tokenizer must give one token per character and lose none",
                folder=folder,
                expected=repr(text),
                found=repr(tokenizer.decode(ids)),
                hint="this version of transformers builds another tokenizer class; report it",
            )


def learning_rate(recipe: LabRecipe, step: int) -> float:
    """The rate of update `step`, counted from 0: a linear rise, then a cosine down to 0."""
    if step < recipe.warmup_steps:
        return recipe.learning_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.learning_rate * 0.5 * (1 + cos(pi * done))


def _prepare(out: Path) -> None:
    refused = "the output folder of a lab build cannot be made"
    with system_errors_as(refused, kind=CheckpointError, folder=out):
        free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
        make_folder(out.parent)
    if not free:
        raise CheckpointError(
            "the output folder of a lab build must be new or empty",
            folder=out,
            hint="choose another folder with --out, or remove this one",
        )


def _new_model(recipe: LabRecipe, tokenizer: Qwen2Tokenizer) -> Qwen2ForCausalLM:
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        architectures=["Qwen2ForCausalLM"],
        dtype="float32",
    )
    # Twice as fast as the fused kernel at this size on a CPU; not stored, so engines choose.
    config._attn_implementation = "eager"  # noqa: SLF001 - the constructor's argument is untyped
    with torch.random.fork_rng(devices=[]):  # transformers draws from the global generator
        torch.manual_seed(derive_seed(recipe.seed, "lab", "weights"))
        return Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call] # has no annotations


def _pretrain(
    model: Qwen2ForCausalLM, tokenizer: Qwen2Tokenizer, *, recipe: LabRecipe, stage: ProgressStage
) -> float:
    """Mean loss of the last updates, in nats per token."""
    model.train()
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim == 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
    )
    losses: list[float] = []
    for step, token_ids in enumerate(_batches(recipe, tokenizer)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        labels = token_ids.masked_fill(token_ids == tokenizer.pad_token_id, _IGNORED)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            # Padding is on the right and attention looks left: no mask is needed.
            loss = model(input_ids=token_ids, labels=labels, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % _LAST_LOSSES == 0:
            _LOG.debug("update %d: %.4f nats per token", step, losses[-1])
        stage.advance(tokens=int((labels != _IGNORED).sum()))
    tail = losses[-_LAST_LOSSES:]
    return sum(tail) / len(tail)


def _batches(recipe: LabRecipe, tokenizer: Qwen2Tokenizer) -> Iterator[Tensor]:
    """Token ids of one update, `[document, position]`, padded on the right; `steps` of them."""
    documents = training_documents(recipe)
    for _ in range(recipe.steps):
        texts = [text + END for text in islice(documents, recipe.documents_per_step)]
        batch = tokenizer(texts, padding=True, padding_side="right", return_tensors="pt")
        yield batch["input_ids"]


def _save_model(model: Qwen2ForCausalLM, partial: Path) -> str:
    """SHA-256 of the written weights; `save_pretrained` would draw a progress bar."""
    model.config.save_pretrained(partial)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call] # not annotated
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    model.generation_config.save_pretrained(partial)
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    del weights["lm_head.weight"]  # tied to the embedding
    save_file(weights, partial / "model.safetensors", metadata={"format": "pt"})
    return sha256((partial / "model.safetensors").read_bytes()).hexdigest()


def _provenance(started: datetime) -> dict[str, str]:
    return {
        "emdiag": version(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": str(torch.get_num_threads()),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
