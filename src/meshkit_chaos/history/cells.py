"""A whole result as one cell of a table. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from meshkit_chaos.history.model import Cell, PastObjective, PastScenario


def cell_of(one: PastScenario) -> Cell:
    """What a table of many shows of a result."""
    slowest = max(_timed(one), key=lambda timed: slowness(timed.lo, timed.hi, timed.limit), default=None)
    return Cell(
        invocation=one.invocation,
        scenario=one.scenario,
        at=one.at,
        verdict=one.verdict,
        environment=one.environment,
        environment_class=one.environment_class,
        flaky=one.flaky,
        counts=one.counts,
        runs=len(one.runs),
        slowest=slowest.name if slowest else "",
        lo=slowest.lo if slowest else None,
        hi=slowest.hi if slowest else None,
        limit=slowest.limit if slowest else None,
    )


def slowness(lo: int | None, hi: int | None, limit: int | None) -> tuple[bool, float, float]:
    """What had no end is the slowest; else how much of its limit a time took."""
    lo = lo or 0
    return hi is None, (lo if hi is None else hi) / (limit or 1), float(lo)


def _timed(one: PastScenario) -> Iterator[PastObjective]:
    for run in one.runs:
        if not run.invalidated and run.verdict == one.verdict:
            yield from (
                timed
                for timed in run.objectives
                if timed.lo is not None and not timed.informational and timed.verdict == one.verdict
            )
