"""Checkpoints and runs of a server, as far as only the server tells of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import digest
from emdiag.core.errors import PlanError
from emdiag.core.results import Remark, remark
from emdiag.core.runs import EngineSpec
from emdiag.core.sampling import Prompt
from emdiag.engines.options import EngineOptions
from emdiag.engines.server.references import is_served


def served_checkpoint(
    ref: str, *, label: str, options: EngineOptions, home: Path | None
) -> CheckpointRef:
    """The checkpoint that `served:NAME` stands for: a name at an address, whatever its weights.

    Raises:
        PlanError: The server has no such model.
        EngineError: It cannot be reached.
    """
    from emdiag.engines.server.probe import look

    unknown = CheckpointRef(label=label, ref=ref, path=ref, digest="", tokenizer_digest="")
    served = look(unknown, options, home)
    value = digest(["served", served.base_url, served.model, served.root])
    return CheckpointRef(label=label, ref=ref, path=ref, digest=value, tokenizer_digest=value)


def check_served(
    checkpoints: Sequence[CheckpointRef], *, options: EngineOptions, home: Path | None
) -> None:
    """Refuse several checkpoints that are one model of a server.

    Raises:
        PlanError: Two are.
        EngineError: The server cannot be reached.
    """
    if not checkpoints:
        return
    from emdiag.engines.server.probe import look

    models: dict[str, CheckpointRef] = {}
    for checkpoint in checkpoints:
        name = look(checkpoint, options, home).model
        other = models.setdefault(name, checkpoint)
        if other.digest != checkpoint.digest:
            raise PlanError(
                f"{other.label} and {checkpoint.label} are one model of the server: {name}",
                hint="serve both, or run one command for each with its --model or --base-url",
            )


def describe_server(
    spec: EngineSpec,
    checkpoint: CheckpointRef,
    prompt: Prompt,
    *,
    options: EngineOptions,
    home: Path | None,
    is_greedy: bool,
) -> tuple[EngineSpec, list[Remark]]:
    """A specification with what a server is and how it takes such prompts, and notes on it.

    That of any other engine stays as it is.

    Raises:
        EngineError: The server cannot be reached, or cannot take them.
    """
    if spec.name != "server":
        return spec, []
    from emdiag.engines.server.dialects import DIALECTS
    from emdiag.engines.server.probe import look, try_out

    served = look(checkpoint, options, home)
    habits, dialect = try_out(served, prompt, options, home), DIALECTS[served.kind]
    label, server, is_known = checkpoint.label, served.server, not is_served(checkpoint.ref)
    notes = [remark("served", label=label, server=server, model=served.model, is_known=is_known)]
    if habits.seeds != "honoured" and not is_greedy:
        is_shown = habits.seeds == "ignored"
        notes.append(remark("seeds-not-honoured", label=label, server=server, is_shown=is_shown))
    if unsaid := dialect.unsaid():
        notes.append(remark("server-defaults", label=label, server=server, options=unsaid))
    if not dialect.takes_stop_ids:
        notes.append(remark("server-ends", label=label, server=server))
    return replace(spec, server=served.kind, api=habits.api), notes
