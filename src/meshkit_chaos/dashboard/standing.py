"""How one scenario stands in one release: the words, and the rule that finds them. Pure.

Takes the results of a scenario, newest first, and the invocations of each release; gives one standing with its reason, since
when, and between which builds. Only a pass is good, and only one that nothing newer contradicts: a scenario that a newer
invocation announced and left no result of is *missing*. A waiver makes what did not pass *waived*, never a pass, and speaks
only for results that the gate had before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.changes import FALSE_ALARMS
from meshkit_chaos.dashboard.pace import Pace, pace
from meshkit_chaos.dashboard.releases import Release
from meshkit_chaos.dashboard.suspects import compare_link
from meshkit_chaos.dashboard.waivers import NO_WAIVERS, Waiver, Waivers
from meshkit_chaos.dashboard.wording import day, short_build, told_time
from meshkit_chaos.gate.evidence import SLACK
from meshkit_chaos.history.model import Cell, PastInvocation, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

Standing = Literal["regressed", "fail", "undecided", "missing", "stale", "waived", "pass"]
WORST_FIRST: Final[tuple[Standing, ...]] = ("regressed", "fail", "undecided", "missing", "stale", "waived", "pass")
WORDS: Final[dict[Standing, str]] = {
    "regressed": "Regressed",
    "fail": "Fails",
    "undecided": "Undecided",
    "missing": "Missing",
    "stale": "Stale",
    "waived": "Waived",
    "pass": "Passes",
}
MEANINGS: Final[dict[Standing, str]] = {
    "regressed": "fails, and passed before",
    "fail": "fails, and is not known to have passed before",
    "undecided": "ran, and the evidence says neither pass nor fail",
    "missing": "no result that counts",
    "stale": "passed, but not lately enough to speak for what is built now",
    "waived": "did not pass, and the gate accepted that for this build, until a day",
    "pass": "passed, with evidence; in the newest release also lately",
}
TONES: Final[dict[Standing, VerdictName]] = {
    "regressed": "fail",
    "fail": "fail",
    "undecided": "inconclusive",
    "missing": "not-run",
    "stale": "inconclusive",
    "waived": "invalid",
    "pass": "pass",
}
"""How each looks: the signs of verdicts, since people know those."""
ACCEPTED: Final[frozenset[Standing]] = frozenset({"pass", "waived"})
"""What does not keep a release back."""
LATELY: Final = 10
"""So many of its newest results are looked at for how often it failed."""
UNSTEADY: Final = 2
"""What passes now is said to be unsteady where so many of those failed: a single failure may be a bad night."""
_WAIVABLE: Final[frozenset[Standing]] = frozenset({"regressed", "fail", "undecided"})


class Turn(Struct, frozen=True, kw_only=True):
    """A result as a build and a day, with the way to it."""

    build: str
    day: str
    href: str


class ScenarioStanding(Struct, frozen=True, kw_only=True):
    """One scenario in one release. ``since``: the day on which it began to be so; empty where that is not known.

    ``lately``: how often it failed, where it also failed before it passed last, or passes now and is unsteady.
    """

    scenario: str
    title: str
    standing: Standing
    sentence: str
    href: str
    owner: str = ""
    severity: str = ""
    since: str = ""
    nights: int = 0
    lately: str = ""
    first_bad: Turn | None = None
    last_good: Turn | None = None
    compare: str = ""
    waiver: Waiver | None = None
    note: str = ""
    pace: Pace | None = None


class Judged(NamedTuple):
    """``told``: the result that decides; None where there is none."""

    standing: Standing
    sentence: str
    told: Cell | None = None


class _Line(NamedTuple):
    """Invocations that speak together, newest first, and their names."""

    invocations: tuple[PastInvocation, ...]
    names: frozenset[str]


def _line(invocations: Sequence[PastInvocation]) -> _Line:
    return _Line(tuple(invocations), frozenset(one.invocation for one in invocations))


class Looker:
    """Answers how a scenario stands in the release of a column.

    ``cells``: by scenario, newest first. ``compare``: an address with ``{last}`` and ``{first}``; empty: no link. With the key
    ``branch`` every column is what is built now; with any other one, only the first is. Where no scenario changed, at most
    the share ``FALSE_ALARMS`` of pages calls any release slower.
    """

    def __init__(
        self,
        held: Sequence[Release],
        cells: Mapping[str, Sequence[Cell]],
        *,
        key: str,
        now: int,
        fresh: Duration,
        here: str,
        compare: str = "",
        waivers: Waivers = NO_WAIVERS,
    ) -> None:
        self._held, self._cells = held, cells
        self._whole = [_line(release.invocations) for release in held]
        self._names = [line.names for line in self._whole]
        self._subjects = {one.invocation: one.subject for release in held for one in release.invocations}
        self._branches = key == "branch"
        self._level = FALSE_ALARMS / max(1, len(cells) * len(held))
        self._now, self._fresh, self._here, self._compare, self._waivers = now, fresh, here, compare, waivers
        self._lines = [self._lines_of(release) for release in held]

    def standing(self, column: int, known: PastScenario) -> ScenarioStanding:
        every = self._cells.get(known.scenario, ())
        judged = self._judged(column, known.scenario, every)
        waiver = self._waiver(column, known.scenario, every, judged)
        bad, good, nights = self._turn(every, judged)
        return ScenarioStanding(
            scenario=known.scenario,
            title=known.title or known.scenario,
            standing="waived" if waiver is not None else judged.standing,
            sentence=judged.sentence,
            href=paths.relative(paths.scenario(known.scenario), here=self._here),
            owner=known.owner,
            severity=known.severity,
            since=day(bad.at) if bad is not None else "",
            nights=nights,
            lately=self._lately(every, judged, nights),
            first_bad=self._sight(bad),
            last_good=self._sight(good),
            compare=self._link(bad, good),
            waiver=waiver,
            note="" if waiver is not None else self._note(known.scenario, judged),
            pace=pace([self._timed(names, every) for names in self._names], self._held, column, level=self._level),
        )

    def _lines_of(self, release: Release) -> dict[str, _Line]:
        """By branch, where several built the release lately: a pass of one does not make up for a failure of another."""
        found: dict[str, list[PastInvocation]] = {}
        for one in release.invocations:
            found.setdefault(one.subject.get("branch", ""), []).append(one)
        lately = {name: _line(ones) for name, ones in found.items() if self._now - ones[0].at <= self._fresh.ns}
        return lately if len(found) > 1 else {}

    def _judged(self, column: int, scenario: str, every: Sequence[Cell]) -> Judged:
        """Of all that built the release, or of a branch that built it lately, where that one is worse."""
        worst = self._judged_by(column, scenario, every, self._whole[column])
        for branch, line in self._lines[column].items():
            one = self._judged_by(column, scenario, every, line)
            worse = WORST_FIRST.index(one.standing) < WORST_FIRST.index(worst.standing)
            if worse and (one.told is not None or self._lost(line, scenario, every) is not None):
                worst = one._replace(sentence=f"{one.sentence}, on {branch or 'no branch'}")
        return worst

    def _judged_by(self, column: int, scenario: str, every: Sequence[Cell], line: _Line) -> Judged:
        mine = [cell for cell in every if cell.invocation in line.names and cell.counts]
        failed = next((cell for cell in mine if cell.verdict == "fail" and self._same_build(cell, mine[0])), None)
        if failed is not None:
            before = self._passed_before(column, every, failed)
            return Judged("regressed" if before else "fail", f"failed on {day(failed.at)}{told_time(failed)}", failed)
        lost = self._lost(line, scenario, every)
        if lost is not None:
            return Judged("missing", f"announced on {day(lost.at)}, and left no result")
        if not mine:
            return Judged("missing", "no result that counts")
        newest = mine[0]
        if newest.verdict != "pass":
            return Judged("undecided", f"the newest result is {newest.verdict}", newest)
        if newest.at - self._now > SLACK.ns:
            return Judged("stale", f"its pass is of {day(newest.at)}, which is still to come: a clock is wrong", newest)
        if self._now - newest.at > self._fresh.ns and (column == 0 or self._branches):
            return Judged("stale", f"passed last on {day(newest.at)}", newest)
        return Judged("pass", f"passed on {day(newest.at)}" + (", flaky" if newest.flaky else ""), newest)

    def _lost(self, line: _Line, scenario: str, every: Sequence[Cell]) -> PastInvocation | None:
        """The newest invocation that was to run it, if it left no result at all."""
        left = {cell.invocation for cell in every}
        for one in line.invocations:
            if one.invocation in left:
                return None
            if scenario in one.announced:
                return one
        return None

    def _passed_before(self, column: int, every: Sequence[Cell], failed: Cell) -> bool:
        """In an earlier release; of a branch, on the branch itself."""
        names = self._names[column] if self._branches else frozenset().union(*self._names[column + 1 :])
        earlier = (cell for cell in every if cell.counts and cell.at < failed.at and cell.invocation in names)
        return any(cell.verdict == "pass" for cell in earlier)

    def _same_build(self, cell: Cell, newest: Cell) -> bool:
        """A failure is made up for only by a pass of another build."""
        one, other = self._subjects.get(cell.invocation, {}), self._subjects.get(newest.invocation, {})
        return one.get("commit", cell.invocation) == other.get("commit", newest.invocation)

    def _waiver(self, column: int, scenario: str, every: Sequence[Cell], judged: Judged) -> Waiver | None:
        """What accepts it: of this very build, and decided when every result of the build that is not good was there."""
        lines = (self._whole[column], *self._lines[column].values())
        lost = any(self._lost(line, scenario, every) is not None for line in lines)
        if judged.told is None or judged.standing not in _WAIVABLE or lost:
            return None
        commit = self._commit(judged.told)
        found = self._waivers.in_force.get((commit, scenario)) if commit else None
        bad = [cell for cell in every if cell.counts and cell.verdict != "pass" and self._commit(cell) == commit]
        return found if found is not None and all(cell.at <= found.decided for cell in bad) else None

    def _note(self, scenario: str, judged: Judged) -> str:
        commit = self._commit(judged.told) if judged.told is not None and judged.standing in _WAIVABLE else ""
        return self._waivers.ended.get((commit, scenario), "") if commit else ""

    def _turn(self, every: Sequence[Cell], judged: Judged) -> tuple[Cell | None, Cell | None, int]:
        """The oldest bad result since the last pass, that pass, and how many bad ones there are between.

        Looked for on the branch of the result, and if it never passed there, anywhere.
        """
        if judged.standing == "pass":
            return None, None, 0
        counting = [cell for cell in every if cell.counts]
        if judged.told is None or judged.standing == "stale":
            return None, next((cell for cell in counting if cell.verdict == "pass"), None), 0
        branch = self._branch(judged.told)
        told = judged.told
        own = _since(told, [cell for cell in counting if self._branch(cell) == branch])
        return own if own[1] is not None or self._branches else _since(told, counting)

    def _lately(self, every: Sequence[Cell], judged: Judged, nights: int) -> str:
        """A pass between two failures may be luck: what came before it is told."""
        told = judged.told
        if told is None or told.verdict not in ("pass", "fail"):
            return ""
        branch = self._branch(told)
        own = (cell for cell in every if cell.counts and cell.at <= told.at and self._branch(cell) == branch)
        line = list(islice(own, LATELY))
        failed = sum(cell.verdict == "fail" for cell in line)
        least = UNSTEADY if told.verdict == "pass" else nights + 1
        return f"{failed} of its last {len(line)} failed" if failed >= least else ""

    def _timed(self, names: AbstractSet[str], every: Sequence[Cell]) -> list[Cell]:
        return [cell for cell in every if cell.counts and cell.lo is not None and cell.invocation in names]

    def _sight(self, cell: Cell | None) -> Turn | None:
        if cell is None:
            return None
        href = paths.relative(paths.invocation(cell.invocation), here=self._here) + "#" + paths.anchor(cell.scenario)
        return Turn(build=short_build(self._subjects.get(cell.invocation, {})), day=day(cell.at), href=href)

    def _commit(self, cell: Cell) -> str:
        return self._subjects.get(cell.invocation, {}).get("commit", "")

    def _branch(self, cell: Cell) -> str:
        return self._subjects.get(cell.invocation, {}).get("branch", "")

    def _link(self, bad: Cell | None, good: Cell | None) -> str:
        first, last = (self._commit(cell) if cell is not None else "" for cell in (bad, good))
        return compare_link(self._compare, last, first)


def _since(told: Cell, line: Sequence[Cell]) -> tuple[Cell, Cell | None, int]:
    """``line``: newest first, ``told`` in it. A failure begins with a failure; anything else with whatever was no pass."""
    bad, count = told, 0
    for cell in line[line.index(told) :]:
        if cell.verdict == "pass":
            return bad, cell, count
        if told.verdict != "fail" or cell.verdict == "fail":
            bad, count = cell, count + 1
    return bad, None, count
