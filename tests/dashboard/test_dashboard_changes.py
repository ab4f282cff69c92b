"""Where a series changed for good: laws, an exact comparison, and how often it is wrong, by seeded simulation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from meshkit_chaos.cli.demo_nights import CREEP, STEP, nights, world
from meshkit_chaos.dashboard.changes import (
    LEAST_SIDE,
    chance_of_sum,
    changes_of_failures,
    changes_of_times,
    sure_scores,
)
from meshkit_chaos.gate.exact_tests import Span, surely_longer

MS = 10**6
NIGHTS = 60

spans = some.lists(
    some.builds(
        lambda lo, wide: Span(lo, None if wide is None else lo + wide),
        some.integers(0, 40),
        some.one_of(some.none(), some.integers(0, 15)),
    ),
    max_size=30,
)


def seen(times: Sequence[float], every: int = 250 * MS) -> list[Span]:
    """Times in seconds as a run sees them: between two rounds."""
    rounds = [int(one * 1e9) // every for one in times]
    return [Span(one * every, (one + 1) * every) for one in rounds]


def usual(chance: random.Random, count: int, scale: float = 1.0) -> list[float]:
    return [chance.gammavariate(40, 0.034) * scale for _ in range(count)]


@settings(deadline=None)
@given(spans)
def test_scores_count_what_is_surely_ordered(times: list[Span]) -> None:
    """A score is the number of times that this one surely exceeds, less those that surely exceed it, as the gate compares."""
    expected = [sum(surely_longer(one, other) - surely_longer(other, one) for other in times) for one in times]
    assert sure_scores(times) == expected


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(-6, 6), min_size=2, max_size=9), some.data())
def test_the_chance_is_never_below_the_exact_one(scores: list[int], data: some.DataObject) -> None:
    """Counting every way to draw the runs gives at most what is told: it is a bound, not an estimate."""
    place = data.draw(some.integers(1, len(scores) - 1))
    late = scores[place:]
    distance = sum(late) - sum(scores) * len(late) / len(scores)
    sums = [sum(drawn) for drawn in combinations(scores, len(late))]
    hits = sum(one >= sum(late) if distance > 0 else one <= sum(late) for one in sums)
    assert chance_of_sum([float(one) for one in scores], place, distance) >= hits / len(sums) * (1 - 1e-9)


@settings(max_examples=50, deadline=None)
@given(spans.filter(lambda times: len(times) >= 2), some.data())
def test_the_order_within_a_side_says_nothing(times: list[Span], data: some.DataObject) -> None:
    """Reordering the runs before a place, or those after it, leaves the chance of their difference as it was."""
    place = data.draw(some.integers(1, len(times) - 1))
    mixed = [*data.draw(some.permutations(times[:place])), *data.draw(some.permutations(times[place:]))]
    one, other = (sure_scores(each) for each in (times, mixed))
    told = [chance_of_sum(scores, place, sum(scores[place:])) for scores in (one, other)]
    assert told[0] == pytest.approx(told[1], rel=1e-6)


@pytest.mark.parametrize(
    ("scenario", "after"),
    [("leader-killed", STEP), ("leader-paused", STEP), ("rebalanced-after-restart", CREEP), ("shards-find-owners", None)],
)
def test_what_is_planted_in_the_demo_is_found(scenario: str, after: int | None) -> None:
    """The step and the creep of the demo's history are found, not before they begin; a scenario without one shows none."""
    ran = nights()
    times = seen([world(night, scenario, 1).election.ns / 1e9 for night in ran])
    found = changes_of_times(times, level=0.005)
    assert bool(found) == (after is not None)
    assert all(one.up and after is not None and ran[one.at].number >= after for one in found)


def test_a_side_that_is_wholly_above_has_the_exact_chance() -> None:
    """Eight runs that are all slower than forty others: one order in 48 over 8."""
    scores = sure_scores([Span(1, 2)] * 40 + [Span(5, 6)] * 8)
    assert chance_of_sum(scores, 40, 8 * 40.0) == pytest.approx(1 / comb(48, 8), rel=0.2)


@settings(deadline=None)
@given(spans, some.integers(0, 10**12), some.integers(1, 1000))
def test_another_zero_or_another_unit_changes_nothing(times: list[Span], more: int, unit: int) -> None:
    """Only the order of the times is looked at."""
    moved = [Span(one.lo * unit + more, None if one.hi is None else one.hi * unit + more) for one in times]
    assert changes_of_times(moved, level=0.5) == changes_of_times(times, level=0.5)


@settings(deadline=None)
@given(spans)
def test_told_backwards_every_change_is_the_other_way_round(times: list[Span]) -> None:
    """A first split of a reversed series is as sure, and goes in the other direction."""
    forth, back = (changes_of_times(one, level=0.05) for one in (times, times[::-1]))
    assert bool(forth) == bool(back)
    if len(forth) == len(back) == 1 and forth[0].at == len(times) - back[0].at:
        assert forth[0].up != back[0].up
        assert (forth[0].earliest, forth[0].latest) == (len(times) - back[0].latest, len(times) - back[0].earliest)


@settings(max_examples=50, deadline=None)
@given(some.integers(8, 40), some.integers(8, 40), spans.filter(bool))
def test_a_step_beyond_all_earlier_runs_is_found_where_it_is(before: int, after: int, slow: list[Span]) -> None:
    """However the later times differ among themselves: if all are surely longer, the first of them is where it changed."""
    late = [Span(one.lo + 1000, None if one.hi is None else one.hi + 1000) for one in (slow * after)[:after]]
    found = changes_of_times([Span(10, 20)] * before + late, level=0.05)
    assert before in [one.at for one in found]
    assert all(one.start < one.earliest <= one.at <= one.latest < one.end for one in found)
    assert next(one for one in found if one.at == before).up


@settings(deadline=None)
@given(some.lists(some.integers(0, 1000), max_size=40))
def test_times_that_may_all_be_equal_never_changed(starts: list[int]) -> None:
    """Intervals that all overlap say nothing of an order, however they are placed."""
    assert changes_of_times([Span(one, 1000) for one in starts], level=0.9) == ()


@pytest.mark.parametrize("count", [0, 1, 2, 2 * LEAST_SIDE - 1])
def test_too_few_runs_show_no_change(count: int) -> None:
    """With nothing, one or a handful of runs there is no change to be told."""
    assert changes_of_times([Span(one * 100, one * 100 + 1) for one in range(count)], level=0.05) == ()
    assert changes_of_failures([one % 2 == 0 for one in range(count)], level=0.05) == ()


def test_a_change_lies_only_between_builds() -> None:
    """Where runs of one invocation differ, the change is told before or after it, never within."""
    times = [Span(1, 2)] * 21 + [Span(5, 6)] * 21
    places = [one for one in range(42) if one % 4 == 0]
    assert [one.at for one in changes_of_times(times, places=places, level=0.05)] == [20]


def test_up_and_down_again_are_two_changes() -> None:
    """A bad month that is over has a beginning and an end."""
    found = changes_of_times([Span(1, 2)] * 30 + [Span(5, 6)] * 30 + [Span(2, 3)] * 20, level=0.005)
    assert [(one.at, one.up) for one in found] == [(30, True), (60, False)]


def test_a_spell_that_came_and_went_has_two_edges() -> None:
    """A bad fortnight in the middle leaves both halves alike; it is found all the same."""
    found = changes_of_times([Span(1, 2)] * 30 + [Span(5, 6)] * 14 + [Span(1, 2)] * 30, level=0.005)
    assert [(one.at, one.up) for one in found] == [(30, True), (44, False)]
    failed = changes_of_failures([False] * 30 + [True, True, False, True] * 3 + [False] * 30, level=0.005)
    assert [one.up for one in failed] == [True, False]


def shows(seed: int, kind: str, level: float) -> bool:
    """Whether a series that never changed shows a change."""
    chance = random.Random(seed)
    if kind == "failures":
        return bool(changes_of_failures([chance.random() < 0.2 for _ in range(NIGHTS)], level=level))
    times = seen(usual(chance, NIGHTS), every=(10 if kind == "fine" else 500) * MS)
    if kind == "open":
        times = [Span(one.lo, None) if chance.random() < 0.2 else one for one in times]
    return bool(changes_of_times(times, level=level))


@pytest.mark.parametrize("kind", ["fine", "coarse", "open", "failures"])
def test_few_series_that_never_changed_show_a_change(kind: str) -> None:
    """At a level of 20 % at most so many of 150 unchanged series do, within three deviations."""
    assert sum(shows(seed, kind, 0.2) for seed in range(150)) <= 150 * 0.2 + 3 * (150 * 0.2 * 0.8) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fine", "coarse", "open", "failures"])
def test_one_unchanged_page_in_a_hundred_at_most_shows_a_change(kind: str) -> None:
    """At the level of a page: at most 1 % of 1,500 unchanged series do."""
    assert sum(shows(seed, kind, 0.01) for seed in range(1500)) <= 15


@pytest.mark.parametrize(("before", "after", "least"), [(60, 5, 0.5), (60, 8, 0.95), (30, 8, 0.95), (15, 15, 0.95)])
def test_a_doubling_is_found_within_eight_nights(before: int, after: int, least: float) -> None:
    """Times that double, with a spread of a sixth, seen every 250 ms: so many nights after it the page tells, nearly always."""
    found = 0
    for seed in range(60):
        chance = random.Random(seed)
        times = seen([*usual(chance, before), *usual(chance, after, 2.0)])
        found += any(one.up and abs(one.at - before) <= 2 for one in changes_of_times(times, level=0.005))
    assert found >= least * 60


def test_the_range_holds_the_true_place() -> None:
    """In at least nine of ten histories with a step of a half the truth is within the range that is told."""
    told = held = 0
    for seed in range(80):
        chance = random.Random(seed)
        found = changes_of_times(seen([*usual(chance, 40), *usual(chance, 30, 1.5)]), level=0.005)
        if len(found) == 1:
            told += 1
            held += found[0].earliest <= 40 <= found[0].latest
    assert told >= 60
    assert held >= 0.9 * told


def test_a_creep_becomes_steps_upward() -> None:
    """A series that grows by 3 % a night shows steps, and all of them go up."""
    chance = random.Random(7)
    times = [*usual(chance, 50), *(one * 1.03**night for night, one in enumerate(usual(chance, 40)))]
    found = changes_of_times(seen(times), level=0.005)
    assert len(found) >= 2
    assert all(one.up for one in found)


def test_runs_that_hang_together_show_more_changes_than_stated() -> None:
    """With a good or a bad fortnight for all runs in it, series show changes far more often than the level: nothing is
    promised there."""
    wrong = 0
    for seed in range(60):
        chance = random.Random(seed)
        fortnights = [chance.gammavariate(40, 1 / 40) for _ in range(5)]
        times = [one * fortnights[night // 14] for night, one in enumerate(usual(chance, NIGHTS))]
        wrong += bool(changes_of_times(seen(times, every=10 * MS), level=0.01))
    assert wrong >= 3


def test_thousands_of_runs_are_looked_at() -> None:
    """Five thousand runs with one step show that step."""
    chance = random.Random(1)
    found = changes_of_times(seen([*usual(chance, 3000), *usual(chance, 2000, 1.6)], every=10 * MS), level=0.005)
    assert any(abs(one.at - 3000) <= 20 and one.up for one in found)
