"""What is told, as a value that knows no channel: every channel renders it to its own budget, in its own escaping.

Texts are plain: nothing in them is markup, whatever it looks like, and nothing in them is a secret. What stands first in a list
matters most, so whoever runs out of room leaves out from the end. Pure.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Tone = Literal["good", "bad", "unsure", "neutral"]
"""How it looks. ``unsure`` is never shown as ``good``: a pass needs evidence."""


class Link(Struct, frozen=True, kw_only=True):
    """Somewhere to go on reading. ``url`` is http or https, or it is not shown as a link."""

    text: str
    url: str


class Fact(Struct, frozen=True, kw_only=True):
    """A name and its value, such as *commit* and *4f2a91c*."""

    label: str
    value: str


class Point(Struct, frozen=True, kw_only=True):
    """One line of a list."""

    text: str
    tone: Tone = "neutral"
    url: str = ""


class Section(Struct, frozen=True, kw_only=True):
    """A list under a heading."""

    heading: str
    points: tuple[Point, ...]


class Trend(Struct, frozen=True, kw_only=True):
    """A series for a text sparkline, oldest first; None: a night without a value. ``limit`` in the same unit."""

    label: str
    values: tuple[float | None, ...]
    limit: float | None = None
    unit: str = "s"


class Message(Struct, frozen=True, kw_only=True):
    """Everything that may be told of one occasion.

    ``title`` and ``lead`` are always shown, cut where they must be. ``command``: how to see it oneself. ``cause``: the visible
    cause key, by which a ticket is found again. ``mention``: owners by the names that scenarios use; the channel knows them.
    """

    title: str
    lead: str
    tone: Tone
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()
    trend: Trend | None = None
    command: str = ""
    links: tuple[Link, ...] = ()
    cause: str = ""
    mention: tuple[str, ...] = ()
