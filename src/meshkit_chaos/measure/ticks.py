"""A fixed schedule of instants: start, start + every, start + 2·every, whatever happens in between.

Takes an interval and the lateness that is still allowed; gives tick after tick. A tick that could only begin later than that is
skipped and counted: it leaves a gap that can be seen, and is never made up for by two rounds in a row.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from meshkit_chaos.clock import Clock
from meshkit_chaos.slo import Duration


def next_due(*, origin: int, every: int, grace: int, at_least: int, now: int) -> int:
    """The number of the first tick, not below ``at_least``, that is not yet more than ``grace`` late. All in ns."""
    first_in_time = -((origin + grace - now) // every)
    return max(at_least, first_in_time)


class Ticker:
    """Gives each due tick once, until it is stopped. The schedule starts at the first call."""

    def __init__(self, *, every: Duration, grace: Duration, clock: Clock) -> None:
        if every.ns <= 0:
            raise ValueError(f"a schedule cannot repeat every {every}; expected more than 0s")
        self._every, self._grace = every.ns, grace.ns
        self._clock = clock
        self._origin: int | None = None
        self._next = 0
        self._stopped = asyncio.Event()
        self.skipped = 0

    def stop(self) -> None:
        """No tick from now on."""
        self._stopped.set()

    async def next(self) -> int | None:
        """Wait for the next tick and give its instant (monotonic ns); None once stopped."""
        if self._origin is None:
            self._origin = self._clock.monotonic_ns()
        while not self._stopped.is_set():
            tick = self._origin + self._next * self._every
            await self._wait(tick - self._clock.monotonic_ns())
            due = next_due(
                origin=self._origin,
                every=self._every,
                grace=self._grace,
                at_least=self._next,
                now=self._clock.monotonic_ns(),
            )
            if self._stopped.is_set():
                break
            if due == self._next:
                self._next += 1
                return tick
            self.skipped += due - self._next
            self._next = due
        return None

    async def _wait(self, ns: int) -> None:
        if ns <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(ns / 10**9):
                await self._stopped.wait()
