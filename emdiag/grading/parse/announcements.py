r"""How a completion says that its answer follows, in five languages, kept as data.

An announcement is a noun ("the final answer", "la respuesta") with a verb or a colon behind it, or
stands alone on its line; a few tokens announce by themselves (`####`, `<answer>`). A sentence
states its answer behind its verb: "the smallest such k is 58".
"""

from __future__ import annotations

import re
from collections import deque

_NOUNS = {
    "english": r"(?:(?:final|correct|right|required|desired|numerical)\s{1,8}){0,2}answers?"
    r"|(?:correct|right)\s{1,8}(?:option|choice|alternative)|final\s{1,8}result",
    "german": r"(?:(?:endg\u00fcltige|richtige|korrekte)\s{1,8})?antwort|endergebnis|ergebnis"
    r"|l\u00f6sung(?=\s{1,3}(?:ist|lautet))",
    "french": r"r\u00e9ponses?(?:\s{1,8}(?:finale|correcte|exacte))?"
    r"|r\u00e9sultat(?:\s{1,8}final)?",
    "spanish": r"respuestas?(?:\s{1,8}(?:final|correcta))?|resultado(?:\s{1,8}final)?",
}
_VERBS = {
    "english": r"is|are|equals?|(?:should|must|will|would)\s+be|to\s+be|comes\s+out\s+(?:to|as)",
    "german": r"ist|sind|lautet|betr\u00e4gt|w\u00e4re",
    "french": r"est|sont|vaut|serait",
    "spanish": r"es|son|ser\u00eda|vale",
}
_CHINESE = (
    "(?:\u6700\u7ec8|\u6700\u540e|\u6b63\u786e)?\u7684?(?:\u7b54\u6848|\u7ed3\u679c|\u9009\u9879|\u7b54)"
    "\\s{0,4}(?:\u9009|\u5e94\u8be5\u662f|\u5e94\u4e3a|\u5e94\u662f|\u7b49\u4e8e|\u662f|\u4e3a|[:\uff1a=])\\s{0,4}[:\uff1a]?"
    "|\u6545\\s{0,2}(?:\u9009\u62e9?|\u7b54\u6848)\\s{0,2}[:\uff1a\u4e3a\u662f]{0,2}"
    "|(?:\u56e0\u6b64|\u6240\u4ee5|\u5e94)\u9009\u62e9?\\s{0,2}[:\uff1a]?|\u6240\u6c42(?:\u4e3a|\u662f|\u5f97)"
)
_CHINESE_VERBS = "\u662f|\u4e3a|\u7b49\u4e8e"
_NOUN = "|".join(_NOUNS.values())
_VERB = "|".join(_VERBS.values())
_OF = r"(?:\s{1,4}(?:to|of|for|in|der|des|auf|zu|du|de|\u00e0|au|al|del|a)\s[^\n.:=?!]{1,60}?)?"
_ANNOUNCED = re.compile(
    rf"(?<![A-Za-z])(?:{_NOUN})(?![A-Za-z])\*{{0,4}}\s{{0,8}}(?:\([^()\n]{{0,40}}\)\s{{0,8}})?"
    rf"(?:{_OF}\s{{0,4}}\*{{0,3}}\s{{0,4}}(?:\b(?:{_VERB})\b|=|[:\uff1a])\**\s*:?)"
    rf"|^[^\w\n]{{0,12}}(?:{_NOUN})[^\w\n]{{0,12}}$"
    rf"|^[^\w\n]{{0,12}}(?:{_NOUN})\s{{0,4}}[-\u2013\u2014\u2192]+\s"
    rf"|{_CHINESE}"
    r"|^####|<answer>",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(
    r"\n|</answer>|\.\s|\.$|\u3002|\s(?:because|since|which|as we|so that|denn|weil|car"
    r"|puisque|porque|ya que)\s|,\s(?:because|since|where|which|so that|but|not|rather)\s"
    r"|\. ?I hope",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:therefore|thus|then|simply|just|clearly|indeed|that|given by|equal to|option|choice|also"
    r"|donc|por tanto)\b[:,\s]*",
    re.IGNORECASE,
)
_DISPLAY = re.compile(r"(\\\[|\$\$)([\s\S]{1,380}?)(?:\\\]|\$\$)")
_BEGIN = re.compile(r"\\begin\{([a-z]{1,12}\*?)\}[\s\S]{1,380}?\\end\{\1\}")
_REVERSED = re.compile(
    r"(?:^|[\s,(])(\*\*[^*\n]{1,60}\*\*|\$[^$\n]{1,80}\$|\\\([^\n]{1,80}?\\\)|-?[\w./]{1,30})\s{1,3}(?:is|are)"
    r"\s{1,3}(?:the|our|my)\s{1,3}(?:final\s|correct\s|required\s)?answers?(?![A-Za-z])"
    r"|(?:option|choice)\s{1,3}\(?([A-J])\)?\s{1,3}is\s{1,3}(?:the\s)?(?:correct|right)",
    re.IGNORECASE,
)
LOOKED_AT = 400
"""Characters behind an announcement that can be the answer."""

LIMITS = (
    "fewer|less|more|least|most|greater|bigger|larger|smaller|higher|lower|under|above|below|over"
    "|up|upwards|than|not|except|without|beyond|exceeding|between|never|neither|nor|no|nearly|almost"
    "|beyond|minus|plus|cannot|isn't|aren't|wrong|incorrect|maybe|perhaps|either|unknown|multiple"
    "|multiples|divisible|anything|weniger|mehr|mindestens|h\u00f6chstens|moins|plus|menos|m\u00e1s|nicht"
)
"""Words that make a number a bound, a guess or a denial."""
_LIMIT = re.compile(rf"(?<![A-Za-z])(?:{LIMITS})(?![A-Za-z])", re.IGNORECASE)
_STATES = re.compile(
    rf"(?<![A-Za-z\\])(?:is|are|equals?|was|were|be|becomes|gives|has|have|needs?|costs?|takes?|pays|earns|gets|contains|{'|'.join(list(_VERBS.values())[1:])}"
    rf"|is\s+equal\s+to|equal\s+to|is\s+given\s+by)(?:\s+(?:equal\s+to|exactly|just|simply|therefore|thus))?(?![A-Za-z])"
    rf"|(?:{_CHINESE_VERBS})",
    re.IGNORECASE,
)
_JOINS = re.compile(r"[,;]|(?<![A-Za-z])(?:and|or|but|while|und|oder|et|ou|y|o)(?![A-Za-z])", re.I)


def last_announcement(text: str) -> re.Match[str] | None:
    """Where the last words of `text` stand that announce an answer; None without any."""
    return next(iter(deque(_ANNOUNCED.finditer(text), maxlen=1)), None)


def first_announcement(text: str, start: int, end: int) -> re.Match[str] | None:
    """The first words of a part of `text` that announce an answer; None without any."""
    return _ANNOUNCED.search(text, start, end)


def announced_span(text: str, announcement: re.Match[str]) -> tuple[int, int]:
    """Where the answer behind an announcement begins and ends; equal ends where none is there."""
    start = announcement.end()
    rest = text[start : start + LOOKED_AT]
    gap = len(rest) - len(rest.lstrip(" \t*:\uff1a\n_"))
    start, rest = start + gap, rest[gap:]
    shown = _DISPLAY.match(rest) or _BEGIN.match(rest)
    if shown is not None:
        return start, start + shown.end()
    end = _END.search(rest)
    stop = end.start() if end else len(rest)
    filler = _FILLER.match(rest)
    if filler is not None and filler.end() < stop:
        return start + filler.end(), start + stop
    return start, start + stop


def reversed_span(text: str) -> tuple[int, int] | None:
    """Where the answer of the last "31 is the answer" stands; None without such words."""
    last = next(iter(deque(_REVERSED.finditer(text), maxlen=1)), None)
    return None if last is None else last.span(1 if last[1] else 2)


def limits(text: str) -> bool:
    """Whether words of `text` make its value a bound, a guess or a denial."""
    return _LIMIT.search(text) is not None


def stated(text: str) -> str:
    r"""What a tidied sentence says that something is; `text` itself where it is no such sentence.

    `\text{The number of codes is} 64` says `64`. A sentence with several verbs joined by commas or
    "and" says several things, and one with "at least" or "not" says no value: both stay whole.
    """
    if not _STATES.search(text):
        return text
    masked = _BRACES.sub(lambda match: " " * len(match[0]), text)
    verbs = list(_STATES.finditer(masked))
    if not verbs or not _is_one_statement(masked, verbs[0], verbs[-1]):
        return text
    last = verbs[-1]
    tail = text[last.end() :].lstrip(" :,")
    if not tail.strip(" .:{}"):
        return text
    is_inside = text[: last.end()].rfind(r"\text{") > text[: last.end()].rfind("}")
    before, closed, after = tail.partition("}")
    if not is_inside or not closed:
        return tail
    before = before.strip(" :,")
    return (rf"\text{{{before}}} {after}" if before else after).strip()


def _is_one_statement(masked: str, first: re.Match[str], last: re.Match[str]) -> bool:
    """Whether a sentence begins with words and says one thing of one subject."""
    if not _SUBJECT.match(masked[: last.start()]) or limits(masked):
        return False
    if _JOINS.search(masked[first.start() : last.start()]):
        return False
    return not _BEFORE_A_CONDITION.search(masked[: first.start()])


_BRACES = re.compile(r"\\text\{|[{}]")
_SUBJECT = re.compile(r"\s*(?:[A-Za-z]{2}|[Aa]\s|[\u4e00-\u9fff])")
_BEFORE_A_CONDITION = re.compile(
    r"[,;=]|(?<![A-Za-z])(?:since|because|where|when|whenever|if|provided|assuming)(?![A-Za-z])"
)
