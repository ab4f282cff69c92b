"""The log of one member → its lines on the clock of the run. Pure.

A line without a stamp belongs to the line before it. What comes before the first stamp, and a file without any, is not placed:
``at`` is None. Stamps without a zone are put where the run was, and how far they were moved is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from meshkit_chaos.dashboard.stamps import Level, Stamped, read_line

_QUARTER: Final = 900 * 10**9
_FARTHEST: Final = 56  # quarters of an hour: no zone is farther from UTC than 14 hours
_AIR: Final = 60 * 10**9
_BINARY: Final = 0.1
_CLIP: Final = 320
_MOST: Final = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClock:
    """``started``: the run's first instant on its own clock, in ns, which is ``wall`` in wall time; ``ended``: its last."""

    started: int
    ended: int
    wall: int

    def at(self, wall_ns: int) -> int:
        return wall_ns - self.wall + self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """``at``: on the clock of the run, in ns; None where the line cannot be placed."""

    at: int | None
    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLog:
    """``moved``: so many ns were taken from stamps without a zone. ``binary``: it is no text and was not read."""

    lines: tuple[LogLine, ...]
    moved: int = 0
    binary: bool = False


def member_log(data: bytes, clock: RunClock) -> MemberLog:
    """Read a log. Bytes that are no UTF-8 stay visible as such."""
    if data.count(0) > _BINARY * len(data):
        return MemberLog(lines=(), binary=True)
    near = clock.wall + (clock.ended - clock.started)
    read = [read_line(line, near=near) for line in data.decode("utf-8", "replace").splitlines()[-_MOST:] if line.strip()]
    joined = _joined(read)
    moved = _moved([one.wall_ns for one in joined if one.wall_ns is not None and not one.zoned], clock)
    return MemberLog(lines=tuple(_placed(one, clock, moved) for one in joined), moved=moved)


def _joined(read: Sequence[Stamped]) -> list[Stamped]:
    """Lines without a stamp as further text of the line before; before the first stamp each stays alone."""
    joined: list[Stamped] = []
    for one in read:
        last = joined[-1] if joined else None
        if one.wall_ns is not None or last is None or last.wall_ns is None:
            joined.append(one)
        elif len(last.text) < _CLIP:
            joined[-1] = replace(last, text=f"{last.text}\n{one.text}")
    return joined


def _placed(one: Stamped, clock: RunClock, moved: int) -> LogLine:
    text = one.text if len(one.text) <= _CLIP else one.text[: _CLIP - 1] + "…"
    at = None if one.wall_ns is None else clock.at(one.wall_ns - (0 if one.zoned else moved))
    return LogLine(at=at, level=one.level, text=text)


def _moved(stamps: Sequence[int], clock: RunClock) -> int:
    """The zone, in quarters of an hour, in which the first and the last stamp fall into the run: the one nearest to UTC."""
    if not stamps:
        return 0
    first = clock.wall - _AIR
    last = clock.wall + (clock.ended - clock.started) + _AIR
    ends = (stamps[0], stamps[-1])

    def fits(quarters: int) -> tuple[int, int, int]:
        inside = sum(first <= stamp - quarters * _QUARTER <= last for stamp in ends)
        return -inside, abs(quarters), -quarters

    best = min(range(-_FARTHEST, _FARTHEST + 1), key=fits)
    return best * _QUARTER if fits(best)[0] < 0 else 0
