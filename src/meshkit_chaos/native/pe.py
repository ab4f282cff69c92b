"""PE, the executables of Windows: what its headers say, each claim held against the size of the file.

Takes a source; gives an ``Image`` that also says whether it is an assembly for the .NET runtime. Refuses, with ``Malformed``,
what reaches outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshkit_chaos.native.image import Image
from meshkit_chaos.native.source import Malformed, Source, name_in, numbers, printable, take

MAGIC: Final = b"MZ"
MOST_SECTIONS: Final = 96
"""What Windows itself loads."""
MOST_IMPORTS: Final = 512
_MACHINES: Final = {0x8664: "x64", 0xAA64: "arm64", 0x14C: "x86", 0x1C4: "arm"}
_EXECUTABLE, _LIBRARY, _NO_SYMBOLS = 0x0002, 0x2000, 0x0008
_HOLDS_CODE: Final = 0x20000000
_IMPORTS, _CERTIFICATES, _ASSEMBLY = 1, 4, 14
_FORMS: Final = {0x10B: 96, 0x20B: 112}


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    address: int
    offset: int
    held: int
    flags: int


def read_pe(source: Source) -> Image:
    """Raises Malformed."""
    (at,) = numbers(source, 0x3C, "<I", what="the place of the PE header")
    if take(source, at, 4, what="the PE header") != b"PE\0\0":
        raise Malformed(f"there is no PE header at byte {at}: it is a DOS program, or damaged")
    machine, count, _, symbols, _, size, flags = numbers(source, at + 4, "<HHIIIHH", what="the PE header")
    if count > MOST_SECTIONS:
        raise Malformed(f"the PE header counts {count} sections; at most {MOST_SECTIONS} can be loaded")
    start = at + 24
    (form,) = numbers(source, start, "<H", what="the optional header")
    if form not in _FORMS:
        raise Malformed(f"the optional header is of form 0x{form:x}; expected 0x10b or 0x20b")
    (entry,) = numbers(source, start + 16, "<I", what="the entry point")
    directories = _directories(source, start, _FORMS[form])
    sections = tuple(_section(source, start + size + number * 40, number) for number in range(count))
    certificates = directories.get(_CERTIFICATES, (0, 0))
    return Image(
        format="pe",
        platforms=(f"win-{_MACHINES.get(machine, f'machine-{machine:#x}')}",),
        executable=bool(flags & _EXECUTABLE) and not flags & _LIBRARY,
        entry=_entry(entry, sections),
        code=any(section.flags & _HOLDS_CODE and section.held for section in sections),
        sections=tuple(section.name for section in sections),
        linked=_imports(source, directories.get(_IMPORTS, (0, 0)), sections),
        stripped=symbols == 0,
        managed=directories.get(_ASSEMBLY, (0, 0))[0] != 0,
        end=max((sum(certificates), *(section.offset + section.held for section in sections))),
    )


def _directories(source: Source, start: int, before: int) -> dict[int, tuple[int, int]]:
    (count,) = numbers(source, start + before - 4, "<I", what="the count of directories")
    return {
        number: (found[0], found[1])
        for number in range(min(count, 16))
        for found in [numbers(source, start + before + number * 8, "<II", what=f"directory {number}")]
    }


def _section(source: Source, at: int, number: int) -> _Section:
    name = take(source, at, 8, what=f"the header of section {number}")
    virtual, address, held, offset, *_, flags = numbers(source, at + 8, "<IIIIIIHHI", what=f"the header of section {number}")
    del virtual
    if held and offset + held > source.size:
        raise Malformed(f"section {number} would end at byte {offset + held}, and the file has {source.size}: it is cut off")
    return _Section(printable(name.rstrip(b"\0")), address, offset, held, flags)


def _entry(address: int, sections: tuple[_Section, ...]) -> str:
    for section in sections:
        if address and section.flags & _HOLDS_CODE and section.address <= address < section.address + section.held:
            return f"entry point 0x{address:x} in the section {section.name}"
    return ""


def _offset_of(address: int, sections: tuple[_Section, ...]) -> int | None:
    for section in sections:
        if section.address <= address < section.address + section.held:
            return section.offset + address - section.address
    return None


def _imports(source: Source, directory: tuple[int, int], sections: tuple[_Section, ...]) -> tuple[str, ...]:
    """The libraries it names. A table that leads nowhere is told as damage, not as a program that needs nothing."""
    if not directory[0]:
        return ()
    at = _offset_of(directory[0], sections)
    if at is None:
        raise Malformed("the imports lie in no section")
    names = []
    for number in range(MOST_IMPORTS):
        row = numbers(source, at + number * 20, "<5I", what="the imports")
        if not any(row):
            break
        place = _offset_of(row[3], sections)
        if place is None:
            raise Malformed("the name of an imported library lies in no section")
        names.append(name_in(source.read(place, 512), 0))
    return tuple(names)
