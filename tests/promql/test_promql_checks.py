"""What is said about queries without data, and how results become one number."""

from __future__ import annotations

import math

import pytest
from promql_recorded import SECOND, recorded

from meshkit_chaos.promql import (
    ManySeries,
    NoData,
    Sample,
    Scalar,
    Settings,
    Vector,
    evaluate,
    fills_missing,
    filtering_comparison,
    never_bad,
    never_good,
    parse,
    range_windows,
    reach_ns,
    show,
    single,
    surely_single,
)
from meshkit_chaos.slo import Band


@pytest.mark.parametrize(
    ("query", "band"),
    [
        ("x == 0", "== 0"),
        ("0 == x", "== 0"),
        ("max(x == 0)", "== 0"),
        ("sum(x == 0)", "== 0"),
        ("-(x == 1)", "== -1"),
        ("x == 0 and on (a) y", "== 0"),
        ("x > 5", ">= 5"),
        ("5 < x", "> 5"),
        ("avg(x < 3)", "< 3"),
        ("x != 0", "!= 0"),
        ("absent(x)", "== 1"),
        ("count(x)", ">= 1"),
        ("x == bool 0", "between 0 and 1"),
        ("max_over_time((x > 3)[1m:5s])", "> 3"),
        ("vector(1) == 1", "== 1"),
    ],
)
def test_objectives_that_cannot_fail(query: str, band: str) -> None:
    """A filter whose survivors are all in the band turns every bad case into nothing."""
    said = never_bad(parse(query), Band.parse(band))
    assert said is not None
    assert said.startswith("this objective cannot fail: ")


@pytest.mark.parametrize(
    ("query", "band"),
    [
        ("x", "== 0"),
        ("x == bool 0", "== 1"),
        ("x > 5", "> 10"),
        ("x == 0", "== 1"),
        ("count(x)", ">= 3"),
        ("count(up == 1)", ">= 3"),
        ("sum(x > 1)", "> 1"),
        ("x == y", "== 0"),
        ("x < 3", ">= -100"),
    ],
)
def test_objectives_that_can_fail(query: str, band: str) -> None:
    """No sound objective is called impossible."""
    assert never_bad(parse(query), Band.parse(band)) is None


def test_objectives_that_cannot_hold() -> None:
    """``absent(x) == 0`` and ``count(x == 0) == 0`` are never good: their good case is nothing at all."""
    assert never_good(parse("absent(x)"), Band.parse("== 0")) is not None
    assert never_good(parse("count(x == 0)"), Band.parse("== 0")) is not None
    assert never_good(parse("x == 1"), Band.parse("== 0")) is not None
    assert never_good(parse("x == bool 0"), Band.parse("== 0")) is None
    assert never_good(parse("x"), Band.parse("== 0")) is None


def test_filters_are_described() -> None:
    """A comparison without bool on top is named; with bool, inside an aggregation or between numbers it is not."""
    for text in ("x == 0", "x > y", "(x != 1) and y", "x <= 1 unless y"):
        assert "without bool" in (filtering_comparison(parse(text)) or ""), text
    for text in ("x", "x == bool 0", "count(x == 0)", "1 == bool 1", "y and (x == 0)"):
        assert filtering_comparison(parse(text)) is None, text


def test_values_out_of_nothing_are_described() -> None:
    """``or vector(0)`` and queries without a series are no evidence."""
    assert fills_missing(parse("sum(x) or vector(0)")) is not None
    assert fills_missing(parse("1 - (sum(x) or on () vector(0))")) is not None
    assert fills_missing(parse("vector(1)")) is not None
    assert fills_missing(parse("x or y")) is None
    assert fills_missing(parse("sum(x) + 1")) is None


@pytest.mark.parametrize(
    "text",
    [
        "sum(x)",
        "count by () (x)",
        "absent(x)",
        "vector(1)",
        "time()",
        "scalar(x)",
        "-max(x)",
        "max(x) / min(y)",
        "max(x) > 3",
        "3 < max(x)",
        "x / on () sum(y)",
        "max_over_time(sum(x)[1m:])",
        "rate(sum(x)[1m:])",
        "histogram_quantile(0.9, sum by (le) (rate(x_bucket[1m])))",
        "label_replace(sum(x), 'a', 'b', '', '')",
        "sum(x) or vector(0)",
        "sum(x) and y",
        "topk(1, sum(x))",
        "clamp(sum(x), 0, 1)",
    ],
)
def test_surely_one_element(text: str) -> None:
    """Where the shape of the query admits one element at most, that is seen."""
    assert surely_single(parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "sum by (a) (x)",
        "topk(1, x)",
        "x or sum(y)",
        "x and sum(y)",
        "x * on (a) group_left sum by (a) (y)",
        "rate(x[1m])",
        "histogram_quantile(0.9, sum by (le, a) (x))",
        "sum without (a) (x)",
        "absent(x) or sum(y)",
    ],
)
def test_perhaps_several_elements(text: str) -> None:
    """Where several are possible, nothing is promised."""
    assert not surely_single(parse(text))


def test_windows_and_reach() -> None:
    """Windows are listed outermost first; reach adds nested windows, offsets and the lookback."""
    query = parse("max_over_time(rate(x[1m])[5m:10s] offset 30s) + y")
    assert range_windows(query) == (300 * SECOND, 60 * SECOND)
    assert reach_ns(query) == (30 + 300 + 60) * SECOND
    assert reach_ns(parse("x offset 1m")) == 360 * SECOND
    assert reach_ns(parse("x"), Settings(lookback_ns=7)) == 7
    assert reach_ns(parse("time()")) == 0


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_data(number: float) -> None:
    """NaN and infinities never reach an assessment as numbers."""
    for value in (Scalar(number), Vector((Sample((), number),))):
        assert isinstance(single(value), NoData)


def test_one_finite_value_is_a_number() -> None:
    """A scalar or a single element gives its value."""
    assert single(Scalar(2.5)) == 2.5
    assert single(Vector((Sample((("a", "b"),), 0.0),))) == 0.0


def test_an_empty_result_is_no_data() -> None:
    """The reason says that nothing came back."""
    assert single(Vector(())) == NoData("the query returned nothing")


def test_many_series_are_named_with_a_way_out() -> None:
    """All label sets are carried, the differing label is named, and an aggregation is suggested."""
    data = recorded({'x{m="a",z="1"}': [(0, 1)], 'x{m="b",z="1"}': [(0, 1)]})
    found = single(evaluate(parse("x"), data, 0), text="x")
    assert isinstance(found, ManySeries)
    assert isinstance(found, NoData)
    assert len(found.labels) == 2
    assert "2 series that differ in m" in found.reason
    assert "max(x)" in found.suggestion
    assert 'x{m="a",z="1"}' in found.reason


def test_label_sets_are_shown_as_promql_writes_them() -> None:
    """With a name, without one, and empty."""
    assert show((("__name__", "x"), ("a", "b"))) == 'x{a="b"}'
    assert show((("a", "b"),)) == '{a="b"}'
    assert show((("__name__", "x"),)) == "x"
    assert show(()) == "{}"
