"""The sequential test keeps the error rates that it states, and the interval covers as often as it says."""

from __future__ import annotations

import random
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.campaign.sequential import SequentialTest, interval, rate_told, suited_to

RATES = (1.0, 0.9, 0.6, 0.4, 0.25, 0.12)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("error", [0.01, 0.05, 0.2])
def test_the_stated_error_rates_hold(rate: float, error: float) -> None:
    """What seldom fails is kept at most so often, and what still fails is dropped at most so often."""
    test = suited_to(rate, error=error)
    assert test.kept(test.seldom) <= error
    assert test.kept(test.still) >= 1 - error


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.7])
def test_the_computed_chance_is_what_comes_out(rate: float) -> None:
    """Ten thousand courses end in keeping as often as the exact number says, within four standard errors."""
    test, draw, kept, courses = suited_to(0.5, error=0.05), random.Random(7), 0, 10_000
    for _ in range(courses):
        outcomes: list[bool] = []
        while test.decide(outcomes) == "open":
            outcomes.append(draw.random() < rate)
        kept += test.decide(outcomes) == "still"
    exact = test.kept(rate)
    assert abs(kept / courses - exact) <= 4 * (exact * (1 - exact) / courses) ** 0.5


@settings(deadline=None)
@given(st.sampled_from(RATES), st.lists(st.booleans(), max_size=40))
def test_one_failure_is_never_enough(rate: float, later: list[bool]) -> None:
    """Keeping takes two failures at least, and a decision stands whatever comes later."""
    test = suited_to(rate, error=0.2)
    for runs in range(1, len(later) + 1):
        if test.decide(later[:runs]) == "still":
            assert sum(later[:runs]) >= 2
            assert test.decide(later) == "still"
            return


@settings(deadline=None)
@given(st.sampled_from(RATES), st.integers(0, 2**32), st.floats(0, 1))
def test_it_always_comes_to_a_decision(rate: float, seed: int, fails: float) -> None:
    """The number of runs is bounded; undecided by then is not kept."""
    draw = random.Random(seed)
    assert suited_to(rate, error=0.05).decide([draw.random() < fails for _ in range(450)]) != "open"


@pytest.mark.parametrize("wrong", [{"still": 0.1}, {"seldom": 0.0}, {"error": 0.5}, {"longest": 1}])
def test_what_is_no_test_is_refused(wrong: dict[str, float]) -> None:
    """Rates in the wrong order, no error at all, or too few runs are told with their values."""
    with pytest.raises(ValueError, match="expected 0 < seldom < still < 1"):
        SequentialTest(**{"still": 0.5, "seldom": 0.2, "error": 0.05, "longest": 9, **wrong})  # type: ignore[arg-type]  # wrong on purpose


def test_intervals_that_are_known() -> None:
    """The values of the beta quantiles, to six digits."""
    assert interval(0, 20) == (0.0, pytest.approx(0.1684335, abs=1e-6))
    assert interval(10, 10) == (pytest.approx(0.6915029, abs=1e-6), 1.0)
    assert interval(3, 10) == (pytest.approx(0.0667395, abs=1e-6), pytest.approx(0.6524529, abs=1e-6))
    assert interval(0, 0) == (0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 25), st.floats(0.01, 0.99))
def test_the_interval_covers_the_truth(runs: int, rate: float) -> None:
    """Whatever the rate is, the interval holds it in at least 95 % of cases."""
    covered = sum(
        comb(runs, failures) * rate**failures * (1 - rate) ** (runs - failures)
        for failures in range(runs + 1)
        if interval(failures, runs)[0] <= rate <= interval(failures, runs)[1]
    )
    assert covered >= 0.95 - 1e-9


def test_a_rate_is_told_with_its_interval() -> None:
    """People read the share and what it may truly be."""
    assert rate_told(3, 10) == "3 of 10 runs failed: 30 % (95 % interval 7 % to 65 %)"
    assert rate_told(0, 0) == "0 of 0 runs failed: unknown (95 % interval 0 % to 100 %)"
    assert suited_to(1, error=0.05).sentence() == (
        "up to 8 runs each; a reduction that fails 16 % of the time is kept in 4 % of cases, "
        "one that fails 80 % of the time in 96 %"
    )
