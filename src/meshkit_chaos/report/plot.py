"""One indicator over time as a drawing. Pure.

From top to bottom: a row for each measured objective (from the act it counts from, over the interval in which the indicator
came back, with its limit), the values as steps with the band, a ribbon of good, bad and unknown, and the time axis. Robust for
no points, one point, equal values, values that are not numbers, and very many points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import TimeAxis, ValueAxis, value_axis
from meshkit_chaos.report.model import Plot
from meshkit_chaos.report.narrative import since
from meshkit_chaos.report.shape import Stretch, drawn, steps, stretches, thinned
from meshkit_chaos.slo import Band

_ROW: Final = 32
_BODY: Final = 92
_RIBBON: Final = 10
_TICKS: Final = 22
_LABEL: Final = 24  # percent: the room that the numbers of a mark need on the smallest screen
_NARROW: Final = 0.5  # percent: two flags nearer than this are one
_WIDE: Final = 10_000  # the inner coordinates of the value line, stretched to the drawing's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A measured objective on a plot.

    It counts from an act that began and was acknowledged at ``acted``; the indicator was back within ``[lo, hi]`` (``hi`` None:
    never seen). ``limit_ns`` later it was due: as the act is an interval, so is that instant.
    """

    name: str
    verdict: VerdictName
    acted: tuple[int, int]
    lo: int
    hi: int | None
    limit_ns: int
    text: str
    limit: str


def indicator_plot(
    plot: Plot, *, axis: TimeAxis, marks: Sequence[Mark] = (), windows: Sequence[tuple[int, int]] = (), class_: str = "plot"
) -> Markup:
    """Draw it. ``windows`` are the spans in which a fault was in force."""
    top = len(marks) * _ROW + 6
    bottom = top + _BODY
    runs = steps(thinned(plot.points, axis))
    values = tuple(value for run in runs for _, value in run)
    scale = value_axis((*values, *_bounds(plot.band)), top=top, bottom=bottom)
    shades = drawn(stretches(plot.points), axis)
    return svg.drawing(
        *(_fault_shade(axis, window, top=top, bottom=bottom) for window in windows),
        *_grid(axis, scale),
        *_band(plot.band, scale),
        *(_shade(axis, stretch, top=top, bottom=bottom) for stretch in shades if stretch.state != "good"),
        _line(runs, axis=axis, scale=scale),
        *(_ribbon(axis, stretch, y=bottom + 4) for stretch in shades),
        *(part for row, mark in enumerate(marks) for part in _mark(axis, mark, row=row, bottom=bottom)),
        *time_ticks(axis, y=bottom + _RIBBON + 16),
        *(() if shades else _nothing((top + bottom) / 2)),
        height=bottom + _RIBBON + _TICKS,
        label=in_words(plot, axis=axis),
        class_=class_,
    )


def in_words(plot: Plot, *, axis: TimeAxis) -> str:
    """What the drawing shows, for those who do not see it."""
    found = stretches(plot.points)
    parts = [
        f"{stretch.state} from {since(stretch.start, axis.zero)} to {since(stretch.end, axis.zero)}"
        for stretch in found
        if stretch.state != "good"
    ]
    shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more stretches" if len(parts) > 6 else "")
    state = shown or ("good throughout" if found else "no data")
    return f"{plot.indicator}, good in the band {plot.band}: {state}."


def _bounds(band: Band) -> tuple[float, ...]:
    return (band.value,) if band.upper is None else (band.value, band.upper)


def _grid(axis: TimeAxis, scale: ValueAxis) -> list[Markup]:
    lines = [svg.vertical(axis.at(t), top=scale.top, bottom=scale.bottom, class_="grid") for t, _ in axis.ticks()]
    for value, label in scale.ticks():
        y = scale.at(value)
        lines.append(svg.horizontal(0, 100, y=y, class_="grid"))
        lines.append(svg.text(label, x=0, y=round(y + 4, 1), dx=-7, anchor="end", class_="tick"))
    return lines


def time_ticks(axis: TimeAxis, *, y: float) -> list[Markup]:
    """Labels of the time axis; those at its ends stay inside."""
    labels = axis.ticks()
    return [
        svg.text(label, x=axis.at(t), y=y, anchor=_anchor(axis.at(t)), class_="tick" + (" minor" if index % 2 else ""))
        for index, (t, label) in enumerate(labels)
    ]


def _anchor(x: float) -> str:
    return "start" if x < 3 else "end" if x > 97 else "middle"


def _band(band: Band, scale: ValueAxis) -> list[Markup]:
    """The good values as a strip; a single good value as a strip thick enough to see."""
    edge = scale.at(band.value)
    if band.upper is not None:
        top, bottom = scale.at(band.upper), edge
    elif band.comparison in ("<", "<="):
        top, bottom = edge, scale.bottom
    elif band.comparison in (">", ">="):
        top, bottom = scale.top, edge
    elif band.comparison == "==":
        top, bottom = edge - 4, edge + 4
    else:
        return [svg.horizontal(0, 100, y=edge, class_="edge")]
    strip = svg.rect(0, 100, y=round(top, 2), height=round(max(bottom - top, 2), 2), class_="band")
    if band.comparison == "==":
        return [strip]
    return [strip, *(svg.horizontal(0, 100, y=round(scale.at(value), 2), class_="edge") for value in _bounds(band))]


def _shade(axis: TimeAxis, stretch: Stretch, *, top: float, bottom: float) -> Markup:
    x = axis.at(stretch.start)
    title = f"{stretch.state} from {since(stretch.start, axis.zero)} to {since(stretch.end, axis.zero)}"
    return svg.rect(x, axis.at(stretch.end) - x, y=top, height=bottom - top, class_=f"shade {stretch.state}", title=title)


def _fault_shade(axis: TimeAxis, window: tuple[int, int], *, top: float, bottom: float) -> Markup:
    x = axis.at(window[0])
    return svg.rect(x, axis.at(window[1]) - x, y=top, height=bottom - top, class_="in-force", title="a fault is in force")


def _ribbon(axis: TimeAxis, stretch: Stretch, *, y: float) -> Markup:
    """Good is thin, bad is thick, unknown is hatched: told by form, not by colour alone."""
    x = axis.at(stretch.start)
    thickness = 2 if stretch.state == "good" else 8
    return svg.rect(x, axis.at(stretch.end) - x, y=y + (8 - thickness) / 2, height=thickness, class_=f"ribbon {stretch.state}")


def _line(runs: Sequence[Sequence[tuple[int, float]]], *, axis: TimeAxis, scale: ValueAxis) -> Markup:
    """The values as steps, in a drawing of its own that is stretched sideways; the stroke keeps its width."""
    path = " ".join(_steps_path(run, axis=axis, scale=scale) for run in runs)
    height = f"{scale.bottom + 4:g}"
    line = svg.element("path", d=path, class_="line", vector_effect="non-scaling-stroke")
    return svg.element(
        "svg",
        line,
        width="100%",
        height=height,
        viewBox=f"0 0 {_WIDE} {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def _steps_path(run: Sequence[tuple[int, float]], *, axis: TimeAxis, scale: ValueAxis) -> str:
    places = [(round(axis.at(t) * _WIDE / 100), f"{scale.at(value):.1f}") for t, value in run]
    (x, y), rest = places[0], places[1:]
    return f"M{x} {y}" + "".join(f"H{x}V{y}" for x, y in rest)


def _mark(axis: TimeAxis, mark: Mark, *, row: int, bottom: float) -> list[Markup]:
    """One objective: a dimension line from the act, the interval as a block, the limit as a flag, and the numbers in words."""
    y = row * _ROW + 22
    start, acted, lo = (axis.at(t) for t in (*mark.acted, mark.lo))
    hi = 100.0 if mark.hi is None else axis.at(mark.hi)
    tone = f"mark {mark.verdict}"
    parts = [
        svg.vertical(start, top=y - 5, bottom=y + 5, class_=f"{tone} stem"),
        svg.rect(start, acted - start, y=y - 3, height=6, class_=f"{tone} act", title="from the intent to the acknowledgement"),
        svg.horizontal(start, lo, y=y, class_=f"{tone} stem"),
        svg.rect(lo, hi - lo, y=y - 5, height=10, class_=f"{tone} block", title=f"{mark.name}: {mark.text}"),
        svg.rect(lo, hi - lo, y=y + 5, height=bottom - y - 5, class_=f"{tone} curtain"),
    ]
    return [*parts, *_limit(axis, mark, y=y, bottom=bottom), *_mark_label(axis, mark, y=y, hi=hi)]


def _due(mark: Mark) -> tuple[int, int]:
    return mark.acted[0] + mark.limit_ns, mark.acted[1] + mark.limit_ns


def _limit(axis: TimeAxis, mark: Mark, *, y: float, bottom: float) -> list[Markup]:
    """A flag at the instant it was due, two with a zone between them where the act took its time."""
    first, last = _due(mark)
    if not axis.holds(first):
        return []
    x, end = axis.at(first), axis.at(last)
    side = ("end", x, -5.0) if x > 80 else ("start", end, 5.0)
    flags = [x] if end - x < _NARROW else [x, end]
    return [
        svg.rect(
            x,
            end - x,
            y=y - 17,
            height=bottom - y + 17,
            class_="due-zone",
            title="the limit, counted from intent to acknowledgement",
        ),
        *(svg.vertical(place, top=y - 17, bottom=bottom, class_="due") for place in flags),
        svg.text(f"limit {mark.limit}", x=side[1], y=y - 9, anchor=side[0], dx=side[2], class_="due-label"),
    ]


def _mark_label(axis: TimeAxis, mark: Mark, *, y: float, hi: float) -> list[Markup]:
    """The numbers stand before the stem, where nothing has happened yet, or else behind the block or behind the flag.

    Where neither has the room, they stand on the line, before the block.
    """
    start, (first, last) = axis.at(mark.acted[0]), _due(mark)
    room = not axis.holds(first) or axis.at(first) - hi >= _LABEL
    behind = hi if room else max(hi, axis.at(last))
    far = f", limit {mark.limit} →" if first > axis.end else ""
    label = Markup().join((Markup.escape(f"{mark.text}{far}"), svg.element("tspan", f"  {mark.name}", class_="wide-only")))
    x, anchor, dx = (start, "end", -8) if start >= _LABEL else (behind, "start", 8)
    if anchor == "start" and x > 100 - _LABEL / 2:
        x, anchor, dx = axis.at(mark.lo), "end", -8
    return [
        svg.element("text", label, x=svg.percent(x), y=y + 4, dx=dx, text_anchor=anchor, class_=f"mark-label {mark.verdict}")
    ]


def _nothing(y: float) -> list[Markup]:
    return [svg.text("no data in this time", x=50, y=y, anchor="middle", class_="nothing")]
