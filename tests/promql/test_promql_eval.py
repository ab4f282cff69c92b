"""Evaluation against values computed by hand from Prometheus's documented semantics."""

from __future__ import annotations

import math

import pytest
from promql_recorded import SECOND, ask, every, recorded, series

from meshkit_chaos.promql import STALE, EvaluationError, Evaluator, Scalar, Series, Settings, Vector, evaluate, parse

CLOSED = Settings(range_boundaries="closed")
NAN, INF = math.nan, math.inf

MESH = recorded(
    {
        'up{member="a",zone="x"}': every(15, [1] * 41),
        'up{member="b",zone="x"}': every(15, [0] * 41),
        'up{member="c",zone="y"}': every(15, [1] * 41),
        'load{member="a",zone="x"}': every(15, [3] * 41),
        'load{member="b",zone="x"}': every(15, [-1.5] * 41),
        'load{member="c",zone="y"}': every(15, [7] * 41),
        'quota{zone="x",tier="gold"}': every(15, [10] * 41),
        'quota{zone="y",tier="tin"}': every(15, [20] * 41),
    }
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7),
        ("-2 ^ 2", -4),
        ("2 ^ 3 ^ 2", 512),
        ("5 % 3", 2),
        ("-5 % 3", -2),
        ("1 / 0", INF),
        ("-1 / 0", -INF),
        ("0 / 0", NAN),
        ("5 % 0", NAN),
        ("Inf % 5", NAN),
        ("(-8) ^ 0.5", NAN),
        ("0 ^ -1", INF),
        ("10 ^ 400", INF),
        ("(-10) ^ 401", -INF),
        ("1 == bool 1", 1),
        ("1 > bool 2", 0),
        ("NaN == bool NaN", 0),
        ("NaN != bool NaN", 1),
        ("time()", 600),
        ("scalar(load)", NAN),
        ('scalar(load{member="a"})', 3),
        ("scalar(nothing)", NAN),
    ],
)
def test_scalars(text: str, value: float) -> None:
    """Arithmetic between numbers is Go's: infinities and NaN instead of exceptions."""
    assert ask(text, MESH, 600) == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('load{member="a"}', {"load member=a,zone=x": 3}),
        ('load{member=~"a|c",zone!="y"}', {"load member=a,zone=x": 3}),
        ('load{member!~"[ab]"}', {"load member=c,zone=y": 7}),
        ('load{nope=""}', {"load member=a,zone=x": 3, "load member=b,zone=x": -1.5, "load member=c,zone=y": 7}),
        ('load{member="node"}', {}),
        ('{__name__=~"lo.*",zone="y"}', {"load member=c,zone=y": 7}),
        ("load > 2", {"load member=a,zone=x": 3, "load member=c,zone=y": 7}),
        ("2 < load", {"load member=a,zone=x": 3, "load member=c,zone=y": 7}),
        ("load > bool 2", {"member=a,zone=x": 1, "member=b,zone=x": 0, "member=c,zone=y": 1}),
        ("-load", {"member=a,zone=x": -3, "member=b,zone=x": 1.5, "member=c,zone=y": -7}),
        ("load * 2", {"member=a,zone=x": 6, "member=b,zone=x": -3, "member=c,zone=y": 14}),
        ("load + up", {"member=a,zone=x": 4, "member=b,zone=x": -1.5, "member=c,zone=y": 8}),
        ("load > up", {"load member=a,zone=x": 3, "load member=c,zone=y": 7}),
        ("load and on (zone) quota == 20", {"load member=c,zone=y": 7}),
        ("load unless on (zone) quota > 15", {"load member=a,zone=x": 3, "load member=b,zone=x": -1.5}),
        ('up{zone="y"} or quota{zone="y"}', {"up member=c,zone=y": 1, "quota tier=tin,zone=y": 20}),
        (
            "load / on (zone) group_left (tier) quota",
            {"member=a,tier=gold,zone=x": 0.3, "member=b,tier=gold,zone=x": -0.15, "member=c,tier=tin,zone=y": 0.35},
        ),
        ("quota - on (zone) group_right () load", {"member=a,zone=x": 7, "member=b,zone=x": 11.5, "member=c,zone=y": 13}),
        ("max by (zone) (load) / on (zone) quota", {"zone=x": 0.3, "zone=y": 0.35}),
        ("sum(load)", {"": 8.5}),
        ("sum by (zone) (load)", {"zone=x": 1.5, "zone=y": 7}),
        ("sum without (member) (load)", {"zone=x": 1.5, "zone=y": 7}),
        ("sum by (nope) (load)", {"": 8.5}),
        ("avg(load)", {"": 8.5 / 3}),
        ("min(load)", {"": -1.5}),
        ("count by (zone) (up == 0)", {"zone=x": 1}),
        ("group(load)", {"": 1}),
        ("stddev by (zone) (load)", {"zone=x": 2.25, "zone=y": 0}),
        ("stdvar by (zone) (load)", {"zone=x": 5.0625, "zone=y": 0}),
        ("quantile(0.75, load)", {"": 5}),
        ("quantile(2, load)", {"": INF}),
        ("quantile(-1, load)", {"": -INF}),
        ("topk(1, load)", {"load member=c,zone=y": 7}),
        ("bottomk by (zone) (1, load)", {"load member=b,zone=x": -1.5, "load member=c,zone=y": 7}),
        ("topk(0, load)", {}),
        ("sum(nothing)", {}),
        ("count(nothing)", {}),
        ("absent(nothing)", {"": 1}),
        ('absent(nothing{a="b",c!="d",e=~"f"})', {"a=b": 1}),
        ('absent(nothing{a="b",a="c"})', {"": 1}),
        ("absent(load)", {}),
        ("absent(sum(nothing))", {"": 1}),
        ("vector(3)", {"": 3}),
        ('abs(load{member="b"})', {"member=b,zone=x": 1.5}),
        ('ceil(load{member="b"})', {"member=b,zone=x": -1}),
        ('floor(load{member="b"})', {"member=b,zone=x": -2}),
        ('round(load{member="b"})', {"member=b,zone=x": -1}),
        ("round(vector(0.3), 0.1)", {"": 0.3}),
        ("clamp(load, 0, 5)", {"member=a,zone=x": 3, "member=b,zone=x": 0, "member=c,zone=y": 5}),
        ("clamp(load, 5, 0)", {}),
        ('clamp_min(load{member="b"}, 0)', {"member=b,zone=x": 0}),
        ('clamp_max(load{member="c"}, 5)', {"member=c,zone=y": 5}),
        ("sqrt(vector(-1))", {"": NAN}),
        ("ln(vector(0))", {"": -INF}),
        ("exp(vector(1000))", {"": INF}),
        ("sgn(load)", {"member=a,zone=x": 1, "member=b,zone=x": -1, "member=c,zone=y": 1}),
        (
            'label_replace(load{member="a"}, "who", "m-$1", "member", "(.*)")',
            {"load member=a,who=m-a,zone=x": 3},
        ),
        ('label_replace(load{member="a"}, "zone", "", "member", "a")', {"load member=a": 3}),
        ('label_replace(load{member="a"}, "who", "x", "member", "aa?b")', {"load member=a,zone=x": 3}),
    ],
)
def test_vectors(text: str, result: dict[str, float]) -> None:
    """Values, labels and names are those that Prometheus gives."""
    assert ask(text, MESH, 600) == pytest.approx(result, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("load + on (zone) quota", r"to one series; say which side has many with group_left"),
        ("quota + on (zone) load", r"two series on its right side.*load\{member=\"a\".*load\{member=\"b\""),
        ("load * on (zone) group_right () quota", "two series on its left side"),
        ("load * on (zone) group_left (member) quota", "make them one"),
        ('{__name__=~"up|load"} + 1', "two series with the same labels"),
        ('-{__name__=~"up|load"}', "unary minus"),
        ('label_replace(load, "member", "m", "member", ".*")', r"label_replace\(\) leaves two series"),
        ('rate({__name__=~"up|load"}[1m])', r"rate\(\) leaves two series"),
        ("topk(NaN, load)", "whole number"),
    ],
)
def test_ambiguity_is_an_error(text: str, said: str) -> None:
    """Where Prometheus refuses, so does this, and both label sets are shown."""
    with pytest.raises(EvaluationError, match=said):
        evaluate(parse(text), MESH, 600 * SECOND)


def test_an_empty_side_matches_nothing_and_refuses_nothing() -> None:
    """Prometheus looks for ambiguity only where both sides have something."""
    assert ask("nothing + on () load", MESH, 600) == {}


def test_lookback_and_its_boundary() -> None:
    """A sample is seen for five minutes; at exactly five only by version 2."""
    data = recorded({"x": [(0, 5)]})
    assert ask("x", data, 299.999) == {"x": 5}
    assert ask("x", data, 300) == {}
    assert ask("x", data, 300, CLOSED) == {"x": 5}
    assert ask("x", data, 300.001, CLOSED) == {}
    assert ask("x", data, -1) == {}
    assert ask("x offset 1m", data, 359) == {"x": 5}
    assert ask("x offset -1m", data, -60) == {"x": 5}
    assert ask("x", data, 9, Settings(lookback_ns=10 * SECOND)) == {"x": 5}
    assert ask("x", data, 10, Settings(lookback_ns=10 * SECOND)) == {}


def test_range_boundaries() -> None:
    """[30s] at 60 leaves out the sample at 30 since version 3, and takes it in before."""
    data = recorded({"x": every(15, [1, 2, 3, 4, 5])})
    assert ask("count_over_time(x[30s])", data, 60) == {"": 2}
    assert ask("count_over_time(x[30s])", data, 60, CLOSED) == {"": 3}
    assert ask("sum_over_time(x[30s] offset 15s)", data, 60) == {"": 3 + 4}


def test_a_staleness_marker_ends_a_series_at_once() -> None:
    """After the marker there is no value, though the lookback is not over; in a range the marker is no sample."""
    data = recorded({"x": [(0, 1), (15, 2), (30, STALE), (60, 4)]})
    assert ask("x", data, 29) == {"x": 2}
    assert ask("x", data, 30) == {}
    assert ask("x", data, 59) == {}
    assert ask("absent(x)", data, 45) == {"": 1}
    assert ask("x", data, 60) == {"x": 4}
    assert ask("count_over_time(x[2m])", data, 60) == {"": 3}
    assert ask("last_over_time(x[1m])", data, 45) == {"x": 2}
    assert ask("absent_over_time(x[20s])", data, 50) == {"": 1}


def test_nan_is_a_value_in_ranges_and_not_a_marker() -> None:
    """An ordinary NaN is a sample; sums become NaN, min and max look past it."""
    data = recorded({"x": [(15, 1), (30, NAN), (45, 3)]})
    assert ask("x", data, 30) == pytest.approx({"x": NAN}, nan_ok=True)
    assert ask("sum_over_time(x[1m])", data, 45) == pytest.approx({"": NAN}, nan_ok=True)
    assert ask("max_over_time(x[1m])", data, 45) == {"": 3}
    assert ask("count_over_time(x[1m])", data, 45) == {"": 3}
    assert ask("changes(x[1m])", data, 45) == {"": 2}


def test_functions_over_time() -> None:
    """Each reduces the samples of its window."""
    data = recorded({"x": every(15, [9, 2, 4, 4, 5])})
    for name, value in {
        "avg_over_time": 3.75,
        "min_over_time": 2,
        "max_over_time": 5,
        "sum_over_time": 15,
        "count_over_time": 4,
        "present_over_time": 1,
        "stdvar_over_time": 1.1875,
        "stddev_over_time": math.sqrt(1.1875),
        "changes": 2,
        "resets": 0,
    }.items():
        assert ask(f"{name}(x[1m])", data, 60) == pytest.approx({"": value}), name
    assert ask("last_over_time(x[1m])", data, 60) == {"x": 5}
    assert ask("quantile_over_time(0.5, x[1m])", data, 60) == {"": 4}
    assert ask("resets(x[1m])", data, 60, CLOSED) == {"": 1}


def test_timestamps() -> None:
    """Of a selector, the sample's time; of anything else, the evaluation's."""
    data = recorded({"x": [(10, 1)]})
    assert ask("timestamp(x)", data, 60) == {"": 10}
    assert ask("timestamp((x))", data, 60) == {"": 10}
    assert ask("timestamp(x offset 20s)", data, 60) == {"": 10}
    assert ask("timestamp(x + 0)", data, 60) == {"": 60}


def test_subqueries_step_on_multiples_of_their_step() -> None:
    """Steps are aligned to time, left-open since version 3; the default step is a setting."""
    data = recorded({"x": every(1, [float(second) for second in range(200)])})
    assert ask("sum_over_time(x[30s:10s])", data, 105) == {"": 80 + 90 + 100}
    assert ask("sum_over_time(x[30s:10s])", data, 100) == {"": 80 + 90 + 100}
    assert ask("sum_over_time(x[30s:10s])", data, 100, CLOSED) == {"": 70 + 80 + 90 + 100}
    assert ask("sum_over_time(x[30s:10s] offset 5s)", data, 105) == {"": 80 + 90 + 100}
    assert ask("count_over_time(x[2m:])", data, 125) == {"": 2}
    assert ask("count_over_time(x[2m:])", data, 125, Settings(subquery_step_ns=30 * SECOND)) == {"": 4}
    assert ask("max_over_time((x > 1000)[30s:10s])", data, 100) == {}


@pytest.mark.parametrize(
    ("q", "buckets", "value"),
    [
        (0.5, {"1": 10, "2": 20, "+Inf": 20}, 1.0),
        (0.75, {"1": 10, "2": 20, "+Inf": 20}, 1.5),
        (0.25, {"1": 10, "2": 20, "+Inf": 20}, 0.5),
        (1, {"1": 10, "2": 20, "+Inf": 30}, 2),
        (0.9, {"1": 10, "2": 20, "Inf": 30}, 2),
        (0.5, {"1": 10, "2": 20}, NAN),
        (0.5, {"+Inf": 20}, NAN),
        (0.5, {"1": 0, "+Inf": 0}, NAN),
        (-0.1, {"1": 10, "+Inf": 20}, -INF),
        (1.1, {"1": 10, "+Inf": 20}, INF),
        (0.2, {"-1": 10, "1": 20, "+Inf": 20}, -1),
        (0.5, {"1": 10, "2": 8, "3": 20, "+Inf": 20}, 1),
        (0.5, {"1": 5, "1.0": 5, "2": 20, "+Inf": 20}, 1),
        (0.5, {"1": 10, "two": 99, "+Inf": 20}, 1),
        (0.5, {"1": 10, "2": NAN, "+Inf": 20}, NAN),
        (0.5, {}, None),
    ],
)
def test_histogram_quantile(q: float, buckets: dict[str, float], value: float | None) -> None:
    """Linear inside the bucket of the rank; no quantile without +Inf, observations, or with unknown counts."""
    data = recorded({f'took_bucket{{le="{le}"}}': [(0, count)] for le, count in buckets.items()})
    expected = {} if value is None else {"": value}
    assert ask(f"histogram_quantile({q}, took_bucket)", data, 10) == pytest.approx(expected, nan_ok=True)


def test_topk_prefers_values_over_nan() -> None:
    """NaN is the worst in both directions."""
    data = recorded({'x{a="1"}': [(0, NAN)], 'x{a="2"}': [(0, 1)], 'x{a="3"}': [(0, 2)]})
    assert ask("topk(2, x)", data, 1) == {"x a=2": 1, "x a=3": 2}
    assert ask("bottomk(2, x)", data, 1) == {"x a=2": 1, "x a=3": 2}
    assert ask("max(x)", data, 1) == {"": 2}
    assert ask("quantile(0, x)", data, 1) == pytest.approx({"": NAN}, nan_ok=True)


def test_aggregations_do_not_hide_nan() -> None:
    """One unknown value makes a sum, a mean and a deviation unknown."""
    data = recorded({'x{a="1"}': [(0, NAN)], 'x{a="2"}': [(0, 1)]})
    for op in ("sum", "avg", "stddev", "stdvar"):
        assert ask(f"{op}(x)", data, 1) == pytest.approx({"": NAN}, nan_ok=True), op
    assert ask('stddev(x{a="1"})', data, 1) == pytest.approx({"": NAN}, nan_ok=True)


def test_sums_are_compensated() -> None:
    """1 is not lost between 1e100 and -1e100."""
    data = recorded({'x{a="1"}': [(0, 1)], 'x{a="2"}': [(0, 1e100)], 'x{a="3"}': [(0, 1)], 'x{a="4"}': [(0, -1e100)]})
    assert ask("sum(x)", data, 1) == {"": 2}
    huge = recorded({"x": every(1, [1e308, 1e308])})
    assert ask("avg_over_time(x[1m])", huge, 1) == pytest.approx({"": 1e308})


def test_names_are_whole() -> None:
    """``node-1`` does not match ``node-10``, neither by equality nor by pattern."""
    data = recorded({'x{m="node-1"}': [(0, 1)], 'x{m="node-10"}': [(0, 2)]})
    assert ask('x{m="node-1"}', data, 1) == {"x m=node-1": 1}
    assert ask('x{m=~"node-1"}', data, 1) == {"x m=node-1": 1}


class Growing:
    """A storage whose series are replaced by longer ones in place, as a live run's are."""

    def __init__(self) -> None:
        self.all: list[Series] = []

    def named(self, name: str) -> list[Series]:
        return self.all


def test_an_evaluator_follows_a_growing_storage() -> None:
    """What it remembers of matching never hides new samples or new series."""
    storage = Growing()
    evaluator = Evaluator(parse('sum(x{m=~"a|b"})'))
    assert evaluator.at(storage, 0) == Vector(())
    storage.all.append(series('x{m="a"}', [(0, 1)]))
    assert evaluator.at(storage, 1) == evaluate(parse("vector(1)"), storage, 0)
    storage.all[0] = series('x{m="a"}', [(0, 1), (1, 5)])
    storage.all.append(series('x{m="b"}', [(0, 2)]))
    storage.all.append(series('x{m="c"}', [(0, 100)]))
    assert evaluator.at(storage, SECOND) == evaluate(parse("vector(7)"), storage, 0)
    storage.all = [series('x{m="c"}', [(0, 100)])]
    assert evaluator.at(storage, SECOND) == Vector(())


def test_series_without_the_asked_name_are_not_taken() -> None:
    """A storage that hands out more than was asked for does not change the result."""
    storage = Growing()
    storage.all = [series("x", [(0, 1)]), series("y", [(0, 2)])]
    assert ask("sum(x)", storage, 1) == {"": 1}  # type: ignore[arg-type]  # any storage will do


BOTH = '{__name__=~"x|y"}'


@pytest.mark.parametrize("body", [f"max_over_time({BOTH}[1s])", f"-{BOTH} unless {BOTH} offset 1s", f"sum(-{BOTH})"])
def test_what_becomes_alike_at_different_steps_is_refused(body: str) -> None:
    """A range function and a minus take the name away of whole series: two that were told apart by it are never joined."""
    data = recorded({"x": [(2, 1), (3, STALE)], "y": [(5, 1), (6, STALE)]})
    assert ask(body, data, 2) == ask(body, data, 5) != {}
    with pytest.raises(EvaluationError, match="two series with the same labels"):
        ask(f"count_over_time(({body})[10s:1s])", data, 7)


def test_what_is_evaluated_step_by_step_may_become_alike() -> None:
    """Arithmetic and plain functions look at one step at a time, as Prometheus has it; label_replace since 3 does not."""
    data = recorded({"x": [(2, 1), (3, STALE)], "y": [(5, 1), (6, STALE)]})
    for body in (f"{BOTH} * 2", f"abs({BOTH})", f'label_replace({BOTH}, "__name__", "z", "", "")'):
        assert len(ask(f"count_over_time(({body})[10s:1s])", data, 7, CLOSED)) == 1
    with pytest.raises(EvaluationError, match="label_replace"):
        ask(f'count_over_time((label_replace({BOTH}, "__name__", "z", "", ""))[10s:1s])', data, 7)


def test_steps_between_the_ranges_of_a_subquery_count_too() -> None:
    """A subquery inside another is evaluated over all the time between, so what is ambiguous there is refused."""
    data = recorded({"x": [(7, 1), (8, STALE)], "y": [(9, 1), (10, STALE)]})
    with pytest.raises(EvaluationError, match="two series with the same labels"):
        ask(f"count_over_time(count_over_time((-{BOTH})[1s:1s])[12s:6s])", data, 12)


def test_work_is_bounded() -> None:
    """A query over too many samples is refused instead of hanging."""
    data = recorded({"x": every(0.001, [1.0] * 6000)})
    with pytest.raises(EvaluationError, match="reads more than"):
        ask("sum_over_time(sum_over_time(x[10s])[10s:1ms])", data, 6)
    with pytest.raises(EvaluationError, match="steps"):
        ask("count_over_time(x[1h:])", data, 6, Settings(subquery_step_ns=10**6))


def test_a_scalar_query_gives_a_scalar() -> None:
    """``time()`` has no labels and always a value."""
    assert evaluate(parse("time() * 2"), MESH, 5 * SECOND) == Scalar(10.0)


def test_settings_are_checked() -> None:
    """A wrong setting is an error at once."""
    with pytest.raises(ValueError, match="range_boundaries"):
        Settings(range_boundaries="open")  # type: ignore[arg-type]  # the error is the point
    with pytest.raises(ValueError, match="positive"):
        Settings(lookback_ns=0)
