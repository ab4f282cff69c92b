"""How much each member said when, as a drawing on the time axis of the run: one lane a member. Pure.

The height of a bar is how many lines there were, its form how bad they were: a diamond stands over errors, a triangle over
warnings. So it is told by form, and by words, not by colour alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from meshkit_chaos.dashboard.stamps import Level
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.plot import time_ticks

MOST_LANES: Final = 24
_COLUMNS: Final = 240
_NAME: Final = 17
_BODY: Final = 22
_BAR: Final = 12
_SIGN: Final = {"error": "◆", "warning": "▲"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """``lines``: the instant of each line that a member wrote, and its level."""

    member: str
    lines: tuple[tuple[int, Level], ...]

    @property
    def said(self) -> str:
        levels = Counter(level for _, level in self.lines)
        bad = [counted(levels[name], name) for name in ("error", "warning") if levels[name]]
        return ", ".join([counted(len(self.lines), "line"), *bad])


def lanes(several: Sequence[Lane], *, axis: TimeAxis, windows: Sequence[tuple[int, int]]) -> Markup:
    """Draw them; of very many those who had most errors and warnings. ``windows``: spans in which a fault was in force."""
    shown = _worst(several)
    height = len(shown) * (_NAME + _BODY)
    most = max((max(_columns(lane, axis).values(), default=1) for lane in shown), default=1)
    parts = [part for index, lane in enumerate(shown) for part in _lane(lane, axis=axis, y=index * (_NAME + _BODY), most=most)]
    left_out = f" {len(several) - len(shown)} more members are not drawn." if len(shown) < len(several) else ""
    told = "; ".join(f"{one_line(lane.member)}: {lane.said}" for lane in shown)
    return svg.drawing(
        *(svg.vertical(axis.at(t), top=0, bottom=height, class_="grid") for t, _ in axis.ticks()),
        *(svg.rect(axis.at(a), axis.at(b) - axis.at(a), y=0, height=height, class_="in-force") for a, b in windows),
        *parts,
        *time_ticks(axis, y=height + 14),
        height=height + 20,
        label=f"What members said: {told}.{left_out}",
        class_="time-line log-lanes",
    )


def _worst(several: Sequence[Lane]) -> list[Lane]:
    if len(several) <= MOST_LANES:
        return list(several)
    bad = {lane.member: Counter(level for _, level in lane.lines) for lane in several}
    chosen = sorted(several, key=lambda lane: (-bad[lane.member]["error"], -bad[lane.member]["warning"]))[:MOST_LANES]
    return [lane for lane in several if lane in chosen]


def _columns(lane: Lane, axis: TimeAxis) -> Counter[int]:
    return Counter(_column(at, axis) for at, _ in lane.lines if axis.holds(at))


def _column(at: int, axis: TimeAxis) -> int:
    return min(int(axis.at(at) * _COLUMNS / 100), _COLUMNS - 1)


def _lane(lane: Lane, *, axis: TimeAxis, y: float, most: int) -> list[Markup]:
    floor = y + _NAME + _BODY - 3
    parts = [
        svg.text(f"{one_line(lane.member)} · {lane.said}", x=0, y=y + 12, class_="lane-name"),
        svg.horizontal(0, 100, y=floor, class_="rail"),
    ]
    worst: dict[int, Level] = {}
    level: Level | None
    for at, level in lane.lines:
        if axis.holds(at) and level in _SIGN and worst.get(_column(at, axis)) != "error":
            worst[_column(at, axis)] = level
    for column, count in sorted(_columns(lane, axis).items()):
        high = max(2.0, _BAR * math.log1p(count) / math.log1p(most))
        x = column * 100 / _COLUMNS
        bar = svg.rect(
            x, 100 / _COLUMNS, y=round(floor - high, 1), height=round(high, 1), class_="log-bar", title=counted(count, "line")
        )
        parts.append(bar)
        if (level := worst.get(column)) is not None:
            middle = x + 50 / _COLUMNS
            parts.append(svg.text(_SIGN[level], x=middle, y=floor - high + 1, anchor="middle", class_=f"log-sign {level}"))
    return parts
