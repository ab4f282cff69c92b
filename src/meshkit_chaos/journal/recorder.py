"""Collects rounds as they come: a store that queries can read at once, and blocks for the journal.

Takes a round with each member's samples, of one instant or each of its own. Gives them as growing series (a PromQL
``Storage``), as the block of everything since the last flush, and as ``Samples``. Writes staleness markers as Prometheus does:
when a series that was there is seen to be gone, be it dropped by its member or gone with the member's failed scrape. Refuses
time that does not go forward. Pure: no clock, no I/O.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshkit_chaos.journal.blocks import Block
from meshkit_chaos.journal.rows import MOST_HEADERS, Header, Headers, Row, Timed
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.promql.series import STALE, Labels, Series, label

Sample = tuple[Labels, float]
MemberSamples = Mapping[str, Sequence[Sample]]
"""What each member gave in one round. A member that gave nothing may be absent."""


@dataclass(slots=True, eq=False)
class GrowingSeries:
    """One series while it is recorded. ``flushed``: how many of its samples have gone into a block.

    Arrays hold 16 bytes a sample; objects would take five times that over a long run.
    """

    labels: Labels
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    flushed: int = 0
    columns: _Columns | None = None
    """Whose rows it grows by just now."""

    def append(self, time: int, value: float, *, columns: _Columns | None = None) -> None:
        if self.columns is not columns:
            if self.columns is not None:
                self.columns.end()
            self.columns = columns
        if self.times and time <= self.times[-1]:
            raise ValueError(f"{self.labels} has a sample at {self.times[-1]}; one at {time} cannot follow")
        self.times.append(time)
        self.values.append(value)

    def since(self, index: int) -> Series:
        return Series(self.labels, tuple(self.times[index:]), tuple(self.values[index:]))


class _Columns:
    """The growing series of one header, and rows that are not yet in them: many at once cost less than each alone.

    ``_newest``: the instant of the last sample of every one of the series; None where one has grown otherwise since. So one
    look tells for a whole row that time goes forward.
    """

    __slots__ = ("_newest", "_times", "_values", "series")

    def __init__(self, series: tuple[GrowingSeries, ...]) -> None:
        self.series = series
        self._newest: int | None = None
        self._times: array[int] = array("q")
        self._values: array[float] = array("d")

    def append(self, row: Row) -> None:
        """One sample for each series, which has it for certain after ``settle``."""
        time, values = row.time, row.values
        if len(values) != len(self.series):
            raise ValueError(f"a row of {len(values)} values stands under a header of {len(self.series)} series")
        if self._newest is not None and time > self._newest:
            self._times.append(time)
            self._values.extend(values)
        else:
            self.end()
            for one, value in zip(self.series, values, strict=True):
                one.append(time, value, columns=self)
        self._newest = time

    def settle(self) -> None:
        """Put the rows into the series."""
        if self._times:
            for place, one in enumerate(self.series):
                one.times.extend(self._times)
                one.values.extend(self._values[place :: len(self.series)])
            self._times, self._values = array("q"), array("d")

    def end(self) -> None:
        """The same, when a series is about to grow otherwise."""
        self.settle()
        self._newest = None


class Recorder:
    """Everything sampled so far; it only grows."""

    def __init__(self) -> None:
        self._series: dict[Labels, GrowingSeries] = {}
        self._named: dict[str, list[GrowingSeries]] = {}
        self._rounds: dict[str, list[Round]] = {}
        self._present: dict[str, dict[str, list[Header]]] = {}
        self._headers = Headers()
        self._columns: dict[Header, _Columns] = {}
        self._unflushed: list[Round] = []
        self._touched: dict[GrowingSeries, None] = {}
        self._touched_columns: set[_Columns] = set()
        self._unsettled: set[_Columns] = set()

    def add(self, round_: Round, samples: MemberSamples) -> None:
        """Record one round. Samples of a failed member may only be what is said *about* it (``up`` 0)."""
        tick = round_.tick
        timed = {}
        for member, several in samples.items():
            header = self._headers.of(tuple(labels for labels, _ in several))
            timed[member] = Timed([Row(tick, header, [value for _, value in several])], tick)
        self.add_timed(round_, timed)

    def add_timed(self, round_: Round, samples: Mapping[str, Timed]) -> None:
        """Record one round whose samples have instants of their own, all after those of the round before."""
        past = self._rounds.setdefault(round_.source, [])
        if past and round_.tick <= past[-1].tick:
            raise ValueError(f"{round_.source!r} had a round at {past[-1].tick}; one at {round_.tick} cannot follow")
        present = self._present.setdefault(round_.source, {})
        nothing = Timed((), round_.tick)
        for member in sorted(present.keys() | samples.keys()):
            given, before = samples.get(member, nothing), present.get(member, [])
            now = present[member] = self._add_rows(given.rows)
            if now != before:
                self._mark_gone(before, now, given.at)
        past.append(round_)
        self._unflushed.append(round_)

    def _add_rows(self, rows: Sequence[Row]) -> list[Header]:
        """Append rows; gives their headers."""
        headers = []
        for row in rows:
            header = row.header
            headers.append(header)
            columns = self._columns.get(header) or self._learnt(header)
            columns.append(row)
            self._unsettled.add(columns)
            if columns not in self._touched_columns:
                self._touched_columns.add(columns)
                self._touched.update(dict.fromkeys(columns.series))
        return headers

    def _learnt(self, header: Header) -> _Columns:
        if len(self._columns) >= MOST_HEADERS:
            self._columns.clear()
        columns = self._columns[header] = _Columns(tuple(map(self._growing, header.labels)))
        return columns

    def _growing(self, labels: Labels) -> GrowingSeries:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = GrowingSeries(labels)
            self._named.setdefault(label(labels, "__name__"), []).append(series)
        return series

    def _mark_gone(self, before: Sequence[Header], now: Sequence[Header], at: int) -> None:
        """A staleness marker for each series that was there before and is not now."""
        present = {labels for header in now for labels in header.labels}
        for labels in dict.fromkeys(labels for header in before for labels in header.labels):
            if labels not in present:
                series = self._growing(labels)
                series.append(at, STALE)
                self._touched[series] = None

    def _settle(self) -> None:
        for columns in self._unsettled:
            columns.settle()
        self._unsettled.clear()

    def named(self, name: str) -> Sequence[GrowingSeries]:
        """The series of one metric name as they are now; all of them where it is empty."""
        self._settle()
        return self._named.get(name, ()) if name else tuple(self._series.values())

    def rounds(self, source: str) -> Sequence[Round]:
        """Every round of one source so far, oldest first."""
        return self._rounds.get(source, ())

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(self._rounds)

    def take_block(self) -> Block | None:
        """Everything since the last call; None where there was no round."""
        if not self._unflushed:
            return None
        self._settle()
        series = tuple(one.since(one.flushed) for one in self._touched)
        for one in self._touched:
            one.flushed = len(one.times)
        block = Block(rounds=tuple(self._unflushed), series=series)
        self._touched, self._touched_columns, self._unflushed = {}, set(), []
        return block

    def samples(self) -> Samples:
        """Everything so far as a value. Series that were always sampled together share their instants."""
        self._settle()
        shared: dict[bytes, tuple[int, ...]] = {}

        def whole(one: GrowingSeries) -> Series:
            return Series(one.labels, shared.setdefault(one.times.tobytes(), tuple(one.times)), tuple(one.values))

        return Samples(
            rounds={source: tuple(rounds) for source, rounds in self._rounds.items()},
            series={name: tuple(map(whole, several)) for name, several in self._named.items()},
        )
