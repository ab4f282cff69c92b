"""Scrapes all members at once, in rounds on a fixed schedule.

Takes the members' addresses and the wanted names; gives each round with every member's samples, labelled as Prometheus would
(``instance`` and ``member``; what the target itself calls so becomes ``exported_…``), and ``up`` 1 or 0. A page with a
problem gives nothing but the cause: half a page is not evidence. Refuses a time-out longer than the interval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import httpx2

from meshkit_chaos.clock import Clock
from meshkit_chaos.journal.recorder import MemberSamples, Sample
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.exposition import LARGEST_PAGE, Wanted, parse
from meshkit_chaos.measure.fetch import NoPage, Page, fetch
from meshkit_chaos.measure.ticks import Ticker
from meshkit_chaos.promql.series import Labels, labels_of
from meshkit_chaos.slo import Duration

SCRAPE: Final = "scrape"
OnRound = Callable[[Round, MemberSamples], None]


class Scraper:
    """Open-loop rounds: a round is asked at its tick however long the one before took."""

    def __init__(
        self,
        *,
        targets: Mapping[str, str],
        every: Duration,
        timeout: Duration,
        wanted: Wanted,
        client: httpx2.AsyncClient,
        clock: Clock,
        on_round: OnRound,
        largest_page: int = LARGEST_PAGE,
    ) -> None:
        if not Duration(0) < timeout <= every:
            raise ValueError(f"a scrape's time-out is {timeout}; expected more than 0s and at most its interval, {every}")
        self._targets, self._wanted, self._client = targets, wanted, client
        self._timeout, self._largest = timeout, largest_page
        self._clock, self._on_round = clock, on_round
        # Time runs out at tick + time-out, so a round never runs into the next one. A late start eats from it; beyond half of
        # it a slow answer would be our fault and not the member's, so such a round is not asked at all.
        self._ticker = Ticker(every=every, grace=Duration(timeout.ns // 2), clock=clock)

    @property
    def skipped(self) -> int:
        """How many ticks came too late to be asked."""
        return self._ticker.skipped

    def stop(self) -> None:
        """Let the round under way end, then return from ``run``."""
        self._ticker.stop()

    async def run(self) -> None:
        """Ask round after round until stopped or cancelled."""
        while (tick := await self._ticker.next()) is not None:
            self._on_round(*await self._round(tick))

    async def _round(self, tick: int) -> tuple[Round, dict[str, list[Sample]]]:
        start = max(tick, self._clock.monotonic_ns())
        within = Duration(tick + self._timeout.ns - start)
        targets = dict(self._targets)
        pages = await asyncio.gather(
            *(fetch(self._client, url, within=within, largest=self._largest) for url in targets.values())
        )
        end = max(start, self._clock.monotonic_ns())
        failed: dict[str, str] = {}
        samples: dict[str, list[Sample]] = {}
        # Read only now: reading while others are still answering would hold their answers up.
        for member, page in zip(targets, pages, strict=True):
            found = self._read(page)
            if isinstance(found, str):
                failed[member] = found
                found = []
            samples[member] = labelled(found, member=member, is_up=member not in failed)
        return Round(source=SCRAPE, tick=tick, start=start, end=end, failed=failed), samples

    def _read(self, page: Page | NoPage) -> list[Sample] | str:
        """The page's samples, or why it has none to give."""
        if isinstance(page, NoPage):
            return page.cause
        parsed = parse(page.body, self._wanted, openmetrics=page.openmetrics)
        if not parsed.problems:
            return parsed.samples
        more = f" (and {len(parsed.problems) - 1} more)" if len(parsed.problems) > 1 else ""
        return f"its page cannot be used: {parsed.problems[0]}{more}"


def labelled(samples: Sequence[Sample], *, member: str, is_up: bool) -> list[Sample]:
    """A member's samples under its own labels, and ``up``. A target that exports that very series does not overrule us."""
    mine = up_labels(member)
    own = [(with_target(labels, member), value) for labels, value in samples]
    return [*(sample for sample in own if sample[0] != mine), (mine, 1.0 if is_up else 0.0)]


def up_labels(member: str) -> Labels:
    """The series that says whether a member's scrape gave something usable."""
    return labels_of("up", {"instance": member, "member": member})


@lru_cache(maxsize=65_536)
def with_target(labels: Labels, member: str) -> Labels:
    """Add ``instance`` and ``member``; the target's own labels of these names move out of the way."""
    moved = dict(labels)
    for name in ("instance", "member"):
        if name in moved:
            free = f"exported_{name}"
            while free in moved:
                free = f"exported_{free}"
            moved[free] = moved.pop(name)
        moved[name] = member
    return tuple(sorted(moved.items()))
