"""What the headers of an executable say, whatever its format: the one value that ELF, Mach-O and PE readers give."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Image(Struct, frozen=True, kw_only=True):
    """``end``: the first byte after everything that the headers account for. ``comments``: what compilers left.

    ``managed``: it has the header of an assembly for the .NET runtime. ``entry``: where it starts, in words, empty where no
    machine code stands there; ``code``: whether it holds any.
    """

    format: Literal["elf", "mach-o", "pe"]
    platforms: tuple[str, ...]
    executable: bool
    entry: str
    code: bool
    sections: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    loader: str = ""
    build_id: str = ""
    stripped: bool = False
    static: bool = False
    managed: bool = False
    comments: tuple[str, ...] = ()
    end: int = 0
