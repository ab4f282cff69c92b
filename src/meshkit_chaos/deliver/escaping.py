"""Hostile text made plain: what every channel does to a text before its own escaping. Pure.

Takes any text; gives one that holds no control characters, no lone surrogates, and nothing that turns the reading direction of
what stands around it. Lengths are counted in UTF-16 units, as the browsers and services that cut texts count them.
"""

from __future__ import annotations

import re
from typing import Final

_TURNING: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_HIDING: Final = "\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
_BREAKS: Final = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BARRED: Final = re.compile(f"[\x00-\x08\x0e-\x1f\x7f-\x9f{_TURNING}{_HIDING}]")
_SURROGATES: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
_WEB: Final = re.compile(
    r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?#][!#-;=?-\[\]_a-z~]*)?", re.IGNORECASE | re.ASCII
)
"""Without a password before the host, and without what would end an attribute or a link: quotes, brackets, blanks."""
_UNREAD: Final = 4
"""So many times the room is looked at; the rest of an endless text is not even read."""


def plain(text: str) -> str:
    """Lines stay lines; what cannot be seen goes; what is no character becomes a replacement character."""
    text = _BREAKS.sub("\n", text).replace("\t", " ")
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", _BARRED.sub("", text))


def one_line(text: str, room: int) -> str:
    """On one line, no longer than ``room``."""
    return cut(" ".join(plain(text[: room * _UNREAD]).split()), room, more=len(text) > room * _UNREAD)


def few_lines(text: str, room: int) -> str:
    """Lines without blank ones, no longer than ``room``."""
    lines = (" ".join(line.split()) for line in plain(text[: room * _UNREAD]).split("\n"))
    return cut("\n".join(line for line in lines if line), room, more=len(text) > room * _UNREAD)


def width(text: str) -> int:
    """How long a text is in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def cut(text: str, room: int, *, more: bool = False) -> str:
    """The beginning of a text that is too long, with an ellipsis; ``more``: something of it was left out already."""
    if width(text) <= room and not more:
        return text
    taken, used = 0, 1
    for character in text:
        used += width(character)
        if used > room:
            break
        taken += 1
    return f"{text[:taken]}…" if room else ""


def web_address(url: str, room: int = 2000) -> str:
    """The address if it is one of http or https that can be linked to, else nothing. A cut one would lead elsewhere."""
    return url if len(url) <= room and _WEB.fullmatch(url) else ""
