"""ELF, 32 and 64 bit, of either byte order: what its headers say, each claim held against the size of the file.

Takes a source; gives an ``Image``. Refuses, with ``Malformed``, headers that reach outside the file or count more than any real
program has, so that reading takes a bounded time whatever they say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from meshkit_chaos.native.image import Image
from meshkit_chaos.native.source import Malformed, NoProgram, Source, name_in, numbers, printable, take

MAGIC: Final = b"\x7fELF"
MOST_SEGMENTS: Final = 1024
MOST_SECTIONS: Final = 4096
"""Object files may have more; a linked program has some dozens."""
MOST_DYNAMIC: Final = 4096
MOST_NOTES: Final = 64
MOST_TABLE: Final = 16 * 1024 * 1024
_LARGEST_NOTE: Final = 64 * 1024
_MACHINES: Final = {
    3: "x86",
    62: "x64",
    40: "arm",
    183: "arm64",
    243: "riscv64",
    22: "s390x",
    21: "ppc64le",
    258: "loongarch64",
}
_SYSTEMS: Final = {0: "linux", 3: "linux", 2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}
_LOAD, _DYNAMIC, _INTERP, _NOTE = 1, 2, 3, 4
_NEEDED, _STRTAB, _STRSZ, _FLAGS_1 = 1, 5, 10, 0x6FFFFFFB
_PIE: Final = 0x08000000
_NOBITS: Final = 8
_EXEC, _DYN = 2, 3
_GNU_BUILD_ID: Final = 3


@dataclass(frozen=True, slots=True)
class _Layout:
    """How wide the numbers of this file are."""

    order: str
    wide: bool

    def read(self, source: Source, offset: int, *, wide: str, narrow: str, what: str) -> tuple[int, ...]:
        return numbers(source, offset, self.order + (wide if self.wide else narrow), what=what)


@dataclass(frozen=True, slots=True)
class _Segment:
    kind: int
    flags: int
    offset: int
    address: int
    held: int


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    kind: int
    offset: int
    size: int


def read_elf(source: Source) -> Image:
    """Raises Malformed."""
    identity = take(source, 0, 16, what="the ELF header")
    if identity[4] not in (1, 2) or identity[5] not in (1, 2):
        raise Malformed(f"the ELF header says class {identity[4]} and byte order {identity[5]}; expected 1 or 2 of each")
    layout = _Layout("<" if identity[5] == 1 else ">", identity[4] == 2)
    head = layout.read(source, 16, wide="HHIQQQIHHHHHH", narrow="HHIIIIIHHHHHH", what="the ELF header")
    kind, machine, _, entry, segments_at, sections_at, _, _, segment_size, segment_count, section_size, section_count, names = (
        head
    )
    if kind not in (_EXEC, _DYN):
        raise NoProgram(f"the ELF file is of type {kind}, neither a program nor a shared library")
    segments = tuple(_segments(source, layout, segments_at, segment_size, segment_count))
    sections = tuple(_sections(source, layout, sections_at, section_size, section_count, names)) if sections_at else ()
    dynamic, linked = _dynamic(source, layout, segments)
    loader = _text_of(source, next((segment for segment in segments if segment.kind == _INTERP), None))
    musl = "musl-" if "/ld-musl-" in loader else ""
    system = _SYSTEMS.get(identity[7], f"system-{identity[7]}")
    order = "" if identity[5] == 1 else "-big-endian"
    return Image(
        format="elf",
        platforms=(f"{system}-{musl}{_MACHINES.get(machine, f'machine-{machine}')}{order}",),
        executable=kind == _EXEC or bool(dynamic.get(_FLAGS_1, 0) & _PIE) or bool(loader),
        entry=_entry(entry, segments),
        code=any(segment.kind == _LOAD and segment.flags & 1 and segment.held for segment in segments),
        sections=tuple(section.name for section in sections),
        linked=linked,
        loader=loader,
        build_id=_build_id(source, layout, segments),
        stripped=not any(section.name == ".symtab" for section in sections),
        static=not linked and not loader,
        comments=_comments(source, sections),
        end=_end(segments, sections, sections_at + section_size * section_count, segments_at + segment_size * segment_count),
    )


def _segments(source: Source, layout: _Layout, at: int, size: int, count: int) -> Iterator[_Segment]:
    if not count or count > MOST_SEGMENTS or size < (56 if layout.wide else 32):
        raise Malformed(f"the ELF header counts {count} segments of {size} bytes; no program has that")
    for number in range(count):
        what = f"segment {number}"
        if layout.wide:
            kind, flags, offset, address, _, held, _, _ = numbers(
                source, at + number * size, f"{layout.order}IIQQQQQQ", what=what
            )
        else:
            kind, offset, address, _, held, _, flags, _ = numbers(source, at + number * size, f"{layout.order}8I", what=what)
        if kind in (_LOAD, _DYNAMIC, _INTERP) and offset + held > source.size:
            raise Malformed(
                f"{what} would end at byte {offset + held}, and the file has {source.size}: it is cut off or damaged"
            )
        yield _Segment(kind, flags, offset, address, held)


def _sections(source: Source, layout: _Layout, at: int, size: int, count: int, names: int) -> Iterator[_Section]:
    if count > MOST_SECTIONS or size != (64 if layout.wide else 40):
        raise Malformed(f"the ELF header counts {count} sections of {size} bytes; no program has that")
    form = f"{layout.order}IIQQQQIIQQ" if layout.wide else f"{layout.order}10I"
    rows = [numbers(source, at + number * size, form, what=f"the header of section {number}") for number in range(count)]
    if not rows or names >= len(rows):
        return
    table = take(source, rows[names][4], min(rows[names][5], MOST_TABLE), what="the names of the sections")
    for row in rows:
        name, kind, _, _, offset, held = row[:6]
        if kind not in (0, _NOBITS) and offset + held > source.size:
            raise Malformed(
                f"section {name_in(table, name)!r} would end at byte {offset + held}, and the file has {source.size}"
            )
        yield _Section(name_in(table, name), kind, offset, held)


def _dynamic(source: Source, layout: _Layout, segments: tuple[_Segment, ...]) -> tuple[dict[int, int], tuple[str, ...]]:
    segment = next((segment for segment in segments if segment.kind == _DYNAMIC), None)
    if segment is None:
        return {}, ()
    width = 16 if layout.wide else 8
    values: dict[int, int] = {}
    needed: list[int] = []
    for number in range(min(segment.held // width, MOST_DYNAMIC)):
        tag, value = layout.read(source, segment.offset + number * width, wide="QQ", narrow="II", what="the dynamic section")
        if tag == 0:
            break
        if tag == _NEEDED:
            needed.append(value)
        values[tag] = value
    if not needed:
        return values, ()
    at = _offset_of(values.get(_STRTAB, -1), segments)
    if at is None:
        raise Malformed("the names of the linked libraries lie in no segment")
    table = take(source, at, min(values.get(_STRSZ, 0), MOST_TABLE), what="the names of the linked libraries")
    return values, tuple(name_in(table, value) for value in needed)


def _offset_of(address: int, segments: tuple[_Segment, ...]) -> int | None:
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.held:
            return segment.offset + address - segment.address
    return None


def _entry(address: int, segments: tuple[_Segment, ...]) -> str:
    """Where the program starts, if machine code stands there."""
    for segment in segments:
        if segment.kind == _LOAD and segment.flags & 1 and segment.address <= address < segment.address + segment.held:
            return f"entry point 0x{address:x} in an executable segment" if address else ""
    return ""


def _text_of(source: Source, segment: _Segment | None) -> str:
    if segment is None:
        return ""
    return printable(take(source, segment.offset, min(segment.held, 4096), what="the loader's name").rstrip(b"\0"))


def _build_id(source: Source, layout: _Layout, segments: tuple[_Segment, ...]) -> str:
    for segment in [segment for segment in segments if segment.kind == _NOTE][:MOST_NOTES]:
        if segment.offset + segment.held > source.size:
            continue
        data = take(source, segment.offset, min(segment.held, _LARGEST_NOTE), what="a note")
        if found := _gnu_build_id(data, layout.order):
            return found
    return ""


def _gnu_build_id(data: bytes, order: str) -> str:
    at = 0
    little: Literal["little", "big"] = "little" if order == "<" else "big"
    while at + 12 <= len(data):
        name, held, kind = (int.from_bytes(data[at + i : at + i + 4], little) for i in (0, 4, 8))
        start = at + 12 + (name + 3) // 4 * 4
        if kind == _GNU_BUILD_ID and data[at + 12 : at + 16] == b"GNU\0" and name == 4:
            return data[start : start + min(held, 64)].hex()
        at = start + (held + 3) // 4 * 4
    return ""


def _comments(source: Source, sections: tuple[_Section, ...]) -> tuple[str, ...]:
    """What compilers wrote of themselves, each text once."""
    section = next((section for section in sections if section.name == ".comment" and section.kind != _NOBITS), None)
    if section is None:
        return ()
    data = take(source, section.offset, min(section.size, 64 * 1024), what="the section .comment")
    return tuple(dict.fromkeys(printable(text) for text in data.split(b"\0") if text))[:20]


def _end(segments: tuple[_Segment, ...], sections: tuple[_Section, ...], *tables: int) -> int:
    ends = [segment.offset + segment.held for segment in segments if segment.kind == _LOAD]
    ends += [section.offset + section.size for section in sections if section.kind not in (0, _NOBITS)]
    return max((*ends, *tables))
