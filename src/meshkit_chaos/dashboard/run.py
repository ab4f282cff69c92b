"""One run in full: its course, its findings, its journal, and what other limits would have said. Pure.

The same components as the report's, from the same record. ``asked`` are the objectives whose time was measured: a limit typed
in is compared with the stored interval, as the judge compares it.
"""

from __future__ import annotations

from msgspec import Struct, structs

from meshkit_chaos.campaign.results import Results
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.keeping import Kept
from meshkit_chaos.dashboard.runlogs import RunLogs, run_logs
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.history.logs import Logs
from meshkit_chaos.history.model import PastRun, PastScenario
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.phrases import say
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.report.model import InvocationReport, run_report
from meshkit_chaos.report.view import RunView, run_views


class WhatIf(Struct, frozen=True, kw_only=True):
    """One timed objective: its interval in seconds, ``hi`` empty where it had no end, and the limit that it was judged by.

    ``took``: the interval as people read it.
    """

    name: str
    lo: str
    hi: str
    took: str
    limit: str
    said: str


class RunPage(Struct, frozen=True, kw_only=True):
    """``view`` None: the evidence is not at hand, and ``missing`` says why. ``no_logs``: the same of what members said."""

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
    logs: RunLogs | None
    no_logs: str
    kept: tuple[Kept, ...]
    asked: tuple[WhatIf, ...]


def run_page(
    result: PastScenario,
    run: PastRun,
    results: Results | None,
    *,
    here: str,
    missing: str = "",
    logs: Logs | None = None,
    no_logs: str = "",
    kept: tuple[Kept, ...] = (),
) -> RunPage:
    """``results``: of the invocation that the run belongs to, while its evidence is at hand; ``logs``: of all its members."""
    found = _found(results, run.run) if results is not None else None
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
        view=_view(*found) if found is not None else None,
        missing=missing or "the evidence of this run is not at hand",
        logs=run_logs(found[1], logs, folder=found[2]) if found is not None and logs is not None else None,
        no_logs=no_logs or "No logs of this run's members are kept.",
        kept=kept,
        asked=tuple(
            WhatIf(
                name=told.name,
                lo=_seconds(told.lo),
                hi="" if told.hi is None else _seconds(told.hi),
                took=_took(told.lo, told.hi),
                limit="" if told.limit is None else _seconds(told.limit),
                said="" if told.limit is None else say(told.limit),
            )
            for told in run.objectives
            if told.lo is not None
        ),
    )


def _found(results: Results, run: str) -> tuple[Results, Record, str, Verdict] | None:
    """The record of a run, its folder inside the results, and its verdict."""
    every = zip(results.records, results.folders, results.verdict.runs, strict=True)
    return next(
        (
            (results, record, "/".join(folder.parts[-3:]), verdict)
            for record, folder, verdict in every
            if verdict.run == run and record is not None
        ),
        None,
    )


def _view(results: Results, record: Record, folder: str, verdict: Verdict) -> RunView:
    del folder
    alone = structs.replace(results.verdict, runs=(verdict,))
    report = InvocationReport(invocation=alone, runs=(run_report(record, verdict),), file=results.started.file)
    return run_views(report)[0]


def _seconds(ns: int) -> str:
    return f"{ns / 1e9:.9f}".rstrip("0").rstrip(".")


def _took(lo: int, hi: int | None) -> str:
    if hi is None:
        return f"{lo / 1e9:.3g} s or more"
    return f"{lo / 1e9:.3f}–{hi / 1e9:.3f} s"
