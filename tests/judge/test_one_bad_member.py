"""One bad member among good ones: what an aggregation would skip makes the round unknown, and what may rightly be missing.

Every decision of "What is unknown" in the concept page is an example here.
"""

from __future__ import annotations

import math

import pytest
from msgspec import structs
from staged_run import CONVERGE, ONE_LEADER, T0, S, Staged, Value, leader_killed

from meshkit_chaos.judge.indicators import Point, series_of
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.slo import Band, Indicator, Missing

BACK = 10 * S  # all faults are over, and their members are back
GONE = "m3 answers and no longer exports health; say `missing: skip` if that is normal"


def healthy(odd: float | None, *, since: int = BACK) -> Value:
    """Every member says 1, and m3 something else from an instant on; None: it exports nothing."""
    return lambda member, at: odd if member == "m3" and at >= since else 1.0


def points(query: str, *, band: str = "== 1", missing: Missing = "unknown", **series: Value) -> tuple[Point, ...]:
    indicator = Indicator(name="health", query=query, band=Band.parse(band), missing=missing)
    return series_of(Staged(series={"is_leader": leader_killed(), **series}).record(), indicator)


def late(found: tuple[Point, ...]) -> Point:
    """What is said of the rounds after all faults, where it is one thing."""
    said = [point for point in found if point.tick >= T0 + BACK + S]
    assert len({(point.state, point.value, point.reason) for point in said}) == 1
    return said[-1]


@pytest.mark.parametrize(
    "query",
    [
        "min(health)",
        "max(health)",
        "quantile(0.5, health)",
        "max(topk(1, health))",
        "count(health == 1) / count(health == 1)",
        "min(health > bool 0)",
        "min(max_over_time(health[1s]))",
        "sum(health) / count(health) >= 0",
        "scalar(min(health))",
        "max(max_over_time((max(health))[1s:200ms]))",
        "max(health and on (member) health)",
    ],
)
def test_a_member_that_is_not_a_number_does_not_hide_behind_the_others(query: str) -> None:
    """Prometheus skips NaN in many places; here it makes the round unknown, and is named where it is skipped."""
    found = points(query, health=healthy(math.nan))
    assert {point.state for point in found if 2 * S < point.tick - T0 < BACK} == {"good"}
    assert late(found).state == "unknown"
    assert late(found).reason in {
        'health{instance="m3",member="m3"} is NaN',
        "the query returned NaN",
        "the query returned nothing",
    }


def test_nan_that_no_selector_matches_does_not_count() -> None:
    """A summary's quantiles are NaN while it is idle: only the one that is asked for matters."""
    idle = {'took{quantile="0.5"}': healthy(1.0), 'took{quantile="0.99"}': healthy(math.nan)}
    assert late(points('max(took{quantile="0.5"})', **idle)).state == "good"
    assert late(points('max(took{quantile="0.99"})', **idle)).state == "unknown"


@pytest.mark.parametrize("query", ["count(health)", "group(health)", "max(count_over_time(health[200ms]))"])
def test_where_presence_alone_is_read_nan_is_present(query: str) -> None:
    """``count(x)`` asks who is there, not what they say."""
    assert late(points(query, band=">= 1", health=healthy(math.nan))).state == "good"


def test_nan_that_comes_up_on_the_way_is_no_number_either() -> None:
    """An idle member's share of errors is 0/0: nobody knows whether it would have failed."""
    found = points("max(errors / requests)", band="== 0", errors=lambda member, at: 0.0, requests=healthy(0.0))
    assert found[0].state == "good"
    assert (late(found).state, late(found).reason) == ("unknown", '{instance="m3",member="m3"} is NaN, from \'/\'')


def test_a_limit_that_is_not_there_is_no_limit() -> None:
    """A comparison with ``scalar()`` of nothing is false for every member, which is no proof that none is over the limit."""
    found = points("sum(health > bool scalar(limit))", band="== 0", health=healthy(1.0))
    assert (late(found).state, late(found).reason) == ("unknown", "a number is NaN, from scalar()")


def test_a_series_that_a_free_member_leaves_out_makes_the_round_unknown() -> None:
    """It answers, no fault holds it, it exported the metric in the baseline: nobody knows what it would say now."""
    found = points("min(health)", health=healthy(None))
    assert found[0].state == "good"
    assert (late(found).state, late(found).reason) == ("unknown", GONE)


def test_of_a_member_that_a_fault_holds_absence_is_a_fact() -> None:
    """The killed member's series is gone as long as the fault lasts, and the others are what there is."""
    found = points("min(health)", health=lambda member, at: None if member == "m1" and 3 * S < at < 7 * S else 1.0)
    assert {point.state for point in found} == {"good"}


def test_a_restarted_member_must_export_its_gauges_again() -> None:
    """A member that came back and does not say how it is has not been seen to be well."""
    found = points("min(health)", health=lambda member, at: None if member == "m1" and 3 * S < at < 9 * S else 1.0)
    states = [(point.state, (point.tick - T0) / S) for point in found if point.state == "unknown"]
    assert states[0][1] >= 7.2
    assert states[-1][1] == pytest.approx(8.9)


@pytest.mark.parametrize("query", ["sum(rate(fails_total[1s]))", "sum(fails_total)", "sum(rate(fails[1s]))"])
def test_a_restarted_member_need_not_have_counted_yet(query: str) -> None:
    """Counters often appear with their first event, so a new process may rightly have none."""
    name = "fails" if "fails[" in query else "fails_total"
    found = points(query, band="== 0", **{name: lambda member, at: None if member == "m1" and at > 3 * S else 0.0})
    assert late(found).state == "good"


def test_a_counter_of_a_member_that_was_not_restarted_must_stay() -> None:
    """A process does not forget its counters."""
    found = points("sum(rate(fails_total[1s]))", band="== 0", fails_total=lambda member, at: healthy(None)(member, at) and 0.0)
    assert late(found).state == "unknown"
    assert "no longer exports fails_total" in late(found).reason


def test_labels_may_come_and_go() -> None:
    """A member that names another leader now, or has another role, still exports the metric."""
    series: dict[str, Value] = {
        'leader_info{leader="m1"}': lambda member, at: None if at >= 4 * S else 1.0,
        'leader_info{leader="m2"}': lambda member, at: 1.0 if at >= 4 * S else None,
    }
    assert late(points("count(count by (leader) (leader_info))", **series)).state == "good"
    assert late(points('min(leader_info{leader="m2"})', **series)).state == "good"


def test_what_was_not_in_the_baseline_is_not_demanded() -> None:
    """A metric that only a leader has: it appears at the new one, and may go again."""
    found = points(
        "max(queue)", queue=lambda member, at: 1.0 if member == "m2" or (member == "m3" and 8 * S < at < 9 * S) else None
    )
    assert {point.state for point in found} == {"good"}


@pytest.mark.parametrize(
    ("query", "band"), [("count(health)", "== 3"), ("count(health) / 3", "== 1"), ("3 - count(health)", "== 0")]
)
def test_where_presence_is_measured_its_loss_is_bad(query: str, band: str) -> None:
    """``count(x) == 3`` demands three: two are bad, not unknown."""
    assert late(points(query, band=band, health=healthy(None))).state == "bad"


def test_absent_speaks_of_absence() -> None:
    """``absent(x)`` is 1 where nothing is left, and that is what it says."""
    found = points('absent(health{member="m3"})', health=healthy(None))
    assert late(found).state == "good"


def test_skip_is_prometheus_own_way() -> None:
    """An author who knows that series are rightly missing says so, and then both kinds are left out."""
    for odd in (math.nan, None):
        assert late(points("min(health)", missing="skip", health=healthy(odd))).state == "good"


def test_a_series_that_flickers_in_the_baseline_is_no_steady_state() -> None:
    """What was there and is gone for a round makes that round unknown, in the baseline too: it is not known to be steady."""
    health = Indicator(name="health", query="min(health)", band=Band.parse("== 1"))
    blinking: Value = lambda member, at: None if member == "m3" and 2 * S <= at < 2 * S + S // 4 else 1.0  # noqa: E731  # one example
    found = _verdict((health, ONE_LEADER), health=blinking)
    steady = next(one for one in found.findings if one.id == "steady-state-held-health")
    assert steady.verdict == "inconclusive"
    assert GONE in steady.sentence


@pytest.mark.parametrize("odd", [math.nan, None])
def test_no_run_passes_by_the_members_that_can_be_seen(odd: float | None) -> None:
    """A whole run whose objective looks met, because the member that is not is skipped, is no pass; seen, it is one."""
    lowest = Indicator(name="one-leader", query="min(health) * sum(is_leader)", band=Band.parse("== 1"))
    assert _verdict((lowest,), health=healthy(1.0)).verdict == "pass"
    assert _verdict((lowest,), health=healthy(odd, since=5 * S)).verdict == "inconclusive"
    skipping = structs.replace(lowest, missing="skip")
    assert _verdict((skipping,), health=healthy(odd, since=5 * S)).verdict == "pass"


def _verdict(indicators: tuple[Indicator, ...], *, health: Value) -> Verdict:
    series = {"is_leader": leader_killed(), "health": health}
    return judge(Staged(indicators=indicators, objectives=(CONVERGE,), series=series).record())
