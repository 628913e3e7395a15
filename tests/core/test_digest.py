from __future__ import annotations

import json
import tarfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emdiag.core.codec import decode, encode
from emdiag.core.digest import canonical_json, derive_seed, digest
from emdiag.core.results import Interval
from emdiag.core.runs import EngineSpec, RunSpec
from emdiag.core.sampling import Completion, SamplingParams

RECORD = Path(__file__).parents[2] / "reports" / "examples" / "record.tar.xz"
SPEC = RunSpec(
    benchmark="chain",
    template="chain",
    chat=False,
    prompts_sha256="a",
    checkpoint_digest="b",
    tokenizer_digest="c",
    sampling=SamplingParams(temperature=1.0, max_tokens=64),
    engine=EngineSpec(name="transformers", dtype="float32"),
)
KEY = "c908672a6a30a538cc393f51a75083417d90b9f345687a9cf87cd1228cca4264"


@pytest.mark.parametrize(
    "change",
    [
        {"benchmark": "toy"},
        {"template": "boxed"},
        {"chat": True},
        {"prompts_sha256": "x"},
        {"checkpoint_digest": "x"},
        {"tokenizer_digest": "x"},
        {"sampling": SamplingParams(temperature=0.5, max_tokens=64)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=65)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, top_p=0.9)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, top_k=5)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, repetition_penalty=1.1)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, min_p=0.1)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, seed=1)},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, stop=("x",))},
        {"sampling": SamplingParams(temperature=1.0, max_tokens=64, stop_token_ids=(1,))},
        {"engine": EngineSpec(name="vllm", dtype="float32")},
        {"engine": EngineSpec(name="transformers", dtype="bfloat16")},
        {"engine": EngineSpec(name="transformers", dtype="float32", trust_remote_code=True)},
    ],
)
def test_everything_that_could_change_a_sample_changes_the_run_key(
    change: dict[str, object],
) -> None:
    assert digest(msgspec.structs.replace(SPEC, **change)) != digest(SPEC)


def test_the_run_key_of_a_known_specification_never_moves_between_versions() -> None:
    assert digest(SPEC) == KEY


def test_min_p_that_is_off_stands_in_no_key_and_no_stored_specification() -> None:
    off = SamplingParams(temperature=1.0, max_tokens=64, min_p=0.0)
    assert digest(msgspec.structs.replace(SPEC, sampling=off)) == KEY
    assert b"min_p" not in encode(off)
    on = SamplingParams(temperature=1.0, max_tokens=64, min_p=0.1)
    assert decode(encode(on), SamplingParams) == on
    assert msgspec.structs.replace(on, min_p=0.0) == off


def test_the_keys_of_runs_that_version_0_1_0_stored_stay_what_they_are() -> None:
    with tarfile.open(RECORD) as archive:
        members = [one for one in archive.getmembers() if one.name.endswith("/spec.json")]
        assert len(members) > 10
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            content = file.read()
            spec = decode(content, RunSpec)
            assert digest(spec).startswith(Path(member.name).parent.name.rsplit("-", 1)[-1])
            assert json.loads(encode(spec)) == json.loads(content)


def test_canonical_json_ignores_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == b'{"a":[1.5,null],"b":1}'


@given(st.integers(0, 2**31), st.text(), st.integers(0, 1000))
def test_seeds_lie_in_their_range_and_depend_on_every_part(
    run_seed: int, problem: str, index: int
) -> None:
    seed = derive_seed(run_seed, problem, index)
    assert 0 <= seed < 2**63
    others = {
        derive_seed(run_seed + 1, problem, index),
        derive_seed(run_seed, problem + "x", index),
        derive_seed(run_seed, problem, index + 1),
    }
    assert seed not in others
    assert len(others) == 3


def test_parts_of_a_seed_do_not_run_together() -> None:
    assert derive_seed(0, "a", 11) != derive_seed(0, "a1", 1)


@given(st.text(), st.lists(st.integers(0, 2**31)))
def test_completions_survive_the_codec(text: str, token_ids: list[int]) -> None:
    record = Completion(
        problem_id="toy/0000",
        sample_index=0,
        text=text,
        token_ids=tuple(token_ids),
        prompt_tokens=3,
        finish_reason="stop",
        seed=7,
    )
    assert decode(encode(record), Completion) == record


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_infinity_never_enter_a_record(value: float) -> None:
    with pytest.raises(ValueError, match="undefined values are None"):
        encode(Interval(low=value, high=1.0, level=0.95, method="wilson"))


@pytest.mark.parametrize(
    "line",
    [
        b'{"low":0,"high":1,"level":0.95,"method":"wilson","extra":1}',
        b'{"low":0,"high":1,"level":0.95}',
        b'{"low":"0","high":1,"level":0.95,"method":"wilson"}',
    ],
)
def test_unknown_missing_and_mistyped_fields_are_errors(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(line, Interval)
