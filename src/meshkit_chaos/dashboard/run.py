"""One run in full: its course, its findings, its journal, and what other limits would have said. Pure.

The same components as the report's, from the same record. ``asked`` are the objectives whose time was measured: a limit typed
in is compared with the stored interval, as the judge compares it.
"""

from __future__ import annotations

from msgspec import Struct, structs

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.history.model import PastRun, PastScenario
from meshkit_chaos.judge.phrases import say
from meshkit_chaos.report.model import InvocationReport, run_report
from meshkit_chaos.report.view import RunView, run_views


class WhatIf(Struct, frozen=True, kw_only=True):
    """One timed objective: its interval in seconds, ``hi`` empty where it had no end, and the limit that it was judged by."""

    name: str
    lo: str
    hi: str
    limit: str
    said: str


class RunPage(Struct, frozen=True, kw_only=True):
    """``view`` None: the evidence is not at hand, and ``missing`` says why."""

    run: str
    scenario: str
    title: str
    scenario_href: str
    invocation_href: str
    when: str
    verdict: str
    subject: tuple[tuple[str, str], ...]
    invalidated: str
    view: RunView | None
    missing: str
    asked: tuple[WhatIf, ...]


def run_page(result: PastScenario, run: PastRun, results: Results | None, *, here: str, missing: str = "") -> RunPage:
    """``results``: of the invocation that the run belongs to, while its evidence is at hand."""
    return RunPage(
        run=run.run,
        scenario=result.scenario,
        title=result.title or result.scenario,
        scenario_href=paths.relative(paths.scenario(result.scenario), here=here),
        invocation_href=paths.relative(paths.invocation(result.invocation), here=here) + "#" + paths.anchor(result.scenario),
        when=minute(result.at),
        verdict=run.verdict,
        subject=tuple(sorted(result.subject.items())),
        invalidated=run.invalidated,
        view=_view(results, run.run) if results is not None else None,
        missing=missing or "the evidence of this run is not at hand",
        asked=tuple(
            WhatIf(
                name=told.name,
                lo=_seconds(told.lo),
                hi="" if told.hi is None else _seconds(told.hi),
                limit="" if told.limit is None else _seconds(told.limit),
                said="" if told.limit is None else say(told.limit),
            )
            for told in run.objectives
            if told.lo is not None
        ),
    )


def _view(results: Results, run: str) -> RunView | None:
    both = zip(results.records, results.verdict.runs, strict=True)
    found = next(((record, verdict) for record, verdict in both if verdict.run == run and record is not None), None)
    if found is None:
        return None
    record, verdict = found
    assert record is not None, "looked for"
    alone = structs.replace(results.verdict, runs=(verdict,))
    report = InvocationReport(invocation=alone, runs=(run_report(record, verdict),), file=results.started.file)
    return run_views(report)[0]


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.9f}".rstrip("0").rstrip(".")
