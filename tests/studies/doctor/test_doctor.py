from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import emdiag
from emdiag.cli.app import app
from emdiag.core.errors import RunLockedError
from emdiag.core.grades import Verdict
from emdiag.engines import presence
from emdiag.engines.hf.rows import RowWriter
from emdiag.findings.kinds import findings_of
from emdiag.findings.remarks import words_of
from emdiag.grading.pool import self_test
from emdiag.resources import lab_weights
from emdiag.studies.doctor import machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result
    from torch import Tensor

    from emdiag.core.doctor import DoctorResult


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command in an empty folder with an empty home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EMDIAG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("emdiag.engines.presence.cuda_devices", list)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def states(result: DoctorResult) -> dict[str, str]:
    return {check.name: words_of(check.state) for check in result.checks}


def test_a_machine_that_is_well(tmp_path: Path) -> None:
    result = emdiag.doctor(store=tmp_path / "store", home=tmp_path / "home")
    lines = states(result)
    assert result.wrong == ()
    assert "can run here" in lines["transformers"]
    assert lines["grader"].startswith("12 of 12 answers judged as known")
    assert lines["file locks"] == "hold where the store is"
    assert lines["benchmarks"].startswith("chain (300) and toy (12)")
    assert list(tmp_path.iterdir()) == []  # nothing is left, nor made
    assert findings_of(result).statements[-1].words == "Nothing that is needed is wrong"


def test_the_look_at_a_machine_opens_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys, emdiag\n"
        "from emdiag.engines import presence\n"
        "presence.has_driver = lambda: False\n"
        "import emdiag.studies.doctor.machine as machine\n"
        "machine.vllm_can_run = lambda _: True\n"
        f"emdiag.doctor(store={str(tmp_path)!r}, home={str(tmp_path)!r})\n"
        "print(*sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"torch", "transformers", "vllm", "sympy", "math_verify", "scipy"} & {*printed} == set()


def test_a_grader_that_judges_wrongly_is_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ("1/2", r"\boxed{0.5}", Verdict.WRONG)
    monkeypatch.setattr(self_test, "DOZEN", (*self_test.DOZEN[1:], wrong))
    done = run("doctor")
    assert done.exit_code == 1
    assert "wrong: 11 of 12 answers judged as known" in done.stdout
    assert "correct against 1/2, expected wrong" in done.stdout
    assert "Wrong: grader" in done.stdout


def test_a_damaged_benchmark_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    folder = tmp_path / "home" / "benchmarks" / "amc23"
    folder.mkdir(parents=True)
    (folder / "problems.jsonl").write_text("{}\n")
    done = run("doctor", "--json")
    assert done.exit_code == 1
    lines = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert lines["benchmark amc23"]["is_wrong"]
    assert "holds 1 problems, its card says" in lines["benchmark amc23"]["state"]
    assert "emdiag benchmarks" in lines["benchmark amc23"]["remedy"]


def test_a_store_without_locks_or_room_is_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import nullcontext

    monkeypatch.setattr(machine, "held", nullcontext)
    monkeypatch.setattr(machine, "LEAST_FREE_BYTES", 2**60)
    done = run("doctor")
    assert done.exit_code == 1
    assert "a lock does not keep out a second process" in done.stdout
    assert "Wrong: hub cache, home, store and file locks" in done.stdout
    assert RunLockedError.__name__ not in done.output


def test_a_home_that_cannot_be_looked_into_ends_no_look(tmp_path: Path) -> None:
    result = emdiag.doctor(store=tmp_path, home=tmp_path / ("long" * 100))
    lines = states(result)
    assert lines["benchmark amc23"].startswith("the problems cannot be read: File name too long")
    assert lines["grader"].startswith("12 of 12")


@pytest.mark.parametrize("store", ["file", "file/below", "link"])
def test_a_store_that_can_be_no_folder_is_named(
    run: Callable[..., Result], tmp_path: Path, store: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    done = run("doctor", "--store", store)
    assert done.exit_code == 1
    assert "and it cannot be written" in done.stdout
    assert "Wrong: store and file locks" in done.stdout


def test_a_benchmark_without_a_checkpoint_is_refused(run: Callable[..., Result]) -> None:
    done = run("doctor", "-b", "chain")
    assert done.exit_code == 2
    assert "of no checkpoint" in done.stderr


def test_a_device_and_an_old_vllm_are_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(presence, "cuda_devices", lambda: [("H100", 80 * 2**30, "CUDA 13.0")])
    monkeypatch.setattr("emdiag.engines.vllm.compat.installed_version", lambda: "0.9.1")
    monkeypatch.setattr("emdiag.engines.vllm.compat.util.find_spec", lambda _: object())
    result = emdiag.doctor(store=tmp_path, home=tmp_path)
    lines = states(result)
    assert lines["cuda:0"] == "H100, memory 80.0 GiB, CUDA 13.0"
    assert lines["vllm"] == (
        "this version of vLLM is not one that emdiag works with: expected vllm>=0.20,<0.34, "
        "found vllm 0.9.1"
    )
    assert "vllm" not in result.wrong


def test_the_lab_agrees_with_its_reader(tmp_path: Path) -> None:
    result = emdiag.doctor(
        "lab", store=tmp_path, home=tmp_path, benchmark="chain", engine="transformers"
    )
    lines = states(result)
    (agreement,) = result.agreements
    assert (agreement.left, agreement.right, agreement.verdict) == (
        "transformers",
        "reader",
        "agree",
    )
    assert agreement.equal == agreement.tokens
    assert agreement.gap is not None
    assert agreement.gap.largest < 1e-4
    assert lines["weights"].startswith("670,592 numbers as F32, 2.56 MiB")
    assert lines["stop tokens"] == "'<|endoftext|>' (0)"
    assert lines["context"] == "1,024 tokens"
    assert lines["reasoning"] == "none"
    assert lines["engine"] == "transformers in float32: asked for by name"
    # 2 x 4 layers x 2 key heads x 64 numbers of 4 bytes
    assert lines["memory"] == "2.56 MiB of weights in float32"
    assert lines["keys and values"].startswith("4.00 KiB a token")
    assert "if each of 300 problems of chain took 64 tokens: an estimate" in lines["time"]
    assert (result.error, result.wrong) == (None, ())


def test_a_sampler_at_another_temperature_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = RowWriter.draw

    def warmer(self: RowWriter, rows: Any, logits: Tensor) -> None:
        whole(self, rows, logits / 1.5)

    monkeypatch.setattr("emdiag.engines.hf.checked.check_model", _way_of_most_models)
    monkeypatch.setattr(RowWriter, "draw", warmer)
    result = emdiag.doctor("lab", store=tmp_path, home=tmp_path, engine="transformers")
    assert result.agreements[0].verdict == "disagree"
    assert result.wrong == ("transformers against reader",)


def test_tokens_drawn_at_another_temperature_than_asked_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from emdiag.engines.hf import decoding

    asked = decoding.TemperatureLogitsWarper
    monkeypatch.setattr(decoding, "TemperatureLogitsWarper", lambda value: asked(1.5 * value))
    result = emdiag.doctor("lab", store=tmp_path, home=tmp_path, engine="transformers")
    (agreement,) = result.agreements
    assert agreement.gap is not None
    assert agreement.gap.mean < 1e-4  # raw logits do not show it
    assert agreement.gap.surprise_z > 6
    assert agreement.verdict == "disagree"


def test_a_prompt_without_its_begin_token_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from emdiag.engines.hf.logit_reader import ModelReader

    whole = ModelReader.read

    def with_another_first_token(self: ModelReader, texts: Any) -> Any:
        return whole(self, [((0, *prompt), completion) for prompt, completion in texts])

    monkeypatch.setattr(ModelReader, "read", with_another_first_token)
    result = emdiag.doctor(
        "lab", store=tmp_path, home=tmp_path, engine="transformers", dtype="bfloat16"
    )
    assert result.agreements[0].verdict == "disagree"


def _way_of_most_models(_: object) -> object:
    from emdiag.engines.hf.load_check import LoadCheck

    return LoadCheck(way="refill")


@pytest.fixture
def lab_folder(tmp_path: Path) -> Path:
    return shutil.copytree(lab_weights(), tmp_path / "mine")


def test_a_folder_without_a_tokenizer(run: Callable[..., Result], lab_folder: Path) -> None:
    for file in lab_folder.glob("tokenizer*"):
        file.unlink()
    done = run("doctor", str(lab_folder))
    assert done.exit_code == 2
    assert "qwen2 (Qwen2ForCausalLM)" in done.stdout
    assert "670,592 numbers" in done.stdout
    assert "Qwen2Tokenizer" not in done.stdout  # one that the library would make up
    assert "error: a checkpoint folder needs a tokenizer" in done.stderr
    assert "hint" in done.stderr
    assert "Traceback" not in done.output


def test_a_cut_shard(run: Callable[..., Result], lab_folder: Path) -> None:
    file = lab_folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-900])
    done = run("doctor", str(lab_folder), "--json")
    assert done.exit_code == 2
    result = json.loads(done.stdout)
    lines = {check["name"]: check for check in result["checks"]}
    assert lines["weights"]["is_wrong"]
    assert lines["tokenizer"]["state"] == "Qwen2Tokenizer, 98 tokens"
    assert result["error"]["hint"] == "copy or download the file again"


def test_an_adapter_whose_base_is_not_here(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "lora").mkdir()
    config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "./gone"}
    (tmp_path / "lora" / "adapter_config.json").write_text(json.dumps(config))
    done = run("doctor", "./lora")
    assert done.exit_code == 2
    assert "base of the adapter  ./gone" in done.stdout
    assert "the base of the adapter cannot be used" in done.stderr
    assert "Traceback" not in done.output


def test_what_is_no_checkpoint(run: Callable[..., Result]) -> None:
    done = run("doctor", "./nothing")
    assert done.exit_code == 2
    assert "there is no checkpoint at './nothing'" in done.stderr


def test_a_table_of_texts_has_no_engines_to_compare(
    scripted: Callable[..., str], tmp_path: Path
) -> None:
    result = emdiag.doctor(scripted("base", {"*": ["x"]}), store=tmp_path, home=tmp_path)
    assert result.agreements == ()
    assert states(result)["engine"] == "scripted in none: a table of texts"
    assert result.label == "base"


def test_a_result_is_read_back_as_it_is_printed(run: Callable[..., Result]) -> None:
    printed = json.loads(run("doctor", "lab", "--engine", "transformers", "--json").stdout)
    assert printed["kind"] == "doctor"
    assert printed["agreements"][0]["gap"]["tokens"] > 0
    assert printed["error"] is None


def test_an_engine_without_log_probabilities_is_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "outside")
    result = emdiag.doctor("lab", store=tmp_path, home=tmp_path, engine="my_engine.parrot:Parrot")
    assert result.agreements == ()
    assert "gives no log-probabilities" in states(result)["engines"]
    assert (result.error, result.wrong) == (None, ())


def test_an_engine_that_gives_up_is_named_closed_and_the_rest_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emdiag.core.errors import EngineError
    from emdiag.studies.doctor import agreement

    closed = []

    class GivesUp:
        scores = None
        info = None

        def sample(self, *_: object, **__: object) -> None:
            raise EngineError("vLLM gave up", hint="look above")

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(agreement, "engines_here", lambda *_: ["vllm", "transformers"])
    monkeypatch.setattr(agreement, "open_sampler", lambda *_, **__: GivesUp())
    result = emdiag.doctor("lab", store=tmp_path, home=tmp_path, engine="transformers")
    assert closed == [True]
    assert result.wrong == ("vllm",)
    assert [agreement.left for agreement in result.agreements] == ["transformers"]
