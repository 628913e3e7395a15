r"""Quantities: a value with its unit, percent, currency, angle or time of day.

A unit is what stands in `\text{}` behind a value, or a unit's plain name, with powers, quotients
and brackets. A single plain letter is a unit only behind a space, and only where the gold has no
letters: `5m` may be five times m. Words that make a bound of a number ("6 or fewer") are no unit.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_GROUPS = {
    "m": "m meter meters metre metres", "cm": "cm centimeter centimeters centimetre centimetres",
    "mm": "mm millimeter millimeters", "km": "km kilometer kilometers kilometre kilometres",
    "nm": "nm nanometer nanometers", "in": "in inch inches", "ft": "ft foot feet",
    "yd": "yd yard yards", "mi": "mi mile miles", "g": "g gram grams gm",
    "kg": "kg kilogram kilograms kilo kilos", "mg": "mg milligram milligrams",
    "lb": "lb lbs pound pounds", "oz": "oz ounce ounces", "ton": "ton tons tonne tonnes",
    "s": "s sec secs second seconds", "min": "min mins minute minutes", "h": "h hr hrs hour hours",
    "day": "day days", "week": "week weeks", "month": "month months", "year": "year years yr yrs",
    "L": "L l liter liters litre litres", "mL": "mL ml milliliter milliliters",
    "gal": "gallon gallons gal", "quart": "quart quarts", "cup": "cup cups",
    "rad": "rad radian radians", "dollar": "dollar dollars USD bucks US", "cent": "cent cents",
    "euro": "euro euros EUR", "yen": "yen JPY yuan RMB CNY", "rupee": "rupee rupees Rs INR",
    "mph": "mph", "J": "J joule joules", "N": "N newton newtons", "W": "W watt watts",
    "Hz": "Hz hertz", "Pa": "Pa pascal pascals", "F": "F farad farads", "sr": "sr",
    "dyn": "dyn dyne dynes", "gauss": "gauss", "M": "M molar", "u": "u amu Da", "B": "byte bytes",
    "K": "K kelvin kelvins", "eV": "eV", "V": "V volt volts",
    "A": "A amp amps ampere amperes", "C": "C coulomb coulombs", "mol": "mol mole moles",
    "erg": "erg ergs", "AU": "AU au", "pc": "pc parsec parsecs", "ly": "ly", "atm": "atm",
    "bar": "bar",
    "T": "T tesla", "ohm": "ohm ohms", "angstrom": "angstrom angstroms",
    "arcsec": "arcsec arcseconds", "kph": "kph kmh",
}  # fmt: skip
UNITS = {name: unit for unit, names in _GROUPS.items() for name in names.split()}
_PLAIN = sorted((name for name in UNITS if len(name) > 1), key=len, reverse=True)
_SINGLE = sorted(name for name in UNITS if len(name) == 1)
_BASES = "m g s A K mol J N W Hz Pa V F C T eV L ohm bar pc ly yr M B"
_PREFIXES = "f p n u m c d k M G T"
_PREFIXED = {
    name: name
    for name in (prefix + base for base in _BASES.split() for prefix in _PREFIXES.split())
}
UNITS = _PREFIXED | UNITS
_COMMON = "kJ keV MeV GeV kW kHz MHz GHz kPa ms Mpc kpc"
_PLAIN += [name for name in _COMMON.split() if name not in _PLAIN]
_POWER = r"(?:\s*\^\s*\{?\s*-?\s*\d(?:\s*/\s*\d)?\s*\}?)?"
_TEXT = rf"(?:\\mu\s*)?\\text\{{[^{{}}]*\}}(?:\s*\\(?:Omega|ohm)(?![a-zA-Z]))?{_POWER}"
_SYMBOL = (
    r"(?:\\mu\s*(?:[mgsFCAVLNJW]|\\text\{[^{}]*\})(?![A-Za-z])|k?\\Omega|\\ohm|\\AA|\\mathring\{A\}"
    r"|(?:[RMLD]|\\text\s*\{\s*[RMLD]\s*\})\s*_\s*\{?\s*\\(?:odot|oplus|text\{sun\})\s*\}?|\\degree\s*[CFK](?![A-Za-z]))"
)
_ATOM = rf"(?:{_TEXT}|(?:{_SYMBOL}|(?<![A-Za-z\\])(?:{'|'.join(_PLAIN)})(?![A-Za-z])){_POWER})"
_LINK = r"(?:\s|/|\\cdot(?![a-z])|\bper\b)*"
_FRACTION = r"\\frac\s*\{\s*\\text\{[^{}]*\}\s*\}\s*\{\s*\\text\{[^{}]*\}" + _POWER + r"\s*\}"
_TEXTS = rf"(?:{_TEXT}|\(\s*{_TEXT}(?:{_LINK}{_TEXT})*\s*\){_POWER}|{_FRACTION})"
_ATOMS_LOOSE = rf"(?:{_ATOM}|\(\s*{_ATOM}(?:{_LINK}{_ATOM})*\s*\){_POWER}|{_FRACTION})"
_SINGLES = rf"(?<=[\d}}) ])\s(?:{'|'.join(_SINGLE)}){_POWER}(?![A-Za-z])"
_TEXT_TAIL = re.compile(rf"((?:{_LINK}{_TEXTS})+)\s*$")
_LOOSE_TAIL = re.compile(
    rf"((?:{_LINK}{_ATOMS_LOOSE}|{_SINGLES}|/\s?(?:{'|'.join(_SINGLE)}){_POWER}(?![A-Za-z]))+)\s*$"
)
_WORD_TAIL = re.compile(r"(?<=[\d})%\s])\s*([A-Za-z][A-Za-z']+(?:[\s-]+[A-Za-z'/]+){0,5})$")
_IDEOGRAPHS = re.compile(
    r"\s*(?:\\text\s*\{\s*)?[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{1,12}\s*\}?$"
)
_IDEOGRAPHS_BEFORE = re.compile(r"^(?:\\text\s*\{)?[\u4e00-\u9fff\s]{1,8}\}?\s*(?=[\d\\(-])")
_REMARK = re.compile(r"\s\(\s*(?:\\text\{[^{}]*\}|[A-Za-z][A-Za-z' ]{2,})\s*\)$")
_BOUND = re.compile(
    r"(?<![A-Za-z])(?:(?:or|and)\s+(?:[a-z]+\s+)?(?:fewer|less|more|greater|higher|lower|above|below|over"
    r"|under|up|upwards|bigger|larger|smaller|beyond|older|younger|longer|shorter|earlier|later)"
    r"|at\s+(?:least|most)|than|not|except|ish|excluded|exclusive|maximum|minimum|or\s+so)(?![A-Za-z])",
    re.IGNORECASE,
)
_CURRENCY = re.compile(
    r"(-?)\s*(?:(?:\\text\s*\{\s*)?(?:US|CAD|AUD|CA|AU|A|C|HK|NZ|S|R)?\s*\}?\s*\\\$"
    r"|\\text\s*\{\s*(euro|pound|yen|rupee|EUR|GBP|USD|Rs)\.?\s*\}|(EUR|GBP|USD|INR|CAD|AUD|Rs)\.?(?![A-Za-z]))\s*"
)
_LEAD_WORDS = (
    "about|approximately|approx|around|roughly|exactly|only|both|just|simply|ca|circa|answer|final|the|is|a|total|of|equals|equal|to"
    "|it|there|are|we|get|therefore|thus|so|hence|value|result|be|length|area|volume|sum|USD|Rs"
)
_LEAD = re.compile(
    rf"^(?:(?:(?:{_LEAD_WORDS})(?![A-Za-z])|\\text\{{[^{{}}]*[:=]\s*\}}|\\text\{{(?:(?:{_LEAD_WORDS})\s*)+\}}|\\approx)[\s:]*)+(?=[^\s])",
    re.IGNORECASE,
)
_MULTIPLIERS = {
    "hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12,
}  # fmt: skip
_ATOMS = re.compile(
    r"(/|\bper\b)?\s*(?:\\cdot)?\s*(?:\\text\{([^{}]*)\}|([A-Za-z]+))(?:\s*\^\s*\{?\s*(-?\d)\s*\}?)?"
)


LONGEST_UNIT = 240
_NO_UNIT = {
    "dozen",
    "times",
    "more",
    "less",
    "fewer",
    "plus",
    "minus",
    "base",
    "factorial",
    "squared",
}


class ValueWithUnit(NamedTuple):
    """A value without what stands around it.

    Attributes:
        value: The value's own text.
        unit: Unit in one spelling, such as `cm^2` or `g m^-3`; None without a known one.
        power: Power of ten that a word such as `million` stands for.
    """

    value: str
    unit: str | None
    power: int = 0


def measure(text: str, *, loose: bool) -> ValueWithUnit:
    """`text` without unit and words; `loose` also takes plain words and letters for units."""
    priced = _CURRENCY.match(text)
    if priced is not None and re.match(r"[\d.\\(-]", text[priced.end() :]):
        unit = unit_name(priced[2] or priced[3] or "dollar")
        return measure(priced[1] + text[priced.end() :], loose=loose)._replace(unit=unit)
    if text.endswith(r"\$"):
        return ValueWithUnit(text[:-2].strip(), "dollar^1")
    if loose:
        text = re.sub(r"(?<=[a-z])\.(?=\s|$)", "", _LEAD.sub("", text))
        text = re.sub(r"^(?:minus|negative)\s+(?=[\d\\.])", "-", text)
        if _CURRENCY.match(text) and not text.startswith(r"\text{"):
            return measure(text, loose=loose)
    text = text if _BOUND.search(text) else _REMARK.sub("", text)
    text = _IDEOGRAPHS_BEFORE.sub("", text)
    behind = _IDEOGRAPHS.search(text)
    if behind is not None and re.search(r"[\d)}%]$", text[: behind.start()]):
        text = text[: behind.start()]
    # A unit is short: looking at the end alone keeps the search linear.
    match = (_LOOSE_TAIL if loose else _TEXT_TAIL).search(text, max(0, len(text) - LONGEST_UNIT))
    if match is not None and _can_be_value(text[: match.start()]):
        return _measured(text[: match.start()].strip(), match[1])
    if loose:
        words = _WORD_TAIL.search(text)
        if words is not None and re.search(r"\d", text[: words.start()]):
            return _measured(text[: words.start()].strip(), words[1])
    return ValueWithUnit(text, None)


def unit_name(text: str) -> str | None:
    """One spelling of a unit in words, symbols or LaTeX; None if it is not known."""
    powers: dict[str, int] = {}
    text = text.replace(r"\degree", r"\text{degree}").replace("$", "")
    text = re.sub(r"\\mu\s*(?:\\text\{\s*)?", r"\\text{u", text) if r"\mu" in text else text
    text = re.sub(
        r"(?:\\text\{([kMGm]?)\}\s*|(?<![A-Za-z])([kMGm]?))\\(?:Omega|ohm)",
        r"\\text{\1\2ohm}",
        text,
    )
    text = re.sub(r"\\AA|\\mathring\{A\}", r"\\text{angstrom}", text)
    text = re.sub(
        r"(?:\\text\{\s*)?([RMLD])\}?\s*_\s*\{?\s*\\(odot|oplus|text\{sun\})\s*\}?",
        r"\\text{\1\2}",
        text,
    )
    text = re.sub(r"/\s*\(([^()]*)\)", lambda m: "/" + m[1], text)  # all behind a slash is below
    text = re.sub(r"\\frac\s*\{(.*?)\}\s*\{(\s*\\text\{.*)\}", r"\1/\2", text)
    text = re.sub(r"\\text\{([^{}]*)\}", lambda match: rf" {match[1].replace('.', '')} ", text)
    factor = sign = 1
    for divided, _, word, power in _ATOMS.findall(text):
        sign = -1 if divided else sign
        if word in {"square", "sq", "cubic", "cu", "squared", "cubed"}:
            factor = 2 if word.startswith("sq") else 3
            last = next(reversed(powers), None)
            if word.endswith("ed") and last:
                powers[last] *= factor
                factor = 1
            continue
        unit = {"degree": "degree", "degrees": "degree"}.get(word) or UNITS.get(word)
        unit = unit or UNITS.get(word.lower())
        if unit is None:
            return None
        powers[unit] = powers.get(unit, 0) + sign * factor * int(power or 1)
        factor = 1
    return " ".join(f"{unit}^{power}" for unit, power in sorted(powers.items())) or None


def _measured(value: str, tail: str) -> ValueWithUnit:
    plain = re.sub(r"\\text\{([^{}]*)\}", r"\1", tail)
    words = plain.split()
    if _BOUND.search(plain):
        return ValueWithUnit(f"{value} {tail.strip()}", None)
    if words and words[0].lower() in _MULTIPLIERS:
        rest = " ".join(words[1:])
        return ValueWithUnit(value, unit_name(rest), _MULTIPLIERS[words[0].lower()])
    if words and words[0].lower() in _NO_UNIT:
        return ValueWithUnit(f"{value} {tail.strip()}", None)
    return ValueWithUnit(value, unit_name(tail))


def _can_be_value(text: str) -> bool:
    text = text.rstrip()
    return bool(text) and bool(re.search(r"[\dA-Za-z})\]|!%]$", text)) and not text.endswith("text")


_CLOCK = re.compile(
    r"(\d{1,2})(?:\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?)?\s*(?:o'?clock)?\s*"
    r"(?:(?:in\s+the\s+)?(am|pm|morning|afternoon|evening|noon|midnight|h|hrs|uhr|hours)(?:\s+est)?)?"
)
_MAY_BE_CLOCK = re.compile(
    r"^.{0,20}\d\s*\{?:\}?\s*\d|(?:m\.?|noon|midnight|ing)\s*\}?$", re.IGNORECASE
)
_HALVES = {"am": 0, "morning": 0, "midnight": 0, "pm": 1, "afternoon": 1, "evening": 1, "noon": 1}


def clock(text: str) -> tuple[int, int, int | None] | None:
    """Hour (0-23), seconds within it, and half of the day of a time; None for anything else.

    The half is 0 before noon, 1 after, None where it is not said; hours from 13 on say it.
    """
    if not _MAY_BE_CLOCK.search(text):
        return None
    plain = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", text)
    plain = re.sub(r"^(\s*\d{1,2})\.(\d\d)(?=\s*[ap]\.?\s?m)", r"\1:\2", plain, flags=re.IGNORECASE)
    plain = plain.replace(".", "").replace("\\", "")
    plain = " ".join(plain.lower().split())
    if plain in {"noon", "midnight"}:
        return (12, 0, 1) if plain == "noon" else (0, 0, 0)
    plain = re.sub(r"\b([ap])\s?m\b", r"\1m", plain)
    match = _CLOCK.fullmatch(plain)
    if match is None or (match[2] is None and _HALVES.get(match[4] or "") is None):
        return None
    hour, seconds = int(match[1]), 60 * int(match[2] or 0) + int(match[3] or 0)
    half = _HALVES.get(match[4] or "")
    if hour > 23 or int(match[2] or 0) > 59 or int(match[3] or 0) > 59:
        return None
    if half is not None:
        return (hour % 12 + 12 * half, seconds, half) if hour > 0 else None
    return hour, seconds, (1 if hour > 12 else 0 if hour == 0 else None)


_ANGLE = re.compile(
    r"(-?)\s*(\d+)\s*\\degree\s*(\d+(?:\.\d+)?)\s*(?:'|\^\s*\{?\s*\\prime\s*\}?|\\text\{\s*(?:min|arcmin)[a-z]*\s*\})"
    r"\s*(?:(\d+(?:\.\d+)?)\s*(?:''|\"|\^\s*\{?\s*\\prime\s*\\prime\s*\}?|\\text\{\s*(?:sec|arcsec)[a-z]*\s*\}))?"
)


def angle(text: str) -> Fraction | None:
    """The degrees that degrees, minutes and seconds of arc come to; None for anything else."""
    match = _ANGLE.fullmatch(text.strip())
    if match is None:
        return None
    size = Fraction(match[2]) + Fraction(match[3]) / 60 + Fraction(match[4] or 0) / 3600
    return -size if match[1] else size
