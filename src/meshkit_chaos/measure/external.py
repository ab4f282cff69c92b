"""Rounds out of a server that scrapes the members: asked again and again, until told to stop.

Takes a ``SourceApi``, what is known of the source and the selectors; gives each round once its lag is over, and tells what is
worth recording: what the source is, how far its clock is off, what it warned of. A source that does not answer is asked again
after a while (as long as it wants, if it says so), and what it has kept meanwhile is fetched then. What cannot be fetched has
no round, and no round is no evidence. Raises only for errors of ours.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.rows import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.assembling import Assembler, ClockMap, Schedule
from meshkit_chaos.measure.offset import ClockOffset, ClockReading
from meshkit_chaos.measure.scrape import SCRAPE
from meshkit_chaos.measure.selecting import health_selector, pieces
from meshkit_chaos.measure.source import Fetched, Introduction, NoAnswer, SourceApi, Window
from meshkit_chaos.scenario.metric_sources import ExternalMetrics
from meshkit_chaos.slo import Duration

OnTimedRound = Callable[[Round, dict[str, Timed]], None]
Note = Callable[[ev.AnyEvent], None]

_MS: Final = 10**6
_FIRST_LOOKS: Final = 8
_LOOK_EVERY_S: Final = 0.12
_LONGEST_PIECE: Final = 5 * 60 * 10**9
_LONGEST_BACK_OFF_S: Final = 30.0
_SHORTEST_BACK_OFF_S: Final = 0.2
_TOO_FAR: Final = 10**9
"""A clock that is further off than this is a finding of its own."""
_NEAR_NAMES: Final = 3
_AT_ONCE: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """``server``: its address, for the record. ``selectors``: what is fetched besides whether scrapes succeeded.

    ``metrics``: the names that indicators read, to be missed where they are not there.
    """

    server: str
    external: ExternalMetrics
    members: dict[str, str]
    selectors: tuple[str, ...]
    metrics: tuple[str, ...]


class ExternalSource:
    """Made for one run. ``on_round`` gets rounds in the order of their ticks."""

    def __init__(self, api: SourceApi, asked: Asked, *, clock: Clock, on_round: OnTimedRound, note: Note) -> None:
        self._api, self._asked, self._clock = api, asked, clock
        self._on_round, self._note = on_round, note
        self._health = health_selector(asked.external.member_label, asked.members)
        self._stopped = asyncio.Event()
        self._offset: ClockOffset | None = None
        self._used = 0
        self._assembler: Assembler | None = None
        self._noted: set[str] = set()
        self._failures = 0
        self._alone_until = 0
        self._present: set[str] = set()
        self._emitted = 0
        self.trouble = ""

    def stop(self) -> None:
        """Look once more, give what is due, then return from ``run``."""
        self._stopped.set()

    async def run(self) -> None:
        """Ask until stopped or cancelled."""
        if not await self._persistently(self._introduce):
            return
        while not self._stopped.is_set():
            await self._persistently(self._poll)
            await self._pause(self._until_next())
        if self._clock.monotonic_ns() >= self._alone_until:
            await self._poll()

    async def _persistently(self, step: Callable[[], Awaitable[NoAnswer | None]]) -> bool:
        """Do it until it succeeds; false if stopped before."""
        while True:
            failed = await step()
            if failed is None:
                self._failures, self.trouble = 0, ""
                return True
            self.trouble = failed.cause
            self._say(f"no answer: {failed.cause}")
            if self._stopped.is_set():
                return False
            await self._pause(self._back_off(failed))
            if self._stopped.is_set():
                return False

    def _back_off(self, failed: NoAnswer) -> float:
        """As long as the source wants; else twice as long after every failure."""
        self._failures += 1
        usual = max(_SHORTEST_BACK_OFF_S, min(1.0, self._asked.external.every.seconds)) * 2.0 ** min(self._failures - 1, 10)
        wanted = failed.wait.seconds if failed.wait is not None else 0.0
        self._alone_until = self._clock.monotonic_ns() + round(wanted * 10**9)
        return max(wanted, min(usual, _LONGEST_BACK_OFF_S))

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._stopped.wait()

    def _until_next(self) -> float:
        """When the next round can be due: not before the source's clock says so."""
        every = self._asked.external.every.seconds
        due = self._assembler.next_due() if self._assembler is not None else None
        if due is None or self._offset is None:
            return every / 2
        now = self._clock.monotonic_ns()
        ahead = due - self._offset.by(now).lo - now
        return min(max(ahead / 10**9, every / 20), every)

    async def _introduce(self) -> NoAnswer | None:
        found = await self._api.introduce()
        if isinstance(found, NoAnswer):
            return found
        for look in range(_FIRST_LOOKS):
            failed = await self._look_at_clock()
            if failed is not None:
                return failed
            if look + 1 < _FIRST_LOOKS:
                await self._pause(_LOOK_EVERY_S if self._api.resolution > _MS else 0)
        assert self._offset is not None
        self._used = self._offset.middle
        external = self._asked.external
        self._assembler = Assembler(
            Schedule(
                every=external.every.ns,
                lag=external.lag.ns,
                member_label=external.member_label,
                members=self._asked.members,
            ),
            begin=self._clock.monotonic_ns() + self._offset.lo,
        )
        self._describe(found, self._offset)
        return None

    def _describe(self, found: Introduction, offset: ClockOffset) -> None:
        external = self._asked.external
        apart = offset.middle - (self._clock.wall_ns() - self._clock.monotonic_ns())
        error = (offset.hi - offset.lo) // 2
        self._note(
            ev.SourceDescribed(
                source=SCRAPE,
                server=self._asked.server,
                flavour=external.flavour,
                version=found.version,
                range_boundaries=found.range_boundaries,
                offset=apart,
                error=error,
                every=external.every.ns,
                lag=external.lag.ns,
            )
        )
        for text in found.notes:
            self._say(text)
        if abs(apart) - error > _TOO_FAR:
            far = f"{Duration(abs(apart) // _MS * _MS)} {'ahead of' if apart > 0 else 'behind'} ours"
            self._say(
                f"its clock is {far} (known to {Duration(error // 1000 * 1000)}): have both synchronised; "
                "rounds are placed by the difference, and by that alone"
            )

    async def _look_at_clock(self) -> NoAnswer | None:
        asked = self._clock.monotonic_ns()
        said = await self._api.now()
        if isinstance(said, NoAnswer):
            return said
        reading = ClockReading(asked=asked, answered=self._clock.monotonic_ns(), said=said, resolution=self._api.resolution)
        self._offset = ClockOffset.first(reading) if self._offset is None else self._offset.refined(reading)
        if self._offset.stepped:
            self._say("its clock was set while the run went on: every round since is widened by as much")
        return None

    async def _poll(self) -> NoAnswer | None:
        """Fetch what may have become visible, and give out what is due."""
        failed = await self._look_at_clock()
        if failed is not None or self._assembler is None or self._offset is None:
            return failed
        asked = self._clock.monotonic_ns()
        seen = asked + self._offset.by(asked).lo
        window = Window(start=self._assembler.wanted_from, end=asked + self._offset.by(asked).hi)
        doubts: dict[str, None] = {}
        for piece in pieces(window, _LONGEST_PIECE):
            found = await self._fetch(piece)
            if isinstance(found, NoAnswer):
                return found
            doubts |= dict.fromkeys(found.warnings)
            self._from_the_future(found, piece.end, doubts)
            self._assembler.take(found.series)
        self._give(seen, "; ".join(doubts))
        await self._miss()
        return None

    async def _fetch(self, window: Window) -> Fetched | NoAnswer:
        """Everything in one window: what is said of the scrapes comes first, so that a good scrape's samples are there too."""
        health = await self._api.raw(self._health, window)
        if isinstance(health, NoAnswer):
            return health
        found = [health]
        selectors = self._asked.selectors
        for start in range(0, len(selectors), _AT_ONCE):
            answers = await asyncio.gather(*(self._api.raw(text, window) for text in selectors[start : start + _AT_ONCE]))
            for answer in answers:
                if isinstance(answer, NoAnswer):
                    return answer
                found.append(answer)
        for text in dict.fromkeys(text for one in found for text in one.infos):
            self._say(f"it remarks: {text}")
        warnings = tuple(dict.fromkeys(text for one in found for text in one.warnings))
        for text in warnings:
            self._say(f"it warns: {text}")
        return Fetched(series=tuple(series for one in found for series in one.series), warnings=warnings)

    def _from_the_future(self, found: Fetched, now: int, doubts: dict[str, None]) -> None:
        newest = max((series.times[-1] for series in found.series), default=0)
        if newest > now + self._asked.external.every.ns:
            doubts[f"samples bear instants {Duration(newest - now)} ahead of the source's own clock"] = None

    def _give(self, seen: int, doubt: str) -> None:
        assert self._assembler is not None
        assert self._offset is not None
        if doubt:
            doubt = f"the source warns that its answer may be incomplete: {doubt}"
        mapping = ClockMap(offset=self._used, error=self._error())
        for round_, samples in self._assembler.due(seen, mapping, doubt):
            self._present.update(name for timed in samples.values() for row in timed.rows for name in row.header.names)
            self._emitted += 1
            self._on_round(round_, samples)
        for metric, other in self._assembler.foreign.items():
            self._say(
                f"{metric} is read from the members alone; others have it too, such as {other or 'one without the label'}"
            )
        if (spacing := self._assembler.odd_spacing()) is not None:
            every = self._asked.external.every
            self._say(f"it scrapes every {Duration(spacing // _MS * _MS)}, and the environment says every: {every}")

    def _error(self) -> int:
        """How wrong a mapped instant may be. Where others stamp the samples than the one whose clock we read, that clock's
        distance from ours is all that is known of how far such clocks may be apart.
        """
        assert self._offset is not None
        now = self._clock.monotonic_ns()
        error = self._offset.by(now).error_of(self._used)
        if self._asked.external.flavour in {"thanos", "mimir"}:
            error += abs(self._used - (self._clock.wall_ns() - now))
        return error

    async def _miss(self) -> None:
        """Once there were rounds: say which metrics never came, and what the source has that looks like them."""
        if self._emitted < 2 or "missing" in self._noted:
            return
        self._noted.add("missing")
        missing = [name for name in self._asked.metrics if name not in self._present]
        known = await self._api.metric_names() if missing else ()
        for name in missing:
            if name not in known:
                near = tuple(difflib.get_close_matches(name, known, n=_NEAR_NAMES, cutoff=0.6))
                self._note(ev.MetricMissing(source=SCRAPE, metric=name, near=near))

    def _say(self, text: str) -> None:
        """Record something, once."""
        if text not in self._noted:
            self._noted.add(text)
            self._note(ev.ProblemNoted(where=f"metric source {self._asked.server}", message=text))
