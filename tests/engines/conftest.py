"""Tiny random models: they know nothing, and that is enough to see how they are sampled."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from emdiag.core.sampling import FilledPrompt, SampleRequest
from emdiag.engines.checkpoint.resolve import resolve_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from emdiag.core.checkpoints import CheckpointRef

CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _byte_tokenizer(chat_template: str | None = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer without merges, with three special tokens at the end."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    tokenizer.chat_template = chat_template
    return tokenizer


def _save_tiny_llama(folder: Path, *, seed: int = 0, **changes: object) -> Path:
    """Write a random two-layer model with its tokenizer, eager enough to be sampled in ms."""
    tokenizer = _byte_tokenizer()
    settings: dict[str, object] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.3,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": None,
    }
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(**{**settings, **changes}))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _save_adapter(
    folder: Path, base: Path, *, seed: int = 0, scale: float = 0.2, **settings: Any
) -> Path:
    """Write a random LoRA adapter to a base, as peft does; a scale of 0 leaves it untrained."""
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    modules = ["q_proj", "v_proj", "down_proj"]
    usual = {"r": 4, "lora_alpha": 8, "target_modules": modules, "task_type": "CAUSAL_LM"}
    adapted = get_peft_model(model, LoraConfig(**{**usual, **settings}))
    with torch.no_grad():
        for name, values in adapted.named_parameters():
            if "lora_B" in name or "lora_embedding_A" in name:  # zeros, where training starts
                values.copy_(torch.randn_like(values) * scale)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return folder


@pytest.fixture(scope="session")
def save_adapter() -> Callable[..., Path]:
    """Writes adapters: folder, base, seed, scale of what training moves, fields of LoraConfig."""
    return _save_adapter


@pytest.fixture(scope="session")
def adapter_folder(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter to the tiny model that changes what it says."""
    return _save_adapter(tmp_path_factory.mktemp("adapter"), tiny_folder)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of torch only wait for each other where a whole model is a few thousand numbers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder with random weights."""
    return _save_tiny_llama(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> CheckpointRef:
    return resolve_checkpoint(str(tiny_folder), label="tiny")


@pytest.fixture
def ask() -> Callable[..., list[SampleRequest]]:
    """Requests for texts of a byte-level model, `samples` each, with seeds of their own."""

    def build(*texts: str, samples: int = 1) -> list[SampleRequest]:
        tokenizer = _byte_tokenizer()
        return [
            SampleRequest(
                problem_id=f"p/{number:04d}",
                sample_index=index,
                token_ids=tuple(tokenizer(text)["input_ids"]),
                seed=1000 * number + index,
            )
            for number, text in enumerate(texts)
            for index in range(samples)
        ]

    return build


@pytest.fixture
def table_file(tmp_path: Path) -> Path:
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"p/0000": ["first", "second"], "*": ["other"]}))
    return path


@pytest.fixture(scope="session")
def byte_tokenizer() -> Callable[..., PreTrainedTokenizerFast]:
    """Makes byte-level tokenizers, with a chat template of one's own or None."""
    return _byte_tokenizer


@pytest.fixture(scope="session")
def save_tiny_llama() -> Callable[..., Path]:
    """Writes tiny models: folder, seed and changes to the configuration."""
    return _save_tiny_llama


@pytest.fixture
def fill() -> Callable[..., list[FilledPrompt]]:
    """Filled templates: the same text as user message and as plain text."""

    def build(*texts: str, system: str | None = None) -> list[FilledPrompt]:
        return [
            FilledPrompt(
                problem_id=f"p/{number:04d}",
                system=system,
                user=text,
                plain=text,
                template_sha256="0" * 64,
            )
            for number, text in enumerate(texts)
        ]

    return build
