"""What an objective is judged over: its indicator's points, the act it counts from, and when observation ended.

Takes a record and an objective; gives a ``Question`` for the estimator, or a plain sentence that says why there is none (the
injection never came, was never acknowledged or never reverted). What is missing is never taken for good.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import FaultWindow, Record, fault_windows, phase_spans
from meshkit_chaos.judge.estimator import Question
from meshkit_chaos.judge.indicators import Point, every_of, series_of
from meshkit_chaos.plan import step_of
from meshkit_chaos.slo import Indicator, Objective


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What is counted from: the injection or revert of a node, from intent to last acknowledgement.

    ``since``: the intent of the injection, from when a disturbance belongs to it.
    """

    name: str
    since: int
    begun: int
    acknowledged: int
    seqs: tuple[int, ...]


def observed(record: Record, indicator: Indicator) -> tuple[Point, ...]:
    """The indicator's points until observation ended: what teardown does to the members is not looked at."""
    end = observation_end(record)
    return tuple(point for point in series_of(record, indicator) if point.end <= end)


def observation_end(record: Record) -> int:
    """The instant at which teardown began, or the last one known."""
    ends = [span.start for span in phase_spans(record) if span.phase == "teardown"]
    ends += [entry.t for entry, _ in record.of(ev.TeardownIntended)]
    last = record.entries[-1].t if record.entries else 0
    return min(ends, default=last)


def watched_until(record: Record) -> int:
    """Until when there must have been rounds: the end of the last settle phase; 0 for a run that never came there."""
    return max((span.end for span in phase_spans(record) if span.phase == "settle"), default=0)


def act_of(record: Record, objective: Objective) -> Act | str:
    """The act that an objective counts from, or why there is none."""
    windows = fault_windows(record)
    if objective.after is not None:
        chosen = [window for window in windows if step_of(window.node) == objective.after]
        chosen.sort(key=lambda window: window.intended)
        if not chosen:
            return f"{objective.after} was not injected"
    else:
        chosen = sorted(windows, key=lambda window: window.intended)
        if not chosen:
            return "no fault was injected"
    return _injection(chosen[0]) if objective.form == "converge" else _revert(chosen)


def _injection(window: FaultWindow) -> Act | str:
    if window.injected is None:
        return f"the injection of {window.node} was never acknowledged" + (f": {window.failed}" if window.failed else "")
    return Act(
        name=window.node,
        since=window.intended,
        begun=window.intended,
        acknowledged=max(window.intended, window.injected),
        seqs=window.seqs,
    )


def _revert(windows: Sequence[FaultWindow]) -> Act | str:
    """The last revert; one that is missing or failed is not passed over for an earlier one."""
    pending = [window for window in windows if window.reverted is None or window.revert_intended is None]
    if pending:
        failed = f": {pending[0].revert_failed}" if pending[0].revert_failed else ""
        return f"{pending[0].node} was never reverted" + failed
    last = max(windows, key=lambda window: window.reverted or 0)
    assert last.revert_intended is not None
    assert last.reverted is not None
    return Act(
        name=f"{last.node} was reverted",
        since=last.intended,
        begun=last.revert_intended,
        acknowledged=max(last.revert_intended, last.reverted),
        seqs=last.seqs,
    )


def question_of(record: Record, objective: Objective, indicator: Indicator, act: Act) -> Question:
    """What the estimator is asked about a ``converge`` or ``recover`` objective."""
    return Question(
        kind=indicator.kind,
        since=act.since,
        origin=(act.begun, act.acknowledged),
        limit=objective.within.ns if objective.within else 0,
        settle=objective.settle.ns,
        watched=objective.observed_for.ns,
        every=every_of(record, indicator),
        until=observation_end(record),
        ended=min(observation_end(record), watched_until(record)),
        required=objective.disturbance == "required",
        flaps_allowed=objective.flaps == "allowed",
    )


def next_act(record: Record, act: Act, not_before: int) -> int | None:
    """When another injection or revert of ours began, at ``not_before`` or later."""
    begun = [
        instant
        for window in fault_windows(record)
        for instant in (window.intended, window.revert_intended)
        if instant is not None and instant >= not_before and instant != act.begun
    ]
    return min(begun, default=None)
