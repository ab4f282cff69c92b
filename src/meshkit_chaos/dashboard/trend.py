"""Convergence times over nights as a drawing: each run an interval, its limit, what changed, and what happened beside. Pure.

Runs stand evenly, newest at the right, because that is how people compare them; the axis below says which day is where. From
top to bottom: releases, changes, the times, runs without a time, what happened (numbered as in the list beside the drawing),
and days. A time that had no end is drawn to the upper edge with an arrow: it is more than what was seen. A verdict is told by
a sign's shape as well as by its colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard.suspects import Lived
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.judge.phrases import say, say_between, say_time
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import ValueAxis, nice_step, nice_ticks, tick_label, value_axis

HEIGHT: Final = 276.0
_TOP, _BOTTOM = 46.0, 214.0
_SIGN: Final = 12.0
_UNTIMED, _BESIDE, _DAYS = 218.0, 246.0, 272.0
_SECOND: Final = 1e9
_LEAST_BAND: Final = 5
_NEAR: Final = 3.0  # percent: two numbers nearer than this are drawn as one


class Timed(Struct, frozen=True, kw_only=True):
    """One run's time for one objective. ``lo`` None: none was measured; ``hi`` None with ``lo``: more than ``lo``."""

    run: str
    at: int
    lo: int | None
    hi: int | None
    limit: int | None
    verdict: VerdictName
    href: str
    build: str = ""
    release: str = ""
    counts: bool = True

    @property
    def words(self) -> str:
        took = "no time was measured" if self.lo is None else say_time(self.lo, self.hi)
        aside = "" if self.counts else ", set aside"
        of = f" ({self.build})" if self.build else ""
        return f"{day(self.at)}{of}: {took}, {self.verdict}{aside}"


class Beside(Struct, frozen=True, kw_only=True):
    """Something that happened at an instant; ``number``: of its line in the list beside the drawing."""

    at: int
    number: int
    words: str


def timed(
    runs: Sequence[Lived], objective: str, *, href: Mapping[str, str], builds: Mapping[str, str], releases: Mapping[str, str]
) -> tuple[Timed, ...]:
    """Every run that has an objective, oldest first. ``href``: by run; ``builds``, ``releases``: by invocation."""
    return tuple(
        Timed(
            run=run.run,
            at=result.at,
            lo=told.lo,
            hi=told.hi,
            limit=told.limit,
            verdict=told.verdict,
            href=href.get(run.run, ""),
            build=builds.get(result.invocation, ""),
            release=releases.get(result.invocation, ""),
            counts=not run.invalidated,
        )
        for result, run in runs
        for told in run.objectives
        if told.name == objective
    )


def objectives(runs: Sequence[Lived]) -> tuple[str, ...]:
    """The objectives that were ever timed, in the order of the newest run that has them."""
    return tuple(dict.fromkeys(told.name for _, run in reversed(runs) for told in run.objectives if told.lo is not None))


def band(times: Sequence[Timed], *, changed: Sequence[str] = ()) -> tuple[int, int] | None:
    """From the fastest to the slowest pass before the first change, else in all but the newest fifth; None for too few."""
    first = next((index for index, one in enumerate(times) if one.run in changed), len(times) - len(times) // 5)
    passed = [one for one in times[:first] if one.verdict == "pass" and one.counts]
    ended = [(one.lo, one.hi) for one in passed if one.lo is not None and one.hi is not None]
    if len(ended) < _LEAST_BAND:
        return None
    return min(lo for lo, _ in ended), max(hi for _, hi in ended)


def trend(
    times: Sequence[Timed], *, label: str, changes: Sequence[tuple[str, str]] = (), beside: Sequence[Beside] = ()
) -> Markup:
    """Draw them; ``label`` says of what. ``changes``: the first run after each, and what came then."""
    axis = _axis(times)
    width = 100 / max(len(times), 1)
    usual = band(times, changed=[run for run, _ in changes])
    return svg.element(
        "svg",
        *_grid(axis),
        *([] if usual is None else [_band(usual, axis)]),
        *_releases(times, width),
        *_limits(times, axis, width),
        *(_point(one, axis, x=(index + 0.5) * width, width=width) for index, one in enumerate(times)),
        *_changes(times, changes, width),
        *_beside(times, beside, width),
        *_days(times, width),
        width="100%",
        height=HEIGHT,
        role="group",  # and no picture: there are links in it
        aria_label=_in_words(times, label, changes),
        class_="plot",
    )


def _axis(times: Sequence[Timed]) -> ValueAxis:
    tops = [end / _SECOND for one in times for end in (one.lo, one.hi, one.limit) if end is not None]
    return ValueAxis(low=0.0, high=value_axis((0.0, *tops), top=_TOP, bottom=_BOTTOM).high, top=_TOP, bottom=_BOTTOM)


def _grid(axis: ValueAxis) -> list[Markup]:
    step = nice_step(axis.high, wanted=4)
    return [
        part
        for value in nice_ticks(0, axis.high, wanted=4)
        for part in (
            svg.horizontal(0, 100, y=axis.at(value), class_="grid"),
            svg.text(f"{tick_label(value, step)} s", x=0, y=axis.at(value) + 4, dx=-6, anchor="end", class_="tick"),
        )
    ]


def _band(usual: tuple[int, int], axis: ValueAxis) -> Markup:
    top, bottom = axis.at(usual[1] / _SECOND), axis.at(usual[0] / _SECOND)
    return svg.rect(0, 100, y=top, height=max(bottom - top, 1), class_="band", title=f"passing runs: {say_between(*usual)}")


def _point(one: Timed, axis: ValueAxis, *, x: float, width: float) -> Markup:
    parts = [svg.element("title", one.words)]
    # The whole height can be pointed at: a mark may be a few pixels wide.
    parts.append(svg.rect(x - width / 2, width, y=_TOP, height=_BOTTOM - _TOP + 18, class_="reach"))
    if one.lo is None:
        parts.append(_sign(one.verdict, x=x, y=_UNTIMED))
    else:
        top = _TOP if one.hi is None else axis.at(one.hi / _SECOND)
        bottom = axis.at(one.lo / _SECOND)
        half = min(width * 0.36, 0.8)
        shown = f"mark {one.verdict} block{'' if one.counts else ' aside'}{' endless' if one.hi is None else ''}"
        parts.append(svg.rect(x - half, 2 * half, y=top, height=max(bottom - top, 4), class_=shown))
        if one.verdict != "pass":
            parts.append(_sign(one.verdict, x=x, y=_UNTIMED))
        if one.hi is None:
            parts.append(svg.text("↑", x=x, y=_TOP + 10, anchor="middle", class_=f"mark-label {one.verdict}"))
    if one.href:
        return svg.element("a", *parts, href=one.href, aria_label=one.words)
    return svg.group(*parts)


def _sign(verdict: VerdictName, *, x: float, y: float) -> Markup:
    """The sign of a verdict in pixels, at a place in percent: an inner drawing brings the two together."""
    half = _SIGN / 2
    use = svg.element("use", href=f"#sign-{verdict}", x=-half, y=0, width=_SIGN, height=_SIGN)
    return svg.element("svg", use, x=svg.percent(x), y=y, class_=f"sign {verdict}", overflow="visible")


def _limits(times: Sequence[Timed], axis: ValueAxis, width: float) -> list[Markup]:
    """The limit as it was for each run: it may have been changed."""
    parts: list[Markup] = []
    start = 0
    for index in range(1, len(times) + 1):
        if index == len(times) or times[index].limit != times[start].limit:
            current = times[start].limit
            if current is not None:
                y = axis.at(current / _SECOND)
                parts.append(svg.horizontal(start * width, index * width, y=y, class_="due"))
                told = f"limit {say(current)}"
                parts.append(svg.text(told, x=start * width, y=y - 4, dx=3, class_="tick due-label"))
                if index == len(times):  # a narrow screen begins at the right
                    parts.append(svg.text(told, x=100, y=y - 4, dx=-3, anchor="end", class_="tick due-label narrow-only"))
            start = index
    return parts


def _releases(times: Sequence[Timed], width: float) -> list[Markup]:
    """A line where another release begins, with its name; the first has none, as it may have begun earlier."""
    parts: list[Markup] = []
    shown = -100.0
    for index, one in enumerate(times):
        if one.release and (index == 0 or one.release != times[index - 1].release):
            x = index * width
            if index:
                parts.append(svg.vertical(x, top=4, bottom=_BOTTOM, class_="release"))
            if x - shown > 2 * _NEAR:
                parts.append(svg.text(_short(one.release), x=x, y=12, dx=4 if index else 0, class_="tick release-name"))
                shown = x
    return parts


def _changes(times: Sequence[Timed], changes: Sequence[tuple[str, str]], width: float) -> list[Markup]:
    places = {one.run: index for index, one in enumerate(times)}
    parts: list[Markup] = []
    for row, (run, told) in enumerate(sorted((one for one in changes if one[0] in places), key=lambda one: places[one[0]])):
        x = places[run] * width
        side = "end" if x > 60 else "start"
        parts.append(svg.vertical(x, top=20, bottom=_BOTTOM, class_="change"))
        y = 26 + 13 * (row % 2)
        parts.append(svg.text(told, x=x, y=y, dx=-5 if side == "end" else 5, anchor=side, class_="change-label"))
    return parts


def _beside(times: Sequence[Timed], beside: Sequence[Beside], width: float) -> list[Markup]:
    """Numbers below the run after which something happened; several at one place are one number and a plus."""
    places: dict[float, list[Beside]] = {}
    for one in sorted(beside, key=lambda one: one.at):
        index = sum(run.at <= one.at for run in times)
        x = min(max(index - 0.5, 0.5) * width, 100 - width / 2) if times else 0.0
        near = next((place for place in places if abs(place - x) < _NEAR), x)
        places.setdefault(near, []).append(one)
    return [
        svg.group(
            svg.element("title", "; ".join(one.words for one in ones)),
            svg.element("circle", cx=svg.percent(x), cy=_BESIDE, r=9, class_="happened"),
            svg.text(_numbers(ones), x=x, y=_BESIDE + 4, anchor="middle", class_="happened-label"),
        )
        for x, ones in places.items()
    ]


def _numbers(ones: Sequence[Beside]) -> str:
    return f"{ones[0].number}" + ("+" if len(ones) > 1 else "")


def _days(times: Sequence[Timed], width: float) -> list[Markup]:
    if not times:
        return []
    every = max(1, len(times) // 6)
    return [
        svg.text(
            day(one.at)[5:],
            x=(index + 0.5) * width,
            y=_DAYS,
            anchor="middle",
            class_="tick" if index % (2 * every) == 0 else "tick minor",
        )
        for index, one in enumerate(times)
        if index % every == 0
    ]


def _short(name: str) -> str:
    return name if len(name) <= 16 else name[:15] + "…"


def _in_words(times: Sequence[Timed], label: str, changes: Sequence[tuple[str, str]]) -> str:
    if not times:
        return f"{label}: no time was measured"
    newest = times[-1]
    due = f", limit {say(newest.limit)}" if newest.limit is not None else ""
    when = {one.run: day(one.at) for one in times}
    changed = "".join(f"; changed on {when[run]}: {told}" for run, told in changes if run in when)
    return f"{label}: {len(times)} runs from {day(times[0].at)} to {day(newest.at)}{changed}; the newest, {newest.words}{due}"
