"""kill -9 at any moment: of the runner, of the watchdog, of both. Nothing stays broken, and nothing becomes a pass."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from lab_runs import PROMISED_S, SLACK, Corner, assert_undone, let_pass

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
    Moment("restarting", "leader-killed", ev.RevertIntended, 0.3),
    Moment("settling", "leader-killed", ev.PhaseEntered, 0.5, phase="settle", slow=True),
    Moment("verifying", "leader-paused", ev.EnvironmentVerified, 0.003, slow=True),
    Moment("tearing-down", "leader-paused", ev.TeardownIntended, 0.03),
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
