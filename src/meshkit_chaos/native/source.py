"""Bytes that are read by offset and are never trusted: a file or a text in memory, and what is found in one pass over it.

Takes a source; gives bytes within it, numbers, names, the SHA-256, and where known marks stand. Refuses, with ``Malformed``, an
offset or a size that reaches outside: whatever a header claims, no more is read than is there, and no more than asked for.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK: Final = 1 << 20
LONGEST_NAME: Final = 255
"""Thousands of names may overlap in one table: each is short, so that all together stay small."""


class Malformed(ValueError):
    """The bytes are not what they say they are; the text says where and what was expected."""


class Source(Protocol):
    """So many bytes, read by offset."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, count: int) -> bytes:
        """Up to ``count`` bytes from ``offset``; fewer at the end."""
        ...


class NoProgram(Malformed):
    """Whole, and neither a program nor a shared library: an object file, or the remains of a crash."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A source in memory: for tests, and for the first bytes of something."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, count: int) -> bytes:
        return self.data[offset : offset + count]


def take(source: Source, offset: int, count: int, *, what: str) -> bytes:
    """Exactly so many bytes. Raises Malformed where they are not all there."""
    if offset < 0 or count < 0 or offset + count > source.size:
        raise Malformed(f"{what} would end at byte {offset + count}, and the file has {source.size}: it is cut off or damaged")
    found = source.read(offset, count)
    if len(found) != count:
        raise Malformed(f"{what} could not be read: the file became shorter while it was read")
    return found


def numbers(source: Source, offset: int, form: str, *, what: str) -> tuple[int, ...]:
    """Whole numbers by a form of ``struct``. Raises Malformed."""
    return struct.unpack(form, take(source, offset, struct.calcsize(form), what=what))


def name_in(table: bytes, offset: int) -> str:
    """The NUL-terminated text at an offset; empty where there is none, and never longer than the name of a file."""
    if not 0 <= offset < len(table):
        return ""
    end = table.find(b"\0", offset, offset + LONGEST_NAME)
    return printable(table[offset : end if end >= 0 else min(len(table), offset + LONGEST_NAME)])


def printable(data: bytes) -> str:
    """Bytes of a hostile file as text that can be shown: what is not printable is told by its code."""
    text = data.decode("utf-8", errors="backslashreplace")
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one pass over all bytes found: their SHA-256, and the first offset of each mark that is there."""

    digest: str
    marks: Mapping[str, int]


def sweep(source: Source, marks: Mapping[str, bytes]) -> Swept:
    """Hash every byte and look for every mark, in one pass, so that both are about the same bytes."""
    digest = hashlib.sha256()
    wanted = dict(marks)
    found: dict[str, int] = {}
    overlap = max(map(len, marks.values()), default=1) - 1
    rest = b""
    offset = 0
    while chunk := source.read(offset, CHUNK):
        digest.update(chunk)
        window = rest + chunk
        for name, needle in list(wanted.items()):
            at = window.find(needle)
            if at >= 0:
                found[name] = offset - len(rest) + at
                del wanted[name]
        rest = window[-overlap:] if overlap else b""
        offset += len(chunk)
    if offset != source.size:
        raise Malformed(f"{source.size} bytes were there at first and {offset} could be read: the file changed meanwhile")
    return Swept(digest.hexdigest(), found)
