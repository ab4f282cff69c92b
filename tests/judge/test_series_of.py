"""Indicators over a record: every round a point, and counters followed member by member."""

from __future__ import annotations

from msgspec import structs
from staged_run import ERRORS, MS, ONE_LEADER, T0, S, Staged, Value, leader_killed

from meshkit_chaos.judge.indicators import Point, beyond, near_names, series_of
from meshkit_chaos.slo import Band


def counted(value: Value, *, fault: str = "kill", **staged: object) -> tuple[Point, ...]:
    run = Staged(
        indicators=(ONE_LEADER, ERRORS),
        series={"is_leader": leader_killed(), "errors_total": value},
        fault=fault,
        **staged,  # type: ignore[arg-type]  # passed through
    )
    return series_of(run.record(), ERRORS)


def test_each_round_is_a_point_with_its_value_and_state() -> None:
    """A state indicator has one point for each round, with the round's own instants."""
    points = series_of(Staged().record(), ONE_LEADER)
    assert len(points) == 68
    assert points[0] == Point(tick=T0 + S // 2, start=T0 + 501 * MS, end=T0 + 505 * MS, value=1.0, state="good")
    bad = [point for point in points if point.state == "bad"]
    assert (bad[0].tick - T0, bad[-1].tick - T0) == (3_100 * MS, 4_300 * MS)
    assert {point.state for point in points} == {"good", "bad"}


def test_the_reason_of_an_unknown_point_names_the_member() -> None:
    """A failed scrape of a member that no fault holds says whose and why."""
    staged = Staged(failed=lambda member, at: "time-out" if member == "m2" and at == S // 2 else "")
    first = series_of(staged.record(), ONE_LEADER)[0]
    assert (first.state, first.value, first.reason) == ("unknown", None, "no answer of m2: time-out")


def test_a_query_that_cannot_be_evaluated_is_unknown_throughout() -> None:
    """Neither a broken query nor an ambiguous one raises; every point says why."""
    record = Staged().record()
    broken = series_of(record, structs.replace(ONE_LEADER, query="sum("))
    assert broken
    assert all(point.state == "unknown" and "cannot be evaluated" in point.reason for point in broken)
    ambiguous = series_of(record, structs.replace(ONE_LEADER, query="is_leader * on () is_leader"))
    assert ambiguous[0].state == "unknown"


def test_a_source_without_rounds_has_no_points() -> None:
    """A probe that never ran gives nothing, which no judge takes for good."""
    assert series_of(Staged().record(), structs.replace(ONE_LEADER, source="writes")) == ()


def test_a_paused_members_counter_goes_on_where_it_was() -> None:
    """A member that was frozen keeps its counter: coming back is no rise."""
    points = counted(lambda member, at: 40.0, fault="pause")
    assert {point.state for point in points} == {"good"}


def test_a_killed_members_counter_begins_at_zero_again() -> None:
    """A member that was started anew shows all its events since then, even where the number looks familiar."""
    points = counted(lambda member, at: 5.0)
    risen = [point for point in points if point.state == "bad"]
    assert [point.value for point in risen] == [5.0]
    assert 7 * S <= risen[0].tick - T0 <= 7_600 * MS


def test_a_counter_that_appears_has_risen_from_zero() -> None:
    """A counter created with its first event shows that event."""
    points = counted(lambda member, at: 1.0 if member == "m3" and at >= 9 * S else 0.0 if member == "m2" else None)
    assert [(point.value, (point.tick - T0) // S) for point in points if point.state == "bad"] == [(1.0, 9)]


def test_a_counter_that_vanishes_is_unknown_from_then_on() -> None:
    """What a counter does that a free member stopped exporting nobody sees: no later span is known to be good."""
    points = counted(lambda member, at: None if member == "m3" and at >= 9 * S else 1.0 if member == "m3" else 0.0)
    unknown = [point for point in points if point.state == "unknown"]
    assert unknown == list(points[-len(unknown) :])
    assert (unknown[0].tick - T0) // MS == 9_100
    assert {point.reason for point in unknown} == {
        "m3 answers and no longer exports errors_total; say `missing: skip` if that is normal"
    }


def test_what_rose_is_bad_even_where_another_counter_is_gone() -> None:
    """An increase that was seen is evidence: what cannot be seen beside it can only add to it."""
    points = counted(lambda member, at: (None if at >= 9 * S else 1.0) if member == "m3" else at // S * 1.0)
    late = [point for point in points if point.tick > T0 + 10 * S]
    assert {point.state for point in late} == {"bad", "unknown"}


def test_a_counter_that_was_never_in_the_baseline_leaves_one_span_unknown() -> None:
    """Of a counter that came and went since, only the span in which it went is in doubt."""
    points = counted(lambda member, at: (1.0 if 8 * S <= at < 9 * S else None) if member == "m3" else 0.0)
    unknown = [point for point in points if point.state == "unknown"]
    assert [point.reason for point in unknown] == ["a counter of m3 vanished"]


def test_no_counter_at_all_is_unknown() -> None:
    """An empty result is no proof that nothing happened."""
    points = counted(lambda member, at: None)
    assert {point.state for point in points} == {"unknown"}
    assert points[0].reason == "the query returned nothing"


def test_how_far_out_of_the_band() -> None:
    """Overshoot is the distance to the nearer edge."""
    assert beyond(Band.parse("== 1"), 3.0) == 2.0
    assert beyond(Band.parse("between 1 and 3"), 5.5) == 2.5
    assert beyond(Band.parse("between 1 and 3"), 0.5) == 0.5
    assert beyond(Band.parse("<= 1"), 0.5) == 0.0
    assert beyond(Band.parse("== 1"), None) == 0.0


def test_near_names_of_what_was_never_recorded() -> None:
    """Only names that were never recorded are named, with those that look alike."""
    record = Staged().record()
    assert near_names(record, "sum(is_leader)") == ""
    assert near_names(record, "sum(is_leadr)") == "no series named is_leadr was recorded; near names: is_leader"
    assert near_names(record, "sum(") == ""
