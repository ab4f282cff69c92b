"""An environment that outlives its runs: leases, quarantine, recovery. Members are real processes of the simplest kind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import Ended, command, write_documents
from listening_lab import LISTENERS, one_killed

from meshkit_chaos.environments import processes
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.state import (
    OPEN_RUN,
    STATE,
    OpenRun,
    Quarantine,
    forget_open_run,
    load_state,
    note_open_run,
    open_run,
    quarantine,
    quarantined,
    take_lease,
)
from meshkit_chaos.errors import EnvironmentBusy
from meshkit_chaos.run.recovery import read_facts

pytestmark = pytest.mark.slow  # real meshes that stand and are left behind

LAB = "listeners"


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A standing environment of listeners, ended after the test whatever became of it; gives its scenario file."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    file = write_documents(tmp_path / "docs", one_killed(), environment=LISTENERS)
    up = command("env", "up", file.parent / "lab.yaml")
    assert up.code == 0, up
    marker = marker_of(environment_folder(LAB))
    yield file
    command("env", "down", LAB)
    assert processes.kill_all(marker, within_s=2) == ()


def marker_of(folder: Path) -> str:
    state = load_state(folder)
    assert state is not None
    return state.marker


def pids() -> set[int]:
    return {process.pid for process in processes.find_marked(marker_of(environment_folder(LAB)))}


def run(docs: Path, name: str, *more: object) -> Ended:
    return command("run", "--file", docs, "--env", LAB, "--out", docs.parent / name, *more)


def test_a_run_leaves_a_standing_environment_as_it_was(docs: Path) -> None:
    """The fault is undone, the members that it did not hit are untouched, and the next run may come."""
    before = pids()
    ended = run(docs, "first")
    assert ended.code == 0, ended
    after = pids()
    assert len(after) == 3
    assert len(before & after) == 2
    document = json.loads((docs.parent / "first" / "verdict.json").read_bytes())
    assert document["environment"] == "clean"
    assert not (environment_folder(LAB) / OPEN_RUN).exists()
    assert "node-1 up, node-2 up, node-3 up" in command("env", "status").out


def test_trap_20_two_runs_on_one_environment(docs: Path) -> None:
    """While one run holds an environment, a second one is refused with 2 and says how to wait; nothing of it begins."""
    held = take_lease(environment_folder(LAB), holder="run 01J of jo")
    try:
        ended = run(docs, "second")
        assert ended.code == 2
        assert "is held by run 01J of jo" in ended.err
        assert "--wait" in ended.err
        assert not (docs.parent / "second").exists()
        assert command("env", "down", LAB).code == 2
        assert run(docs, "second", "--wait", "300ms").code == 2
    finally:
        os.close(held)


def test_trap_20_the_second_run_can_wait(docs: Path) -> None:
    """With ``--wait`` the second run begins as soon as the first one lets go."""
    held = take_lease(environment_folder(LAB), holder="another run")
    letting_go = threading.Timer(0.3, os.close, (held,))
    letting_go.start()
    ended = run(docs, "second", "--wait", "20s")
    letting_go.join()
    assert ended.code == 0, ended


def test_trap_03_the_next_run_refuses_a_dirty_environment(docs: Path) -> None:
    """A dirty environment ends the next run with 3 before it begins, names what is left and ``recover``."""
    quarantine(environment_folder(LAB), Quarantine(run=str(docs.parent / "gone"), differences=("node-2 is down",)))
    for _ in range(2):
        ended = run(docs, "next")
        assert ended.code == 3, ended
        assert "node-2 is down" in ended.err
        assert f"meshkit-chaos recover {LAB}" in ended.err
        assert not (docs.parent / "next").exists()
    status = command("env", "status", "--format", "json")
    assert status.code == 3
    assert status.data[0]["dirty"] == ["node-2 is down"]
    assert command("doctor").code == 2


def test_doctor_tells_a_run_at_work_from_one_that_crashed(docs: Path) -> None:
    """An open run that somebody holds is at work, and nothing is missing; one that nobody holds has crashed."""
    (environment_folder(LAB) / OPEN_RUN).write_text(str(docs.parent / "somewhere"), encoding="utf-8")
    held = take_lease(environment_folder(LAB), holder="a run")
    at_work = command("doctor")
    assert (at_work.code, "a run is at work on it" in at_work.out) == (0, True)
    os.close(held)
    crashed = command("doctor")
    assert (crashed.code, "a run on it crashed" in crashed.out) == (2, True)


def test_recover_undoes_what_a_crashed_run_left(docs: Path) -> None:
    """After a crash between injection and undo ``recover`` undoes, verifies, and lets the next run come."""
    assert run(docs, "crashed").code == 0
    folder = docs.parent / "crashed" / "runs" / "one-killed" / "001"
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if b'"fault.injected"' in line)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[: cut + 1]) + b'{"seq":')
    (environment_folder(LAB) / OPEN_RUN).write_text(str(folder), encoding="utf-8")
    for process in processes.find_marked(marker_of(environment_folder(LAB))):
        if process.member == "node-2":
            processes.send(process, 9)
    assert run(docs, "next").code == 3
    undone = command("recover", LAB, "--format", "json")
    assert undone.code == 0, undone
    assert len(pids()) == 3
    assert not (environment_folder(LAB) / OPEN_RUN).exists()
    judged = command("judge", docs.parent / "crashed", "--format", "json")
    assert judged.code == 2
    assert judged.data["runs"][0]["outcome"] == "crashed"
    assert command("recover", LAB).code == 0


def test_recover_says_what_is_still_wrong(docs: Path) -> None:
    """Where the mesh cannot be brought back, ``recover`` ends with 3, names the difference, and quarantine stays."""
    assert run(docs, "crashed").code == 0
    folder = docs.parent / "crashed" / "runs" / "one-killed" / "001"
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if b'"revert.done"' in line)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[: cut + 1]))
    (environment_folder(LAB) / OPEN_RUN).write_text(str(folder), encoding="utf-8")
    for process in processes.find_marked(marker_of(environment_folder(LAB))):
        if process.member == "node-3":
            processes.send(process, 9)
    undone = command("recover", LAB)
    assert undone.code == 3
    assert "node-3 is down" in undone.out
    why = quarantined(environment_folder(LAB))
    assert why is not None
    assert why.differences == ("node-3 is down",)
    assert run(docs, "next").code == 3


def crashed_run(docs: Path) -> Path:
    """Results of a run that crashed while node-2 was down, as it would have left them and the environment."""
    assert run(docs, "crashed").code == 0
    folder = docs.parent / "crashed" / "runs" / "one-killed" / "001"
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if b'"fault.injected"' in line)
    (folder / "journal.jsonl").write_bytes(b"".join(lines[: cut + 1]))
    started = read_facts(folder).started
    assert started is not None
    note_open_run(environment_folder(LAB), OpenRun(run=str(folder), id=started.run))
    for process in processes.find_marked(marker_of(environment_folder(LAB))):
        if process.member == "node-2":
            processes.send(process, 9)
    return docs.parent / "crashed"


def test_results_that_were_moved_are_still_those_of_their_environment(docs: Path) -> None:
    """`recover ID` says that the record is not there and what to do; that done, everything is undone and let in again."""
    moved = crashed_run(docs).rename(docs.parent / "moved")
    told = command("recover", LAB)
    assert told.code == 3, told
    assert "node-2 is down" in told.out
    assert "if the results were moved, `meshkit-chaos recover` the folder where they are now" in told.out
    assert command("run", "--file", docs, "--env", LAB, "--out", docs.parent / "next").code == 3
    undone = command("recover", moved)
    assert (undone.code, "undone; nothing is left" in undone.out) == (0, True), undone
    assert len(pids()) == 3
    assert open_run(environment_folder(LAB)) is None
    assert run(docs, "next").code == 0


def test_a_quarantine_is_lifted_from_where_the_results_were_moved_to(docs: Path) -> None:
    """A run that ended dirty is known by its id, wherever its results lie now."""
    crashed_run(docs)
    left = open_run(environment_folder(LAB))
    assert left is not None
    quarantine(environment_folder(LAB), Quarantine(run=left.run, id=left.id, differences=("node-2 is down",)))
    forget_open_run(environment_folder(LAB))
    moved = (docs.parent / "crashed").rename(docs.parent / "moved")
    assert command("recover", moved).code == 0
    assert quarantined(environment_folder(LAB)) is None


def test_another_run_in_the_place_of_the_moved_one_is_not_undone(docs: Path) -> None:
    """What counts is which run it is: an older record at the same path says nothing of what is to be undone now."""
    out = crashed_run(docs)
    left = open_run(environment_folder(LAB))
    assert left is not None
    note_open_run(environment_folder(LAB), OpenRun(run=left.run, id="0" * 26))
    assert command("recover", out).code == 0
    assert len(pids()) == 2
    assert open_run(environment_folder(LAB)) is not None
    told = command("recover", LAB)
    assert (told.code, "if the results were moved" in told.out) == (3, True), told


def test_an_environment_that_is_up_is_not_started_again(docs: Path) -> None:
    """``env up`` of what is up is refused and leaves it alone."""
    before = pids()
    ended = command("env", "up", docs.parent / "lab.yaml")
    assert ended.code == 2
    assert "already up" in ended.err
    assert pids() == before


def test_down_leaves_nothing(docs: Path) -> None:
    """After ``env down`` no process, no data and no state is left, and going down twice is an error of usage."""
    state = load_state(environment_folder(LAB))
    assert state is not None
    assert command("env", "down", LAB).code == 0
    assert processes.find_marked(state.marker) == ()
    assert not Path(state.data).exists()
    assert not environment_folder(LAB).exists()
    assert command("env", "down", LAB).code == 4


def test_an_out_folder_that_cannot_be_written_blocks_nothing(docs: Path) -> None:
    """Where not even the record can be begun, nothing is touched and the environment stays usable."""
    (docs.parent / "file").touch()
    before = pids()
    ended = command("run", "--file", docs, "--env", LAB, "--out", docs.parent / "file" / "results")
    assert ended.code == 2, ended
    assert pids() == before
    assert not (environment_folder(LAB) / OPEN_RUN).exists()
    assert run(docs, "next").code == 0


def cut_out(journal: Path, kind: str) -> None:
    """Damage the first line of a kind, so that neither it nor what stands behind it can be read."""
    lines = journal.read_bytes().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if f'"{kind}"'.encode() in line)
    journal.write_bytes(b"".join([*lines[:at], b"\0" * 40 + b"\n", *lines[at + 1 :]]))


def test_a_damaged_record_is_no_evidence_that_nothing_was_injected(docs: Path) -> None:
    """Where the lines about the fault cannot be read, ``recover`` looks: what is down stays dirty, ask as often as you like."""
    assert run(docs, "crashed").code == 0
    folder = docs.parent / "crashed" / "runs" / "one-killed" / "001"
    cut_out(folder / "journal.jsonl", "fingerprint.taken")
    (environment_folder(LAB) / OPEN_RUN).write_text(str(folder), encoding="utf-8")
    (lost,) = (one for one in processes.find_marked(marker_of(environment_folder(LAB))) if one.member == "node-2")
    processes.send(lost, 9)
    for _ in range(2):
        ended = command("recover", LAB)
        assert ended.code == 3, ended
        assert "node-2 is down" in ended.out
        assert run(docs, "next").code == 3


def test_a_damaged_record_of_a_mesh_that_is_up_is_recovered(docs: Path) -> None:
    """Where all members are seen to run, nothing more can be known, and the next run may come."""
    assert run(docs, "crashed").code == 0
    folder = docs.parent / "crashed" / "runs" / "one-killed" / "001"
    cut_out(folder / "journal.jsonl", "fingerprint.taken")
    (environment_folder(LAB) / OPEN_RUN).write_text(str(folder), encoding="utf-8")
    ended = command("recover", LAB)
    assert ended.code == 0, ended
    assert run(docs, "next").code == 0


def test_recover_does_not_close_the_books_of_a_run_that_is_just_beginning(docs: Path) -> None:
    """Between the note that a run is open and its journal's first line, the lease says that it lives."""
    folder = environment_folder(LAB)
    held = take_lease(folder, holder="a run that is beginning")
    try:
        (folder / OPEN_RUN).write_text(str(docs.parent / "beginning" / "runs" / "one-killed" / "001"), encoding="utf-8")
        ended = command("recover", LAB)
        assert ended.code == 3, ended
        assert "still running" in ended.out
        assert (folder / OPEN_RUN).exists()
    finally:
        os.close(held)
        (folder / OPEN_RUN).unlink()


def test_a_lease_that_was_removed_before_it_was_locked_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``env down`` removes the folder with the lease in it: a lock on the removed file would keep nobody out."""
    real, folder = fcntl.flock, tmp_path / "lab"

    def removed_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", real)
        shutil.rmtree(folder)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    held = take_lease(folder, holder="one")
    try:
        with pytest.raises(EnvironmentBusy, match="one"):
            take_lease(folder, holder="another")
    finally:
        os.close(held)


def test_an_environment_that_went_down_while_a_run_waited_for_it_is_said(docs: Path) -> None:
    """The run looks at the environment once it holds it: what it knew of it before may be gone."""
    folder = environment_folder(LAB)
    held = take_lease(folder, holder="`env down`")

    def down() -> None:
        (folder / STATE).rename(docs.parent / STATE)
        os.close(held)

    going = threading.Timer(0.3, down)
    going.start()
    ended = run(docs, "late", "--wait", "20s")
    going.join()
    (docs.parent / STATE).rename(folder / STATE)
    assert ended.code == 2, ended
    assert "is not up" in ended.err
