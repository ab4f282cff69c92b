"""The append-only store of one run: ``journal.jsonl`` and the sample blocks beside it.

One writer at a time, held by a lock that dies with its process. A second writer (watchdog, ``recover``) takes over, cuts off a
torn last line and says so. A write that fails leaves the file as it was before it and raises ``JournalUnwritable``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

from meshkit_chaos.clock import Clock
from meshkit_chaos.errors import JournalDamaged, JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.durable import make_folders, sync_folder
from meshkit_chaos.slo.codec import convert, encode

JOURNAL: Final = "journal.jsonl"
SAMPLES: Final = "samples"
CUT: Final = "journal.cut"
_RESERVE: Final = ".journal.reserve"
_RESERVE_BYTES: Final = 128 * 1024
_LONGEST_LINE: Final = 8 * 1024 * 1024

Reader = Callable[[ev.Entry], None]
Hide = Callable[[ev.AnyEvent], ev.AnyEvent]
"""Gives an event as it may be written: without secrets."""


class Journal:
    """A writer. Make one with ``create`` (a new run) or ``take_over`` (an existing one)."""

    def __init__(self, folder: Path, descriptor: int, clock: Clock, *, seq: int, offset: int) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._clock = clock
        self._seq = seq
        self._offset = offset
        self._readers: list[Reader] = []
        self._hide: Hide | None = None

    @classmethod
    def create(cls, folder: Path, clock: Clock) -> Journal:
        """Start the journal of a new run in ``folder``, which is made. Raises JournalUnwritable, also where one is there."""
        try:
            make_folders(folder)
            (folder / SAMPLES).mkdir()
            descriptor = os.open(folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _reserve(folder)
            sync_folder(folder)
        except OSError as error:
            os.close(descriptor)
            for begun in (JOURNAL, _RESERVE):  # an empty journal would be taken for one that was damaged
                with contextlib.suppress(OSError):
                    (folder / begun).unlink(missing_ok=True)
            raise _unwritable(folder, error) from error
        return cls(folder, descriptor, clock, seq=0, offset=0)

    @classmethod
    def take_over(cls, folder: Path, clock: Clock, *, writer: ev.Writer, reason: str) -> Journal:
        """Go on with another process's journal. Raises BlockingIOError while that process lives, JournalUnwritable."""
        try:
            descriptor = os.open(folder / JOURNAL, os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW)
        except OSError as error:
            raise _unwritable(folder, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            data = (folder / JOURNAL).read_bytes()
            entries, good = read_lines(data)[:2]
            cut = len(data) - good
            if b"\n" in data[good:]:  # more than a torn last line: somebody damaged it, and what stands there is kept
                (folder / CUT).write_bytes(data[good:])
            os.ftruncate(descriptor, good)
        except BlockingIOError:
            os.close(descriptor)
            raise
        except OSError as error:
            os.close(descriptor)
            raise _unwritable(folder, error) from error
        journal = cls(folder, descriptor, clock, seq=len(entries), offset=good)
        try:
            journal.append_from_reserve(ev.WriterChanged(writer=writer, pid=os.getpid(), cut=cut, reason=reason))
        except JournalUnwritable:
            journal.close()
            raise
        return journal

    def follow(self, reader: Reader) -> None:
        """Show every further entry to a reader (console); what a reader raises is its own bug and surfaces."""
        self._readers.append(reader)

    def hide(self, hide: Hide) -> None:
        """Let every further event go through ``hide`` before it is written and shown."""
        self._hide = hide

    def append(self, event: ev.AnyEvent, *, sync: bool = False) -> ev.Entry:
        """Write one event; ``sync``: it is on disk on return. Raises JournalUnwritable and leaves the file as it was."""
        event = event if self._hide is None else self._hide(event)
        entry = ev.Entry(seq=self._seq, t=self._clock.monotonic_ns(), event=event)
        try:
            self._write(encode(entry) + b"\n", sync=sync)
        except OSError as error:
            with contextlib.suppress(OSError):  # on a disk that became read-only nothing can be cut off, either
                os.ftruncate(self._descriptor, self._offset)
            raise _unwritable(self._folder, error) from error
        self._seq += 1
        for reader in self._readers:
            reader(entry)
        return entry

    def append_from_reserve(self, event: ev.AnyEvent) -> None:
        """Write one event, synced, and use the kept space where there is no other. Raises JournalUnwritable."""
        try:
            self.append(event, sync=True)
        except JournalUnwritable:
            self.release_reserve()
            self.append(event, sync=True)

    def write_block(self, data: bytes) -> str:
        """Write a sample block, synced, and give its name. Raises JournalUnwritable."""
        name = hashlib.sha256(data).hexdigest()[:32]
        path = self._folder / SAMPLES / name
        try:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise _unwritable(self._folder, error) from error
        return name

    def release_reserve(self) -> None:
        """Give back the space kept for bad times, so that the record of a rollback fits on a full disk."""
        with contextlib.suppress(OSError):
            (self._folder / _RESERVE).unlink(missing_ok=True)

    def close(self) -> None:
        self.release_reserve()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _write(self, line: bytes, *, sync: bool) -> None:
        written = 0
        while written < len(line):
            written += os.write(self._descriptor, line[written:])
        if os.fstat(self._descriptor).st_nlink == 0:  # somebody deleted it: what is written now, nobody will read
            raise FileNotFoundError(errno.ENOENT, "the journal was deleted")
        if sync:
            os.fsync(self._descriptor)
        self._offset += len(line)


def _reserve(folder: Path) -> None:
    descriptor = os.open(folder / _RESERVE, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, _RESERVE_BYTES)
    finally:
        os.close(descriptor)


def _unwritable(folder: Path, error: OSError) -> JournalUnwritable:
    causes = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.EACCES: "permission is denied",
        errno.EEXIST: "a record is already there",
        errno.ENOENT: "it is not there (any more)",
    }
    cause = causes.get(error.errno or 0, error.strerror or str(error))
    return JournalUnwritable(
        f"the record in {folder} cannot be written: {cause}",
        hint="free space there or choose another folder with --out" if error.errno == errno.ENOSPC else "choose another --out",
    )


def read_lines(data: bytes, *, first: int = 0) -> tuple[list[ev.Entry], int, tuple[str, ...]]:
    """Read entries from seq ``first`` on, the offset behind the last good line, and what is wrong with the rest.

    A torn last line (no newline, or not JSON) is what a crash leaves; anything else that cannot be read ends the record there.
    """
    entries: list[ev.Entry] = []
    offset = 0
    while offset < len(data):
        end = data.find(b"\n", offset)
        line = data[offset : end if end >= 0 else len(data)]
        if end < 0:
            return entries, offset, (f"the last line is torn ({len(line)} bytes)",)
        entry = _read_line(line, expected=first + len(entries))
        if isinstance(entry, str):
            rest = data.count(b"\n", end + 1)
            return entries, offset, (f"line {first + len(entries) + 1} {entry}; {rest} lines behind it are not read",)
        entries.append(entry)
        offset = end + 1
    return entries, offset, ()


def _read_line(line: bytes, *, expected: int) -> ev.Entry | str:
    if len(line) > _LONGEST_LINE:
        return f"is longer than {_LONGEST_LINE} bytes"
    try:
        raw = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"is not JSON ({error})"
    if not isinstance(raw, dict) or not isinstance(raw.get("event"), dict):
        return "is not a journal entry"
    seq, t, event = raw.get("seq"), raw.get("t"), raw["event"]
    if seq != expected or not isinstance(t, int):
        return f"has seq {seq!r} where {expected} was expected"
    kind = event.get("kind")
    try:
        if kind in _KINDS:
            return ev.Entry(seq=expected, t=t, event=convert(event, ev.AnyEvent))
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        return f"is not a valid {kind} ({error})"
    return ev.Entry(seq=expected, t=t, event=ev.Unknown(kind=str(kind), data=event))


_KINDS: Final = frozenset(kind.__struct_config__.tag for kind in ev.AnyEvent.__args__)


def read_journal(folder: Path) -> tuple[list[ev.Entry], tuple[str, ...], bytes]:
    """Read a run's journal without its samples. Raises JournalDamaged where there is none."""
    path = folder / JOURNAL
    if not path.is_file() or path.is_symlink():
        raise JournalDamaged(f"{folder} holds no {JOURNAL}", hint="name the folder of a run, such as OUT/runs/<scenario>/001")
    data = path.read_bytes()
    entries, _, damage = read_lines(data)
    return entries, damage, data
