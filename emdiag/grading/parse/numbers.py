r"""Numbers as they are written, compared exactly; no float takes part in any decision.

How close is close enough (`agreement`), in this order:

1. A stated absolute error (OlympiadBench) decides alone.
2. Equal numbers agree, however they are written. Whether a closed form is equal to anything is not
   decided here but by algebra, exactly: no number of digits makes two of them equal.
3. Tolerance `significant-digits` (Minerva): within 1 % of the gold, or within half a unit of the
   gold's last written digit where that is more, but never more than 5 %. Only a gold with a decimal
   point or an exponent says something by its last digit; 100 means 100.
4. Tolerance `exact`, a decimal in place of an exact gold (1/3, \sqrt2): at least four significant
   digits, rounded or cut at the last one written. A gold with a short decimal (up to six digits, as
   3/8 has) is written in full or it is wrong. An integer is never a rounded answer. A decimal of 16
   or more digits may be off by a unit of double precision: 0.7000000000000001 is what a program
   prints for 0.7.
5. Tolerance `exact`, an exact answer to a decimal gold (2\pi for 6.2832): it rounds to the gold,
   which has four significant digits or more; five where the answer is a longer decimal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emdiag.core.grades import Tolerance

MAX_EXPONENT = 5000
"""Powers of ten beyond this are compared as written and never expanded."""
ENOUGH_DIGITS = 4
SHORT_DIGITS = 6
FLOOR = Fraction(1, 100)
CEILING = Fraction(5, 100)
DOUBLE = Fraction(1, 2**52)
DOUBLE_DIGITS = 16

_DECIMAL = r"(?:\d+(?:\.\d*)?|\.\d+)"
_LITERAL = re.compile(rf"([+-]?)\s*({_DECIMAL})(?:[eE]([+-]?\d+))?(\s?\\dots|\.\.\.)?")
_SCIENTIFIC = re.compile(
    rf"([+-]?)\s*(?:({_DECIMAL})\s*(?:\\cdot|x|X)\s*)?10\s*\^\s*\{{\s*([+-]?)\s*(\d+)\s*\}}"
)
_GROUPED = re.compile(r"([+-]?)\s*(\d{1,3}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d+)?)")
_REPEATING = re.compile(
    r"([+-]?)\s*(\d*)\.(\d*)"
    r"(?:\\(?:overline|bar|dot|overset\{\.\})\s*(?:\{(\d+)\}|(\d))(?:(\d*)\\dot\s*\{?(\d)\}?)?|\((\d+)\))"
    r"(?:\s?\\dots|\.\.\.)?"
)
_FRACTION = re.compile(r"([+-]?)\s*\\frac\{([^{}]*(?:\{[^{}]*\}[^{}]*)*)\}\{([^{}]*)\}")
_MIXED = re.compile(r"([+-]?)\s*(\d+)\s*(?:\\frac\{(\d+)\}\{(\d+)\}|\s(\d+)\s?/\s?(\d+))")
_SLASH = re.compile(r"()([^/]+)/([^/]+)")  # the parts have their signs


@dataclass(frozen=True)
class Number:
    """A number as written.

    Attributes:
        mantissa, exponent: The value is `mantissa * 10**exponent`; no trailing zeros in `mantissa`.
        digits: Significant digits as written.
        last: Power of ten of the last digit written.
        decimal: Whether it has a decimal point or an exponent.
        cut: Whether dots say that more digits follow.
        ratio: The value where it is no decimal, such as 1/3; None otherwise.
    """

    mantissa: int
    exponent: int
    digits: int = 0
    last: int = 0
    decimal: bool = False
    cut: bool = False
    ratio: Fraction | None = None

    @property
    def value(self) -> Fraction | None:
        """The exact value; None where its exponent is too large to be expanded."""
        if self.ratio is not None:
            return self.ratio
        if abs(self.exponent) > MAX_EXPONENT:
            return None
        return self.mantissa * Fraction(10) ** self.exponent


@dataclass(frozen=True)
class Quantity:
    """A real value: as written, or worked out of a closed form (`number` is None)."""

    value: Fraction | None
    number: Number | None = None


def parse_number(text: str) -> Number | None:
    """The number that a tidied `text` is, as a whole; None for anything else."""
    text = text.strip()
    if not text or len(text) > 4096 or not re.search(r"\d", text):
        return None
    for notation, read in (
        *((_LITERAL, _literal), (_SCIENTIFIC, _scientific), (_GROUPED, _grouped)),
        *((_REPEATING, _repeating), (_MIXED, _mixed), (_FRACTION, _fraction), (_SLASH, _fraction)),
    ):
        match = notation.fullmatch(text)
        number = read(match) if match else None
        if number is not None:
            return number
    if text[0] == "(" and text[-1] == ")" and "(" not in text[1:]:
        return parse_number(text[1:-1])
    if re.match(r"[+-]\s*\(", text) and text[-1] == ")":
        inner = parse_number(text[1:].strip())
        return _negated(inner) if inner is not None and text[0] == "-" else inner
    return None


def same_number(left: Number, right: Number) -> bool:
    """Whether two numbers have exactly the same value, whatever their size."""
    if left.ratio is None and right.ratio is None:
        return (left.mantissa, left.exponent) == (right.mantissa, right.exponent)
    return left.value is not None and left.value == right.value


def shifted(number: Number, power: int) -> Number:
    """`number` times ten to the `power`."""
    if number.ratio is not None:
        return _ratio(number.ratio * 10**power)
    return replace(number, exponent=number.exponent + power, last=number.last + power)


def agreement(
    gold: Quantity, answer: Quantity, *, tolerance: Tolerance, error: str | None = None
) -> str | None:
    """How `answer` is close enough to `gold`, in words; None where it is not.

    The rules are in the module's docstring.
    """
    written = gold.number is not None and answer.number is not None
    if written and same_number(gold.number, answer.number):  # type: ignore[arg-type]
        return "the same number"
    if gold.value is None or answer.value is None:
        return None
    return _closeness(gold, answer, tolerance=tolerance, error=error)


def _closeness(
    gold: Quantity, answer: Quantity, *, tolerance: Tolerance, error: str | None
) -> str | None:
    assert gold.value is not None
    assert answer.value is not None
    apart = abs(gold.value - answer.value)
    bound = parse_number(error) if error else None
    if bound is not None and bound.value is not None:
        return f"within the error {error}" if apart <= abs(bound.value) else None
    if tolerance == "significant-digits":
        return "within 1 % or the gold's last digit" if apart <= _allowed(gold) else None
    if _is_double(answer, gold.value, apart) or _is_double(gold, answer.value, apart):
        return "the same in double precision"
    return "rounded at its last digit" if _is_rounded(gold, answer) else None


def is_near(gold: Quantity, answer: Quantity) -> bool:
    """Whether two values agree to 30 digits, so that only algebra can tell them apart."""
    if gold.value is None or answer.value is None:
        return True
    scale = max(abs(gold.value), abs(answer.value), Fraction(1, 10**40))
    apart = abs(gold.value - answer.value)
    return apart <= scale / 10**30 or max(abs(gold.value), abs(answer.value)) <= Fraction(1, 10**30)


def _is_rounded(gold: Quantity, answer: Quantity) -> bool:
    assert gold.value is not None
    if gold.number is not None and gold.number.decimal:
        return _rounds_to_gold(gold.number, answer)
    return answer.number is not None and _is_long_enough(gold.value, answer.number)


def _is_double(quantity: Quantity, other: Fraction, apart: Fraction) -> bool:
    """Whether a decimal has the digits of a double-precision number and is a unit from `other`."""
    number = quantity.number
    is_long = number is not None and number.decimal and number.digits >= DOUBLE_DIGITS
    is_short = number is not None and number.digits <= DOUBLE_DIGITS + 2
    return is_long and is_short and apart <= DOUBLE * abs(other)


def _allowed(gold: Quantity) -> Fraction:
    assert gold.value is not None
    size = abs(gold.value)
    if gold.number is None or not gold.number.decimal:
        return FLOOR * size
    half = Fraction(10) ** gold.number.last / 2
    return max(FLOOR * size, min(half, CEILING * size))


def _rounds_to_gold(gold: Number, answer: Quantity) -> bool:
    assert gold.value is not None
    assert answer.value is not None
    need = ENOUGH_DIGITS
    if answer.number is not None and answer.number.ratio is None:
        if not answer.number.decimal or answer.number.last >= gold.last:
            return False
        need += 1
    half_unit = Fraction(10) ** gold.last / 2
    return gold.digits >= need and abs(answer.value - gold.value) <= half_unit


def _is_long_enough(gold: Fraction, answer: Number) -> bool:
    need = ENOUGH_DIGITS - 1 if answer.cut else ENOUGH_DIGITS
    if not answer.decimal or answer.digits < need or _short_decimal(gold) or answer.value is None:
        return False
    unit = Fraction(10) ** answer.last
    left_out = abs(gold) - abs(answer.value)
    same_sign = (gold > 0) == (answer.value > 0)
    return same_sign and (abs(left_out) * 2 <= unit or 0 <= left_out < unit)


def _short_decimal(value: Fraction) -> bool:
    """Whether up to six significant digits write `value` in full."""
    rest, places = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest, power = rest // prime, power + 1
        places = max(places, power)
    if rest != 1 or places > MAX_EXPONENT:
        return False
    whole = abs(value.numerator) * 10**places // value.denominator
    while whole and whole % 10 == 0:
        whole //= 10
    return bool(whole < 10**SHORT_DIGITS)


def _literal(match: re.Match[str]) -> Number:
    sign, digits, power, dots = match.groups()
    return _decimal(sign, digits, int(power or 0), point=bool(power), cut=bool(dots))


def _scientific(match: re.Match[str]) -> Number:
    power = int(match[4]) * (-1 if match[3] == "-" else 1)
    return _decimal(match[1], match[2] or "1", power, point=True)


def _grouped(match: re.Match[str]) -> Number:
    return _decimal(match[1], re.sub("[ ,]", "", match[2]), 0)


def _repeating(match: re.Match[str]) -> Number:
    sign, whole, start = match[1], match[2], match[3]
    block = match[8] or (match[4] or match[5]) + (match[6] or "") + (match[7] or "")
    value = Fraction(int((whole + start) or 0), 10 ** len(start))
    return _signed(sign, value + Fraction(int(block), (10 ** len(block) - 1) * 10 ** len(start)))


def _mixed(match: re.Match[str]) -> Number | None:
    above, below = int(match[3] or match[5]), int(match[4] or match[6])
    return _signed(match[1], int(match[2]) + Fraction(above, below)) if 0 < above < below else None


def _fraction(match: re.Match[str]) -> Number | None:
    above, below = parse_number(match[2]), parse_number(match[3])
    if above is None or below is None or above.value is None or not below.value:
        return None
    return _signed(match[1], above.value / below.value)


def _decimal(
    sign: str, digits: str, power: int, *, point: bool = False, cut: bool = False
) -> Number:
    whole, dot, part = digits.partition(".")
    mantissa = int((whole + part) or 0) * (-1 if sign == "-" else 1)
    last = power - len(part)
    stripped = str(abs(mantissa)).rstrip("0")
    exponent = last + len(str(abs(mantissa))) - len(stripped) if mantissa else 0
    shown = (whole + part).lstrip("0")
    return Number(
        mantissa=int(stripped or 0) * (-1 if mantissa < 0 else 1),
        exponent=exponent,
        digits=len(shown),
        last=last,
        decimal=point or bool(dot and part),
        cut=cut,
    )


def _signed(sign: str, value: Fraction) -> Number:
    return _ratio(-value if sign == "-" else value)


def _ratio(value: Fraction) -> Number:
    return Number(mantissa=0, exponent=0, ratio=value)


def _negated(number: Number) -> Number:
    if number.ratio is not None:
        return _ratio(-number.ratio)
    return replace(number, mantissa=-number.mantissa)
