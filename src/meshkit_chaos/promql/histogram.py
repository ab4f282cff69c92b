"""``histogram_quantile`` over classic buckets (cumulative counts with an upper bound in ``le``)."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from meshkit_chaos.promql.arithmetic import divide
from meshkit_chaos.promql.labels import without
from meshkit_chaos.promql.series import Labels, label
from meshkit_chaos.promql.value import Sample

_BOUND: Final = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf|infinity)", re.IGNORECASE)
_NOISE: Final = 1e-12  # relative difference between neighbours that is rounding, not a decrease

Buckets = list[tuple[float, float]]
"""Upper bound and cumulative count, by rising bound."""


def histogram_quantile(q: float, samples: Iterable[Sample]) -> list[Sample]:
    """One quantile for each set of buckets. Samples without a numeric ``le`` are not buckets and are left out."""
    found: dict[Labels, Buckets] = defaultdict(list)
    for sample in samples:
        bound = label(sample.labels, "le")
        if _BOUND.fullmatch(bound):
            found[without(sample.labels, ("le",))].append((float(bound), sample.value))
    return [Sample(labels, bucket_quantile(q, buckets)) for labels, buckets in found.items()]


def bucket_quantile(q: float, buckets: Buckets) -> float:
    """Interpolate linearly in the bucket that holds the rank; the lowest bucket starts at 0.

    NaN without a ``+Inf`` bucket, without observations, or with fewer than two buckets. A NaN count gives NaN as well, where
    Prometheus gives the highest bound: counts that are unknown are no evidence for a quantile.
    """
    if math.isnan(q):
        return math.nan
    if q < 0 or q > 1:
        return -math.inf if q < 0 else math.inf
    merged = _rising(_merged(buckets))
    if len(merged) < 2 or merged[-1][0] != math.inf or any(math.isnan(count) for _, count in merged):
        return math.nan
    total = merged[-1][1]
    if total == 0:
        return math.nan
    rank = q * total
    at = next((i for i, (_, count) in enumerate(merged[:-1]) if count >= rank), len(merged) - 1)
    if at == len(merged) - 1:
        return merged[-2][0]
    end, count = merged[at]
    if at == 0:
        return end if end <= 0 else end * divide(rank, count)
    start, below = merged[at - 1]
    return start + (end - start) * divide(rank - below, count - below)


def _merged(buckets: Buckets) -> Buckets:
    """Buckets whose bounds are one number in two spellings (``1`` and ``1.0``) are one bucket."""
    counts: dict[float, float] = {}
    for bound, count in sorted(buckets, key=lambda bucket: bucket[0]):
        counts[bound] = counts.get(bound, 0.0) + count
    return list(counts.items())


def _rising(buckets: Buckets) -> Buckets:
    """Buckets are scraped one by one and divided, so a count may seem to fall; it is held at the count before it."""
    out: Buckets = []
    for bound, count in buckets:
        if out and (count < out[-1][1] or _nearly(count, out[-1][1])):
            out.append((bound, out[-1][1]))
        else:
            out.append((bound, count))
    return out


def _nearly(a: float, b: float) -> bool:
    scale = abs(a) + abs(b)
    return a == b or (math.isfinite(scale) and scale > 0 and abs(a - b) / scale < _NOISE)
