"""Samples that belong together: what several series were at one instant, as a row under a shared header. Values only.

A member that is scraped gives hundreds of series at the same instant, again and again the same ones. So their label sets are
said once, in a ``Header``, and each scrape is a ``Row`` of numbers. Who reads rows may remember what it learned of a header:
headers are compared by identity, which costs nothing however many labels there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from meshkit_chaos.promql.series import Labels, label


class Header:
    """The series of rows, in the order of their values. ``names``: their metric names, in the same order."""

    __slots__ = ("_places", "labels", "names")

    def __init__(self, labels: tuple[Labels, ...]) -> None:
        self.labels = labels
        self.names = tuple(label(one, "__name__") for one in labels)
        self._places: dict[str, tuple[int, ...]] = {}

    def places(self, name: str) -> tuple[int, ...]:
        """Where the series of a metric stand."""
        found = self._places.get(name)
        if found is None:
            found = self._places[name] = tuple(place for place, one in enumerate(self.names) if one == name)
        return found


class Row(Struct, frozen=True, gc=False):
    """What the series of a header were at one instant, in ns."""

    time: int
    header: Header
    values: Sequence[float]


class Timed(Struct, frozen=True, gc=False):
    """What a member gave in one round: rows in the order of their instants, no two of one series at the same one.

    ``at``: when what is not there any more was seen to be gone.
    """

    rows: Sequence[Row]
    at: int

    @classmethod
    def of(cls, samples: Iterable[tuple[Labels, int, float]], *, at: int) -> Timed:
        """From single samples, oldest first."""
        rows = []
        for time, several in groupby(samples, key=lambda sample: sample[1]):
            together = tuple(several)
            header = Header(tuple(labels for labels, _, _ in together))
            rows.append(Row(time, header, tuple(value for _, _, value in together)))
        return cls(rows, at)

    @property
    def samples(self) -> Iterator[tuple[Labels, int, float]]:
        """Sample by sample."""
        for row in self.rows:
            for labels, value in zip(row.header.labels, row.values, strict=True):
                yield labels, row.time, value


MOST_HEADERS: Final = 4_096
"""So many are remembered; a mesh whose series come and go for ever must not fill the memory."""


class Headers:
    """One header for each tuple of label sets, until there are too many; then it begins anew."""

    def __init__(self) -> None:
        self._known: dict[tuple[Labels, ...], Header] = {}

    def of(self, labels: tuple[Labels, ...]) -> Header:
        header = self._known.get(labels)
        if header is None:
            if len(self._known) >= MOST_HEADERS:
                self._known.clear()
            header = self._known[labels] = Header(labels)
        return header
