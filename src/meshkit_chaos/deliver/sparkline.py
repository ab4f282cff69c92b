"""A series as one line of text, for channels that show no pictures. Pure.

Takes a ``Trend``; gives its name, a bar for each value, the newest value and the limit. A night without a value is a dot, never
a low bar.
"""

from __future__ import annotations

import math
from typing import Final

from meshkit_chaos.deliver.message import Trend

BARS: Final = "▁▂▃▄▅▆▇█"
ABSENT: Final = "·"
MOST: Final = 30


def sparkline(trend: Trend) -> str:
    """Such as ``convergence ▁▁▂·█ 9.8s, limit 5s``."""
    return f"{trend.label} {figures(trend)}"


def figures(trend: Trend) -> str:
    """The same without its name: bars, newest value, limit."""
    values = tuple(value if value is not None and math.isfinite(value) else None for value in trend.values[-MOST:])
    newest = values[-1] if values else None
    said = "newest: no value" if newest is None else f"{_number(newest)}{trend.unit}"
    limit = f", limit {_number(trend.limit)}{trend.unit}" if trend.limit is not None and math.isfinite(trend.limit) else ""
    return f"{bars(values)} {said}{limit}"


def bars(values: tuple[float | None, ...]) -> str:
    """One bar a value, from the least to the greatest; all equal: the lowest."""
    there = [value for value in values if value is not None]
    if not there:
        return ABSENT * len(values)
    low, span = min(there), max(there) - min(there)
    return "".join(ABSENT if value is None else BARS[_height(value - low, span)] for value in values)


def _height(above: float, span: float) -> int:
    share = above / span if span > 0 and math.isfinite(span) else 0.0
    return min(len(BARS) - 1, int(share * len(BARS)))


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}" if abs(value) < 10**9 else f"{value:.3e}"
