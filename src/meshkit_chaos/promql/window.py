"""Samples of one series inside a range, and the functions over them that need no time: ``…_over_time``, resets, changes.

A window is never empty and holds no staleness markers: a series without samples in the range has no window, so no result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from meshkit_chaos.promql.arithmetic import compensated_sum, compensated_variance, largest, mean, smallest
from meshkit_chaos.promql.series import Labels


@dataclass(frozen=True, slots=True)
class Window:
    """``start_ns`` and ``end_ns`` are the range's own ends, the offset already subtracted."""

    labels: Labels
    times: list[int]
    values: list[float]
    start_ns: int
    end_ns: int


def _changes(values: list[float]) -> float:
    return float(sum(now != before and not (math.isnan(now) and math.isnan(before)) for before, now in pairwise(values)))


def _resets(values: list[float]) -> float:
    return float(sum(now < before for before, now in pairwise(values)))


OVER_TIME: Final[dict[str, Callable[[list[float]], float]]] = {
    "avg_over_time": mean,
    "min_over_time": smallest,
    "max_over_time": largest,
    "sum_over_time": compensated_sum,
    "count_over_time": lambda values: float(len(values)),
    "last_over_time": lambda values: values[-1],
    "present_over_time": lambda values: 1.0 if values else math.nan,
    "stddev_over_time": lambda values: math.sqrt(compensated_variance(values)),
    "stdvar_over_time": compensated_variance,
    "changes": _changes,
    "resets": _resets,
}
