"""Chat templates are programs of others: they are rendered outside of this process, with limits."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path

from emdiag.core.asking import RESERVED
from emdiag.core.errors import CheckpointError
from emdiag.engines.checkpoint import template_worker

TEMPLATE_DATE = "26 Jul 2024"
"""Date told to templates that ask for one. Some print today's, and a prompt that changes every
midnight would make every day another run; this is the date Llama's own template falls back to."""

WAIT_S = 30.0
"""For one text, on a machine with other work; the worker itself counts seconds of computing."""

Message = dict[str, str]


class TemplateFailedError(Exception):
    """A template gives no text for these messages; it says so itself, or is wrong."""


class RunawayTemplateError(Exception):
    """A template does not end, or grows without end."""


def render(
    template: str,
    messages: Sequence[Message],
    *,
    tokens: Mapping[str, object],
    options: Mapping[str, object] | None = None,
    answer_next: bool = True,
) -> str:
    """The text of a chat, as transformers' `apply_chat_template` renders it.

    Args:
        template: In Jinja.
        messages: With role and content.
        tokens: Special tokens by the name that templates know them under, such as `bos_token`.
        options: Further variables, which go before tokens of the same name.
        answer_next: Whether the assistant's answer is to follow.

    Raises:
        TemplateFailedError: There is no text for these messages.
        RunawayTemplateError: It was stopped.
    """
    context = {
        "messages": list(messages),
        "tools": None,
        "documents": None,
        "add_generation_prompt": answer_next,
        **tokens,
        **(options or {}),
    }
    return _answered(template, context)


@lru_cache(maxsize=8)
def variables_of(template: str) -> tuple[str, ...]:
    """Every variable that the text of a template mentions, sorted.

    Raises:
        TemplateFailedError: It is no template.
        RunawayTemplateError: It was stopped.
    """
    return tuple(_answered(template, None).split())


def render_question(
    template: str,
    *,
    system: str | None,
    texts: Sequence[str],
    tokens: Mapping[str, object],
    where: str,
    options: Mapping[str, object] | None = None,
) -> str:
    """The text of a chat up to where the assistant's answer starts.

    A template that refuses or drops the system role gets the system text in front of the first of
    the user's.

    Args:
        template: In Jinja.
        system: Message of the system; None for none.
        texts: Texts of user and assistant in turns; the last one is the question.
        tokens: As of `render`.
        where: The checkpoint, which errors name.
        options: As of `render`.

    Raises:
        CheckpointError: The template of the checkpoint at `where` fails, does not end, drops or
            changes a text of the user or of an example, or does not mention an option.
    """
    speakers = ("user", "assistant")
    try:
        check_options(template, options or {}, tokens=tokens, where=where)
        turns: list[Message] = [
            {"role": speakers[place % 2], "content": text} for place, text in enumerate(texts)
        ]
        if system is not None:
            try:
                first = [{"role": "system", "content": system}, *turns]
                text = render(template, first, tokens=tokens, options=options)
            except TemplateFailedError:
                text = ""
            if all(part.strip() in text for part in (system, *texts)):
                return text
            turns[0] = {"role": "user", "content": f"{system}\n\n{texts[0]}"}
        text = render(template, turns, tokens=tokens, options=options)
    except (TemplateFailedError, RunawayTemplateError) as error:
        raise failed_template(where, f"the chat template fails: {error}") from error
    lost = [place for place, part in enumerate(texts) if part.strip() not in text]
    if lost:
        whose = "the user's text" if lost[0] == len(texts) - 1 else f"example {lost[0] // 2 + 1}"
        raise failed_template(where, f"the chat template changes or drops {whose}")
    return text


def check_options(
    template: str, options: Mapping[str, object], *, tokens: Mapping[str, object], where: str
) -> None:
    """Refuse options that a template never mentions, which would change nothing, silently.

    Raises:
        CheckpointError: There is one.
        TemplateFailedError: It is no template.
        RunawayTemplateError: It was stopped.
    """
    if not options:
        return
    known = [name for name in variables_of(template) if name not in {*RESERVED, *tokens}]
    unknown = [name for name in options if name not in known]
    if unknown:
        close = get_close_matches(unknown[0], known, n=1)
        raise CheckpointError(
            f"the chat template has no variable {unknown[0]!r}, so that this chat option would "
            "change nothing",
            tokenizer=where,
            expected=f"one of {', '.join(known)}" if known else "no chat option: it reads none",
            found=unknown[0],
            hint=f"did you mean {close[0]}?" if close else "leave --chat-option out",
        )


def _answered(template: str, context: Mapping[str, object] | None) -> str:
    reply = _worker(os.getpid()).ask(
        {"template": template, "context": context, "date": TEMPLATE_DATE}
    )
    if "runaway" in reply:
        raise RunawayTemplateError(reply["runaway"])
    if "error" in reply:
        raise TemplateFailedError(reply["error"])
    return reply["text"]


def no_template(where: str) -> CheckpointError:
    """The error for a checkpoint that has none."""
    return CheckpointError(
        "the chat template was asked for, and this tokenizer has none",
        tokenizer=where,
        hint="a base checkpoint usually wants none: run with --no-chat, and without --chat-option "
        "and --system",
    )


def failed_template(where: str, message: str) -> CheckpointError:
    """The error for a template that cannot be used."""
    folder = Path(where)
    file = next(
        (
            folder / name
            for name in ("chat_template.jinja", "tokenizer_config.json")
            if (folder / name).is_file()
        ),
        folder,
    )
    return CheckpointError(
        message, file=file, hint="run with --no-chat, or repair the chat template in this file"
    )


class _Worker:
    """A process that renders; it is started when it is first asked, and after it was ended."""

    def __init__(self, process_id: int) -> None:
        self._owner = process_id
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Mapping[str, object]) -> dict[str, str]:
        """Its answer, which is `runaway` where it had to be ended."""
        with self._lock:
            process = self._running()
            timer = threading.Timer(WAIT_S, process.kill)
            timer.start()
            try:
                line = self._answer(process, json.dumps(request).encode() + b"\n")
            except BaseException:
                self.stop()  # what it still answers would be taken for the next one's
                raise
            finally:
                timer.cancel()
            if line.endswith(b"\n"):
                reply: dict[str, str] = json.loads(line)
                return reply
            self.stop()
            return {"runaway": _ending(process.returncode)}

    def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None and os.getpid() == self._owner:
            process.kill()
            process.communicate()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = subprocess.Popen(
                [sys.executable, "-S", "-P", template_worker.__file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for this process to handle
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        return self._process

    @staticmethod
    def _answer(process: subprocess.Popen[bytes], line: bytes) -> bytes:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
        except BrokenPipeError:
            return b""
        return process.stdout.readline()


@cache
def _worker(process_id: int) -> _Worker:
    """One for each process: a fork must not share the pipes of its parent."""
    worker = _Worker(process_id)
    atexit.register(worker.stop)
    return worker


def _ending(code: int | None) -> str:
    if code in {-signal.SIGXCPU, -signal.SIGKILL}:
        return f"it does not end within {template_worker.SECONDS} seconds"
    return f"its process ended with code {code}"
