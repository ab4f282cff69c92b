"""Objectives → findings: each form to the module that judges it, and the indicators that a rollback must bring back.

Takes a record and the scenario whose thresholds count. An objective that names an unknown indicator is inconclusive, as is
everything that cannot be known.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record, fault_windows, phase_spans
from meshkit_chaos.judge.indicators import Point, every_of, near_names
from meshkit_chaos.judge.observation import observation_end, observed, watched_until
from meshkit_chaos.judge.phrases import say
from meshkit_chaos.judge.shares import judge_share
from meshkit_chaos.judge.times import finding, judge_time
from meshkit_chaos.judge.verdict import Finding, VerdictName
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Indicator, Objective

_FRESH_ROUNDS = 2.5  # the last round may be on its way, and one may be skipped


def judge_objective(record: Record, objective: Objective, scenario: Scenario) -> Finding:
    """Judge one objective against the record."""
    indicator = next((known for known in scenario.indicators if known.name == objective.indicator), None)
    if indicator is None:
        sentence = f"objective {objective.id} names the indicator {objective.indicator!r}, which the scenario does not have"
        return finding(objective, "inconclusive", sentence)
    judge = judge_share if objective.form == "stay" else judge_time
    return judge(record, objective, indicator)


def judge_rollback(record: Record, scenario: Scenario) -> Iterator[Finding]:
    """Whether each indicator of ``rollback.verify`` was good again in the end; nothing where no fault was injected."""
    if not fault_windows(record):
        return
    for name in scenario.rollback.verify:
        indicator = next((known for known in scenario.indicators if known.name == name), None)
        if indicator is None:
            yield Finding(
                about="environment",
                id=f"verify-{name}",
                verdict="inconclusive",
                sentence=f"rollback.verify names the indicator {name!r}, which the scenario does not have",
            )
        else:
            yield _verified(record, indicator)


def _verified(record: Record, indicator: Indicator) -> Finding:
    since, seqs = _rolled_back(record)
    points = observed(record, indicator)
    last = next((point for point in reversed(points) if since is not None and point.start >= since), None)
    ended = min(observation_end(record), watched_until(record))
    name = indicator.name
    verdict: VerdictName
    if since is None:
        verdict, sentence = "inconclusive", f"it is not known whether {name} was good after the rollback: no fault was reverted"
    elif last is None:
        verdict, sentence = (
            "inconclusive",
            f"it is not known whether {name} was good after the rollback: no round came after it",
        )
    elif last.tick + _FRESH_ROUNDS * every_of(record, indicator) < ended:
        ago = say(ended - last.tick)
        verdict, sentence = (
            "inconclusive",
            f"it is not known whether {name} was good in the end: its last round came {ago} earlier",
        )
    elif last.state == "unknown":
        verdict, sentence = "inconclusive", f"it is not known whether {name} was good after the rollback: {last.reason}"
    elif last.state == "bad":
        verdict, sentence = "fail", f"{name} was not good again after the rollback: {_value(last)}, expected {indicator.band}"
    else:
        verdict, sentence = "pass", f"{name} was good again after the rollback: {_value(last)}"
    return Finding(
        about="environment",
        id=f"verify-{name}",
        verdict=verdict,
        sentence=sentence,
        hint=near_names(record, indicator.query) if verdict == "inconclusive" else "",
        evidence=seqs,
        indicator=name,
    )


def _rolled_back(record: Record) -> tuple[int | None, tuple[int, ...]]:
    """When everything was undone: the last revert's end, and where the journal says so."""
    reverts = [(entry.t, entry.seq) for entry, _ in record.of(ev.RevertDone)]
    verify = [(span.start, span.seq) for span in phase_spans(record) if span.phase == "verify"]
    if not reverts:
        return (verify[-1][0], (verify[-1][1],)) if verify else (None, ())
    return reverts[-1][0], tuple(seq for _, seq in (*reverts[-1:], *verify[-1:]))


def _value(point: Point) -> str:
    return "no value" if point.value is None else f"{point.value:g}"
