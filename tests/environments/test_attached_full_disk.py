"""The disk with the environment's state is full: what was injected is undone, and nothing new is begun."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from attached_mesh import Mesh, wait_for
from lab_disk import SmallDisk, small_disk
from test_attached import record_of, registered, run, start, using

from meshkit_chaos.cli import app
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, LeverCall, Pause, Resume, Start
from meshkit_chaos.journal import events as ev


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    small = small_disk(tmp_path / "disk")
    try:
        yield small
    finally:
        small.close()


@pytest.fixture
def mesh(tmp_path: Path, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    """A mesh whose state lies on the small disk; its own folder, and the results, lie elsewhere."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(disk.seen / "state"))
    monkeypatch.delenv("MESHKIT_CHAOS_ALLOW_COMMANDS", raising=False)
    running = Mesh(tmp_path / "mesh", "full-mesh")
    try:
        yield running
    finally:
        running.end()


@pytest.mark.parametrize(("fault", "undo"), [(Pause("node-2"), Resume("node-2")), (Kill("node-2"), Start("node-2"))])
def test_an_undo_needs_no_space_for_what_it_writes_down(mesh: Mesh, disk: SmallDisk, fault: LeverCall, undo: LeverCall) -> None:
    """What was injected is undone, although the command that does it cannot be written down first."""
    environment = registered(mesh)

    async def there_and_back(it: object) -> None:
        await environment.pull(fault)
        assert mesh.state("node-2") != "up"
        disk.fill_with_files()
        await environment.pull(undo)

    using(environment, there_and_back)
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


@pytest.mark.parametrize("fault", [Pause("node-2"), Kill("node-2")])
def test_nothing_is_injected_that_cannot_be_written_down(mesh: Mesh, disk: SmallDisk, fault: LeverCall) -> None:
    """An injection of which nothing would be known after a crash is not begun, and the message says which disk is full."""
    environment = registered(mesh)
    disk.fill_with_files()
    with pytest.raises(EnvironmentProblem, match=rf"lever \w+ of node-2 .*{disk.seen}.*No space left"):
        using(environment, lambda it: it.pull(fault))
    assert mesh.acts == []
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


def test_a_full_temporary_folder_keeps_nothing_from_being_undone(
    mesh: Mesh, disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of a command are kept in memory where no file takes them, and are still told when it breaks."""
    environment = registered(mesh)
    (disk.seen / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(disk.seen / "tmp"))

    async def there_and_back(it: object) -> None:
        await environment.pull(Pause("node-2"))
        disk.fill_with_files()
        mesh.make("breaks-resume")
        with pytest.raises(EnvironmentProblem, match="no such thing"):
            await environment.pull(Resume("node-2"))
        mesh.cure("breaks-resume")
        await environment.pull(Resume("node-2"))

    using(environment, there_and_back)
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


def test_the_watchdog_undoes_on_a_full_disk(mesh: Mesh, disk: SmallDisk, tmp_path: Path) -> None:
    """kill -9 of the runner once the state's disk is full: the member runs again, and the next run is let in."""
    mesh.write_scenario("pause", "60s")
    process = start(mesh, tmp_path / "out")
    wait_for(lambda: mesh.state("node-2") == "paused", what="node-2 is paused")
    wait_for(lambda: record_of(tmp_path / "out").first(ev.EffectObserved), what="the lever has come to its end")
    disk.fill_with_files()
    process.kill()
    process.wait()
    wait_for(lambda: mesh.state("node-2") == "up", what="node-2 runs again", within=10)
    wait_for(lambda: app.run(["env", "status"]) == 0, what="nothing is open any more", within=10)


def test_recover_undoes_on_a_full_disk_and_says_what_it_could_not_note(
    mesh: Mesh, disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With both dead, `recover` needs no space either: what is undone is undone, what is not stays refused."""
    mesh.write_scenario("pause", "60s")
    process = start(mesh, tmp_path / "out")
    wait_for(lambda: mesh.state("node-2") == "paused", what="node-2 is paused")
    watchdog = record_of(tmp_path / "out").first(ev.WatchdogStarted)
    assert watchdog is not None
    os.kill(process.pid, signal.SIGSTOP)  # so that it cannot roll back when it sees its watchdog die
    os.kill(watchdog[1].pid, signal.SIGKILL)
    process.kill()
    process.wait()
    disk.fill_with_files()
    mesh.make("breaks-resume")
    assert app.run(["recover", mesh.name]) == 3
    assert "node-2 is paused" in capsys.readouterr().out
    assert run(mesh, tmp_path / "again", "--wait", "5s") == 3
    mesh.cure("breaks-resume")
    assert app.run(["recover", mesh.name]) == 0
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


def test_a_run_on_a_full_state_disk_is_not_begun(
    mesh: Mesh, disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That a run is open must be on disk before it begins: exit 2, which disk it is, and nothing touched."""
    registered(mesh)
    disk.fill_with_files()
    assert run(mesh, tmp_path / "out", "--env", mesh.name) == 2
    said = capsys.readouterr().err
    assert "No space left" in said
    assert str(disk.seen) in said
    assert "Traceback" not in said
    assert mesh.acts == []
