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
_BARS: Final = 1_600  # of all lanes together, so that the drawing stays small
_SIGNS: Final = 240
_WIDE: Final = 10_000  # the inner coordinates of the bars, stretched to the drawing's width
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
    columns, signs = (_share(all_of_it, len(shown)) for all_of_it in (_BARS, _SIGNS))
    counts = [_counts(lane, axis, columns) for lane in shown]
    most = max((max(count.values(), default=1) for count in counts), default=1)
    floors = [index * (_NAME + _BODY) + _NAME + _BODY - 3 for index in range(len(shown))]
    bars = " ".join(_bars(count, columns=columns, floor=floor, most=most) for count, floor in zip(counts, floors, strict=True))
    parts = [
        part for lane, floor in zip(shown, floors, strict=True) for part in _lane(lane, axis=axis, floor=floor, signs=signs)
    ]
    left_out = f" {len(several) - len(shown)} more members are not drawn." if len(shown) < len(several) else ""
    told = "; ".join(f"{one_line(lane.member)}: {lane.said}" for lane in shown)
    return svg.drawing(
        *(svg.vertical(axis.at(t), top=0, bottom=height, class_="grid") for t, _ in axis.ticks()),
        *(svg.rect(axis.at(a), axis.at(b) - axis.at(a), y=0, height=height, class_="in-force") for a, b in windows),
        _stretched(bars, height=height),
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


def _share(all_of_it: int, count: int) -> int:
    """How many parts the axis has in each of so many lanes."""
    return min(max(all_of_it // max(count, 1), 1), 240)


def _column(at: int, axis: TimeAxis, columns: int) -> int:
    return min(int(axis.at(at) * columns / 100), columns - 1)


def _counts(lane: Lane, axis: TimeAxis, columns: int) -> Counter[int]:
    return Counter(_column(at, axis, columns) for at, _ in lane.lines if axis.holds(at))


def _bars(counts: Counter[int], *, columns: int, floor: float, most: int) -> str:
    """Rectangles as one path, as high as the logarithm of how many lines there were."""
    wide = _WIDE / columns
    high = {column: max(2.0, _BAR * math.log1p(count) / math.log1p(most)) for column, count in counts.items()}
    return " ".join(f"M{column * wide:.0f} {floor}v{-high[column]:.1f}h{wide:.0f}V{floor}z" for column in sorted(high))


def _stretched(path: str, *, height: float) -> Markup:
    bars = svg.element("path", d=path, class_="log-bar")
    box = f"0 0 {_WIDE} {max(height, 1):g}"
    return svg.element(
        "svg", bars, width="100%", height=f"{height:g}", viewBox=box, preserveAspectRatio="none", aria_hidden="true"
    )


def _lane(lane: Lane, *, axis: TimeAxis, floor: float, signs: int) -> list[Markup]:
    """The name, the floor, and a sign for the first of the worst lines in each part of the axis."""
    worst: dict[int, tuple[Level, int]] = {}
    for at, level in lane.lines:
        column = _column(at, axis, signs)
        if axis.holds(at) and level in _SIGN and (column not in worst or (level == "error" != worst[column][0])):
            worst[column] = level, at
    return [
        svg.text(f"{one_line(lane.member)} · {lane.said}", x=0, y=floor - _BODY - 2, class_="lane-name"),
        svg.horizontal(0, 100, y=floor, class_="rail"),
        *(
            svg.text(_SIGN[level], x=axis.at(at), y=floor - _BAR, anchor="middle", class_=f"log-sign {level}")
            for level, at in worst.values()
        ),
    ]
