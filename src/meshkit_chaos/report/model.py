"""What the reports are made of: verdicts, and for each run its record and the series of its indicators. Values only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.indicators import Point, series_of
from meshkit_chaos.judge.verdict import InvocationVerdict, Verdict
from meshkit_chaos.slo import Band, Goodness, Indicator


class PointLike(Protocol):
    """One round of one indicator: ``tick`` when it was due, ``start`` to ``end`` when it was asked and answered, in ns."""

    @property
    def tick(self) -> int: ...
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def value(self) -> float | None: ...
    @property
    def state(self) -> Goodness: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One indicator over a run, oldest point first."""

    indicator: str
    query: str
    band: Band
    points: tuple[PointLike, ...]
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    verdict: Verdict
    record: Record
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationReport:
    """A whole invocation. ``file``: the scenario document as the operator named it; ``recover``: the command that cleans up."""

    invocation: InvocationVerdict
    runs: tuple[RunReport, ...] = ()
    file: str = "chaos-scenarios.yaml"
    recover: str = "meshkit-chaos recover"


def lasted(record: Record) -> float:
    """How long a run took, in seconds, from its first to its last recorded event."""
    if not record.entries:
        return 0.0
    return (record.entries[-1].t - record.entries[0].t) / 1e9


def durations(runs: tuple[RunReport, ...]) -> dict[str, float]:
    """Seconds by run, as the JUnit report wants them."""
    return {run.verdict.run: lasted(run.record) for run in runs}


def run_report(record: Record, verdict: Verdict) -> RunReport:
    """Put a run's verdict together with its record and the series of all its indicators, as the judge reads them."""
    started = record.started
    indicators = started.plan.scenario.indicators if started else ()
    plots = tuple(
        Plot(
            indicator=indicator.name,
            query=indicator.query,
            band=indicator.band,
            points=_drawable(series_of(record, indicator), indicator),
            description=indicator.description,
        )
        for indicator in indicators
    )
    return RunReport(verdict=verdict, record=record, plots=plots)


def _drawable(points: tuple[Point, ...], indicator: Indicator) -> tuple[Point, ...]:
    """A point is drawn from its tick on. What a counter did in a span it did before its tick, so that begins with the span."""
    if indicator.kind == "state":
        return points
    return tuple(replace(point, tick=point.start) for point in points)
