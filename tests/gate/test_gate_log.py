"""The gate's log: every change before a kept head is noticed, writers do not lose each other's entries, a torn line is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.errors import JournalDamaged, JournalUnwritable
from meshkit_chaos.gate.log import NOTHING, GateLog, LogEntry, sealed, verify
from meshkit_chaos.slo.codec import encode


def chained(count: int) -> bytes:
    """A whole log of so many entries."""
    lines, before = [], NOTHING
    for number in range(count):
        entry = sealed(LogEntry(seq=number, at=number, kind="decision", body={"sentence": f"number {number}"}, before=before))
        lines.append(encode(entry) + b"\n")
        before = entry.hash
    return b"".join(lines)


WHOLE = chained(5)
HEAD = verify(WHOLE).head


def test_a_whole_log_verifies(tmp_path: Path) -> None:
    """What was appended is there in order, each entry with the hash of the one before; its head anchors all of it."""
    log = GateLog(tmp_path / "sub" / "gate.jsonl")
    entries = [log.append("decision", {"n": number}, at=number) for number in range(3)]
    chain = verify(log.read(), head=entries[1].hash)
    assert chain.problems == ()
    assert chain.entries == tuple(entries)
    assert (chain.head, entries[0].before, entries[2].before) == (entries[2].hash, NOTHING, entries[1].hash)


@given(st.integers(0, len(WHOLE) - 2), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, flip: int) -> None:
    """Whatever byte of a log is changed, the kept head or a link says so."""
    changed = bytearray(WHOLE)
    changed[place] ^= flip
    assert verify(bytes(changed), head=HEAD).problems


@given(st.sets(st.integers(0, 4), min_size=1), st.permutations(range(5)))
def test_what_is_removed_or_moved_is_noticed(gone: set[int], order: list[int]) -> None:
    """A log without some of its lines, or with its lines in another order, does not hold up against a kept head."""
    lines = WHOLE.splitlines(keepends=True)
    assert verify(b"".join(line for number, line in enumerate(lines) if number not in gone), head=HEAD).problems
    assert bool(verify(b"".join(lines[number] for number in order), head=HEAD).problems) == (order != sorted(order))


def test_a_log_written_anew_is_noticed_by_its_kept_head() -> None:
    """A forged chain is whole in itself; only who kept a head can tell, and then does."""
    forged = chained(4)
    assert verify(forged).problems == ()
    assert any(HEAD in problem for problem in verify(forged, head=HEAD).problems)


def test_an_entry_put_in_between_is_noticed() -> None:
    """An entry with a fitting hash of its own breaks the link behind it."""
    lines = WHOLE.splitlines(keepends=True)
    first = msgspec.json.decode(lines[0], type=LogEntry)
    inserted = sealed(LogEntry(seq=1, at=9, kind="decision", body={}, before=first.hash))
    assert verify(b"".join([lines[0], encode(inserted) + b"\n", *lines[1:]]), head=HEAD).problems


def test_a_torn_line_is_cut_off_and_told(tmp_path: Path) -> None:
    """What a writer that died left unfinished is not an entry; the next one says how much of it there was."""
    path = tmp_path / "gate.jsonl"
    path.write_bytes(WHOLE + b'{"seq":5,"at"')
    assert verify(path.read_bytes()).torn == 13
    entry = GateLog(path).append("decision", {}, at=9)
    assert (entry.seq, entry.torn, entry.before) == (5, 13, HEAD)
    assert verify(path.read_bytes(), head=HEAD).problems == ()


def test_nothing_is_appended_to_a_changed_log(tmp_path: Path) -> None:
    """A log that does not hold up is left as it is: going on would lend it credit."""
    path = tmp_path / "gate.jsonl"
    path.write_bytes(WHOLE.replace(b"number 2", b"number 7"))
    before = path.read_bytes()
    with pytest.raises(JournalUnwritable, match="was changed: line 3"):
        GateLog(path).append("decision", {}, at=9)
    assert path.read_bytes() == before


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    """A symlink could lead anywhere; a folder or a missing file cannot be read."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(JournalUnwritable):
        GateLog(tmp_path / "link").append("decision", {}, at=0)
    with pytest.raises(JournalDamaged):
        GateLog(tmp_path / "none").read()
    with pytest.raises(JournalUnwritable):
        GateLog(tmp_path).append("decision", {}, at=0)


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    """Eight processes that append at once leave one unbroken chain with every entry in it."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom meshkit_chaos.gate.log import GateLog\n"
        "for n in range(10): GateLog(Path(sys.argv[1])).append('decision', {'who': sys.argv[2], 'n': n}, at=n)\n"
    )
    path = tmp_path / "gate.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path), str(who)]) for who in range(8)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 8
    chain = verify(path.read_bytes())
    assert chain.problems == ()
    assert sorted((entry.body["who"], entry.body["n"]) for entry in chain.entries) == [
        (str(who), n) for who in range(8) for n in range(10)
    ]


def test_a_killed_writer_leaves_a_whole_log(tmp_path: Path) -> None:
    """A writer that is killed at any moment leaves entries that hold up, and the next writer goes on."""
    program = (
        "import sys, itertools\nfrom pathlib import Path\nfrom meshkit_chaos.gate.log import GateLog\n"
        "for n in itertools.count():\n    GateLog(Path(sys.argv[1])).append('decision', {'n': n}, at=n)\n"
        "    if n == 3: print('going', flush=True)\n"
    )
    path = tmp_path / "gate.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    writer.kill()
    writer.wait(timeout=10)
    writer.stdout.close()
    GateLog(path).append("decision", {"n": "after"}, at=0)
    assert verify(path.read_bytes()).problems == ()
    assert path.stat().st_size > 0
