"""One scenario through its nights: what changed and since when, its times, its releases, and each result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.branches import Branch, branch_words, by_branch, told
from meshkit_chaos.dashboard.happenings import Happening, happenings
from meshkit_chaos.dashboard.seeing import Sight, sight
from meshkit_chaos.dashboard.stretches import Stretch, repeats, result_link, stretches
from meshkit_chaos.dashboard.strips import Strip, fails_told, release_key, release_names, scale, strips
from meshkit_chaos.dashboard.suspects import Lived, Shift, build_name, lived, shifts, suspicion
from meshkit_chaos.dashboard.trend import Beside, Timed, objectives, timed, trend
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.gate.evidence import SLACK
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

DRAWN: Final = 200
"""So many runs are drawn, the newest: a drawing of more would be heavier than what it shows. All of them are looked at."""
BRANCHES: Final = 4
"""So many other branches are in sight, and have a row of times."""


class Around(Struct, frozen=True, kw_only=True):
    """What is known beside the results: what was sent, accepted and decided; ``compare``: as in the dashboard's settings.

    ``fresh``: how old a pass may be.
    """

    now: int
    fresh: Duration
    told: tuple[Told, ...] = ()
    overrides: tuple[Override, ...] = ()
    entries: tuple[LogEntry, ...] = ()
    policy: Policy | None = None
    compare: str = ""


class ChangeLine(Struct, frozen=True, kw_only=True):
    """``sentence``: what, since when; ``where``: between which runs; ``suspicion``: of which builds; ``tone``: its sign."""

    sentence: str
    where: str
    suspicion: str
    compare: str
    tone: VerdictName


class OtherBranch(Struct, frozen=True, kw_only=True):
    """What the results of another branch say, by themselves. ``verdict``, ``when``, ``href``: of its newest one that counts.

    ``set_aside``: none counts, so it has no verdict.
    """

    branch: str
    verdict: VerdictName
    when: str
    href: str
    failing: str
    set_aside: bool = False


class Drawn(Struct, frozen=True, kw_only=True):
    """One objective: its course, its releases on one scale, and what the gate can see of it. ``note``: what is left out.

    ``elsewhere``: other branches, on the same scale.
    """

    objective: str
    note: str
    drawing: Markup
    strips: tuple[Strip, ...]
    elsewhere: tuple[Strip, ...]
    scale: Markup
    sight: Sight


class ScenarioPage(Struct, frozen=True, kw_only=True):
    """``quiet``: what is said where nothing changed.

    ``branch``: what the numbers and the drawings are of, empty where there is only one. ``others``: those that did not pass
    first; ``folded``: the others of them, and ``fold`` what is said of those. ``newest_branch``: of the newest result that
    counts, which ``verdict``, ``when`` and ``sentence`` are of; where none does, nothing passed. ``stale``: it is a pass that
    does not speak for now. ``aside``: what newer results than that one are.
    """

    scenario: str
    title: str
    owner: str
    severity: str
    modules: tuple[str, ...]
    tags: tuple[str, ...]
    verdict: VerdictName
    when: str
    stale: bool
    sentence: str
    aside: str
    branch: str
    newest_branch: str
    others: tuple[OtherBranch, ...]
    folded: tuple[OtherBranch, ...]
    fold: str
    failing: str
    repeats: str
    changes: tuple[ChangeLine, ...]
    quiet: str
    drawings: tuple[Drawn, ...]
    beside: tuple[Happening, ...]
    stretches: tuple[Stretch, ...]


def scenario_page(results: Sequence[PastScenario], *, here: str, around: Around) -> ScenarioPage:
    """``results``: of one scenario, newest first, those set aside included; at least one."""
    newest = results[0]
    counting = next((one for one in results if one.counts), None)
    shown, *several = by_branch(results)
    rest = sorted(several, key=lambda one: (_passes(one), -one.results[0].at))
    others = tuple(_other(one, here=here) for one in rest)
    branch = shown.words if rest else ""
    found = shifts(lived(results), compare=around.compare)
    beside = happenings(newest.scenario, told=around.told, overrides=around.overrides, entries=around.entries)
    return ScenarioPage(
        scenario=newest.scenario,
        title=newest.title or newest.scenario,
        owner=newest.owner,
        severity=newest.severity,
        modules=newest.modules,
        tags=newest.tags,
        verdict=counting.verdict if counting is not None else "not-run",
        when=minute((counting or newest).at),
        stale=counting is not None and counting.verdict == "pass" and not _lately(counting, around),
        sentence=counting.sentence if counting is not None else "no result counts: people set aside all that are shown",
        aside="people set a newer result aside" if counting is not None and counting is not newest else "",
        branch=branch,
        newest_branch=branch_words((counting or newest).subject) if rest else "",
        others=others[:BRANCHES],
        folded=others[BRANCHES:],
        fold=_fold(others[BRANCHES:]),
        failing=how_often(shown.results),
        repeats=repeats(shown.results),
        changes=tuple(_line(one) for one in found.shifts),
        quiet="" if found.shifts else found.quiet,
        drawings=_drawings(results, (shown, *rest), found.shifts, beside, here=here, around=around),
        beside=beside,
        stretches=stretches(results, here=here, branch=branch),
    )


def _lately(one: PastScenario, around: Around) -> bool:
    return -SLACK.ns <= around.now - one.at <= around.fresh.ns


def how_often(results: Sequence[PastScenario]) -> str:
    """How often runs of it fail, with what so few can say. Runs without evidence count neither way."""
    failed = told(results)
    if not failed:
        return "never passed or failed, so nothing can be said of how often it does"
    return fails_told(sum(failed), len(failed))


def _speaking(branch: Branch) -> PastScenario:
    """Its newest result that counts; where none does, its newest."""
    return next((one for one in branch.results if one.counts), branch.results[0])


def _passes(branch: Branch) -> bool:
    newest = _speaking(branch)
    return newest.counts and newest.verdict == "pass"


def _other(branch: Branch, *, here: str) -> OtherBranch:
    newest = _speaking(branch)
    return OtherBranch(
        branch=branch.words,
        verdict=newest.verdict if newest.counts else "not-run",
        when=minute(newest.at),
        href=result_link(newest, here=here),
        failing=how_often(branch.results),
        set_aside=not newest.counts,
    )


def _fold(rest: Sequence[OtherBranch]) -> str:
    """A fold hides no failure."""
    bad = sum(one.verdict != "pass" for one in rest)
    if not rest:
        return ""
    more = f"{len(rest)} more {'branch' if len(rest) == 1 else 'branches'}"
    return f"{more}; the newest results of {bad} are no pass" if bad else f"{more}, each with a pass as its newest"


def _line(shift: Shift) -> ChangeLine:
    return ChangeLine(
        sentence=shift.sentence,
        where=shift.where,
        suspicion=suspicion(shift),
        compare=shift.compare,
        tone="inconclusive" if shift.up and shift.objective else "fail" if shift.up else "pass",
    )


def _drawings(
    results: Sequence[PastScenario],
    branches: Sequence[Branch],
    found: Sequence[Shift],
    beside: Sequence[Happening],
    *,
    here: str,
    around: Around,
) -> tuple[Drawn, ...]:
    """Of the first branch; some of the others have a row of their own on its scale."""
    shown, *others = branches
    runs = lived(shown.results)
    names = release_names(runs, release_key(shown.results, around.policy))
    drawn = []
    for name in objectives(runs):
        times = _timed(runs, name, names, here=here)
        rest = [_timed(lived(one.results), name, _named(one), here=here) for one in others[:BRANCHES]]
        every = [*times, *(one for ones in rest for one in ones)]
        changes = [mark for shift in found if shift.objective in ("", name) for mark in shift.marks]
        newest = times[-DRAWN:]
        numbered = [Beside(at=one.at, number=one.number, words=one.words) for one in beside if one.at >= newest[0].at]
        sees = sight(
            results, name, policy=around.policy, now=around.now, newest=shown.results[0], branch=shown.words if others else ""
        )
        drawn.append(
            Drawn(
                objective=name,
                note=f"the newest {len(newest)} of {len(times)} runs" if len(times) > len(newest) else "",
                drawing=trend(newest, label=name, changes=changes, beside=numbered),
                strips=strips(times, along=every),
                elsewhere=tuple(strip for ones in rest for strip in strips(ones, along=every)),
                scale=scale(every),
                sight=sees,
            )
        )
    return tuple(drawn)


def _named(branch: Branch) -> dict[str, str]:
    """A branch stands in place of a release."""
    return {one.invocation: branch.words for one in branch.results}


def _timed(runs: Sequence[Lived], objective: str, releases: Mapping[str, str], *, here: str) -> tuple[Timed, ...]:
    href = {run.run: paths.relative(paths.run(run.run), here=here) for _, run in runs}
    builds = {result.invocation: build_name(result.subject) for result, _ in runs}
    return timed(runs, objective, href=href, builds=builds, releases=releases)
