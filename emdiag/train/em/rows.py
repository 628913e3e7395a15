"""What the completions of one update contribute to the loss, before any padding.

A row is one sequence with the positions whose next-token distributions count. Micro-batches,
padding and devices come later and change none of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emdiag.core.sampling import Completion
from emdiag.train.em.recipes import EMRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRow:
    """One sequence of an update.

    Attributes:
        token_ids: Prompt and completion.
        is_attended: For each token, whether attention may look at it.
        positions: Whose distributions count, ascending; position t predicts the token at t + 1.
        targets: The token that was drawn at each of `positions`; that of the end token is 0,
            since nothing was drawn there.
        group: Micro-batch this row belongs to, where micro-batches matter.
    """

    token_ids: tuple[int, ...]
    is_attended: tuple[bool, ...]
    positions: tuple[int, ...]
    targets: tuple[int, ...]
    group: int


def form_rows(
    completions: Sequence[Completion],
    prompts: Mapping[str, tuple[int, ...]],
    *,
    recipe: EMRecipe,
    pad_id: int | None,
) -> list[TrainRow]:
    """One row for each completion; `mask`, `prompt_end` and `pad_by_id` of the recipe decide.

    Prompts are token ids by problem id.
    """
    lengths = [len(prompts[completion.problem_id]) for completion in completions]
    rows = []
    for number, completion in enumerate(completions):
        group = number // recipe.micro_batch
        neighbours = lengths[group * recipe.micro_batch : (group + 1) * recipe.micro_batch]
        token_ids = (*prompts[completion.problem_id], *completion.token_ids)
        first = lengths[number]
        if recipe.prompt_end == "absolute":
            # Compared with absolute positions, in a row moved right by its padding.
            first = max(0, first - (max(neighbours) - first))
        is_pad = [recipe.pad_by_id and token == pad_id for token in token_ids]
        counted = [place for place in range(first, len(token_ids)) if not is_pad[place]]
        shift = 1 if recipe.mask == "producers" else 0
        positions = tuple(place - shift for place in counted if place >= shift)
        rows.append(
            TrainRow(
                token_ids=token_ids,
                is_attended=tuple(not pad for pad in is_pad),
                positions=positions,
                targets=tuple((*token_ids, 0)[place + 1] for place in positions),
                group=group,
            )
        )
    return rows
