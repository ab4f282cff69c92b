"""Samples as the judge reads them: rounds and series. A value, built by the store and by tests alike.

A *round* is one tick of one source (``scrape`` or a probe's name): all members asked at once. A sample's instant is its round's
tick; where another server scraped, it is the sample's own, and the tick is the last of the round. Staleness markers stand where
a series ended or its member's scrape failed, as Prometheus writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from meshkit_chaos.promql.series import Series


class Round(Struct, frozen=True, kw_only=True):
    """``tick`` ≤ ``start`` ≤ ``end``, monotonic ns: when it was due, when its first request left, when its last answer came.

    Where another server scraped: ``start`` ≤ ``tick`` ≤ ``end``: the earliest that its first sample can have been taken, the
    instant of its last sample, the latest that this can have been taken. ``doubt``: why such a round tells nothing at all.

    ``failed`` maps members whose scrape gave nothing usable to the cause. A probe that *failed* is not there: it is a sample of
    value 0. Only a probe that itself broke (our fault, not the member's) is.
    """

    source: str
    tick: int
    start: int
    end: int
    failed: dict[str, str] = {}
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class Samples:
    """Everything that was sampled in a run: rounds by source, oldest first; series by metric name."""

    rounds: Mapping[str, tuple[Round, ...]] = field(default_factory=dict)
    series: Mapping[str, tuple[Series, ...]] = field(default_factory=dict)

    def named(self, name: str) -> Sequence[Series]:
        if name:
            return self.series.get(name, ())
        return tuple(series for several in self.series.values() for series in several)
