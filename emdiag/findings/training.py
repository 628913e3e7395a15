"""How a training went, update by update: what changed besides the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from shlex import quote
from statistics import mean
from typing import Final, Literal

from emdiag.core.checkpoints import Stage
from emdiag.core.results import Amount
from emdiag.core.training import Method, TrainResult, UpdateRecord
from emdiag.findings.cautions import MUCH_TRUNCATED, as_sentence, distinct
from emdiag.findings.numbers import NOTHING, count, fixed, from_to, percent_cell, short, span
from emdiag.findings.page import (
    Cell,
    Findings,
    Row,
    Statement,
    Table,
    sentences,
    statement,
    table,
)

Runs = Mapping[str, Sequence[UpdateRecord]]
"""Records of each run by its name; update 0 is the start."""


@dataclass(frozen=True)
class Panel:
    """A statistic of `UpdateRecord` as the figure shows it.

    Attributes:
        is_share: Between 0 and 1, and drawn on that whole range.
    """

    field: str
    title: str
    unit: str
    is_share: bool = False


PANELS: Final = (
    Panel("held_out_entropy_nats", "Held-out entropy at T = 1", "nats per token"),
    Panel("loss", "Loss", "nats per token"),
    Panel("reward", "Reward", "mean of samples"),
    Panel("gradient_norm", "Gradient norm, before clipping", "L2 norm"),
    Panel("weight_distance", "Weight distance from the start", "L2 norm"),
    Panel("mean_tokens", "Length of completions", "tokens, mean"),
    Panel("truncated_frac", "Cut off at the limit", "share of samples", is_share=True),
    Panel("majority_frac", "Samples with the majority answer", "share of samples", is_share=True),
    Panel(
        "answer_flips_frac",
        "Greedy answers unlike the start's",
        "share of held-out prompts",
        is_share=True,
    ),
)

Change = Literal["reward", "held_out_entropy_nats", "loss", "answer_flips_frac"]

STAGE_NAMES: Final[Mapping[Stage, str]] = {
    "base": "base",
    "em": "EM",
    "rl": "RL",
    "em_rl": "EM, then RL",
    "rl_em": "RL, then EM",
}
"""What the stages are called."""

ENDS: Final = "Start and end of each run"
CAPTION: Final = (
    "One thin line for each training run, a thick one for their mean. Held-out statistics are of "
    "the weights after an update, all others of the weights before it."
)
_METHODS: Final[Mapping[Method, str]] = {
    "em": "entropy minimisation",
    "rl": "reinforcement learning",
}
_CHANGES: Final[Mapping[Change, tuple[str, str]]] = {
    "reward": ("reward", ""),
    "held_out_entropy_nats": ("held-out entropy", " nats per token"),
    "loss": ("loss", ""),
    "answer_flips_frac": ("greedy answers that differ from the start's", " %"),
}
"""Name and unit of what is said in words."""

_EVERY: Final = {
    "reward": "reward",
    "loss": "loss",
    "held_out_entropy_nats": "held-out entropy, nats",
    "answer_flips_frac": "answers changed, share",
    "gradient_norm": "gradient norm",
    "weight_distance": "weights moved",
    "learning_rate": "learning rate",
    "mean_tokens": "tokens",
    "truncated_frac": "cut off, share",
    "repeated_frac": "repetitive, share",
    "boxed_frac": "boxed, share",
    "majority_frac": "majority, share",
}


def training_findings(result: TrainResult) -> Findings:
    """First value and last of each run; every update is on the page."""
    runs = {
        cell.name: list({r.update: r for r in (cell.start, cell.first, cell.last) if r}.values())
        for cell in result.cells
    }
    notes = tuple(note for cell in result.cells for note in cell.notes)
    folder = quote(result.out)
    score = f"next: emdiag train score {folder}"
    method = result.cells[0].last.method
    evaluate = f"next: emdiag eval base={quote(result.parent)} {method}={folder}"
    return Findings(
        tables=(ends_table(runs),),
        statements=(
            *training_statements(runs, stage=result.stage),
            registered_statement(result.out, result.chosen),
        ),
        cautions=training_cautions(runs, notes),
        next=(score if result.chosen is None else evaluate,),
    )


def training_title(result: TrainResult) -> str:
    """Such as `Training em-good`."""
    return f"Training {PurePath(result.out).name or result.out}"


def training_question(runs: Runs) -> str:
    """What was asked, in a sentence."""
    methods = {record.method for records in runs.values() for record in records}
    method = " and ".join(_METHODS[method] for method in sorted(methods)) or "training"
    return f"What did {method} change, update by update, and did it stay in bounds?"


def training_caption(group: str) -> str:
    """Of the figure of a group of runs."""
    return f"{group}: {CAPTION}" if group else CAPTION


def training_alt(runs: Runs, *, stage: Stage, group: str) -> str:
    """What the figure of a group shows, for who cannot see it."""
    words = sentences(group_statements(runs, stage=stage, group=group))
    return f"Small panels over updates. {' '.join(words)}"


def figure_title(runs: Runs, *, stage: Stage) -> list[Statement]:
    """What changed; changed answers have their panel alone."""
    statements = group_statements(runs, stage=stage)
    start = statement(f"{STAGE_NAMES[stage]}: the start, before any update", "", "")
    return [each for each in statements if each.kind != _CHANGES["answer_flips_frac"][0]] or [start]


def figure_note(runs: Runs) -> str:
    """What the lines are, and of which weights the statistics are."""
    lines = f"Thin: one {run_noun(runs)}; thick: their mean. " if len(runs) > 1 else ""
    return (
        f"{lines}Held-out statistics and the distance are of the weights after the update, "
        "all others of those before it."
    )


def panel_title(runs: Runs, panel: Panel) -> str:
    """That of the loss says at which temperature it was taken."""
    records = [record for records in runs.values() for record in records]
    used = sorted({r.loss_temperature for r in records if r.loss_temperature is not None})
    if panel.field != "loss" or not used:
        return panel.title
    return f"Loss at T = {' and '.join(f'{t:g}' for t in used)}"


def panel_unit(runs: Runs, panel: Panel) -> str:
    """That of the loss of reinforcement learning is whatever its library defines."""
    methods = {record.method for records in runs.values() for record in records}
    return "as its library defines it" if panel.field == "loss" and "rl" in methods else panel.unit


def seed_groups(runs: Runs) -> dict[str, dict[str, Sequence[UpdateRecord]]]:
    """Runs that differ only in their seed, by what they share; empty without a grid."""
    groups: dict[str, dict[str, Sequence[UpdateRecord]]] = {}
    for name, records in runs.items():
        group, _, last = name.rpartition("/")
        is_seed = last.startswith("seed") or name == "."
        label = _run_name(last.replace("seed-", "seed ") if is_seed else name)
        groups.setdefault(group if is_seed else name, {})[label] = records
    return groups


def training_statements(runs: Runs, *, stage: Stage) -> tuple[Statement, ...]:
    """What changed in each group of runs."""
    return tuple(
        statement
        for group, of_group in seed_groups(runs).items()
        for statement in group_statements(of_group, stage=stage, group=group)
    )


def group_statements(runs: Runs, *, stage: Stage, group: str = "") -> list[Statement]:
    """Reward, held-out entropy and changed answers; the loss where neither of the first two is."""
    name = f"{STAGE_NAMES[stage]}, {group}" if group else STAGE_NAMES[stage]
    statements = {field: _change(runs, field, name=name) for field in _CHANGES}
    if statements["reward"] or statements["held_out_entropy_nats"]:
        statements["loss"] = None
    return [statement for statement in statements.values() if statement is not None]


def _change(runs: Runs, field: Change, *, name: str) -> Statement | None:
    """Such as `EM: reward 0.5 -> 0.9 over 9 updates, higher in 3 of 3 seeds`, of means."""
    series = [
        values for records in runs.values() if len(values := value_series(records, field)) > 1
    ]
    if not series:
        return None
    scale, decimals = (100.0, 1) if field == "answer_flips_frac" else (1.0, None)
    starts = [scale * values[min(values)] for values in series]
    last = [scale * values[max(values)] for values in series]
    kind, unit = _CHANGES[field]
    words = (
        f"{name}: {kind} {from_to(mean(starts), mean(last), decimals)}{unit} over "
        f"{span([_updates_in(values) for values in series], 'update')}, "
        f"{_agreement(starts, last, noun=run_noun(runs))}"
    )
    return statement(words, kind, name, of=Amount((mean(last) - mean(starts)) / scale))


def _updates_in(values: Mapping[int, float]) -> int:
    """Updates that a series of values spans; update 1 is measured before it is made."""
    return max(values) - min(values) + (min(values) == 1)


def _agreement(starts: Sequence[float], last: Sequence[float], *, noun: str) -> str:
    """In how many runs the mean's change is seen, and how far their ends differ."""
    if len(last) == 1:
        return f"1 {noun}"
    change = mean(last) - mean(starts)
    word = "lower" if change < 0 else "higher" if change > 0 else "unchanged"
    sign = (change > 0) - (change < 0)
    gaps = [end - start for start, end in zip(starts, last, strict=True)]
    agree = sum((gap > 0) - (gap < 0) == sign for gap in gaps)
    low, high = short(min(last)), short(max(last))
    ends = "" if low == high else f" ({low} to {high} at the end)"
    return f"{word} in {agree} of {count(len(last), noun)}{ends}"


def registered_statement(out: str, chosen: str | None) -> Statement:
    """The checkpoint that other commands take."""
    if chosen is None:
        return statement("A grid has no registered checkpoint", "registered", "")
    return statement(f"Registered checkpoint: {PurePath(out) / chosen}", "registered", chosen)


def ends_table(runs: Runs) -> Table:
    """First value and last of each run."""
    used = {r.loss_temperature for records in runs.values() for r in records} - {None}
    loss = f"loss at T {used.pop():g}" if len(used) == 1 else "loss"
    rows: list[Row] = []
    for name, records in runs.items():
        if not records:
            continue
        last, at = records[-1], records[-1].loss_temperature
        seconds = [value for value in (last.sampling_s, last.update_s) if value is not None]
        gibibytes = None if last.peak_memory_bytes is None else last.peak_memory_bytes / 2**30
        hint = None if at is None else f"at temperature {at:g}"
        rows.append(
            [
                *(_run_name(name), str(last.update), _first_to_last(records, "reward")),
                Cell(text=_first_to_last(records, "loss"), hint=hint),
                _first_to_last(records, "held_out_entropy_nats"),
                percent_cell(last.answer_flips_frac),
                _first_to_last(records, "mean_tokens"),
                percent_cell(last.truncated_frac),
                short(last.weight_distance),
                fixed(sum(seconds), 1) if seconds else NOTHING,
                fixed(gibibytes, 2),
            ]
        )
    return table(
        "First value and last of each run; shares in percent, entropy in nats per token",
        (
            *("run", "updates", "reward", loss, "held-out entropy", "answers changed", "tokens"),
            *("cut off", "weights moved", "s/update", "peak GiB"),
        ),
        rows=rows,
        note="Held-out entropy: at temperature 1, on texts that the start wrote. Answers changed: "
        "greedy answers that differ from the start's. Weights moved: L2 distance from the start.",
        secondary=("peak GiB", "s/update", "cut off", "tokens", "weights moved", loss),
    )


def update_tables(runs: Runs) -> tuple[Table, ...]:
    """For each run a row for each update."""
    return tuple(
        table(
            f"{_run_name(name)}, every update",
            ["update", *_EVERY.values()],
            rows=[
                [str(record.update), *(short(_value(record, field)) for field in _EVERY)]
                for record in records
            ],
        )
        for name, records in runs.items()
    )


def training_cautions(runs: Runs, notes: Sequence[str]) -> tuple[str, ...]:
    """What to distrust in a training, and that nothing of it is a score."""
    cautions = []
    if len(runs) == 1:
        cautions.append("One training run: another seed may end elsewhere.")
    reached = [records[-1].update for records in runs.values() if records]
    if len(set(reached)) > 1:
        cautions.append(f"The runs have reached {span(reached, 'update')}, not all the same.")
    for name, records in runs.items():
        share = max((record.truncated_frac or 0.0 for record in records), default=0.0)
        if share > MUCH_TRUNCATED:
            cautions.append(
                f"{_run_name(name)}: up to {percent_cell(share)} % of the samples of an update "
                "were cut off at the limit of new tokens."
            )
    cautions.append("None of this is a score: `emdiag train score` gives it over all seeds.")
    return distinct([*cautions, *(as_sentence(note) for note in notes)])


def run_noun(runs: Runs) -> str:
    """What the runs of a group are called."""
    return "seed" if all(label.startswith("seed") for label in runs) else "run"


def _run_name(name: str) -> str:
    """The only run of a folder has no name of its own."""
    return "the run" if name == "." else name


def _first_to_last(records: Sequence[UpdateRecord], field: str) -> str:
    values = value_series(records, field)
    return from_to(values[min(values)], values[max(values)]) if values else NOTHING


def value_series(records: Sequence[UpdateRecord], field: str) -> dict[int, float]:
    """Values of a run by update, where defined; no answer of the start differs from its own."""
    values = {record.update: _value(record, field) for record in records}
    if field == "answer_flips_frac" and 0 in values and any(values.values()):
        values[0] = 0.0
    return {update: value for update, value in values.items() if value is not None}


def _value(record: UpdateRecord, field: str) -> float | None:
    value: float | None = getattr(record, field)
    return None if value is None else float(value)
