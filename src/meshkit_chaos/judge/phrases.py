"""Durations, shares and lists as people read them: three significant digits, one unit. Takes ns and numbers, gives text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import Final, Literal

Rounding = Literal["ROUND_CEILING", "ROUND_FLOOR", "ROUND_HALF_EVEN"]

_UNITS: Final = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))
_MINUTE: Final = 60 * 10**9
_NAMED: Final = 4


def say(ns: int, *, rounding: Rounding = ROUND_HALF_EVEN) -> str:
    """Write ``1.42 s``, ``500 ms``, ``2 min 5 s``: three significant digits."""
    if abs(ns) >= 2 * _MINUTE:
        minutes, rest = divmod(int(_whole(Decimal(ns) / 10**9, rounding)), 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    size, unit = _unit(ns)
    return f"{_three_digits(Decimal(ns) / size, rounding)} {unit}"


def at_least(ns: int) -> str:
    """Write a lower bound, rounded down, so that it stays true."""
    return say(ns, rounding=ROUND_FLOOR)


def at_most(ns: int) -> str:
    """Write an upper bound, rounded up."""
    return say(ns, rounding=ROUND_CEILING)


def say_between(lo: int, hi: int) -> str:
    """Write an interval in the unit of its upper end, rounded outwards: ``1.42–1.63 s``."""
    if lo == hi:
        return say(hi)
    if abs(hi) >= 2 * _MINUTE:
        return f"{at_least(lo)} – {at_most(hi)}"
    size, unit = _unit(hi)
    low, high = _three_digits(Decimal(lo) / size, ROUND_FLOOR), _three_digits(Decimal(hi) / size, ROUND_CEILING)
    return f"{low}–{high} {unit}"


def say_time(lo: int, hi: int | None) -> str:
    """Write a measured time: an interval, or ``more than 3.2 s`` where it had no end."""
    return f"more than {at_least(lo)}" if hi is None else say_between(lo, hi)


def say_share(share: float) -> str:
    """Write ``1.2 %``."""
    return f"{_three_digits(Decimal(share * 100))} %"


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


def _three_digits(value: Decimal, rounding: Rounding = ROUND_HALF_EVEN) -> str:
    """Three significant digits, or all whole ones where there are more; no trailing zeros."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{_whole(value, rounding)}"
    text = f"{Context(prec=3, rounding=rounding).create_decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _whole(value: Decimal, rounding: Rounding) -> Decimal:
    return value.quantize(Decimal(1), rounding=rounding)
