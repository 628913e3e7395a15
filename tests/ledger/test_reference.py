"""Stores on which a careless reading of the ledger says something wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import emdiag
from emdiag.core.results import remark
from emdiag.core.runs import EngineSpec, Provenance
from emdiag.core.temperature_sweep import CoolingControl
from emdiag.core.training import TrainFolder
from emdiag.findings.remarks import all_words
from emdiag.stats.resampled import rank_correlation
from emdiag.store.run_store import RunStore
from emdiag.store.training_folder import write_folder
from tests.ledger.claim_stores import (
    arm,
    between,
    draws,
    judged,
    point,
    sweep,
    write_manifest,
    write_run,
    write_steps,
)
from tests.ledger.test_logits import estimate, write_study

if TYPE_CHECKING:
    from pathlib import Path

    from emdiag.core.checkpoints import Stage

BASE = arm("base", "base", "b")


def control(base: str, temperature: float) -> CoolingControl:
    return CoolingControl(
        checkpoint="em", base=base, benchmark="toy", temperature=temperature,
        base_temperature=0.3, entropy_nats=0.1, base_entropy_nats=0.1, tolerance_nats=0.002,
        tried=(0.3,), is_matched=True, value=0.5, base_value=0.4, difference=0.1,
        interval=between(0.05, 0.15), verdict="more than cooling",
    )  # fmt: skip


def change_manifest(folder: Path, name: str, **fields: object) -> None:
    file = folder / name / "emdiag.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def write_session(root: Path, key: str, *, started: str) -> None:
    run = next(run for run in RunStore(root).runs() if run.key == key)
    session = Provenance(
        label="base", ref="lab", revision=None, emdiag_version="1", emdiag_commit=None, versions={},
        device="cpu", dtype="float32", threads=1, command=("emdiag", "eval"), settings={},
        started=started,
    )  # fmt: skip
    with run.writing(), run.provenance_writer() as journal:
        journal.append(session)


def test_another_arm_that_was_cooled_is_not_the_base(tmp_path: Path) -> None:
    arms = (arm("rl", "rl", "r"), arm("em", "em", "e"), BASE)
    RunStore(tmp_path).save(sweep(*arms, base="rl", controls=(control("rl", 1.0),)))
    (one,) = judged(tmp_path, "C08")
    assert (one.verdict, one.figures) == ("undecided", ())


def test_cooling_at_another_temperature_than_the_rules_decides_nothing(tmp_path: Path) -> None:
    arms = (BASE, arm("em", "em", "e"))
    points = (point("base", 0.3, seeds=1), point("em", 0.2))
    RunStore(tmp_path).save(sweep(*arms, controls=(control("base", 0.2),), points=points))
    (one,) = judged(tmp_path, "C08")
    assert one.verdict == "undecided"
    assert one.why[-1] == remark(
        "rule-asks", lacks=(remark("temperature-short", temperatures=(1.0, 1.0)),)
    )
    assert one.figures[0].value == 0.1


def test_a_copied_store_does_not_show_that_results_repeat(tmp_path: Path) -> None:
    right = draws(0.6, problems=300)
    for name, started in (("one", "noon"), ("copy", "noon"), ("again", "later")):
        write_session(tmp_path / name, write_run(tmp_path / name, "b", right), started=started)
    (copied,) = judged(tmp_path / "one", "C24", tmp_path / "copy")
    assert (copied.verdict, copied.figures) == ("undecided", ())
    (drawn,) = judged(tmp_path / "one", "C24", tmp_path / "copy", tmp_path / "again")
    assert drawn.verdict == "holds"


def test_arms_after_unequal_updates_are_no_test_of_the_sign(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    for name, share, objective in (("e", 0.8, "entropy"), ("m", 0.4, "entropy-maximised")):
        for number in range(5):
            write_run(root, f"{name}/{number}", draws(share))
            write_manifest(folder, f"{name}/{number}", objective=objective)
        write_steps(folder / name, 0.1)
    arms = [arm(name, "em", *(f"{name}/{n}" for n in range(5)), folder=folder) for name in "em"]
    RunStore(root).save(sweep(*arms))
    assert judged(root, "C18")[0].verdict == "holds"
    change_manifest(folder, "m/0", update=2)
    assert judged(root, "C18")[0].verdict == "undecided"


def test_arms_after_unequal_steps_are_no_test_of_the_sign(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    for name, share, objective in (("e", 0.8, "entropy"), ("m", 0.4, "entropy-maximised")):
        for number in range(5):
            write_run(root, f"{name}/{number}", draws(share))
            write_manifest(folder, f"{name}/{number}", objective=objective)
        write_steps(folder / name, 0.12)
    arms = [arm(name, "em", *(f"{name}/{n}" for n in range(5)), folder=folder) for name in "em"]
    RunStore(root).save(sweep(*arms))
    for norm, ratio, verdict in ((0.1, 1.2, "holds"), (0.15, 0.8, "holds"), (0.09, 4 / 3, None)):
        write_steps(folder / "m", norm)
        (one,) = judged(root, "C18")
        assert one.figures[-1].value == pytest.approx(ratio)
        assert one.verdict == (verdict or "undecided")
    assert one.why[-1].code == "rule-asks"
    assert "mean step norms within a factor 1.25" in all_words(one.why)
    (folder / "m" / "updates.jsonl").unlink()
    (one,) = judged(root, "C18")
    assert one.verdict == "undecided"
    assert remark("rule-asks", lacks=(remark("steps-unknown"),)) in one.why


@pytest.mark.parametrize("apart", [True, False])
def test_graders_on_different_problems_are_not_compared(tmp_path: Path, *, apart: bool) -> None:
    for weights, prefix in (("b", ""), ("e", "other" if apart else "")):
        for grader, share in (("by hand", 0.5), ("plain-math-verify/1", 0.4)):
            write_run(
                tmp_path, weights, draws(share), benchmark="minerva_math", prefix=prefix,
                grader=grader,
            )  # fmt: skip
    RunStore(tmp_path).save(sweep(BASE, arm("em", "em", "e")))
    (one,) = judged(tmp_path, "C22")
    assert bool(one.figures) is not apart
    assert "nan" not in all_words(one.why)


def test_a_chain_is_held_against_the_arm_it_went_on_from(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    shares = {"r": 0.5, "s": 0.9, "x": 0.95, "y": 0.7}
    for name, share in shares.items():
        for number in range(5):
            write_run(root, f"{name}{number}", draws(share))
    for number in range(5):
        write_manifest(folder, f"y{number}")
        change_manifest(folder, f"y{number}", parent_digest=f"s{number}", parent_stage="rl")
    sides: list[tuple[str, Stage, str]] = [
        ("other", "rl", "r"), ("own", "rl", "s"), ("em_rl", "em_rl", "x"), ("rl_em", "rl_em", "y"),
    ]  # fmt: skip
    arms = [
        arm(label, stage, *(f"{name}{n}" for n in range(5)), folder=folder)
        for label, stage, name in sides
    ]
    RunStore(root).save(sweep(*arms))
    found = {one.arms[0]: one for one in judged(root, "C12")}
    assert found["own"].verdict == "holds"
    assert found["own"].arms == ("own", "em_rl", "rl_em")
    assert found["other"].verdict == "undecided"
    assert found["other"].arms == ("other", "em_rl")


def test_a_prompt_counts_once_however_many_arms_it_trained(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    counts = np.resize(np.arange(1, 9), 16)
    right = np.arange(16)[None] < counts[:, None]
    write_run(root, "b", right, benchmark="pool", temperature=1.0)
    write_run(root, "b", draws(0.2))
    arms, gains = [BASE], []
    chance = np.random.default_rng(3)
    for number in range(16):
        found = []
        for copy in range(4):
            name = f"e{number}.{copy}"
            scores = draws(float(chance.uniform(0.1, 0.9)))
            write_run(root, name, scores)
            write_manifest(folder, name, prompt=f"pool/{number:04d}")
            change_manifest(folder, name, settings={"objective": "entropy", "rate": copy})
            arms.append(arm(f"em{number}.{copy}", "em", name, folder=folder))
            found.append(scores.mean() - draws(0.2).mean())
        gains.append(np.mean(found))
    RunStore(root).save(sweep(*arms))
    (one,) = judged(root, "C11")
    expected = rank_correlation((counts * (16 - counts)).astype(np.float64), np.array(gains))
    assert expected is not None
    assert one.figures[0].value == pytest.approx(expected[0])
    assert one.figures[0].interval == expected[1]


def test_skewness_beside_another_arm_than_the_base_is_no_evidence(tmp_path: Path) -> None:
    read = estimate("em", "skewness", "rl", change=0.06)
    write_study(tmp_path, read)
    (file,) = (tmp_path / "logit-studies").iterdir()
    study = json.loads(file.read_text())
    file.write_text(json.dumps({**study, "base": "rl"}))
    (one,) = judged(tmp_path, "C05")
    assert (one.verdict, one.figures) == ("undecided", ())


def test_what_an_arm_was_trained_on_is_left_out_of_its_score(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    known = np.arange(40)[:, None] < 20
    write_run(root, "b", np.zeros((40, 1), np.bool_))
    ids = tuple(f"toy/{number:04d}" for number in range(20))
    for number in range(3):
        write_run(root, f"e{number}", known)
        write_manifest(folder, f"e{number}")
        change_manifest(folder, f"e{number}", problem_ids=ids)
    RunStore(root).save(sweep(BASE, arm("em", "em", "e0", "e1", "e2", folder=folder)))
    (one,) = judged(root, "C01")
    assert (one.verdict, one.figures[0].value) == ("undecided", 0.0)
    left_out = remark("trained-on-measured", label="em", problems=20, benchmark="toy", named=100)
    assert left_out in emdiag.claims(store=root).notes


def test_a_chain_leaves_out_what_its_first_training_saw(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    sides: list[tuple[str, Stage, float]] = [
        ("x", "em_rl", 1.1),
        ("e", "em", 0.5),
        ("r", "rl", 0.5),
    ]
    for name, _, share in sides:
        write_run(root, name, draws(share))
        write_manifest(folder, name, prompt="toy/0003" if name == "e" else "pool/0001")
    change_manifest(folder, "x", parent_digest="e", parent_stage="em")
    arms = [arm(stage, stage, name, folder=folder) for name, stage, _ in sides]
    RunStore(root).save(sweep(*arms))
    (one,) = judged(root, "C12")
    expected = 1 - np.delete(draws(0.5), 3).mean()
    assert one.figures[0].value == pytest.approx(expected)


def test_sides_graded_against_other_golds_are_no_pair(tmp_path: Path) -> None:
    write_run(tmp_path, "b", draws(0.2))
    write_run(tmp_path, "e", draws(0.9), golds="corrected")
    RunStore(tmp_path).save(sweep(BASE, arm("em", "em", "e")))
    (one,) = judged(tmp_path, "C01")
    assert (one.verdict, one.figures) == ("undecided", ())


def test_sides_drawn_by_other_engines_are_noted(tmp_path: Path) -> None:
    write_run(tmp_path, "b", draws(0.2))
    write_run(tmp_path, "e", draws(0.9), engine=EngineSpec(name="vllm", dtype="bfloat16"))
    RunStore(tmp_path).save(sweep(BASE, arm("em", "em", "e")))
    note = remark(
        "other-engine", left="base", right="em", benchmark="toy",
        left_engines=("scripted in float32",), right_engines=("vllm in bfloat16",),
    )  # fmt: skip
    assert note in emdiag.claims(store=tmp_path).notes


def test_the_registered_checkpoint_is_the_one_that_training_chose(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    names = [f"seed-{number}/update-0010" for number in range(3)]
    for name, share in zip(names, (0.9, 0.3, 0.85), strict=True):
        write_run(root, name, draws(share))
    write_run(root, "b", draws(0.5))
    RunStore(root).save(sweep(BASE, arm("em", "em", *names, folder=folder)))
    (one,) = judged(root, "C01")
    assert one.figures[1].name.values["is_registered"] is False
    assert one.figures[1].value == pytest.approx(draws(0.9).mean() - draws(0.5).mean())
    cells = tuple(f"seed-{number}" for number in range(3))
    folder.mkdir()
    write_folder(
        folder,
        TrainFolder(key="k", method="em", chosen=names[1], cells=cells, saved_updates=(10,)),
    )
    (one,) = judged(root, "C01")
    assert one.figures[1].name.values["is_registered"] is True
    assert one.figures[1].value == pytest.approx(draws(0.3).mean() - draws(0.5).mean())


def test_variances_of_all_prompts_are_of_one_way_of_sampling(tmp_path: Path) -> None:
    folder, root = tmp_path / "trained", tmp_path / "out"
    counts = np.resize(np.arange(1, 9), 16)
    right = np.arange(16)[None] < counts[:, None]
    write_run(root, "b", right, benchmark="pool", temperature=1.0)
    other = np.ones((1, 64), np.bool_)  # one prompt, drawn more often, elsewhere
    write_run(root, "b", other, benchmark="pool", temperature=0.2)
    write_run(root, "b", draws(0.2))
    arms, gains = [BASE], []
    for number in range(16):
        scores = draws(0.3 + 0.03 * ((5 * number) % 16))
        write_run(root, f"e{number}", scores)
        write_manifest(folder, f"e{number}", prompt=f"pool/{number:04d}")
        arms.append(arm(f"em{number}", "em", f"e{number}", folder=folder))
        gains.append(scores.mean() - draws(0.2).mean())
    RunStore(root).save(sweep(*arms))
    (one,) = judged(root, "C11")
    expected = rank_correlation((counts * (16 - counts)).astype(np.float64), np.array(gains))
    assert expected is not None
    assert one.figures[0].value == pytest.approx(expected[0])
