"""How long a scenario takes in a release, against the release before it and the best one. Pure.

Takes the timed results of each release; gives medians as intervals, because each time is one. Such an interval tells what was
measured, and not how few results there are. So a release is called surely slower only where its whole interval lies above the
other's, and where chance would show so much more time less often than at a stated level: few results never show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from msgspec import Struct

from meshkit_chaos.dashboard.changes import chance_of_slower
from meshkit_chaos.dashboard.releases import Release
from meshkit_chaos.gate.exact_tests import Span, median
from meshkit_chaos.history.model import Cell
from meshkit_chaos.judge.phrases import counted, say_time


class Median(Struct, frozen=True, kw_only=True):
    """``hi`` None: the half of the results that is slower had no end."""

    release: str
    lo: int
    hi: int | None
    results: int

    @property
    def words(self) -> str:
        return say_time(self.lo, self.hi)

    @property
    def counted(self) -> str:
        """With how many results it is of: of old releases few may be left among those that are looked at."""
        return f"{self.words} ({counted(self.results, 'result')})"

    @property
    def slowness(self) -> tuple[float, int]:
        return inf if self.hi is None else float(self.hi), self.lo


class Pace(Struct, frozen=True, kw_only=True):
    """``before``: the release before this one that was timed; ``best``: the fastest of the earlier ones.

    ``slower``: than the release before it, surely.
    """

    objective: str
    own: Median
    before: Median | None = None
    best: Median | None = None
    slower: bool = False

    @property
    def sentence(self) -> str:
        told = [f"{self.objective}: {self.own.words}, the median of {counted(self.own.results, 'result')}"]
        if self.before is not None:
            told.append(f"{'surely slower than ' if self.slower else ''}{self.before.release}: {self.before.counted}")
        if self.best is not None and self.before is not None and self.best.release != self.before.release:
            told.append(f"best {self.best.release}: {self.best.counted}")
        return "; ".join(told)


def pace(columns: Sequence[Sequence[Cell]], held: Sequence[Release], column: int, *, level: float) -> Pace | None:
    """Of the release of a column; None where nothing was timed. ``columns``: timed results by release, newest first.

    Only times of the same objective in the same class of environments are compared. ``level``: so often at most a release that
    is like the one before it is called slower.
    """
    if not columns[column]:
        return None
    newest = columns[column][0]
    timed = [(one.name, _spans(cells, newest)) for one, cells in zip(held[column:], columns[column:], strict=True)]
    own, *earlier = [(_median(name, spans), spans) for name, spans in timed if spans]
    before, old = earlier[0] if earlier else (None, [])
    return Pace(
        objective=newest.slowest,
        own=own[0],
        before=before,
        best=min((one for one, _ in earlier), key=lambda one: one.slowness, default=None),
        slower=before is not None and _apart(own[0], before) and chance_of_slower(old, own[1]) <= level,
    )


def _apart(own: Median, before: Median) -> bool:
    return before.hi is not None and own.lo > before.hi


def _alike(cell: Cell, newest: Cell) -> bool:
    return cell.slowest == newest.slowest and cell.environment_class == newest.environment_class


def _spans(cells: Sequence[Cell], newest: Cell) -> list[Span]:
    return [Span(cell.lo, cell.hi) for cell in cells if cell.lo is not None and _alike(cell, newest)]


def _median(release: str, spans: Sequence[Span]) -> Median:
    upper = median(spans, upper=True)
    hi = None if upper == inf else int(upper)
    return Median(release=release, lo=int(median(spans, upper=False)), hi=hi, results=len(spans))
