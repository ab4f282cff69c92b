"""How much counters rose between rounds: a plain counter selector over a record → one span for each two neighbouring rounds.

Counters are followed series by series, so that a member which a fault took away does not read as a drop. What a reset may have
lost makes a span doubtful: its rise is then a lower bound. Refuses nothing; what cannot be known has no increase but a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from meshkit_chaos.journal.record import FaultWindow, Record, fault_windows
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.judge.rounds import Attendance, held_during, restarted_during, silence
from meshkit_chaos.promql import EvaluationError, Evaluator, NoData, Sample, Vector, single
from meshkit_chaos.promql.series import Labels, label


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterSpan:
    """The time between two rounds. ``increase`` is None where it is not known, and ``reason`` says why.

    ``doubt``: why more than ``increase`` may have happened.
    """

    tick: int
    start: int
    end: int
    increase: float | None
    reason: str = ""
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one round gave: the counters by series, or why they are not known. ``lack``: which of them is missing."""

    round: Round
    values: dict[Labels, float]
    reason: str
    held: frozenset[str]
    lack: str = ""


def counter_spans(record: Record, evaluator: Evaluator, source: str, *, skip: bool = False) -> Iterator[CounterSpan]:
    """One span for each round but the first. ``skip``: a counter that is gone although its member answers is left out."""
    windows = fault_windows(record)
    attendance = Attendance(record, evaluator, source)
    earlier: _Look | None = None
    last: dict[Labels, tuple[float, int]] = {}  # each series' last value, and the start of the round that gave it
    for a_round in record.samples.rounds.get(source, ()):
        later = _look(record, evaluator, a_round, windows)
        if not skip:
            later = replace(later, lack=attendance.lack(a_round, later.held))
        if earlier is not None:
            yield _span(earlier, later, last, windows)
        last.update({labels: (value, a_round.start) for labels, value in later.values.items()})
        earlier = later


def _look(record: Record, evaluator: Evaluator, a_round: Round, windows: tuple[FaultWindow, ...]) -> _Look:
    held = held_during(windows, a_round.start, a_round.end)
    if reason := silence(a_round, held):
        return _Look(a_round, {}, reason, held)
    try:
        found = evaluator.at(record.samples, a_round.tick)
    except EvaluationError as error:
        return _Look(a_round, {}, f"the query cannot be evaluated: {error}", held)
    samples = found.samples if isinstance(found, Vector) else (Sample((), found.value),)
    for sample in samples:
        if isinstance(value := single(Vector((sample,))), NoData):
            return _Look(a_round, {}, value.reason, held)
    reason = "" if samples else "the query returned nothing"
    return _Look(a_round, {sample.labels: sample.value for sample in samples}, reason, held)


def _span(earlier: _Look, later: _Look, last: dict[Labels, tuple[float, int]], windows: tuple[FaultWindow, ...]) -> CounterSpan:
    start, end = earlier.round.start, later.round.end
    if reason := later.reason or earlier.reason:
        return CounterSpan(tick=later.round.tick, start=start, end=end, increase=None, reason=reason)
    increase, doubts = 0.0, []
    for labels, now in later.values.items():
        rise, doubt = _rise(labels, now, last.get(labels), later, windows, present=labels in earlier.values)
        increase += rise
        doubts.append(doubt)
    lack = later.lack or earlier.lack
    doubts += [lack or _vanished(labels, later.held) for labels in earlier.values.keys() - later.values.keys()] or [lack]
    doubt = "; ".join(sorted(set(filter(None, doubts))))
    return CounterSpan(tick=later.round.tick, start=start, end=end, increase=increase, doubt=doubt)


def _rise(
    labels: Labels, now: float, last: tuple[float, int] | None, later: _Look, windows: tuple[FaultWindow, ...], *, present: bool
) -> tuple[float, str]:
    """By how much one series rose since it was last seen, and what makes that doubtful. ``present``: in the earlier round."""
    if last is None:
        return now, ""  # counters are often created with their first event
    before, seen = last
    end = later.round.end
    member = label(labels, "member")
    if now >= before and (present or member not in restarted_during(windows, seen, end)):
        return now - before, ""
    if member in held_during(windows, seen, end):
        return now, ""  # the fault took the process: a new one counts from zero
    return now, f"the counter of {member or 'the mesh'} was reset from {before:g} to {now:g}"


def _vanished(labels: Labels, held: frozenset[str]) -> str:
    member = label(labels, "member")
    return "" if member in held else f"a counter of {member or 'the mesh'} vanished"
