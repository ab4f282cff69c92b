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
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.promql.series import STALE, Labels, Series, label

Sample = tuple[Labels, float]
MemberSamples = Mapping[str, Sequence[Sample]]
"""What each member gave in one round. A member that gave nothing may be absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """What a member gave in one round, with the instants at which it was scraped, oldest first.

    ``at``: when what is not there any more was seen to be gone.
    """

    samples: Sequence[tuple[Labels, int, float]]
    at: int


@dataclass(slots=True)
class GrowingSeries:
    """One series while it is recorded. ``flushed``: how many of its samples have gone into a block.

    Arrays hold 16 bytes a sample; objects would take five times that over a long run.
    """

    labels: Labels
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    flushed: int = 0

    def append(self, time: int, value: float) -> None:
        if self.times and time <= self.times[-1]:
            raise ValueError(f"{self.labels} has a sample at {self.times[-1]}; one at {time} cannot follow")
        self.times.append(time)
        self.values.append(value)

    def since(self, index: int) -> Series:
        return Series(self.labels, tuple(self.times[index:]), tuple(self.values[index:]))


class Recorder:
    """Everything sampled so far; it only grows."""

    def __init__(self) -> None:
        self._series: dict[Labels, GrowingSeries] = {}
        self._named: dict[str, list[GrowingSeries]] = {}
        self._rounds: dict[str, list[Round]] = {}
        self._present: dict[tuple[str, str], dict[Labels, None]] = {}
        self._unflushed: list[Round] = []
        self._touched: dict[Labels, GrowingSeries] = {}

    def add(self, round_: Round, samples: MemberSamples) -> None:
        """Record one round. Samples of a failed member may only be what is said *about* it (``up`` 0)."""
        tick = round_.tick
        self.add_timed(
            round_,
            {
                member: Timed(samples=[(labels, tick, value) for labels, value in several], at=tick)
                for member, several in samples.items()
            },
        )

    def add_timed(self, round_: Round, samples: Mapping[str, Timed]) -> None:
        """Record one round whose samples have instants of their own, all after those of the round before."""
        past = self._rounds.setdefault(round_.source, [])
        if past and round_.tick <= past[-1].tick:
            raise ValueError(f"{round_.source!r} had a round at {past[-1].tick}; one at {round_.tick} cannot follow")
        before = {member for source, member in self._present if source == round_.source}
        nothing = Timed(samples=(), at=round_.tick)
        for member in sorted(before | samples.keys()):
            self._add_member(round_.source, member, samples.get(member, nothing))
        past.append(round_)
        self._unflushed.append(round_)

    def _add_member(self, source: str, member: str, given: Timed) -> None:
        now: dict[Labels, None] = {}
        for labels, time, value in given.samples:
            self._append(labels, time, value)
            now[labels] = None
        for labels in self._present.get((source, member), {}):
            if labels not in now:
                self._append(labels, given.at, STALE)
        self._present[source, member] = now

    def _append(self, labels: Labels, time: int, value: float) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = GrowingSeries(labels)
            self._named.setdefault(label(labels, "__name__"), []).append(series)
        series.append(time, value)
        self._touched[labels] = series

    def named(self, name: str) -> Sequence[GrowingSeries]:
        """The live series of one metric name; all of them where it is empty."""
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
        series = tuple(one.since(one.flushed) for one in self._touched.values())
        for one in self._touched.values():
            one.flushed = len(one.times)
        block = Block(rounds=tuple(self._unflushed), series=series)
        self._touched, self._unflushed = {}, []
        return block

    def samples(self) -> Samples:
        """Everything so far as a value."""
        return Samples(
            rounds={source: tuple(rounds) for source, rounds in self._rounds.items()},
            series={name: tuple(one.since(0) for one in several) for name, several in self._named.items()},
        )
