"""Two sets of results beside each other, scenario by scenario and objective by objective. Pure.

Times are intervals, so a difference is only told where they do not overlap, and as what it is at least. Where a side has
several runs, its slowest one speaks: a comparison does not hide the worst, and says so where the others made it a pass. Runs
that people set aside have no time, and a side made of them says that it does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.history.model import PastObjective, PastScenario
from meshkit_chaos.judge.phrases import at_least
from meshkit_chaos.judge.verdict import VerdictName, worst

SET_ASIDE: Final = "does not count: people set a run aside"


class Side(Struct, frozen=True, kw_only=True):
    """What one side says of an objective, or (without a time) of the scenario. ``note``: why that is not the whole of it."""

    verdict: VerdictName
    lo: int | None = None
    hi: int | None = None
    note: str = ""


class Compared(Struct, frozen=True, kw_only=True):
    """``objective`` empty: the whole scenario. A side that is not there is None. ``difference`` in words; empty for none."""

    scenario: str
    objective: str
    before: Side | None
    after: Side | None
    difference: str


def compare(before: Sequence[PastScenario], after: Sequence[PastScenario]) -> tuple[Compared, ...]:
    """Every scenario of either side, those of ``after`` first."""
    first, second = ({one.scenario: one for one in side} for side in (before, after))
    out: list[Compared] = []
    for name in dict.fromkeys((*second, *first)):
        old, new = first.get(name), second.get(name)
        out.append(_compared(name, "", _whole(old), _whole(new)))
        objectives = dict.fromkeys(one.name for side in (new, old) if side for run in side.runs for one in run.objectives)
        out += [_compared(name, one, _slowest(old, one), _slowest(new, one)) for one in objectives]
    return tuple(out)


def _whole(one: PastScenario | None) -> Side | None:
    return None if one is None else Side(verdict=one.verdict, note="" if one.counts else SET_ASIDE)


def _slowest(past: PastScenario | None, name: str) -> Side | None:
    told = [one for run in (past.runs if past else ()) for one in run.objectives if one.name == name]
    if past is None or not told:
        return None
    verdict = past.objectives.get(name) or worst(one.verdict for one in told)
    counting = [one for run in past.runs if not run.invalidated for one in run.objectives if one.name == name]
    slowest = max((one for one in counting if one.lo is not None), key=_reach, default=None)
    flaky = verdict == "pass" and slowest is not None and slowest.verdict != "pass"
    note = SET_ASIDE if not past.counts else f"flaky: this run did not pass ({slowest.verdict})" if flaky and slowest else ""
    return Side(verdict=verdict, lo=slowest.lo if slowest else None, hi=slowest.hi if slowest else None, note=note)


def _reach(one: PastObjective) -> tuple[bool, int]:
    return one.hi is None, one.hi if one.hi is not None else one.lo or 0


def _compared(scenario: str, objective: str, before: Side | None, after: Side | None) -> Compared:
    return Compared(scenario=scenario, objective=objective, before=before, after=after, difference=_difference(before, after))


def _difference(before: Side | None, after: Side | None) -> str:
    if before is None or after is None:
        return "" if before is after else "only on one side"
    told = [f"{before.verdict} became {after.verdict}"] if before.verdict != after.verdict else []
    if before.hi is not None and after.lo is not None and after.lo > before.hi:
        told.append(f"slower by at least {at_least(after.lo - before.hi)}")
    elif after.hi is not None and before.lo is not None and before.lo > after.hi:
        told.append(f"faster by at least {at_least(before.lo - after.hi)}")
    elif before.lo is not None and after.lo is not None:
        told.append("the times overlap")
    return ", ".join(told)
