"""Durations, shares and lists as people read them: three significant digits, one unit. Takes ns and numbers, gives text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_UNITS: Final = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_MINUTE: Final = 60 * 10**9
_NAMED: Final = 4


def say(ns: int) -> str:
    """Write ``1.42 s``, ``500 ms``, ``2 min 5 s``: three significant digits, never more than was measured."""
    if abs(ns) >= 2 * _MINUTE:
        minutes, rest = divmod(round(ns / 10**9), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    size, unit = _unit(ns)
    return f"{_three_digits(ns / size)} {unit}"


def say_between(lo: int, hi: int) -> str:
    """Write an interval in the unit of its upper end: ``1.42–1.63 s``."""
    if lo == hi or abs(hi) >= 2 * _MINUTE:
        return say(hi) if lo == hi else f"{say(lo)} – {say(hi)}"
    size, unit = _unit(hi)
    return f"{_three_digits(lo / size)}–{_three_digits(hi / size)} {unit}"


def say_share(share: float) -> str:
    """Write ``1.2 %``."""
    return f"{_three_digits(share * 100)} %"


def listed(items: Iterable[str]) -> str:
    """Join a few and count the rest: ``a, b, c, d and 3 more``."""
    known = list(items)
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return ", ".join(known[:_NAMED]) + more


def counted(count: int, noun: str) -> str:
    """Write ``1 run`` and ``2 runs``."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _unit(ns: int) -> tuple[int, str]:
    return next(((size, unit) for size, unit in _UNITS if abs(ns) >= size), (10**9, "s"))


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    return f"{value:.0f}" if "e+" in text else text
