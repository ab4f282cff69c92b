"""Collects rounds as they come: a store that queries can read at once, and blocks for the journal.

Takes a round with each member's samples. Gives them as growing series (a PromQL ``Storage``), as the block of everything
since the last flush, and as ``Samples``. Writes staleness markers as Prometheus does: at the tick at which a series that was
there is not there any more, be it dropped by its member or gone with the member's failed scrape. Refuses time that does not
go forward. Pure: no clock, no I/O.
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
        past = self._rounds.setdefault(round_.source, [])
        if past and round_.tick <= past[-1].tick:
            raise ValueError(f"{round_.source!r} had a round at {past[-1].tick}; one at {round_.tick} cannot follow")
        before = {member for source, member in self._present if source == round_.source}
        for member in sorted(before | samples.keys()):
            self._add_member(round_, member, samples.get(member, ()))
        past.append(round_)
        self._unflushed.append(round_)

    def _add_member(self, round_: Round, member: str, samples: Sequence[Sample]) -> None:
        now: dict[Labels, None] = {}
        for labels, value in samples:
            self._append(labels, round_.tick, value)
            now[labels] = None
        for labels in self._present.get((round_.source, member), {}):
            if labels not in now:
                self._append(labels, round_.tick, STALE)
        self._present[round_.source, member] = now

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
