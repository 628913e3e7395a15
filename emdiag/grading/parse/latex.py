r"""One spelling for what LaTeX, plain text and Unicode write in several ways.

`tidy` changes the writing and never the value: layout commands go, synonyms get one name, arguments
get their braces. Separators (commas, brackets), units and words stay for `shapes` to read.
"""

from __future__ import annotations

import re
from functools import lru_cache

from emdiag.grading.parse.characters import plain_characters
from emdiag.grading.parse.wrappers import unwrapped_latex, without_markup

_NAMES = {
    "dfrac": r"\frac", "tfrac": r"\frac", "cfrac": r"\frac", "dbinom": r"\binom",
    "tbinom": r"\binom", "times": r"\cdot", "ast": r"\cdot", "leq": r"\le", "leqslant": r"\le",
    "geq": r"\ge", "geqslant": r"\ge", "neq": r"\ne", "lt": "<", "gt": ">", "colon": ":",
    "lbrace": r"\{", "rbrace": r"\}", "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")",
    "lvert": "|", "rvert": "|", "vert": "|", "varnothing": r"\emptyset", "backslash": r"\setminus",
    "land": " and ", "lor": " or ", "ldots": r"\dots", "cdots": r"\dots", "dotsc": r"\dots",
    "dotsb": r"\dots", "tg": r"\tan", "ctg": r"\cot", "lang": r"\langle", "rang": r"\rangle",
    "textbf": r"\text", "textit": r"\text", "textrm": r"\text", "textsf": r"\text",
    "texttt": r"\text", "textnormal": r"\text", "emph": r"\text", "mbox": r"\text",
    "hbox": r"\text", "mathit": r"\text", "mathsf": r"\text", "textup": r"\text",
    "mathtt": r"\text", "simeq": r"\approx", "approxeq": r"\approx", "thickapprox": r"\approx",
    "pounds": r"\text{pound}", "euro": r"\text{euro}", "EUR": r"\text{euro}", "yen": r"\text{yen}",
    "texteuro": r"\text{euro}",
    "doteq": r"\approx",
    "lg": r"\log_{10}", "vee": " or ", "wedge": " and ",
    "degree": r"\degree", "operatorname": r"\operatorname", "infin": r"\infty", "iff": "=",
}  # fmt: skip
_DEGREE = re.compile(
    r"\^\s*(?:\{\s*(?:\\(?:circ|degree|deg)(?![a-zA-Z])|o(?=\s*\}))\s*\}"
    r"|\\(?:circ|degree|deg)(?![a-zA-Z])|(?<=\d\^)o(?![a-zA-Z])|\\text\s*\{\s*o\s*\})"
    r"|(?<=\d)\s*\\(?:deg|textdegree)(?![a-zA-Z])"
)
_SPACES = re.compile(
    r"(?<!\\)\\[,;: ]|(?<!\\)~|\\(?:quad|qquad|enspace|thinspace|medspace|thickspace|hfill|nobreak"
    r"|allowbreak|newline)(?![a-zA-Z])|\\hspace\*?\{[^{}]*\}"
)
_THOUSANDS = re.compile(
    r"(?<![\d.])\d{1,3}(?:(?:,\s*\\!|\{,\}(?:\\!)?|,?(?<!\\)\\[,;: ]|~)\s*\d{3})+(?!\d)"
)
_TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
_FUNCTIONS = (
    "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|pi|theta|alpha|beta"
    "|gamma|lambda|omega|infinity|infty|sqrt|oo"
)
_BARE_FUNCTION = re.compile(rf"(?<![A-Za-z\\])(?:np\.|math\.|sympy\.)?({_FUNCTIONS})(?![A-Za-z])")
_QUOTIENT_BEFORE = re.compile(
    r"(?<![\w.}^/_])(\d+)\s*/\s*(\d+)\s+(?=[A-Za-z]|\\(?:pi|sqrt|theta)|\()"
)
"""A quotient of numbers with a space behind: `1/4 x` is a quarter of x, as it looks."""
_WITH_ARGUMENTS = re.compile(r"\\(frac|binom|sqrt)(?![a-zA-Z])")


@lru_cache(maxsize=2048)
def tidy(text: str) -> str:
    """The same answer in one spelling; linear in the length of `text`, up to nested commands."""
    text = re.sub(r"(?<=\d)[ \t]*\n\s*(?=-?\d)", ", ", text)  # one value a line
    text = re.sub(r"\s+", " ", plain_characters(without_markup(text)))
    text = re.sub(r"\\\\\[[^\]]{0,12}\]", r"\\\\", text)  # a line break with a height
    text = unwrapped_latex(re.sub(r"(?<!\\)\\[()\[\]]", " ", text))
    text = _THOUSANDS.sub(lambda match: re.sub(r"[^\d]", "", match[0]), text)
    text = re.sub(r"(?<=\d)\{,\}(?=(?:\d{1,2}|\d{4,})(?!\d))", ".", text)  # a decimal comma
    text = re.sub(r" {2,}", " ", _SPACES.sub(" ", text.replace(r"\!", "")))
    text = re.sub(r"(?<!\\)\$", "", text)
    text = re.sub(r"\\(?:sim|cong)(?=\s*-?\d)", r"\\approx ", re.sub(r"(?<=\d)\{:\}", ":", text))
    text = re.sub(r"\{([^{}]{1,80})\\choose(?![a-z])([^{}]{1,80})\}", r"\\binom{\1}{\2}", text)
    text = re.sub(r"(?<![\w\\}])\{([+-])\}", r"\1", text)
    text = _names(text)
    text = _words(text)
    text = _arguments(_operators(text))
    return trim(text)


def trim(text: str) -> str:
    """`text` without outer space, markup, useless braces and sentence punctuation."""
    before = None
    while before != text:
        before = text
        text = text.strip(' \t\n\r*`"')
        if text.endswith("\\"):
            text = text.rstrip("\\")
        if not text.endswith("..."):
            text = text.rstrip(".,;:") if not text.endswith("\\;") else text
        text = text.lstrip(":,;").removeprefix("=")
        if text.startswith("{") and _closing(text, 0) == len(text) - 1:
            text = text[1:-1]
    return text


def canonical(text: str) -> str:
    """`text` without spaces that carry no meaning: equal results are equal answers."""
    text = re.sub(r"\s+", " ", text)
    return re.sub(r"(?<![0-9A-Za-z]) | (?![0-9A-Za-z])", "", text)


def has_angle(text: str) -> bool:
    r"""Whether degrees in `text` belong to the argument of a function, as in `\sin 30\degree`."""
    return (
        re.search(r"(?:\\(?:sin|cos|tan|cot|sec|csc)|cis\}?)(?![a-zA-Z])[^+]*\\degree", text)
        is not None
    )


def unboxed(text: str) -> str:
    r"""`text` without `\boxed{}` around all or part of it."""
    for _ in range(8):
        match = re.search(r"\\(?:boxed|fbox)\s*\{", text)
        if match is None:
            break
        end = _closing(text, match.end() - 1)
        if end is None:
            break
        text = text[: match.start()] + text[match.end() : end] + text[end + 1 :]
    return text


def _names(text: str) -> str:
    text = re.sub(r"\\([a-zA-Z]+)\*?", lambda match: _NAMES.get(match[1], match[0]), text)
    text = re.sub(r"\\math(?:rm|normal)\s*\{\s*([eid])\s*\}", r"\1", text)
    text = re.sub(r"\\(?:mathrm|mathnormal)(?![a-zA-Z])", r"\\text", text)
    text = re.sub(r"\\(?:textcolor|color)\s*\{[^{}]*\}", "", text)
    text = re.sub(r"\\operatorname\s*\{\s*([a-zA-Z]+)\s*\}", _operator, text)
    text = re.sub(r"\{\s*\}\s*(?=\^\s*\{?\s*\\?(?:circ|degree|o\b))", "", text)
    return _DEGREE.sub(r"\\degree ", text)


def _operator(match: re.Match[str]) -> str:
    name = match[1]
    known = re.fullmatch(_FUNCTIONS, name) or name in {"lcm", "gcd", "max", "min", "det"}
    return rf"\{name} " if known else rf"\text{{{name}}}"


def _words(text: str) -> str:
    for _ in range(3):  # text inside text
        text, before = _TEXT.sub(_word, text), text
        if text == before:
            break
    text = re.sub(r"\s*(?:\\%|\bper\s?cent(?:age)?s?\b|\bpct\b)", "%", text)
    return re.sub(r"(?<=[\d}\w)])\s*\bdegrees?\b(?:\s+Celsius\b)?", _degrees, text)


def _degrees(match: re.Match[str]) -> str:
    return r"\degree \text{C}" if "Celsius" in match[0] else r"\degree "


_SPELLED = {
    "and": " and ", "or": " or ", "und": " and ", "et": " and ", "y": " and ", "oder": " or ",
    "ou": " or ", "as well as": " and ", "hex": "hex", "": " ",
    "degree": r"\degree ", "degrees": r"\degree ",
    "deg": r"\degree ",
    **dict.fromkeys(("percent", "per cent", "percentage", "pct", "%", r"\%"), "%"),
}  # fmt: skip


def _word(match: re.Match[str]) -> str:
    word = " ".join(match[1].split())
    bare = word.strip(" .,;:").lower()
    if not bare and re.search("[,:]", word):
        return ":" if ":" in word else ", "
    if bare in _SPELLED:
        return _SPELLED[bare]
    if _ROUGHLY.fullmatch(bare):
        return r"\approx "
    return _phrase(match, word)


_ROUGHLY = re.compile(r"(?:or |that is |which is )?(?:approximately|approx|about|roughly)")


def _phrase(match: re.Match[str], word: str) -> str:
    r"""What `\text{}` around several words becomes: lists are split, values set free."""
    if re.fullmatch(r"[A-J](?:\s*(?:,|and|or|&)\s*[A-J])+", word):
        return ", ".join(re.findall(r"(?<![a-z])[A-J](?![a-z])", word))
    if re.fullmatch(r"[^A-Za-z]*", word) or "\\" in word:
        return word
    joined = re.fullmatch(r"(.*?)[ ,]+(and|or|und|oder|et|ou)", word)
    if joined is not None and match[1].endswith(" "):
        return rf"\text{{{joined[1]}}} {_SPELLED[joined[2]]} "
    if re.search(r"[A-Za-z]\s*[,;]\s*[A-Za-z]", word) and not re.search(r"\d", word):
        return ", ".join(rf"\text{{{part.strip()}}}" for part in re.split("[,;]", word))
    if re.match(r"\d", word) or (re.search(r"\d", word) and " " in word):
        return f" {word} "  # a value with words around it
    return rf"\text {{{word}}}" if match[0].startswith(r"\text{") else rf"\text{{{word}}}"


def _operators(text: str) -> str:
    text = re.sub(r"\\text \{", r"\\text{", text)
    text = text.replace("**", "^").replace("*", r"\cdot ").replace("<=", r"\le ")
    text = text.replace(">=", r"\ge ").replace("!=", r"\ne ").replace(":=", "=")
    text = re.sub(r"\\log\s*_\s*(?:\{\s*e\s*\}|e(?![A-Za-z]))", r"\\ln ", text)
    text = re.sub(r"(?<=\\cdot)\s*\{(\d+)\}", r" \1", text)
    text = re.sub(r"(\\mathbb\s*\{R\})\s*-\s*(?=\\\{)", r"\1 \\setminus ", text)
    text = _QUOTIENT_BEFORE.sub(r"\\frac{\1}{\2} ", text)
    text = _outside_text(text)
    text = re.sub(r"([\^_])\s*([+-]?\d+)(?!\d)", r"\1{\2}", text)
    text = re.sub(
        r"(?<=\d)\.(?=\s*(?:[/}a-zA-Z+*-]|\\(?!overline|dots|dot|bar|overset))|\s*$)", "", text
    )
    return re.sub(r"\s+", " ", text)


def _outside_text(text: str) -> str:
    """Give functions written as plain words their backslash, except inside text."""
    parts = re.split(r"(\\text\{[^{}]*\})", text)
    for at in range(0, len(parts), 2):
        part = _BARE_FUNCTION.sub(_function, parts[at])
        parts[at] = _power_of_bracket(part)
    return "".join(parts)


def _function(match: re.Match[str]) -> str:
    name = {"oo": "infty", "infinity": "infty"}.get(match[1], match[1])
    return rf"\{name} "


def _power_of_bracket(text: str) -> str:
    """`x^(n+1)` and `sqrt(2)` with braces in place of the brackets."""
    out, at = [], 0
    for match in re.finditer(r"(?:\^|\\sqrt)\s*\(", text):
        end = _closing(text, match.end() - 1) if match.start() >= at else None
        if end is not None:
            head = "^" if match[0][0] == "^" else r"\sqrt"
            inner = _power_of_bracket(text[match.end() : end])
            out.append(f"{text[at : match.start()]}{head}{{{inner}}}")
            at = end + 1
    return "".join([*out, text[at:]])


def _arguments(text: str) -> str:
    r"""Braces around the arguments of `\frac43`, `\sqrt2` and the like, innermost first."""
    for match in reversed(list(_WITH_ARGUMENTS.finditer(text))):
        at = match.end()
        if match[1] == "sqrt":
            order = re.match(r"\s*\[[^\[\]]*\]", text[at:])
            at += order.end() if order else 0
        pieces = []
        for _ in range(1 if match[1] == "sqrt" else 2):
            piece, at = _argument(text, at)
            pieces.append(piece)
        if all(pieces):
            head = text[: match.end()] + (order[0].strip() if match[1] == "sqrt" and order else "")
            text = head + "".join(f"{{{piece}}}" for piece in pieces) + text[at:]
    return text


def _argument(text: str, at: int) -> tuple[str, int]:
    """The argument that starts at `at` without its braces, and where it ends; empty if none."""
    while at < len(text) and text[at] == " ":
        at += 1
    if at >= len(text) or text[at] in "}^_&,=":
        return "", at
    if text[at] == "{":
        end = _closing(text, at)
        return ("", at) if end is None else (text[at + 1 : end].strip() or " ", end + 1)
    if text[at] == "\\":
        match = re.match(r"\\[a-zA-Z]+(?:\{[^{}]*\}){0,2}", text[at:])
        return (match[0], at + match.end()) if match else ("", at)
    return text[at], at + 1


def _closing(text: str, start: int) -> int | None:
    """Where the bracket at `start` closes, counting its own kind only; None if it does not."""
    opener = text[start]
    closer = {"{": "}", "(": ")", "[": "]"}[opener]
    depth, at = 0, start
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 1
        elif char == opener:
            depth += 1
        elif char == closer:
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None
