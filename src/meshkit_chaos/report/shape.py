"""From points to what is drawn: fewer points that look the same, and stretches of one state. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.model import PointLike
from meshkit_chaos.slo import Goodness

COLUMNS = 1_200
"""No drawing is wider than about so many pixels; what falls into one column cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which an indicator was in one state throughout."""

    state: Goodness
    start: int
    end: int


def stretches(points: Sequence[PointLike]) -> tuple[Stretch, ...]:
    """A point speaks until the next one; the last one speaks for its own round only."""
    if not points:
        return ()
    ends = [point.tick for point in points[1:]] + [max(points[-1].end, points[-1].tick)]
    out: list[Stretch] = []
    for point, end in zip(points, ends, strict=True):
        if out and out[-1].state == point.state:
            out[-1] = Stretch(point.state, out[-1].start, end)
        else:
            out.append(Stretch(point.state, point.tick, end))
    return tuple(out)


_WORSE = {"good": 0, "unknown": 1, "bad": 2}


def drawn(several: Iterable[Stretch], axis: TimeAxis) -> tuple[Stretch, ...]:
    """Only what the axis shows, and neighbours too short for a column as one in their worst state: none can be told apart."""
    column = max((axis.end - axis.start) // COLUMNS, 1)
    out: list[Stretch] = []
    for stretch in several:
        if stretch.end < axis.start or stretch.start > axis.end:
            continue
        last = out[-1] if out else stretch
        if out and max(last.end - last.start, stretch.end - stretch.start) < column:
            out[-1] = Stretch(max(last.state, stretch.state, key=_WORSE.__getitem__), last.start, stretch.end)
        else:
            out.append(stretch)
    return tuple(out)


def thinned(points: Sequence[PointLike], axis: TimeAxis) -> tuple[PointLike, ...]:
    """Keep the first, lowest, highest and last point of each column, and every edge of a gap: a step line looks the same."""
    kept: list[PointLike] = []
    inside = [point for index, point in enumerate(points) if _touches(points, index=index, axis=axis)]
    for _, column in groupby(inside, key=lambda point: _column(point, axis)):
        several = list(column)
        if len(several) <= 4 or not _finite(several[0]):
            kept += several if len(several) <= 4 else [several[0], several[-1]]
            continue
        low = min(range(len(several)), key=lambda index: several[index].value or 0.0)
        high = max(range(len(several)), key=lambda index: several[index].value or 0.0)
        kept += [several[index] for index in sorted({0, low, high, len(several) - 1})]
    return tuple(kept)


def _touches(points: Sequence[PointLike], *, index: int, axis: TimeAxis) -> bool:
    """Whether a point's step is seen, or it ends one that is: the first point behind the axis still counts."""
    until = points[index + 1].tick if index + 1 < len(points) else points[index].end
    since = points[index - 1].tick if index else points[index].tick
    return since <= axis.end and until >= axis.start


def _column(point: PointLike, axis: TimeAxis) -> tuple[int, bool, bool]:
    return int(axis.at(point.tick) * COLUMNS / 100), axis.holds(point.tick), _finite(point)


def _finite(point: PointLike) -> bool:
    return point.value is not None and math.isfinite(point.value)


def steps(points: Sequence[PointLike]) -> tuple[tuple[tuple[int, float], ...], ...]:
    """Unbroken runs of ``(instant, value)``, each ended by the instant at which its last value ceases to speak."""
    runs: list[tuple[tuple[int, float], ...]] = []
    open_run: list[tuple[int, float]] = []
    for point in points:
        if point.value is not None and math.isfinite(point.value):
            open_run.append((point.tick, point.value))
        elif open_run:
            runs.append((*open_run, (point.tick, open_run[-1][1])))
            open_run = []
    if open_run:
        runs.append((*open_run, (points[-1].end, open_run[-1][1])))
    return tuple(runs)
