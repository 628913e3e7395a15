"""What is chosen where nobody typed it, such that every checkpoint can do it, and its note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from emdiag.core.asking import Asking
from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.option_groups import THINKING_TOKENS
from emdiag.core.results import Remark, remark
from emdiag.core.sampling import Prompt
from emdiag.engines.checkpoint.chat_files import has_chat_template
from emdiag.engines.requests import room_after


@dataclass(frozen=True, kw_only=True)
class ReadPrompts:
    """Prompts as one checkpoint reads them.

    Attributes:
        prompts: Of the whole benchmark, so that more problems need no other limit.
        measured: Those of them that are asked for.
        context: Tokens of prompt and answer; None where unknown.
        thinks: Whether answers begin with thinking.
    """

    label: str
    prompts: Sequence[Prompt]
    measured: Sequence[Prompt]
    context: int | None
    thinks: bool = False


def may_be_plain(asking: Asking, *, chat: bool | None, template: str | None) -> bool:
    """Whether nobody asked for chats: neither by name, nor by a template, nor by what needs one."""
    return chat is None and template is None and not asking.needs_chat


def chosen_chat(
    asking: Asking,
    *,
    by_template: bool,
    chat: bool | None,
    template: str | None,
    checkpoints: Sequence[CheckpointRef],
    benchmark: str,
) -> tuple[bool, list[Remark]]:
    """Whether prompts are chats: as typed, else as the template says and all tokenizers can.

    Args:
        asking: What is asked beside the template.
        by_template: What the template says.
        chat: As typed; None where nothing was.
        template: Likewise.
        checkpoints: All that are asked.
        benchmark: Whose prompts they are.

    Raises:
        PlanError: They are plain, and something is asked that only a chat can take.
    """
    chosen = by_template if chat is None else chat
    if chosen and may_be_plain(asking, chat=chat, template=template):
        without = tuple(c.label for c in checkpoints if not has_chat_template(c.tokenizer_path))
        if without:
            note = remark(
                "no-chat-template",
                labels=without,
                benchmark=benchmark,
                is_shared=len(checkpoints) > 1,
            )
            return False, [note]
    asking.check_chat(chat=chosen, subject=benchmark)
    return chosen, []


def tokens_with_room(
    of_card: int, readers: Sequence[ReadPrompts], *, benchmark: str
) -> tuple[int, list[Remark]]:
    """New tokens at most, the same for all checkpoints, with a note where they are not the card's.

    Those that think need more; fewer are taken where no more fit.
    """
    thinking = tuple(read.label for read in readers if read.thinks)
    wanted = max(of_card, THINKING_TOKENS) if thinking else of_card
    rooms = []
    for read in readers:
        if read.context is None or room_after(read.measured, read.context) >= wanted:
            continue
        room = room_after(read.prompts, read.context)
        if room < 1:
            room = room_after(read.measured, read.context)
        rooms.append((room, read.label, read.context))
    if not rooms or min(rooms)[0] < 1:
        note = remark(
            "room-to-think",
            labels=thinking,
            benchmark=benchmark,
            tokens=wanted,
            of_card=of_card,
            is_shared=len(readers) > len(thinking),
        )
        return wanted, [note] if wanted > of_card else []
    room, label, context = min(rooms)
    note = remark(
        "room-left",
        tokens=room,
        wanted=wanted,
        benchmark=benchmark,
        label=label,
        context=context,
        is_shared=len(readers) > 1,
    )
    return room, [note]
