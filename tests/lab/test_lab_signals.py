"""Signals to the runner, and members that are not left alone: rollback always runs, and its end is no pass."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from lab_documents import hurry_documents
from lab_runs import Corner, assert_undone, wait_for

from meshkit_chaos.journal import events as ev


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=lambda number: number.name,
)
def test_one_signal_aborts_and_rolls_back(corner: Corner, number: signal.Signals) -> None:
    """What CI, Ctrl-C and a closed terminal send: no further fault, everything undone, exit 2."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    run.strike(number)
    assert run.ended() == 2, run.said()
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "clean")
    assert [event.signal for event in run.events(ev.SignalReceived)] == [number.name]
    assert len(run.events(ev.RevertDone)) == 1


@pytest.mark.parametrize("phase", ["deploy", "baseline", pytest.param("settle", marks=pytest.mark.slow)])
def test_a_signal_in_any_phase_ends_the_run_clean(corner: Corner, phase: str) -> None:
    """Also before there was a fault, and after it was reverted."""
    run = corner.run("leader-paused")
    run.in_phase(phase)
    run.strike(signal.SIGTERM)
    assert run.ended() == 2, run.said()
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "clean")
    injected = run.events(ev.FaultIntended)
    assert bool(injected) is (phase == "settle"), "nothing is injected after a signal"
    assert bool(run.events(ev.RollbackStarted)) is (phase == "settle"), "cleaning an untouched environment is not an act"


def test_a_second_ctrl_c_says_that_rollback_goes_on_and_how_to_force_it(corner: Corner) -> None:
    """It neither cuts the rollback short nor starts another one."""
    run = corner.run("leader-killed-long")
    run.reached(ev.FaultInjected)
    run.strike(signal.SIGINT)
    run.reached(ev.RevertIntended)
    run.strike(signal.SIGINT)
    wait_for(lambda: f"kill -9 {run.process.pid}" in run.said(), within=5, what="a word about the second signal")
    assert "rollback goes on" in run.said()
    assert run.ended() == 2, run.said()
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "clean")
    assert len(run.events(ev.RevertIntended)) == 1


@pytest.mark.slow
def test_a_runner_that_hangs_is_killed_at_the_deadline_and_undone(
    corner: Corner, note_time: Callable[[str, float], None]
) -> None:
    """A stopped runner cannot undo: when the deadline of its intent passes, the watchdog kills it and undoes."""
    hurry_documents(corner.folder)
    run = corner.run("leader-paused")
    deadline = run.reached(ev.FaultIntended).deadline
    run.reached(ev.FaultInjected)
    run.strike(signal.SIGSTOP)
    assert run.ended(within=30) == -signal.SIGKILL
    note_time("runner hung: deadline passed", corner.gone(what="hung runner"))
    verdict = assert_undone(run)
    assert verdict.outcome == "crashed"
    taken_over = next(entry for entry, _ in run.record().of(ev.WriterChanged))
    assert 0 <= taken_over.t - deadline < 3 * 10**9
    assert "hung" in run.events(ev.WriterChanged)[0].reason


@pytest.mark.slow
def test_a_member_that_dies_by_itself_is_noticed_and_is_no_pass(corner: Corner) -> None:
    """A member that no fault holds is killed from outside: the journal names it, and the run does not pass."""
    run = corner.run("leader-paused")
    held = run.reached(ev.FaultIntended).members[0]
    run.reached(ev.FaultInjected)
    victim = next(seen for seen in corner.members() if f"MESHKIT_CHAOS_MEMBER={held}" not in seen.words)
    os.kill(victim.pid, signal.SIGKILL)
    assert run.ended() in (2, 3), run.said()
    verdict = assert_undone(run)
    assert [event.member for event in run.events(ev.MemberDied)] != []
    assert any(finding.id.startswith("member-died") for finding in verdict.findings)
