"""Two invocations, or two runs of one scenario, beside each other, objective by objective. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct, structs

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.suspects import build_name
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.history.comparing import SET_ASIDE, Compared, Side, compare
from meshkit_chaos.history.model import PastInvocation, PastRun, PastScenario
from meshkit_chaos.judge.phrases import say_time
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.view import RunView

Whole = tuple[PastInvocation, tuple[PastScenario, ...]]
Single = tuple[PastScenario, PastRun]

ROWS_BYTES: Final = 225_000
"""Of the lines of a page, which is to be smaller than 300 kB."""
_ROW_BYTES: Final = 590
"""Of a line with names of no length."""


class SideView(Struct, frozen=True, kw_only=True):
    """``verdict`` None: several results, of which ``more`` tells; else ``more`` is why the verdict is not the whole of it."""

    verdict: VerdictName | None
    took: str
    more: str = ""


class CompareRow(Struct, frozen=True, kw_only=True):
    """``objective`` empty: the whole scenario."""

    scenario: str
    href: str
    objective: str
    before: SideView | None
    after: SideView | None
    difference: str
    changed: bool


class Choice(Struct, frozen=True, kw_only=True):
    value: str
    text: str
    before: bool
    after: bool


class Drawing(Struct, frozen=True, kw_only=True):
    """One run of two, with its course where its evidence is at hand; else ``missing`` says why not."""

    name: str
    href: str
    verdict: VerdictName
    view: RunView | None
    missing: str


class Contrast(Struct, frozen=True, kw_only=True):
    """Two sides. ``alike``: so many lines without a difference are left out. ``drawings``: of two runs."""

    title: str
    sentence: str
    before: str = ""
    after: str = ""
    before_href: str = ""
    after_href: str = ""
    rows: tuple[CompareRow, ...] = ()
    alike: int = 0
    drawings: tuple[Drawing, ...] = ()


def invocations_compared(title: str, before: Whole | None, after: Whole | None, *, here: str) -> Contrast:
    """Every scenario of either; None: there is no such invocation."""
    told = compare(before[1], after[1]) if before is not None and after is not None else ()
    rows = tuple(_row(one, here=here) for one in told)
    changed = sum(row.changed for row in rows)
    return Contrast(
        title=title,
        sentence=f"{changed} of {len(rows)} lines differ" if rows else "there are no two invocations to compare",
        before=_name(before),
        after=_name(after),
        before_href=_href(before, here=here),
        after_href=_href(after, here=here),
        rows=rows,
    )


def runs_compared(before: Single, after: Single, drawings: tuple[Drawing, ...], *, here: str) -> Contrast:
    """Two runs; those of two scenarios have no line in common, and that is said of each."""
    told = compare(*([structs.replace(result, runs=(run,), verdict=run.verdict)] for result, run in (before, after)))
    rows = tuple(_row(_of_run(one, before, after), here=here) for one in told)
    changed = sum(row.changed for row in rows)
    return Contrast(
        title="Two runs",
        sentence=f"{changed} of {len(rows)} lines differ",
        before=_run_name(before),
        after=_run_name(after),
        before_href=paths.relative(paths.run(before[1].run), here=here),
        after_href=paths.relative(paths.run(after[1].run), here=here),
        rows=rows,
        drawings=drawings,
    )


def only_changed(contrast: Contrast) -> Contrast:
    """Without the lines that are alike; how many those are is said."""
    rows = tuple(row for row in contrast.rows if row.changed)
    return structs.replace(contrast, rows=rows, alike=len(contrast.rows) - len(rows))


def shortened(contrasts: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """With so few lines that they are one page, those that differ first; how many that are is said."""
    room = ROWS_BYTES // max(1, len(contrasts))
    return tuple(_cut(one, room) for one in contrasts)


def _cut(contrast: Contrast, room: int) -> Contrast:
    rows = sorted(contrast.rows, key=lambda row: not row.changed)
    weights = accumulate(_ROW_BYTES + 6 * len(row.scenario) + len(row.href) + 6 * len(row.objective) for row in rows)
    shown = sum(weight <= room for weight in weights)
    if shown == len(rows):
        return contrast
    return structs.replace(
        contrast, rows=tuple(rows[:shown]), sentence=f"{contrast.sentence}; {shown} are shown, those that differ first"
    )


def _of_run(one: Compared, before: Single, after: Single) -> Compared:
    """An objective's verdict is that of the run, not of all the runs of its result."""
    if not one.objective:
        return one
    sides = []
    for side, (_, run) in ((one.before, before), (one.after, after)):
        own = next((told.verdict for told in run.objectives if told.name == one.objective), None)
        sides.append(structs.replace(side, verdict=own, note=run.invalidated and SET_ASIDE) if side and own else side)
    changed = sides[0] is not None and sides[1] is not None and sides[0].verdict != sides[1].verdict
    told = f"{sides[0].verdict} became {sides[1].verdict}" if changed and sides[0] and sides[1] else ""
    times = [part for part in one.difference.split(", ") if part and "became" not in part]
    return structs.replace(one, before=sides[0], after=sides[1], difference=", ".join([*([told] if told else []), *times]))


def _row(one: Compared, *, here: str) -> CompareRow:
    return CompareRow(
        scenario=one.scenario,
        href=paths.relative(paths.scenario(one.scenario), here=here),
        objective=one.objective,
        before=_side(one.before),
        after=_side(one.after),
        difference=one.difference,
        changed=bool(one.difference) and one.difference != "the times overlap",
    )


def invocation_name(one: PastInvocation) -> str:
    return f"{minute(one.at)} {build_name(one.subject)}".rstrip()


def _name(whole: Whole | None) -> str:
    return "" if whole is None else invocation_name(whole[0])


def _run_name(one: Single) -> str:
    result, run = one
    return f"{minute(result.at)} {build_name(result.subject)}, run {run.number}"


def _href(whole: Whole | None, *, here: str) -> str:
    return "" if whole is None else paths.relative(paths.invocation(whole[0].invocation), here=here)


def _side(side: Side | None) -> SideView | None:
    if side is None:
        return None
    took = say_time(side.lo, side.hi) if side.lo is not None else ""
    return SideView(verdict=side.verdict, took=took, more=side.note)


def choices(held: Sequence[PastInvocation], *, before: str, after: str) -> tuple[Choice, ...]:
    """What may be asked for of invocations, and which of them is shown."""
    return tuple(
        Choice(
            value=one.invocation,
            text=invocation_name(one),
            before=one.invocation == before,
            after=one.invocation == after,
        )
        for one in held
    )
