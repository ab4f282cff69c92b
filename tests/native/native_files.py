"""Executables made by hand, byte by byte: small, valid, and with whatever section, library or mark a test asks for."""

from __future__ import annotations

import struct
from collections.abc import Mapping

BASE = 0x400000
_CODE = b"\xb8\x3c\x00\x00\x00\x31\xff\x0f\x05"  # exit(0) on Linux x86-64


def elf(
    *,
    sections: Mapping[str, bytes] | None = None,
    linked: tuple[str, ...] = (),
    loader: str = "",
    machine: int = 62,
    kind: int = 2,
    system: int = 0,
    entry: bool = True,
    body: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A 64-bit ELF file: one executable segment over everything, then its sections. It runs, where it needs no library."""
    segments: list[tuple[int, int, int, int]] = []
    count = 1 + bool(linked) + bool(loader)
    at = 64 + 56 * count
    content = bytearray(_CODE + body)
    start = at
    if loader:
        segments.append((3, 4, at + len(content), len(loader) + 1))
        content += loader.encode() + b"\0"
    if linked:
        table = b"\0" + b"".join(name.encode() + b"\0" for name in linked)
        strings = at + len(content)
        content += table
        places = [1 + sum(len(name) + 1 for name in linked[:number]) for number in range(len(linked))]
        rows = [*((1, place) for place in places), (5, BASE + strings), (10, len(table)), (0, 0)]
        segments.append((2, 6, at + len(content), 16 * len(rows)))
        content += b"".join(struct.pack("<QQ", *row) for row in rows)
    held = {**(sections or {})}
    placed = {}
    for name, data in held.items():
        placed[name] = (at + len(content), len(data))
        content += data
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*held, ".shstrtab"))
    names_at = at + len(content)
    content += names
    headers = struct.pack("<IIQQQQIIQQ", *([0] * 10))
    place = 1
    for name in (*held, ".shstrtab"):
        offset, size = placed.get(name, (names_at, len(names)))
        headers += struct.pack("<IIQQQQIIQQ", place, 1, 0, 0, offset, size, 0, 0, 1, 0)
        place += len(name) + 1
    sections_at = at + len(content)
    total = sections_at + len(headers)
    segments.insert(0, (1, 5, 0, sections_at))
    rows_of_segments = b"".join(
        struct.pack("<IIQQQQQQ", what, flags, offset, BASE + offset, BASE + offset, size, size, 0x1000)
        for what, flags, offset, size in segments
    )
    identity = b"\x7fELF\x02\x01\x01" + bytes([system]) + bytes(8)
    head = struct.pack(
        "<HHIQQQIHHHHHH",
        *(kind, machine, 1, BASE + start if entry else 0, 64, sections_at),
        *(0, 64, 56, count, 64, len(held) + 2, len(held) + 1),
    )
    made = identity + head + rows_of_segments + bytes(content) + headers
    assert len(made) == total
    return made + behind


def macho(
    *,
    processor: int = 0x0100000C,
    kind: int = 2,
    sections: tuple[str, ...] = ("__text",),
    linked: tuple[str, ...] = ("/usr/lib/libSystem.B.dylib",),
    body: bytes = b"",
) -> bytes:
    """A 64-bit Mach-O file with one segment over everything."""
    commands = []
    rows = b"".join(struct.pack("<16s16sQQIIIIIIII", name.encode(), b"__TEXT", *([0] * 10)) for name in sections)
    segment_size = 72 + len(rows)
    for name in linked:
        text = name.encode() + b"\0" * (8 - len(name) % 8)
        commands.append(struct.pack("<IIIIII", 0xC, 24 + len(text), 24, 0, 0, 0) + text)
    commands.append(struct.pack("<II", 0x1B, 24) + bytes(range(16)))
    commands.append(struct.pack("<IIQQ", 0x80000028, 24, 0x1000, 0))
    size = segment_size + sum(map(len, commands))
    total = 32 + size + len(_CODE) + len(body)
    segment = struct.pack("<II16sQQQQIIII", 0x19, segment_size, b"__TEXT", 0x100000000, total, 0, total, 5, 5, len(sections), 0)
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, processor, 0, kind, 1 + len(commands), size, 0, 0)
    made = head + segment + rows + b"".join(commands) + _CODE + body
    assert len(made) == total
    return made


def universal(*parts: bytes) -> bytes:
    """Several Mach-O files in one."""
    at = 8 + 20 * len(parts)
    head = struct.pack(">II", 0xCAFEBABE, len(parts))
    content = b""
    for part in parts:
        head += struct.pack(">5I", 0, 0, at + len(content), len(part), 0)
        content += part
    return head + content


def pe(
    *,
    machine: int = 0x8664,
    flags: int = 0x0022,
    assembly: bool = False,
    imports: tuple[str, ...] = ("KERNEL32.dll",),
    sections: tuple[str, ...] = (".text",),
    body: bytes = b"",
) -> bytes:
    """A 64-bit PE file with its sections, the first of which holds everything."""
    start = 0x80
    optional = 112 + 16 * 8
    data_at = start + 24 + optional + 40 * len(sections)
    address = 0x1000
    content = bytearray(_CODE)
    table_at = len(content)
    names_at = table_at + 20 * (len(imports) + 1)
    names = b""
    for name in imports:
        content += struct.pack("<5I", 1, 0, 0, address + names_at + len(names), 1)
        names += name.encode() + b"\0"
    content += bytes(20) + names + body
    directories = [(0, 0)] * 16
    directories[1] = (address + table_at, 20) if imports else (0, 0)
    directories[14] = (address, 72) if assembly else (0, 0)
    head = bytearray(start)
    head[:2] = b"MZ"
    head[0x3C:0x40] = struct.pack("<I", start)
    made = bytes(head) + b"PE\0\0" + struct.pack("<HHIIIHH", machine, len(sections), 0, 0, 0, optional, flags)
    made += struct.pack("<HBBIII", 0x20B, 14, 0, len(content), 0, 0) + struct.pack("<I", address) + bytes(112 - 20 - 4)
    made += struct.pack("<I", 16) + b"".join(struct.pack("<II", *row) for row in directories)
    for number, name in enumerate(sections):
        held, begins = (len(content), address) if number == 0 else (0, address + 0x100000 * number)
        where = data_at if number == 0 else 0
        made += name.encode().ljust(8, b"\0")
        made += struct.pack("<IIIIIIHHI", held, begins, held, where, 0, 0, 0, 0, 0x60000020 if number == 0 else 0x40000040)
    return made + bytes(content)
