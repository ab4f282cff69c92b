"""Plain YAML scalars as the values they stand for, by the core schema of YAML 1.2.

Takes the text of one unquoted scalar; gives ``None``, a bool, an int, a float or the text itself. So ``yes``, ``no``, ``on``
and ``off`` are texts, ``010`` is ten and ``0o10`` is eight. Refuses what no document of ours can mean: NaN, infinities, and
whole numbers beyond 64 bits.
"""

from __future__ import annotations

import math
import re
from typing import Final

CoreValue = str | int | float | bool | None

_CONSTANTS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MAY_BE_NUMBER: Final = frozenset("0123456789+-.")
_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LONGEST_NUMBER: Final = 40
_SHORT_NUMBER: Final = 19
"""A number with fewer digits always fits in 64 bits."""
_LARGEST: Final = 2**63


class UnusableNumberError(ValueError):
    """A scalar that is a number which nothing here can use; the message says which and why."""


def core_value(text: str) -> CoreValue:
    """Resolve one plain scalar. Raises UnusableNumberError."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _MAY_BE_NUMBER:
        return text
    if len(text) < _SHORT_NUMBER and text.isascii() and text.isdigit():
        return int(text)
    if _NOT_FINITE.fullmatch(text):
        raise UnusableNumberError(f"{text} is not a finite number")
    if _FLOAT.fullmatch(text) or _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> int | float:
    # The length goes first: int() of thousands of digits raises, and of fewer is needless work.
    if len(text) > _LONGEST_NUMBER:
        raise UnusableNumberError(f"a number of {len(text)} characters ({text[:12]}…) is too long")
    whole = _whole(text)
    if whole is None:
        value = float(text)
        if not math.isfinite(value):
            raise UnusableNumberError(f"{text} is too large")
        return value
    if not -_LARGEST <= whole < _LARGEST:
        raise UnusableNumberError(f"{text} does not fit in 64 bits")
    return whole


def _whole(text: str) -> int | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text, 0)
    return int(text, 0) if _HEXADECIMAL.fullmatch(text) else None
