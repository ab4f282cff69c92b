"""Parts of a run that are worth a closer look: buttons that zoom all its drawings there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.journal.record import FaultWindow
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.plot import Mark

_MOST: Final = 5
_AIR: Final = 0.15
_ROUND: Final = 5 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """``start`` and ``end``: seconds from the first injection, as text."""

    name: str
    start: str
    end: str


def parts(windows: Sequence[FaultWindow], marks: Sequence[Mark], *, axis: TimeAxis) -> tuple[Part, ...]:
    """The faults and the recoveries, a few of each, and five seconds round the first injection; each inside the axis."""
    faults = [(one.intended, axis.end if one.reverted is None else one.reverted) for one in windows]
    named = [("fault" if len(faults) == 1 else f"fault {number}", *span) for number, span in enumerate(faults[:_MOST], start=1)]
    back = {(mark.acted[0], mark.hi): mark.name for mark in marks if mark.hi is not None and mark.hi > mark.acted[1]}
    one = len(back) == 1
    named += [
        ("convergence" if one else name, start, end) for (start, end), name in list(back.items())[:_MOST] if end is not None
    ]
    found = [_part(name, start - _air(start, end), end + _air(start, end), axis=axis) for name, start, end in named]
    if faults:
        found.append(_part("±5 s", faults[0][0] - _ROUND, faults[0][0] + _ROUND, axis=axis))
    return tuple(part for part in found if part is not None)


def _air(start: int, end: int) -> int:
    return round(max(end - start, 10**8) * _AIR)


def _part(name: str, start: int, end: int, *, axis: TimeAxis) -> Part | None:
    start, end = max(start, axis.start), min(end, axis.end)
    if end <= start or (start, end) == (axis.start, axis.end):
        return None
    return Part(name=name, start=f"{(start - axis.zero) / 1e9:.3f}", end=f"{(end - axis.zero) / 1e9:.3f}")
