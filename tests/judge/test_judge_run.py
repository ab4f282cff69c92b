"""Whole records through the judge: a pass is one only with all of its evidence."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from staged_run import CONVERGE, ERRORS, MS, ONE_LEADER, S, Staged, leader_killed, with_events, without

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.judge import judge
from meshkit_chaos.judge.verdict import Finding, Verdict
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode


def told(verdict: Verdict, name: str) -> Finding:
    return next(finding for finding in verdict.findings if finding.id == name)


def test_a_leader_that_is_replaced_in_time_passes() -> None:
    """A complete record with its evidence passes, and says by how much in a plain sentence."""
    verdict = judge(Staged().record())
    assert verdict.verdict == "pass", verdict.findings
    assert (verdict.outcome, verdict.environment) == ("completed", "clean")
    assert told(verdict, "converges").sentence == "one-leader was good again 1.29–1.51 s after leader-dies (limit 5 s)"
    measured = told(verdict, "converges").measured
    assert measured is not None
    assert measured.lo <= 1_500 * MS <= (measured.hi or 0)


def test_the_same_record_gives_the_same_bytes() -> None:
    """Judging is deterministic to the byte."""
    assert encode(judge(Staged().record())) == encode(judge(Staged().record()))


def test_no_strict_prefix_of_a_passing_journal_passes() -> None:
    """A journal that ends early, at any line, is never a pass."""
    record = Staged().record()
    for length in range(len(record.entries)):
        verdict = judge(replace(record, entries=record.entries[:length]))
        assert verdict.verdict != "pass", f"{length} lines: {verdict}"
        assert verdict.outcome == "crashed"


def test_no_event_that_carries_evidence_can_be_missing() -> None:
    """Leaving out any one kind of evidence leaves no pass."""
    for kind in (
        ev.RunStarted,
        ev.PrerequisiteChecked,
        ev.FaultIntended,
        ev.FaultInjected,
        ev.EffectObserved,
        ev.HoldDone,
        ev.RevertDone,
        ev.RunFinished,
        ev.PhaseEntered,
        ev.TeardownDone,
    ):
        assert judge(without(Staged().record(), kind)).verdict != "pass", kind.__name__


@settings(deadline=None, max_examples=150)
@given(st.sets(st.integers(0, 24)), st.integers(0, 14 * S), st.integers(600 * MS, 14 * S))
def test_a_mangled_record_is_judged_and_a_missed_limit_never_passes(lost: set[int], begin: int, length: int) -> None:
    """Whatever lines and rounds are lost, the judge gives a verdict, and a run that recovered too late does not pass."""
    staged = Staged(series={"is_leader": leader_killed(6 * S)}, dropped=lambda at: begin <= at < begin + length)
    record = staged.record()
    kept = [entry for entry in record.entries if entry.seq not in lost]
    renumbered = tuple(structs.replace(entry, seq=seq) for seq, entry in enumerate(kept))
    verdict = judge(replace(record, entries=renumbered))
    assert verdict.verdict != "pass"
    assert not any("broke" in finding.sentence for finding in verdict.findings)


def test_a_record_with_a_hole_is_invalid() -> None:
    """Damage, a missing line and a foreign schema are invalid."""
    record = Staged().record()
    assert judge(replace(record, damage=("the sample block x was altered",))).verdict == "invalid"
    assert judge(replace(record, entries=record.entries[:5] + record.entries[6:])).verdict == "invalid"
    assert judge(Record(entries=())).verdict == "invalid"
    first = record.entries[0]
    newer = structs.replace(first, event=structs.replace(first.event, schema=99))
    assert judge(replace(record, entries=(newer, *record.entries[1:]))).verdict == "invalid"


def test_without_samples_nothing_passes() -> None:
    """A record without any sample is not a pass."""
    verdict = judge(replace(Staged().record(), samples=Samples()))
    assert verdict.verdict == "inconclusive"
    assert "not observed" in told(verdict, "converges").sentence


def test_removing_rounds_never_turns_a_late_recovery_into_a_pass() -> None:
    """From a run whose leader came back too late, no removal of three or more rounds in a row makes a pass."""
    for begin in range(2 * S, 14 * S, 300 * MS):
        for length in (600 * MS, 2 * S, 6 * S):

            def gone(at: int, begin: int = begin, length: int = length) -> bool:
                return begin <= at < begin + length

            staged = Staged(series={"is_leader": leader_killed(6 * S)}, dropped=gone)
            assert judge(staged.record()).verdict != "pass", (begin, length)


def test_a_late_recovery_fails() -> None:
    """A recovery that surely came after the limit fails, with the limit in the sentence."""
    objective = structs.replace(CONVERGE, within=Duration(500 * MS))
    verdict = judge(Staged(objectives=(objective,)).record())
    assert verdict.verdict == "fail"
    assert "not before 1.29 s: over the limit of 500 ms" in told(verdict, "converges").sentence


def test_a_limit_inside_the_interval_is_inconclusive_and_says_what_would_decide() -> None:
    """A limit inside the interval decides nothing; the hint names a sampling interval."""
    objective = structs.replace(CONVERGE, within=Duration(1_420 * MS))
    verdict = judge(Staged(objectives=(objective,)).record())
    assert verdict.verdict == "inconclusive"
    assert "or faster would have decided it (now every 200 ms)" in told(verdict, "converges").hint


def test_a_leader_that_never_comes_back_fails() -> None:
    """Bad until observation ended is a fail, 'more than', and the rollback finds it bad too."""
    verdict = judge(Staged(series={"is_leader": leader_killed(60 * S)}).record())
    assert verdict.verdict == "fail"
    assert told(verdict, "converges").sentence.startswith("one-leader never recovered for good: bad for more than 10.8 s")
    assert told(verdict, "verify-one-leader").verdict == "fail"


def test_an_indicator_that_does_not_see_the_fault_is_inconclusive() -> None:
    """No bad round: inconclusive with the count, or [0, resolution] where no disturbance is required."""
    calm = Staged(series={"is_leader": lambda member, at: float(member == "m2")})
    verdict = judge(calm.record())
    assert verdict.verdict == "inconclusive"
    assert "did not see the fault: no bad round of " in told(verdict, "converges").sentence
    optional = structs.replace(CONVERGE, disturbance="optional")
    finding = told(judge(replace(calm, objectives=(optional,)).record()), "converges")
    assert finding.verdict == "pass"
    assert finding.measured is not None
    assert (finding.measured.lo, finding.measured.hi) == (0, finding.measured.resolution)


def test_a_failed_scrape_of_a_member_that_no_fault_held_makes_rounds_unknown() -> None:
    """Across the moment of recovery it widens the interval; of the killed member absence is a fact."""
    staged = Staged(failed=lambda member, at: "time-out" if member == "m3" and 4_300 * MS < at < 6_000 * MS else "")
    measured = told(judge(staged.record()), "converges").measured
    assert measured is not None
    assert measured.lo < 1_500 * MS
    assert measured.hi == 3_105 * MS


def test_a_query_that_returns_nothing_is_inconclusive_and_names_near_metrics() -> None:
    """An empty result is unknown, and the hint offers the recorded names that look alike."""
    wrong = structs.replace(ONE_LEADER, name="misspelt", query="sum(is_leeder)")
    objective = structs.replace(CONVERGE, id="other", indicator="misspelt")
    finding = told(judge(Staged(indicators=(ONE_LEADER, wrong), objectives=(CONVERGE, objective)).record()), "other")
    assert finding.verdict == "inconclusive"
    assert "no series named is_leeder was recorded; near names: is_leader" in finding.hint


def test_nan_infinity_and_many_series_are_unknown() -> None:
    """Values that are no number, and several series, never become good."""
    for value in (float("nan"), float("inf")):
        staged = Staged(series={"is_leader": lambda member, at, value=value: value if at > 3 * S else float(member == "m1")})
        assert judge(staged.record()).verdict == "inconclusive"
    many = structs.replace(ONE_LEADER, query="is_leader")
    assert judge(Staged(indicators=(many,)).record()).verdict == "invalid"  # nothing known in the baseline either


def test_a_steady_state_that_did_not_hold_is_invalid() -> None:
    """Bad or wholly unknown rounds in the baseline make the run invalid, whatever came later."""
    staged = Staged(series={"is_leader": lambda m, at: 0.0 if 2 * S < at < 2_300 * MS else leader_killed()(m, at)})
    verdict = judge(staged.record())
    assert verdict.verdict == "invalid"
    assert "the steady state did not hold before the fault" in told(verdict, "steady-state-held-one-leader").sentence
    refused = ev.SteadyStateChecked(indicator="one-leader", held=False, detail="one-leader was bad")
    assert judge(with_events(Staged().record(), (3 * S - 6 * MS, refused))).verdict == "invalid"


def test_an_unknown_round_in_the_baseline_is_inconclusive() -> None:
    """One round of the baseline that is not known leaves the steady state unproven."""
    staged = Staged(failed=lambda member, at: "time-out" if member == "m3" and 2 * S < at < 2_200 * MS else "")
    assert told(judge(staged.record()), "steady-state-held-one-leader").verdict == "inconclusive"
    gap = Staged(dropped=lambda at: 1_600 * MS < at < 2_600 * MS)
    assert told(judge(gap.record()), "steady-state-held-one-leader").verdict == "inconclusive"


def test_a_fault_that_did_not_bite_is_invalid() -> None:
    """An effect that was not there, one that nobody looked for, and a failed injection are all invalid."""
    record = without(Staged().record(), ev.EffectObserved)
    assert judge(record).verdict == "invalid"
    blunt = ev.EffectObserved(node="leader-dies", member="m1", bit=False, detail="the same process is still running")
    verdict = judge(with_events(record, (3 * S + 20 * MS, blunt)))
    assert verdict.verdict == "invalid"
    assert "the fault did not bite: kill (leader-dies) on m1: the same process is still running" in [
        finding.sentence for finding in verdict.findings
    ]
    failed = ev.FaultFailed(node="leader-dies", reason="no leader")
    assert judge(with_events(without(record, ev.FaultInjected), (3 * S + 20 * MS, failed))).verdict == "invalid"


def test_a_false_prerequisite_is_not_run() -> None:
    """A prerequisite that does not hold, and a deployment that failed, give not-run with the reason."""
    started = Staged().record().entries[:5]
    no = ev.PrerequisiteChecked(name="members", held=False, detail="2 are up, expected >= 3")
    verdict = judge(with_events(Record(entries=started), (S, no), (S + 1, ev.RunFinished(outcome="aborted"))))
    assert verdict.verdict == "not-run"
    assert told(verdict, "prerequisites-held").sentence.endswith("members: 2 are up, expected >= 3")
    failed = ev.DeployFailed(reason="no such program")
    assert judge(with_events(Record(entries=started[:3]), (S, failed))).verdict == "not-run"


def test_a_run_that_was_cut_short_is_at_best_inconclusive() -> None:
    """Signals, guard rails, a takeover or a watchdog's death leave no pass, and the reason is told."""
    for event in (
        ev.SignalReceived(signal="SIGTERM"),
        ev.GuardTripped(indicator="one-leader", detail="bad for 5 s"),
        ev.WriterChanged(writer="watchdog", pid=2, cut=0, reason="the runner died"),
        ev.WatchdogDied(pid=2),
        ev.AbortDecided(reason="time-out"),
        ev.MemberDied(member="m3", detail="its process ended"),
    ):
        assert judge(with_events(Staged().record(), (12 * S, event))).verdict == "inconclusive", event
    aborted = with_events(without(Staged().record(), ev.RunFinished), (15 * S, ev.RunFinished(outcome="aborted")))
    assert (judge(aborted).verdict, judge(aborted).outcome) == ("inconclusive", "aborted")


def test_a_dirty_environment_is_never_a_pass() -> None:
    """Differences after rollback, a failed revert and a teardown that left something are dirty."""
    record = without(Staged().record(), ev.EnvironmentVerified)
    differs = ev.EnvironmentVerified(clean=False, differences=("m1 is down",))
    failed = ev.RevertFailed(node="leader-dies", reason="it did not start")
    for dirty in (
        with_events(record, (14 * S + 100 * MS, differs)),
        with_events(without(record, ev.RevertDone), (7 * S + 300 * MS, failed)),
        with_events(without(record, ev.TeardownDone), (14_500 * MS, ev.TeardownDone(left=("pid 7",)))),
        without(record, ev.TeardownDone),
    ):
        verdict = judge(dirty)
        assert verdict.environment == "dirty"
        assert verdict.verdict == "inconclusive"


def test_a_crash_with_a_fault_in_force_is_dirty_until_torn_down() -> None:
    """A journal that ends in the hold is crashed and dirty; when the watchdog has torn down, crashed and clean."""
    crashed = replace(Staged().record(), entries=Staged().record().entries[:14])
    assert (judge(crashed).outcome, judge(crashed).environment) == ("crashed", "dirty")
    undone = with_events(
        crashed,
        (8 * S, ev.WriterChanged(writer="watchdog", pid=9, cut=3, reason="the runner died")),
        (9 * S, ev.TeardownDone(left=())),
    )
    assert (judge(undone).verdict, judge(undone).environment) == ("inconclusive", "clean")


def test_other_thresholds_are_a_what_if() -> None:
    """A scenario with another limit judges by it and is marked; the recorded one is not."""
    record = Staged().record()
    stricter = structs.replace(Staged().scenario, objectives=(structs.replace(CONVERGE, within=Duration(S)),))
    assert judge(record, scenario=Staged().scenario).what_if is False
    verdict = judge(record, scenario=stricter)
    assert (verdict.verdict, verdict.what_if) == ("fail", True)


def test_informational_objectives_are_measured_and_do_not_count() -> None:
    """An informational miss is shown and changes nothing; a scenario with nothing else judged nothing."""
    informational = structs.replace(CONVERGE, id="strict", within=Duration(MS), informational=True)
    verdict = judge(Staged(objectives=(CONVERGE, informational)).record())
    assert verdict.verdict == "pass"
    assert told(verdict, "strict").verdict == "fail"
    assert judge(Staged(objectives=(informational,)).record()).verdict == "inconclusive"
    assert judge(Staged(objectives=()).record()).verdict == "inconclusive"


def test_a_part_of_the_judge_that_breaks_is_a_finding() -> None:
    """An error while judging one objective becomes an inconclusive finding; the others are still told."""
    broken = structs.replace(CONVERGE, id="broken", settle=None)  # no document can say this
    verdict = judge(Staged(objectives=(CONVERGE, broken)).record())
    assert verdict.verdict == "inconclusive"
    assert "judging broken broke: AttributeError" in told(verdict, "broken").sentence
    assert told(verdict, "converges").verdict == "pass"


def test_recovery_before_the_revert_takes_no_time() -> None:
    """What was good again before the revert recovered in [0, 0]; a fault that was never reverted has no recovery."""
    recover = structs.replace(CONVERGE, form="recover")
    finding = told(judge(Staged(objectives=(recover,)).record()), "converges")
    assert finding.measured is not None
    assert (finding.verdict, finding.measured.lo, finding.measured.hi) == ("pass", 0, 0)
    late = Staged(objectives=(recover,), series={"is_leader": leader_killed(5 * S)})
    measured = told(judge(late.record()), "converges").measured
    assert measured is not None
    assert measured.lo <= 1 * S <= (measured.hi or 0)
    never = told(judge(without(Staged(objectives=(recover,)).record(), ev.RevertDone)), "converges")
    assert (never.verdict, never.sentence) == (
        "inconclusive",
        "one-leader cannot be timed: leader-dies was never reverted",
    )


def test_a_relapse_that_the_revert_caused_is_not_counted_as_convergence() -> None:
    """Bad again after the revert and healed: left to the revert; never healed: counted."""
    objective = structs.replace(CONVERGE, within=Duration(2 * S))

    def blip(until: int) -> Staged:
        def value(member: str, at: int) -> float:
            return 0.0 if 7_300 * MS < at < until else leader_killed()(member, at) or 0.0

        return Staged(objectives=(objective,), series={"is_leader": value})

    healed = judge(blip(8 * S).record())
    assert healed.verdict == "pass"
    assert "counted there" in told(healed, "converges").hint
    assert judge(blip(60 * S).record()).verdict == "fail"


def test_a_relapse_while_the_fault_is_held_counts() -> None:
    """The last bad instant counts, not the first good one: what looks recovered early and goes bad again is late."""

    def value(member: str, at: int) -> float:
        return 0.0 if 6 * S < at < 6_500 * MS else leader_killed(500 * MS)(member, at) or 0.0

    within = structs.replace(CONVERGE, within=Duration(2 * S))
    finding = told(judge(Staged(objectives=(within,), series={"is_leader": value}).record()), "converges")
    assert finding.verdict == "fail"
    assert finding.measured is not None
    assert finding.measured.flaps == 1
    allowed = structs.replace(within, flaps="allowed")
    assert told(judge(Staged(objectives=(allowed,), series={"is_leader": value}).record()), "converges").verdict == "pass"


def test_a_counter_that_rises_is_timed_by_its_last_rise() -> None:
    """For an event indicator the last rise counts; a killed member's counter is no drop, and starts at zero again."""

    def value(member: str, at: int) -> float:
        if member == "m1":
            return 40.0 if at < 3 * S else 0.0
        return 7.0 + (max(0, min(at, 4_100 * MS) - 3 * S) // (100 * MS) if member == "m3" else 0)

    objective = structs.replace(CONVERGE, indicator="errors")
    staged = Staged(
        indicators=(ONE_LEADER, ERRORS),
        objectives=(objective,),
        series={"is_leader": leader_killed(), "errors_total": value},
    )
    finding = told(judge(staged.record()), "converges")
    assert finding.verdict == "pass", finding
    assert finding.measured is not None
    assert finding.measured.lo <= 1_100 * MS <= (finding.measured.hi or 0)
    assert (finding.measured.hi or 0) - finding.measured.lo <= 220 * MS


def test_a_reset_of_a_counter_that_no_fault_explains_is_unknown() -> None:
    """A counter of a free member that falls back may have lost events: not a pass."""

    def value(member: str, at: int) -> float:
        if member == "m3" and 3 * S < at < 3_600 * MS:
            return 8.0
        return 7.0 if at < 9 * S else 0.0

    objective = structs.replace(CONVERGE, indicator="errors")
    staged = Staged(
        indicators=(ONE_LEADER, ERRORS),
        objectives=(objective,),
        series={"is_leader": leader_killed(), "errors_total": value},
    )
    assert told(judge(staged.record()), "converges").verdict == "inconclusive"
