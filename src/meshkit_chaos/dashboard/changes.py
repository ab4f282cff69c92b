"""Where a series of runs changed for good: how long they took, or how often they failed. It explains, and never gates. Pure.

Takes the runs oldest first, as scores, and the places between two of them where a change may lie (two runs of one invocation
are of one build); gives the changes, each with the range of places that are as plausible. Splits in two where the halves
differ most, else into a spell that came and went and what is around it; then each part again. No distribution is assumed: a run
wins over another only where their intervals are surely ordered, as in the gate's rank test.

The false alarms are bounded, not estimated: of series whose runs are exchangeable, at most the stated share show a change.
Runs that drift, or that hang together (a slow week of the machine), are not exchangeable. There a change is shown more often,
and rightly: the runs did change. Whether a build did it is not known.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from heapq import nlargest
from itertools import accumulate, combinations, pairwise
from math import exp, inf, lgamma, log, log1p
from typing import Final

from msgspec import Struct

from meshkit_chaos.gate.exact_tests import Span, fisher

FALSE_ALARMS: Final = 0.01
"""Of pages of a scenario that never changed, at most this share shows a change. Shared out over the series of a page."""
LEAST_SIDE: Final = 3
"""So many runs on either side at least: two slow runs are no change for good."""
_PEAKS: Final = 12
"""So many of the best places are looked at exactly. Fewer can only miss a change, never make one."""
_ENDS: Final = 60
"""A spell begins and ends at so many places at most: of thousands of runs its edges are found by the splits that follow."""
_TURNS: Final = 40
_STEEP: Final = 40.0
_PLAUSIBLE: Final = 7.35
"""The 95 % point of the place of a change. Source: B. E. Hansen, *Econometrica* 68 (2000) 575-603, table 1."""

Scoring = Callable[[int, int], Sequence[float]]
"""The scores of the runs from one place up to another, against each other: large where a run is bad."""
_Chance = Callable[[Sequence[float], int, float], float]
"""A bound of the chance that the runs from a place on have a sum at least so far from their share."""
_Stretch = tuple[int, int]
"""From one run up to another, which is not in it; to the end where that is beyond all runs."""
_Values = tuple[tuple[float, int], ...]
"""Each score with how often it is there."""


class Change(Struct, frozen=True, kw_only=True):
    """Runs from ``at`` on are not as those before. ``earliest``, ``latest``: other places that are as plausible.

    ``start``, ``end``: the runs that were compared, up to the changes before and after. ``up``: to the worse. ``p``: a bound
    of the chance of such a change anywhere among them, had there been none.
    """

    at: int
    earliest: int
    latest: int
    start: int
    end: int
    up: bool
    p: float


def changes_of_times(spans: Sequence[Span], *, places: Sequence[int] | None = None, level: float) -> tuple[Change, ...]:
    """Where the times changed. ``places``: a change may lie before these runs; None: before any."""
    return _changes(len(spans), lambda start, end: sure_scores(spans[start:end]), chance_of_sum, places=places, level=level)


def changes_of_failures(failed: Sequence[bool], *, places: Sequence[int] | None = None, level: float) -> tuple[Change, ...]:
    """Where the share of failures changed. ``places`` as for times."""
    values = [float(one) for one in failed]
    return _changes(len(failed), lambda start, end: values[start:end], _chance_of_failures, places=places, level=level)


def sure_scores(spans: Sequence[Span]) -> list[float]:
    """How many of the others each is surely longer than, less those that it is surely shorter than.

    Source: E. A. Gehan, *Biometrika* 52 (1965) 203-223.
    """
    ends = sorted(one.hi for one in spans if one.hi is not None)
    starts = sorted(one.lo for one in spans if one.hi is not None)
    open_ones = sorted(one.lo for one in spans if one.hi is None)
    return [
        float(bisect_left(ends, one.lo) - (len(starts) - bisect_right(starts, one.hi)) - _open_above(open_ones, one.hi))
        if one.hi is not None
        else float(bisect_right(ends, one.lo))
        for one in spans
    ]


def _open_above(open_ones: Sequence[int], end: int) -> int:
    """How many times without an end are surely longer than one that ended so: they began at its end or later."""
    return len(open_ones) - bisect_left(open_ones, end)


def chance_of_slower(old: Sequence[Span], new: Sequence[Span]) -> float:
    """A bound of the chance that so many times are so much longer than others, though nothing changed; 1 where they are not."""
    if not old or not new:
        return 1.0
    scores = sure_scores((*old, *new))
    distance = sum(scores[len(old) :])
    return chance_of_sum(scores, len(old), distance) if distance > 0 else 1.0


def _chance_of_failures(failed: Sequence[float], place: int, distance: float) -> float:
    """Exactly: Fisher's test, in the direction that was seen."""
    sides = (round(sum(failed[:place])), place), (round(sum(failed[place:])), len(failed) - place)
    old, new = sides if distance > 0 else sides[::-1]
    return fisher(old_failures=old[0], old_runs=old[1], new_failures=new[0], new_runs=new[1])


def _changes(
    count: int, scoring: Scoring, chance: _Chance, *, places: Sequence[int] | None, level: float
) -> tuple[Change, ...]:
    allowed = range(1, count) if places is None else sorted({place for place in places if 0 < place < count})
    cuts = [0, *_split(0, count, scoring, chance, allowed, level), count]
    for index in range(1, len(cuts) - 1):
        cuts[index] = _placed(scoring, allowed, start=cuts[index - 1], end=cuts[index + 1])
    found = (
        _change(scoring(start, end), chance, start, at, allowed)
        for start, at, end in zip(cuts[:-2], cuts[1:-1], cuts[2:], strict=True)
    )
    return tuple(found)


def _split(start: int, end: int, scoring: Scoring, chance: _Chance, allowed: Sequence[int], level: float) -> list[int]:
    """The places of changes between two places, in order: one where all after it differs, else a spell that came and went."""
    here = [place - start for place in _between(allowed, start, end)]
    if not here:
        return []
    scores = scoring(start, end)
    for cuts in (_steps(here), _spells(here)):
        found, p = _surest(scores, chance, cuts)
        if p <= level / 2:
            edges = [start, *(start + cut for cut in found if cut < len(scores)), end]
            parts = (_split(one, other, scoring, chance, allowed, level) for one, other in pairwise(edges))
            first, *more = parts
            return [*first, *(place for edge, part in zip(edges[1:-1], more, strict=True) for place in (edge, *part))]
    return []


def _placed(scoring: Scoring, allowed: Sequence[int], *, start: int, end: int) -> int:
    """Where a change lies between its neighbours: they were not known when it was found."""
    scores = scoring(start, end)
    sums = (0.0, *accumulate(scores))

    def apart(place: int) -> float:
        inside = place - start
        return _distance(sums, inside) ** 2 / (inside * (len(scores) - inside))

    return max(_between(allowed, start, end), key=apart)


def _between(allowed: Sequence[int], start: int, end: int) -> Sequence[int]:
    return allowed[bisect_left(allowed, start + LEAST_SIDE) : bisect_right(allowed, end - LEAST_SIDE)]


def _steps(places: Sequence[int]) -> list[_Stretch]:
    return [(place, sys.maxsize) for place in places]


def _spells(places: Sequence[int]) -> list[_Stretch]:
    """Every stretch with enough runs in it; of very many places only some."""
    some = places[:: 1 + len(places) // _ENDS]
    return [(one, other) for one, other in combinations(some, 2) if other - one >= LEAST_SIDE]


def _surest(scores: Sequence[float], chance: _Chance, cuts: Sequence[_Stretch]) -> tuple[_Stretch, float]:
    """The stretch that differs most from the rest, and the chance of that anywhere among all of them, in either direction."""
    sums = (0.0, *accumulate(scores))
    count, total = len(scores), sums[-1]
    if not cuts or _spread(scores, total) == 0:
        return (0, 0), 1.0
    mean = total / count
    far = []
    for cut in cuts:
        start, end = cut[0], min(cut[1], count)
        size = end - start
        distance = sums[end] - sums[start] - mean * size
        far.append((distance * distance / (size * (count - size)), start, end, distance))
    best, found = 1.0, (0, 0)
    for _, start, end, distance in nlargest(_PEAKS, far):
        told = chance([*scores[:start], *scores[end:], *scores[start:end]], count - (end - start), distance)
        if told < best:
            best, found = told, (start, end)
    return found, min(1.0, 2 * len(cuts) * best)


def _spread(scores: Sequence[float], total: float) -> float:
    middle = total / len(scores)
    return sum((one - middle) ** 2 for one in scores)


def _distance(sums: Sequence[float], place: int) -> float:
    """How much the runs from a place on have above their share of the sum of scores."""
    count = len(sums) - 1
    return sums[-1] - sums[place] - sums[-1] * (count - place) / count


def chance_of_sum(scores: Sequence[float], place: int, distance: float) -> float:
    """An upper bound of the chance that as many runs, drawn from all of them, have a sum at least so far from their share.

    With t and s free, the chance of m of n that sum to u or more is at most exp(-t u - s m) times the product of
    (1 + exp(t a + s)) over all scores a, divided by the number of ways to draw m of n: the sum over all draws is a coefficient
    of that product. The best t and s are found by Newton's method; whichever they are, the bound holds. For a side that is
    wholly above the other it becomes the exact 1 / (n over m).
    """
    count = len(scores)
    drawn = count - place
    middle = sum(scores) / count
    largest = max(abs(one - middle) for one in scores)
    if distance == 0 or largest == 0:
        return 1.0
    turned = largest if distance > 0 else -largest
    values = tuple(((one - middle) / turned, often) for one, often in Counter(scores).items())
    ways = lgamma(count + 1) - lgamma(drawn + 1) - lgamma(place + 1)
    return exp(min(0.0, _least(values, distance / turned, drawn=drawn, rest=place) - ways))


def _least(values: _Values, wanted: float, *, drawn: int, rest: int) -> float:
    """The least of sum(log(1 + exp(t a + s))) - t u - s m that is found: it is convex in t and s."""
    t, s = 0.0, log(drawn / rest)
    best = _height(values, wanted, drawn, t, s)
    for _ in range(_TURNS):
        step_t, step_s = _newton(values, wanted, drawn, t, s)
        share = 1.0
        while share > 1e-3:
            height = _height(values, wanted, drawn, t + share * step_t, s + share * step_s)
            if height < best:
                break
            share /= 2
        else:
            return best
        gained, best = best - height, height
        t, s = t + share * step_t, s + share * step_s
        if gained < 0.01 or abs(t) > 10 * _STEEP:
            return best
    return best


def _height(values: _Values, wanted: float, drawn: int, t: float, s: float) -> float:
    if t < 0:
        return inf
    places = [(t * one + s, often) for one, often in values]
    return sum(often * (max(one, 0.0) + log1p(exp(-abs(one)))) for one, often in places) - t * wanted - s * drawn


def _newton(values: _Values, wanted: float, drawn: int, t: float, s: float) -> tuple[float, float]:
    down_t, down_s, tt, ts, ss = wanted, float(drawn), 0.0, 0.0, 0.0
    for one, often in values:
        share = 1 / (1 + exp(-max(-_STEEP, min(_STEEP, t * one + s))))
        weight = often * share * (1 - share)
        down_t -= often * share * one
        down_s -= often * share
        tt += weight * one * one
        ts += weight * one
        ss += weight
    size = tt * ss - ts * ts
    if size <= 1e-300:
        return 0.0, 0.0
    return (ss * down_t - ts * down_s) / size, (tt * down_s - ts * down_t) / size


def _change(scores: Sequence[float], chance: _Chance, start: int, at: int, allowed: Sequence[int]) -> Change:
    """The change at a place between its neighbours, with the places that fit the scores nearly as well."""
    count = len(scores)
    sums = (0.0, *accumulate(scores))
    spread = _spread(scores, sums[-1])
    here = _between(allowed, start, start + count)

    def left(place: int) -> float:
        """The squares that remain with a mean of its own on each side."""
        inside = place - start
        return spread - _distance(sums, inside) ** 2 * count / (inside * (count - inside))

    best = max(left(at), 0.0)
    fits = [place for place in here if count * (left(place) - best) <= _PLAUSIBLE * best]
    distance = _distance(sums, at - start)
    return Change(
        at=at,
        earliest=min((at, *fits)),
        latest=max((at, *fits)),
        start=start,
        end=start + count,
        up=distance > 0,
        p=min(1.0, 2 * len(here) * chance(scores, at - start, distance)),
    )
