"""Floating-point arithmetic as Go does it, where Python would raise: division by zero, overflow, domains, NaN.

Also compensated summation (Neumaier's variant of Kahan's), as Prometheus uses for sums, means and regressions.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Final

NAN: Final = math.nan
INF: Final = math.inf


def divide(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return NAN
    return math.copysign(INF, left) * math.copysign(1, right)


def modulo(left: float, right: float) -> float:
    if right == 0 or math.isinf(left):
        return NAN
    return math.fmod(left, right)


def power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return -INF if left < 0 and math.fmod(right, 2) != 0 else INF
    except ValueError:
        if left != 0:
            return NAN
        odd = math.isfinite(right) and math.fmod(right, 2) in {-1.0, 1.0}
        return math.copysign(INF, left) if odd else INF


ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": divide,
    "%": modulo,
    "^": power,
}
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) and value != 0 else value


def ceil(value: float) -> float:
    return math.copysign(math.ceil(value), value) if math.isfinite(value) else value


def sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


def exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return INF


def sqrt(value: float) -> float:
    return NAN if value < 0 else math.sqrt(value)


def logarithm(function: Callable[[float], float]) -> Callable[[float], float]:
    def log(value: float) -> float:
        if value == 0:
            return -INF
        return NAN if value < 0 else function(value)

    return log


MATHS: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "ceil": ceil,
    "floor": floor,
    "sgn": sign,
    "exp": exp,
    "ln": logarithm(math.log),
    "log2": logarithm(math.log2),
    "log10": logarithm(math.log10),
    "sqrt": sqrt,
}


def minimum(left: float, right: float) -> float:
    """Go's math.Min: -Inf wins over NaN, NaN over the rest."""
    if -INF in (left, right):
        return -INF
    return NAN if math.isnan(left) or math.isnan(right) else min(left, right)


def maximum(left: float, right: float) -> float:
    """Go's math.Max: +Inf wins over NaN, NaN over the rest."""
    if INF in (left, right):
        return INF
    return NAN if math.isnan(left) or math.isnan(right) else max(left, right)


def round_to(value: float, nearest: float) -> float:
    """To the nearest multiple, ties up; by way of the inverse, as Prometheus does (tenths stay exact)."""
    inverse = divide(1.0, nearest)
    return divide(floor(value * inverse + 0.5), inverse)


def add_compensated(increment: float, total: float, lost: float) -> tuple[float, float]:
    new = total + increment
    if math.isinf(new):
        return new, 0.0
    if abs(total) >= abs(increment):
        return new, lost + ((total - new) + increment)
    return new, lost + ((increment - new) + total)


def compensated_sum(values: Iterable[float]) -> float:
    total = lost = 0.0
    for value in values:
        total, lost = add_compensated(value, total, lost)
    return total if math.isinf(total) else total + lost


def mean(values: list[float]) -> float:
    """The sum over the count; a running mean only where the sum of finite values would overflow."""
    total = compensated_sum(values)
    if math.isfinite(total) or not all(map(math.isfinite, values)):
        return total / len(values)
    running = lost = 0.0
    for count, value in enumerate(values, start=1):
        running, lost = add_compensated(value / count - running / count, running, lost)
    return running + lost


def variance(values: list[float]) -> float:
    """The population's variance, by Welford's method, as Prometheus computes it over labels."""
    average = values[0]
    squares = 0.0 if math.isfinite(average) else NAN
    for count, value in enumerate(values[1:], start=2):
        delta = value - average
        average += delta / count
        squares += delta * (value - average)
    return squares / len(values)


def compensated_variance(values: list[float]) -> float:
    """The same with compensated sums, as Prometheus computes it over time."""
    average = average_lost = squares = squares_lost = 0.0
    for count, value in enumerate(values, start=1):
        delta = value - (average + average_lost)
        average, average_lost = add_compensated(delta / count, average, average_lost)
        squares, squares_lost = add_compensated(delta * (value - (average + average_lost)), squares, squares_lost)
    return (squares + squares_lost) / len(values)


def smallest(values: Iterable[float]) -> float:
    """The least value; NaN only where nothing else is there."""
    return min((value for value in values if not math.isnan(value)), default=NAN)


def largest(values: Iterable[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=NAN)


def quantile(q: float, values: Iterable[float]) -> float:
    """Linear interpolation between ranks; NaN sorts below everything; outside 0 to 1 the answer is -Inf or +Inf."""
    ordered = sorted(values, key=lambda value: (not math.isnan(value), 0.0 if math.isnan(value) else value))
    if not ordered or math.isnan(q):
        return NAN
    if q < 0 or q > 1:
        return -INF if q < 0 else INF
    rank = q * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    return ordered[lower] * (1 - weight) + ordered[upper] * weight
