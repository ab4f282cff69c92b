"""``converge`` and ``recover`` objectives: the estimator's interval against the limit, as one finding with a plain sentence.

Takes a record, an objective and its indicator. ``hi`` within the limit passes, ``lo`` over it fails, everything else is
inconclusive: a limit inside the interval, an indicator that never saw the fault, missing rounds, an act that never came.
"""

from __future__ import annotations

from dataclasses import replace

from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.estimator import Instant, Measured, NotSeen, Question, deciding_interval, estimate
from meshkit_chaos.judge.indicators import Point, instants_of, near_names
from meshkit_chaos.judge.observation import Act, act_of, next_act, observed, question_of
from meshkit_chaos.judge.phrases import at_least, at_most, counted, listed, say, say_between
from meshkit_chaos.judge.verdict import Finding, Measurement, VerdictName
from meshkit_chaos.slo import Indicator, Objective


def judge_time(record: Record, objective: Objective, indicator: Indicator) -> Finding:
    """Judge one ``converge`` or ``recover`` objective."""
    if objective.within is None:
        return finding(objective, "inconclusive", f"objective {objective.id} has no limit", hint="give it a `within`")
    act = act_of(record, objective)
    if isinstance(act, str):
        return finding(objective, "inconclusive", f"{objective.indicator} cannot be timed: {act}")
    points = observed(record, indicator)
    question = question_of(record, objective, indicator, act)
    instants = instants_of(points, indicator.band)
    answer, relapsed = answered(record, act, instants, question)
    if isinstance(answer, NotSeen):
        return _not_seen(record, objective, indicator, act=act, answer=answer, points=points)
    return _measured(objective, act, answer, question=question, points=points, relapsed=relapsed)


def answered(record: Record, act: Act, instants: tuple[Instant, ...], question: Question) -> tuple[Measured | NotSeen, bool]:
    """Ask over the whole window; and again up to our next act, where a relapse began with that act and healed.

    The last bad instant counts as long as it can be this act's doing. Once the time that the objective demands was watched,
    what another injection or revert breaks is that one's own to answer for, if the indicator was good again in the end: a mesh
    that stays broken is never excused. Also says whether a relapse was left to another act.
    """
    whole = estimate(instants, question)
    following = next_act(record, act, question.origin[1] + question.watched)
    if isinstance(whole, NotSeen) or whole.measurement.hi is None or following is None:
        return whole, False
    until = estimate(instants, replace(question, until=min(question.until, following), ended=min(question.ended, following)))
    if isinstance(until, NotSeen) or until.measurement.hi is None or until.measurement.hi >= whole.measurement.hi:
        return whole, False
    return until, True


def finding(
    objective: Objective,
    verdict: VerdictName,
    sentence: str,
    *,
    hint: str = "",
    evidence: tuple[int, ...] = (),
    measured: Measurement | None = None,
) -> Finding:
    """A finding about an objective."""
    return Finding(
        about="objective",
        id=objective.id,
        verdict=verdict,
        sentence=sentence,
        hint=hint,
        evidence=evidence,
        indicator=objective.indicator,
        informational=objective.informational,
        measured=measured,
    )


def _not_seen(
    record: Record, objective: Objective, indicator: Indicator, *, act: Act, answer: NotSeen, points: tuple[Point, ...]
) -> Finding:
    if not answer.instants:
        sentence = f"{indicator.name} was not observed: no round after {act.name}"
    else:
        rounds = counted(answer.instants, "round")
        unknown = f", {answer.unknown} of them unknown" if answer.unknown else ""
        sentence = f"{indicator.name} did not see the fault: no bad round of {rounds} after {act.name}{unknown}"
    reasons = unknown_reasons(points, answer.window)
    near = near_names(record, indicator.query)
    hint = "; ".join(filter(None, [reasons and f"unknown because {reasons}", near and f"query {indicator.query!r}: {near}"]))
    if not hint:
        hint = (
            f"a disturbance shorter than {say(answer.resolution)} cannot be seen; sample faster, "
            "or write `disturbance: optional` if there need not be one"
        )
    return finding(objective, "inconclusive", sentence, hint=hint, evidence=act.seqs)


def _measured(
    objective: Objective, act: Act, answer: Measured, *, question: Question, points: tuple[Point, ...], relapsed: bool
) -> Finding:
    measurement = answer.measurement
    verdict = against_limit(measurement)
    sentence = _sentence(objective, act, answer, verdict)
    notes = [_flaps_told(measurement, objective)] if measurement.flaps else []
    if relapsed:
        notes.append("a later relapse began with another act of the run and is counted there")
    hints = ["; ".join(notes)] if verdict != "inconclusive" else [_undecided(answer, question, points), *notes]
    return finding(objective, verdict, sentence, hint="; ".join(filter(None, hints)), evidence=act.seqs, measured=measurement)


def against_limit(measurement: Measurement) -> VerdictName:
    """``hi`` within the limit passes, ``lo`` over it fails; an interval around the limit or without an end decides nothing."""
    if measurement.lo > measurement.limit:
        return "fail"
    if measurement.hi is not None and measurement.hi <= measurement.limit:
        return "pass"
    return "inconclusive"


def _sentence(objective: Objective, act: Act, answer: Measured, verdict: VerdictName) -> str:
    measurement = answer.measurement
    name, limit = objective.indicator, f"limit {say(measurement.limit)}"
    if measurement.hi is None:
        return _censored_sentence(name, act, answer, limit)
    if measurement.hi == 0:
        return f"{name} was good again before {act.name} ({limit})"
    if not answer.seen and not measurement.lo:
        longest = at_most(measurement.hi)
        return f"{name} was not seen out of its band after {act.name}: no disturbance longer than {longest} ({limit})"
    if verdict == "fail":
        return (
            f"{name} was good again {say_between(measurement.lo, measurement.hi)} after {act.name}, "
            f"not before {at_least(measurement.lo)}: over the limit of {say(measurement.limit)}"
        )
    return f"{name} was good again {say_between(measurement.lo, measurement.hi)} after {act.name} ({limit})"


def _censored_sentence(name: str, act: Act, answer: Measured, limit: str) -> str:
    measurement = answer.measurement
    more = f"more than {at_least(measurement.lo)}"
    match answer.censored:
        case "bad":
            return f"{name} never recovered for good: bad for {more} after {act.name} when observation ended ({limit})"
        case "unknown":
            return f"it is not known when {name} recovered: {more} after {act.name}, and unknown rounds hide the rest ({limit})"
        case _:
            return f"{name} was not watched long enough after {act.name}: it took {more} ({limit})"


def _flaps_told(measurement: Measurement, objective: Objective) -> str:
    accepted = ", which the objective allows" if objective.flaps == "allowed" else ""
    return f"it went bad again {counted(measurement.flaps, 'time')} after having been good{accepted}"


def _undecided(answer: Measured, question: Question, points: tuple[Point, ...]) -> str:
    """What would have decided it."""
    measurement = answer.measurement
    if measurement.hi is None and answer.censored == "short":
        watched = question.origin[1] + question.watched - measurement.window[1]
        return f"observation ended {say(max(0, watched))} too early to judge"
    if answer.unknown:
        reasons = unknown_reasons(points, measurement.window) or "rounds are missing"
        return f"{counted(answer.unknown, 'round')} unknown because {reasons}"
    if measurement.hi is None:
        return "observe for longer"
    window = [point for point in points if point.end >= question.since]
    longest = max((point.end - point.tick for point in window), default=0) if question.kind == "state" else 0
    acting = question.origin[1] - question.origin[0]
    needed = deciding_interval(measurement, fixed=longest + acting)
    if needed is None:
        return (
            f"no sampling interval would have decided it: a round took up to {say(longest)} and the act that is "
            f"subtracted took {say(acting)}"
        )
    return f"sampling every {say(needed)} or faster would have decided it (now every {say(question.every)})"


def unknown_reasons(points: tuple[Point, ...], window: tuple[int, int]) -> str:
    """The distinct reasons why points in a window are unknown, the first few of them."""
    inside = [point for point in points if point.state == "unknown" and point.end >= window[0] and point.start <= window[1]]
    return listed(dict.fromkeys(point.reason for point in inside))
