"""Rounds out of what another server scraped: nothing is lost, doubled or moved, and twice as much takes twice the work."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.journal.rows import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.assembling import Assembler, ClockMap, Schedule
from meshkit_chaos.measure.source import RawSeries
from meshkit_chaos.promql import labels_of
from meshkit_chaos.promql.series import Labels

MS = 10**6
SECOND = 10**9
EXACT = ClockMap(offset=0, error=0)
Given = list[tuple[Round, dict[str, Timed]]]


def assembler_of(members: int, *, begin: int = 0, lag: int = 0) -> Assembler:
    names = {f"m{number}": f"member-{number}" for number in range(members)}
    return Assembler(Schedule(every=SECOND, lag=lag, member_label="instance", members=names), begin=begin)


def series(name: str, instance: str, samples: dict[int, float]) -> RawSeries:
    return RawSeries(labels_of(name, {"instance": instance}), tuple(samples), tuple(samples.values()))


class Server:
    """Series with gaps, each visible a while after it was scraped, as an answer to one window after another."""

    def __init__(self, rng: Random, members: int) -> None:
        self.samples: dict[Labels, list[tuple[int, float, int]]] = {}
        for number in range(members + 1):
            phase = rng.randrange(1000)
            for name in ("up", "scrape_duration_seconds", "a", "b") if number < members else ("recorded",):
                gaps = rng.choice([0, 0, 0, 0.1, 0.5])
                delay = rng.choice([0, 0, 0, 0, 100, 1500]) * MS
                self.samples[labels_of(name, {"instance": f"m{number}"})] = [
                    ((at * 1000 + phase) * MS, rng.random(), delay) for at in range(1, 50) if rng.random() >= gaps
                ]

    def answer(self, *, start: int, now: int) -> list[RawSeries]:
        found = {
            labels: [(time, value) for time, value, delay in samples if start < time <= now - delay]
            for labels, samples in self.samples.items()
        }
        return [
            RawSeries(labels, tuple(time for time, _ in inside), tuple(value for _, value in inside))
            for labels, inside in found.items()
            if inside
        ]


def samples_in(given_out: Given) -> list[tuple[str, str, int, float]]:
    """Metric, member, instant and value of everything that was given."""
    return [
        (dict(labels)["__name__"], member, time, value)
        for _, parts in given_out
        for member, timed in parts.items()
        for labels, time, value in timed.samples
    ]


def expected_in(fetched: dict[tuple[Labels, int], float], *, start: int, end: int) -> list[tuple[str, str, int, float]]:
    out = []
    for (labels, time), value in fetched.items():
        if start <= time < end:
            found = dict(labels)
            member = f"member-{found['instance'][1:]}" if found["__name__"] != "recorded" else ""
            out.append((found["__name__"], member, time, value))
    return out


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), members=st.integers(1, 3), steps=st.lists(st.integers(50, 3000), min_size=3, max_size=25))
def test_every_sample_that_was_there_in_time_is_given_once(seed: int, members: int, steps: list[int]) -> None:
    """Whatever is missing or slow: rounds hold what was fetched before they were given, and what came later makes a doubt."""
    server, now = Server(Random(seed), members), 0
    assembler = assembler_of(members)
    fetched: dict[tuple[Labels, int], float] = {}
    border: int | None = None
    owed = False
    for step in steps:
        now += step * MS
        answer = server.answer(start=assembler.wanted_from, now=now)
        for one in answer:
            for time, value in zip(one.times, one.values, strict=True):
                late = border is not None and time < border
                owed = owed or (late and time >= border - SECOND and (one.labels, time) not in fetched)
                if not late:
                    fetched[one.labels, time] = value
        first = border
        assembler.take(answer)
        given_out = list(assembler.due(now, EXACT))
        if not given_out:
            continue
        border = assembler.wanted_from + SECOND
        start = first if first is not None else min((one.start for one, _ in given_out), default=0)
        found = samples_in(given_out)
        assert sorted(found) == sorted(expected_in(fetched, start=start, end=border))
        assert not (owed and first is not None and not given_out[0][0].doubt)
        owed = False
        fetched = {key: value for key, value in fetched.items() if key[1] >= border - 3 * SECOND}


def steps_of(work: Callable[[], object]) -> int:
    """How many calls some work makes: the same on every machine."""
    count = 0

    def counted(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("together", [True, False], ids=["scraped together", "each at instants of its own"])
def test_catching_up_takes_steps_in_proportion(together: bool) -> None:
    """After a long silence of its server, twice the samples take twice the work, not four times."""

    def work(rounds: int) -> Callable[[], object]:
        answer = [
            series(name, f"m{number}", {at * SECOND + number * MS + (0 if together else place): 1.0 for at in range(rounds)})
            for number in range(2)
            for place, name in enumerate(("up", "a", "b", "c"))
        ]
        assembler = assembler_of(2)
        assembler.take(series("up", f"m{number}", {number * MS: 1.0}) for number in range(2))

        def caught_up() -> None:
            assembler.take(answer)
            assert len(list(assembler.due(rounds * SECOND, EXACT))) >= rounds - 2

        return caught_up

    assert steps_of(work(400)) < 2.2 * steps_of(work(200))


@pytest.mark.parametrize("took", [math.nan, math.inf, -math.inf, -1.0, 1e15, 1e300])
def test_a_scrape_that_took_no_possible_number_of_seconds_lasts_a_whole_interval(took: float) -> None:
    """What a member may export under the name of the scrape's duration stops nobody; the round is wider, not narrower."""
    assembler = assembler_of(1)
    times = [at * SECOND for at in range(1, 5)]
    assembler.take(
        [series("up", "m0", dict.fromkeys(times, 1.0)), series("scrape_duration_seconds", "m0", dict.fromkeys(times, took))]
    )
    rounds = [round_ for round_, _ in assembler.due(5 * SECOND, EXACT)]
    assert rounds
    assert all(round_.end - round_.tick == SECOND for round_ in rounds)


def test_a_member_that_is_not_scraped_any_more_is_failed_whatever_else_bears_its_name() -> None:
    """A rule of the server's goes on with the label of a member that left its targets: nobody saw that member."""
    assembler = assembler_of(2)
    times = dict.fromkeys((at * SECOND for at in range(1, 6)), 1.0)
    assembler.take([series("up", "m0", times), series("up", "m1", {SECOND: 1.0, 2 * SECOND: 1.0}), series("a", "m1", times)])
    failed = [round_.failed for round_, _ in assembler.due(6 * SECOND, EXACT)]
    assert failed[0] == {}
    assert failed[-1] == {"member-1": "it was not scraped in this interval (it has no up)"}, failed


def test_what_waits_of_others_is_left_out_once_members_have_it() -> None:
    """A series that seemed to be nobody's is another mesh's, when a member turns out to export the metric."""
    assembler = assembler_of(1)
    assembler.take([series("up", "m0", {SECOND: 1.0}), series("a", "other", {SECOND: 7.0, 2 * SECOND: 7.0})])
    assembler.take([series("up", "m0", {2 * SECOND: 1.0}), series("a", "m0", {2 * SECOND: 1.0})])
    given_out = list(assembler.due(4 * SECOND, EXACT))
    assert {(name, value) for name, _, _, value in samples_in(given_out)} == {("up", 1.0), ("a", 1.0)}
    assert assembler.foreign == {"a": "other"}
