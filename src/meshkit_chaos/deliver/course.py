"""How scenarios went before: the results of history around one invocation, and what they say of a cause.

Takes an invocation's results and a history; gives what shows itself tonight (``Sight``), since when, how often in a row, and
whether it is gone. Results that people invalidated are not there. Pure but for the questions to history, which are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.deliver.cause import UNPROVEN, Cause, CauseKind
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario

LINE_RESULTS: Final = 40
"""So many results of a scenario on one branch, the newest, are looked at."""
ALL_RESULTS: Final = 60
"""And so many of it on any branch."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A cause as one result shows it. ``row``: so many results in a row, this one included, proved nothing (of what did)."""

    cause: Cause
    result: PastScenario
    row: int = 1

    def quiet(self, unproven_after: int) -> bool:
        """Whether it is not told yet, only summed up."""
        return self.cause.kind in UNPROVEN and self.row < unproven_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Courses:
    """The results of one invocation among those before and after it. By scenario × class, newest first."""

    invocation: PastInvocation
    results: tuple[PastScenario, ...]
    line: dict[tuple[str, str], tuple[PastScenario, ...]]
    every: dict[tuple[str, str], tuple[PastScenario, ...]]

    def of(self, cause: Cause, *, line: bool = True) -> tuple[PastScenario, ...]:
        """All results of a cause's scenario and class; with ``line``, only those of the branch of this invocation."""
        return (self.line if line else self.every).get((cause.scenario, cause.environment_class), ())


def courses(invocation: PastInvocation, results: Sequence[PastScenario], history: HistoryReader) -> Courses:
    """Ask history for what went before. The results that are given count instead of what history holds of this invocation."""
    names = tuple(sorted({one.scenario for one in results}))
    branch = invocation.subject.get("branch", "")
    every = history.results(Ask(scenarios=names, newest=ALL_RESULTS)) if names else ()
    asked = Ask(scenarios=names, subject={"branch": branch}, newest=LINE_RESULTS)
    line = history.results(asked) if names and branch else every
    counting = tuple(one for one in results if one.counts)
    return Courses(
        invocation=invocation,
        results=counting,
        line=_grouped((one for one in line if branch_of(one) == branch), invocation, counting),
        every=_grouped(every, invocation, counting),
    )


def branch_of(result: PastScenario) -> str:
    return result.subject.get("branch", "")


def _grouped(
    found: Iterable[PastScenario], invocation: PastInvocation, own: Sequence[PastScenario]
) -> dict[tuple[str, str], tuple[PastScenario, ...]]:
    held = {(one.invocation, one.scenario): one for one in found if one.invocation != invocation.invocation}
    held |= {(one.invocation, one.scenario): one for one in own}
    groups: dict[tuple[str, str], list[PastScenario]] = {}
    for one in sorted(held.values(), key=lambda one: (one.at, one.invocation), reverse=True):
        groups.setdefault((one.scenario, one.environment_class), []).append(one)
    return {key: tuple(ones) for key, ones in groups.items()}


def causes_of(result: PastScenario) -> tuple[Cause, ...]:
    """What a result shows. Of a pass nothing; of a failure each objective that was missed; of anything else one cause."""
    if result.verdict == "pass":
        return ()
    if result.verdict != "fail":
        return (_cause(result, _unproven(result)),)
    missed = [name for name, verdict in result.objectives.items() if verdict == "fail"]
    return tuple(_cause(result, "missed", objective=name) for name in sorted(missed) or [""])


def _cause(result: PastScenario, kind: CauseKind, *, objective: str = "") -> Cause:
    return Cause(kind=kind, environment_class=result.environment_class, scenario=result.scenario, objective=objective)


def _unproven(result: PastScenario) -> CauseKind:
    if result.verdict == "not-run":
        return "not-run"
    if not result.runs:
        return "missing"
    if all(run.outcome in ("aborted", "crashed") for run in result.runs):
        return "cut-short"
    return "invalid" if result.verdict == "invalid" else "no-evidence"


def sights(around: Courses) -> tuple[Sight, ...]:
    """Everything that an invocation shows, unless a newer result of the same branch has already shown otherwise."""
    found: list[Sight] = []
    for result in sorted(around.results, key=lambda one: one.scenario):
        for cause in causes_of(result):
            line = around.of(cause)
            if any(clean(one, cause) for one in line if _newer(one, result)):
                continue
            found.append(Sight(cause, result, _row(line, result)))
    return tuple(found)


def _newer(one: PastScenario, than: PastScenario) -> bool:
    return (one.at, one.invocation) > (than.at, than.invocation)


def _row(line: Sequence[PastScenario], result: PastScenario) -> int:
    """How many results in a row, up to this one, proved nothing."""
    row = 0
    for one in line:
        if _newer(one, result):
            continue
        if one.verdict in ("pass", "fail"):
            break
        row += 1
    return max(row, 1)


def clean(result: PastScenario, cause: Cause) -> bool:
    """Whether a result is evidence that a cause is gone: its objective passed, or, where it has none, the scenario did."""
    if cause.objective:
        return result.objectives.get(cause.objective) == "pass"
    return result.verdict == "pass"


def shows(result: PastScenario, causes: Iterable[Cause]) -> bool:
    return not set(causes_of(result)).isdisjoint(causes)


def clean_row(around: Courses, members: Sequence[Cause], invocations: frozenset[str]) -> int:
    """How many results in a row were clean of all members, over the branches on which any of ``invocations`` showed them.

    Of several members, the least. Only what passed counts; what proved nothing ends the row, as a failure does.
    """
    return min((_clean_row_of(around, member, invocations) for member in members), default=0)


def _clean_row_of(around: Courses, member: Cause, invocations: frozenset[str]) -> int:
    every = merged(around.of(member, line=False), around.of(member))
    branches = {branch_of(one) for one in every if one.invocation in invocations}
    concerned = [one for one in every if branch_of(one) in (branches or {around.invocation.subject.get("branch", "")})]
    newest: dict[str, PastScenario] = {}
    for one in concerned:
        newest.setdefault(branch_of(one), one)
    if any(not clean(one, member) for one in newest.values()):
        return 0
    return sum(1 for _ in _while_clean(concerned, member))


def _while_clean(results: Iterable[PastScenario], cause: Cause) -> Iterator[PastScenario]:
    for one in results:
        if not clean(one, cause):
            return
        yield one


def merged(*several: Sequence[PastScenario]) -> list[PastScenario]:
    """Several lists of results as one, newest first, each once."""
    once = {(one.invocation, one.scenario): one for results in several for one in results}
    return sorted(once.values(), key=lambda one: (one.at, one.invocation), reverse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Since when a cause shows itself on a branch. ``bad`` of ``looked``: so many of the results since then show it.

    ``last_good`` is the newest clean result before; None where none is known.
    """

    first_bad: PastScenario
    last_good: PastScenario | None
    bad: int
    looked: int


def since(line: Sequence[PastScenario], result: PastScenario, cause: Cause) -> Since:
    """Walk back from a result that shows a cause, to the newest one before it that was clean. ``line`` is newest first."""
    first_bad, bad, looked = result, 0, 0
    for one in line:
        if _newer(one, result):
            continue
        if clean(one, cause):
            return Since(first_bad=first_bad, last_good=one, bad=bad, looked=looked)
        looked += 1
        if shows(one, (cause,)):
            first_bad, bad = one, bad + 1
    return Since(first_bad=first_bad, last_good=None, bad=max(bad, 1), looked=max(looked, 1))
