"""One scenario through its nights: what changed and since when, its times, its releases, and each result. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.branches import Branch, branch_of, branch_words, by_branch, told
from meshkit_chaos.dashboard.happenings import Happening, happenings
from meshkit_chaos.dashboard.seeing import Sight, sight
from meshkit_chaos.dashboard.stretches import Stretch, repeats, result_link, stretches
from meshkit_chaos.dashboard.strips import Strip, fails_told, release_key, release_names, scale, strips
from meshkit_chaos.dashboard.suspects import Lived, Shift, build_name, lived, shifts, suspicion
from meshkit_chaos.dashboard.trend import Beside, Timed, objectives, timed, trend
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName

DRAWN: Final = 200
"""So many runs are drawn, the newest: a drawing of more would be heavier than what it shows. All of them are looked at."""
BRANCHES: Final = 3
"""So many other branches have a row of times."""


class Around(Struct, frozen=True, kw_only=True):
    """What is known beside the results: what was sent, accepted and decided; ``compare``: as in the dashboard's settings."""

    now: int
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

    ``branch``: what the numbers and the drawings are of, empty where there is only one; ``others``: those that did not pass
    first. ``newest_branch``: of the newest result, which ``verdict`` and ``sentence`` are of.
    """

    scenario: str
    title: str
    owner: str
    severity: str
    modules: tuple[str, ...]
    tags: tuple[str, ...]
    verdict: VerdictName
    sentence: str
    branch: str
    newest_branch: str
    others: tuple[OtherBranch, ...]
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
    shown, *rest = by_branch(results)
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
        verdict=newest.verdict,
        sentence=newest.sentence,
        branch=branch,
        newest_branch=branch_words(newest.subject) if rest else "",
        others=_others(rest, here=here),
        failing=how_often(shown.results),
        repeats=repeats(shown.results),
        changes=tuple(_line(one) for one in found.shifts),
        quiet="" if found.shifts else found.quiet,
        drawings=_drawings(results, shown, found.shifts, beside, here=here, around=around),
        beside=beside,
        stretches=stretches(results, here=here, branch=branch),
    )


def how_often(results: Sequence[PastScenario]) -> str:
    """How often runs of it fail, with what so few can say. Runs without evidence count neither way."""
    failed = told(results)
    if not failed:
        return "never passed or failed, so nothing can be said of how often it does"
    return fails_told(sum(failed), len(failed))


def _others(rest: Sequence[Branch], *, here: str) -> tuple[OtherBranch, ...]:
    newest_first = sorted(rest, key=lambda one: -one.results[0].at)
    return tuple(sorted((_other(one, here=here) for one in newest_first), key=lambda one: one.verdict == "pass"))


def _other(branch: Branch, *, here: str) -> OtherBranch:
    newest = next((one for one in branch.results if one.counts), branch.results[0])
    return OtherBranch(
        branch=branch.words,
        verdict=newest.verdict if newest.counts else "not-run",
        when=minute(newest.at),
        href=result_link(newest, here=here),
        failing=how_often(branch.results),
        set_aside=not newest.counts,
    )


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
    shown: Branch,
    found: Sequence[Shift],
    beside: Sequence[Happening],
    *,
    here: str,
    around: Around,
) -> tuple[Drawn, ...]:
    """Of one branch; the others have rows of their own on its scale."""
    runs = lived(shown.results)
    others = lived([one for one in results if branch_of(one.subject) != branch_of(shown.results[0].subject)])
    names = release_names(runs, release_key(shown.results, around.policy))
    elsewhere = {result.invocation: branch_words(result.subject) for result, _ in others}
    drawn = []
    for name in objectives(runs):
        times = _timed(runs, name, names, here=here)
        rest = _timed(others, name, elsewhere, here=here)
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
                strips=strips(times, along=rest),
                elsewhere=strips(rest, along=times, most=BRANCHES),
                scale=scale((*times, *rest)),
                sight=sees,
            )
        )
    return tuple(drawn)


def _timed(runs: Sequence[Lived], objective: str, releases: Mapping[str, str], *, here: str) -> tuple[Timed, ...]:
    href = {run.run: paths.relative(paths.run(run.run), here=here) for _, run in runs}
    builds = {result.invocation: build_name(result.subject) for result, _ in runs}
    return timed(runs, objective, href=href, builds=builds, releases=releases)
