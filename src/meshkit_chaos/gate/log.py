"""The gate's log: JSON lines, appended and never changed, each with the hash of the one before it.

Takes entries; gives the head, which every summary prints. Whoever kept a head (a summary, a mail, a ticket) can later prove
that nothing before it was changed, removed or put in. Without a kept head, a log written anew from the start is not noticed.
Writers wait for each other, and an entry is on disk before its head is told.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import JournalDamaged, JournalUnwritable
from meshkit_chaos.slo.codec import decode, encode

NOTHING: Final = "0" * 64
"""What the first entry names as the hash before it."""
MOST_BYTES: Final = 256 * 1024 * 1024


class LogEntry(Struct, frozen=True, kw_only=True):
    """``hash`` is the SHA-256 of the entry without it, so ``before`` is part of it. ``torn``: bytes of a line that a writer
    which died had left unfinished, and which were cut off before this entry."""

    seq: int
    at: int
    kind: str
    body: dict[str, Any]
    before: str
    torn: int = 0
    hash: str = ""

    def mappings(self, key: str) -> list[dict[str, Any]]:
        """The mappings in a list of the body. A log may hold anything: what is none is left out."""
        several = self.body.get(key)
        return [one for one in several if isinstance(one, dict)] if isinstance(several, list) else []


class Chain(Struct, frozen=True, kw_only=True):
    """A log that was read: its entries, and what is wrong with it, first things first."""

    entries: tuple[LogEntry, ...]
    problems: tuple[str, ...]
    torn: int = 0

    @property
    def head(self) -> str:
        return self.entries[-1].hash if self.entries else NOTHING


def sealed(entry: LogEntry) -> LogEntry:
    """The entry with its own hash."""
    bare = msgspec.structs.replace(entry, hash="")
    return msgspec.structs.replace(entry, hash=hashlib.sha256(encode(bare)).hexdigest())


def verify(data: bytes, *, head: str = "") -> Chain:
    """Read a log and check every link. ``head``: a hash that was kept; it must be in the chain. Pure."""
    entries: list[LogEntry] = []
    problems: list[str] = []
    *whole, rest = data.split(b"\n")
    before = NOTHING
    for number, line in enumerate(whole, 1):
        try:
            entry = decode(line, LogEntry)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            problems.append(f"line {number} is no entry")
            before = ""
            continue
        problems += _wrong(entry, line, number=number, before=before)
        before = entry.hash
        entries.append(entry)
    if head and head != NOTHING and head not in {entry.hash for entry in entries}:
        problems.append(f"no entry has the hash {head}: what was there when that head was told was changed or cut off")
    return Chain(entries=tuple(entries), problems=tuple(problems), torn=len(rest))


def _wrong(entry: LogEntry, line: bytes, *, number: int, before: str) -> list[str]:
    found = []
    if entry.seq != number - 1:
        found.append(f"line {number} has seq {entry.seq}; expected {number - 1}")
    if entry.before != before:
        found.append(f"line {number} does not follow on the line before it")
    if sealed(entry).hash != entry.hash or encode(entry) != line:
        found.append(f"line {number} was changed: its hash does not fit")
    return found


class GateLog:
    """A log file; it is made with its first entry."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes:
        """Raises JournalDamaged where there is none, or where it cannot be read."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise JournalDamaged(f"{self._path} cannot be read: {error.strerror}", hint="name the gate's log") from error
        if len(data) > MOST_BYTES:
            raise JournalDamaged(f"{self._path} is larger than {MOST_BYTES >> 20} MiB", hint="begin a new one; keep this head")
        return data

    def append(self, kind: str, body: dict[str, Any], *, at: int) -> LogEntry:
        """Add one entry and give it, sealed. Refuses to go on after a log that is not whole. Raises JournalUnwritable."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            return self._append(descriptor, kind, body, at=at)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            os.close(descriptor)

    def _append(self, descriptor: int, kind: str, body: dict[str, Any], *, at: int) -> LogEntry:
        chain = verify(self.read())
        if chain.problems:
            raise JournalUnwritable(
                f"{self._path} was changed: {chain.problems[0]}", hint="`gate log --verify` says more; begin a new log"
            )
        size = os.fstat(descriptor).st_size
        if chain.torn:
            os.ftruncate(descriptor, size - chain.torn)
        size -= chain.torn
        bare = LogEntry(seq=len(chain.entries), at=at, kind=kind, body=body, before=chain.head, torn=chain.torn)
        entry = sealed(bare)
        data = encode(entry) + b"\n"
        try:
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, size)
            raise
        return entry

    def _unwritable(self, error: OSError) -> JournalUnwritable:
        return JournalUnwritable(
            f"{self._path} cannot be written: {error.strerror}", hint="free space there, or name another --log"
        )
