"""Raw samples that another server scraped → rounds: all samples of one scrape interval are one round. Pure.

Takes raw series as they become visible (again and again the same ones) and how far the source can be seen; gives each interval
once, when its lag is over. Members are scraped at staggered phases, so the border between two intervals is put into the widest
gap between the phases: then each member's scrape falls into an interval of its own. A member without a good scrape in an
interval is failed there, with the cause. Samples that come after their round was given make the next round doubtful: the lag
is longer than was said. Series of others than members are left out where members have the same metric. Never fills a gap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from meshkit_chaos.journal.recorder import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.scrape import SCRAPE
from meshkit_chaos.measure.selecting import MEMBER
from meshkit_chaos.measure.source import RawSeries
from meshkit_chaos.promql.series import Labels, label

_UP = "up"
_TOOK = "scrape_duration_seconds"
_NOBODY = ""
"""Under this name go series that belong to no member: recording rules, other exporters."""
_ODD_SPACING = 1.5
_FEWEST_SPACINGS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """``every`` and ``lag`` in ns; ``members``: the label's value → the member."""

    every: int
    lag: int
    member_label: str
    members: Mapping[str, str]

    def member_of(self, labels: Labels) -> str:
        return self.members.get(label(labels, self.member_label), _NOBODY)


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


@dataclass(slots=True)
class _Kept:
    """A series in the buffer. ``known``: instants that were already given out, of the last interval."""

    labels: Labels
    member: str
    samples: dict[int, float] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    last: int | None = None

    @property
    def newest(self) -> int:
        return max(self.samples, default=self.last or 0)


class Assembler:
    """Starts with the first interval that begins at or after ``begin`` (the source's time)."""

    def __init__(self, schedule: Schedule, *, begin: int) -> None:
        self._schedule = schedule
        self._begin = begin
        self._border: int | None = None
        self._series: dict[Labels, _Kept] = {}
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
        fetched = tuple(series)
        self._learn_ours(fetched)
        for one in fetched:
            if self._is_foreign(one.labels):
                continue
            labels = self._labelled(one.labels)
            kept = self._series.get(labels)
            if kept is None:
                kept = self._series[labels] = _Kept(labels, self._schedule.member_of(one.labels))
            for time, value in zip(one.times, one.values, strict=True):
                self._take_one(kept, time, value)

    def _learn_ours(self, fetched: Iterable[RawSeries]) -> None:
        """What a member exports is read from members alone, as where we scrape them: a server may know other meshes as well."""
        for one in fetched:
            if self._schedule.member_of(one.labels):
                self._ours.add(label(one.labels, "__name__"))
        for labels in [labels for labels, kept in self._series.items() if not kept.member and self._is_foreign(labels)]:
            del self._series[labels]

    def _is_foreign(self, labels: Labels) -> bool:
        if self._schedule.member_of(labels) or label(labels, "__name__") not in self._ours:
            return False
        self.foreign.setdefault(label(labels, "__name__"), label(labels, self._schedule.member_label))
        return True

    def _take_one(self, kept: _Kept, time: int, value: float) -> None:
        if self._border is None or time >= self._border:
            kept.samples[time] = value
        elif time not in kept.known and time >= max(self._first, self._border - self._schedule.every):
            self._late += 1
            kept.known.add(time)

    def _labelled(self, labels: Labels) -> Labels:
        """Add ``member``; a label that the source itself calls so moves out of the way."""
        member = self._schedule.member_of(labels)
        if not member:
            return labels
        moved = dict(labels)
        free = MEMBER
        while free in moved:
            free = f"exported_{free}"
        if free != MEMBER:
            moved[free] = moved.pop(MEMBER)
        return tuple(sorted({**moved, MEMBER: member}.items()))

    def settle(self, seen: int) -> None:
        """Learn the phases, once every member was seen or has had the time for it. ``seen``: until when, the source's time."""
        every = self._schedule.every
        seen_up = {kept.labels: max(kept.samples) for kept in self._health() if kept.samples}
        if self._border is not None:
            if seen_up.keys() - self._aligned:  # a target that was not known before: the widest gap may be another one
                self._aligned |= seen_up.keys()
                self._phase = widest_gap((kept.newest for kept in self._health()), every)
            return
        known = {label(labels, MEMBER) for labels in seen_up}
        patience = self._begin + 2 * every + self._schedule.lag
        if known != set(self._schedule.members.values()) and seen < patience:
            return
        self._aligned = set(seen_up)
        self._phase = widest_gap(seen_up.values(), every)
        self._first = self._border = self._phase - (self._phase - self._begin) // every * every
        for kept in self._series.values():
            kept.samples = {time: value for time, value in kept.samples.items() if time >= self._border}

    def due(self, seen: int, mapping: ClockMap, doubt: str = "") -> Iterator[tuple[Round, dict[str, Timed]]]:
        """Every interval whose lag is over, if the source was seen until ``seen``. ``doubt``: why they tell nothing."""
        self.settle(seen)
        while (until := self.next_due()) is not None and until <= seen:
            yield self._round(mapping, doubt)

    def _round(self, mapping: ClockMap, doubt: str) -> tuple[Round, dict[str, Timed]]:
        assert self._border is not None
        start, end = self._border, self._end()
        taken: dict[str, list[tuple[Labels, int, float]]] = {_NOBODY: []}
        taken |= {member: [] for member in self._schedule.members.values()}
        for kept in self._series.values():
            inside = sorted(time for time in kept.samples if start <= time < end)
            taken[kept.member] += [(kept.labels, mapping.ours(time), kept.samples[time]) for time in inside]
            kept.known = set(inside)
            self._space(kept, inside)
            for time in inside:
                del kept.samples[time]
        self._border = end
        doubts = [text for text in (doubt, self._lateness()) if text]
        bounds = self._bounds(taken, mapping, start, end)
        round_ = Round(
            source=SCRAPE,
            tick=bounds[1],
            start=bounds[0],
            end=bounds[2],
            failed={member: cause for member, samples in taken.items() if member and (cause := _failure(samples))},
            doubt="; ".join(doubts),
        )
        return round_, {member: _timed(samples, bounds[1]) for member, samples in taken.items()}

    def _bounds(
        self, taken: Mapping[str, list[tuple[Labels, int, float]]], mapping: ClockMap, start: int, end: int
    ) -> tuple[int, int, int]:
        """The earliest that the first sample, the instant of the last one, the latest that it can have been taken."""
        times = [time for samples in taken.values() for _, time, _ in samples]
        if not times:
            return mapping.ours(start) - mapping.error, mapping.ours(end) - 1, mapping.ours(end) + mapping.error
        # A sample bears the instant at which its scrape began; the value is of some moment until its end.
        ends = [
            time + round(value * 10**9)
            for samples in taken.values()
            for labels, time, value in samples
            if label(labels, "__name__") == _TOOK
        ]
        return min(times) - mapping.error, max(times), max([*times, *ends]) + mapping.error

    def _lateness(self) -> str:
        late, self._late = self._late, 0
        if not late:
            return ""
        lag = self._schedule.lag / 10**9
        return f"{late} samples became visible more than {lag:g}s after their scrape interval: raise `lag`"

    def _health(self) -> Iterator[_Kept]:
        for kept in self._series.values():
            if kept.member and label(kept.labels, "__name__") == _UP:
                yield kept

    def odd_spacing(self) -> int | None:
        """The usual time between two scrapes of a member, in ns, where it is not the one that was said."""
        if len(self._spacings) < _FEWEST_SPACINGS:
            return None
        usual = int(median(self._spacings))
        every = self._schedule.every
        return usual if not every / _ODD_SPACING <= usual <= every * _ODD_SPACING else None

    def _space(self, kept: _Kept, inside: list[int]) -> None:
        if label(kept.labels, "__name__") == _UP:
            times = [kept.last, *inside] if kept.last is not None else inside
            self._spacings.extend(later - earlier for earlier, later in pairwise(times))
        kept.last = inside[-1] if inside else kept.last


def _failure(samples: list[tuple[Labels, int, float]]) -> str:
    """Why a member was not seen in an interval; empty where its last scrape succeeded."""
    if not samples:
        return "the source has no sample of it in this interval"
    last = {labels: value for labels, _, value in sorted(samples, key=lambda sample: sample[1])}
    health = [value for labels, value in last.items() if label(labels, "__name__") == _UP]
    return "its scrape failed (up is not 1)" if any(value != 1 for value in health) else ""


def _timed(samples: list[tuple[Labels, int, float]], tick: int) -> Timed:
    """What is gone was seen to be so by the member's last scrape, or at the end of the round where there was none."""
    health = [time for labels, time, _ in samples if label(labels, "__name__") == _UP]
    return Timed(samples=sorted(samples, key=lambda sample: sample[1]), at=max(health, default=tick))
