"""Laws of placing what another machine scraped: clock offsets, scrape intervals as rounds, windows in pieces, selectors."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.measure.assembling import Assembler, ClockMap, Schedule, widest_gap
from meshkit_chaos.measure.offset import ClockOffset, ClockReading
from meshkit_chaos.measure.selecting import health_selector, pieces, selectors_of
from meshkit_chaos.measure.source import RawSeries, Window
from meshkit_chaos.promql import labels_of, parse

SECOND = 10**9
MS = 10**6


@settings(max_examples=200, deadline=None)
@given(
    offset=st.integers(-(10**15), 10**15),
    ppm=st.integers(-499, 499),
    looks=st.lists(
        st.tuples(st.integers(0, 5 * SECOND), st.integers(0, 200 * MS), st.integers(0, 200 * MS)), min_size=1, max_size=12
    ),
    resolution=st.sampled_from([MS, SECOND]),
)
def test_the_true_offset_is_never_left_out(offset: int, ppm: int, looks: list[tuple[int, int, int]], resolution: int) -> None:
    """However slow the answers and however the clock is slewed (within what clocks are), the truth stays inside."""
    now, known = 0, None
    for wait, going, coming in looks:
        asked = now + wait
        at = asked + going
        truth = offset + at * ppm // 10**6
        reading = ClockReading(
            asked=asked, answered=at + coming, said=(at + truth) // resolution * resolution, resolution=resolution
        )
        known = ClockOffset.first(reading) if known is None else known.refined(reading)
        now = at + coming
        assert not known.stepped
        assert known.lo - 1 <= offset + now * ppm // 10**6 <= known.hi + 1
        assert known.error_of(known.middle) <= (known.hi - known.lo + 1) // 2 + 1


def test_a_clock_that_was_set_is_noticed() -> None:
    """A reading that contradicts all before it starts anew and says so."""
    known = ClockOffset.first(ClockReading(asked=0, answered=MS, said=100 * SECOND, resolution=MS))
    after = known.refined(ClockReading(asked=SECOND, answered=SECOND + MS, said=103 * SECOND, resolution=MS))
    assert after.stepped
    assert after.error_of(known.middle) > 1.9 * SECOND


@given(phases=st.lists(st.integers(0, SECOND - 1), min_size=1, max_size=20))
def test_no_phase_is_nearer_to_the_border_than_half_the_widest_gap(phases: list[int]) -> None:
    """The border lies in the middle of the widest gap on the circle."""
    border = widest_gap(phases, SECOND)
    points = sorted(set(phases))
    gaps = [later - earlier for earlier, later in pairwise([*points, points[0] + SECOND])]
    distances = [min((phase - border) % SECOND, (border - phase) % SECOND) for phase in points]
    assert min(distances) >= max(gaps) // 2


@settings(max_examples=80, deadline=None)
@given(
    phases=st.lists(st.integers(0, 999), min_size=1, max_size=5),
    begin=st.integers(0, 3 * SECOND),
    jitters=st.lists(st.integers(-5, 5), min_size=1, max_size=50),
    polls=st.lists(st.integers(50, 2500), min_size=4, max_size=30),
    offset=st.integers(-(10**12), 10**12),
)
def test_every_scrape_is_in_one_round_and_every_round_has_one_scrape_of_each(
    phases: list[int], begin: int, jitters: list[int], polls: list[int], offset: int
) -> None:
    """Whatever the phases, the jitter and the times of asking: rounds partition the scrapes, one of each member in each."""
    members = {f"m{number}": f"m{number}" for number in range(len(phases))}
    schedule = Schedule(every=SECOND, lag=200 * MS, member_label="instance", members=members)
    assembler = Assembler(schedule, begin=begin)
    times = {
        member: [number * SECOND + phase * MS + jitters[(number + phase) % len(jitters)] * MS // 2 for number in range(-5, 90)]
        for member, phase in zip(members, phases, strict=True)
    }
    given_out: dict[str, list[int]] = {member: [] for member in members}
    ticks: list[int] = []
    now = begin
    for step in polls:
        now += step * MS
        start = assembler.wanted_from
        assembler.take(
            _series(member, [time for time in all_times if start < time <= now]) for member, all_times in times.items()
        )
        for round_, samples in assembler.due(now, ClockMap(offset=offset, error=7)):
            assert not round_.failed
            assert not round_.doubt
            inside = {member: [time for _, time, _ in timed.samples] for member, timed in samples.items() if member}
            assert all(len(found) == 1 for found in inside.values())
            for member, found in inside.items():
                given_out[member] += found
            everything = [time for found in inside.values() for time in found]
            assert (round_.start, round_.tick, round_.end) == (min(everything) - 7, max(everything), max(everything) + 7)
            ticks.append(round_.tick)
    assert ticks == sorted(set(ticks))
    for member, found in given_out.items():
        expected = [time - offset for time in times[member]]
        if found:
            first = expected.index(found[0])
            assert found == expected[first : first + len(found)]


def _series(member: str, times: list[int]) -> RawSeries:
    return RawSeries(labels_of("up", {"instance": member}), tuple(times), (1.0,) * len(times))


@given(start=st.integers(0, 10**12), length=st.integers(0, 10**12), longest=st.integers(10**9, 10**12))
def test_pieces_cover_a_window_without_gap_or_overlap(start: int, length: int, longest: int) -> None:
    """Each piece begins where the one before ended, and none is too long."""
    found = list(pieces(Window(start=start, end=start + length), longest))
    assert all(0 < piece.end - piece.start <= longest for piece in found)
    assert all(earlier.end == later.start for earlier, later in pairwise(found))
    assert (not found and length == 0) or (found[0].start, found[-1].end) == (start, start + length)


def test_selectors_are_asked_for_without_ranges_offsets_and_our_own_label() -> None:
    """What the source is asked for are its own series, each selector once."""
    queries = [
        parse('sum(rate(a_total{job="x",member="m1"}[30s])) / sum(rate(a_total{job="x"}[1m] offset 5m))'),
        parse('{member="m1"}'),
        parse('b{path=~"/a\\\\.b|\\"c\\""}'),
    ]
    found = selectors_of(queries, label="pod", members={"p-1": "m1", "p.2": "m2"})
    assert found == (
        'a_total{job="x"}',
        '{pod=~"p\\\\-1|p\\\\.2"}',
        'b{path=~"/a\\\\.b|\\"c\\""}',
    )
    for text in (*found, health_selector("pod", {"p-1": "m1"})):
        parse(text)
