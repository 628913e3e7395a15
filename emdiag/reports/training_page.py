"""How a training went, update by update, as a page."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from emdiag.findings.cautions import MUCH_TRUNCATED, as_sentence, distinct
from emdiag.findings.page import Cell, Page, Section, Statement, table
from emdiag.plots.training import training_figure
from emdiag.reports.pieces import NOTHING, count, number, percent_cell, picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from emdiag.core.checkpoints import Stage
    from emdiag.core.training import UpdateRecord
    from emdiag.findings.page import Context, Picture, Row, Table

    Runs = Mapping[str, Sequence[UpdateRecord]]

_CAPTION = (
    "One thin line for each training run, a thick one for their mean. Held-out figures are of the "
    "weights after an update, all others of the weights before it."
)


def training_page(
    out: str,
    *,
    stage: Stage,
    updates: Mapping[str, Sequence[UpdateRecord]],
    notes: Sequence[str],
    context: Context,
    chosen: str | None,
) -> Page:
    """What training changed besides the score, and which checkpoint was registered.

    Args:
        out: Name of the training, or its folder.
        stage: What was made.
        updates: Records of each run by its name, such as `seed-0` or `lr-1e-4/seed-0`; update 0
            is the start.
        notes: Of the checkpoints.
        context: Beside the result.
        chosen: The checkpoint that was registered before training; None for a grid.
    """
    name = out.rstrip("/").rpartition("/")[2] or out
    method = "entropy minimisation" if _method(updates) == "em" else "reinforcement learning"
    answers = tuple(
        statement for group, runs in _groups(updates).items() for statement in _said(group, runs)
    )
    return Page(
        kind="training",
        title=f"Training {name}",
        question=f"What did {method} change, update by update, and did it stay in bounds?",
        answers=(*answers, _registered(chosen)),
        sections=(
            Section(
                heading="Update by update",
                pictures=tuple(
                    made
                    for group, runs in _groups(updates).items()
                    if (made := _picture(group, runs, stage=stage)) is not None
                ),
            ),
            Section(heading="Start and end of each run", tables=(_ends(updates),)),
            Section(heading="Every update", tables=_every(updates), is_detail=True),
        ),
        cautions=_doubts(updates, notes),
        context=context,
    )


def _method(updates: Runs) -> str:
    return next((record.method for runs in updates.values() for record in runs), "em")


def _groups(updates: Runs) -> dict[str, dict[str, Sequence[UpdateRecord]]]:
    """Runs that differ only in their seed, by what they share; empty without a grid."""
    groups: dict[str, dict[str, Sequence[UpdateRecord]]] = {}
    for name, records in updates.items():
        group, _, last = name.rpartition("/")
        is_seed = last.startswith("seed") or name == "."
        label = last.replace("seed-", "seed ") if is_seed else name
        groups.setdefault(group if is_seed else name, {})[_run_name(label)] = records
    return groups


def _run_name(name: str) -> str:
    """The only run of a folder has no name of its own."""
    return "the run" if name == "." else name


def _said(group: str, runs: Runs) -> list[Statement]:
    """Reward, held-out entropy and flips from the first value to the last, over runs."""
    start = f"{group}: " if group else ""
    said = []
    for field, name, unit, scale in (
        ("reward", "the reward", "", 1.0),
        ("held_out_entropy_nats", "held-out entropy", " nats per token", 1.0),
        ("answer_flips_frac", "the share of greedy answers unlike the start's", " %", 100.0),
    ):
        ends = [_first_and_last(records, field) for records in runs.values()]
        known = [pair for pair in ends if pair is not None]
        if not known:
            continue
        first = scale * mean(pair[0] for pair in known)
        last = [scale * pair[1] for pair in known]
        words = f"{start}{name} went from {first:.3g} to {mean(last):.3g}{unit}"
        said.append(f"{words}, {_spread(last, len(runs))}")
    return [Statement(words=text[0].upper() + text[1:]) for text in said]


def _spread(last: Sequence[float], runs: int) -> str:
    """Over how many runs, and how far they lie apart; that is no interval."""
    if runs < 2:
        return "in one run, so without an interval"
    low, high = f"{min(last):.3g}", f"{max(last):.3g}"
    end = f"all end at {low}" if low == high else f"end between {low} and {high}"
    return f"mean of {count(runs, 'run')} that {end}"


def _first_and_last(records: Sequence[UpdateRecord], field: str) -> tuple[float, float] | None:
    values = [value for record in records if (value := _value(record, field)) is not None]
    return (values[0], values[-1]) if values else None


def _value(record: UpdateRecord, field: str) -> float | None:
    value: Any = getattr(record, field)
    return None if value is None else float(value)


def _registered(chosen: str | None) -> Statement:
    if chosen is None:
        return Statement(words="A grid has no registered checkpoint; score all cells to see more")
    return Statement(
        words=f"Registered before training, and so what other commands take: {chosen}. None of "
        "this is a score; `emdiag train score` gives it over all seeds"
    )


def _picture(group: str, runs: Runs, *, stage: Stage) -> Picture | None:
    if not any(len(records) > 1 for records in runs.values()):
        return None
    found = " ".join(f"{statement.words}." for statement in _said(group, runs))
    return picture(
        f"training-{group or 'runs'}",
        training_figure(runs, stage=stage),
        caption=f"{group}: {_CAPTION}" if group else _CAPTION,
        alt=f"Small panels over updates. {found}",
    )


def _ends(updates: Runs) -> Table:
    rows: list[Row] = []
    for name, records in updates.items():
        if not records:
            continue
        last = records[-1]
        seconds = [value for value in (last.sampling_s, last.update_s) if value is not None]
        memory = last.peak_memory_bytes
        rows.append(
            [
                _run_name(name).replace("seed-", "seed\N{NO-BREAK SPACE}"),
                str(last.update),
                _change(records, "reward"),
                Cell(
                    text=_change(records, "loss"),
                    hint=None
                    if last.loss_temperature is None
                    else f"at temperature {last.loss_temperature:g}",
                ),
                _change(records, "held_out_entropy_nats"),
                percent_cell(last.answer_flips_frac),
                _change(records, "mean_tokens"),
                percent_cell(last.truncated_frac),
                number(last.weight_distance),
                f"{sum(seconds):.1f}" if seconds else NOTHING,
                NOTHING if memory is None else f"{memory / 2**30:.2f}",
            ]
        )
    return table(
        "First value and last of each run; shares in percent, entropy in nats per token",
        (
            "run",
            "updates",
            "reward",
            "loss",
            "held-out entropy",
            "answers unlike the start's",
            "tokens",
            "cut off",
            "weights moved",
            "s/update",
            "peak GiB",
        ),
        rows=rows,
        note="Held-out entropy: at temperature 1, on texts the start wrote. Weights moved: L2 "
        "distance from the start.",
    )


def _change(records: Sequence[UpdateRecord], field: str) -> str:
    ends = _first_and_last(records, field)
    if ends is None:
        return NOTHING
    return " \N{RIGHTWARDS ARROW} ".join(f"{value:.3g}" for value in ends)


def _every(updates: Runs) -> tuple[Table, ...]:
    """For each run a row for each update."""
    fields = {
        "reward": "reward",
        "loss": "loss",
        "held_out_entropy_nats": "held-out entropy, nats",
        "answer_flips_frac": "flips, share",
        "gradient_norm": "gradient norm",
        "weight_distance": "weights moved",
        "learning_rate": "learning rate",
        "mean_tokens": "tokens",
        "truncated_frac": "cut off, share",
        "repeated_frac": "repetitive, share",
        "boxed_frac": "boxed, share",
        "majority_frac": "majority, share",
    }
    return tuple(
        table(
            f"{_run_name(name)}, every update",
            ["update", *fields.values()],
            rows=[
                [
                    str(record.update),
                    *(
                        NOTHING if (value := _value(record, field)) is None else f"{value:.3g}"
                        for field in fields
                    ),
                ]
                for record in records
            ],
        )
        for name, records in updates.items()
    )


def _doubts(updates: Runs, notes: Sequence[str]) -> tuple[str, ...]:
    found = []
    if len(updates) == 1:
        found.append("One training run: another seed may go another way.")
    reached = {name: records[-1].update for name, records in updates.items() if records}
    if len(set(reached.values())) > 1:
        low, high = min(reached.values()), max(reached.values())
        found.append(f"The runs have come to different updates, from {low} to {high}.")
    for name, records in updates.items():
        share = max((record.truncated_frac or 0.0 for record in records), default=0.0)
        if share > MUCH_TRUNCATED:
            found.append(
                f"{_run_name(name)}: up to {100 * share:.1f} % of the samples of an update were "
                "cut off at the limit of new tokens."
            )
    return distinct([*found, *(as_sentence(note) for note in notes)])
