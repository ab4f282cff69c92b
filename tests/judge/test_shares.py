"""``stay`` objectives: what share of a phase an indicator was out of its band."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from staged_run import MS, S, Staged, Value

from meshkit_chaos.journal.record import PhaseSpan
from meshkit_chaos.judge import judge
from meshkit_chaos.judge.shares import Cell, measure, verdict_of
from meshkit_chaos.judge.verdict import Finding
from meshkit_chaos.slo import Duration, Goodness, Objective, Ratio


def bad_between(start: int, end: int) -> Value:
    """One leader except from ``start`` to ``end``."""
    return lambda member, at: float(member == "m2" and not start <= at < end)


def judged(series: Value, objective: Objective, **staged: object) -> Finding:
    run = Staged(objectives=(objective,), series={"is_leader": series}, **staged)  # type: ignore[arg-type]  # passed through
    return next(finding for finding in judge(run.record()).findings if finding.id == objective.id)


STAY = Objective(id="stays", form="stay", indicator="one-leader", during="hold")


def test_a_hand_over_within_two_rounds_is_tolerated() -> None:
    """Two bad rounds are no evidence against a clean hand-over; three are counted."""
    assert judged(bad_between(4 * S, 4_400 * MS), STAY).verdict == "pass"
    finding = judged(bad_between(4 * S, 4_600 * MS), STAY)
    assert finding.verdict == "fail"
    assert finding.share is not None
    assert finding.share.bad == finding.share.longest == 600 * MS
    assert (
        finding.sentence
        == "one-leader did not stay good: bad for 600 ms of 3.98 s during hold (0 % allowed), longest stretch 600 ms"
    )


def test_an_allowed_share_is_allowed() -> None:
    """The same stretch passes where the objective allows that share of the phase, and a tolerance can be zero."""
    lenient = Objective(id="stays", form="stay", indicator="one-leader", during="hold", allowed=Ratio(0.2))
    assert judged(bad_between(4 * S, 4_600 * MS), lenient).verdict == "pass"
    strict = Objective(id="stays", form="stay", indicator="one-leader", during="hold", tolerate=Duration(0))
    assert judged(bad_between(4 * S, 4_200 * MS), strict).verdict == "fail"


def test_unknown_time_hides_nothing() -> None:
    """Unknown rounds beyond what is tolerated leave no pass; bad ones fail all the same."""

    def silent(member: str, at: int) -> str:
        return "time-out" if member == "m3" and 5 * S <= at < 6 * S else ""

    assert judged(bad_between(0, 0), STAY, failed=silent).verdict == "inconclusive"
    assert judged(bad_between(4 * S, 4_600 * MS), STAY, failed=silent).verdict == "fail"


def test_missing_rounds_and_phases_are_inconclusive() -> None:
    """A phase without rounds, with a gap, or that never came is not a pass."""
    assert judged(bad_between(0, 0), STAY, dropped=lambda at: 3 * S < at < 7 * S).verdict == "inconclusive"
    assert judged(bad_between(0, 0), STAY, dropped=lambda at: 5 * S < at < 6 * S).verdict == "inconclusive"
    assert judged(bad_between(0, 0), STAY, dropped=lambda at: True).verdict == "inconclusive"
    never = Objective(id="stays", form="stay", indicator="one-leader", during="teardown")
    assert judged(bad_between(0, 0), never).verdict == "inconclusive"


def test_a_stretch_that_began_before_the_phase_counts_inside_it() -> None:
    """A bad stretch longer than tolerated counts with its part inside the phase, however short that is."""
    finding = judged(bad_between(2_400 * MS, 3_400 * MS), STAY)
    assert finding.verdict == "fail"
    assert finding.share is not None
    assert finding.share.bad < 600 * MS


_STATES = st.lists(st.sampled_from(["good", "bad", "unknown"]), min_size=1, max_size=30)


@settings(deadline=None, max_examples=300)
@given(_STATES, st.integers(0, 5), st.sampled_from([0.0, 0.1, 0.5]))
def test_knowing_more_never_contradicts_a_decision(states: list[Goodness], tolerate: int, allowed: float) -> None:
    """Whatever unknown rounds turn out to be, a pass stays no fail and a fail stays a fail."""

    def verdict(known: list[Goodness]) -> str:
        cells = [Cell(i * 10, i * 10 + 10, state) for i, state in enumerate(known)]
        spans = [PhaseSpan(phase="hold", start=0, end=len(known) * 10, seq=0)]
        share = measure(cells, spans, tolerate=tolerate * 10, every=10, allowed=allowed)
        worst_case = [Cell(cell.start, cell.end, "bad" if cell.state == "unknown" else cell.state) for cell in cells]
        pessimistic = measure(worst_case, spans, tolerate=tolerate * 10, every=10, allowed=allowed).bad
        return verdict_of(share, pessimistic=pessimistic, any_good="good" in known)

    first = verdict(states)
    all_good: list[Goodness] = ["good" if state == "unknown" else state for state in states]
    all_bad: list[Goodness] = ["bad" if state == "unknown" else state for state in states]
    if first == "pass":
        assert verdict(all_good) == verdict(all_bad) == "pass"
    if first == "fail":
        assert verdict(all_good) == verdict(all_bad) == "fail"
