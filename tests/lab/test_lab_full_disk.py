"""The disk under the results is full: nothing orphaned or paused, a record that can be read, never a pass, and who must act."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator

import pytest
from lab_disk import SmallDisk, small_disk
from lab_runs import Corner, assert_undone, wait_for

from meshkit_chaos.journal import events as ev


@pytest.fixture
def disk(corner: Corner) -> Iterator[SmallDisk]:
    small = small_disk(corner.folder / "disk")
    try:
        yield small
    finally:
        corner.sweep()
        small.close()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["leader-paused-long", "leader-killed-long"])
def test_a_disk_that_fills_up_during_a_fault_ends_the_run_undone(corner: Corner, disk: SmallDisk, scenario: str) -> None:
    """The run is rolled back as soon as its record cannot be written, and says which disk is full."""
    run = disk.run(corner, scenario)
    run.reached(ev.FaultInjected)
    disk.fill()
    assert run.ended() in (2, 3), run.said()
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "clean")
    assert f"{disk.folder}" in run.said() + run.printed()
    assert "disk is full" in run.said() + run.printed()


@pytest.mark.parametrize("phase", [pytest.param("deploy", marks=pytest.mark.slow), "baseline"])
def test_nothing_is_injected_once_the_disk_is_full(corner: Corner, disk: SmallDisk, phase: str) -> None:
    """No fault without its intent on disk."""
    run = disk.run(corner, "leader-paused")
    run.in_phase(phase)
    disk.fill()
    assert run.ended() == 2, run.said()
    verdict = assert_undone(run)
    assert not run.events(ev.FaultIntended)
    assert verdict.environment in ("clean", "untouched")


@pytest.mark.slow
def test_a_disk_that_is_full_from_the_start_is_refused_in_words(corner: Corner, disk: SmallDisk) -> None:
    """Where not even the record can be begun, nothing is deployed."""
    disk.fill()
    run = disk.run(corner, "leader-paused")
    assert run.ended() == 2, run.said()
    assert "disk is full" in run.said() or os.strerror(errno.ENOSPC) in run.said()
    assert not corner.left()


def test_a_runner_killed_on_a_full_disk_is_undone_all_the_same(
    corner: Corner, disk: SmallDisk, note_time: Callable[[str, float], None]
) -> None:
    """The watchdog needs no space to undo; what it did is recorded in the space that was kept for it."""
    run = disk.run(corner, "leader-paused-long")
    run.reached(ev.FaultInjected)
    run.strike(signal.SIGSTOP)
    disk.fill()
    run.strike()
    run.ended()
    note_time("runner killed on a full disk", corner.gone(what="runner killed on a full disk"))
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("crashed", "clean")


@pytest.mark.slow
def test_a_runner_killed_without_a_byte_left_is_undone_all_the_same(corner: Corner, disk: SmallDisk) -> None:
    """Even the kept space is gone: everything is undone without a record, and `recover` completes it later."""
    run = disk.run(corner, "leader-paused-long")
    run.reached(ev.FaultInjected)
    run.strike(signal.SIGSTOP)
    for kept in run.folder.glob(".*reserve*"):
        kept.unlink()
    disk.fill()
    run.strike()
    run.ended()
    corner.gone(what="runner killed without a byte left")
    assert run.verdict().verdict != "pass"
    disk.free()
    recovered = corner.start("recover", str(run.out))
    assert recovered.ended() == 0, recovered.printed() + recovered.said()


def test_a_standing_environment_is_undone_where_no_line_can_be_written(corner: Corner, disk: SmallDisk) -> None:
    """The paused member of an environment that stays up runs again, although no line of that could be written."""
    code, _, said = corner.command("env", "up", str(corner.folder / "etcd-lab.yaml"), "--name", "lab")
    assert code == 0, said
    run = disk.run(corner, "leader-paused-long", "--env", "lab")
    run.reached(ev.FaultInjected)
    run.strike(signal.SIGSTOP)
    disk.refuse_writing(run)
    run.strike()
    run.ended()
    wait_for(lambda: not any(seen.stopped for seen in corner.members()), within=3, what=f"running members: {corner.left()}")
    assert len(corner.members()) == 3
    assert corner.command("env", "down", "lab")[0] == 0
    assert not corner.members()


@pytest.mark.slow
def test_a_run_that_cannot_be_begun_leaves_a_standing_environment_free(corner: Corner, disk: SmallDisk) -> None:
    """The disk has room for the invocation's log but not for a record: nothing was begun, so nothing is open."""
    code, _, said = corner.command("env", "up", str(corner.folder / "etcd-lab.yaml"), "--name", "lab")
    assert code == 0, said
    disk.fill()
    disk.leave(64 * 1024)
    run = disk.run(corner, "leader-paused", "--env", "lab")
    assert run.ended() == 2, run.said()
    assert "disk is full" in run.said() + run.printed()
    code, told, _ = corner.command("env", "status", "lab")
    assert (code, "open" in told) == (0, False), told
    assert corner.command("env", "down", "lab")[0] == 0
