"""What a power failure must not take: every folder that was made is synced into the one above it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meshkit_chaos.campaign.log import InvocationLog
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.environments.state import OpenRun, note_open_run, take_lease
from meshkit_chaos.errors import CannotRun, JournalUnwritable
from meshkit_chaos.journal.durable import make_folders, write_durably
from meshkit_chaos.journal.store import Journal


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was synced, in order; each sync is really done."""
    seen: list[Path] = []
    real = os.fsync

    def noting(descriptor: int) -> None:
        real(descriptor)
        seen.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", noting)
    return seen


def test_a_new_results_folder_is_on_disk_with_all_that_was_made_above_it(tmp_path: Path, synced: list[Path]) -> None:
    """From the first folder that was missing down to the log itself, each name is on disk before anything is announced."""
    InvocationLog(tmp_path / "a" / "b" / "out").close()
    assert {tmp_path, tmp_path / "a", tmp_path / "a" / "b", tmp_path / "a" / "b" / "out"} <= set(synced)


def test_a_new_run_is_on_disk_with_all_that_was_made_above_it(tmp_path: Path, synced: list[Path]) -> None:
    """The folders between the invocation's and the run's are new, too."""
    (tmp_path / "out").mkdir()
    Journal.create(tmp_path / "out" / "runs" / "one" / "001", ManualClock()).close()
    runs = tmp_path / "out" / "runs"
    assert {tmp_path / "out", runs, runs / "one", runs / "one" / "001"} <= set(synced)
    assert tmp_path not in synced, "what was there before is not ours to sync"


def test_a_lease_is_on_disk_with_all_that_was_made_above_it(tmp_path: Path, synced: list[Path]) -> None:
    """The folder of an environment holds what would undo a fault: it must not be lost either."""
    os.close(take_lease(tmp_path / "state" / "environments" / "lab", holder="one"))
    assert {tmp_path, tmp_path / "state", tmp_path / "state" / "environments"} <= set(synced)


def test_a_relative_folder_is_made_where_one_stands(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `--out results` is given."""
    monkeypatch.chdir(tmp_path)
    make_folders(Path("results") / "tonight")
    assert (tmp_path / "results" / "tonight").is_dir()
    assert synced == [tmp_path / "results", tmp_path]


def test_what_is_there_is_left_as_it_is(tmp_path: Path, synced: list[Path]) -> None:
    """Made again, nothing is made and nothing is synced."""
    make_folders(tmp_path)
    assert synced == []


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content stays, whole, and no half of the new one lies about."""
    path = tmp_path / "note"
    write_durably(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CannotRun, match=r"environment .* cannot be written down.*No space left"):
        note_open_run(tmp_path, OpenRun(run="x"))


def test_a_folder_that_cannot_be_synced_begins_no_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input/output error while making folders is told as a record that cannot be written."""

    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(JournalUnwritable, match="Input/output error"):
        Journal.create(tmp_path / "out" / "runs" / "one" / "001", ManualClock())
    with pytest.raises(JournalUnwritable, match="Input/output error"):
        InvocationLog(tmp_path / "out" / "again")
