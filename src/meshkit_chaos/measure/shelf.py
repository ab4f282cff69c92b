"""Rows of one member that wait for their round, and those of the round before, to tell what is late from what is known. Pure.

Takes rows as they are fetched, each fetch oldest first, the same ones again and again. Gives each once, in the order of their
instants, and the number of samples that came too late to be given. Its work grows with what is fetched, never with what waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from meshkit_chaos.journal.rows import Headers, Row


class Shelf:
    """Instants are the source's own."""

    __slots__ = ("_given", "_headers", "_taken", "_waiting")

    def __init__(self, headers: Headers) -> None:
        self._headers = headers
        self._waiting: deque[Row] = deque()
        self._taken: list[Row] = []
        self._given: dict[int, Row] = {}

    def put(self, several: Sequence[Sequence[Row]]) -> None:
        """Each list is one of series that were scraped together. What is there already is replaced."""
        first = min(rows[0].time for rows in several)
        overlap: list[Row] = []
        while self._waiting and self._waiting[-1].time >= first:
            overlap.append(self._waiting.pop())
        if len(several) == 1 and not overlap:
            self._waiting.extend(several[0])
            return
        merged: dict[int, Row] = {}
        for rows in (overlap, *several):
            for row in rows:
                merged[row.time] = self._joined(merged.get(row.time), row)
        self._waiting.extend(merged[time] for time in sorted(merged))

    def put_late(self, rows: Iterable[Row]) -> int:
        """Rows of intervals that are over; gives how many of their samples were not there in time. Each is counted once."""
        late = 0
        self._given.update((row.time, row) for row in self._taken)
        self._taken = []
        for row in rows:
            given = self._given.get(row.time)
            if given is not None and given.header is row.header:
                continue
            late += len(set(row.header.labels).difference(given.header.labels if given is not None else ()))
            self._given[row.time] = self._joined(given, row)
        return late

    def take_until(self, end: int) -> list[Row]:
        """Everything before ``end``, which is known from now on."""
        waiting, rows = self._waiting, list[Row]()
        while waiting and waiting[0].time < end:
            rows.append(waiting.popleft())
        self._taken, self._given = rows, {}
        return rows

    def drop_until(self, border: int) -> None:
        """Forget what is older."""
        while self._waiting and self._waiting[0].time < border:
            self._waiting.popleft()

    def without(self, names: set[str]) -> None:
        """Leave out the series of some metrics, however long they have been waiting."""
        kept = (self._reduced(row, names) for row in self._waiting)
        self._waiting = deque(row for row in kept if row.values)

    def _reduced(self, row: Row, names: set[str]) -> Row:
        places = [place for place, name in enumerate(row.header.names) if name not in names]
        header = self._headers.of(tuple(row.header.labels[place] for place in places))
        return Row(row.time, header, tuple(row.values[place] for place in places))

    def _joined(self, before: Row | None, now: Row) -> Row:
        """Of a series that both have, the later fetched value."""
        if before is None or before.header is now.header:
            return now
        values = dict(zip(before.header.labels, before.values, strict=True))
        values.update(zip(now.header.labels, now.values, strict=True))
        return Row(now.time, self._headers.of(tuple(values)), tuple(values.values()))
