"""Two invocations beside each other, scenario by scenario and objective by objective. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute, short_subject
from meshkit_chaos.history.comparing import Side, compare
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import at_least, say_between
from meshkit_chaos.judge.verdict import VerdictName

Whole = tuple[PastInvocation, tuple[PastScenario, ...]]

MOST_ROWS: Final = 500
"""More is no page that anybody reads."""


class SideView(Struct, frozen=True, kw_only=True):
    verdict: VerdictName
    took: str


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


class ComparePage(Struct, frozen=True, kw_only=True):
    before: str
    after: str
    before_href: str
    after_href: str
    rows: tuple[CompareRow, ...]
    choices: tuple[Choice, ...]
    sentence: str


def compare_page(before: Whole | None, after: Whole | None, choices: Sequence[PastInvocation], *, here: str) -> ComparePage:
    """``choices``: what else may be compared, on a server."""
    told = compare(before[1], after[1]) if before is not None and after is not None else ()
    rows = tuple(
        CompareRow(
            scenario=one.scenario,
            href=paths.relative(paths.scenario(one.scenario), here=here),
            objective=one.objective,
            before=_side(one.before),
            after=_side(one.after),
            difference=one.difference,
            changed=bool(one.difference) and one.difference != "the times overlap",
        )
        for one in told
    )
    changed = sum(row.changed for row in rows)
    shown = rows if len(rows) <= MOST_ROWS else tuple(sorted(rows, key=lambda row: not row.changed))[:MOST_ROWS]
    cut = f"; {MOST_ROWS} are shown, those that differ first" if len(shown) < len(rows) else ""
    return ComparePage(
        before=_name(before),
        after=_name(after),
        before_href=_href(before, here=here),
        after_href=_href(after, here=here),
        rows=shown,
        choices=tuple(
            Choice(
                value=one.invocation,
                text=f"{minute(one.at)} {short_subject(one.subject)}",
                before=before is not None and one.invocation == before[0].invocation,
                after=after is not None and one.invocation == after[0].invocation,
            )
            for one in choices
        ),
        sentence=f"{changed} of {len(rows)} lines differ{cut}" if rows else "there are no two invocations to compare",
    )


def _name(whole: Whole | None) -> str:
    return "" if whole is None else f"{minute(whole[0].at)} {short_subject(whole[0].subject)}"


def _href(whole: Whole | None, *, here: str) -> str:
    return "" if whole is None else paths.relative(paths.invocation(whole[0].invocation), here=here)


def _side(side: Side | None) -> SideView | None:
    if side is None:
        return None
    if side.lo is None:
        return SideView(verdict=side.verdict, took="")
    took = f"more than {at_least(side.lo)}" if side.hi is None else say_between(side.lo, side.hi)
    return SideView(verdict=side.verdict, took=took)
