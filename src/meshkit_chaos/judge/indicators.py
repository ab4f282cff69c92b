"""A record → the series of one indicator, round by round, each point good, bad or unknown with the reason.

Takes a whole ``Record`` and an ``Indicator``; evaluates the query at each round's tick over the recorded samples. A round in
which a member's scrape failed is unknown, unless a fault held that member: then its absence is a fact. So is one in which a
free member answers and leaves out what it exported in the baseline. NaN (even of one series that an aggregation would skip),
infinities, several series and no series at all are unknown too, never good. Refuses nothing: a query that cannot be evaluated
gives unknown points.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record, fault_windows
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.judge.counters import CounterSpan, counter_spans
from meshkit_chaos.judge.estimator import Instant
from meshkit_chaos.judge.rounds import Attendance, held_during, silence
from meshkit_chaos.promql import Evaluator, NoData, PromQLError, Settings, parse
from meshkit_chaos.slo import Band, Goodness, Indicator


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One round of one indicator (of an event indicator: the span from the round before), in monotonic ns.

    ``tick`` is when the round was due, ``start`` when its first request left (for a span: that of the earlier round), ``end``
    when its last answer came. ``value`` is the query's value, for a span the increase of the counter. ``reason`` says why a
    point is unknown.
    """

    tick: int
    start: int
    end: int
    value: float | None
    state: Goodness
    reason: str = ""


def series_of(record: Record, indicator: Indicator) -> tuple[Point, ...]:
    """Every round of the indicator's source, oldest first; empty where there is none."""
    rounds = record.samples.rounds.get(indicator.source, ())
    windows = fault_windows(record)
    try:
        evaluator = Evaluator(parse(indicator.query), settings_of(record, indicator.source))
    except PromQLError as error:
        return tuple(_unknown(a_round, f"the query cannot be evaluated: {error}") for a_round in rounds)
    if indicator.kind == "event":
        spans = counter_spans(record, evaluator, indicator.source, skip=indicator.missing == "skip")
        return tuple(_classified(span, indicator.band) for span in spans)
    attendance = Attendance(record, evaluator, indicator.source) if indicator.missing == "unknown" else None
    points = []
    for a_round in rounds:
        held = held_during(windows, a_round.start, a_round.end)
        lack = attendance.lack(a_round, held) if attendance is not None else ""
        reason = silence(a_round, held) or lack
        points.append(_unknown(a_round, reason) if reason else _point(record, evaluator, a_round, indicator))
    return tuple(points)


def settings_of(record: Record, source: str) -> Settings:
    """How the source's server evaluates; our own scraping evaluates as Prometheus 3 does."""
    described = [event for _, event in record.of(ev.SourceDescribed) if event.source == source]
    return Settings(range_boundaries=described[-1].range_boundaries) if described else Settings()


def every_of(record: Record, indicator: Indicator) -> int:
    """The nominal time between two rounds of the indicator's source, in ns."""
    if indicator.probe is not None:
        return indicator.probe.every.ns
    started = record.started
    return started.plan.round_every.ns if started else 0


def instants_of(points: tuple[Point, ...], band: Band) -> tuple[Instant, ...]:
    """The points as the estimator reads them."""
    return tuple(
        Instant(tick=point.tick, start=point.start, end=point.end, state=point.state, beyond=beyond(band, point.value))
        for point in points
    )


def beyond(band: Band, value: float | None) -> float:
    """How far a value is out of the band: 0 inside, the distance to the nearer edge outside."""
    if value is None or band.assess(value) != "bad":
        return 0.0
    if band.upper is not None and value > band.upper:
        return value - band.upper
    return abs(value - band.value)


def near_names(record: Record, query: str) -> str:
    """A hint for a query that returned nothing: which of its metric names were never recorded, and what looks like them."""
    try:
        names = parse(query).metric_names
    except PromQLError:
        return ""
    recorded = sorted(record.samples.series)
    told = {event.metric: event.near for _, event in record.of(ev.MetricMissing)}
    hints = []
    for name in names:
        if name in record.samples.series:
            continue
        near = told.get(name) or tuple(difflib.get_close_matches(name, recorded, n=3, cutoff=0.6))
        hints.append(f"no series named {name} was recorded" + (f"; near names: {', '.join(near)}" if near else ""))
    return "; ".join(hints)


def _unknown(a_round: Round, reason: str) -> Point:
    return Point(tick=a_round.tick, start=a_round.start, end=a_round.end, value=None, state="unknown", reason=reason)


def _point(record: Record, evaluator: Evaluator, a_round: Round, indicator: Indicator) -> Point:
    value = evaluator.number(record.samples, a_round.tick, skip_nan=indicator.missing == "skip")
    if isinstance(value, NoData):
        return _unknown(a_round, value.reason)
    state = indicator.band.assess(value)
    return Point(tick=a_round.tick, start=a_round.start, end=a_round.end, value=value, state=state)


def _classified(span: CounterSpan, band: Band) -> Point:
    """A span is bad by what it surely holds; good only if nothing more can have happened in it."""
    state = band.assess(span.increase)
    reason = span.reason if state == "unknown" else ""
    if state == "good" and span.doubt:
        state, reason = "unknown", span.doubt
    return Point(tick=span.tick, start=span.start, end=span.end, value=span.increase, state=state, reason=reason)
