"""One scenario through its nights: times with their intervals, how often it fails, and each result. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from meshkit_chaos.campaign.sequential import interval
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.trend import objectives, timed, trend
from meshkit_chaos.dashboard.wording import minute, short_subject, time_text, told_time
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import counted, say_share
from meshkit_chaos.judge.verdict import VerdictName


class ResultRow(Struct, frozen=True, kw_only=True):
    when: str
    verdict: VerdictName
    sentence: str
    subject: str
    time: str
    href: str
    flaky: bool
    set_aside: bool


class Drawn(Struct, frozen=True, kw_only=True):
    objective: str
    drawing: Markup


class ScenarioPage(Struct, frozen=True, kw_only=True):
    scenario: str
    title: str
    owner: str
    severity: str
    modules: tuple[str, ...]
    tags: tuple[str, ...]
    verdict: VerdictName
    sentence: str
    failing: str
    drawings: tuple[Drawn, ...]
    rows: tuple[ResultRow, ...]


def scenario_page(results: Sequence[PastScenario], *, here: str) -> ScenarioPage:
    """``results``: of one scenario, newest first, those set aside included; at least one."""
    newest = results[0]
    href = {one.invocation: _place(one, here=here) for one in results}
    drawings = tuple(
        Drawn(objective=name, drawing=trend(timed(results, name, href=href), label=name)) for name in objectives(results)
    )
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
        drawings=drawings,
        rows=tuple(_row(one, href[one.invocation]) for one in results),
    )


def how_often(results: Sequence[PastScenario]) -> str:
    """How often runs of it fail, with what so few can say. Runs without evidence count neither way."""
    told = [run.verdict for one in results for run in one.runs if not run.invalidated and run.verdict in ("pass", "fail")]
    if not told:
        return "no run of it passed or failed, so nothing can be said of how often it does"
    failed = told.count("fail")
    low, high = interval(failed, len(told))
    return (
        f"{failed} of {counted(len(told), 'run')} failed: with 95 % confidence it fails in "
        f"{say_share(low)} to {say_share(high)} of runs like these"
    )


def _place(one: PastScenario, *, here: str) -> str:
    return paths.relative(paths.invocation(one.invocation), here=here) + "#" + paths.anchor(one.scenario)


def _row(one: PastScenario, href: str) -> ResultRow:
    cell = cell_of(one)
    return ResultRow(
        when=minute(one.at),
        verdict=one.verdict,
        sentence=one.sentence,
        subject=short_subject(one.subject),
        time=time_text(cell) + ("" if not cell.slowest else told_time(cell)),
        href=href,
        flaky=one.flaky,
        set_aside=not one.counts,
    )
