"""Rates and their extrapolation, by hand."""

from __future__ import annotations

import math

import pytest
from promql_recorded import ask, every, recorded

from meshkit_chaos.promql import STALE, Settings

CLOSED = Settings(range_boundaries="closed")


def test_a_window_full_of_samples_is_extrapolated_to_its_ends() -> None:
    """Three increments of 10 seen over 45 s of a minute count as 40."""
    data = recorded({"x": every(15, [100, 110, 120, 130, 140])})
    assert ask("increase(x[1m])", data, 60) == pytest.approx({"": 40})
    assert ask("rate(x[1m])", data, 60) == pytest.approx({"": 40 / 60})
    assert ask("delta(x[1m])", data, 60) == pytest.approx({"": 40})
    assert ask("increase(x[1m])", data, 60, CLOSED) == pytest.approx({"": 40})
    assert ask("increase(x[1m] offset 5s)", data, 65) == pytest.approx({"": 40})


def test_far_ends_get_half_a_spacing() -> None:
    """Samples at 60, 75 and 90 in (0, 120] cover 30 s, and 7.5 s more on each side."""
    data = recorded({"x": [(60, 1000), (75, 1010), (90, 1020)]})
    assert ask("increase(x[2m])", data, 120) == pytest.approx({"": 20 * 45 / 30})


def test_a_counter_is_not_extrapolated_below_zero() -> None:
    """A counter that starts at 2 and gains 10 in 15 s was zero 3 s before its first sample."""
    data = recorded({"x": [(15, 2), (30, 12), (45, 22), (60, 32)]})
    assert ask("increase(x[1m])", data, 60) == pytest.approx({"": 30 * (45 + 3) / 45})
    assert ask("delta(x[1m])", data, 60) == pytest.approx({"": 30 * 60 / 45})
    born = recorded({"x": [(15, 0), (30, 10), (45, 20), (60, 30)]})
    assert ask("increase(x[1m])", born, 60) == pytest.approx({"": 30})


def test_the_zero_point_rule_changed() -> None:
    """With a far start and a zero point between half a spacing and 1.1, version 3 adds half a spacing, version 2 more."""
    data = recorded({"x": [(105, 8), (120, 18)]})  # zero 12 s before the first sample, spacing 15
    assert ask("increase(x[2m])", data, 120) == pytest.approx({"": 10 * (15 + 7.5) / 15})
    assert ask("increase(x[2m])", data, 120, CLOSED) == pytest.approx({"": 10 * (15 + 12) / 15})


def test_counter_resets_are_added_back() -> None:
    """5, 8, 2, 4 is an increase of 3 + 2 + 2; delta takes it as it is."""
    data = recorded({"x": [(15, 5), (30, 8), (45, 2), (60, 4)]})
    assert ask("increase(x[1m])", data, 60) == pytest.approx({"": 7 * 60 / 45})
    assert ask("delta(x[1m])", data, 60) == pytest.approx({"": -1 * 60 / 45})
    assert ask("resets(x[1m])", data, 60) == {"": 1}


def test_one_sample_has_no_rate() -> None:
    """With fewer than two samples there is no result, never a zero."""
    data = recorded({"x": [(55, 5)]})
    for function in ("rate", "increase", "delta", "irate", "idelta", "deriv"):
        assert ask(f"{function}(x[1m])", data, 60) == {}, function
        assert ask(f"{function}(x[1m])", data, 500) == {}, function


def test_instant_rates_use_the_last_two_samples() -> None:
    """irate knows resets, idelta does not, and neither extrapolates."""
    data = recorded({"x": [(15, 100), (30, 7), (40, 12)]})
    assert ask("irate(x[1m])", data, 60) == pytest.approx({"": 0.5})
    assert ask("irate(x[1m])", data, 35) == pytest.approx({"": 7 / 15})
    assert ask("idelta(x[1m])", data, 35) == {"": -93}


def test_deriv_is_a_regression() -> None:
    """The slope of 0, 2, 1 at 0, 10 and 20 s is 0.05 per second; a constant has none."""
    data = recorded({"x": [(10, 0), (20, 2), (30, 1)], "flat": every(10, [7, 7, 7, 7]), "top": every(10, [math.inf] * 4)})
    assert ask("deriv(x[1m])", data, 30) == pytest.approx({"": 0.05})
    assert ask("deriv(flat[1m])", data, 30) == {"": 0}
    assert ask("deriv(top[1m])", data, 30) == pytest.approx({"": math.nan}, nan_ok=True)


def test_staleness_markers_are_no_samples() -> None:
    """A marker between two samples changes no rate."""
    with_marker = recorded({"x": [(15, 5), (30, STALE), (45, 8)]})
    without = recorded({"x": [(15, 5), (45, 8)]})
    assert ask("rate(x[1m])", with_marker, 60) == ask("rate(x[1m])", without, 60)


def test_a_wide_window_hides_a_recovery() -> None:
    """Why lint looks at windows: 20 s of errors read as errors for almost five minutes by rate[5m]."""
    data = recorded({"bad": every(15, [100, 100, 120, 120] + [120] * 40)})
    assert ask("rate(bad[5m]) > bool 0", data, 310) == {"": 1}
    assert ask("rate(bad[1m]) > bool 0", data, 110) == {"": 0}
