"""The schedule: on its grid, never twice, never bunched."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from virtual_time import VirtualLoop, run_virtually

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.measure.ticks import Ticker, next_due
from meshkit_chaos.slo import Duration

MS = 10**6


@settings(deadline=None)
@given(
    origin=st.integers(0, 10**15),
    every=st.integers(1, 10**12),
    at_least=st.integers(0, 10**6),
    late=st.integers(0, 10**15),
    share=st.floats(0, 1),
)
def test_the_next_tick_is_the_first_not_too_late(origin: int, every: int, at_least: int, late: int, share: float) -> None:
    """It is no more than the grace late, and the one before it was, or was already given."""
    grace = int(every * share)
    now = origin + late
    due = next_due(origin=origin, every=every, grace=grace, at_least=at_least, now=now)
    assert due >= at_least
    assert now - (origin + due * every) <= grace
    assert due == at_least or now - (origin + (due - 1) * every) > grace


def test_late_ticks_are_skipped_and_counted() -> None:
    """After the thread was held up there is a gap, then the grid again: no two rounds in a row to make up for it."""
    loop = VirtualLoop()
    ticker = Ticker(every=Duration(100 * MS), grace=Duration(50 * MS), clock=loop)

    async def work() -> list[tuple[int, int]]:
        got = []
        for hang in (0, 30 * MS, 260 * MS, 0, 150 * MS, 0):
            tick = await ticker.next()
            assert tick is not None
            got.append((tick // MS, loop.monotonic_ns() // MS))
            loop.hang(hang)
        return got

    # Held up 260 ms from 200 on: 300 and 400 are 160 and 60 ms late and are skipped; 500 comes in its time.
    # Held up 150 ms from 600 on: 700 is just 50 ms late and still asked.
    assert run_virtually(loop, work()) == [(0, 0), (100, 100), (200, 200), (500, 500), (600, 600), (700, 750)]
    assert ticker.skipped == 2


def test_a_stopped_schedule_has_no_next_tick() -> None:
    """Stopping wakes whoever waits for a tick."""
    loop = VirtualLoop()
    ticker = Ticker(every=Duration(10**12), grace=Duration(0), clock=loop)

    async def work() -> list[int | None]:
        first = await ticker.next()
        loop.call_later(1, ticker.stop)
        return [first, await ticker.next(), await ticker.next()]

    assert run_virtually(loop, work()) == [0, None, None]


def test_an_interval_must_be_some_time() -> None:
    """A schedule without an interval would never let go."""
    with pytest.raises(ValueError, match="more than 0s"):
        Ticker(every=Duration(0), grace=Duration(0), clock=ManualClock())
