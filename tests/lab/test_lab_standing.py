"""An environment that outlives its runs: each fault is undone by itself, one run at a time, dirt is never run upon."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab_runs import PROMISED_S, SLACK, Corner, LabRun, as_json, assert_passed, wait_for
from test_lab_crashes import kill_both

from meshkit_chaos.journal import events as ev

pytestmark = pytest.mark.slow  # real processes that are left standing

ID = "standing-lab"


@pytest.fixture
def standing(corner: Corner) -> Iterator[Corner]:
    """A corner with three members up that belong to no run."""
    code, told, said = corner.command("env", "up", str(corner.folder / "etcd-lab.yaml"), "--name", ID)
    assert code == 0, said
    assert ID in told
    assert len(corner.members()) == 3
    yield corner
    code, _, said = corner.command("env", "down", ID)
    assert code == 0, said
    assert not corner.left()


def run_on(corner: Corner, scenario: str, out: str, *arguments: str) -> LabRun:
    return corner.run(scenario, "--env", ID, *arguments, out=out)


def status(corner: Corner) -> tuple[int, dict[str, Any]]:
    code, told, _ = corner.command("env", "status", ID, "--format", "json")
    answer = as_json(told)
    assert isinstance(answer, list)
    return code, answer[0]


ALL_UP = {"etcd-1": "up", "etcd-2": "up", "etcd-3": "up"}


@pytest.mark.parametrize("scenario", [pytest.param("leader-paused-long", marks=pytest.mark.slow), "leader-killed-long"])
def test_a_fault_whose_runner_was_killed_is_undone_at_once(
    standing: Corner, note_time: Callable[[str, float], None], scenario: str
) -> None:
    """The watchdog thaws or restarts the member within a second, the fingerprint holds, and the next run is accepted."""
    run = run_on(standing, scenario, "first")
    run.reached(ev.FaultInjected)
    before = standing.members()
    assert any(seen.stopped for seen in before) or len(before) == 2
    run.strike()
    run.ended()
    seconds = wait_until_whole(standing)
    note_time(f"standing environment, runner killed: {scenario}", seconds)
    wait_for(lambda: not any(seen.is_watchdog for seen in standing.alive()), within=10, what="the watchdog goes")
    assert run.events(ev.EnvironmentVerified)[-1].clean
    verdict = run.verdict()
    assert (verdict.outcome, verdict.environment) == ("crashed", "clean")
    assert verdict.verdict != "pass"
    assert status(standing) == (0, {"id": ID, "members": ALL_UP, "dirty": [], "open_run": "", "needs_recover": False})
    following = run_on(standing, "leader-paused", "second")
    assert_passed(following)


def wait_until_whole(corner: Corner) -> float:
    """Seconds until three members run, none of them stopped."""
    began = time.monotonic()

    def whole() -> bool:
        members = corner.members()
        return len(members) == 3 and not any(seen.stopped for seen in members)

    wait_for(whole, within=PROMISED_S * SLACK, what=lambda: f"three running members: {corner.left()}")
    return time.monotonic() - began


@pytest.mark.slow
def test_a_runner_killed_before_any_fault_leaves_nothing_to_recover(standing: Corner) -> None:
    """Nothing was touched, so the next run is accepted without further ado."""
    run = run_on(standing, "leader-paused", "first")
    run.in_phase("baseline")
    run.strike()
    run.ended()
    wait_for(lambda: not any(seen.is_watchdog for seen in standing.alive()), within=10, what="the watchdog goes")
    assert status(standing)[1]["open_run"] == ""
    following = run_on(standing, "leader-paused", "second")
    assert_passed(following)


@pytest.mark.parametrize("scenario", ["leader-paused-long", pytest.param("leader-killed-long", marks=pytest.mark.slow)])
def test_with_both_dead_the_environment_is_refused_until_recovered(standing: Corner, scenario: str) -> None:
    """The next run ends with 3 and names `recover ID`; after that it runs and passes."""
    run = run_on(standing, scenario, "first")
    run.reached(ev.FaultInjected)
    kill_both(run)
    state = status(standing)[1]
    assert sorted(state["members"].values()) == sorted(["up", "up", "paused" if "paused" in scenario else "down"])
    assert (state["open_run"], state["needs_recover"]) == (str(run.folder), True)

    refused = run_on(standing, "leader-paused", "second")
    assert refused.ended() == 3
    assert f"recover {ID}" in refused.said()

    code, told, said = standing.command("recover", ID)
    assert code == 0, told + said
    assert status(standing) == (0, {"id": ID, "members": ALL_UP, "dirty": [], "open_run": "", "needs_recover": False})
    following = run_on(standing, "leader-paused", "third")
    assert_passed(following)


def test_one_run_at_a_time(standing: Corner) -> None:
    """A second run is refused with 2, or waits where it is told to, and both leave the environment whole."""
    first = run_on(standing, "leader-paused", "first")
    first.reached(ev.FaultInjected)
    second = run_on(standing, "leader-paused", "second")
    assert second.ended() == 2
    assert "--wait" in second.said()
    third = run_on(standing, "leader-killed", "third", "--wait", "30s")
    assert_passed(first)
    assert_passed(third)
    ends = first.entries()[-1].t, third.entries()[0].t
    assert ends[0] < ends[1], "the third run began after the first had ended"
    assert status(standing)[1]["members"] == ALL_UP


@pytest.mark.slow
def test_a_member_that_stays_down_quarantines_the_environment(standing: Corner) -> None:
    """A member killed from outside cannot be undone: exit 3, and 3 again for whoever comes, until it is up anew."""
    run = run_on(standing, "leader-paused", "first")
    held = run.reached(ev.FaultIntended).members[0]
    run.reached(ev.FaultInjected)
    victim = next(seen for seen in standing.members() if f"MESHKIT_CHAOS_MEMBER={held}" not in seen.words)
    os.kill(victim.pid, signal.SIGKILL)
    assert run.ended(within=60) == 3, run.said()
    code, state = status(standing)
    assert code == 3
    assert state["dirty"]
    assert run_on(standing, "leader-paused", "second").ended() == 3
    code, told, _ = standing.command("recover", ID)
    assert code == 3, told
    assert "is down" in told
    assert status(standing)[0] == 3
    code, _, said = standing.command("env", "down", ID)
    assert code == 0, said
    code, _, said = standing.command("env", "up", str(standing.folder / "etcd-lab.yaml"), "--name", ID)
    assert code == 0, said
    assert status(standing)[0] == 0


@pytest.mark.slow
def test_a_crashed_run_whose_results_were_deleted_is_not_guessed_at(standing: Corner) -> None:
    """Nothing says any more how to undo: `recover` names the member and the way out; once all run it lets the next run in."""
    run = run_on(standing, "leader-paused-long", "first")
    held = run.reached(ev.FaultIntended).members[0]
    run.reached(ev.FaultInjected)
    kill_both(run)
    shutil.rmtree(run.out)
    refused = run_on(standing, "leader-paused", "second")
    assert (refused.ended(), f"recover {ID}" in refused.said()) == (3, True)
    code, told, _ = standing.command("recover", ID)
    assert (code, f"{held} is paused" in told, "env down" in told) == (3, True, True), told
    frozen = next(seen for seen in standing.members() if seen.stopped)
    os.kill(frozen.pid, signal.SIGCONT)
    code, told, _ = standing.command("recover", ID)
    assert code == 0, told
    following = run_on(standing, "leader-paused", "third")
    assert_passed(following)


@pytest.mark.slow
def test_recovering_an_older_run_does_not_touch_the_one_at_work(standing: Corner) -> None:
    """The environment was deployed anew since the crash: its faults are another run's, and stay in force."""
    old = run_on(standing, "leader-paused-long", "old")
    old.reached(ev.FaultInjected)
    kill_both(old)
    assert standing.command("env", "down", ID)[0] == 0
    code, _, said = standing.command("env", "up", str(standing.folder / "etcd-lab.yaml"), "--name", ID)
    assert code == 0, said
    run = run_on(standing, "leader-paused", "new")
    run.reached(ev.FaultInjected)
    code, told, _ = standing.command("recover", str(old.out))
    assert code == 0, told
    assert_passed(run)
    assert run.verdict().verdict == "pass"


@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM], ids=lambda number: number.name
)
def test_an_interrupted_env_up_leaves_no_member(corner: Corner, number: signal.Signals) -> None:
    """All or nothing: it ends what it started, and can be asked again."""
    words = ("env", "up", str(corner.folder / "etcd-lab.yaml"), "--name", ID)
    first = corner.start(*words)
    wait_for(corner.members, within=20, what="a first member")
    first.strike(number)
    assert first.ended() == 2, first.said()
    corner.gone(what="interrupted env up")
    assert corner.command(*words)[0] == 0
    assert corner.command("env", "down", ID)[0] == 0
    assert not corner.left()


@pytest.mark.slow
def test_env_down_ends_what_a_killed_env_up_left(corner: Corner) -> None:
    """kill -9 in the middle of `env up`: its members are found by their marker, and a second `env up` is told of them."""
    words = ("env", "up", str(corner.folder / "etcd-lab.yaml"), "--name", ID)
    first = corner.start(*words)
    wait_for(corner.members, within=20, what="a first member")
    first.strike()
    first.ended()
    code, _, said = corner.command(*words)
    assert (code, f"env down {ID}" in said) == (2, True), said
    assert corner.command("env", "down", ID)[0] == 0
    assert not corner.left()
