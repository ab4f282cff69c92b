"""Module × release: is it ready, and if not, why, since when, and between which commits. Pure.

A release is what one value of one key of the subject names (a version, else a branch). Each cell is red or green by design:
only a pass that is fresh is good. What nobody tested is *missing*, and that is not good either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import day, short_subject
from meshkit_chaos.history.model import Cell, PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

Standing = Literal["regressed", "fail", "undecided", "missing", "stale", "pass"]
WORST_FIRST: Final[tuple[Standing, ...]] = ("regressed", "fail", "undecided", "missing", "stale", "pass")
WORDS: Final[dict[Standing, str]] = {
    "regressed": "Regressed",
    "fail": "Fails",
    "undecided": "Undecided",
    "missing": "Missing",
    "stale": "Stale",
    "pass": "Passes",
}
MEANINGS: Final[dict[Standing, str]] = {
    "regressed": "fails, and passed in an earlier release",
    "fail": "fails, and is not known to have passed before",
    "undecided": "ran, and the evidence says neither pass nor fail",
    "missing": "no result that counts",
    "stale": "passed, but too long ago to speak for what is built now",
    "pass": "passed lately, with evidence",
}
TONES: Final[dict[Standing, VerdictName]] = {
    "regressed": "fail",
    "fail": "fail",
    "undecided": "inconclusive",
    "missing": "not-run",
    "stale": "inconclusive",
    "pass": "pass",
}
"""How each looks: the signs of verdicts, since people know those."""
NO_MODULE: Final = "(no module)"
KEYS: Final = ("version", "branch")


class Release(Struct, frozen=True, kw_only=True):
    """``invocations``: newest first."""

    name: str
    at: int
    invocations: tuple[PastInvocation, ...]


class ScenarioStanding(Struct, frozen=True, kw_only=True):
    """One scenario in one release. ``since``: when it began to be so, where that is known."""

    scenario: str
    title: str
    standing: Standing
    sentence: str
    href: str
    first_bad: str = ""
    last_good: str = ""
    compare: str = ""


class ReadinessCell(Struct, frozen=True, kw_only=True):
    standing: Standing
    sentence: str
    scenarios: tuple[ScenarioStanding, ...]


class ReadinessRow(Struct, frozen=True, kw_only=True):
    module: str
    cells: tuple[ReadinessCell, ...]


class Readiness(Struct, frozen=True, kw_only=True):
    """``key``: what tells releases apart. Rows: the worst in the newest release first. ``blocking``: of the newest release."""

    key: str
    releases: tuple[tuple[str, str], ...]
    rows: tuple[ReadinessRow, ...]
    blocking: tuple[ScenarioStanding, ...]
    sentence: str


def releases(invocations: Iterable[PastInvocation], *, key: str = "", most: int = 5) -> tuple[str, tuple[Release, ...]]:
    """The key that tells releases apart, and the newest releases, newest first. ``invocations``: newest first."""
    held = tuple(invocations)
    chosen = key or next((one for one in KEYS if any(one in past.subject for past in held)), KEYS[0])
    found: dict[str, list[PastInvocation]] = {}
    for past in held:
        if chosen in past.subject:
            found.setdefault(past.subject[chosen], []).append(past)
    return chosen, tuple(
        Release(name=name, at=ones[0].at, invocations=tuple(ones)) for name, ones in list(found.items())[:most]
    )


def readiness(
    key: str,
    held: Sequence[Release],
    cells: Iterable[Cell],
    known: Sequence[PastScenario],
    *,
    now: int,
    fresh: Duration,
    here: str,
    compare: str = "",
) -> Readiness:
    """``compare``: an address with ``{last}`` and ``{first}`` in it, for two commits; empty: no link."""
    by_scenario: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda one: (one.at, one.invocation), reverse=True):
        by_scenario.setdefault(cell.scenario, []).append(cell)
    subjects = {one.invocation: one.subject for release in held for one in release.invocations}
    looker = _Looker(held, by_scenario, subjects, now=now, fresh=fresh, here=here, compare=compare)
    modules: dict[str, list[PastScenario]] = {}
    for one in known:
        for module in one.modules or (NO_MODULE,):
            modules.setdefault(module, []).append(one)
    rows = [
        ReadinessRow(module=module, cells=tuple(_cell(looker, index, ones) for index in range(len(held))))
        for module, ones in sorted(modules.items())
    ]
    rows.sort(key=lambda row: WORST_FIRST.index(row.cells[0].standing) if row.cells else 0)
    blocking = _distinct(one for row in rows for cell in row.cells[:1] for one in cell.scenarios if one.standing != "pass")
    return Readiness(
        key=key,
        releases=tuple((release.name, day(release.at)) for release in held),
        rows=tuple(rows),
        blocking=blocking,
        sentence=_sentence(held, rows, blocking),
    )


def _distinct(several: Iterable[ScenarioStanding]) -> tuple[ScenarioStanding, ...]:
    ones = {one.scenario: one for one in several}
    return tuple(sorted(ones.values(), key=lambda one: (WORST_FIRST.index(one.standing), one.scenario)))


def _sentence(held: Sequence[Release], rows: Sequence[ReadinessRow], blocking: Sequence[ScenarioStanding]) -> str:
    if not held or not rows:
        return "Nothing is known of any release. That is not ready."
    if not blocking:
        return f"{held[0].name} is ready, as far as {counted(len(rows), 'module')} were tested."
    return f"{held[0].name} is not ready: {counted(len(blocking), 'scenario')} not shown to be good."


class _Looker:
    """Answers how a scenario stands in the release of a column."""

    def __init__(
        self,
        held: Sequence[Release],
        cells: Mapping[str, Sequence[Cell]],
        subjects: Mapping[str, Mapping[str, str]],
        *,
        now: int,
        fresh: Duration,
        here: str,
        compare: str,
    ) -> None:
        self._names = [frozenset(one.invocation for one in release.invocations) for release in held]
        self._cells, self._subjects = cells, subjects
        self._now, self._fresh, self._here, self._compare = now, fresh, here, compare

    def standing(self, column: int, known: PastScenario) -> ScenarioStanding:
        every = self._cells.get(known.scenario, ())
        mine = [cell for cell in every if cell.invocation in self._names[column] and cell.counts]
        standing, sentence, told = self._judged(column, every, mine)
        bad, good = self._turn(every, told) if told is not None and standing in ("fail", "regressed") else (None, None)
        return ScenarioStanding(
            scenario=known.scenario,
            title=known.title or known.scenario,
            standing=standing,
            sentence=sentence + (f", since {day(bad.at)}" if bad is not None else ""),
            href=paths.relative(paths.scenario(known.scenario), here=self._here),
            first_bad=self._name(bad),
            last_good=self._name(good),
            compare=self._link(bad, good),
        )

    def _judged(self, column: int, every: Sequence[Cell], mine: Sequence[Cell]) -> tuple[Standing, str, Cell | None]:
        if not mine:
            return "missing", "no result that counts", None
        newest = mine[0]
        failed = next((cell for cell in mine if cell.verdict == "fail" and self._same_build(cell, newest)), None)
        if failed is not None:
            earlier = frozenset[str]().union(*self._names[column + 1 :])
            passed = any(cell.verdict == "pass" and cell.counts and cell.invocation in earlier for cell in every)
            return ("regressed" if passed else "fail"), "fails", failed
        if newest.verdict != "pass":
            return "undecided", f"the newest result is {newest.verdict}", newest
        if self._now - newest.at > self._fresh.ns and column == 0:
            return "stale", f"passed last on {day(newest.at)}", newest
        return "pass", f"passed on {day(newest.at)}" + (", flaky" if newest.flaky else ""), newest

    def _same_build(self, cell: Cell, newest: Cell) -> bool:
        """A failure is made up for only by a pass of another build."""
        one, other = self._subjects.get(cell.invocation, {}), self._subjects.get(newest.invocation, {})
        return one.get("commit", cell.invocation) == other.get("commit", newest.invocation)

    def _turn(self, every: Sequence[Cell], told: Cell) -> tuple[Cell, Cell | None]:
        """The oldest failure since the last pass before ``told``, and that pass."""
        bad = told
        for cell in every[list(every).index(told) :]:
            if not cell.counts:
                continue
            if cell.verdict == "pass":
                return bad, cell
            bad = cell if cell.verdict == "fail" else bad
        return bad, None

    def _name(self, cell: Cell | None) -> str:
        return "" if cell is None else short_subject(self._subjects.get(cell.invocation, {}))

    def _link(self, bad: Cell | None, good: Cell | None) -> str:
        first = self._subjects.get(bad.invocation, {}).get("commit", "") if bad else ""
        last = self._subjects.get(good.invocation, {}).get("commit", "") if good else ""
        usable = self._compare.startswith(("https://", "http://")) and first.isalnum() and last.isalnum()
        return self._compare.replace("{last}", last).replace("{first}", first) if usable else ""


def _cell(looker: _Looker, column: int, ones: Sequence[PastScenario]) -> ReadinessCell:
    told = sorted((looker.standing(column, one) for one in ones), key=lambda one: WORST_FIRST.index(one.standing))
    worst = told[0]
    bad = [one for one in told if one.standing == worst.standing]
    said = f"{counted(len(told), 'scenario')} passed" if worst.standing == "pass" else f"{worst.scenario} {worst.sentence}"
    more = f", and {len(bad) - 1} more" if worst.standing != "pass" and len(bad) > 1 else ""
    return ReadinessCell(standing=worst.standing, sentence=said + more, scenarios=tuple(told))
