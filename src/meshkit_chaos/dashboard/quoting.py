"""Names as names of files, and back. What comes out needs no quoting in a link and stays in its folder. Pure."""

from __future__ import annotations

import re
from typing import Final

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_QUOTED: Final = re.compile(r"(?:~[0-9a-f]{2})+")


def plain(name: str) -> str:
    """Whatever is no plain character becomes ``~`` and its bytes in hex, and so do dots where they are all there is."""
    told = "".join(one if one in _PLAIN else _hex(one) for one in name)
    return told if told.strip(".") else "".join(_hex(one) for one in told)


def unquoted(told: str) -> str:
    """The name that ``plain`` made this of; for what it never made, a name with a replacement character, or the text itself."""
    return _QUOTED.sub(lambda found: bytes.fromhex(found[0].replace("~", "")).decode(errors="replace"), told)


def link(path: str) -> str:
    """A path made of plain names as a link: nothing else is let through."""
    return "".join(one for one in path if one in _PLAIN or one in "/~")


def _hex(text: str) -> str:
    return "".join(f"~{byte:02x}" for byte in text.encode("utf-8", "replace"))
