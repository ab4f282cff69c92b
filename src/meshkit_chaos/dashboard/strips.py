"""How long an objective took in each release, as strips of intervals against the limit. Pure.

One row a release, newest first, all on one scale: passing runs in the upper lanes, failing ones in a lane of their own below,
so that they are told by their place and not by colour alone. A time that had no end reaches to the right edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.campaign.sequential import interval
from meshkit_chaos.dashboard.suspects import Lived
from meshkit_chaos.dashboard.trend import Timed
from meshkit_chaos.dashboard.wording import day, usual_time
from meshkit_chaos.gate.exact_tests import Span, median
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import say, say_time
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import ValueAxis, nice_step, nice_ticks, tick_label, value_axis

KEYS: Final = ("version", "branch")
MOST: Final = 6
"""So many releases are shown, the newest."""
_DRAWN: Final = 120
"""So many intervals of a release are drawn, the newest. Its numbers are of all."""
_HEIGHT: Final = 34.0
_LANES, _LANE, _FAILED = 4, 5.0, 24.0
_SECOND: Final = 1e9


class Strip(Struct, frozen=True, kw_only=True):
    """One release. ``runs``: those that passed or failed; times are of those that were measured."""

    release: str
    when: str
    runs: int
    median: str
    worst: str
    failing: str
    drawing: Markup


def release_key(results: Sequence[PastScenario], policy: Policy | None) -> str:
    """The key of the subject that tells releases apart: the policy's, else the first usual one that is there; empty: none."""
    wanted = policy.regression.baseline.releases_by if policy is not None and policy.regression is not None else ""
    return next((key for key in (wanted, *KEYS) if key and any(key in one.subject for one in results)), "")


def release_names(runs: Sequence[Lived], key: str) -> dict[str, str]:
    """The release of each invocation; those that name none are left out."""
    return {result.invocation: result.subject[key] for result, _ in runs if key in result.subject}


def strips(times: Sequence[Timed], *, along: Sequence[Timed] = ()) -> tuple[Strip, ...]:
    """One for each release, newest first. ``times``: oldest first; those set aside do not count. ``along``: all of a scale."""
    grouped: dict[str, list[Timed]] = {}
    for one in reversed(times):
        if one.counts and one.release:
            grouped.setdefault(one.release, []).append(one)
    axis = _axis(along or times)
    return tuple(_strip(name, ones, axis) for name, ones in list(grouped.items())[:MOST])


def scale(times: Sequence[Timed]) -> Markup:
    """The axis below the strips."""
    axis = _axis(times)
    step = nice_step(axis.high, wanted=5)
    ticks = [
        svg.text(
            f"{tick_label(value, step)} s",
            x=axis.at(value),
            y=12,
            anchor="start" if value == 0 else "middle",
            class_="tick" if index % 2 == 0 else "tick minor",
        )
        for index, value in enumerate(nice_ticks(0, axis.high * 0.97, wanted=5))
    ]
    return svg.drawing(*ticks, height=16.0, label="seconds", class_="strip")


@lru_cache(maxsize=4096)
def fails_told(failures: int, runs: int) -> str:
    """Write ``fails 1 in 9, 95 % interval 0.3-48 %``."""
    low, high = interval(failures, runs)
    return f"fails {failures} in {runs}, 95 % interval {_percent(low)}-{_percent(high)} %"


def _percent(share: float) -> str:
    """Whole from ten on, one digit below, and never a zero for what is none."""
    value = share * 100
    if value >= 9.95 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 0.05 else f"{value:.1g}"


def _axis(times: Sequence[Timed]) -> ValueAxis:
    """From left to right in percent."""
    ends = [end / _SECOND for one in times for end in (one.lo, one.hi, one.limit) if end is not None]
    return ValueAxis(low=0.0, high=value_axis((0.0, *ends), top=0, bottom=1).high, top=100.0, bottom=0.0)


def _strip(name: str, ones: Sequence[Timed], axis: ValueAxis) -> Strip:
    decided = [one.verdict for one in ones if one.verdict in ("pass", "fail")]
    spans = [Span(one.lo, one.hi) for one in ones if one.lo is not None]
    failed = decided.count("fail")
    first, last = day(ones[-1].at), day(ones[0].at)
    return Strip(
        release=name,
        when=first if first == last else f"{first} to {last}",
        runs=len(decided),
        median=_median(spans),
        worst=_worst(spans),
        failing=fails_told(failed, len(decided)) if decided else "no run passed or failed",
        drawing=_drawing(name, ones, spans, axis),
    )


def _middle(spans: Sequence[Span]) -> tuple[float, float]:
    return median(spans, upper=False), median(spans, upper=True)


def _median(spans: Sequence[Span]) -> str:
    if not spans:
        return "none measured"
    return usual_time(spans)


def _worst(spans: Sequence[Span]) -> str:
    if not spans:
        return "none measured"
    slowest = max(spans, key=lambda one: (one.hi is None, one.lo if one.hi is None else one.hi))
    return say_time(slowest.lo, slowest.hi)


def _drawing(name: str, ones: Sequence[Timed], spans: Sequence[Span], axis: ValueAxis) -> Markup:
    parts = [svg.horizontal(0, 100, y=_HEIGHT - 1, class_="grid")]
    for index, one in enumerate(ones[:_DRAWN]):
        if one.lo is None:
            continue
        start = axis.at(one.lo / _SECOND)
        end = 100.0 if one.hi is None else axis.at(one.hi / _SECOND)
        y = _FAILED if one.verdict == "fail" else 2 + (index % _LANES) * _LANE
        shown = f"mark {one.verdict} block thin"
        parts.append(svg.rect(start, max(end - start, 0.4), y=y, height=_LANE - 1, class_=shown, title=one.words))
    limit = ones[0].limit
    if limit is not None:
        parts.append(svg.vertical(axis.at(limit / _SECOND), top=0, bottom=_HEIGHT, class_="due"))
    if spans:
        start, end = (axis.at(min(one / _SECOND, axis.high)) for one in _middle(spans))
        parts.append(svg.rect(start, end - start, y=0, height=_HEIGHT - 1, class_="median"))
    told = f"{name}: median {_median(spans)}, worst {_worst(spans)}" + (f", limit {say(limit)}" if limit is not None else "")
    return svg.drawing(*parts, height=_HEIGHT, label=told, class_="strip")
