"""What the recorder makes of rounds: live series, staleness, blocks."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.journal.blocks import Block, join_blocks
from meshkit_chaos.journal.recorder import Recorder, Sample
from meshkit_chaos.journal.rows import MOST_HEADERS, Header, Headers, Row, Timed
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.promql.series import STALE, Labels, is_stale, labels_of


def at(tick: int, *, source: str = "scrape", failed: dict[str, str] | None = None) -> Round:
    return Round(source=source, tick=tick, start=tick, end=tick, failed=failed or {})


def m(member: str, name: str = "m") -> Labels:
    return labels_of(name, {"member": member})


def shown(recorder: Recorder, name: str) -> dict[str, list[tuple[int, float | str]]]:
    return {
        dict(series.labels)["member"]: [
            (time, "stale" if is_stale(value) else value) for time, value in zip(series.times, series.values, strict=True)
        ]
        for series in recorder.named(name)
    }


def test_series_grow_as_rounds_come() -> None:
    """A sample's instant is its round's tick, and the same series, asked for again, shows it at once."""
    recorder = Recorder()
    recorder.add(at(10), {"n1": [(m("n1"), 1.0)]})
    live = recorder.named("m")[0]
    recorder.add(at(20), {"n1": [(m("n1"), 2.0)]})
    assert recorder.named("m")[0] is live
    assert list(live.times) == [10, 20]
    assert list(live.values) == [1.0, 2.0]
    assert [one.tick for one in recorder.rounds("scrape")] == [10, 20]
    assert recorder.named("other") == ()


def test_a_series_that_its_member_drops_goes_stale_once() -> None:
    """The marker stands at the first tick without the series; coming back, it goes on."""
    recorder = Recorder()
    for tick, samples in ((1, [(m("n1"), 1.0)]), (2, []), (3, []), (4, [(m("n1"), 5.0)])):
        recorder.add(at(tick), {"n1": samples})
    assert shown(recorder, "m") == {"n1": [(1, 1.0), (2, "stale"), (4, 5.0)]}


def test_a_failed_scrape_makes_all_series_of_its_member_stale() -> None:
    """Only the failed member's series end; what is said about it (``up`` 0) is recorded."""
    recorder = Recorder()
    good = {name: [(m(name), 1.0), (m(name, "up"), 1.0)] for name in ("n1", "n2")}
    recorder.add(at(1), good)
    recorder.add(at(2, failed={"n2": "no answer"}), {"n1": good["n1"], "n2": [(m("n2", "up"), 0.0)]})
    assert shown(recorder, "m") == {"n1": [(1, 1.0), (2, 1.0)], "n2": [(1, 1.0), (2, "stale")]}
    assert shown(recorder, "up")["n2"] == [(1, 1.0), (2, 0.0)]


def test_a_member_that_nobody_mentions_any_more_goes_stale() -> None:
    """A member missing from a round altogether leaves no series that looks alive."""
    recorder = Recorder()
    recorder.add(at(1), {"n1": [(m("n1"), 1.0)], "n2": [(m("n2"), 1.0)]})
    recorder.add(at(2), {"n1": [(m("n1"), 1.0)]})
    assert shown(recorder, "m")["n2"] == [(1, 1.0), (2, "stale")]


def test_sources_do_not_end_each_others_series() -> None:
    """A probe's round says nothing about what is scraped."""
    recorder = Recorder()
    recorder.add(at(1), {"n1": [(m("n1"), 1.0)]})
    recorder.add(at(2, source="p"), {"n1": [(m("n1", "probe_success"), 0.0)]})
    assert shown(recorder, "m") == {"n1": [(1, 1.0)]}
    assert recorder.sources == ("scrape", "p")


def test_refuses_time_that_does_not_go_forward() -> None:
    """A round at or before the last one of its source, or a series twice in one round, is our own error."""
    recorder = Recorder()
    recorder.add(at(5), {"n1": [(m("n1"), 1.0)]})
    with pytest.raises(ValueError, match="cannot follow"):
        recorder.add(at(5), {})
    with pytest.raises(ValueError, match="cannot follow"):
        recorder.add(at(6), {"n1": [(m("n1"), 1.0), (m("n1"), 2.0)]})


def test_a_block_is_what_came_since_the_last_one() -> None:
    """Blocks do not overlap, a quiet series is not in them, and no round means no block."""
    recorder = Recorder()
    assert recorder.take_block() is None
    recorder.add(at(1), {"n1": [(m("n1"), 1.0)]})
    first = recorder.take_block()
    assert recorder.take_block() is None
    recorder.add(at(1, source="p"), {"n1": [(m("n1", "probe_success"), 1.0)]})
    second = recorder.take_block()
    assert first is not None
    assert second is not None
    assert (len(first.rounds), first.sample_count) == (1, 1)
    assert [dict(series.labels)["__name__"] for series in second.series] == ["probe_success"]


members = st.sampled_from(["n1", "n2"])
name_sets = st.frozensets(st.sampled_from(["a", "b", "c"]))
steps = st.tuples(st.sampled_from(["scrape", "p"]), st.dictionaries(members, name_sets), st.booleans(), st.floats())


def content(samples: Samples) -> list[tuple[Labels, tuple[int, ...], list[bytes]]]:
    return sorted(
        (series.labels, series.times, [struct.pack("<d", value) for value in series.values]) for series in samples.named("")
    )


@settings(deadline=None)
@given(st.lists(steps, max_size=12))
def test_blocks_hold_everything_whenever_they_are_taken(
    history: list[tuple[str, dict[str, frozenset[str]], bool, float]],
) -> None:
    """The blocks of any flushing, joined, are the samples the recorder itself has."""
    recorder, blocks = Recorder(), list[Block | None]()
    for tick, (source, present, flush, value) in enumerate(history):
        samples: dict[str, list[Sample]] = {
            member: [(labels_of(name, {"member": member, "probe": source}), value) for name in sorted(names)]
            for member, names in present.items()
        }
        recorder.add(at(tick, source=source), samples)
        if flush:
            blocks.append(recorder.take_block())
    blocks.append(recorder.take_block())
    joined = join_blocks([block for block in blocks if block is not None])
    assert content(joined) == content(recorder.samples())
    assert joined.rounds == recorder.samples().rounds


@settings(deadline=None)
@given(st.lists(st.dictionaries(members, name_sets), min_size=1, max_size=8))
def test_a_series_is_alive_exactly_while_it_is_given(history: list[dict[str, frozenset[str]]]) -> None:
    """After any history the series whose last sample is no marker are those of the last round."""
    recorder = Recorder()
    for tick, present in enumerate(history):
        recorder.add(
            at(tick),
            {member: [(m(member, name), 1.0) for name in names] for member, names in present.items()},
        )
    alive = {series.labels for series in recorder.named("") if not is_stale(series.values[-1])}
    assert alive == {m(member, name) for member, names in history[-1].items() for name in names}


NAMES = [m(member, name) for member in ("n1", "n2") for name in ("a", "b", "c")]
ROWS = st.lists(st.tuples(st.integers(1, 4), st.sets(st.sampled_from(NAMES), max_size=4)), max_size=3)


@given(st.lists(st.tuples(st.dictionaries(st.sampled_from(["x", "y"]), ROWS), st.booleans()), max_size=12))
def test_rows_give_what_single_samples_give(rounds: list[tuple[dict[str, list[tuple[int, set[Labels]]]], bool]]) -> None:
    """Whatever series come together, from whichever member, and whenever one looks: each has its samples and its ends.

    What time does not allow is refused by both, at the same round.
    """
    recorder, tick, headers = Recorder(), 0, Headers()
    plain: dict[Labels, list[tuple[int, float]]] = {}
    present: dict[str, set[Labels]] = {}
    for members, look in rounds:
        start, tick = tick, tick + 20
        timed, wrong = {}, False
        for member, steps in members.items():
            rows, time = [], start
            for step, several in steps:
                time += step
                rows.append(Row(time, headers.of(tuple(sorted(several))), [float(time)] * len(several)))
            timed[member] = Timed(rows, tick - 1)
        for member in sorted(present.keys() | timed.keys()):
            found = timed.get(member, Timed((), tick))
            ends = [(labels, found.at, STALE) for labels in present.get(member, set()) - {one for one, _, _ in found.samples}]
            for labels, at_, value in (*found.samples, *ends):
                wrong = wrong or at_ <= plain.get(labels, [(0, 0.0)])[-1][0]
                plain.setdefault(labels, []).append((at_, value))
            present[member] = {labels for labels, _, _ in found.samples}
        if wrong:
            with pytest.raises(ValueError, match="cannot follow"):
                recorder.add_timed(at(tick), timed)
            return
        recorder.add_timed(at(tick), timed)
        if look:
            recorder.named("")
    recorded = {one.labels: list(zip(one.times, map(str, one.values), strict=True)) for one in recorder.samples().named("")}
    assert recorded == {labels: [(time, str(value)) for time, value in several] for labels, several in plain.items()}


def test_a_row_has_a_value_for_each_series() -> None:
    """A row of another length than its header is refused."""
    header = Header((m("n1", "a"), m("n1", "b")))
    with pytest.raises(ValueError, match="1 values"):
        Recorder().add_timed(at(1), {"n1": Timed([Row(1, header, [1.0])], 1)})


def test_series_that_come_and_go_for_ever_are_not_all_remembered() -> None:
    """Headers are forgotten when there are too many; what was recorded under them stays."""
    headers, recorder = Headers(), Recorder()
    first = headers.of((m("n1", "a"),))
    assert headers.of((m("n1", "a"),)) is first
    for number in range(MOST_HEADERS):
        headers.of((m("n1", f"x{number}"),))
    assert headers.of((m("n1", "a"),)) is not first
    for tick, header in enumerate((first, headers.of((m("n1", "a"),))), 1):
        recorder.add_timed(at(tick), {"n1": Timed([Row(tick, header, [1.0])], tick)})
    assert list(recorder.named("a")[0].times) == [1, 2]
