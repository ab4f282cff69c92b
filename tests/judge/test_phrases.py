"""Durations for people."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.judge.phrases import at_least, at_most, listed, say, say_between, say_share

_UNITS = {"s": 10**9, "ms": 10**6, "µs": 10**3, "ns": 1}


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (1_418_000_000, "1.42 s"),
        (500_000_000, "500 ms"),
        (1_500_000_000, "1.5 s"),
        (99_950, "100 µs"),
        (65_432_000_000, "65.4 s"),
        (110_000_000_000, "110 s"),
        (125_000_000_000, "2 min 5 s"),
        (180_000_000_000, "3 min"),
        (12, "12 ns"),
    ],
)
def test_three_significant_digits_in_one_unit(ns: int, text: str) -> None:
    """A duration is written with three digits in the unit that fits."""
    assert say(ns) == text


@given(st.integers(1, 119 * 10**9))
def test_bounds_stay_true_when_they_are_rounded(ns: int) -> None:
    """A lower bound is never written higher than it is, an upper one never lower."""

    def read(text: str) -> Decimal:
        number, unit = text.split()
        return Decimal(number) * _UNITS[unit]

    assert read(at_least(ns)) <= ns <= read(at_most(ns))


def test_intervals_and_lists() -> None:
    """Intervals share the unit of their upper end; long lists are cut with a count."""
    assert say_between(1_421_000_000, 1_629_000_000) == "1.42–1.63 s"
    assert say_between(0, 1_629_000_000) == "0–1.63 s"
    assert say_between(100 * 10**9, 130 * 10**9) == "100 s – 2 min 10 s"
    assert listed(["a", "b", "c", "d", "e", "f"]) == "a, b, c, d and 2 more"
    assert say_share(0.0123) == "1.23 %"
