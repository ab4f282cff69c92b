"""What may lie beside a .NET program that is not compiled ahead of time, by name alone.

Takes the names of the files in the program's folder; gives those that a native program would not have, in words. Whether a
``.dll`` is an assembly is told by its bytes, which are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

RUNTIME: Final = re.compile(r"(lib)?(coreclr|clrjit|hostfxr|hostpolicy|mscordaccore|mscordbi|monosgen-2\.0)\.(so|dylib|dll)")
_MOST_TOLD: Final = 3
_MOST_OPENED: Final = 200


def runtime_beside(program: str, names: Iterable[str], *, is_assembly: Callable[[str], bool]) -> tuple[str, ...]:
    """One sentence for each kind of file that shows that the program needs a .NET runtime."""
    there = sorted(name for name in names if name != program)
    stem = program.removesuffix(".exe")
    lists = [name for name in there if name in (f"{stem}.deps.json", f"{stem}.runtimeconfig.json")]
    parts = [name for name in there if RUNTIME.fullmatch(name.lower())]
    libraries = [name for name in there if name.lower().endswith(".dll") and name not in parts]
    assemblies = [name for name in libraries[:_MOST_OPENED] if is_assembly(name)]
    return (
        *_told(lists, "a list for the .NET runtime"),
        *_told(parts, "a part of the .NET runtime"),
        *_told(assemblies, "an assembly for the .NET runtime"),
    )


def _told(names: list[str], what: str) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else ""
        lie = "lies" if len(names) == 1 else "lie"
        yield f"{', '.join(names[:_MOST_TOLD])}{more} {lie} beside it: {what}"
