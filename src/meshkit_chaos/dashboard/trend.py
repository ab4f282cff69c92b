"""Convergence times over nights as a drawing: each run an interval, the limit, and the band of earlier passes. Pure.

Nights stand evenly, newest at the right, because that is how people compare them; the axis below says which day is where. A
time that had no end is drawn to the upper edge with an arrow: it is more than what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import at_least, say, say_between
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import ValueAxis, nice_step, nice_ticks, tick_label, value_axis

HEIGHT: Final = 220.0
_TOP, _BOTTOM = 10.0, 190.0
_SECOND: Final = 1e9
_LEAST_BAND: Final = 5


class Timed(Struct, frozen=True, kw_only=True):
    """One run's time for one objective. ``hi`` None: more than ``lo``."""

    at: int
    lo: int
    hi: int | None
    limit: int | None
    verdict: VerdictName
    href: str
    counts: bool = True

    @property
    def words(self) -> str:
        took = f"more than {at_least(self.lo)}" if self.hi is None else say_between(self.lo, self.hi)
        aside = "" if self.counts else ", set aside"
        return f"{day(self.at)}: {took}, {self.verdict}{aside}"


def timed(results: Sequence[PastScenario], objective: str, *, href: dict[str, str]) -> tuple[Timed, ...]:
    """Every run that measured an objective, oldest first. ``results``: newest first. ``href``: by invocation."""
    found = [
        Timed(
            at=result.at,
            lo=told.lo,
            hi=told.hi,
            limit=told.limit,
            verdict=told.verdict,
            href=href.get(result.invocation, ""),
            counts=not run.invalidated,
        )
        for result in results
        for run in reversed(result.runs)
        for told in run.objectives
        if told.name == objective and told.lo is not None
    ]
    return tuple(reversed(found))


def objectives(results: Sequence[PastScenario]) -> tuple[str, ...]:
    """The objectives that were ever timed, in the order of the newest result that has them."""
    return tuple(
        dict.fromkeys(told.name for result in results for run in result.runs for told in run.objectives if told.lo is not None)
    )


def band(times: Sequence[Timed]) -> tuple[int, int] | None:
    """From the fastest to the slowest passing run, the newest fifth left out; None where there are too few to say."""
    passed = [one for one in times[: len(times) - len(times) // 5] if one.verdict == "pass" and one.counts and one.hi]
    if len(passed) < _LEAST_BAND:
        return None
    return min(one.lo for one in passed), max(one.hi or 0 for one in passed)


def trend(times: Sequence[Timed], *, label: str) -> Markup:
    """Draw them; ``label`` says of what."""
    limits = [one.limit for one in times if one.limit is not None]
    tops = [(one.hi if one.hi is not None else one.lo) / _SECOND for one in times]
    axis = value_axis((0.0, *tops, *(limit / _SECOND for limit in limits)), top=_TOP, bottom=_BOTTOM)
    axis = ValueAxis(low=0.0, high=axis.high, top=_TOP, bottom=_BOTTOM)
    usual = band(times)
    step = nice_step(axis.high, wanted=4)
    grid = [
        part
        for value in nice_ticks(0, axis.high, wanted=4)
        for part in (
            svg.horizontal(0, 100, y=axis.at(value), class_="grid"),
            svg.text(f"{tick_label(value, step)} s", x=0, y=axis.at(value) + 4, dx=-6, anchor="end", class_="tick"),
        )
    ]
    shade = [] if usual is None else [_band(usual, axis)]
    width = 100 / max(len(times), 1)
    points = [_point(one, axis, x=(index + 0.5) * width, width=width) for index, one in enumerate(times)]
    due = [_limit(times, axis, width)] if limits else []
    return svg.drawing(
        *grid,
        *shade,
        *due,
        *points,
        *_days(times, width),
        height=HEIGHT,
        label=_in_words(times, label),
        class_="plot",
        role="group",
    )


def _band(usual: tuple[int, int], axis: ValueAxis) -> Markup:
    top, bottom = axis.at(usual[1] / _SECOND), axis.at(usual[0] / _SECOND)
    return svg.rect(0, 100, y=top, height=max(bottom - top, 1), class_="band", title=f"passing runs: {say_between(*usual)}")


def _point(one: Timed, axis: ValueAxis, *, x: float, width: float) -> Markup:
    top = _TOP if one.hi is None else axis.at(one.hi / _SECOND)
    bottom = axis.at(one.lo / _SECOND)
    half = min(width * 0.32, 0.9)
    mark = svg.rect(
        x - half,
        2 * half,
        y=top,
        height=max(bottom - top, 3),
        class_=f"mark {one.verdict} block{'' if one.counts else ' aside'}",
    )
    arrow = (svg.text("↑", x=x, y=_TOP + 2, anchor="middle", class_=f"mark-label {one.verdict}"),) if one.hi is None else ()
    held = svg.group(svg.element("title", one.words), mark, *arrow)
    return svg.element("a", held, href=one.href) if one.href else held


def _limit(times: Sequence[Timed], axis: ValueAxis, width: float) -> Markup:
    """The limit as it was for each run: it may have been changed."""
    parts: list[Markup] = []
    start, current = 0, times[0].limit
    for index in range(1, len(times) + 1):
        following = times[index].limit if index < len(times) else None
        if index == len(times) or following != current:
            if current is not None:
                parts.append(svg.horizontal(start * width, index * width, y=axis.at(current / _SECOND), class_="due"))
            start, current = index, following
    return svg.group(*parts)


def _days(times: Sequence[Timed], width: float) -> list[Markup]:
    if not times:
        return []
    every = max(1, len(times) // 6)
    return [
        svg.text(
            day(one.at)[5:],
            x=(index + 0.5) * width,
            y=HEIGHT - 12,
            anchor="middle",
            class_="tick" if index % (2 * every) == 0 else "tick minor",
        )
        for index, one in enumerate(times)
        if index % every == 0
    ]


def _in_words(times: Sequence[Timed], label: str) -> str:
    if not times:
        return f"{label}: no time was measured"
    newest = times[-1]
    due = f", limit {say(newest.limit)}" if newest.limit is not None else ""
    return f"{label}: {len(times)} runs from {day(times[0].at)} to {day(newest.at)}; the newest, {newest.words}{due}"
