"""Which nights and which rows stand on one page, and where the others are. Pure.

Nights: a page holds some invocations, the newest of those before an instant; all pages together hold every one, each once.
Rows: a page ends when it would be too large to read on a phone; names decide how much a row weighs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard.nights import TOGETHER

PAGE_BYTES: Final = 225_000
"""Of the rows of one page. What stands around them is less than 60 kB, and a page is to be smaller than 300 kB."""


class Span(Struct, frozen=True, kw_only=True):
    """``size``: so many invocations from ``before`` on. ``older``: what the next older page is before; None: it is the last.

    ``newer``: what the next newer page is before, None for the newest; only where ``later``, as there is one.
    """

    size: int
    older: int | None = None
    newer: int | None = None
    later: bool = False


def span(instants: Sequence[int], before: int | None, *, count: int) -> Span:
    """``instants``: when each invocation began, the newest first. ``count``: about so many stand on a page."""
    start = 0 if before is None else bisect_left(instants, -before + 1, key=lambda at: -at)
    end = _end(instants, start, count)
    above = tuple(_befores(instants, count=count, until=start))
    return Span(
        size=end - start,
        older=instants[end - 1] if end < len(instants) else None,
        newer=above[-1] if above else None,
        later=bool(above),
    )


def befores(instants: Sequence[int], *, count: int) -> tuple[int | None, ...]:
    """What each page is before, from the newest (None) to the oldest."""
    return tuple(_befores(instants, count=count, until=len(instants))) or (None,)


def _befores(instants: Sequence[int], *, count: int, until: int) -> Iterator[int | None]:
    """Of the pages that begin above ``until``."""
    start = 0
    while start < until:
        yield instants[start - 1] if start else None
        start = _end(instants, start, count)


def _end(instants: Sequence[int], start: int, count: int) -> int:
    """Where a page ends: between two nights if there is such a place nearby, and never between equal instants."""
    end = min(start + count, len(instants))
    for place in range(end, min(start + 2 * count, len(instants))):
        if instants[place - 1] - instants[place] > TOGETHER.ns:
            return place
    while 0 < end < len(instants) and instants[end - 1] == instants[end]:
        end += 1
    return end


def parts(weights: Sequence[int], *, most: int = PAGE_BYTES) -> tuple[slice, ...]:
    """Rows of such weights, in their order, as pages; at least one, and each with at least one row where there are any."""
    found, first, held = [], 0, 0
    for index, weight in enumerate(weights):
        if held and held + weight > most:
            found.append(slice(first, index))
            first, held = index, 0
        held += weight
    return (*found, slice(first, len(weights)))
