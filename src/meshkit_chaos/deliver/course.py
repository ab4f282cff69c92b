"""How scenarios went before: the results of history around one invocation, and what they say of a cause.

Takes an invocation's results and a history; gives what shows itself tonight (``Sight``), since when, how often in a row, and
whether it is gone. Results that people invalidated are not there. Pure but for the questions to history, which are few.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.deliver.cause import UNPROVEN, Cause, CauseKind
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario
from meshkit_chaos.slo import Duration

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
    nightly: dict[str, str]
    line: dict[tuple[str, str], tuple[PastScenario, ...]]
    every: dict[tuple[str, str], tuple[PastScenario, ...]]

    def of(self, cause: Cause, *, line: bool = True) -> tuple[PastScenario, ...]:
        """All results of a cause's scenario and class; with ``line``, only those of the branch of this invocation."""
        return (self.line if line else self.every).get((cause.scenario, cause.environment_class), ())

    def before(self, cause: Cause) -> tuple[PastScenario, ...]:
        """What to look back on: the branch; where that is new, the nightlies (all branches where none is known) before it."""
        line = self.of(cause)
        if {one.invocation for one in line} - {self.invocation.invocation}:
            return line
        others = [one for one in self.of(cause, line=False) if self.nightly.items() <= one.subject.items()]
        return tuple(one for one in merged(line, others) if one.at <= self.invocation.at)


def courses(
    invocation: PastInvocation, results: Sequence[PastScenario], history: HistoryReader, *, nightly: dict[str, str]
) -> Courses:
    """Ask history for what went before. The results that are given count instead of what history holds of this invocation.

    ``nightly``: pairs in the subject of a nightly; empty where nothing tells one.
    """
    names = tuple(sorted({one.scenario for one in results}))
    branch = invocation.subject.get("branch", "")
    every = history.results(Ask(scenarios=names, newest=ALL_RESULTS)) if names else ()
    nights = history.results(Ask(scenarios=names, subject=nightly, newest=LINE_RESULTS)) if names and nightly else ()
    asked = Ask(scenarios=names, subject={"branch": branch}, newest=LINE_RESULTS)
    line = history.results(asked) if names and branch else every
    counting = tuple(one for one in results if one.counts)
    return Courses(
        invocation=invocation,
        results=counting,
        nightly=nightly,
        line=_grouped((one for one in line if branch_of(one) == branch), invocation, counting),
        every=_grouped((*every, *nights), invocation, counting),
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
    """Whether a result is evidence that a cause is gone: its objective passed, or, where it has none, the scenario did.

    Of what proved nothing, a failure is evidence, too: it is another cause, and this one is over.
    """
    if cause.kind in UNPROVEN:
        return result.verdict in ("pass", "fail")
    if cause.objective:
        return result.objectives.get(cause.objective) == "pass"
    return result.verdict == "pass"


def shows(result: PastScenario, cause: Cause) -> bool:
    """Whether a result shows a cause; what proves nothing shows any that does not either."""
    shown = causes_of(result)
    return cause in shown or (cause.kind in UNPROVEN and any(one.kind in UNPROVEN for one in shown))


def clean_row(around: Courses, members: Sequence[Cause], invocations: frozenset[str], *, gone_after: Duration) -> int:
    """How many results in a row were clean of all members, since any of them was seen last. Of several members, the least.

    Only what passed counts; what proved nothing ends the row, as a failure does. Where nightlies are known, they count and
    nothing else. Otherwise the branches count on which ``invocations`` showed a member, and each of them must be clean; one on
    which nothing was run for ``gone_after`` is gone, and where all are gone any branch counts.
    """
    return min((_clean_row_of(around, member, invocations, gone_after) for member in members), default=0)


def _clean_row_of(around: Courses, member: Cause, invocations: frozenset[str], gone_after: Duration) -> int:
    every = merged(around.of(member, line=False), around.of(member))
    last = next((one for one in every if shows(one, member)), None)
    if around.nightly:
        counting = [one for one in every if around.nightly.items() <= one.subject.items()]
    else:
        branches = {branch_of(one) for one in every if one.invocation in invocations}
        newest: dict[str, PastScenario] = {}
        for one in every:
            newest.setdefault(branch_of(one), one)
        there = {name for name in branches if newest[name].at > around.invocation.at - gone_after.ns}
        if any(not clean(newest[name], member) for name in there):
            return 0
        counting = [one for one in every if branch_of(one) in there or not there]
    return len(_leading_clean(counting, member, after=last))


def _leading_clean(results: Iterable[PastScenario], cause: Cause, *, after: PastScenario | None) -> list[PastScenario]:
    found: list[PastScenario] = []
    for one in results:
        if not clean(one, cause) or (after is not None and not _newer(one, after)):
            break
        found.append(one)
    return found


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
        if shows(one, cause):
            first_bad, bad = one, bad + 1
    return Since(first_bad=first_bad, last_good=None, bad=max(bad, 1), looked=max(looked, 1))
