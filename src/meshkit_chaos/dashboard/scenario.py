"""One scenario through its nights: what changed and since when, its times, its releases, and each result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.happenings import Happening, happenings
from meshkit_chaos.dashboard.seeing import Sight, sight
from meshkit_chaos.dashboard.stretches import Stretch, repeats, stretches
from meshkit_chaos.dashboard.strips import Strip, fails_told, release_key, release_names, scale, strips
from meshkit_chaos.dashboard.suspects import Lived, Shift, build_name, lived, shifts, suspicion
from meshkit_chaos.dashboard.trend import Beside, objectives, timed, trend
from meshkit_chaos.deliver.action import Told
from meshkit_chaos.gate.log import LogEntry
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName

DRAWN: Final = 200
"""So many runs are drawn, the newest: a drawing of more would be heavier than what it shows. All of them are looked at."""


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


class Drawn(Struct, frozen=True, kw_only=True):
    """One objective: its course, its releases on one scale, and what the gate can see of it. ``note``: what is left out."""

    objective: str
    note: str
    drawing: Markup
    strips: tuple[Strip, ...]
    scale: Markup
    sight: Sight


class ScenarioPage(Struct, frozen=True, kw_only=True):
    """``quiet``: what is said where nothing changed."""

    scenario: str
    title: str
    owner: str
    severity: str
    modules: tuple[str, ...]
    tags: tuple[str, ...]
    verdict: VerdictName
    sentence: str
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
    runs = lived(results)
    found = shifts(runs, compare=around.compare)
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
        failing=how_often(results),
        repeats=repeats(results),
        changes=tuple(_line(one) for one in found.shifts),
        quiet="" if found.shifts else found.quiet,
        drawings=_drawings(results, runs, found.shifts, beside, here=here, around=around),
        beside=beside,
        stretches=stretches(results, here=here),
    )


def how_often(results: Sequence[PastScenario]) -> str:
    """How often runs of it fail, with what so few can say. Runs without evidence count neither way."""
    told = [run.verdict for one in results for run in one.runs if not run.invalidated and run.verdict in ("pass", "fail")]
    if not told:
        return "no run of it passed or failed, so nothing can be said of how often it does"
    return fails_told(told.count("fail"), len(told))


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
    runs: Sequence[Lived],
    found: Sequence[Shift],
    beside: Sequence[Happening],
    *,
    here: str,
    around: Around,
) -> tuple[Drawn, ...]:
    href = {run.run: paths.relative(paths.run(run.run), here=here) for _, run in runs}
    builds = {result.invocation: build_name(result.subject) for result, _ in runs}
    names = release_names(runs, release_key(results, around.policy))
    drawn = []
    for name in objectives(runs):
        times = timed(runs, name, href=href, builds=builds, releases=names)
        changes = [mark for shift in found if shift.objective in ("", name) for mark in shift.marks]
        shown = times[-DRAWN:]
        numbered = [Beside(at=one.at, number=one.number, words=one.words) for one in beside if one.at >= shown[0].at]
        drawn.append(
            Drawn(
                objective=name,
                note=f"the newest {len(shown)} of {len(times)} runs" if len(times) > len(shown) else "",
                drawing=trend(shown, label=name, changes=changes, beside=numbered),
                strips=strips(times),
                scale=scale(times),
                sight=sight(results, name, policy=around.policy, now=around.now),
            )
        )
    return tuple(drawn)
