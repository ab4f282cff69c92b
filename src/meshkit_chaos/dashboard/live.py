"""The runs in progress, for the page that shows them and for the stream that goes on from there.

One look at the folder serves everybody who watches: a ``Watch`` is asked again by each stream, and keeps no thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from meshkit_chaos.clock import Clock
from meshkit_chaos.dashboard.following import Follower, Line, Underway, lately
from meshkit_chaos.slo.codec import encode


class Look(Struct, frozen=True, kw_only=True):
    """Where each run is, and the lines since the look before; a run that had ended when it was first seen tells none."""

    runs: tuple[Underway, ...]
    lines: tuple[Line, ...]


class Watch:
    """Follows every run below a folder, for one reader."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._followers: dict[str, Follower] = {}

    def look(self) -> Look:
        """Read what is new. Raises nothing: what cannot be read is said to be so."""
        now = self._clock.wall_ns()
        there = lately(self._folder, now=now)
        known = self._followers
        self._followers = {key: known.get(key) or Follower(folder, key) for key, folder in there}
        told = [(one, one.more()) for one in self._followers.values()]
        lines = [line for one, lines in told if one.key in known or not one.ended for line in lines]
        runs = tuple(one.underway(now=now) for one in self._followers.values() if not one.ended)
        return Look(runs=runs, lines=tuple(lines))


def messages(look: Look, *, last: tuple[Underway, ...] | None) -> Iterator[str]:
    """As server-sent events; where nothing is new, a comment that keeps the connection alive."""
    for line in look.lines:
        yield f"event: line\ndata: {encode(line).decode()}\n\n"
    if look.runs != last:
        yield f"event: runs\ndata: {encode(look.runs).decode()}\n\n"
    elif not look.lines:
        yield ": nothing new\n\n"
