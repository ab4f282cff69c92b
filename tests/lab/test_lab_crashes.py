"""kill -9 at any moment: of the runner, of the watchdog, of both. Nothing stays broken, and nothing becomes a pass."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from lab_runs import Corner, LabRun, assert_passed, assert_undone, let_pass

from meshkit_chaos.journal import events as ev


@dataclass(frozen=True)
class Moment:
    """When the runner dies: after the n-th event of a kind, and then up to ``spread`` seconds later, drawn by the seed."""

    name: str
    scenario: str
    kind: type
    spread: float
    phase: str = ""
    slow: bool = False


MOMENTS = (
    Moment("before-deploy", "leader-paused", ev.WatchdogStarted, 0.01),
    Moment("members-spawned", "leader-paused", ev.DeployIntended, 0.08),
    Moment("members-starting", "leader-killed", ev.DeployIntended, 1.5, slow=True),
    Moment("deployed", "leader-paused", ev.DeployDone, 0.05, slow=True),
    Moment("baseline", "leader-killed", ev.PhaseEntered, 0.4, phase="baseline"),
    Moment("pause-intended", "leader-paused", ev.FaultIntended, 0.004),
    Moment("kill-intended", "leader-killed", ev.FaultIntended, 0.004, slow=True),
    Moment("pause-held", "leader-paused", ev.FaultInjected, 1.2),
    Moment("resuming", "leader-paused", ev.RevertIntended, 0.004, slow=True),
    Moment("restarting", "leader-killed", ev.RevertIntended, 0.3, slow=True),
    Moment("settling", "leader-killed", ev.PhaseEntered, 0.5, phase="settle", slow=True),
    Moment("verifying", "leader-paused", ev.EnvironmentVerified, 0.003, slow=True),
    Moment("tearing-down", "leader-paused", ev.TeardownIntended, 0.03, slow=True),
)


@pytest.mark.parametrize(
    ("seed", "moment"),
    [
        pytest.param(seed, moment, id=moment.name, marks=[pytest.mark.slow] if moment.slow else [])
        for seed, moment in enumerate(MOMENTS)
    ],
)
def test_nothing_is_left_of_a_run_whose_runner_was_killed(
    corner: Corner, note_time: Callable[[str, float], None], seed: int, moment: Moment
) -> None:
    """Within a second of the runner's death no member, no data folder and no watchdog is left; the run is crashed, no pass."""
    run = corner.run(moment.scenario)
    run.reached(moment.kind, where=lambda event: not moment.phase or event.phase == moment.phase)
    let_pass(random.Random(seed).uniform(0, moment.spread))
    run.strike()
    assert run.ended() == -signal.SIGKILL
    note_time(f"runner killed: {moment.name}", corner.gone(what=moment.name))
    verdict = assert_undone(run)
    assert verdict.outcome == "crashed"
    assert verdict.environment in ("clean", "untouched")


def test_a_run_whose_watchdog_was_killed_aborts_and_rolls_back(corner: Corner) -> None:
    """Without its watchdog a run must not go on: it undoes, ends with 2, and says why."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    os.kill(run.watchdog, signal.SIGKILL)
    assert run.ended() == 2
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "clean")
    assert run.events(ev.RevertDone)
    assert "watchdog died" in run.said()


@pytest.mark.parametrize("scenario", ["leader-paused-long", pytest.param("leader-killed-long", marks=pytest.mark.slow)])
def test_recover_ends_what_a_dead_runner_and_a_dead_watchdog_left(corner: Corner, scenario: str) -> None:
    """With both dead something is left; the folder is refused until `recover` has ended it, once and for all."""
    run = corner.run(scenario)
    run.reached(ev.FaultInjected)
    kill_both(run)
    assert len(corner.members()) == (3 if "paused" in scenario else 2)

    again = corner.run(scenario)
    assert again.ended() == 3
    assert f"recover {run.out}" in again.said()

    code, told, _ = corner.command("recover", str(run.out))
    assert (code, "undone; nothing is left" in told) == (0, True), told
    assert_undone(run)
    code, told, _ = corner.command("recover", str(run.out))
    assert (code, "undone" in told) == (0, False), "a second time there is nothing to do"
    again = corner.run(scenario)
    assert again.ended() == 4, "results are never mixed, recovered or not"


@pytest.mark.parametrize(
    "seed", [pytest.param(0), pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_recover_finishes_what_a_watchdog_began_and_was_killed_at(corner: Corner, seed: int) -> None:
    """A watchdog that is itself killed in the middle of undoing leaves a record that `recover` can finish from."""
    run = corner.run("leader-paused-long")
    run.reached(ev.FaultInjected)
    watchdog = run.watchdog
    run.strike()
    let_pass(random.Random(seed).uniform(0, 0.06))
    os.kill(watchdog, signal.SIGKILL)
    run.ended()
    code, told, _ = corner.command("recover", str(run.out))
    assert code == 0, told
    assert_undone(run)


@pytest.mark.slow
def test_recover_leaves_a_living_run_alone(corner: Corner) -> None:
    """While runner or watchdog is at work, `recover` says so and touches nothing."""
    run = corner.run("leader-paused")
    run.reached(ev.FaultInjected)
    code, told, _ = corner.command("recover", str(run.out))
    assert (code, "still running" in told) == (3, True), told
    assert_passed(run)
    assert not corner.alive()


def kill_both(run: LabRun) -> None:
    """Kill the watchdog first, then the runner before it can have undone anything."""
    watchdog = run.watchdog
    run.strike(signal.SIGSTOP)
    os.kill(watchdog, signal.SIGKILL)
    run.strike()
    assert run.ended() == -signal.SIGKILL
