"""What a server is and what it honours, looked at before anything is drawn."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from anyio.from_thread import start_blocking_portal
from msgspec.structs import replace

from emdiag.core.checkpoints import CheckpointRef
from emdiag.core.digest import digest
from emdiag.core.errors import EngineError, PlanError
from emdiag.core.records import Record
from emdiag.core.sampling import Prompt
from emdiag.engines.checkpoint.fingerprints import read_cache, write_cache
from emdiag.engines.options import EngineOptions
from emdiag.engines.server.client import AwayError, Client, RefusedError, checked_url
from emdiag.engines.server.dialects import OWNERS
from emdiag.engines.server.references import model_named
from emdiag.engines.server.trial import Habits, ServedModel, Trial
from emdiag.engines.server.wire import AboutServer, ModelCard, ModelList, quoted

logger = logging.getLogger(__name__)

R = TypeVar("R", bound=Record)
T = TypeVar("T")

CACHE_NAME: Final = "servers.json"

_ABOUT: Final = {"vllm": "/version", "llama.cpp": "/props", "ollama": "/api/version"}
_GUESSES: Final = {"tgi": "/info", "llama.cpp": "/props", "ollama": "/api/version"}
"""Where a server that says of no model who serves it may say it of itself."""


@lru_cache(maxsize=32)
def look(checkpoint: CheckpointRef, options: EngineOptions, home: Path | None) -> ServedModel:
    """Which model of the server stands for a checkpoint, and what serves it.

    Where the server is away, what was seen of it before: stored samples need no server.

    Raises:
        PlanError: The server has no such model, or several and none is named.
        AwayError: It cannot be reached, and was not before.
        EngineError: It wants a key, or answers something else.
    """
    key = ["model", checkpoint.ref, options.base_url, options.model]
    return _remembered(home, key, ServedModel, options, lambda: _looked(checkpoint, options))


_known: dict[tuple[ServedModel, str, str], Habits] = {}
_away: set[str] = set()
"""Addresses of servers for which memory stood in."""


def try_out(
    served: ServedModel, prompt: Prompt, options: EngineOptions, home: Path | None
) -> Habits:
    """How the server takes prompts such as this one, found once by some tiny requests.

    Raises:
        EngineRefusedError: It reads the prompt as other tokens, or has no fitting endpoint.
        EngineError: It cannot be reached, or answers something else.
    """
    form = "messages" if prompt.messages else "tokens" if prompt.token_ids else "text"
    known = served, form, options.server_api
    if known not in _known:
        key = ["habits", served.base_url, served.model, served.root, form, options.server_api]

        in_use = replace(options, patience_s=0.0) if options.base_url in _away else options

        def tried(client: Client) -> Awaitable[Habits]:
            return Trial(client, served, prompt).habits(options.server_api)

        _known[known] = _remembered(
            home,
            key,
            Habits,
            options,
            lambda: with_client(served.base_url, in_use, tried),
        )
    return _known[known]


def habits_of(served: ServedModel) -> list[Habits]:
    """What was found of a model so far, for each form of prompts."""
    return [habits for (of, *_), habits in _known.items() if of == served]


def forget() -> None:
    """Look at every server anew."""
    look.cache_clear()
    _known.clear()
    _away.clear()


def with_client(base_url: str, options: EngineOptions, ask: Callable[[Client], Awaitable[T]]) -> T:
    """What is found with a client of its own, whatever event loop runs around."""

    async def run() -> T:
        patience, timeout = options.patience_s, options.request_timeout_s
        async with Client(base_url, patience_s=patience, timeout_s=timeout) as client:
            return await ask(client)

    with start_blocking_portal() as portal:
        return portal.call(run)


async def listed(client: Client) -> list[ModelCard]:
    """The models of a server; empty where it has no list."""
    try:
        return (await client.get("models", ModelList)).data or []
    except RefusedError as error:
        if error.status not in {404, 405}:
            raise
        return []


def _looked(checkpoint: CheckpointRef, options: EngineOptions) -> ServedModel:
    if options.base_url is None:
        raise PlanError(
            "the engine server needs the address of a server",
            hint="--base-url http://host:8000/v1",
        )
    base_url = checked_url(options.base_url)

    async def ask(client: Client) -> ServedModel:
        cards = await listed(client)
        card, is_named = _chosen(cards, checkpoint, options)
        kind, about = await _kind(client, card)
        return ServedModel(
            base_url=base_url,
            model=card.id,
            kind=kind,
            version=about.version or about.build_info,
            root=card.root,
            max_context=card.context() or about.context(),
            is_named=is_named,
        )

    try:
        return with_client(base_url, options, ask)
    except AwayError as error:
        error.hint = (
            error.hint or "is it running, and has it loaded its model? is the address right?"
        )
        raise


def _chosen(
    cards: list[ModelCard], checkpoint: CheckpointRef, options: EngineOptions
) -> tuple[ModelCard, bool]:
    known = {card.id: card for card in cards}
    name = model_named(checkpoint.ref) or options.model
    if name is not None:
        if cards and name not in known:
            raise PlanError(f"the server has no model {quoted(name)!r}", served=_names(cards))
        return known.get(name) or ModelCard(id=name), True
    names = {checkpoint.ref, checkpoint.folder, checkpoint.label}
    same = [card for card in cards if {card.id, card.root} & names]
    if len(same) == 1:
        return same[0], True
    if len(cards) != 1 or checkpoint.adapter:  # the only one may be the base alone
        raise PlanError(
            "which of the server's models is meant cannot be seen",
            served=_names(cards),
            hint="--model NAME",
        )
    return cards[0], False


def _names(cards: list[ModelCard]) -> str:
    more = f", and {len(cards) - 10} more" * (len(cards) > 10)
    return ", ".join(quoted(card.id) for card in cards[:10]) + more or "no list of models"


async def _kind(client: Client, card: ModelCard) -> tuple[str, AboutServer]:
    kind = OWNERS.get(card.owned_by or "")
    if kind is not None:
        path = _ABOUT.get(kind)
        return kind, (await _about(client, path) if path else None) or AboutServer()
    for guess, path in _GUESSES.items():
        about = await _about(client, path)
        if about is not None and about.is_of(guess):
            return guess, about
    return "unknown", AboutServer()


async def _about(client: Client, path: str) -> AboutServer | None:
    try:
        return await client.get(path, AboutServer)
    except EngineError:  # it has nothing there, or not for us
        return None


def _remembered(
    home: Path | None,
    key: list[Any],
    kind: type[R],
    options: EngineOptions,
    find: Callable[[], R],
) -> R:
    if home is None:
        return find()
    path, name = home / CACHE_NAME, digest(key)
    try:
        value = find()
    except AwayError as error:
        try:
            before = msgspec.convert(read_cache(path).get(name), kind)
        except msgspec.ValidationError:
            raise error from None
        if options.base_url not in _away:
            logger.warning("%s; what was seen of it before is taken", error.message)
        _away.add(str(options.base_url))
        return before
    plain = msgspec.to_builtins(value)
    if read_cache(path).get(name) != plain:
        write_cache(path, {**read_cache(path), name: plain})
    return value


async def check_same(client: Client, served: ServedModel) -> None:
    """Refuse to draw where the server has changed its model since it was looked at.

    Raises:
        EngineError: It has, or as `Client.get`.
    """
    cards = await listed(client)
    current = next((card for card in cards if card.id == served.model), None)
    if cards and (current is None or current.root != served.root):
        raise EngineError(
            f"{served.server} serves another model than when it was looked at",
            expected=f"{served.model} ({served.root})",
            found=f"{served.model} ({quoted(str(current.root))})" if current else _names(cards),
            hint="run the command again",
        )
