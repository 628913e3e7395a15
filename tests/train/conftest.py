"""Checkpoints that training tests start from: random, and so small that an update takes ms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of torch only wait for each other where a whole model is a few thousand numbers."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny_config(**changes: Any) -> Qwen2Config:
    settings: dict[str, Any] = {
        "vocab_size": 258,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
        "initializer_range": 0.3,
        "tie_word_embeddings": True,
        "eos_token_id": 256,
        "bos_token_id": None,
        "pad_token_id": 257,
    }
    return Qwen2Config(**{**settings, **changes})


def _tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, then the end token 256 and the pad token 257."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|pad|>"
    )


@pytest.fixture(scope="session")
def save_tiny() -> Callable[..., Path]:
    """Writes a random Qwen2 checkpoint: folder, seed and changes to the configuration."""

    def save(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(tiny_config(**changes))
        model.save_pretrained(folder)
        _tokenizer().save_pretrained(folder)
        return folder

    return save


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, save_tiny: Callable[..., Path]) -> Path:
    return save_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def new_model() -> Callable[..., Qwen2ForCausalLM]:
    """A random model in memory, in evaluation mode."""

    def build(*, seed: int = 0, dtype: torch.dtype = torch.float32, **changes: Any) -> Any:
        torch.manual_seed(seed)
        return Qwen2ForCausalLM(tiny_config(**changes)).to(dtype).eval()

    return build
