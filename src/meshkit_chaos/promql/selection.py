"""From storage to samples: which series a selector means, its value at an instant, its samples in a range."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from meshkit_chaos.promql.series import Labels, SeriesLike, Storage, is_stale, label
from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.syntax import Selector
from meshkit_chaos.promql.window import Window


class Selection:
    """Which series a selector means. Remembers its answer by label set, for storages whose series grow from round to round.

    A tuple cannot change, so for the same tuple the whole answer is remembered.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._known: dict[Labels, Labels | None] = {}
        self._asked: Sequence[SeriesLike] = ()
        self._answer: list[tuple[Labels, SeriesLike]] = []

    def of(self, storage: Storage) -> list[tuple[Labels, SeriesLike]]:
        found = storage.named(self._selector.metric)
        if found is self._asked and isinstance(found, tuple):
            return self._answer
        self._asked = found
        self._answer = [(labels, series) for series in found if (labels := self._labels(series.labels)) is not None]
        return self._answer

    def _labels(self, raw: Labels) -> Labels | None:
        """The label set without empty values (which PromQL takes as absent), or None where a matcher says no."""
        if raw not in self._known:
            wanted = self._selector.metric in {"", label(raw, "__name__")}
            wanted = wanted and all(matcher.matches(label(raw, matcher.name)) for matcher in self._selector.matchers)
            self._known[raw] = tuple(pair for pair in raw if pair[1]) if wanted else None
        return self._known[raw]


def latest(series: SeriesLike, at_ns: int, settings: Settings) -> tuple[int, float] | None:
    """The newest sample not after ``at_ns``; None where it is stale or older than the lookback."""
    index = bisect_right(series.times, at_ns) - 1
    if index < 0:
        return None
    time, value = series.times[index], series.values[index]
    oldest = at_ns - settings.lookback_ns
    if time < oldest or (time == oldest and not settings.closed) or (math.isnan(value) and is_stale(value)):
        return None
    return time, value


def window(series: SeriesLike, labels: Labels, *, start_ns: int, end_ns: int, settings: Settings) -> Window | None:
    """The samples of a range without staleness markers; None where there are none."""
    first = bisect_right(series.times, start_ns - 1 if settings.closed else start_ns)
    last = bisect_right(series.times, end_ns)
    if first >= last:
        return None
    times, values = list(series.times[first:last]), list(series.values[first:last])
    if any(map(math.isnan, values)):
        kept = [(time, value) for time, value in zip(times, values, strict=True) if not is_stale(value)]
        times, values = [time for time, _ in kept], [value for _, value in kept]
    return Window(labels, times, values, start_ns, end_ns) if times else None
