"""`emdiag lab`: pre-train the embedded checkpoint again, vary it, or draw problems for it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from emdiag.cli import console
from emdiag.lab.recipe import SHIPPED_RECIPE, LabBuild, LabManifest
from emdiag.resources import lab_weights

app = typer.Typer(help="The embedded model and its benchmark.", no_args_is_help=True)


@app.command("build")
def build(
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the checkpoint; new or empty.")
    ] = Path("emdiag-out/lab"),
    steps: Annotated[
        int,
        typer.Option(
            min=1, max=10_000_000, help="Optimiser updates; the shipped weights saw the default."
        ),
    ] = SHIPPED_RECIPE.steps,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**63 - 1, help="Of the initial weights and the training text."),
    ] = SHIPPED_RECIPE.seed,
    json: Annotated[bool, typer.Option("--json", help="Print the build as JSON.")] = False,
) -> None:
    """Pre-train the lab checkpoint from nothing: about ten minutes on two CPU cores."""
    with console.command(json=json) as out_:
        from emdiag.lab.build import build_lab

        recipe = msgspec.structs.replace(SHIPPED_RECIPE, steps=steps, seed=seed)
        built = build_lab(out, recipe=recipe, progress=out_.progress)
        if json:
            out_.result(built)
            return
        for line in _describe(built):
            out_.line(line)


@app.command("end-is-pad")
def end_is_pad(
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the checkpoint; new or empty.")
    ] = Path("emdiag-out/lab-end-is-pad"),
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Copy the lab with its end token as pad, as many published bases have it."""
    with console.command(json=json) as out_:
        from emdiag.lab.end_is_pad import write_end_is_pad

        folder = write_end_is_pad(out)
        if json:
            out_.result({"path": str(folder)})
            return
        out_.line(f"checkpoint  {folder}, the shipped weights")
        command = f"emdiag train em {shlex.quote(str(folder))} --problem chain/0012"
        options = "--recipe released-code --no-chat --out emdiag-out/released"
        out_.line(f"train       {command} {options}")


@app.command("problems")
def problems(
    out: Annotated[Path, typer.Option("--out", help="The file, ending in .jsonl.")],
    size: Annotated[
        int, typer.Option(min=1, max=100_000, help="Problems; wordings and lengths take turns.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of the problems.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Draw chain problems to train on: none is in the benchmark chain, whatever the seed."""
    with console.command(json=json) as out_:
        from emdiag.benchmarks.custom import custom_name
        from emdiag.core.codec import encode
        from emdiag.core.errors import PlanError
        from emdiag.core.files import make_folder, write_atomically
        from emdiag.lab.chain import training_problems
        from emdiag.store.files import refuse_kept

        if out.suffix != ".jsonl":
            raise PlanError(f"the file ends in {out.suffix!r}, expected .jsonl", file=out)
        custom_name(out)
        refuse_kept(out)
        drawn = training_problems(size, seed=seed)
        make_folder(out.parent)
        write_atomically(out, b"".join(encode(problem) + b"\n" for problem in drawn))
        if json:
            out_.result({"file": str(out), "size": size, "seed": seed})
            return
        out_.line(f"problems    {out}, {size} of them; seed {seed}")
        command = f"emdiag train rl lab -b {shlex.quote(str(out))} --recipe lab --out emdiag-out/rl"
        out_.line(f"train       {command}")


def _describe(built: LabBuild) -> list[str]:
    manifest = built.manifest
    loss = f"final loss {manifest.final_loss_nats:.4f} nats per token"
    return [
        f"checkpoint  {built.path}",
        f"recipe      {manifest.recipe}, seed {manifest.train_seed}; {loss}",
        f"weights     {_beside_shipped(manifest)}",
        f"evaluate    emdiag eval shipped=lab rebuilt={shlex.quote(built.path)} -b chain",
    ]


def _beside_shipped(manifest: LabManifest) -> str:
    shipped = msgspec.json.decode((lab_weights() / "emdiag.json").read_bytes(), type=LabManifest)
    if manifest.weights_sha256 == shipped.weights_sha256:
        return "equal to the shipped ones, bit for bit"
    if manifest.lab == shipped.lab:
        return "the shipped recipe, other bits: expected under another machine or thread count"
    return "not comparable bit for bit with the shipped ones: another seed or recipe"
