"""Results of queries as values, and the step from a result to the one number that an indicator needs.

Takes a ``Scalar`` or ``Vector``; gives a finite float, or ``NoData`` with the reason. Refuses nothing: absence is a value here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from meshkit_chaos.promql.series import Labels


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Scalar:
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """Samples with distinct label sets, in no promised order."""

    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class NoData:
    """There is no number, and why. An assessment must treat it as unknown, never as good or bad."""

    reason: str


@dataclass(frozen=True, slots=True)
class ManySeries(NoData):
    """Several series came where one was expected. ``suggestion`` is an aggregation that gives one."""

    labels: tuple[Labels, ...]
    suggestion: str


_SHOWN = 3


def show(labels: Labels) -> str:
    """Write a label set as PromQL writes it: ``name{a="b"}``."""
    name = next((value for key, value in labels if key == "__name__"), "")
    inner = ",".join(f'{key}="{value}"' for key, value in labels if key != "__name__")
    return f"{name}{{{inner}}}" if inner or not name else name


def single(value: Scalar | Vector, *, text: str = "") -> float | NoData:
    """Reduce a result to one finite number. ``text`` is the query, for the suggestion when there are several series."""
    if isinstance(value, Scalar):
        return _finite(value.value)
    if not value.samples:
        return NoData("the query returned nothing")
    if len(value.samples) > 1:
        return _many(value, text or "QUERY")
    return _finite(value.samples[0].value)


def _finite(number: float) -> float | NoData:
    if math.isnan(number):
        return NoData("the query returned NaN")
    if math.isinf(number):
        return NoData(f"the query returned {'+Inf' if number > 0 else '-Inf'}")
    return number


def _many(vector: Vector, text: str) -> ManySeries:
    found = tuple(sorted(sample.labels for sample in vector.samples))
    differing = sorted(_differing(found))
    shown = ", ".join(show(labels) for labels in found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
    by = f" that differ in {', '.join(differing)}" if differing else ""
    suggestion = f"max({text}) or sum({text})"
    if "__name__" not in differing and differing:
        example = next((value for key, value in found[0] if key == differing[0]), "")
        suggestion += f', or select one with {differing[0]}="{example}"'
    reason = f"the query returned {len(found)} series{by}, expected one: {shown}; aggregate, such as {suggestion}"
    return ManySeries(reason, found, suggestion)


def _differing(found: tuple[Labels, ...]) -> set[str]:
    common = set(found[0])
    for labels in found[1:]:
        common &= set(labels)
    return {key for labels in found for key, value in labels if (key, value) not in common}
