"""What the engine sees of the mesh while it runs: every indicator's readings, round by round.

Feeds guard rails, conditions and the steady-state check. What is judged afterwards is read from the record, not from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Final, Literal, Protocol

from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.scrape import SCRAPE
from meshkit_chaos.measure.watch import Reading, Watch
from meshkit_chaos.promql import Export
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo import Duration, Indicator

NO_LAG: Final = Duration(0)


class ReadIndicator(Protocol):
    """Reads an indicator in its last round, given the members that a fault holds; see ``Sampler.latest``."""

    def __call__(
        self,
        indicator: Indicator,
        held: Collection[str],
        *,
        expected: Collection[Export],
        restarted: Collection[str],
    ) -> Reading: ...


class Sight:
    """``held``: asks for the members that a fault holds now. ``tripped`` is told when a guard rail trips, once each;
    ``changed`` whenever an indicator becomes good, bad or unknown. ``lag``: how much later than it was a scrape is known.
    """

    def __init__(
        self,
        scenario: Scenario,
        read: ReadIndicator,
        *,
        held: Callable[[], Collection[str]],
        tripped: Callable[[str, str], None],
        changed: Callable[[Reading], None] = lambda _: None,
        lag: Duration = NO_LAG,
    ) -> None:
        self._indicators = scenario.indicators
        self._read = read
        self._held = held
        self._tripped = tripped
        self._told = changed
        self._guards = [Watch(indicator=guard.indicator, bad_for=guard.bad_for) for guard in scenario.guard_rails]
        self._guarding = False
        self._history: dict[str, list[Reading]] = {indicator.name: [] for indicator in scenario.indicators}
        self._lag = {indicator.name: lag if indicator.source == SCRAPE else NO_LAG for indicator in scenario.indicators}
        self._changed = asyncio.Event()
        self._expected: dict[str, set[Export]] = {indicator.name: set() for indicator in scenario.indicators}
        self._ever_held: set[str] = set()

    def on_round(self, round_: Round) -> None:
        """Read every indicator that this round's source fills."""
        for indicator in self._indicators:
            if indicator.source == round_.source:
                reading = self._look(indicator)
                before = self._history[indicator.name][-1:]
                self._history[indicator.name].append(reading)
                if not before or before[0].state != reading.state:
                    self._told(reading)
                self._feed_guards(reading)
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _look(self, indicator: Indicator) -> Reading:
        """Read it, and learn in the baseline which members export what: none may leave it out later. As the judge does."""
        held = self._held()
        self._ever_held |= set(held)
        expected = self._expected[indicator.name]
        reading = self._read(indicator, held, expected=expected, restarted=self._ever_held)
        if self._guarding and not self._ever_held:
            expected |= reading.exported
        return reading

    def guard(self) -> None:
        """From now on guard rails watch. A mesh that is only just coming up has broken nothing yet."""
        self._guarding = True

    def _feed_guards(self, reading: Reading) -> None:
        if not self._guarding:
            return
        for index, guard in enumerate(self._guards):
            if guard.indicator != reading.indicator or guard.tripped:
                continue
            fed = self._guards[index] = guard.fed(reading)
            if fed.tripped:
                self._tripped(fed.indicator, fed.detail)

    def last(self, indicator: str) -> Reading:
        history = self._history[indicator]
        return history[-1] if history else Reading(indicator=indicator, state="unknown", detail="nothing was sampled yet")

    async def until_good(self, indicator: str, *, after: int, within: Duration) -> tuple[bool, str]:
        """As ``until``, for good."""
        return await self.until(indicator, "good", after=after, within=within)

    async def until(self, indicator: str, state: Literal["good", "bad"], *, after: int, within: Duration) -> tuple[bool, str]:
        """Wait for such a round whose tick is at or after ``after`` (monotonic ns); say what was seen last where none came."""
        try:
            async with asyncio.timeout((within + self._lag[indicator]).seconds):
                while True:
                    reading = self.last(indicator)
                    if reading.state == state and reading.tick is not None and reading.tick >= after:
                        return True, reading.detail
                    await self._changed.wait()
        except TimeoutError:
            reading = self.last(indicator)
            return False, f"{indicator} was not {state} within {within}: {reading.detail}"

    def good_since(self, indicator: str, since: int) -> tuple[bool, str]:
        """Whether every round since an instant was good, of which there must be at least two."""
        seen = [reading for reading in self._history[indicator] if reading.tick is not None and reading.tick >= since]
        wrong = next((reading for reading in seen if reading.state != "good"), None)
        if wrong is not None:
            return False, f"{indicator} was {wrong.state}: {wrong.detail}"
        if len(seen) < 2:
            rounds = "1 round" if seen else "no round"
            return False, f"{indicator} was seen in {rounds} of the baseline; at least 2 are needed"
        return True, f"{indicator} was good in all {len(seen)} rounds"
