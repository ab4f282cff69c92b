"""The store: what is torn, damaged, foreign, full or written by two at once, and every prefix of a journal."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import JournalDamaged, JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.store import CUT, JOURNAL, SAMPLES, Journal, read_journal, read_lines

EVENTS = (
    ev.PhaseEntered(phase="baseline"),
    ev.MemberDied(member="node-1", detail="it ended"),
    ev.ProblemNoted(where="somewhere", message="ünï\ncode"),
    ev.RunFinished(outcome="completed"),
)
KEEP_FOLDER = (HealthCheck.function_scoped_fixture,)


def written(folder: Path, events: tuple[ev.AnyEvent, ...] = EVENTS) -> bytes:
    with Journal.create(folder, ManualClock()) as journal:
        for event in events:
            journal.append(event)
    return (folder / JOURNAL).read_bytes()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Lines are dense from 0, in order, and nothing is said to be damaged."""
    written(tmp_path / "run")
    entries, damage, _ = read_journal(tmp_path / "run")
    assert [entry.event for entry in entries] == list(EVENTS)
    assert [entry.seq for entry in entries] == [0, 1, 2, 3]
    assert damage == ()


def test_every_prefix_is_readable(tmp_path: Path) -> None:
    """Wherever a journal is cut, all whole lines before the cut are read and a torn one is named."""
    data = written(tmp_path / "run")
    ends = [0, *(place + 1 for place, byte in enumerate(data) if byte == ord("\n"))]
    for cut in range(len(data) + 1):
        entries, good, damage = read_lines(data[:cut])
        assert good == max(end for end in ends if end <= cut)
        assert len(entries) == ends.index(good)
        assert bool(damage) is (cut != good)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Whatever is in the file, reading raises nothing, and what is not a journal is said to be damaged."""
    entries, good, damage = read_lines(data)
    assert 0 <= good <= len(data)
    assert damage or (not data and not entries)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"garbage\n", "is not JSON"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"[" * 5000 + b"\n", "is not JSON"),
        (b"{}\n", "is not a journal entry"),
        (b"[1]\n", "is not a journal entry"),
        (b'{"seq":9,"t":1,"event":{"kind":"phase.entered","phase":"hold"}}\n', "has seq 9 where 4 was expected"),
        (b'{"seq":4,"t":"x","event":{"kind":"phase.entered","phase":"hold"}}\n', "has seq 4"),
        (b'{"seq":4,"t":1,"event":{"kind":"phase.entered","phase":"lunch"}}\n', "is not a valid phase.entered"),
        (b'{"seq":4,"t":1,"event":{"kind":"phase.entered"}}\n', "is not a valid phase.entered"),
        (b"\n", "is not JSON"),
    ],
)
def test_garbage_ends_the_record_there(tmp_path: Path, line: bytes, said: str) -> None:
    """A line that cannot be read ends the record there; which one it is, and how many stand behind it, is said."""
    data = written(tmp_path / "run")
    entries, good, (damage,) = read_lines(data + line + b'{"seq":5,"t":1,"event":{"kind":"x"}}\n')
    assert (len(entries), good) == (4, len(data))
    assert damage.startswith("line 5 ")
    assert said in damage
    assert "1 lines behind it are not read" in damage


def test_a_line_that_is_missing_is_seen(tmp_path: Path) -> None:
    """Where a line was taken out, the record ends before the gap."""
    lines = written(tmp_path / "run").splitlines(keepends=True)
    entries, _, (damage,) = read_lines(b"".join((*lines[:1], *lines[2:])))
    assert len(entries) == 1
    assert "has seq 2 where 1 was expected" in damage


def test_an_unknown_kind_is_kept(tmp_path: Path) -> None:
    """An event of a newer version is read as it stands, and what follows is read too."""
    data = written(tmp_path / "run")
    newer = b'{"seq":4,"t":9,"event":{"kind":"quantum.leap","far":[1,{"a":null}]}}\n'
    entries, _, damage = read_lines(data + newer + b'{"seq":5,"t":9,"event":{"kind":"phase.entered","phase":"hold"}}\n')
    assert damage == ()
    assert entries[4].event == ev.Unknown(kind="quantum.leap", data={"kind": "quantum.leap", "far": [1, {"a": None}]})
    assert entries[5].event == ev.PhaseEntered(phase="hold")


def test_a_record_is_never_begun_twice(tmp_path: Path) -> None:
    """A folder that holds a record is refused, and the record is untouched."""
    before = written(tmp_path / "run")
    with pytest.raises(JournalUnwritable, match="a record is already there"):
        Journal.create(tmp_path / "run", ManualClock())
    assert (tmp_path / "run" / JOURNAL).read_bytes() == before


def test_a_takeover_cuts_the_torn_line_and_says_so(tmp_path: Path) -> None:
    """A second writer cuts what is torn, records who it is and how much it cut, and goes on in seq."""
    data = written(tmp_path / "run")
    torn = b'{"seq":4,"t":12,"ev'
    (tmp_path / "run" / JOURNAL).write_bytes(data + torn)
    with Journal.take_over(tmp_path / "run", ManualClock(), writer="recover", reason="asked") as journal:
        journal.append(ev.TeardownDone(left=()))
    entries, damage, after = read_journal(tmp_path / "run")
    assert after.startswith(data)
    assert damage == ()
    assert entries[4].event == ev.WriterChanged(writer="recover", pid=os.getpid(), cut=len(torn), reason="asked")
    assert [entry.seq for entry in entries] == list(range(6))
    assert not (tmp_path / "run" / CUT).exists()


def test_a_takeover_keeps_what_it_cuts_from_a_damaged_record(tmp_path: Path) -> None:
    """Where more than a torn line cannot be read, it is kept beside the journal: it may be evidence."""
    lines = written(tmp_path / "run").splitlines(keepends=True)
    rest = b"gar\xffbage\n" + lines[2] + lines[3]
    (tmp_path / "run" / JOURNAL).write_bytes(lines[0] + lines[1] + rest)
    Journal.take_over(tmp_path / "run", ManualClock(), writer="watchdog", reason="the runner died").close()
    assert (tmp_path / "run" / CUT).read_bytes() == rest
    assert len(read_journal(tmp_path / "run")[0]) == 3


def test_a_takeover_that_cannot_keep_what_it_cuts_says_so(tmp_path: Path) -> None:
    """Its caller goes on without a journal: an error that it does not expect would keep it from undoing."""
    data = written(tmp_path / "run") + b"garbage\n"
    (tmp_path / "run" / JOURNAL).write_bytes(data)
    (tmp_path / "run" / CUT).mkdir()
    with pytest.raises(JournalUnwritable):
        Journal.take_over(tmp_path / "run", ManualClock(), writer="watchdog", reason="the runner died")
    assert (tmp_path / "run" / JOURNAL).read_bytes() == data
    (tmp_path / "run" / CUT).rmdir()
    Journal.take_over(tmp_path / "run", ManualClock(), writer="recover", reason="asked").close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Nobody takes a journal over while its writer lives, and the journal is untouched by the attempt."""
    with Journal.create(tmp_path / "run", ManualClock()) as journal:
        journal.append(EVENTS[0])
        before = (tmp_path / "run" / JOURNAL).read_bytes()
        with pytest.raises(BlockingIOError):
            Journal.take_over(tmp_path / "run", ManualClock(), writer="recover", reason="asked")
        assert (tmp_path / "run" / JOURNAL).read_bytes() == before
    Journal.take_over(tmp_path / "run", ManualClock(), writer="recover", reason="asked").close()


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    """A writer that is killed leaves a journal that can be taken over at once."""
    folder = tmp_path / "run"
    work = (
        "import sys, time; from pathlib import Path; from meshkit_chaos.clock import SystemClock;"
        "from meshkit_chaos.journal.store import Journal;"
        "journal = Journal.create(Path(sys.argv[1]), SystemClock()); print('there', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", work, str(folder)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"there\n"
        with pytest.raises(BlockingIOError):
            Journal.take_over(folder, ManualClock(), writer="watchdog", reason="too early")
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    Journal.take_over(folder, ManualClock(), writer="watchdog", reason="the runner died").close()
    assert isinstance(read_journal(folder)[0][0].event, ev.WriterChanged)


def test_a_link_is_never_followed(tmp_path: Path) -> None:
    """A journal that is a symbolic link is neither read nor taken over."""
    written(tmp_path / "real")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / JOURNAL).symlink_to(tmp_path / "real" / JOURNAL)
    with pytest.raises(JournalDamaged):
        read_journal(tmp_path / "run")
    with pytest.raises(JournalUnwritable):
        Journal.take_over(tmp_path / "run", ManualClock(), writer="recover", reason="asked")


@pytest.fixture
def small_files() -> Callable[[int], None]:
    """Files of this process may not grow beyond so many bytes; undone by the test's end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit  # type: ignore[misc]  # a generator fixture
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, old)


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """Where there is no room for a line, nothing of it stays, the error names the place, and what fits can still be written."""
    folder = tmp_path / "run"
    with Journal.create(folder, ManualClock()) as journal:
        journal.append(EVENTS[0])
        before = (folder / JOURNAL).read_bytes()
        small_files(len(before) + 100)
        with pytest.raises(JournalUnwritable, match=str(folder)):
            journal.append(ev.ProblemNoted(where="x", message="y" * 4000))
        assert (folder / JOURNAL).read_bytes() == before
        small_files(10**6)
        journal.append(EVENTS[3])
    assert [entry.event for entry in read_journal(folder)[0]] == [EVENTS[0], EVENTS[3]]


def test_a_record_that_cannot_be_begun_leaves_no_journal(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """An empty journal would be taken for a damaged one, and hide why there is none."""
    small_files(100)
    with pytest.raises(JournalUnwritable):
        Journal.create(tmp_path / "run", ManualClock())
    small_files(10**6)
    assert not (tmp_path / "run" / JOURNAL).exists()


def test_a_block_that_cannot_be_written_leaves_nothing(tmp_path: Path, small_files: Callable[[int], None]) -> None:
    """Half a sample block is worse than none."""
    with Journal.create(tmp_path / "run", ManualClock()) as journal:
        small_files(100)
        with pytest.raises(JournalUnwritable):
            journal.write_block(b"x" * 1000)
        small_files(10**6)
    assert list((tmp_path / "run" / SAMPLES).iterdir()) == []


def test_space_for_the_rollback_is_kept(tmp_path: Path) -> None:
    """While a run goes on, some space is set aside; it is given back when asked for, and at the end."""
    with Journal.create(tmp_path / "run", ManualClock()) as journal:
        (reserve,) = [path for path in (tmp_path / "run").iterdir() if path.name.endswith("reserve")]
        assert reserve.stat().st_blocks * 512 >= 128 * 1024
        journal.release_reserve()
        assert not reserve.exists()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [JOURNAL, SAMPLES]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The place and the cause are in the message."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnwritable, match=r"file/run cannot be written: Not a directory"):
        Journal.create(tmp_path / "file" / "run", ManualClock())


@pytest.mark.parametrize("name", ["../../etc/passwd", "x" * 32, "", "0" * 31, "a/b"])
def test_a_block_outside_the_record_is_never_read(tmp_path: Path, name: str) -> None:
    """A block name that could lead elsewhere is damage, not a path."""
    written(tmp_path / "run", (ev.SamplesFlushed(block=name, bytes=1, rounds=1, samples=1),))
    (damage,) = read_record(tmp_path / "run").damage
    assert "sample block" in damage


@settings(max_examples=50, deadline=None, suppress_health_check=KEEP_FOLDER)
@given(st.data())
def test_one_changed_byte_never_goes_unnoticed_and_never_raises(tmp_path: Path, data: st.DataObject) -> None:
    """A journal with one byte changed is read without an error, and its digest differs."""
    folder = tmp_path / "run"
    whole = written(folder) if not folder.exists() else (folder / "whole").read_bytes()
    (folder / "whole").write_bytes(whole)
    place = data.draw(st.integers(0, len(whole) - 1))
    (folder / JOURNAL).write_bytes(whole)
    digest = read_record(folder).digest
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    (folder / JOURNAL).write_bytes(changed)
    assert read_record(folder).digest != digest


def test_readers_see_entries_once_they_are_written(tmp_path: Path) -> None:
    """A reader is shown each entry after it is in the file, and a failed write never."""
    seen: list[int] = []

    def reader(entry: ev.Entry) -> None:
        lines = (tmp_path / "run" / JOURNAL).read_bytes().splitlines()
        assert json.loads(lines[-1])["seq"] == entry.seq
        seen.append(entry.seq)

    with Journal.create(tmp_path / "run", ManualClock()) as journal:
        journal.follow(reader)
        for event in EVENTS:
            journal.append(event)
    assert seen == [0, 1, 2, 3]


def test_the_journal_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else may write a journal, whatever the umask: what is undone is read from it."""
    old = os.umask(0)
    try:
        written(tmp_path / "run")
    finally:
        os.umask(old)
    assert (tmp_path / "run" / JOURNAL).stat().st_mode & 0o777 == 0o600


def test_a_lock_is_not_inherited(tmp_path: Path) -> None:
    """A program that the runner starts does not keep the journal locked when the runner is gone."""
    journal = Journal.create(tmp_path / "run", ManualClock())
    with subprocess.Popen(["sleep", "30"]) as child:
        journal.close()
        descriptor = os.open(tmp_path / "run" / JOURNAL, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(descriptor)
            child.kill()
