"""Would the objectives have noticed? Samples of a recorded run are distorted in memory and judged again.

Takes a record; gives, for each key objective that passed and each distortion, what the judge says of it then. An objective that
still passes although its indicator never recovered, vanished or was never seen to move is a defect of the scenario: its query
or its limits do not measure what they claim. Samples are distorted, not verdicts, so the query is on trial too. The record
itself is left as it is.

A distortion is of the series that the indicator's query selects, from the act that the objective counts from (for ``stay``:
within its phase). "Bad" is found by trial: the values of the last bad round, then zero, huge, rising and absent ones.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from meshkit_chaos.journal.record import Record, phase_spans
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.judge.indicators import every_of, series_of
from meshkit_chaos.judge.objectives import judge_objective
from meshkit_chaos.judge.observation import act_of
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.promql import STALE, PromQLError, Selector, Series, is_stale, label, parse
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Indicator, Objective

MutationName = Literal["never recovers", "recovers late", "vanishes", "is NaN", "stays flat", "is not sampled"]
MUTATIONS: Final[dict[MutationName, str]] = {
    "never recovers": "the indicator is bad from the act on (stay: in the whole phase) and stays so",
    "recovers late": "the indicator is bad until just after the limit (not for stay)",
    "vanishes": "its series are not exported from the act on",
    "is NaN": "its series are NaN from the act on",
    "stays flat": "its series keep the values from before the fault: nothing is ever seen",
    "is not sampled": "its rounds end with the act: the monitoring died",
}
_LATE_ROUNDS: Final = 3
_HUGE: Final = 1e6
_RISE: Final = 1e4  # a second
_MOST_GOOD: Final = 0.5  # a query over a range needs a while until it is bad
Value = Callable[[Series, int, float], float | None]
"""(series, instant, recorded value) → the value instead, None: not there. Recorded is the staleness marker where it was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One objective under one distortion. ``must``: a pass would be a defect of the scenario."""

    objective: str
    mutation: MutationName
    verdict: VerdictName
    sentence: str
    must: bool

    @property
    def survives(self) -> bool:
        """Whether it stays green where it must not."""
        return self.must and self.verdict == "pass"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From when to when samples are distorted."""

    begin: int
    end: int

    def holds(self, t: int) -> bool:
        return self.begin <= t < self.end


def mutants(record: Record, *, scenario: Scenario | None = None) -> Iterator[Mutant]:
    """Every key objective that passed, under every distortion that can be made."""
    started = record.started
    if started is None:
        return
    chosen = scenario or started.plan.scenario
    for objective in chosen.objectives:
        indicator = next((known for known in chosen.indicators if known.name == objective.indicator), None)
        if objective.informational or indicator is None or judge_objective(record, objective, chosen).verdict != "pass":
            continue
        for name, changed in _distorted(record, objective, indicator):
            finding = judge_objective(changed, objective, chosen)
            yield Mutant(
                objective=objective.id,
                mutation=name,
                verdict=finding.verdict,
                sentence=finding.sentence,
                must=name != "stays flat" or (objective.form != "stay" and objective.disturbance == "required"),
            )


def _distorted(record: Record, objective: Objective, indicator: Indicator) -> Iterator[tuple[MutationName, Record]]:
    whole = _stretch(record, objective)
    if whole is None:
        return
    yield "never recovers", _made_bad(record, indicator, whole)
    late = _late(record, objective, indicator, whole)
    if late is not None:
        yield "recovers late", _made_bad(record, indicator, late)
    yield "vanishes", _changed(record, indicator, whole, _where_it_was(lambda _t, _value: None))
    yield "is NaN", _changed(record, indicator, whole, _where_it_was(lambda _t, _value: math.nan))
    flat = _Stretch(_fault_began(record, objective, whole), whole.end)
    yield "stays flat", _changed(record, indicator, flat, _kept(flat.begin))
    yield "is not sampled", _silenced(record, indicator, whole)


def _stretch(record: Record, objective: Objective) -> _Stretch | None:
    last = record.entries[-1].t + 1
    if objective.form == "stay":
        spans = [span for span in phase_spans(record) if span.phase == objective.during]
        return _Stretch(spans[0].start, spans[-1].end) if spans else None
    act = act_of(record, objective)
    return None if isinstance(act, str) else _Stretch(act.begun, last)


def _fault_began(record: Record, objective: Objective, whole: _Stretch) -> int:
    act = act_of(record, objective) if objective.form != "stay" else ""
    return whole.begin if isinstance(act, str) else act.since


def _late(record: Record, objective: Objective, indicator: Indicator, whole: _Stretch) -> _Stretch | None:
    act = act_of(record, objective) if objective.form != "stay" else ""
    if isinstance(act, str) or objective.within is None:
        return None
    until = act.acknowledged + objective.within.ns + _LATE_ROUNDS * every_of(record, indicator)
    return _Stretch(whole.begin, min(until, whole.end))


def _made_bad(record: Record, indicator: Indicator, stretch: _Stretch) -> Record:
    """The first distortion under which the indicator reads as bad.

    Where none does, the first one under which it is known at all: an objective that passes there cannot fail.
    """
    known = None
    changed = record
    for value in _bad_values(record, indicator, stretch):
        changed = _changed(record, indicator, stretch, value)
        states = [point.state for point in series_of(changed, indicator) if stretch.begin <= point.start < stretch.end]
        if states and states[-1] == "bad" and states.count("good") <= _MOST_GOOD * len(states):
            return changed
        if known is None and states and states[-1] == "good":
            known = changed
    return known or changed


def _bad_values(record: Record, indicator: Indicator, stretch: _Stretch) -> Iterator[Value]:
    bad = [point.tick for point in series_of(record, indicator) if point.state == "bad"]
    if bad and indicator.kind == "state":
        inside = [tick for tick in bad if stretch.holds(tick)]
        yield _held((inside or bad)[-1])
    yield _where_it_was(lambda _t, _value: 0.0)
    yield _where_it_was(lambda _t, _value: _HUGE)
    yield _where_it_was(lambda t, value: value + _RISE * (t - stretch.begin) / 1e9)
    yield _where_it_was(lambda _t, _value: None)


def _where_it_was(value: Callable[[int, float], float | None]) -> Value:
    return lambda _series, t, recorded: None if is_stale(recorded) else value(t, recorded)


def _held(tick: int) -> Value:
    """The value at one instant, for ever; nothing, where the series was not there then."""
    return lambda series, _t, _recorded: _at(series, tick)


def _kept(before: int) -> Value:
    """The last value before an instant, for ever; nothing, where there was none."""
    last: dict[int, float] = {}

    def value(series: Series, _t: int, _recorded: float) -> float | None:
        if id(series) not in last:
            past = [found for time, found in zip(series.times, series.values, strict=True) if time < before]
            last[id(series)] = past[-1] if past else STALE
        return None if is_stale(last[id(series)]) else last[id(series)]

    return value


def _at(series: Series, tick: int) -> float | None:
    place = bisect_left(series.times, tick)
    there = place < len(series.times) and series.times[place] == tick
    return series.values[place] if there and not is_stale(series.values[place]) else None


def _changed(record: Record, indicator: Indicator, stretch: _Stretch, value: Value) -> Record:
    """The record with other samples of the series that the indicator's query selects."""
    try:
        selectors = parse(indicator.query).selectors
    except PromQLError:
        return record
    ticks = tuple(a_round.tick for a_round in record.samples.rounds.get(indicator.source, ()) if stretch.holds(a_round.tick))
    series = {
        name: tuple(_rewritten(one, ticks, stretch, value) if _selected(one, selectors) else one for one in several)
        for name, several in record.samples.series.items()
    }
    return replace(record, samples=Samples(rounds=record.samples.rounds, series=series))


def _selected(series: Series, selectors: Sequence[Selector]) -> bool:
    return any(
        (not selector.metric or selector.metric == label(series.labels, "__name__"))
        and all(matcher.matches(label(series.labels, matcher.name)) for matcher in selector.matchers)
        for selector in selectors
    )


def _rewritten(series: Series, ticks: Sequence[int], stretch: _Stretch, value: Value) -> Series:
    """One series with other values in a stretch, at every round of it."""
    recorded = dict(zip(series.times, series.values, strict=True))
    changed = {time: found for time, found in recorded.items() if not stretch.holds(time)}
    for tick in ticks:
        new = value(series, tick, recorded.get(tick, STALE))
        changed[tick] = STALE if new is None else new
    times = tuple(sorted(changed))
    return Series(series.labels, times, tuple(changed[time] for time in times))


def _silenced(record: Record, indicator: Indicator, stretch: _Stretch) -> Record:
    """Without the rounds of the indicator's source in a stretch."""
    rounds = {
        source: tuple(one for one in several if source != indicator.source or not stretch.holds(one.tick))
        for source, several in record.samples.rounds.items()
    }
    return replace(record, samples=Samples(rounds=rounds, series=record.samples.series))
