"""One thing that a search finds, and all of one kind: what fits on a page, and how many more there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.report.escape import clipped, one_line

MOST_FOUND: Final = 200
"""So many of a kind answer one question."""
IN_SIGHT: Final = 12
"""So many of a kind are in sight at once; the others stand behind a line that opens."""
_LONGEST: Final = 120
_MARKUP: Final = 40


class Entry(Struct, frozen=True, kw_only=True):
    """``detail``: what else it may be found by."""

    title: str
    href: str
    detail: str = ""

    @property
    def text(self) -> str:
        return f"{self.title} {self.detail}".lower()

    @property
    def size(self) -> int:
        """About how many bytes of a page it takes."""
        return (
            len(self.title.encode("utf-8", "replace")) + len(self.detail.encode("utf-8", "replace")) + len(self.href) + _MARKUP
        )


class Group(Struct, frozen=True, kw_only=True):
    """``left``: how many more there are that the page does not hold."""

    noun: str
    entries: tuple[Entry, ...]
    left: int = 0

    @property
    def in_sight(self) -> tuple[Entry, ...]:
        return self.entries[: len(self.entries) - len(self.behind)]

    @property
    def behind(self) -> tuple[Entry, ...]:
        """Never one alone: the line that opens it would take its place."""
        return self.entries[IN_SIGHT:] if len(self.entries) > IN_SIGHT + 1 else ()


def answering(noun: str, ones: Iterable[Entry], words: Sequence[str]) -> Group:
    """Those that hold every word."""
    fitting = [one for one in ones if all(word in one.text for word in words)]
    return Group(noun=noun, entries=tuple(fitting[:MOST_FOUND]), left=max(0, len(fitting) - MOST_FOUND))


def index(noun: str, ones: Iterable[Entry], room: int) -> Group:
    """As many as fit into so many bytes."""
    entries: list[Entry] = []
    left = 0
    for one in ones:
        room -= one.size
        if room >= 0:
            entries.append(one)
        else:
            left += 1
    return Group(noun=noun, entries=tuple(entries), left=left)


def shortened(text: str) -> str:
    return clipped(one_line(text), _LONGEST)


def joined(parts: Iterable[str]) -> str:
    return " · ".join(shortened(part) for part in parts if part)
