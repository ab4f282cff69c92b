"""Days, subjects and times as the pages say them. Instants are shown in UTC and say so. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from meshkit_chaos.clock import iso
from meshkit_chaos.gate.exact_tests import Span, median
from meshkit_chaos.history.model import Cell
from meshkit_chaos.judge.phrases import at_least, at_most, say, say_time

_COMMIT_LETTERS = 7


def day(wall_ns: int) -> str:
    return iso(wall_ns)[:10]


def minute(wall_ns: int) -> str:
    return iso(wall_ns)[:16].replace("T", " ") + " UTC"


def short_subject(subject: Mapping[str, str]) -> str:
    """What was tested, in a word: its version, else its commit, else the first thing that is known of it."""
    if version := subject.get("version"):
        return version
    if commit := subject.get("commit"):
        return commit[:_COMMIT_LETTERS]
    return next(iter(subject.values()), "")


def short_build(subject: Mapping[str, str]) -> str:
    """Which build was tested: its commit in short, else what else is known of it."""
    commit = subject.get("commit", "")
    return commit[:_COMMIT_LETTERS] if commit else short_subject(subject)


def time_text(cell: Cell) -> str:
    """An interval as short as a cell: its upper end, or what it is more than."""
    if cell.lo is None:
        return ""
    return f">{at_least(cell.lo)}" if cell.hi is None else f"≤{at_most(cell.hi)}"


def usual_time(spans: Sequence[Span]) -> str:
    """The median of times, at least one: an interval, because each time is one."""
    low, high = median(spans, upper=False), median(spans, upper=True)
    return say_time(int(low), None if high == inf else int(high))


def told_time(cell: Cell) -> str:
    if cell.lo is None:
        return ""
    took = say_time(cell.lo, cell.hi)
    return f"; {cell.slowest} took {took}" + (f" of {say(cell.limit)}" if cell.limit is not None else "")
