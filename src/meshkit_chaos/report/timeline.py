"""The course of a run as a drawing: its phases, and each fault from its intent to the end of its revert. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from meshkit_chaos.journal.record import FaultWindow, PhaseSpan
from meshkit_chaos.judge.verdict import Measurement, VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.narrative import members_text, since
from meshkit_chaos.report.plot import time_ticks
from meshkit_chaos.report.wording import interval, limit, seconds

_PHASES: Final = 24
_LANE: Final = 38
_LETTER: Final = 7.2  # pixels of one letter, a little too wide rather than too narrow
_DESK: Final = 900.0
_PHONE: Final = 330.0
_ACTIVE: Final = frozenset({"inject", "hold", "revert"})


def time_line(
    phases: Sequence[PhaseSpan], *, windows: Sequence[FaultWindow], axis: TimeAxis, roles_by_node: Mapping[str, str]
) -> Markup:
    """Draw it; a lane for each fault, in order of intent."""
    height = _PHASES + 8 + len(windows) * _LANE
    lanes = [
        part
        for index, window in enumerate(windows)
        for part in _lane(window, axis=axis, y=_PHASES + 8 + index * _LANE, role=roles_by_node.get(window.node, ""))
    ]
    return svg.drawing(
        *(svg.vertical(axis.at(t), top=_PHASES, bottom=height, class_="grid") for t, _ in axis.ticks()),
        *(_phase(span, axis=axis) for span in phases if span.end > axis.start and span.start < axis.end),
        *lanes,
        *time_ticks(axis, y=height + 14),
        height=height + 20,
        label=_in_words(phases, windows, axis=axis),
        class_="time-line",
    )


def _in_words(phases: Sequence[PhaseSpan], windows: Sequence[FaultWindow], *, axis: TimeAxis) -> str:
    told = [f"{span.phase} from {since(span.start, axis.zero)} to {since(span.end, axis.zero)}" for span in phases]
    told += [_fault_in_words(window, axis=axis) for window in windows]
    return "The course of the run: " + "; ".join(told) + "."


def _fault_in_words(window: FaultWindow, *, axis: TimeAxis) -> str:
    name = f"{window.fault} {members_text(window.members)} intended at {since(window.intended, axis.zero)}"
    acked = "never acknowledged" if window.injected is None else f"acknowledged at {since(window.injected, axis.zero)}"
    undone = "never reverted" if window.reverted is None else f"reverted at {since(window.reverted, axis.zero)}"
    return f"{name}, {acked}, {undone}"


def _phase(span: PhaseSpan, *, axis: TimeAxis) -> Markup:
    """A block with its name, as far as it fits; the name of a block too narrow for it is only a tool tip."""
    x = axis.at(span.start)
    width = axis.at(span.end) - x
    wanted = len(span.phase) * _LETTER + 10
    fits = "" if width * _PHONE / 100 >= wanted else " wide-only"
    tip = svg.element("title", f"{span.phase}, {seconds(span.end - span.start)}, from {since(span.start, axis.zero)}")
    tone = "phase active" if span.phase in _ACTIVE else "phase"
    inside = [tip, svg.element("rect", x=0, y=0, width="100%", height=_PHASES, class_=tone)]
    if width * _DESK / 100 >= wanted:
        inside.append(svg.element("text", span.phase, x=6, y=16, class_=f"phase-label{fits}"))
    return svg.element("svg", *inside, x=svg.percent(x), y=0, width=svg.percent(width), height=_PHASES)


def _lane(window: FaultWindow, *, axis: TimeAxis, y: float, role: str) -> list[Markup]:
    """Full where the fault was in force, hatched while it was being injected or undone, open where it was never undone."""
    injected = window.injected if window.injected is not None else window.intended
    back = window.revert_intended if window.revert_intended is not None else window.reverted
    end = window.reverted if window.reverted is not None else axis.end
    solid_end = back if back is not None else end
    parts = [
        _block(axis, window.intended, injected, y=y, class_="fault moving", title="being injected"),
        _block(axis, injected, solid_end, y=y, class_="fault", title="in force"),
        _block(axis, solid_end, end, y=y, class_="fault moving", title="being undone"),
    ]
    name = f"{window.fault} {members_text(window.members)}" + (f" ({role})" if role else "")
    if window.failed:
        name += ", injection failed"
    if window.outstanding:
        name += ", never undone →"
    x = axis.at(window.intended)
    place, anchor = (x, "start") if x < 60 else (axis.at(end), "end")
    parts.append(svg.text(name, x=place, y=y + 13, anchor=anchor, class_="fault-label"))
    return parts


def _block(axis: TimeAxis, start: int, end: int, *, y: float, class_: str, title: str) -> Markup:
    x = axis.at(start)
    tip = f"{title} from {since(start, axis.zero)} to {since(end, axis.zero)}"
    return svg.rect(x, axis.at(end) - x, y=y + 19, height=12, class_=class_, title=tip)


def interval_bar(measured: Sequence[tuple[Measurement, VerdictName]]) -> Markup:
    """The intervals of one objective's runs against its limit: at three quarters of the width, unless more is needed."""
    due = max((m.limit for m, _ in measured), default=0)
    reach = max((m.lo if m.hi is None else m.hi for m, _ in measured), default=0)
    full = max(due * 4 / 3, reach * 1.08, 1.0)
    blocks = []
    for one, verdict in measured:
        lo = 100 * one.lo / full
        hi = 100.0 if one.hi is None else 100 * one.hi / full
        blocks.append(svg.rect(lo, max(hi - lo, 1.5), y=4, height=10, class_=f"mark {verdict} block"))
    x = 100 * due / full
    words = "; ".join(f"{interval(one)} against a limit of {limit(one)}: {verdict}" for one, verdict in measured)
    return svg.drawing(
        svg.horizontal(0, 100, y=9, class_="rail"),
        svg.rect(x, 100 - x, y=1, height=16, class_="beyond"),
        *blocks,
        svg.vertical(x, top=0, bottom=18, class_="due"),
        height=18,
        label=words or "not measured",
        class_="interval-bar",
    )
