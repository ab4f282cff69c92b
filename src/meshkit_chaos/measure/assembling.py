"""Raw samples that another server scraped → rounds: all samples of one scrape interval are one round. Pure.

Takes raw series as they become visible (again and again the same ones) and how far the source can be seen; gives each interval
once, when its lag is over. Members are scraped at staggered phases, so the border between two intervals is put into the widest
gap between the phases: then each member's scrape falls into an interval of its own. A member without a good scrape in an
interval is failed there, with the cause. Samples that come after their round was given make the next round doubtful: the lag
is longer than was said. Series of others than members are left out where members have the same metric. Never fills a gap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import median

from msgspec import Struct

from meshkit_chaos.journal.rows import MOST_HEADERS, Header, Headers, Row, Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.scrape import SCRAPE
from meshkit_chaos.measure.selecting import MEMBER
from meshkit_chaos.measure.shelf import Shelf
from meshkit_chaos.measure.source import RawSeries
from meshkit_chaos.promql.series import Labels, label

_UP = "up"
_TOOK = "scrape_duration_seconds"
_NOBODY = ""
"""Under this name go series that belong to no member: recording rules, other exporters."""
_NEVER = -(2**63)
_ODD_SPACING = 1.5
_FEWEST_SPACINGS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``every`` and ``lag`` in ns; ``members``: the label's value → the member."""

    every: int
    lag: int
    member_label: str
    members: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMap:
    """How the source's instants become ours. ``offset`` is its time minus ours, ``error`` how wrong that may be; in ns."""

    offset: int
    error: int

    def ours(self, instant: int) -> int:
        return instant - self.offset


def widest_gap(phases: Iterable[int], every: int) -> int:
    """The middle of the widest gap on a circle of ``every`` ns between given points of it; 0 where there are none."""
    points = sorted({phase % every for phase in phases})
    if not points:
        return 0
    gaps = [(later - earlier, earlier) for earlier, later in zip(points, [*points[1:], points[0] + every], strict=True)]
    width, start = max(gaps)
    return (start + width // 2) % every


class _Known(Struct, frozen=True):
    """A series of the source as we have it. ``whose``: the value of its label that tells members apart."""

    labels: Labels
    name: str
    member: str
    whose: str


@dataclass(slots=True, eq=False)
class _Target:
    """What is scraped, known by its ``up``: the instant of its newest scrape, and of the last that was given out."""

    newest: int = _NEVER
    given: int | None = None


class _Sight(Struct, frozen=True, gc=False):
    """What rows of a header tell of scrapes: of which targets of a member, at which place each; where, how long they took."""

    targets: tuple[tuple[int, _Target], ...]
    scraped: bool
    tooks: tuple[int, ...]


class _Part(Struct, frozen=True, gc=False):
    """What a member has in a round. ``seen``: when it was last scraped; ``until``: when its last sample was taken at most."""

    rows: list[Row]
    seen: int | None
    until: int
    failure: str


class Assembler:
    """Starts with the first interval that begins at or after ``begin`` (the source's time)."""

    def __init__(self, schedule: Schedule, *, begin: int) -> None:
        self._schedule = schedule
        self._begin = begin
        self._border: int | None = None
        self._headers = Headers()
        self._shelves = {member: Shelf(self._headers) for member in (_NOBODY, *schedule.members.values())}
        self._known: dict[Labels, _Known] = {}
        self._targets: dict[Labels, _Target] = {}
        self._sights: dict[Header, _Sight] = {}
        self._phase = 0
        self._aligned: set[Labels] = set()
        self._first = begin
        self._late = 0
        self._ours: set[str] = set()
        self.foreign: dict[str, str] = {}
        """Metrics of which series were left out that are of no member, with the label value of one of those."""
        self._spacings: deque[int] = deque(maxlen=30)

    @property
    def wanted_from(self) -> int:
        """From when samples must be fetched: one interval back, so that late ones are seen."""
        if self._border is None:
            return self._begin - 2 * self._schedule.every
        return self._border - self._schedule.every

    def next_due(self) -> int | None:
        """Until when (its time) the source must be seen for the next round; None before the phases are known."""
        return None if self._border is None else self._end() + self._schedule.lag

    def _end(self) -> int:
        """Where the interval after the border ends: an ordinary length after it, or a little off where phases became known."""
        assert self._border is not None
        every = self._schedule.every
        earliest = self._border + every // 2
        return earliest + (self._phase - earliest) % every

    def take(self, series: Iterable[RawSeries]) -> None:
        """Put what was fetched beside what is there; what is known changes nothing."""
        fetched = [(self._learnt(one.labels), one) for one in series if one.times]
        self._learn_ours(known for known, _ in fetched)
        together: dict[tuple[str, tuple[int, ...]], dict[Labels, Sequence[float]]] = {}
        for known, one in fetched:
            if not self._is_foreign(known):
                together.setdefault((known.member, one.times), {})[known.labels] = one.values
        fresh: dict[str, list[list[Row]]] = {}
        for (member, times), columns in together.items():
            header = self._headers.of(tuple(columns))
            rows = list(map(Row, times, repeat(header), zip(*columns.values(), strict=True)))
            new = self._without_old(member, times, rows)
            if new:
                fresh.setdefault(member, []).append(new)
                for _, target in self._sight_of(header, member).targets:
                    target.newest = max(target.newest, times[-1])
        for member, several in fresh.items():
            self._shelves[member].put(several)

    def _learnt(self, labels: Labels) -> _Known:
        known = self._known.get(labels)
        if known is None:
            whose = label(labels, self._schedule.member_label)
            member = self._schedule.members.get(whose, _NOBODY)
            name = label(labels, "__name__")
            known = self._known[labels] = _Known(_labelled(labels, member), name, member, whose)
        return known

    def _learn_ours(self, fetched: Iterable[_Known]) -> None:
        """What a member exports is read from members alone, as where we scrape them: a server may know other meshes as well."""
        more = {known.name for known in fetched if known.member} - self._ours
        if more:
            self._ours |= more
            self._shelves[_NOBODY].without(more)
            for known in self._known.values():
                self._is_foreign(known)

    def _is_foreign(self, known: _Known) -> bool:
        if known.member or known.name not in self._ours:
            return False
        self.foreign.setdefault(known.name, known.whose)
        return True

    def _without_old(self, member: str, times: Sequence[int], rows: list[Row]) -> list[Row]:
        """The rows after the border; those before it are known, or late, or of before we began."""
        if self._border is None:
            return rows
        over = bisect_left(times, self._border)
        if over:
            counts = bisect_left(times, max(self._first, self._border - self._schedule.every))
            self._late += self._shelves[member].put_late(rows[counts:over])
        return rows[over:]

    def _sight_of(self, header: Header, member: str) -> _Sight:
        sight = self._sights.get(header)
        if sight is None:
            if len(self._sights) >= MOST_HEADERS:
                self._sights.clear()
            ups = header.places(_UP)
            targets = ((place, self._targets.setdefault(header.labels[place], _Target())) for place in ups if member)
            sight = self._sights[header] = _Sight(tuple(targets), bool(ups), header.places(_TOOK))
        return sight

    def settle(self, seen: int) -> None:
        """Learn the phases, once every member was seen or has had the time for it. ``seen``: until when, the source's time."""
        every = self._schedule.every
        if self._border is not None:
            waiting = {labels for labels, target in self._targets.items() if target.newest >= self._border}
            if waiting - self._aligned:  # a target that was not known before: the widest gap may be another one
                self._aligned |= waiting
                self._phase = widest_gap((target.newest for target in self._targets.values()), every)
            return
        known = {label(labels, MEMBER) for labels in self._targets}
        patience = self._begin + 2 * every + self._schedule.lag
        if known != set(self._schedule.members.values()) and seen < patience:
            return
        self._aligned = set(self._targets)
        self._phase = widest_gap((target.newest for target in self._targets.values()), every)
        self._first = self._border = self._phase - (self._phase - self._begin) // every * every
        for shelf in self._shelves.values():
            shelf.drop_until(self._border)

    def due(self, seen: int, mapping: ClockMap, doubt: str = "") -> Iterator[tuple[Round, dict[str, Timed]]]:
        """Every interval whose lag is over, if the source was seen until ``seen``. ``doubt``: why they tell nothing."""
        self.settle(seen)
        while (until := self.next_due()) is not None and until <= seen:
            yield self._round(mapping, doubt)

    def _round(self, mapping: ClockMap, doubt: str) -> tuple[Round, dict[str, Timed]]:
        assert self._border is not None
        start, end = self._border, self._end()
        parts = {member: self._part(member, shelf.take_until(end), mapping) for member, shelf in self._shelves.items()}
        self._border = end
        begun, tick, ended = _bounds(parts.values(), mapping, start, end)
        round_ = Round(
            source=SCRAPE,
            tick=tick,
            start=begun,
            end=ended,
            failed={member: part.failure for member, part in parts.items() if member and part.failure},
            doubt="; ".join(text for text in (doubt, self._lateness()) if text),
        )
        # What is gone was seen to be so by the member's last scrape, or at the end of the round where there was none.
        return round_, {member: Timed(part.rows, tick if part.seen is None else part.seen) for member, part in parts.items()}

    def _part(self, member: str, taken: Sequence[Row], mapping: ClockMap) -> _Part:
        """What a member has in an interval, in our time."""
        if not taken:
            return _Part([], None, 0, "the source has no sample of it in this interval")
        rows, well, seen, until = [], dict[_Target, bool](), None, mapping.ours(taken[-1].time)
        for row in taken:
            sight = self._sights.get(row.header) or self._sight_of(row.header, member)
            time = row.time - mapping.offset
            rows.append(Row(time, row.header, row.values))
            if sight.scraped:
                seen = time
            for place, target in sight.targets:
                well[target] = row.values[place] == 1
                if target.given is not None:
                    self._spacings.append(row.time - target.given)
                target.given = row.time
            # A sample bears the instant at which its scrape began; the value is of some moment until its end.
            for place in sight.tooks:
                until = max(until, time + self._lasting(row.values[place]))
        failure = "" if all(well.values()) else "its scrape failed (up is not 1)"
        return _Part(rows, seen, until, failure if well else "it was not scraped in this interval (it has no up)")

    def _lasting(self, took: float) -> int:
        """How long a scrape took, in ns; a whole interval where what is told cannot be: its time-out is no longer than that."""
        lasted, every = took * 10**9, self._schedule.every
        return round(lasted) if 0 <= lasted <= 2 * every else every

    def _lateness(self) -> str:
        late, self._late = self._late, 0
        if not late:
            return ""
        lag = self._schedule.lag / 10**9
        return f"{late} samples became visible more than {lag:g}s after their scrape interval: raise `lag`"

    def odd_spacing(self) -> int | None:
        """The usual time between two scrapes of a member, in ns, where it is not the one that was said."""
        if len(self._spacings) < _FEWEST_SPACINGS:
            return None
        usual = int(median(self._spacings))
        every = self._schedule.every
        return usual if not every / _ODD_SPACING <= usual <= every * _ODD_SPACING else None


def _bounds(parts: Iterable[_Part], mapping: ClockMap, start: int, end: int) -> tuple[int, int, int]:
    """The earliest that the first sample, the instant of the last one, the latest that one can have been taken."""
    several = [part for part in parts if part.rows]
    if not several:
        return mapping.ours(start) - mapping.error, mapping.ours(end) - 1, mapping.ours(end) + mapping.error
    first = min(part.rows[0].time for part in several)
    last = max(part.rows[-1].time for part in several)
    return first - mapping.error, last, max(part.until for part in several) + mapping.error


def _labelled(labels: Labels, member: str) -> Labels:
    """Add ``member``; a label that the source itself calls so moves out of the way."""
    if not member:
        return labels
    moved = dict(labels)
    free = MEMBER
    while free in moved:
        free = f"exported_{free}"
    if free != MEMBER:
        moved[free] = moved.pop(MEMBER)
    return tuple(sorted({**moved, MEMBER: member}.items()))
