"""Exact one-sided tests for a few runs against a few more, and what they can see. Pure, standard library only.

All give the chance, if old and new runs were exchangeable, of a result at least as bad as the one that was seen. No
distribution is assumed. Exact tests are conservative: they raise false alarms at most as often as the level says. Under
drift (a machine that grows slower for every release alike) runs are not exchangeable, and nothing is guaranteed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import NamedTuple


class Span(NamedTuple):
    """A time as an interval in ns. ``hi`` None: right-censored, more than ``lo``."""

    lo: int
    hi: int | None


class RankTest(NamedTuple):
    """``p``: of what was seen. ``least``: the smallest p that these numbers can reach, however bad the new runs are."""

    p: float
    least: float


def fisher(*, old_failures: int, old_runs: int, new_failures: int, new_runs: int) -> float:
    """One-sided Fisher exact test: that new runs fail more often. The upper tail of the hypergeometric distribution.

    Source: R. A. Fisher, *Statistical Methods for Research Workers* (5th ed., 1934), section 21.02.
    """
    failures, runs = old_failures + new_failures, old_runs + new_runs
    most = min(failures, new_runs)
    ways = sum(comb(failures, k) * comb(runs - failures, new_runs - k) for k in range(new_failures, most + 1))
    return ways / comb(runs, new_runs)


def fisher_least(*, old_failures: int, old_runs: int, new_runs: int) -> float:
    """The p of new runs that all fail: no result is more significant."""
    return fisher(old_failures=old_failures, old_runs=old_runs, new_failures=new_runs, new_runs=new_runs)


def fisher_needs(level: float, *, old_failures: int, old_runs: int, new_runs: int) -> int | None:
    """How many of the new runs must fail for p to be at the level or below; None where not even all are enough."""
    return next(
        (
            k
            for k in range(new_runs + 1)
            if fisher(old_failures=old_failures, old_runs=old_runs, new_failures=k, new_runs=new_runs) <= level
        ),
        None,
    )


def fisher_power(needs: int | None, *, new_runs: int, fails: float) -> float:
    """The chance of at least ``needs`` failures in new runs that each fail with chance ``fails``: a binomial tail."""
    if needs is None:
        return 0.0
    return sum(comb(new_runs, k) * fails**k * (1 - fails) ** (new_runs - k) for k in range(needs, new_runs + 1))


def surely_longer(one: Span, other: Span) -> bool:
    """Whether a time is longer than another, wherever in their intervals the two truly lie."""
    if other.hi is None:
        return False
    return one.lo > other.hi or (one.hi is None and one.lo >= other.hi)


def sure_wins(old: Sequence[Span], new: Sequence[Span]) -> int:
    """In how many of the pairs (new, old) the new time is surely longer."""
    ends = sorted(one.hi for one in old if one.hi is not None)
    return sum(bisect_right(ends, one.lo) if one.hi is None else bisect_left(ends, one.lo) for one in new)


def rank_test(old: Sequence[Span], new: Sequence[Span]) -> RankTest:
    """Exact one-sided rank test that new times are longer. Both must have at least one value.

    The statistic is the number of pairs in which the new time is *surely* longer. The true times, whatever they are, win at
    least as many pairs; so the chance of as many wins without ties is an upper bound of p, for ties, intervals and censored
    values alike. A longer new time never raises it. Source of the distribution: H. B. Mann and D. R. Whitney, *Annals of
    Mathematical Statistics* 18 (1947) 50-60; of scoring pairs by what is certain: E. A. Gehan, *Biometrika* 52 (1965) 203-223.
    """
    counts = _pair_counts(len(old), len(new))
    wins = sure_wins(old, new)
    every = comb(len(old) + len(new), len(new))
    return RankTest(sum(ways for won, ways in counts.items() if won >= wins) / every, 1 / every)


def _ways(values: tuple[int, ...], take: int) -> dict[int, int]:
    """In how many ways so many of the values sum to each total. Each polynomial is one large integer, so this is fast."""
    width = comb(len(values), take).bit_length() + 1
    by_count = [1] + [0] * take
    for value in values:
        for count in range(take, 0, -1):
            by_count[count] += by_count[count - 1] << (width * value)
    packed, mask = by_count[take], (1 << width) - 1
    found, total = {}, 0
    while packed:
        if ways := packed & mask:
            found[total] = ways
        packed >>= width
        total += 1
    return found


def rank_power(level: float, *, old_runs: int, new_runs: int, slower: float) -> float:
    """The chance that the rank test reaches the level if a new run is slower than an old one with chance ``slower``.

    Exact for times without ties under Lehmann's alternative, in which a new time is as the longest of k old ones and so
    ``slower = k / (k + 1)``: from the longest time down, the next is a new one with chance ``k a / (k a + b)``, with a new and
    b old times left. Source: E. L. Lehmann, *Annals of Mathematical Statistics* 24 (1953) 23-43.
    """
    least_wins = rank_needs(level, old_runs=old_runs, new_runs=new_runs)
    if least_wins is None:
        return 0.0
    if slower >= 1:
        return 1.0
    chances = _wins_under(slower / (1 - slower), old_runs=old_runs, new_runs=new_runs)
    return sum(chance for wins, chance in chances.items() if wins >= least_wins)


@lru_cache(maxsize=256)
def rank_needs(level: float, *, old_runs: int, new_runs: int) -> int | None:
    """How many of the pairs (new, old) the new ones must be slower in, without ties; None where not even all are enough."""
    tail, all_of_them = 0, comb(old_runs + new_runs, new_runs)
    counts = _pair_counts(old_runs, new_runs)
    needs = None
    for wins in range(old_runs * new_runs, -1, -1):
        tail += counts.get(wins, 0)
        if tail / all_of_them > level:
            break
        needs = wins
    return needs


@lru_cache(maxsize=256)
def _pair_counts(old_runs: int, new_runs: int) -> dict[int, int]:
    """In how many orders the new ones win so many pairs: sums of distinct ranks, less the least such sum."""
    least = new_runs * (new_runs - 1) // 2
    return {total - least: ways for total, ways in _ways(tuple(range(old_runs + new_runs)), new_runs).items()}


@lru_cache(maxsize=256)
def _wins_under(k: float, *, old_runs: int, new_runs: int) -> dict[int, float]:
    """The distribution of won pairs under Lehmann's alternative, from the longest time down."""
    states: dict[tuple[int, int], dict[int, float]] = {(new_runs, old_runs): {0: 1.0}}
    for taken in range(old_runs + new_runs):
        nexts: dict[tuple[int, int], dict[int, float]] = {}
        for (new, old), chances in states.items():
            if new + old != old_runs + new_runs - taken:
                continue
            for is_new, share in ((True, k * new / (k * new + old)), (False, old / (k * new + old))):
                if share == 0:
                    continue
                into = nexts.setdefault((new - 1, old) if is_new else (new, old - 1), {})
                for wins, chance in chances.items():
                    now = wins + (old if is_new else 0)
                    into[now] = into.get(now, 0.0) + chance * share
        states = nexts
    return states[0, 0]


def median(spans: Sequence[Span], *, upper: bool) -> float:
    """The median of the intervals' upper or lower ends, infinite where that is censored. The higher or lower of two middles."""
    ends = sorted(float("inf") if (end := span.hi if upper else span.lo) is None else float(end) for span in spans)
    return ends[len(ends) // 2] if upper else ends[(len(ends) - 1) // 2]
