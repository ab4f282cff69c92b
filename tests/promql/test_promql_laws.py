"""Laws that hold for any data."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promql_recorded import SECOND, Recorded, ask

from meshkit_chaos.promql import STALE, NoData, Series, Settings, evaluate, labels_of, parse, single

CLOSED = Settings(range_boundaries="closed")
_values = st.floats(-1e6, 1e6) | st.integers(0, 5).map(float)
_odd = st.sampled_from([math.nan, math.inf, -math.inf, STALE])


@st.composite
def _series(draw: Callable[..., object], name: str = "x", *, values: st.SearchStrategy[float] = _values) -> Recorded:
    """Up to four series ``x{m, z}`` with up to ten samples each."""
    out = []
    for member in draw(st.sets(st.sampled_from("abcd"), max_size=4)):
        times = sorted(draw(st.sets(st.integers(0, 120), max_size=10)))
        points = draw(st.lists(values, min_size=len(times), max_size=len(times)))
        labels = labels_of(name, {"m": member, "z": "left" if member in "ab" else "right"})
        out.append(Series(labels, tuple(time * SECOND for time in times), tuple(points)))
    return Recorded(tuple(out))


_instants = st.integers(-10, 500)


@settings(deadline=None)
@given(start=st.integers(0, 100), slope=st.integers(0, 50), every=st.integers(1, 15), at=st.integers(200, 230))
def test_the_rate_of_a_straight_counter_is_its_slope(start: int, slope: int, every: int, at: int) -> None:
    """Extrapolation neither adds to nor takes from a counter that rises evenly and is far from zero."""
    times = range(0, 300, every)
    data = Recorded(
        (Series(labels_of("x", {}), tuple(t * SECOND for t in times), tuple(1e6 + start + slope * t for t in times)),)
    )
    for chosen in (Settings(), CLOSED):
        assert ask("rate(x[2m])", data, at, chosen) == pytest.approx({"": slope}, abs=1e-6)
        assert ask("increase(x[2m]) / 120", data, at, chosen) == pytest.approx({"": slope}, abs=1e-6)
        assert ask("deriv(x[2m])", data, at, chosen) == pytest.approx({"": slope}, abs=1e-6)


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants)
def test_a_sum_is_the_sum_of_its_parts(data: Recorded, at: int) -> None:
    """``sum`` of the sums of a partition, and count likewise, is that of the whole."""
    for op in ("sum", "count"):
        whole, parts = ask(f"{op}(x)", data, at), ask(f"sum({op} by (z) (x))", data, at)
        assert parts == pytest.approx(whole, rel=1e-9, abs=1e-6, nan_ok=True)
    for op in ("min", "max", "group"):
        whole, parts = ask(f"{op}(x)", data, at), ask(f"{op}({op} by (z) (x))", data, at)
        assert parts == pytest.approx(whole, nan_ok=True)


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants)
def test_set_operators_are_those_of_sets(data: Recorded, at: int) -> None:
    """``x unless x`` is empty; ``x and x`` and ``x or x`` are x; filters split x in two."""
    whole = ask("x", data, at)
    assert ask("x unless x", data, at) == {}
    assert ask("x and x", data, at) == pytest.approx(whole, nan_ok=True)
    assert ask("x or x", data, at) == pytest.approx(whole, nan_ok=True)
    assert ask("(x > 2) or (x unless (x > 2))", data, at) == pytest.approx(whole, nan_ok=True)
    assert isinstance(whole, dict)
    above, below = ask("x > 2", data, at), ask("x <= 2", data, at)
    assert isinstance(above, dict)
    assert isinstance(below, dict)
    assert above.keys() | below.keys() == {labels for labels, value in whole.items() if not math.isnan(value)}


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants)
def test_absent_is_the_opposite_of_present(data: Recorded, at: int) -> None:
    """``absent`` gives 1 exactly where the vector is empty, and so does its relative over time."""
    assert bool(ask("absent(x)", data, at)) == (ask("x", data, at) == {})
    assert bool(ask("absent_over_time(x[30s])", data, at)) == (ask("count_over_time(x[30s])", data, at) == {})


@settings(deadline=None)
@given(_series(), _instants)
def test_a_marker_removes_a_series_until_its_next_sample(data: Recorded, at: int) -> None:
    """Nothing is seen at or after a staleness marker that ends every series."""
    ended = Recorded(tuple(Series(one.labels, (*one.times, 130 * SECOND), (*one.values, STALE)) for one in data.series))
    expected = {} if at >= 130 else ask("x", data, at)
    assert ask("x", ended, at) == expected


@settings(deadline=None)
@given(st.lists(_values | st.just(math.nan), min_size=1, max_size=20))
def test_changes_and_resets_are_counted(values: list[float]) -> None:
    """Both agree with a count over neighbours."""
    data = Recorded((Series(labels_of("x", {}), tuple(range(1, len(values) + 1)), tuple(values)),))
    pairs = list(pairwise(values))
    changes = sum(1 for a, b in pairs if a != b and not (math.isnan(a) and math.isnan(b)))
    assert ask("changes(x[1s])", data, 1) == {"": changes}
    assert ask("resets(x[1s])", data, 1) == {"": sum(1 for a, b in pairs if b < a)}


@settings(deadline=None)
@given(_series(values=_values | _odd), st.floats(0, 1), _instants)
def test_a_quantile_lies_between_the_extremes(data: Recorded, q: float, at: int) -> None:
    """A quantile of finite values is inside their range; the ends are the extremes."""
    found = evaluate(parse(f"quantile({q}, x)"), data, at * SECOND)
    values = [sample.value for sample in evaluate(parse("x"), data, at * SECOND).samples]
    if not values:
        assert isinstance(single(found), NoData)
    elif all(map(math.isfinite, values)):
        number = single(found)
        assert isinstance(number, float)
        assert min(values) - 1e-6 <= number <= max(values) + 1e-6


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants)
def test_no_samples_never_become_a_number(data: Recorded, at: int) -> None:
    """Whatever is asked of series that are not there, the answer is no data."""
    for text in (
        "sum(nothing)",
        "count(nothing)",
        "rate(nothing[1m])",
        "max(x) - max(nothing)",
        "histogram_quantile(0.9, nothing)",
        "scalar(nothing)",
        "sum(x) / scalar(nothing)",
        "max_over_time(nothing[1m])",
        "avg_over_time(sum(nothing)[1m:10s])",
        "topk(1, nothing)",
        "count(x > 0 and nothing)",
    ):
        assert isinstance(single(evaluate(parse(text), data, at * SECOND)), NoData), text


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants, st.integers(-60, 60))
def test_an_offset_is_another_instant(data: Recorded, at: int, offset: int) -> None:
    """``x offset d`` at t is x at t - d."""
    shift = f" offset {offset}s" if offset else ""
    assert ask(f"x{shift}", data, at) == pytest.approx(ask("x", data, at - offset), nan_ok=True)
    assert ask(f"sum_over_time(x[40s]{shift})", data, at) == pytest.approx(
        ask("sum_over_time(x[40s])", data, at - offset), nan_ok=True
    )


@settings(deadline=None)
@given(_series(values=_values | _odd), _instants)
def test_a_shifted_time_line_changes_nothing(data: Recorded, at: int) -> None:
    """Only ``time()`` and aligned subquery steps know where zero is."""
    day = 86_400
    moved = Recorded(tuple(Series(s.labels, tuple(t + day * SECOND for t in s.times), s.values) for s in data.series))
    for text in ("x", "rate(x[1m])", "deriv(x[1m])", "stddev_over_time(x[1m])", "max_over_time(sum(x)[1m:10s])"):
        assert ask(text, moved, at + day) == pytest.approx(ask(text, data, at), nan_ok=True, rel=1e-9, abs=1e-9), text
