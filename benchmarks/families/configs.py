"""Tiny configurations of many families of language models, for the installed transformers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}
"""Of most families; each takes the names that it has."""

BERT = {**SMALL, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2, "num_experts": 4}
LATENT = {
    "num_key_value_heads": 4,
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 1,
    "topk_group": 1,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"],
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 2,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "head_dim": 8,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
    "num_experts": 4,
    "num_experts_per_tok": 2,
}
MAMBA2 = {
    "mamba_n_heads": 8,
    "mamba_d_head": 8,
    "mamba_d_state": 8,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 16,
    "mamba_d_ssm": 64,
    "mamba_expand": 2,
}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0] * 4,
    "long_factor": [3.0, 5.0, 9.0, 17.0],
    "rope_theta": 10000.0,
    "original_max_position_embeddings": 64,
}
DECODER = {
    "d_model": 32,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 64,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 64,
    "is_decoder": True,
    "is_encoder_decoder": False,
}


@dataclass(frozen=True, kw_only=True)
class Family:
    """One family: how transformers names it, and what its configuration changes of `SMALL`."""

    type: str
    changes: dict[str, Any] = field(default_factory=dict)
    plain: bool = True  # takes the names of SMALL


def families() -> dict[str, Family]:
    """All of them, by the name a reader knows."""
    same = [
        "apertus",
        "arcee",
        "biogpt",
        "bitnet",
        "bloom",
        "cohere",
        "cohere2",
        "diffllama",
        "doge",
        "ernie4_5",
        "exaone4",
        "gemma",
        "gemma2",
        "glm",
        "glm4",
        "gpt2",
        "gpt_neox",
        "gpt_neox_japanese",
        "granite",
        "granite_swa",
        "hyperclovax",
        "jais2",
        "llama",
        "ministral3",
        "mistral",
        "mpt",
        "nanochat",
        "nemotron",
        "olmo",
        "olmo2",
        "olmo3",
        "opt",
        "persimmon",
        "phi",
        "phi3",
        "qwen2",
        "qwen3",
        "seed_oss",
        "smollm3",
        "stablelm",
        "starcoder2",
        "vaultgemma",
        "xglm",
        "openai-gpt",
        "ctrl",
    ]
    moe = [
        "granitemoe",
        "granitemoeshared",
        "jetmoe",
        "minimax",
        "mixtral",
        "olmoe",
        "phimoe",
        "flex_olmo",
    ]
    named = {name: Family(type=name) for name in same}
    named |= {name: Family(type=name, changes=EXPERTS) for name in moe}
    return {**named, **_attention(), **_latest(), **_recurrent(), **_refused()}


def _attention() -> dict[str, Family]:
    """Keys and values by position, with something of their own."""
    expert = {"moe_intermediate_size": 16, "num_experts": 4, "num_experts_per_tok": 2}
    dynamic = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    return {
        "codegen": Family(type="codegen", changes={"rotary_dim": 8}),
        "cpm-ant": Family(type="cpmant", changes={"dim_head": 8, "dim_ff": 64}),
        "deepseek_v2": Family(type="deepseek_v2", changes={**LATENT, "topk_method": "greedy"}),
        "deepseek_v3": Family(type="deepseek_v3", changes=LATENT),
        "deepseek_v3, wide values": Family(
            type="deepseek_v3", changes={**LATENT, "v_head_dim": 32, "q_lora_rank": None}
        ),
        "dots1": Family(type="dots1", changes={**LATENT, "head_dim": 8, "n_shared_experts": 1}),
        "ernie4_5_moe": Family(
            type="ernie4_5_moe",
            changes={"moe_intermediate_size": 16, "moe_num_experts": 4, "moe_k": 2},
        ),
        "falcon": Family(type="falcon"),
        "gemma3": Family(type="gemma3_text", changes={"sliding_window": 16, "head_dim": 8}),
        "gemma3n": Family(
            type="gemma3n_text",
            changes={
                "num_hidden_layers": 4,
                "num_kv_shared_layers": 2,
                "layer_types": ["sliding_attention", "full_attention"] * 2,
                "vocab_size_per_layer_input": 98,
                "hidden_size_per_layer_input": 8,
                "laurel_rank": 8,
                "head_dim": 8,
                "sliding_window": 16,
                "activation_sparsity_pattern": [0.0] * 4,
            },
        ),
        "glm4_moe": Family(type="glm4_moe", changes={**LATENT, "head_dim": 8}),
        "helium": Family(type="helium", changes={"head_dim": 8}),
        "hunyuan_v1_dense": Family(type="hunyuan_v1_dense", changes={"head_dim": 8}),
        "gpt_bigcode": Family(type="gpt_bigcode"),
        "gpt_neo": Family(
            type="gpt_neo",
            changes={"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
        ),
        "gpt_oss": Family(type="gpt_oss", changes={**EXPERTS, "head_dim": 8, "sliding_window": 16}),
        "gptj": Family(type="gptj", changes={"rotary_dim": 8}),
        "llama, yarn": Family(
            type="llama",
            changes={
                "rope_parameters": {
                    "rope_type": "yarn",
                    "factor": 4.0,
                    "rope_theta": 10000.0,
                    "original_max_position_embeddings": 32,
                }
            },
        ),
        "llama, dynamic NTK": Family(
            type="llama", changes={"rope_parameters": dynamic, "max_position_embeddings": 48}
        ),
        "llama4": Family(
            type="llama4_text",
            changes={
                **EXPERTS,
                "head_dim": 8,
                "intermediate_size_mlp": 64,
                "attention_chunk_size": 16,
            },
        ),
        "minimax_m2": Family(type="minimax_m2", changes={**EXPERTS, "head_dim": 8}),
        "mistral, window": Family(type="mistral", changes={"sliding_window": 8}),
        "modernbert-decoder": Family(
            type="modernbert-decoder", changes={"pad_token_id": 1, "local_attention": 16}
        ),
        "phi3, longrope": Family(
            type="phi3",
            changes={"rope_parameters": LONGROPE, "original_max_position_embeddings": 64},
        ),
        "phi3, longrope, all long": Family(
            type="phi3",
            changes={
                "rope_parameters": {**LONGROPE, "original_max_position_embeddings": 4},
                "original_max_position_embeddings": 4,
            },
        ),
        "qwen2_moe": Family(
            type="qwen2_moe", changes={**expert, "shared_expert_intermediate_size": 16}
        ),
        "qwen3_moe": Family(type="qwen3_moe", changes={**expert, "head_dim": 8}),
        "trocr": Family(type="trocr", changes=DECODER),
        "bart decoder": Family(type="bart", changes=DECODER),
        "bert decoder": Family(type="bert", changes={**BERT, "is_decoder": True}),
        "roberta decoder": Family(type="roberta", changes={**BERT, "is_decoder": True}),
    }


def _latest() -> dict[str, Family]:
    """What transformers 5.19 brought: latent and sparse attention, experts, wide residuals."""
    sized = {**EXPERTS, "moe_intermediate_size": 16, "head_dim": 8, "sliding_window": 16}
    latent = {**LATENT, "num_experts": 4}
    sparse = {**latent, "index_topk": 8, "index_head_dim": 32, "index_n_heads": 32}
    same = ("afmoe", "cohere2_moe", "exaone_moe", "granitemoe_swa", "hunyuan_v1_moe", "hy_v3")
    same += ("laguna", "mellum", "ministral", "solar_open", "cwm", "gpt-sw3")
    named = {name: Family(type=name, changes={**LATENT, **sized}) for name in same}
    named |= {name: Family(type=name, changes=latent) for name in ("axk1", "youtu", "minicpm3")}
    named |= {
        name: Family(type=name, changes=sparse)
        for name in ("axk2", "deepseek_v32", "glm_moe_dsa", "hy_v4")
    }
    return {
        **named,
        **_whole(),
        "aria_text": Family(type="aria_text", changes={**sized, "moe_num_experts": 4}),
        "deepseek_v4": Family(type="deepseek_v4", changes={**LATENT, **sized}),
        "glm4_moe_lite": Family(type="glm4_moe_lite", changes=latent),
        "gemma4": Family(
            type="gemma4_text",
            changes={
                "num_hidden_layers": 4,
                "num_kv_shared_layers": 2,
                "layer_types": ["sliding_attention", "full_attention"] * 2,
                "vocab_size_per_layer_input": 98,
                "hidden_size_per_layer_input": 8,
                "head_dim": 8,
                "sliding_window": 16,
            },
        ),
        "gemma4, experts": Family(
            type="gemma4_text",
            changes={
                "layer_types": ["sliding_attention", "full_attention"],
                "hidden_size_per_layer_input": 0,
                "head_dim": 8,
                "sliding_window": 16,
                "enable_moe_block": True,
                "num_experts": 4,
                "top_k_experts": 2,
                "moe_intermediate_size": 16,
            },
        ),
        "hrm_text": Family(type="hrm_text", changes=sized),
        "inkling": Family(type="inkling_text", changes={**LATENT, **sized}),
        "longcat_flash": Family(
            type="longcat_flash",
            changes={
                **LATENT,
                "num_layers": 2,
                "ffn_hidden_size": 64,
                "moe_topk": 2,
                "zero_expert_num": 2,
                "expert_ffn_hidden_size": 16,
                "head_dim": 8,
            },
        ),
        "mimo_v2_flash": Family(
            type="mimo_v2_flash", changes={**LATENT, **sized, "num_key_value_heads": 2}
        ),
        "minimax_m3": Family(type="minimax_m3_vl_text", changes={**LATENT, **sized}),
        "qwen3_5_moe": Family(type="qwen3_5_moe_text", changes=LINEAR),
        "qwen4_exp": Family(
            type="qwen4_exp_text",
            changes={
                **LINEAR,
                "hc_count": 2,
                "hc_lowrank": 8,
                "ngram_vocab_size_base": 97,
                "split_ngram_parts": 2,
                "make_ngram_vocab_size_divisible_by": 8,
                "indexer_n_heads": 4,
                "indexer_kv_heads": 1,
                "indexer_head_dim": 8,
                "indexer_budget": 16,
                "indexer_compress_ratio": 4,
            },
        ),
        "zaya": Family(
            type="zaya",
            changes={**sized, "num_experts_per_tok": 1, "router_hidden_size": 16},
        ),
        "reformer": Family(
            type="reformer",
            changes={
                "is_decoder": True,
                "attn_layers": ["local", "lsh"],
                "num_hashes": 1,
                "num_buckets": 2,
                "attention_head_size": 8,
                "feed_forward_size": 64,
                "hash_seed": 0,
                "pad_token_id": 0,
                "axial_pos_shape": [8, 16],
                "axial_pos_embds_dim": [16, 16],
                "local_attn_chunk_length": 8,
                "lsh_attn_chunk_length": 8,
            },
        ),
    }


def _whole() -> dict[str, Family]:
    """Models of text and pictures, as they are saved, of which the text is asked."""
    vision = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "patch_size": 4,
        "image_size": 8,
        "depth": 1,
        "num_heads": 2,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
    }
    window = {"sliding_window": 16, "head_dim": 8, "pad_token_id": 0, "vocab_size": 98}
    texts: dict[str, dict[str, Any]] = {
        "gemma3": window,
        "gemma4": {**window, "hidden_size_per_layer_input": 8, "vocab_size_per_layer_input": 98},
        "llama4": {**EXPERTS, "head_dim": 8, "intermediate_size_mlp": 64},
        "qwen3_5": LINEAR,
        "qwen3_5_moe": LINEAR,
    }
    return {
        f"{name}, text and pictures": Family(
            type=name, changes={"text_config": text, "vision_config": vision}
        )
        for name, text in texts.items()
    }


def _recurrent() -> dict[str, Family]:
    """A state that every token changes, alone or beside attention."""
    hybrid = ["linear_attention", "full_attention"]
    return {
        "mamba": Family(type="mamba"),
        "mamba2": Family(
            type="mamba2",
            changes={
                "num_heads": 8,
                "head_dim": 8,
                "state_size": 8,
                "n_groups": 1,
                "chunk_size": 16,
            },
        ),
        "falcon_mamba": Family(type="falcon_mamba"),
        "recurrent_gemma": Family(
            type="recurrent_gemma",
            changes={
                "num_hidden_layers": 3,
                "lru_width": 32,
                "attention_window_size": 16,
                "head_dim": 8,
            },
        ),
        "rwkv": Family(type="rwkv", changes={"attention_hidden_size": 32, "context_length": 128}),
        "xlstm": Family(
            type="xlstm",
            changes={"num_heads": 4, "embedding_dim": 32, "head_dim": None, "chunk_size": 16},
        ),
        "jamba": Family(
            type="jamba",
            changes={
                **EXPERTS,
                "attn_layer_period": 2,
                "attn_layer_offset": 1,
                "expert_layer_period": 2,
                "expert_layer_offset": 1,
                "use_mamba_kernels": False,
                "mamba_d_state": 8,
            },
        ),
        "bamba": Family(type="bamba", changes={**MAMBA2, "attn_layer_indices": [1]}),
        "zamba": Family(
            type="zamba",
            changes={
                "num_hidden_layers": 4,
                "layer_types": ["mamba", "hybrid"] * 2,
                "use_mamba_kernels": False,
                "n_mamba_heads": 2,
            },
        ),
        "zamba2": Family(
            type="zamba2",
            changes={
                "num_hidden_layers": 4,
                "layers_block_type": ["linear_attention", "hybrid"] * 2,
                "mamba_d_state": 8,
                "n_mamba_heads": 8,
                "mamba_headdim": 8,
                "mamba_ngroups": 1,
                "chunk_size": 16,
                "use_mamba_kernels": False,
                "adapter_rank": 8,
                "num_mem_blocks": 1,
            },
        ),
        "falcon_h1": Family(type="falcon_h1", changes={**MAMBA2, "head_dim": 8}),
        "granite-4 hybrid": Family(
            type="granitemoehybrid",
            changes={
                **EXPERTS,
                **MAMBA2,
                "layer_types": ["mamba", "attention"],
                "shared_intermediate_size": 64,
            },
        ),
        "lfm2": Family(
            type="lfm2",
            changes={"layer_types": ["conv", "full_attention"], "block_multiple_of": 16},
        ),
        "lfm2_moe": Family(
            type="lfm2_moe",
            changes={
                **EXPERTS,
                "layer_types": ["conv", "full_attention"],
                "moe_intermediate_size": 16,
                "num_dense_layers": 1,
            },
        ),
        "qwen3_next": Family(type="qwen3_next", changes=LINEAR),
        "qwen3_5": Family(type="qwen3_5_text", changes=LINEAR),
        "kimi_linear": Family(
            type="kimi_linear",
            changes={**LATENT, "layer_types": hybrid, "linear_head_dim": 8, "linear_num_heads": 4},
        ),
        "nemotron_h": Family(
            type="nemotron_h",
            changes={
                "num_hidden_layers": 4,
                "layers_block_type": ["mamba", "attention"] * 2,
                "mamba_num_heads": 8,
                "mamba_head_dim": 8,
                "ssm_state_size": 8,
                "n_groups": 1,
                "chunk_size": 16,
                "head_dim": 8,
                "use_mamba_kernels": False,
            },
        ),
        "olmo_hybrid": Family(type="olmo_hybrid", changes=LINEAR),
    }


def _refused() -> dict[str, Family]:
    """Models that are no causal language models, as they are saved."""
    return {
        "bert": Family(type="bert", changes=BERT),
        "roberta": Family(type="roberta", changes=BERT),
        "electra": Family(type="electra", changes={**BERT, "embedding_size": 32}),
        "rembert": Family(type="rembert", changes=BERT),
        "roformer": Family(type="roformer", changes=BERT),
        "xlnet": Family(
            type="xlnet",
            changes={"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64},
            plain=False,
        ),
        "xlm": Family(
            type="xlm",
            changes={"emb_dim": 32, "n_layers": 2, "n_heads": 4, "pad_index": 1},
            plain=False,
        ),
        "bart": Family(type="bart-whole", changes={**DECODER, "is_encoder_decoder": True}),
        "t5": Family(
            type="t5",
            changes={"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4},
            plain=False,
        ),
    }
