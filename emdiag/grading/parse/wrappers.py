r"""What may stand around an answer and means nothing, kept as data.

Around a whole completion: thinking that is finished, tokens that end a turn, and the question that
a model then asks itself. Around a line: markdown. Around LaTeX: bold, boxes of text, environments
that only lay out, marks of a proof's end. Everything here is removed in time linear in the text.
"""

from __future__ import annotations

import re

_THINKING = re.compile(r"</(?:think|thinking|thought|reasoning)>")
_OPENED = re.compile(r"<(?:think|thinking|thought|reasoning)>")
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_TURN_END = re.compile(
    r"<[|\uff5c](?:[^<>|\uff5c\s]{0,20}(?:end|eot|eos|eom|stop|return|im_end)[^<>|\uff5c\s]{0,20})[|\uff5c]>"
    r"|</s>|<(?:eos|end_of_turn|end_of_text|end_of_utterance|eot|EOT|pad)>|\[(?:EOS|/INST)\]"
)
_TOKEN = re.compile(r"<[|\uff5c][^<>|\uff5c\s]{1,40}[|\uff5c]>|<(?:s|bos|start_of_turn)>|\[INST\]")
NEXT_QUESTION = re.compile(
    r"^[#* \t]{0,8}(?:(?:Next |New )?(?:Question|Problem)|Q|User|Human|Instruction"
    r"|Frage|Aufgabe|Pregunta|Problema|Probl\u00e8me|\u95ee\u9898|\u9898\u76ee)"
    r"\s{0,2}(?:\d{1,3}\s{0,2})?\*{0,2}\s{0,2}[:\uff1a]",
    re.MULTILINE,
)
"""A line at which another problem begins."""

_EMPHASIS = re.compile(
    r"(?<![\w*)\\])(\*{1,3})(?=[^\s*])([^*\n]{1,400}?)(?<=[^\s*])\1(?![\w*(])"
    r"|(?<![\w\\}$])(_{1,2})(?=[^\s_])([^_\n$]{1,200}?)(?<=[^\s_])\3(?![\w{(])"
)
_CODE = re.compile(r"`{1,3}([^`\n]{1,400})`{1,3}")

_BOLD = frozenset(
    [
        "mathbf",
        "boldsymbol",
        "bm",
        "pmb",
        "mathord",
        "mathbin",
        "mathop",
        "mathrel",
        "mathpunct",
        "underline",
        "uline",
        "uuline",
        "overbrace",
        "underbrace",
        "mathcal",
        "mathscr",
        "ensuremath",
        "bold",
        "Large",
        "large",
        "smash",
        "rlap",
        "llap",
        "mathllap",
        "mathrlap",
        "fcolorbox",
        "colorbox",
        "vcenter",
    ]
)
"""Commands around an argument that is read as it stands."""
_TEXT = frozenset(
    [
        "text",
        "textbf",
        "textit",
        "textrm",
        "textsf",
        "texttt",
        "textnormal",
        "emph",
        "mbox",
        "hbox",
        "mathit",
        "mathsf",
        "textup",
        "mathtt",
        "mathrm",
        "mathnormal",
        "textsc",
        "textmd",
    ]
)
_WRAPPED = re.compile(rf"\\(?:{'|'.join(sorted(_BOLD | _TEXT))})(?![a-zA-Z])")
_COMMAND = re.compile(r"\\([a-zA-Z]+)\*?\s{0,4}\{")
_ROWS = re.compile(
    r"\\begin\s{0,4}\{(aligned|align|alignat|gathered|gather|split|equation|multline|eqnarray"
    r"|displaymath|math|flalign|center|cases|array)(\*?)\}((?:\s{0,4}\{[^{}]{0,40}\})?)"
)
MARKS = re.compile(
    r"\\(?:checkmark|blacksquare|square|Box|qed|qedsymbol|QED|bigstar|blacklozenge)(?![a-zA-Z])"
    r"|[\u2713\u2714\u2705\u2611\u25a0\u25a1\u220e\u2b1b\u2b1c\u2b50\U0001f389\u2728\u25aa\u25fc]\ufe0f?"
)
_LEFT_RIGHT = re.compile(
    r"\\(?:left|right|middle)(?![a-zA-Z])\.?|\\(?:big|Big|bigg|Bigg)[lrm]?(?![a-zA-Z])"
)
_LAYOUT = re.compile(
    r"\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut|strut|rm|bf|it|sf|tt"
    r"|noindent|centering|relax|large|Large|huge|Huge|small|normalsize|bfseries|itshape|boldmath"
    r"|par|hline|notag|nonumber)(?![a-zA-Z])"
    r"|\\(?:label|tag|phantom|hphantom|vphantom|vspace|ref|eqref)\*?\{[^{}]*\}"
)
_DEEPEST = 60


def spoken(completion: str) -> tuple[int, int]:
    """Where the part of a completion that speaks to the reader begins and ends, in characters.

    It begins behind finished thinking and ends with the first turn. Where thinking is not finished
    nothing is said at all, and both ends are equal.
    """
    start, end = 0, len(completion)
    if "</" in completion or "<|" in completion or "<t" in completion or "<r" in completion:
        closed = [match.end() for match in _THINKING.finditer(completion)]
        start = closed[-1] if closed else 0
        start = max(start, completion.rfind(_FINAL_CHANNEL) + len(_FINAL_CHANNEL)
                    if _FINAL_CHANNEL in completion else 0)  # fmt: skip
        if _OPENED.search(completion, start):
            return end, end
    if "<" not in completion and "[" not in completion:
        return start, end
    for match in _TURN_END.finditer(completion, start):
        if completion[start : match.start()].strip():
            return start, match.start()
    return start, end


def without_markup(line: str) -> str:
    """A line without special tokens, markdown and emphasis, of the same meaning."""
    line = _TOKEN.sub(" ", line) if "<" in line or "[" in line else line
    if "`" not in line and "*" not in line and "_" not in line:
        return line
    line = _CODE.sub(r"\1", line) if "`" in line else line
    for _ in range(3):
        line, before = _EMPHASIS.sub(lambda match: match[2] or match[4], line), line
        if line == before:
            break
    return line


def unwrapped_latex(text: str) -> str:
    """LaTeX without layout, marks, boldness and environments that only lay out."""
    text = MARKS.sub(" ", text)
    if "\\begin" in text:
        text = _without_environments(text)
    if "\\" not in text:
        return text
    text = _LAYOUT.sub(" ", _LEFT_RIGHT.sub(" ", text))
    return _without_bold(text) if _WRAPPED.search(text) else text


def _without_bold(text: str) -> str:
    r"""`text` with `{x}` for `\mathbf{x}` and plain pieces of `\text{}` for text that holds LaTeX.

    Arguments are matched brace by brace, from the inside outwards.
    """
    if len(text) > 20_000:
        return text
    pieces: list[list[str]] = [[]]
    heads: list[str] = []
    at = 0
    while at < len(text):
        match = _COMMAND.match(text, at) if text[at] == "\\" else None
        if match is not None:
            heads.append(match[1])
            pieces.append([])
            at = match.end()
        elif text[at] == "\\":
            pieces[-1].append(text[at : at + 2])
            at += 2
        elif text[at] == "{":
            heads.append("")
            pieces.append([])
            at += 1
        elif text[at] == "}" and heads:
            inner = "".join(pieces.pop())
            pieces[-1].append(_group(heads.pop(), inner))
            at += 1
        else:
            pieces[-1].append(text[at])
            at += 1
    while heads:  # braces that never close stay as they are
        inner, head = "".join(pieces.pop()), heads.pop()
        pieces[-1].append((f"\\{head}{{" if head else "{") + inner)
    return "".join(pieces[0])


def _group(head: str, inner: str) -> str:
    if head in _BOLD:
        return f"{{{inner}}}" if inner.strip() else ""
    if head in _TEXT:
        return _text(head, inner)
    return f"\\{head}{{{inner}}}" if head else f"{{{inner}}}"


def _text(head: str, inner: str) -> str:
    r"""`\text{inner}` with formulas, commands and lone brackets taken out of it."""
    command = f"\\{head}{{"
    if head == "mathrm" and inner.strip() in {"e", "i", "d"}:
        return inner.strip()
    plain = inner.replace("\\ ", " ").replace("~", " ").replace("\\,", " ")
    plain = re.sub(r"\\[;:!]", " ", plain)
    lone = plain.count("(") != plain.count(")")
    if not re.search(r"[\\$^_{}]", plain) and not lone:
        return f"{command}{plain}}}"
    if re.fullmatch(r"\s*\\?[%$#&]\s*", plain):
        return plain
    out = []
    for piece in re.split(r"(\$[^$]*\$)", plain):
        if len(piece) > 1 and piece[0] == "$":
            out.append(f" {piece[1:-1]} ")
        else:
            out.append(_WORDS.sub(lambda match: _spaced(match, command), piece))
    return "".join(out)


_WORDS = re.compile(
    r"(\\[a-zA-Z]+\{[^{}]*\}|\\[a-zA-Z]+|\\.|[\^_]\s*\{[^{}]*\}|[\^_].)|([A-Za-z][A-Za-z'.,:;/ -]*)"
)


def _spaced(match: re.Match[str], command: str) -> str:
    return match[1] or f"{command}{match[2]}}}"


def _without_environments(text: str) -> str:
    """Rows of environments that only lay out, with commas between; matrices and cases stay."""
    for _ in range(8):
        match = None
        for match in _ROWS.finditer(text):  # noqa: B007 - the innermost is the last that opens
            pass
        if match is None:
            break
        closing = f"\\end{{{match[1]}{match[2]}}}"
        end = text.find(closing, match.end())
        if end < 0:
            break
        body = _rows(match[1], text[match.end() : end])
        if body is None:  # keep it, but do not find it again
            hidden = text[match.start() : end + len(closing)].replace("\\begin", "\\Begin")
            text = text[: match.start()] + hidden + text[end + len(closing) :]
            continue
        text = f"{text[: match.start()]} {body} {text[end + len(closing) :]}"
    return text.replace("\\Begin", "\\begin")


def _rows(name: str, body: str) -> str | None:
    rows = [""]
    for piece in re.split(r"(\\\\(?:\s*\[[^\]]{0,12}\])?)", body):
        inside = rows[-1].count("\\begin") + rows[-1].count("\\Begin") > rows[-1].count("\\end")
        if piece.startswith("\\\\") and not inside:
            rows.append("")
        else:
            rows[-1] += piece
    rows = [row.strip() for row in rows if row.strip()]
    if name == "array" and any("&" in row for row in rows):
        return None
    if name == "array" and len(rows) > 1 and not all("=" in row for row in rows):
        return None
    if name == "cases" and any(re.search(r"&.*[<>]|\\text|\\[lg]e|if", row) for row in rows):
        return None
    out = ""
    for row in rows:
        row = row if "\\begin" in row.replace("\\B", "\\b") else row.replace("&", " ").strip()  # noqa: PLW2901
        joins = re.match(
            r"=|<|>|\\(?:le|ge|leq|geq|approx|equiv|Rightarrow|implies)(?![a-zA-Z])", row
        )
        out += row if not out else f" {row}" if joins else f", {row}"
    return out
