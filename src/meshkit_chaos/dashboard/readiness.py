"""Module × release: is it ready, and if not, why, since when, and between which builds. Pure.

A release is what one value of one key of the subject names (a version, a branch). A cell says how the worst scenario of the
module stands: red or green by design, and green only where every scenario has a fresh pass. What nobody tested is *missing*, a
module that the policy names and no scenario tests too; that is not good either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.releases import Release
from meshkit_chaos.dashboard.standing import ACCEPTED, TONES, WORST_FIRST, Looker, ScenarioStanding, Standing
from meshkit_chaos.dashboard.waivers import NO_WAIVERS, Waivers
from meshkit_chaos.dashboard.wording import day
from meshkit_chaos.gate.overrides import is_glob
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import Cell, PastScenario
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

NO_MODULE: Final = "(no module)"
SHOWN: Final = 12
"""So many scenarios of a cell are listed with it at most, the worst first; the grid shows all."""
LINES: Final = 320
"""So many are listed in all cells together, but one in each in any case: a page of more is too large."""
CELLS: Final = 250


class ReadinessCell(Struct, frozen=True, kw_only=True):
    """``sentence``: why. ``short``: the same where there is little room. ``slower``: how many are surely slower than before.

    ``unsteady``: that scenarios pass now and failed lately, in words; empty where none did.
    """

    standing: Standing
    sentence: str
    short: str
    scenarios: tuple[ScenarioStanding, ...]
    slower: int = 0
    unsteady: str = ""

    @property
    def tone(self) -> VerdictName:
        return TONES[self.standing]


class ReadinessRow(Struct, frozen=True, kw_only=True):
    """``href``: the grid of this module."""

    module: str
    cells: tuple[ReadinessCell, ...]
    href: str = ""


class Readiness(Struct, frozen=True, kw_only=True):
    """``key``: what tells releases apart; ``releases``: names and days. Rows: the worst in the newest release first.

    ``blocking``, ``untested`` and ``waived``: of the newest one; ``untested``: modules without a scenario.
    """

    key: str
    releases: tuple[tuple[str, str], ...]
    rows: tuple[ReadinessRow, ...]
    blocking: tuple[ScenarioStanding, ...]
    untested: tuple[str, ...]
    waived: tuple[ScenarioStanding, ...]
    sentence: str

    @property
    def ready(self) -> bool:
        return bool(self.releases and self.rows and not self.blocking and not self.untested)

    @property
    def listed(self) -> int:
        """So many scenarios of each cell have room."""
        return min(SHOWN, max(1, LINES // (max(1, min(len(self.rows), self.shown)) * max(1, len(self.releases)))))

    @property
    def shown(self) -> int:
        """So many modules have room, the worst first."""
        return max(1, CELLS // max(1, len(self.releases)))


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
    waivers: Waivers = NO_WAIVERS,
    required: Iterable[str] = (),
) -> Readiness:
    """``compare``: an address with ``{last}`` and ``{first}``, for two commits. ``required``: modules that must be tested."""
    by_scenario: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda one: (one.at, one.invocation), reverse=True):
        by_scenario.setdefault(cell.scenario, []).append(cell)
    looker = Looker(held, by_scenario, key=key, now=now, fresh=fresh, here=here, compare=compare, waivers=waivers)
    modules: dict[str, list[PastScenario]] = {module: [] for module in required} if held else {}
    for one in known:
        for module in one.modules or (NO_MODULE,):
            modules.setdefault(module, []).append(one)
    told = [{one.scenario: looker.standing(index, one) for one in known} for index in range(len(held))]
    rows = [
        ReadinessRow(
            module=module,
            cells=tuple(_cell([column[one.scenario] for one in ones]) for column in told),
            href=_grid_link(module, here=here),
        )
        for module, ones in sorted(modules.items())
    ]
    rows.sort(key=lambda row: WORST_FIRST.index(row.cells[0].standing) if row.cells else 0)
    newest = sorted(told[0].values(), key=_worst_first) if told else []
    blocking = tuple(one for one in newest if one.standing not in ACCEPTED)
    waived = tuple(one for one in newest if one.standing == "waived")
    untested = tuple(row.module for row in rows if row.cells and not row.cells[0].scenarios)
    return Readiness(
        key=key,
        releases=tuple((release.name, day(release.at)) for release in held),
        rows=tuple(rows),
        blocking=blocking,
        untested=untested,
        waived=waived,
        sentence=_sentence(held, rows, blocking, waived=len(waived), untested=len(untested)),
    )


def required_modules(policy: Policy) -> tuple[str, ...]:
    """Modules that a policy names one by one."""
    named = {module for one in policy.requirements for module in one.modules if not is_glob(module)}
    return tuple(sorted(named | policy.exercised_within.keys()))


def _worst_first(one: ScenarioStanding) -> tuple[int, str]:
    return WORST_FIRST.index(one.standing), one.scenario


def _grid_link(module: str, *, here: str) -> str:
    grid = paths.relative(paths.GRID, here=here)
    return grid if module == NO_MODULE else f"{grid}#filter={quote(module.encode('utf-8', 'replace'), safe='')}"


def _sentence(
    held: Sequence[Release], rows: Sequence[ReadinessRow], blocking: Sequence[ScenarioStanding], *, waived: int, untested: int
) -> str:
    if not held or not rows:
        return "Nothing is known of any release. That is not ready."
    accepted = f", and {waived} waived" if waived else ""
    bad = [counted(len(blocking), "scenario") + " not shown to be good"] if blocking else []
    bad += [f"{counted(untested, 'module')} without a scenario"] if untested else []
    if bad:
        return f"{held[0].name} is not ready: {', '.join(bad)}{accepted}."
    were = "was" if len(rows) == 1 else "were"
    return f"{held[0].name} is ready, as far as {counted(len(rows), 'module')} {were} tested{accepted}."


def _cell(ones: Sequence[ScenarioStanding]) -> ReadinessCell:
    if not ones:
        return ReadinessCell(standing="missing", sentence="no scenario tests it", short="no scenario", scenarios=())
    told = sorted(ones, key=_worst_first)
    worst = told[0]
    alike = sum(one.standing == worst.standing for one in told)
    slower = sum(one.pace is not None and one.pace.slower for one in told)
    unsteady = [one.lately for one in told if _unsteady(one)]
    return ReadinessCell(
        standing=worst.standing,
        sentence=_passed(told) if worst.standing == "pass" else _why(worst, alike),
        short=f"{alike} of {len(told)}",
        scenarios=tuple(told),
        slower=slower,
        unsteady=(f"unsteady: {unsteady[0]}" if len(told) == 1 else f"{len(unsteady)} unsteady") if unsteady else "",
    )


def _unsteady(one: ScenarioStanding) -> bool:
    return one.standing == "pass" and bool(one.lately)


def _passed(told: Sequence[ScenarioStanding]) -> str:
    flaky = sum(one.sentence.endswith("flaky") for one in told)
    said = f"{counted(len(told), 'scenario')} passed" + (f", {flaky} flaky" if flaky else "")
    return f"{said}; median {told[0].pace.own.words}" if len(told) == 1 and told[0].pace is not None else said


def _why(worst: ScenarioStanding, alike: int) -> str:
    more = f", and {alike - 1} more" if alike > 1 else ""
    if worst.waiver is not None:
        return f"{worst.scenario}, until {worst.waiver.until}{more}"
    if worst.standing in ("regressed", "fail"):
        return f"{worst.scenario} fails since {worst.since}{more}"
    since = f", since {worst.since}" if worst.since else ""
    return f"{worst.scenario}: {worst.sentence}{since}{more}"
