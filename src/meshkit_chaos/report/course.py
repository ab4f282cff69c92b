"""The drawings of one run on one time axis: its course, and every indicator with what was measured on it. Pure.

Takes a ``RunReport``; gives the prepared drawings that the HTML report places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from meshkit_chaos.journal.record import Record, fault_windows, phase_spans
from meshkit_chaos.judge.observation import act_of
from meshkit_chaos.judge.verdict import Finding, Measurement
from meshkit_chaos.report.axis import TimeAxis
from meshkit_chaos.report.closer import Part, parts
from meshkit_chaos.report.escape import one_line
from meshkit_chaos.report.model import Plot, RunReport
from meshkit_chaos.report.narrative import roles
from meshkit_chaos.report.plot import Mark, indicator_plot
from meshkit_chaos.report.timeline import time_line
from meshkit_chaos.report.wording import interval, limit, seconds

_SPECK: Final = 0.05  # of the width: a recovery shorter than this is drawn again, larger


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotView:
    name: str
    query: str
    band: str
    description: str
    drawing: Markup
    close_ups: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseView:
    """The drawings of one run, on one time axis, in seconds from ``zero``. ``parts``: where one may look closer."""

    start: str
    end: str
    zero: str
    time_line: Markup
    plots: tuple[PlotView, ...]
    phases: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]


def axis_of(record: Record) -> TimeAxis:
    """From the baseline to the last thing that was watched; deployment and teardown would only squeeze what matters."""
    if not record.entries:
        return TimeAxis(start=0, end=1, zero=0)
    spans = [span for span in phase_spans(record) if span.phase not in ("deploy", "prerequisites", "teardown")]
    first, last = record.entries[0].t, record.entries[-1].t
    windows = fault_windows(record)
    start = min((span.start for span in spans), default=first)
    end = max((span.end for span in spans), default=last)
    return TimeAxis(start=start, end=end, zero=windows[0].intended if windows else start)


def course_of(run: RunReport, *, axis: TimeAxis) -> CourseView:
    """Draw everything of one run that has a place in time."""
    record = run.record
    windows = fault_windows(record)
    spans = phase_spans(record)
    in_force = tuple((w.intended, w.reverted if w.reverted is not None else axis.end) for w in windows)
    return CourseView(
        start=f"{(axis.start - axis.zero) / 1e9:.4f}",
        end=f"{(axis.end - axis.zero) / 1e9:.4f}",
        zero="the first injection" if windows else "the start of what is shown",
        time_line=time_line(
            spans, windows=windows, axis=axis, roles_by_node=roles(record.started.plan) if record.started else {}
        ),
        plots=tuple(_plot_view(plot, run=run, axis=axis, in_force=in_force) for plot in run.plots),
        phases=tuple((span.phase, seconds(span.end - span.start)) for span in spans),
        parts=parts(windows, _marks(run), axis=axis),
    )


def _marks(run: RunReport, indicator: str = "") -> tuple[Mark, ...]:
    """Everything that was measured as a time, or what was on one indicator."""
    return tuple(
        _mark(finding, finding.measured, acted=acted(run.record, finding))
        for finding in run.verdict.findings
        if finding.measured is not None and indicator in ("", finding.indicator)
    )


def _plot_view(plot: Plot, *, run: RunReport, axis: TimeAxis, in_force: tuple[tuple[int, int], ...]) -> PlotView:
    marks = _marks(run, plot.indicator)
    return PlotView(
        name=one_line(plot.indicator),
        query=one_line(plot.query),
        band=str(plot.band),
        description=one_line(plot.description),
        drawing=indicator_plot(plot, axis=axis, marks=marks, windows=in_force),
        close_ups=tuple(
            (mark.name, indicator_plot(plot, axis=near, marks=(mark,), windows=in_force, class_="plot close-up"))
            for mark in marks
            if (near := _close(axis, mark))
        ),
    )


def _close(axis: TimeAxis, mark: Mark) -> TimeAxis | None:
    """The time round one recovery, where the whole run is so long that it would be a speck."""
    start = mark.acted[0]
    took = max((mark.hi if mark.hi is not None else mark.lo) - start, 10**6)
    nothing_to_see = mark.hi is not None and mark.hi <= mark.acted[1]
    if nothing_to_see or took > _SPECK * (axis.end - axis.start):
        return None
    due = mark.acted[1] + mark.limit_ns - start
    reach = max(took * 2, due) if due < took * 4 else took * 2
    return TimeAxis(start=start - round(reach * 0.5), end=start + round(reach * 1.15), zero=axis.zero)


def acted(record: Record, finding: Finding) -> tuple[int, int]:
    """When the act that an objective counts from began and was acknowledged; without it, when its window opened."""
    objectives = record.started.plan.scenario.objectives if record.started else ()
    act = next((act_of(record, objective) for objective in objectives if objective.id == finding.id), "")
    if not isinstance(act, str):
        return act.begun, act.acknowledged
    opened = finding.measured.window[0] if finding.measured else 0
    return opened, opened


def _mark(finding: Finding, measured: Measurement, *, acted: tuple[int, int]) -> Mark:
    """Place a measurement on the clock of the run; what recovered before the act counts from the act."""
    hi = None if measured.hi is None else acted[0] + measured.hi
    lo, hi = measured.recovered if measured.recovered and hi is not None else (acted[1] + measured.lo, hi)
    lo = max(lo, acted[0])
    return Mark(
        name=one_line(finding.id),
        verdict=finding.verdict,
        acted=acted,
        lo=lo,
        hi=None if hi is None else max(hi, lo),
        limit_ns=measured.limit,
        text=interval(measured),
        limit=limit(measured),
    )
