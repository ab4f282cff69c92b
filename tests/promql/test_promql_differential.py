"""The evaluator against a real Prometheus (version 2: closed ranges) on the same data and generated queries."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from prometheus_server import Answer, PrometheusServer

from meshkit_chaos.promql import (
    STALE,
    EvaluationError,
    Series,
    Settings,
    Vector,
    evaluate,
    labels_of,
    parse,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="no prometheus on PATH"),
]

SECOND = 10**9
BASE = 1_700_000_040 * SECOND
SPAN_S = 1500
CLOSED = Settings(range_boundaries="closed")
INSTANTS = 5000
RANGES = 1000
SUBQUERIES = 300


@dataclass(frozen=True)
class Recorded:
    series: tuple[Series, ...]

    def named(self, name: str) -> Sequence[Series]:
        return tuple(one for one in self.series if not name or dict(one.labels)["__name__"] == name)


def _series(name: str, labels: dict[str, str], points: list[tuple[int, float]]) -> Series:
    return Series(labels_of(name, labels), tuple(time for time, _ in points), tuple(value for _, value in points))


def _times(dice: random.Random, interval_ms: int) -> list[int]:
    """Scrape times with a phase, jitter and a gap."""
    phase = dice.randrange(0, interval_ms) if dice.random() < 0.5 else 0
    gap = dice.randrange(SPAN_S * 1000)
    times = range(phase, SPAN_S * 1000, interval_ms)
    return [BASE + time * 10**6 for time in times if not gap < time < gap + dice.choice([0, 40_000, 400_000])]


def _counter(dice: random.Random, times: list[int]) -> list[tuple[int, float]]:
    value, out = float(dice.choice([0, 0, 3, 1000])), []
    for time in times:
        value = 0.0 if dice.random() < 0.03 else value + dice.choice([0, 0, 1, 2.5, 7])
        out.append((time, value))
    return out


def _gauge(dice: random.Random, times: list[int]) -> list[tuple[int, float]]:
    odd = [math.nan, math.inf, -math.inf, 0.0]
    return [(time, dice.choice(odd) if dice.random() < 0.02 else round(dice.uniform(-20, 60), 3)) for time in times]


def _marked(dice: random.Random, points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Put staleness markers over some samples, as after a failed scrape."""
    return [(time, STALE if dice.random() < 0.03 else value) for time, value in points]


def _buckets(dice: random.Random, member: str, times: list[int]) -> list[Series]:
    counts = dict.fromkeys(("0.1", "0.5", "1", "5", "+Inf"), 0.0)
    points: dict[str, list[tuple[int, float]]] = {le: [] for le in counts}
    for time in times:
        seen = dice.choice([0.05, 0.3, 0.7, 3, 9])
        for le in counts:
            counts[le] += dice.randrange(5) * (seen <= float(le))
            points[le].append((time, counts[le]))
    return [_series("took_bucket", {"member": member, "le": le}, some) for le, some in points.items()]


def _broken(dice: random.Random, times: list[int]) -> list[tuple[int, float]]:
    """Mostly what is not an ordinary number."""
    odd = [math.nan, math.inf, -math.inf, 0.0, -0.0, STALE, -3.0, 2.0, 1e300]
    run = dice.choice(odd)
    return [(time, run if dice.random() < 0.4 else (run := dice.choice(odd))) for time in times]


def _restarting(dice: random.Random, times: list[int]) -> list[tuple[int, float]]:
    """A counter that falls about as often as it rises, not always to zero."""
    return [(time, float(dice.choice([0, 0, 1, 5, 5, 40, 1e6]))) for time in times]


def _sparse(dice: random.Random) -> list[tuple[int, float]]:
    """Samples about the lookback apart, on whole half minutes, some ended by a marker."""
    time, points = 0, []
    while time < SPAN_S * 1000:
        points.append((BASE + time * 10**6, dice.choice([0.0, 1.0, 4.0, STALE, dice.uniform(0, 50)])))
        time += dice.choice([30_000, 299_999, 300_000, 300_001, 330_000, 600_000])
    return points


def _nasty(dice: random.Random, member: str, zone: str) -> Iterator[Series]:
    times = _times(dice, dice.choice([5000, 15_000, 30_000]))
    labels = {"member": member, "zone": zone}
    yield _series("broken", labels, _broken(dice, times))
    yield _series("restarts_total", labels, _marked(dice, _restarting(dice, times)))
    yield _series("sparse", labels, _sparse(dice))
    yield _series("once", labels, [(BASE + dice.randrange(SPAN_S) * SECOND, float(dice.randrange(3)))])
    for le in ("0.1", "1", "1.0", "10", "+Inf"):  # each bucket with markers of its own, and counts that fall
        yield _series("torn_bucket", {**labels, "le": le}, _marked(dice, _restarting(dice, times)))


def record(dice: random.Random) -> Recorded:
    out: list[Series] = []
    for member, zone in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")):
        times = _times(dice, dice.choice([5000, 10_000, 15_000]))
        labels = {"member": member, "zone": zone}
        out.append(_series("sent_total", labels, _marked(dice, _counter(dice, times))))
        out.append(_series("lost_total", labels, _counter(dice, times)))
        out.append(_series("load", labels, _marked(dice, _gauge(dice, times))))
        out.append(_series("up", labels, _marked(dice, [(time, float(dice.random() < 0.8)) for time in times])))
        out.extend(_buckets(dice, member, times))
        out.extend(_nasty(dice, member, zone))
    out.append(_series("quota", {"zone": "x", "tier": "gold"}, [(time, 3.0) for time in _times(dice, 15_000)]))
    out.append(_series("quota", {"zone": "y", "tier": "tin"}, [(time, 7.0) for time in _times(dice, 15_000)]))
    return Recorded(tuple(out))


class Author:
    """Writes random queries of the subset, typed as Prometheus types them."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice

    def pick(self, *choices: str) -> str:
        return self.dice.choice(choices)

    def span(self) -> str:
        return self.pick("5s", "10s", "30s", "1m", "90s", "5m", "7m", "15s", "1ms", "29999ms", "30001ms", "10m", "25m")

    def offset(self) -> str:
        return self.pick(
            *["", "", "", "", " offset 30s", " offset -10s", " offset 7m", " offset 1m5s"],
            *[" offset 5m", " offset 1ms", " offset 299999ms", " offset -5m"],
        )

    def plain(self) -> str:
        if self.dice.random() < 0.04:  # names that an operation drops, so that two series may become one
            return self.pick('{__name__=~"sent_total|lost_total"}', '{__name__=~"once|sparse"}', '{__name__=~"up|quota|once"}')
        name = self.pick(
            *["sent_total", "lost_total", "load", "up", "quota", "nothing"],
            *["broken", "broken", "restarts_total", "restarts_total", "sparse", "sparse", "once"],
        )
        matcher = self.pick(
            "", "", '{member="a"}', '{zone!="x"}', '{member=~"a|c"}', '{member!~"[ab]"}', '{tier=""}', '{zone=~"x|",tier!=""}'
        )
        return name + matcher

    def matrix(self, depth: int) -> str:
        if depth > 0 and self.dice.random() < 0.25:
            step = self.pick("", "15s", "20s", "1m", "7s")
            body = self.nameless() if self.dice.random() < 0.15 else self.vector(depth - 1)
            return f"({body})[{self.span()}:{step}]{self.offset()}"
        return f"{self.plain()}[{self.span()}]{self.offset()}"

    def nameless(self) -> str:
        """Series that lose their names and then look alike, at the same steps or at different ones."""
        more = self.pick("", ',zone=~"x|y"', ',zone="x"', ',member="a"')
        inner = f'{{__name__=~"once|sparse"{more}}}'
        name = self.pick("max_over_time", "rate", "last_over_time", "count_over_time", "changes", "present_over_time")
        over = f"{name}({inner}[{self.pick('1s', '1ms', '30s', '5m')}])"
        nested = f"{name}((-{inner})[{self.pick('1s', '10s')}:{self.pick('1s', '7s')}])"
        return self.pick(f"-{inner}", f"abs({inner})", f"({inner} * 2)", over, over, f"sum({over})", nested, f"sum(-{over})")

    def scalar(self, depth: int) -> str:
        if depth > 0 and self.dice.random() < 0.4:
            op = self.pick("+", "-", "*", "/", "%", "^", "== bool", "< bool", ">= bool")
            return self.pick(f"scalar({self.vector(depth - 1)})", f"({self.scalar(depth - 1)} {op} {self.scalar(depth - 1)})")
        return self.pick("0", "1", "2.5", "-3", "10", "0.5", "1e3", "NaN", "Inf", "(time() % 100)", "-Inf", "-0", "1e300")

    def clause(self) -> str:
        return self.pick(
            "", "", "by (zone) ", "by (member) ", "without (member) ", "by (nope) ", "without (zone) ", "by (zone, __name__) "
        )

    def aggregation(self, depth: int) -> str:
        op = self.pick("sum", "min", "max", "avg", "count", "group", "stddev", "stdvar", "quantile", "topk", "bottomk")
        clause = self.clause()
        if op == "quantile":
            return f"quantile {clause}({self.pick('0', '0.5', '0.9', '1', '-1', '2', 'NaN')}, {self.vector(depth)})"
        if op in {"topk", "bottomk"}:  # of values without ties: which of equals is kept is nobody's promise
            body = self.pick("load", "sum by (member) (load)", "-load", 'load{zone="x"}', "load offset 1m")
            return f"{op} {clause}({self.pick('0', '1', '2', '10')}, {body})"
        if op in {"stddev", "stdvar"}:  # of finite values: version 2 calls the deviation of one NaN 0, version 3 NaN
            body = self.pick("up", "rate(sent_total[1m])", "lost_total offset 30s", 'sent_total{zone="y"}', "changes(load[5m])")
            return f"{op} {clause}({body})"
        return f"{op} {clause}({self.vector(depth)})"

    def over_range(self, depth: int) -> str:
        name = self.pick("rate", "increase", "irate", "delta", "idelta", "deriv", "resets", "changes", "absent_over_time")
        if self.dice.random() < 0.5:
            name = self.pick("avg", "min", "max", "sum", "count", "last", "stddev", "stdvar", "present") + "_over_time"
        if self.dice.random() < 0.1:
            return f"quantile_over_time({self.pick('0', '0.3', '0.95', '1.5')}, {self.matrix(depth)})"
        body = self.matrix(depth)
        while name.startswith("std") and ("broken" in body or "1e300" in body):
            body = self.matrix(depth)  # where squares overflow, version 2 has NaN and version 3 +Inf, as we do
        return f"{name}({body})"

    def binary(self, depth: int) -> str:
        op = self.pick("+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "unless")
        if op in {"==", "!=", "<", "<=", ">", ">="} and self.dice.random() < 0.5:
            op += " bool"
        if op not in {"and", "or", "unless"} and self.dice.random() < 0.35:
            sides = [self.vector(depth), self.scalar(depth)]
            self.dice.shuffle(sides)
            return f"({sides[0]} {op} {sides[1]})"
        matching = self.pick("", "", "on (member, zone) ", "ignoring (tier) ", "on (zone) ", "on () ")
        if op not in {"and", "or", "unless"} and self.dice.random() < 0.3:
            left, right = self.pick("load", "up"), self.pick("quota", "sum by (zone) (up)", "(quota * 2)")
            include = self.pick("", "tier", "member")
            if self.dice.random() < 0.5:
                return f"({left} {op} on (zone) group_left ({include}) {right})"
            return f"({right} {op} on (zone) group_right ({include}) {left})"
        return f"({self.vector(depth)} {op} {matching}{self.vector(depth)})"

    def function(self, depth: int) -> str:
        inner = self.vector(depth)
        name = self.pick(
            "abs", "ceil", "floor", "sgn", "exp", "ln", "log2", "log10", "sqrt", "round", "timestamp", "absent", "-"
        )
        return self.pick(
            f"{name}({inner})",
            f"{name}({inner})",
            f"clamp({inner}, {self.scalar(0)}, {self.scalar(0)})",
            f"clamp_min({inner}, {self.scalar(0)})",
            f"clamp_max({inner}, {self.scalar(0)})",
            f"round({inner}, {self.pick('0.5', '0.1', '5', '0')})",
            f"vector({self.scalar(depth)})",
            f'label_replace({inner}, "new", "$1-${{1}}x$2", "member", "([a-c])(.*)")',
            f'label_replace({inner}, "zone", "", "member", "a|b")',
            f'label_replace({inner}, "zone", "$word", "zone", "(?P<word>.).*")',
            f"histogram_quantile({self.pick('0', '0.5', '0.9', '0.99', '1', '-1', '2')}, {self.buckets()})",
        )

    def buckets(self) -> str:
        inner = self.pick(
            *["took_bucket", "rate(took_bucket[1m])", "increase(took_bucket[5m])", 'took_bucket{le!="+Inf"}', "load"],
            *["torn_bucket", "rate(torn_bucket[1m])", "torn_bucket offset 5m", "delta(torn_bucket[90s])"],
        )
        return self.pick(inner, f"sum by (le) ({inner})", f"sum by (le, zone) ({inner})")

    def vector(self, depth: int) -> str:
        if depth <= 0:
            return self.plain() + self.offset()
        how = self.dice.random()
        if how < 0.15:
            return self.plain() + self.offset()
        if how < 0.45:
            return self.over_range(depth - 1)
        if how < 0.65:
            return self.aggregation(depth - 1)
        if how < 0.85:
            return self.binary(depth - 1)
        return self.function(depth - 1)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return record(random.Random(20))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, recorded: Recorded) -> Iterator[PrometheusServer]:
    with PrometheusServer(tmp_path_factory.mktemp("prometheus")) as running:
        running.write(recorded.series)
        yield running


def ours(text: str, recorded: Recorded, at_ns: int) -> Answer:
    try:
        value = evaluate(parse(text), recorded, at_ns, CLOSED)
    except EvaluationError:
        return None
    return {sample.labels: sample.value for sample in value.samples} if isinstance(value, Vector) else value.value


def agree(left: Answer, right: Answer) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(agree(left[labels], right[labels]) for labels in left)
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=1e-12)
    return left is None and right is None


def moment(dice: random.Random, recorded: Recorded) -> int:
    """An instant about a sample, or one at which that sample enters or leaves a range or the lookback."""
    if dice.random() < 0.3:
        offset_ms = dice.choice([-1, 0, 300_000, 305_000, 600_000, 607_503, 900_000, 1_200_000, 1_499_999, 1_790_000])
        return BASE + offset_ms * 10**6
    sample = dice.choice(dice.choice(recorded.series).times)
    return sample + (dice.choice([0, 0, 5000, 30_000, 60_000, 300_000, 420_000]) + dice.choice([-1, 0, 0, 1])) * 10**6


def written(author: Author, number: int) -> str:
    return author.vector(author.dice.randrange(1, 4)) if number % 10 else author.scalar(3)


def test_generated_queries_agree(server: PrometheusServer, recorded: Recorded) -> None:
    """Every generated query has the server's value, the server's labels and the server's refusal."""
    dice = random.Random(42)
    author = Author(dice)
    differing = []
    some = 0
    for number in range(INSTANTS):
        text, at_ns = written(author, number), moment(dice, recorded)
        theirs = server.query(text, at_ns)
        mine = ours(text, recorded, at_ns)
        some += bool(theirs)
        if not agree(mine, theirs):
            differing.append(f"{text}  at {(at_ns - BASE) / SECOND}\n   ours   {mine}\n   theirs {theirs}")
    assert not differing, f"{len(differing)} of {INSTANTS} differ:\n" + "\n".join(differing[:25])
    assert some > INSTANTS // 3, "the queries found too little data to prove anything"


def test_generated_range_queries_agree(server: PrometheusServer, recorded: Recorded) -> None:
    """A range query has, at each of its steps, what the evaluator has at that instant, and nothing at other steps.

    The server refuses the whole range where one step is ambiguous, or where two series of different steps become one. Then
    each step is asked for by itself.
    """
    dice = random.Random(43)
    author = Author(dice)
    differing = []
    some = refused = 0
    for number in range(RANGES):
        text = written(author, number)
        step_ns = dice.choice([1, 999, 5000, 15_000, 30_000, 61_000, 150_000, 300_000]) * 10**6
        start_ns = moment(dice, recorded) - dice.choice([0, 0, 1, 5]) * step_ns
        times = range(start_ns, start_ns + dice.randrange(2, 16) * step_ns, step_ns)
        theirs = server.query_range(text, times)
        mine = {at_ns: ours(text, recorded, at_ns) for at_ns in times}
        some += bool(theirs)
        refused += theirs is None
        for at_ns, value in mine.items():
            expected = server.query(text, at_ns) if theirs is None else theirs.get(at_ns, {})
            found = {(): value} if isinstance(value, float) and theirs is not None else value
            if not agree(found, expected):
                where = f"{(at_ns - BASE) / SECOND} of {(start_ns - BASE) / SECOND} + {step_ns / SECOND} * {len(times)}"
                differing.append(f"{text}  at {where}\n   ours   {found}\n   theirs {expected}")
        if theirs is not None and not theirs.keys() <= mine.keys():
            differing.append(f"{text}: the server has steps that were not asked for")
    assert not differing, f"{len(differing)} steps differ:\n" + "\n".join(differing[:25])
    assert some > RANGES // 3, "the queries found too little data to prove anything"
    assert refused < RANGES // 5, "too many range queries were refused to prove anything"


def test_a_subquery_refuses_two_series_that_become_one(server: PrometheusServer, recorded: Recorded) -> None:
    """Series that lose their names inside a subquery and then look alike, at different steps, are not one series.

    The server refuses them after a range function and after a unary minus, and joins them elsewhere. So do we.
    """
    dice = random.Random(44)
    author = Author(dice)
    differing = []
    only_together = 0
    for _ in range(SUBQUERIES):
        body, span, step = author.nameless(), dice.choice([60, 300, 1500]), dice.choice([5, 30, 60])
        if dice.random() < 0.3 and "(-" not in body:  # a subquery whose ranges do not meet, inside another one
            body = f"count_over_time(({body})[{dice.choice([1, 7])}s:1s])"
        text = f"count_over_time(({body})[{span}s:{step}s])"
        at_ns = BASE + SPAN_S * SECOND - dice.choice([0, 0, 300, 900]) * SECOND
        theirs, mine = server.query(text, at_ns), ours(text, recorded, at_ns)
        if theirs is None:
            steps = range(-(-(at_ns - span * SECOND) // (step * SECOND)) * step, at_ns // SECOND + 1, step)
            only_together += all(ours(body, recorded, second * SECOND) is not None for second in steps)
        if not agree(mine, theirs):
            differing.append(f"{text}  at {(at_ns - BASE) / SECOND}\n   ours   {mine}\n   theirs {theirs}")
    assert not differing, f"{len(differing)} of {SUBQUERIES} differ:\n" + "\n".join(differing[:25])
    assert only_together > 10, f"only {only_together} were refused for what becomes alike at different steps"
