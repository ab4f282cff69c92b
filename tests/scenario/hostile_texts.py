"""YAML texts made to hurt: bombs, deep nesting, huge files. Each is only made where it is wanted: memory is measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

HOSTILE: Final[dict[str, Callable[[], bytes]]] = {
    "100 MB": lambda: b"a" * 100_000_000,
    "10,000 lists": lambda: b"[" * 10_000,
    "10,000 mappings": lambda: b"{a: " * 10_000,
    "10,000 block lists": lambda: b"- " * 10_000,
    "1,400 block mappings": lambda: "\n".join(" " * depth + "a:" for depth in range(1_400)).encode(),
    "billion laughs": lambda: (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))
    ),
    "666,000 lists": lambda: b"[" + b"[]," * 666_000 + b"]",
    "600,000 colons": lambda: b"a: " * 600_000,
    "300,000 duplicates": lambda: b"a: 1\n" * 300_000,
    "300,000 unclosed anchors": lambda: b"".join(b"- &a%d\n" % number for number in range(200_000)),
    "a number of 5,000 digits": lambda: b"a: " + b"9" * 5_000,
    "one endless text": lambda: b"a: '" + b"x" * 1_900_000,
    "2 MB of quotes": lambda: b"'" * 1_999_999,
    "2 MB of question marks": lambda: b"? " * 999_999,
}
