"""What changed for good, since when, and between which builds, in words. Pure.

Takes the runs of a scenario oldest first; gives the changes of each objective's times and of how often it fails. Times are of
runs that ended: a run without an end tells how often it fails, not how long it takes. Runs that people set aside, and those
without evidence, count in neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import comb
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from meshkit_chaos.dashboard.branches import branch_of, branch_words
from meshkit_chaos.dashboard.changes import FALSE_ALARMS, LEAST_SIDE, Change, changes_of_failures, changes_of_times
from meshkit_chaos.dashboard.wording import day, minute, usual_time
from meshkit_chaos.gate.exact_tests import Span, median
from meshkit_chaos.history.model import PastRun, PastScenario
from meshkit_chaos.judge.phrases import counted, listed

_NEWS: Final = 0.05
"""A smaller change of the median is true and no news."""
_CREEP: Final = 3
"""So many steps in one direction are told as one creep."""
_COMMIT: Final = 7


class Lived(NamedTuple):
    """One run, and the result that it belongs to."""

    result: PastScenario
    run: PastRun


class Shift(Struct, frozen=True, kw_only=True):
    """One change, or several of one direction. ``objective`` empty: how often runs fail.

    ``marks``: the first run after each step, with what came then; ``since``: the day of the first one. ``last``, ``first``: the
    builds just before and just after; ``builds``: those that are suspected, in order; ``compare``: a page of what lies between.
    """

    objective: str
    up: bool
    sentence: str
    where: str
    last: str
    first: str
    builds: tuple[str, ...]
    compare: str
    since: str
    marks: tuple[tuple[str, str], ...]

    @property
    def kind(self) -> Literal["time", "failures"]:
        return "time" if self.objective else "failures"


class Shifts(Struct, frozen=True, kw_only=True):
    """All of a scenario, the newest first. ``quiet``: what is to be said where there is none."""

    shifts: tuple[Shift, ...]
    quiet: str


def lived(results: Sequence[PastScenario]) -> tuple[Lived, ...]:
    """The runs of results (newest first) in the order in which they ran."""
    return tuple(Lived(result, run) for result in reversed(results) for run in result.runs)


def shifts(runs: Sequence[Lived], *, compare: str = "") -> Shifts:
    """``compare``: an address with ``{last}`` and ``{first}`` in it, for two commits; empty: no link.

    Each branch is a series of its own: runs of another one among them would be taken for a change, or hide one.
    """
    told = [one for one in runs if one.run.verdict in ("pass", "fail") and not one.run.invalidated]
    branches: dict[str, list[Lived]] = {}
    for one in told:
        branches.setdefault(branch_of(one.result.subject), []).append(one)
    series = [(branch_words(ones[0].result.subject) if len(branches) > 1 else "", ones) for ones in branches.values()]
    names = [_timed_objectives(ones) for _, ones in series]
    level = FALSE_ALARMS / max(1, sum(len(several) + 1 for several in names))
    found: list[Shift] = []
    for (branch, ones), objectives in zip(series, names, strict=True):
        for name in objectives:
            found += _of_times(ones, name, branch=branch, level=level, compare=compare)
        found += _of_failures(ones, branch=branch, level=level, compare=compare)
    return Shifts(
        shifts=tuple(sorted(found, key=lambda one: (one.since, one.objective), reverse=True)),
        quiet=_quiet(*max(series, key=lambda one: (len(one[1]), one[1][-1].result.at), default=("", [])), level),
    )


def _timed_objectives(ones: Sequence[Lived]) -> tuple[str, ...]:
    """The objectives that were ever timed in them."""
    return tuple(dict.fromkeys(told.name for one in ones for told in one.run.objectives if told.lo is not None))


def build_name(subject: Mapping[str, str]) -> str:
    """A build as people look it up: its version and its short commit, or the first thing that is known of it."""
    told = [subject.get("version", ""), subject.get("commit", "")[:_COMMIT]]
    return " ".join(one for one in told if one) or next(iter(subject.values()), "")


def compare_link(template: str, last: str, first: str) -> str:
    """The page of what lies between two commits; empty where it is no web address, or a commit is no plain word."""
    usable = template.startswith(("https://", "http://")) and last.isalnum() and first.isalnum() and last != first
    return template.replace("{last}", last).replace("{first}", first) if usable else ""


def _quiet(branch: str, told: Sequence[Lived], level: float) -> str:
    """Of the branch with the most runs alone."""
    runs = f"{counted(len(told), 'run')}{f' on {branch}' if branch else ''}"
    places = max(1, len(told) - 2 * LEAST_SIDE + 1)
    if len(told) < 2 * LEAST_SIDE or 2 * places / comb(len(told), len(told) // 2) > level / 2:
        return f"{runs} with evidence: too few to show a change, however large"
    return f"no lasting change in {runs}, of its times or of how often it fails"


def _of_times(told: Sequence[Lived], name: str, *, branch: str, level: float, compare: str) -> Iterator[Shift]:
    timed = [
        (one, Span(objective.lo, objective.hi))
        for one in told
        for objective in one.run.objectives
        if objective.name == name and objective.lo is not None and objective.hi is not None
    ]
    ones, spans = [one for one, _ in timed], [span for _, span in timed]
    found = [
        change
        for change in changes_of_times(spans, places=_places(ones), level=level)
        if _is_news(spans[change.start : change.at], spans[change.at : change.end])
    ]
    for up, group in groupby(found, key=lambda change: change.up):
        row = list(group)
        for several in [row] if len(row) >= _CREEP else [[one] for one in row]:
            first, last = several[0], several[-1]
            before, after = usual_time(spans[first.start : first.at]), usual_time(spans[last.at : last.end])
            since = day(ones[first.at].result.at)
            if len(several) > 1:
                said = f"creeps {'up' if up else 'down'} in {len(several)} steps since {since}: from {before} to {after}"
            else:
                said = f"takes {after} since {since}, before {before}"
            marks = tuple((ones[one.at].run.run, usual_time(spans[one.at : one.end])) for one in several)
            yield _shift(several, ones, objective=name, sentence=f"{name} {said}{_on(branch)}", marks=marks, compare=compare)


def _of_failures(told: Sequence[Lived], *, branch: str, level: float, compare: str) -> Iterator[Shift]:
    failed = [one.run.verdict == "fail" for one in told]
    for change in changes_of_failures(failed, places=_places(told), level=level):
        before, after = failed[change.start : change.at], failed[change.at : change.end]
        said = f"fails {_share(after)} since {day(told[change.at].result.at)}, before {_share(before)}{_on(branch)}"
        marks = ((told[change.at].run.run, f"fails {_share(after)}"),)
        yield _shift([change], told, objective="", sentence=said, marks=marks, compare=compare)


def _on(branch: str) -> str:
    """``branch`` empty: there is no other."""
    return f", on {branch}" if branch else ""


def _places(ones: Sequence[Lived]) -> list[int]:
    """Between two runs of one invocation there is no change: they are of one build."""
    return [index for index in range(1, len(ones)) if ones[index].result.invocation != ones[index - 1].result.invocation]


def _is_news(before: Sequence[Span], after: Sequence[Span]) -> bool:
    old, new = _middle(before), _middle(after)
    return abs(new - old) >= _NEWS * old


def _middle(spans: Sequence[Span]) -> float:
    return (median(spans, upper=False) + median(spans, upper=True)) / 2


def _share(failed: Sequence[bool]) -> str:
    return f"{sum(failed)} in {len(failed)}"


def _shift(
    several: Sequence[Change],
    ones: Sequence[Lived],
    *,
    objective: str,
    sentence: str,
    marks: tuple[tuple[str, str], ...],
    compare: str,
) -> Shift:
    first, last = several[0], several[-1]
    after = ones[last.latest].result
    before = ones[first.earliest - 1].result
    creeps = len(several) > 1
    suspected = () if creeps else tuple(dict.fromkeys(_build(one) for one in ones[first.earliest : first.latest + 1]))
    return Shift(
        objective=objective,
        up=first.up,
        sentence=sentence,
        where=f"last run before: {_place(before)}; first run after: {_place(after)}",
        last=_place(before),
        first=_place(after),
        builds=suspected,
        compare=compare_link(compare, before.subject.get("commit", ""), after.subject.get("commit", "")),
        since=day(ones[first.at].result.at),
        marks=marks,
    )


def _build(one: Lived) -> str:
    return build_name(one.result.subject) or f"the build of {day(one.result.at)}"


def _place(result: PastScenario) -> str:
    name = build_name(result.subject)
    return f"{minute(result.at)}" + (f" ({name})" if name else "")


def suspicion(shift: Shift) -> str:
    """Whom to ask, in a sentence; a creep has no single build."""
    if not shift.builds:
        return "no single build did it: what lies between those two runs did"
    if len(shift.builds) == 1:
        return f"suspected: what came with {shift.builds[0]}"
    return f"suspected: one of {counted(len(shift.builds), 'build')} ({listed(shift.builds)})"
