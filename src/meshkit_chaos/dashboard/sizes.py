"""How an executable's size went, build after build, as a drawing: each step is another digest, each jump names its build. Pure.

Builds stand evenly, newest at the right. The axis does not begin at zero, since a few percent are what people look for; the
labels say how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup

from meshkit_chaos.dashboard.wording import day, short_build
from meshkit_chaos.history.model import Built
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report import svg
from meshkit_chaos.report.axis import ValueAxis, value_axis

HEIGHT: Final = 130.0
JUMP: Final = 0.02
"""A change of size by such a share is marked."""
_TOP, _BOTTOM = 24.0, 104.0
_MOST_LABELS: Final = 8


def change(one: Built, older: Built | None) -> float:
    """By which share a size differs from the one before; 0 where there is none to compare with."""
    return 0.0 if older is None or not older.size else (one.size - older.size) / older.size


def said(share: float) -> str:
    """Write ``+1.5 %``."""
    return f"{100 * share:+.1f} %"


def readable(size: int) -> str:
    """Write ``4.20 MB``; a megabyte is a million bytes."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.2f} {unit}"
    return counted(size, "byte")


def sizes(built: Sequence[Built], *, name: str, href: dict[str, str]) -> Markup:
    """``built``: of one executable, oldest first, at least one. ``href``: by invocation."""
    axis = value_axis(tuple(float(one.size) for one in built), top=_TOP, bottom=_BOTTOM)
    width = 100 / len(built)
    pairs = list(zip(built, (None, *built), strict=False))
    jumps = sorted((one for one in pairs if abs(change(*one)) >= JUMP), key=lambda one: -abs(change(*one)))[:_MOST_LABELS]
    labelled = {one.invocation for one, _ in jumps}
    grid = [
        part
        for value in (min(one.size for one in built), max(one.size for one in built))
        for part in (
            svg.horizontal(0, 100, y=axis.at(value), class_="grid"),
            svg.text(readable(value), x=0, y=axis.at(value) - 4, class_="tick"),
        )
    ]
    steps = [
        _step(
            one, older, axis, x=index * width, width=width, href=href.get(one.invocation, ""), told=one.invocation in labelled
        )
        for index, (one, older) in enumerate(pairs)
    ]
    return svg.drawing(*grid, *steps, *_ends(built), height=HEIGHT, label=_in_words(built, name), class_="plot", role="group")


def _step(one: Built, older: Built | None, axis: ValueAxis, *, x: float, width: float, href: str, told: bool) -> Markup:
    y, share = axis.at(one.size), change(one, older)
    tone: VerdictName = "inconclusive" if abs(share) >= JUMP else "not-run"
    words = f"{day(one.at)}, {short_build(one.subject)}: {readable(one.size)}"
    parts = [svg.element("title", words + (f", {said(share)}" if share else "")), _level(x, width, y, tone)]
    if older is not None and older.digest != one.digest:
        between = sorted((axis.at(older.size), y))
        parts.append(svg.vertical(x, top=between[0] - 3, bottom=between[1] + 3, class_=f"mark stem {tone}"))
    if told:
        anchor = "end" if x > 80 else "start"
        label = f"{said(share)} {short_build(one.subject)}"
        parts.append(svg.text(label, x=x + width / 2, y=max(y - 8, 12), anchor=anchor, class_=f"mark-label {tone}"))
    held = svg.group(*parts)
    return svg.element("a", held, href=href) if href else held


def _level(x: float, width: float, y: float, tone: VerdictName) -> Markup:
    return svg.rect(x, width, y=y - 2, height=4, class_=f"mark {tone} block")


def _ends(built: Sequence[Built]) -> list[Markup]:
    last = [svg.text(day(built[-1].at), x=100, y=HEIGHT - 8, anchor="end", class_="tick")] if len(built) > 1 else []
    return [svg.text(day(built[0].at), x=0, y=HEIGHT - 8, class_="tick"), *last]


def _in_words(built: Sequence[Built], name: str) -> str:
    newest, oldest = built[-1], built[0]
    return f"{name}: {readable(oldest.size)} on {day(oldest.at)}, {readable(newest.size)} on {day(newest.at)}"
