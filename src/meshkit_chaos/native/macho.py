"""Mach-O, thin and universal: what its headers say, each claim held against the size of the file.

Takes a source; gives an ``Image`` (of a universal file: the parts together). Refuses, with ``Malformed``, what reaches outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshkit_chaos.native.image import Image
from meshkit_chaos.native.source import Malformed, NoProgram, Source, name_in, numbers, printable, take

MAGICS: Final = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
UNIVERSAL: Final = b"\xca\xfe\xba\xbe"
MOST_PARTS: Final = 16
MOST_COMMANDS: Final = 4096
MOST_COMMAND_BYTES: Final = 4 * 1024 * 1024
MOST_SECTIONS: Final = 256
_PROCESSORS: Final = {0x01000007: "x64", 0x0100000C: "arm64", 7: "x86", 12: "arm"}
_SEGMENT, _SEGMENT_64, _UUID, _UNIX_THREAD, _MAIN, _SYMTAB = 0x1, 0x19, 0x1B, 0x5, 0x80000028, 0x2
_DYLIBS: Final = (0xC, 0x80000018, 0x8000001F, 0x80000023)
_EXECUTE: Final = 2
_DYLIB_KINDS: Final = (6, 8)


@dataclass(frozen=True, slots=True)
class _Part:
    """A window of a universal file."""

    whole: Source
    start: int
    length: int

    @property
    def size(self) -> int:
        return self.length

    def read(self, offset: int, count: int) -> bytes:
        return self.whole.read(self.start + offset, max(0, min(count, self.length - offset)))


def is_universal(source: Source) -> bool:
    """A Java class file starts with the same four bytes; what follows there is a version, never so small a count."""
    return source.read(0, 4) == UNIVERSAL and 0 < int.from_bytes(source.read(4, 4), "big") <= MOST_PARTS


def read_macho(source: Source) -> Image:
    """Raises Malformed."""
    if not is_universal(source):
        return _thin(source)
    count = int.from_bytes(source.read(4, 4), "big")
    parts = []
    for number in range(count):
        _, _, offset, size, _ = numbers(source, 8 + number * 20, ">5I", what=f"part {number} of the universal file")
        if offset + size > source.size:
            raise Malformed(f"part {number} would end at byte {offset + size}, and the file has {source.size}: it is cut off")
        parts.append((offset + size, _thin(_Part(source, offset, size))))
    images = [image for _, image in parts]
    first = images[0]
    return Image(
        format="mach-o",
        platforms=tuple(dict.fromkeys(platform for image in images for platform in image.platforms)),
        executable=all(image.executable for image in images),
        entry=first.entry if all(image.entry for image in images) else "",
        code=all(image.code for image in images),
        sections=tuple(dict.fromkeys(name for image in images for name in image.sections)),
        linked=tuple(dict.fromkeys(name for image in images for name in image.linked)),
        build_id=first.build_id,
        stripped=all(image.stripped for image in images),
        end=max(end for end, _ in parts),
    )


def _thin(source: Source) -> Image:
    if source.read(0, 4) not in MAGICS:
        raise Malformed("a part of the universal file is no Mach-O file")
    wide = source.read(0, 4) == MAGICS[0]
    _, processor, _, kind, count, size = numbers(source, 0, "<6I", what="the Mach-O header")
    if count > MOST_COMMANDS or size > MOST_COMMAND_BYTES:
        raise Malformed(f"the Mach-O header counts {count} load commands in {size} bytes; no program has that")
    if kind not in (_EXECUTE, *_DYLIB_KINDS):
        raise NoProgram(f"the Mach-O file is of type {kind}, neither a program nor a shared library")
    at = 32 if wide else 28
    commands = take(source, at, size, what="the load commands")
    found = _Commands(end=at + size)
    offset = 0
    for number in range(count):
        if offset + 8 > len(commands):
            raise Malformed(f"load command {number} lies outside the load commands")
        what, length = (int.from_bytes(commands[offset + i : offset + i + 4], "little") for i in (0, 4))
        if length < 8 or offset + length > len(commands):
            raise Malformed(f"load command {number} has {length} bytes, and {len(commands) - offset} are left")
        found.read(what, commands[offset : offset + length], source.size)
        offset += length
    return Image(
        format="mach-o",
        platforms=(f"osx-{_PROCESSORS.get(processor, f'processor-{processor}')}",),
        executable=kind == _EXECUTE,
        entry="a start command (LC_MAIN or LC_UNIXTHREAD)" if found.starts and found.code else "",
        code=found.code,
        sections=tuple(found.sections),
        linked=tuple(found.linked),
        build_id=found.build_id,
        stripped=not found.symbols,
        end=found.end,
    )


class _Commands:
    """What the load commands say, one after the other."""

    def __init__(self, end: int) -> None:
        self.sections: list[str] = []
        self.linked: list[str] = []
        self.build_id = ""
        self.starts = self.code = self.symbols = False
        self.end = end

    def read(self, what: int, data: bytes, size: int) -> None:
        if what in (_SEGMENT, _SEGMENT_64):
            self._segment(data, size, wide=what == _SEGMENT_64)
        elif what in _DYLIBS and len(data) >= 12:
            self.linked.append(name_in(data, int.from_bytes(data[8:12], "little")))
        elif what == _UUID:
            self.build_id = data[8:24].hex()
        elif what in (_MAIN, _UNIX_THREAD):
            self.starts = True
        elif what == _SYMTAB and len(data) >= 16:
            self.symbols = int.from_bytes(data[12:16], "little") > 0

    def _segment(self, data: bytes, size: int, *, wide: bool) -> None:
        head, row = (72, 80) if wide else (56, 68)
        if len(data) < head:
            raise Malformed("a segment's load command is too short")
        fields = (40, 48, 8) if wide else (32, 36, 4)
        offset = int.from_bytes(data[fields[0] : fields[0] + fields[2]], "little")
        held = int.from_bytes(data[fields[1] : fields[1] + fields[2]], "little")
        if offset + held > size:
            raise Malformed(f"a segment would end at byte {offset + held}, and the file has {size}: it is cut off or damaged")
        protection, count = (int.from_bytes(data[head - 12 + i : head - 8 + i], "little") for i in (0, 4))
        if count > MOST_SECTIONS or head + count * row > len(data):
            raise Malformed(f"a segment counts {count} sections in {len(data)} bytes")
        self.code = self.code or (bool(protection & 4) and held > 0)
        self.sections += [printable(data[head + n * row : head + n * row + 16].rstrip(b"\0")) for n in range(count)]
        self.end = max(self.end, offset + held)
