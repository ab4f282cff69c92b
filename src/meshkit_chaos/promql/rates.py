"""Change over time: rate, increase, delta, irate, idelta, deriv.

Each takes a window and gives a number per second (increase, delta, idelta: per range), or None where there are too few samples.
Extrapolation is that of Prometheus: towards the range's ends where samples lie close to them (1.1 of their mean spacing), by
half a spacing where they do not, and never beyond the instant at which a counter would have been zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from meshkit_chaos.promql.arithmetic import compensated_sum, divide
from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.window import Window

_SECOND: Final = 10**9
_NEAR: Final = 1.1  # a sample this many mean spacings from the range's end still counts as reaching it


def _extrapolated(window: Window, settings: Settings, *, counter: bool) -> float | None:
    times, values = window.times, window.values
    if len(times) < 2:
        return None
    result = values[-1] - values[0]
    if counter:
        for before, now in pairwise(values):
            if now < before:
                result += before
    sampled = (times[-1] - times[0]) / _SECOND
    spacing = sampled / (len(times) - 1)
    to_start = (times[0] - window.start_ns) / _SECOND
    to_end = (window.end_ns - times[-1]) / _SECOND
    to_zero = sampled * (values[0] / result) if counter and result > 0 and values[0] >= 0 else math.inf
    if settings.closed:
        # Version 2 looks for the zero point first, so that a far start may come near through it.
        to_start = min(to_start, to_zero)
        to_start = to_start if to_start < spacing * _NEAR else spacing / 2
    else:
        to_start = to_start if to_start < spacing * _NEAR else spacing / 2
        to_start = min(to_start, to_zero)
    to_end = to_end if to_end < spacing * _NEAR else spacing / 2
    return result * ((sampled + to_start + to_end) / sampled)


def _rate(window: Window, settings: Settings) -> float | None:
    increase = _extrapolated(window, settings, counter=True)
    return None if increase is None else increase / ((window.end_ns - window.start_ns) / _SECOND)


def _increase(window: Window, settings: Settings) -> float | None:
    return _extrapolated(window, settings, counter=True)


def _delta(window: Window, settings: Settings) -> float | None:
    return _extrapolated(window, settings, counter=False)


def _irate(window: Window, _: Settings) -> float | None:
    if len(window.times) < 2:
        return None
    before, now = window.values[-2:]
    return (now if now < before else now - before) / ((window.times[-1] - window.times[-2]) / _SECOND)


def _idelta(window: Window, _: Settings) -> float | None:
    return None if len(window.times) < 2 else window.values[-1] - window.values[-2]


def _deriv(window: Window, _: Settings) -> float | None:
    """Slope of the least-squares line. Times are taken from the first sample, to keep their squares exact."""
    values = window.values
    if len(values) < 2:
        return None
    if all(value == values[0] for value in values):
        return math.nan if math.isinf(values[0]) else 0.0
    xs = [(time - window.times[0]) / _SECOND for time in window.times]
    sum_x, sum_y = compensated_sum(xs), compensated_sum(values)
    sum_xy = compensated_sum([x * y for x, y in zip(xs, values, strict=True)])
    sum_xx = compensated_sum([x * x for x in xs])
    count = float(len(xs))
    return divide(sum_xy - sum_x * sum_y / count, sum_xx - sum_x * sum_x / count)


RATES: Final[dict[str, Callable[[Window, Settings], float | None]]] = {
    "rate": _rate,
    "increase": _increase,
    "delta": _delta,
    "irate": _irate,
    "idelta": _idelta,
    "deriv": _deriv,
}
