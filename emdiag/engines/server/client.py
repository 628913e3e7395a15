"""Requests to one server: bounded, retried while it is away, and never sent elsewhere."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Final, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2

from emdiag.core.errors import EngineError, EngineRefusedError, PlanError
from emdiag.engines.server.wire import A, BadAnswerError, message_of, quoted, read

logger = logging.getLogger(__name__)

T = TypeVar("T")

KEY_NAMES: Final = ("EMDIAG_API_KEY", "OPENAI_API_KEY")
"""Where a key is looked for; it is read from the environment, and is nowhere else."""

MOST_BYTES: Final = 4 * 2**20
"""Of an answer that is no completion."""

_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_KEY: Final = frozenset({401, 403})
_QUIET_S: Final = 60.0
"""Between two warnings: answers that were under way when a server went away do not make it two."""
_MOST_BAD: Final = 5
_LOOK_S: Final = 60.0
"""For an answer that needs no model."""
_SECRET_LENGTH: Final = 16
"""Keys of at least so many characters are taken out of whatever is answered; shorter ones (`EMPTY`)
may be words of a text, and are taken out of errors alone."""
_MOST_ALONE: Final = 8
"""Failures of a request, each after another was answered: then it is the request."""


class AwayError(EngineError):
    """A server does not answer, or says that it cannot now.

    Attributes:
        pause_s: After which it asks to be tried again.
        is_busy: It is there, and takes no more at the moment.
    """

    pause_s = 0.0
    is_busy = False


class RefusedError(EngineRefusedError):
    """A server answers that it will not do this.

    Attributes:
        status: Of HTTP.
    """

    status = 0


class Client:
    """Asks one server, many at once; opened inside an event loop.

    Args:
        base_url: As `checked_url` gives it.
        patience_s: Without any answer to anything, before it gives up.
        timeout_s: Of one request.
        most: Connections held at once.

    Attributes:
        on_return: Awaited before a request is sent again to a server that was away: another may
            have come back.
    """

    first_pause_s: ClassVar[float] = 0.5
    longest_pause_s: ClassVar[float] = 30.0
    longest_wait_s: ClassVar[float] = 120.0

    def __init__(
        self, base_url: str, *, patience_s: float, timeout_s: float, most: int = 8
    ) -> None:
        self.base_url = base_url
        self._patience_s, self._timeout_s = patience_s, timeout_s
        self._key = _key()
        self._answers = 0
        self._away_since: float | None = None
        self._warned = -_QUIET_S
        self.on_return: Callable[[], Awaitable[None]] | None = None
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        self._http = httpx2.AsyncClient(
            headers=headers,
            follow_redirects=False,
            verify=base_url.startswith("https:"),  # elsewhere no certificates need be read
            timeout=httpx2.Timeout(None, connect=min(10.0, timeout_s)),
            limits=httpx2.Limits(
                max_connections=most, max_keepalive_connections=most, keepalive_expiry=30
            ),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *ended: Any) -> None:
        await self._http.__aexit__(*ended)

    async def get(self, path: str, kind: type[A]) -> A:
        """What lies at a path, asked for once; behind the base URL, or `/` in front for its root.

        Raises:
            AwayError, BadAnswerError, RefusedError, EngineError: As `post`.
        """
        base = self.base_url
        if path.startswith("/"):
            base, path = base.removesuffix("/v1"), path[1:]
        try:
            return read(await self._attempt("GET", f"{base}/{path}", b"", MOST_BYTES), kind)
        except BadAnswerError as error:
            error.facts["from"] = f"{base}/{path}"
            raise

    async def post(self, path: str, body: bytes, *, most: int, read: Callable[[bytes], T]) -> T:
        """What `read` makes of an answer of at most so many bytes, asked for until there is one.

        Raises:
            AwayError: Nothing was answered for as long as there is patience, or others are
                answered and this is not.
            BadAnswerError: `read` refused the answer again and again.
            RefusedError: The server will not do it.
            EngineError: It wants another key, or sends to another place.
        """
        tries, alone, before, was_away = 0, 0, self._answers, False
        while True:
            try:
                if was_away and self.on_return is not None:
                    await self.on_return()
                answer = read(await self._attempt("POST", f"{self.base_url}/{path}", body, most))
            except (AwayError, BadAnswerError) as error:
                tries += 1
                was_away = isinstance(error, AwayError) and not error.is_busy
                alone, before = alone + (self._answers > before), self._answers
                left = self._left_or_give_up(error, tries, alone=alone)
                await anyio.sleep(min(self._pause(error, tries), left))
            else:
                if self._away_since is not None:
                    logger.info("the server at %s answers again", self.base_url)
                self._answers, self._away_since = self._answers + 1, None
                return answer

    def _pause(self, error: EngineError, tries: int) -> float:
        pause = min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(tries - 1, 20))
        wish_s = min(error.pause_s, self.longest_wait_s) if isinstance(error, AwayError) else 0.0
        return max(wish_s, pause * random.uniform(0.5, 1.0))  # jitter, so that not all come at once

    def _left_or_give_up(self, error: EngineError, tries: int, *, alone: int) -> float:
        """Seconds of patience that are left."""
        if isinstance(error, BadAnswerError):
            if tries >= _MOST_BAD:
                error.facts["attempts"] = str(tries)
                raise error
            return self._patience_s
        assert isinstance(error, AwayError)
        if alone >= _MOST_ALONE and not error.is_busy:
            error.facts["attempts"] = str(tries)
            error.hint = "other requests are answered: this one is what the server cannot do"
            raise error
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            if self._patience_s and now - self._warned > _QUIET_S:
                logger.warning("%s: trying again for %.0f s", error.message, self._patience_s)
            self._warned = now
        left = self._away_since + self._patience_s - now
        if left <= 0:
            error.message = f"{error.message}, and had no answer for {self._patience_s:g} s"
            error.hint = (
                "see to the server, then run the same command: it continues, what was drawn is "
                "kept; --patience waits longer"
            )
            raise error
        return left

    async def _attempt(self, method: str, url: str, body: bytes, most: int) -> bytes:
        limit_s = self._timeout_s if body else min(self._timeout_s, _LOOK_S)
        try:
            with anyio.fail_after(limit_s):
                async with self._http.stream(method, url, content=body) as response:
                    content = await _bounded(response, most)
        except TimeoutError as error:
            raise AwayError(
                f"the server at {self.base_url} did not answer within {limit_s:g} s"
            ) from error
        except httpx2.RequestError as error:
            words = quoted(self._hidden(str(error).encode()).decode()) or type(error).__name__
            away = AwayError(
                f"the server at {self.base_url} cannot be reached: {words.rstrip('.')}"
            )
            if "CERTIFICATE" in words:
                away.hint = "SSL_CERT_FILE names a file of certificates to trust"
            raise away from error
        if response.status_code != 200:
            raise self._refusal(response, self._hidden(content))
        return self._hidden(content) if len(self._key) >= _SECRET_LENGTH else content

    def _refusal(self, response: httpx2.Response, content: bytes) -> EngineError:
        status, words = response.status_code, message_of(content)
        if status in _AGAIN:
            away = AwayError(f"the server at {self.base_url} answers {status}", says=words)
            away.pause_s = _retry_after(response.headers.get("retry-after", ""))
            away.is_busy = status == 429
            return away
        if status in _KEY:
            names = " or ".join(KEY_NAMES)
            return EngineError(
                f"the server at {self.base_url} "
                + ("does not take the key" if self._key else "wants a key"),
                says=words,
                hint=f"put it into the environment as {names}",
            )
        if 300 <= status < 400:
            place = response.headers.get("location", "")
            with suppress(ValueError):
                whole = urlsplit(urljoin(str(response.url), place))
                place = f"{whole.scheme}://{whole.netloc.rpartition('@')[2]}{whole.path}"
            return EngineError(
                f"the server at {self.base_url} sends to another place, where no request and no "
                "key is sent",
                place=quoted(self._hidden(place.encode(errors="replace")).decode()),
                hint="give that address as --base-url if you trust it",
            )
        refused = RefusedError(f"the server at {self.base_url} answers {status}", says=words)
        refused.status = status
        return refused

    def _hidden(self, content: bytes) -> bytes:
        return content.replace(self._key.encode(), b"(key)") if self._key else content


def checked_url(typed: str) -> str:
    """The base URL of an API, without a slash at its end; `/v1` where no path was typed.

    Raises:
        PlanError: It is none, or holds what should be secret.
    """
    try:
        url = urlsplit(typed.strip())
        port = url.port
    except ValueError as error:
        raise _no_url(typed) from error
    if url.username or url.password or url.query or url.fragment:
        raise PlanError(
            "--base-url holds more than an address",
            expected="http://host:8000/v1",
            hint=f"a key is read from the environment: {' or '.join(KEY_NAMES)}",
        )
    if url.scheme not in {"http", "https"} or not url.hostname or not typed.isascii() or port == 0:
        raise _no_url(typed)
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/') or '/v1'}"


def _no_url(typed: str) -> PlanError:
    return PlanError(
        f"--base-url {quoted(typed.rpartition('@')[2])!r} is no address of a server",
        expected="http://host:8000/v1",
    )


def _key() -> str:
    for name in KEY_NAMES:
        key = os.environ.get(name, "").strip()
        if key and not (key.isascii() and key.isprintable()):
            raise PlanError(f"{name} holds characters that no key has")
        if key:
            return key
    return ""


async def _bounded(response: httpx2.Response, most: int) -> bytes:
    coding = response.headers.get("content-encoding", "identity")
    if coding != "identity":
        raise BadAnswerError(f"the answer is packed ({quoted(coding)}), which was not asked for")
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > most:
            raise BadAnswerError(f"an answer is longer than the {most:,} bytes it can have")
    return bytes(content)


def _retry_after(text: str) -> float:
    """Seconds that a server asks to wait: a number, or a date."""
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
