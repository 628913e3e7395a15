"""What is asked of vLLM, with a stand-in; and that it answers, with vLLM itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from emdiag.core.errors import CheckpointError, EngineError, EngineRefusedError
from emdiag.core.sampling import SampleRequest, SamplingParams
from emdiag.engines.checkpoint.resolve import resolve_checkpoint
from emdiag.engines.open import open_sampler
from emdiag.engines.options import EngineOptions
from emdiag.engines.vllm.environment import DEFAULTS, prepare_environment, stdout_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emdiag.core.checkpoints import CheckpointRef

ENDS = (257, 258)
SEEN: dict[str, Any] = {}


class StandInEngine:
    """Finishes one request a step, the last one added first."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.waiting: list[tuple[str, Any, Any]] = []
        self.aborted: list[str] = []
        self.loras: list[tuple[str, Any]] = []
        self.lora_acts, self.lora_failure = True, None
        self.steps = 0
        self.reason = "stop"
        self.engine_core = SimpleNamespace(shutdown=SEEN.update)
        self.vllm_config = SimpleNamespace(
            model_config=SimpleNamespace(
                dtype="torch.bfloat16",
                max_model_len=arguments["max_model_len"],
                generation_config=arguments["generation_config"],
            ),
            lora_config=SimpleNamespace(max_lora_rank=arguments.get("max_lora_rank")),
            scheduler_config=SimpleNamespace(
                max_num_seqs=arguments.get("max_num_seqs", 256),
                enable_chunked_prefill=arguments.get("enable_chunked_prefill", True),
            ),
            parallel_config=SimpleNamespace(tensor_parallel_size=arguments["tensor_parallel_size"]),
            cache_config=SimpleNamespace(
                gpu_memory_utilization=arguments["gpu_memory_utilization"],
                kv_cache_memory_bytes=arguments.get("kv_cache_memory_bytes"),
                enable_prefix_caching=arguments["enable_prefix_caching"],
            ),
        )

    def add_request(
        self, request_id: str, prompt: Any, params: Any, lora_request: Any = None
    ) -> None:
        self.waiting.append((request_id, prompt, params))
        self.loras.append((request_id, lora_request and lora_request.lora_path))

    def has_unfinished_requests(self) -> bool:
        return bool(self.waiting)

    def add_lora(self, request: Any) -> bool:
        if self.lora_failure is not None:
            raise self.lora_failure
        return True

    def step(self) -> list[Any]:
        self.steps += 1
        if self.steps % 2:
            return []
        request_id, _, _ = self.waiting.pop()
        acts = self.lora_acts and self.loras[-1][1] is not None
        output = SimpleNamespace(
            token_ids=[104, 105, ENDS[0]],
            finish_reason=self.reason,
            logprobs=[{104: SimpleNamespace(logprob=-0.5 - acts)}],
        )
        return [SimpleNamespace(request_id=request_id, finished=True, outputs=[output])]

    def abort_request(self, request_ids: list[str]) -> None:
        self.aborted += request_ids


class StandInLLM:
    failure: Exception | None = None

    def __init__(self, model: str, **arguments: Any) -> None:
        if self.failure is not None:
            raise self.failure
        SEEN.update(model=model, arguments=arguments)
        self.llm_engine = StandInEngine(arguments)


class StandInParams(SimpleNamespace):
    """Of a version that knows of watermarks."""

    def __init__(self, *, watermarking: bool | None = None, **others: Any) -> None:
        super().__init__(watermarking=watermarking, **others)


@pytest.fixture
def leaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the vLLM engine, on top of a stand-in for vLLM."""

    class DeadError(Exception): ...

    def tokens(ids: list[int]) -> dict[str, Any]:
        return {"type": "token", "prompt_token_ids": ids}

    def lora_request(name: str, number: int, path: str) -> SimpleNamespace:
        return SimpleNamespace(lora_name=name, lora_int_id=number, lora_path=path)

    parts: dict[str, dict[str, Any]] = {
        "vllm": {"LLM": StandInLLM, "SamplingParams": StandInParams, "__version__": "0"},
        "vllm.inputs": {"tokens_input": tokens},
        "vllm.platforms": {"current_platform": SimpleNamespace(is_cpu=lambda: True)},
        "vllm.sampling_params": {"RequestOutputKind": SimpleNamespace(FINAL_ONLY="final")},
        "vllm.config": {},
        "vllm.config.lora": {"MaxLoRARanks": Literal[1, 8, 16]},
        "vllm.lora": {},
        "vllm.lora.peft_helper": {"PEFTHelper": SimpleNamespace(__dataclass_fields__={"r": 0})},
        "vllm.lora.request": {"LoRARequest": lora_request},
        "vllm.v1": {},
        "vllm.v1.engine": {},
        "vllm.v1.engine.exceptions": {
            "EngineDeadError": DeadError,
            "EngineGenerateError": DeadError,
        },
    }
    for name, content in parts.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    sys.modules["vllm"].inputs = sys.modules["vllm.inputs"]  # type: ignore[attr-defined]
    monkeypatch.delitem(sys.modules, "emdiag.engines.vllm.sampler", raising=False)
    monkeypatch.delitem(sys.modules, "emdiag.engines.vllm.adapters", raising=False)
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(StandInLLM, "failure", None)
    SEEN.clear()
    from emdiag.engines.vllm import sampler as vllm_engine

    yield vllm_engine
    for opened in SEEN.pop("opened", []):
        opened._watchdog.dismiss()
    sys.modules.pop("emdiag.engines.vllm.sampler", None)
    sys.modules.pop("emdiag.engines.vllm.adapters", None)


def requests(count: int) -> list[SampleRequest]:
    return [
        SampleRequest(problem_id="p", sample_index=n, token_ids=(65, 66), seed=2**62 + n)
        for n in range(count)
    ]


PARAMS = SamplingParams(
    temperature=0.6,
    max_tokens=7,
    top_p=0.9,
    top_k=5,
    repetition_penalty=1.1,
    stop_token_ids=ENDS,
)


def open_leaf(leaf: Any, tiny: CheckpointRef, **options: Any) -> Any:
    sampler = leaf.VllmSampler(
        tiny, dtype="bfloat16", options=EngineOptions(**options), longest_tokens=40
    )
    SEEN.setdefault("opened", []).append(sampler)
    return sampler


def test_every_field_is_said_to_vllm(leaf: Any, tiny: CheckpointRef) -> None:
    sampler = open_leaf(leaf, tiny, batch_size=9, gpu_memory_utilization=0.5)
    assert SEEN["model"] == tiny.path
    assert SEEN["arguments"] == {
        "dtype": "bfloat16",
        "seed": 0,
        "generation_config": "vllm",
        "max_model_len": 40,
        "tensor_parallel_size": 1,
        "gpu_memory_utilization": 0.5,
        "enable_prefix_caching": True,
        "trust_remote_code": False,
        "load_format": "safetensors",
        "max_num_seqs": 9,
        "kv_cache_memory_bytes": leaf.CPU_KV_CACHE_BYTES,
        "enable_chunked_prefill": False,
        "max_num_batched_tokens": leaf.CPU_BATCHED_TOKENS,
    }
    stream = sampler.sample(requests(2), params=PARAMS)
    next(stream)
    ((_, prompt, said),) = sampler._llm.llm_engine.waiting
    assert prompt == {"type": "token", "prompt_token_ids": [65, 66]}
    assert vars(said) == {
        "n": 1,
        "temperature": 0.6,
        "top_p": 0.9,
        "top_k": 5,
        "min_p": 0.0,
        "repetition_penalty": 1.1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": 2**62,
        "max_tokens": 7,
        "min_tokens": 0,
        "stop": [],
        "stop_token_ids": list(ENDS),
        "ignore_eos": True,
        "detokenize": False,
        "skip_special_tokens": True,
        "watermarking": False,
        "output_kind": "final",
    }


def test_completions_arrive_one_by_one_as_they_finish(leaf: Any, tiny: CheckpointRef) -> None:
    sampler = open_leaf(leaf, tiny)
    engine, found = sampler._llm.llm_engine, []
    for number, completion in enumerate(sampler.sample(requests(3), params=PARAMS), start=1):
        assert engine.steps == 2 * number
        found.append(completion)
    assert [f.sample_index for f in found] == [2, 1, 0]
    assert {f.token_ids for f in found} == {(104, 105, ENDS[0])}
    assert len({f.text for f in found}) == 1
    assert [f.seed - 2**62 for f in found] == [2, 1, 0]
    assert engine.aborted == []
    again = list(sampler.sample(requests(1), params=PARAMS))
    assert len(again) == 1


def test_a_reader_that_goes_away_leaves_no_request_behind(leaf: Any, tiny: CheckpointRef) -> None:
    sampler = open_leaf(leaf, tiny)
    stream = sampler.sample(requests(3), params=PARAMS)
    next(stream)
    stream.close()
    assert sampler._llm.llm_engine.aborted == ["1", "2"]


def test_stop_strings_make_vllm_write_text_and_ours_is_kept(leaf: Any, tiny: CheckpointRef) -> None:
    params = SamplingParams(temperature=1.0, max_tokens=7, stop=("\n\n",))
    said = leaf.vllm_params(requests(1)[0], params)
    assert said.detokenize is True
    assert said.stop == ["\n\n"]


def test_min_p_reaches_vllm(leaf: Any) -> None:
    params = SamplingParams(temperature=1.0, max_tokens=7, min_p=0.1)
    assert leaf.vllm_params(requests(1)[0], params).min_p == 0.1


@pytest.mark.parametrize("temperature", [0.001, 2.5])
def test_a_temperature_that_vllm_would_change_is_refused(leaf: Any, temperature: float) -> None:
    params = SamplingParams(temperature=temperature, max_tokens=7)
    with pytest.raises(EngineRefusedError, match="not at"):
        leaf.vllm_params(requests(1)[0], params)


def test_an_unknown_end_is_an_error_not_a_stop(leaf: Any, tiny: CheckpointRef) -> None:
    sampler = open_leaf(leaf, tiny)
    sampler._llm.llm_engine.reason = "abort"
    with pytest.raises(EngineError, match="'abort'"):
        list(sampler.sample(requests(1), params=PARAMS))


def test_work_beyond_the_models_positions_is_refused(leaf: Any, tiny: CheckpointRef) -> None:
    with pytest.raises(EngineError, match="300 positions and the model has 256"):
        leaf.VllmSampler(tiny, dtype="bfloat16", options=EngineOptions(), longest_tokens=300)
    sampler = open_leaf(leaf, tiny)
    long = SampleRequest(problem_id="p", sample_index=0, token_ids=(65,) * 34, seed=0)
    with pytest.raises(EngineError, match="34 tokens and 7 new ones"):
        next(sampler.sample([long], params=PARAMS))


def test_a_model_that_vllm_cannot_hold_is_our_error(
    leaf: Any, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandInLLM, "failure", ValueError("head size 24 is not supported"))
    with pytest.raises(EngineError, match="head size 24") as caught:
        open_leaf(leaf, tiny)
    assert "--engine transformers" in str(caught.value)


def test_effective_values_are_stored_and_close_stops_the_process(
    leaf: Any, tiny: CheckpointRef
) -> None:
    sampler = open_leaf(leaf, tiny)
    info = sampler.info
    assert (info.name, info.device, info.dtype) == ("vllm", "cpu", "bfloat16")
    assert info.settings["max_model_len"] == "40"
    assert info.settings["prefix_caching"] == "true"
    assert info.settings["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"
    sampler.close()
    SEEN.pop("opened")
    assert SEEN["timeout"] > 0


def open_family(leaf: Any, base: CheckpointRef, *adapters: CheckpointRef) -> Any:
    sampler = leaf.VllmSampler(
        base,
        dtype="bfloat16",
        options=EngineOptions(),
        longest_tokens=40,
        siblings=adapters,
    )
    SEEN.setdefault("opened", []).append(sampler)
    return sampler


def test_a_base_and_its_adapters_share_one_engine(
    leaf: Any, tiny: CheckpointRef, adapter_folder: Path
) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="a")
    sampler = open_family(leaf, tiny, adapter, adapter)
    said = {name: value for name, value in SEEN["arguments"].items() if "lora" in name}
    assert said == {"enable_lora": True, "max_lora_rank": 8, "max_loras": 1, "max_cpu_loras": 2}
    engine = sampler._llm.llm_engine
    list(sampler.sample(requests(1), params=PARAMS))
    assert [path for _, path in engine.loras] == [None]
    sampler.serve(adapter)
    list(sampler.sample(requests(2), params=PARAMS))
    path = str(adapter_folder)
    # The first token of one prompt, without and with it, then both samples.
    assert [path for _, path in engine.loras[1:]] == [None, path, path, path]
    list(sampler.sample(requests(1), params=PARAMS))
    assert len(engine.loras) == 6
    sampler.serve(tiny)
    list(sampler.sample(requests(1), params=PARAMS))
    assert engine.loras[-1][1] is None
    assert sampler.info.settings["max_lora_rank"] == "8"


def test_an_adapter_that_vllm_does_not_apply_or_load_is_an_error(
    leaf: Any, tiny: CheckpointRef, adapter_folder: Path
) -> None:
    adapter = resolve_checkpoint(str(adapter_folder), label="a")
    sampler = open_family(leaf, tiny, adapter)
    engine = sampler._llm.llm_engine
    engine.lora_acts = False
    sampler.serve(adapter)
    with pytest.raises(CheckpointError, match="not applied by the engine"):
        list(sampler.sample(requests(2), params=PARAMS))
    assert not engine.waiting
    engine.lora_failure = RuntimeError("no room")
    with pytest.raises(EngineError, match="vLLM cannot load the adapter: no room"):
        list(sampler.sample(requests(2), params=PARAMS))


@pytest.mark.parametrize(
    ("settings", "finding"),
    [
        ({"r": 32}, "rank 32, and vLLM takes 16 at most"),
        ({"rank_pattern": {"q_proj": 2}}, "does not know rank_pattern"),
    ],
)
def test_an_adapter_that_this_vllm_would_read_otherwise_is_refused(
    leaf: Any,
    tiny: CheckpointRef,
    tmp_path: Path,
    save_adapter: Any,
    settings: dict[str, Any],
    finding: str,
) -> None:
    folder = save_adapter(tmp_path / "a", Path(tiny.path), **settings)
    with pytest.raises(EngineRefusedError, match=finding):
        open_family(leaf, tiny, resolve_checkpoint(str(folder), label="a"))


def test_the_users_environment_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    found = prepare_environment()
    assert found["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert os.environ["VLLM_WORKER_MULTIPROC_METHOD"] == "spawn"


def test_nothing_below_vllm_reaches_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    with stdout_to_stderr():
        os.write(1, b"from below\n")
        subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
        print("from above", flush=True)  # noqa: T201 - what is tested
    os.write(1, b"result\n")
    captured = capfd.readouterr()
    assert captured.out == "result\n"
    assert "from below" in captured.err
    assert "from a child" in captured.err


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")  # vLLM and its compiler warn of their own future
def test_vllm_itself_answers_like_transformers(
    save_tiny_llama: Any, tmp_path: Path, ask: Any
) -> None:
    """One load of a small random model in float32, beside transformers on the same tokens."""
    pytest.importorskip("vllm")
    folder = save_tiny_llama(tmp_path / "m", hidden_size=64, num_attention_heads=2)
    checkpoint = resolve_checkpoint(str(folder), label="x")
    options = EngineOptions(dtype="float32", device="cpu")
    texts = ["a", "Compute 3+4.", "hello there, a rather long prompt", "Why?"]
    asked = ask(*texts, samples=2)
    greedy = SamplingParams(temperature=0, max_tokens=12)

    def draw(sampler: Any, params: SamplingParams, asked: Any) -> dict[Any, Any]:
        found = list(sampler.sample(asked, params=params))
        assert len(found) == len(asked)
        return {(f.problem_id, f.sample_index): f for f in found}

    plain = open_sampler("transformers", checkpoint, options=options, longest_tokens=50)
    expected = draw(plain, greedy, asked)
    sampler = open_sampler("vllm", checkpoint, options=options, longest_tokens=50)
    try:
        found = draw(sampler, greedy, asked)
        equal = sum(found[key].token_ids == expected[key].token_ids for key in found)
        assert equal >= len(found) - 1  # kernels differ in the last bits; one tie may turn
        free = draw(sampler, SamplingParams(temperature=1, max_tokens=12), asked)
        again = draw(sampler, SamplingParams(temperature=1, max_tokens=12), asked[2:5])
        assert all(again[key].token_ids == free[key].token_ids for key in again)
        assert free["p/0000", 0].token_ids != free["p/0000", 1].token_ids
        stop = (free["p/0001", 0].token_ids[4],)
        ended = draw(
            sampler, SamplingParams(temperature=1, max_tokens=12, stop_token_ids=stop), asked
        )["p/0001", 0]
        assert ended.finish_reason == "stop"
        assert ended.token_ids[-1:] == stop
        assert stop[0] not in ended.token_ids[:-1]
        # More prompt tokens at once than one step reads: vLLM splits prompts then, and on a CPU
        # a seeded request whose prompt is split kills the engine.
        many = ask(*(f"{number:030d}" for number in range(150)))
        assert len(draw(sampler, SamplingParams(temperature=1, max_tokens=3), many)) == 150
        info = sampler.info
        assert info.dtype == "float32"
        assert info.settings["generation_config"] == "vllm"
        assert info.settings["max_model_len"] == "50"
    finally:
        sampler.close()


def test_scores_come_from_the_log_probabilities_that_vllm_gives(
    leaf: Any, tiny: CheckpointRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = open_leaf(leaf, tiny)
    sampler.scores = {}
    likeliest = {1: SimpleNamespace(logprob=-0.5), 2: SimpleNamespace(logprob=-1.25)}
    of_tokens = [{**likeliest, token: SimpleNamespace(logprob=-3.0)} for token in (104, 105)]
    of_tokens.append({ENDS[0]: SimpleNamespace(logprob=-0.25), 2: SimpleNamespace(logprob=-2.0)})
    step = StandInEngine.step
    wanted = []

    def scored(self: StandInEngine) -> list[Any]:
        wanted.extend(params.logprobs for _, _, params in self.waiting)
        outputs = step(self)
        for output in outputs:
            output.outputs[0].logprobs = of_tokens
        return outputs

    monkeypatch.setattr(StandInEngine, "step", scored)
    assert len(list(sampler.sample(requests(1), params=PARAMS))) == 1
    assert set(wanted) == {2}
    assert [tuple(msgspec.structs.astuple(score)) for score in sampler.scores["p", 0]] == [
        (-3.0, 0.75),
        (-3.0, 0.75),
        (-0.25, 1.75),
    ]


@pytest.mark.vllm
@pytest.mark.filterwarnings("default")  # as above
def test_vllm_itself_applies_adapters_to_one_load(
    save_tiny_llama: Any, save_adapter: Any, tmp_path: Path, ask: Any
) -> None:
    """A base and two adapters, each with the tokens that transformers gives it in float32."""
    pytest.importorskip("vllm")
    folder = save_tiny_llama(tmp_path / "m", hidden_size=64, num_attention_heads=2)
    adapters = [save_adapter(tmp_path / name, folder, seed=n) for n, name in enumerate("ab")]
    family = [resolve_checkpoint(str(path), label=path.name) for path in (folder, *adapters)]
    options = EngineOptions(dtype="float32", device="cpu")
    asked = ask("a", "Compute 3+4.", "hello there, a rather long prompt", "Why?")
    greedy = SamplingParams(temperature=0, max_tokens=12)

    def draw(sampler: Any) -> list[tuple[int, ...]]:
        texts = {text.problem_id: text.token_ids for text in sampler.sample(asked, params=greedy)}
        return [texts[request.problem_id] for request in asked]

    sampler: Any = open_sampler(
        "vllm", family[0], options=options, longest_tokens=50, siblings=family[1:]
    )
    texts = []
    try:
        for checkpoint in family:
            sampler.serve(checkpoint)
            texts.append(draw(sampler))
            plain = open_sampler("transformers", checkpoint, options=options, longest_tokens=50)
            expected = draw(plain)
            plain.close()
            equal = sum(text == other for text, other in zip(texts[-1], expected, strict=True))
            assert equal >= len(expected) - 1  # kernels differ in the last bits
    finally:
        sampler.close()
    assert texts[0] != texts[1] != texts[2] != texts[0]
