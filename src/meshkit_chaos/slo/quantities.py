"""Durations and ratios as types, so that no number in the project needs its unit guessed."""

from __future__ import annotations

import re
from functools import lru_cache, total_ordering
from typing import Final

_UNITS: Final = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)")
_LONGEST_NS: Final = 366 * 86400 * 10**9


@lru_cache(maxsize=1024)
def _nanoseconds(text: str) -> int:
    stripped = text.strip()
    ns, position = 0.0, 0
    for part in _PART.finditer(stripped):
        if part.start() != position:
            break
        ns += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if not stripped or position != len(stripped):
        raise ValueError(f"{text!r} is not a duration; expected a number with a unit, such as 200ms, 5s or 1m30s")
    if ns > _LONGEST_NS:
        raise ValueError(f"{text!r} is longer than a year")
    return round(ns)


@total_ordering
class Duration:
    """A span of time, held as whole nanoseconds; written ``200ms``, ``5s``, ``1m30s``."""

    __slots__ = ("ns",)
    ns: int

    def __init__(self, ns: int) -> None:
        object.__setattr__(self, "ns", int(ns))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Duration is frozen: cannot set {name} to {value!r}")

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Read ``1m30s``. Raises ValueError with the value and the expected form."""
        return cls(_nanoseconds(text))

    @classmethod
    def of_seconds(cls, seconds: float) -> Duration:
        return cls(round(seconds * 10**9))

    @property
    def seconds(self) -> float:
        return self.ns / 10**9

    def __add__(self, other: Duration) -> Duration:
        return Duration(self.ns + other.ns)

    def __sub__(self, other: Duration) -> Duration:
        return Duration(self.ns - other.ns)

    def __mul__(self, factor: float) -> Duration:
        return Duration(round(self.ns * factor))

    def __lt__(self, other: Duration) -> bool:
        return self.ns < other.ns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and self.ns == other.ns

    def __hash__(self) -> int:
        return hash(("Duration", self.ns))

    def __repr__(self) -> str:
        return f"Duration({self.ns})"

    def __str__(self) -> str:
        """Write exactly, in the largest units that need no fraction: ``1m30s``, ``1500ms``."""
        if self.ns == 0:
            return "0s"
        sign, rest, out = ("-" if self.ns < 0 else ""), abs(self.ns), ""
        if rest % 10**9 == 0:
            for unit in ("d", "h", "m", "s"):
                count, rest = divmod(rest, _UNITS[unit])
                out += f"{count}{unit}" if count else ""
            return sign + out
        for unit in ("ms", "us", "ns"):
            if rest % _UNITS[unit] == 0:
                return f"{sign}{rest // _UNITS[unit]}{unit}"
        raise AssertionError(self.ns)


@total_ordering
class Ratio:
    """A share, 0 to 1, written ``1%`` or ``0.01``."""

    __slots__ = ("value",)
    value: float

    def __init__(self, value: float) -> None:
        object.__setattr__(self, "value", float(value))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Ratio is frozen: cannot set {name} to {value!r}")

    @classmethod
    def parse(cls, text: str) -> Ratio:
        """Read ``5%`` or ``0.05``. Raises ValueError outside 0 to 1."""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text)
        if not found:
            raise ValueError(f"{text!r} is not a share; expected a percentage such as 5% or a number from 0 to 1")
        value = float(found[1]) / (100 if found[2] else 1)
        if value > 1:
            raise ValueError(f"{text!r} is more than the whole; expected 0% to 100%")
        return cls(value)

    def __lt__(self, other: Ratio) -> bool:
        return self.value < other.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ratio) and self.value == other.value

    def __hash__(self) -> int:
        return hash(("Ratio", self.value))

    def __repr__(self) -> str:
        return f"Ratio({self.value})"

    def __str__(self) -> str:
        return f"{self.value * 100:.10g}%"
