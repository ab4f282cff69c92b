"""A storage made of literal series: ``{'x{a="1"}': [(0, 1.0), (15, 2.0)]}`` with times in seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meshkit_chaos.promql import Series, Settings, Vector, evaluate, labels_of, parse

SECOND = 10**9
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Recorded:
    series: tuple[Series, ...]

    def named(self, name: str) -> Sequence[Series]:
        return tuple(one for one in self.series if not name or dict(one.labels)["__name__"] == name)


def series(text: str, points: Points) -> Series:
    name, _, inner = text.partition("{")
    labels = dict(re.findall(r'(\w+)="([^"]*)"', inner))
    return Series(
        labels_of(name, labels), tuple(round(time * SECOND) for time, _ in points), tuple(float(value) for _, value in points)
    )


def recorded(data: Mapping[str, Points]) -> Recorded:
    return Recorded(tuple(series(text, points) for text, points in data.items()))


def every(interval: float, values: Sequence[float], *, start: float = 0) -> list[tuple[float, float]]:
    return [(start + index * interval, value) for index, value in enumerate(values)]


def ask(text: str, storage: Recorded, at: float, settings: Settings | None = None) -> float | dict[str, float]:
    """The value at ``at`` seconds: a number for a scalar, else values by ``a=1,b=2`` (name first where it is kept)."""
    value = evaluate(parse(text), storage, round(at * SECOND), settings or Settings())
    if not isinstance(value, Vector):
        return value.value
    out = {}
    for labels, number in value.samples:
        name = dict(labels).get("__name__", "")
        rest = ",".join(f"{key}={found}" for key, found in labels if key != "__name__")
        out[f"{name} {rest}".strip() if name else rest] = number
    assert len(out) == len(value.samples)
    return out
