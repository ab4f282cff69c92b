"""The band of values in which an indicator is good."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SINGLE: Final = re.compile(rf"\s*(==|!=|<=|>=|<|>)\s*({_NUMBER})\s*")
_BETWEEN: Final = re.compile(rf"\s*between\s+({_NUMBER})\s+and\s+({_NUMBER})\s*")

Goodness = Literal["good", "bad", "unknown"]


class Band(Struct, frozen=True):
    """``comparison`` ``value``, or ``>= value`` and ``<= upper`` where ``upper`` is given (written ``between 1 and 3``)."""

    comparison: Comparison
    value: float
    upper: float | None = None

    @classmethod
    def parse(cls, text: str) -> Band:
        """Read ``== 1`` or ``between 1 and 3``. Raises ValueError with the value and the expected form."""
        if found := _SINGLE.fullmatch(text):
            comparison: Comparison = found[1]  # type: ignore[assignment]  # the pattern admits only the six
            return cls(comparison, float(found[2]))
        if found := _BETWEEN.fullmatch(text):
            low, high = float(found[1]), float(found[2])
            if low > high:
                raise ValueError(f"{text!r} is empty: {low:g} is above {high:g}")
            return cls(">=", low, high)
        raise ValueError(f"{text!r} is not a band; expected such as '== 1', '<= 0.5' or 'between 1 and 3'")

    def assess(self, value: float | None) -> Goodness:
        """Say whether a value is in the band. Nothing, NaN and infinities are unknown, never good or bad."""
        if value is None or not math.isfinite(value):
            return "unknown"
        inside = _COMPARE[self.comparison](value, self.value) and (self.upper is None or value <= self.upper)
        return "good" if inside else "bad"

    def __str__(self) -> str:
        if self.upper is not None:
            return f"between {self.value:g} and {self.upper:g}"
        return f"{self.comparison} {self.value:g}"
