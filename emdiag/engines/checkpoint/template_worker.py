"""Renders chat templates, one request a line, in a process that ends where one does not.

It is run as a script that knows jinja2 alone, under limits of memory and time. The environment is
that of `apply_chat_template` in transformers, whose text it gives.

Source: `_cached_compile_jinja_template`, transformers 5.19, `utils/chat_template_utils.py`.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from contextlib import suppress
from functools import cache, lru_cache
from typing import Any, NoReturn

import jinja2
import jinja2.ext
from jinja2 import meta, nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 512 * 1024**2
SECONDS = 2
"""Of computing, for one text; a real template takes under a hundredth of one."""

MOST_ADDED = 100_000
"""Characters that a template may add to ten times its messages: a book's chapter, which then has
to be tokenized for every problem."""

_SECONDS_A_TEXT = 0.01
_REASON = 300


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` marks what an assistant said; the text is that inside."""

    tags = {"generation"}  # noqa: RUF012 - as the class above declares it

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_inside")
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _inside(self, caller: Any) -> Any:
        return caller()


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - templates may give them by place
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002 - as above
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    return environment


@lru_cache(maxsize=8)
def _compiled(template: str) -> jinja2.Template:
    return _environment().from_string(template)


def _variables(template: str) -> str:
    return " ".join(sorted(meta.find_undeclared_variables(_environment().parse(template))))


def render(template: str, context: dict[str, Any] | None, *, date: str) -> dict[str, str]:
    """The text, or why there is none; without a context the variables that the template mentions.

    Their names are separated by blanks.
    """
    try:
        if context is None:
            return {"text": _variables(template)}
        parts, length = [], 0
        longest = MOST_ADDED + 10 * len(json.dumps(context.get("messages")))
        given = {"date_string": date, **context, "strftime_now": lambda _form: date}
        for part in _compiled(template).generate(**given):
            parts.append(part)
            length += len(part)
            if length > longest:
                return {"runaway": f"its text grows beyond {longest:,} characters"}
        return {"text": "".join(parts)}
    except MemoryError:
        return {"runaway": f"it needs more memory than {MEMORY_BYTES // 1024**2} MiB"}
    except jinja2.TemplateError as error:
        return {"error": (str(error) or type(error).__name__)[:_REASON]}
    except Exception as error:  # whatever the template's own code does wrong
        return {"error": f"{type(error).__name__}: {error}"[:_REASON]}


def seconds_until_end(used: float, *, texts: int) -> int:
    """Computing time at which the process ends: `SECONDS` for a text, not for each of hundreds.

    Args:
        used: By texts before and the start of the process, in seconds.
        texts: How many texts were rendered before.
    """
    return math.ceil(min(used + SECONDS, SECONDS + 1 + texts * _SECONDS_A_TEXT))


def _allow(texts: int) -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    limit = seconds_until_end(usage.ru_utime + usage.ru_stime, texts=texts)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def main() -> None:
    """Answer requests until there are none."""
    with suppress(ValueError, OSError):  # some systems have no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number, line in enumerate(sys.stdin.buffer):
        _allow(number)
        request = json.loads(line)
        reply = render(request["template"], request["context"], date=request["date"])
        sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
