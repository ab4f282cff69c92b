"""The exact tests against what they must be by hand, by symmetry, and by other people's programs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.gate.exact_tests import (
    Span,
    fisher,
    fisher_least,
    fisher_needs,
    fisher_power,
    median,
    rank_needs,
    rank_power,
    rank_test,
    sure_wins,
    surely_longer,
)

SPANS = st.builds(
    lambda lo, width: Span(lo, None if width is None else lo + width),
    st.integers(0, 12),
    st.none() | st.integers(0, 4),
)


def wins(old: Sequence[Span], new: Sequence[Span]) -> int:
    return sum(surely_longer(one, other) for one in new for other in old)


@given(st.lists(SPANS, min_size=1, max_size=7), st.lists(SPANS, min_size=1, max_size=4))
def test_sure_wins_are_pairs(old: list[Span], new: list[Span]) -> None:
    """Counting in sorted ends gives what looking at each pair gives."""
    assert sure_wins(old, new) == wins(old, new)


@given(st.permutations(range(9)), st.integers(1, 4))
def test_the_rank_test_counts_every_choice(order: list[int], count: int) -> None:
    """Without ties, p is what trying every choice of as many as there are new ones gives."""
    spans = [Span(n, n) for n in order]
    new, old = spans[:count], spans[count:]
    seen = wins(old, new)
    tried = [wins([one for one in spans if one not in chosen], chosen) >= seen for chosen in combinations(spans, count)]
    assert rank_test(old, new).p == pytest.approx(sum(tried) / len(tried))


@given(st.lists(SPANS, min_size=1, max_size=6), st.lists(SPANS, min_size=1, max_size=4), st.data())
def test_what_is_not_sure_is_never_claimed(old: list[Span], new: list[Span], data: st.DataObject) -> None:
    """Whatever the true times in the intervals are, their own p is not larger: ties and intervals only make it careful."""

    def truth(span: Span, number: int) -> Span:
        at = data.draw(st.integers(span.lo, span.hi if span.hi is not None else span.lo + 20)) + (span.hi is None)
        return Span(at * 100 + number, at * 100 + number)

    true_old = [truth(one, number) for number, one in enumerate(old)]
    true_new = [truth(one, number + len(old)) for number, one in enumerate(new)]
    assert rank_test(true_old, true_new).p <= rank_test(old, new).p + 1e-12


@given(st.lists(SPANS, min_size=1, max_size=7), st.lists(SPANS, min_size=1, max_size=4), st.integers(0, 3))
def test_a_longer_time_never_lowers_the_suspicion(old: list[Span], new: list[Span], which: int) -> None:
    """Making a new time the longest of all never raises p, and nothing is below the least p."""
    longest = [*new]
    longest[which % len(new)] = Span(2**62, None)
    assert rank_test(old, longest).p <= rank_test(old, new).p
    assert rank_test(old, new).least <= rank_test(old, new).p + 1e-12


@pytest.mark.parametrize(
    ("new", "old", "least"),
    [(3, 5, 0.018), (3, 10, 0.0035), (3, 20, 0.00056), (5, 10, 0.00033), (2, 20, 0.0043), (1, 20, 0.048)],
)
def test_the_least_p_is_known(new: int, old: int, least: float) -> None:
    """Without ties the least p is one choice of all there are: one run against twenty can hardly say anything."""
    test = rank_test([Span(n, n) for n in range(old)], [Span(100 + n, 100 + n) for n in range(new)])
    assert test.p == test.least == pytest.approx(1 / comb(new + old, new))
    assert test.least == pytest.approx(least, rel=0.05)


def test_fisher_by_hand() -> None:
    """The lady tasting tea: three of four right, by chance in 17 of 70 cases."""
    assert fisher(old_failures=1, old_runs=4, new_failures=3, new_runs=4) == pytest.approx(17 / 70)


@given(st.integers(0, 20), st.integers(1, 8), st.data())
def test_fisher_is_monotone(old_failures: int, new_runs: int, data: st.DataObject) -> None:
    """One more failure never raises p; no failure at all gives one; all failures give the least."""
    fails = data.draw(st.integers(0, new_runs - 1))
    numbers = {"old_failures": old_failures, "old_runs": 20, "new_runs": new_runs}
    assert fisher(new_failures=fails + 1, **numbers) <= fisher(new_failures=fails, **numbers) + 1e-12
    assert fisher(new_failures=0, **numbers) == pytest.approx(1)
    needs = fisher_needs(0.05, **numbers)
    assert (needs is None) == (fisher_least(**numbers) > 0.05)
    assert needs is None or fisher(new_failures=needs, **numbers) <= 0.05


def test_power_has_its_ends() -> None:
    """What cannot be reached has no power; what is certain is seen; no change is blamed at most as often as the level says."""
    assert fisher_power(None, new_runs=3, fails=0.5) == 0
    assert fisher_power(2, new_runs=3, fails=1.0) == 1
    assert rank_needs(0.01, old_runs=20, new_runs=1) is None
    assert rank_power(0.01, old_runs=20, new_runs=1, slower=0.9) == 0
    assert rank_power(0.01, old_runs=20, new_runs=5, slower=1.0) == 1
    assert 0 < rank_power(0.01, old_runs=20, new_runs=5, slower=0.5) <= 0.01


def test_medians_are_careful() -> None:
    """Of old times the upper ends and the higher middle count, of new ones the lower; a censored end is infinite."""
    spans = [Span(1, 2), Span(3, 4), Span(5, 6), Span(7, None)]
    assert (median(spans, upper=False), median(spans, upper=True)) == (3, 6)
    assert median(spans[3:], upper=True) == float("inf")


@pytest.mark.slow
def test_scipy_says_the_same() -> None:
    """Fisher's test and the rank test without ties agree with scipy's exact ones."""
    import random  # noqa: PLC0415  # slow tests only

    from scipy import stats  # noqa: PLC0415  # a requirement of slow tests only

    chance = random.Random(7)
    for _ in range(200):
        old_runs, new_runs = chance.randint(1, 60), chance.randint(1, 10)
        old_failures, new_failures = chance.randint(0, old_runs), chance.randint(0, new_runs)
        table = [[new_failures, new_runs - new_failures], [old_failures, old_runs - old_failures]]
        p = fisher(old_failures=old_failures, old_runs=old_runs, new_failures=new_failures, new_runs=new_runs)
        assert p == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue, abs=1e-9)
        values = chance.sample(range(10_000), old_runs + new_runs)
        old, new = values[:old_runs], values[old_runs:]
        exact = stats.mannwhitneyu(new, old, alternative="greater", method="exact").pvalue
        assert rank_test([Span(n, n) for n in old], [Span(n, n) for n in new]).p == pytest.approx(exact, abs=1e-9)
