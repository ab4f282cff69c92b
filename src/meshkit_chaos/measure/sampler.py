"""Everything that is sampled during a run, as one object: scrapes and probes go in, a live record and readings come out.

Takes the indicators (their queries say which metrics are kept, they bring the probes), the members' addresses and the
function that runs a check. Runs until stopped; tells followers of every round once it is recorded; reads an indicator in the
last complete round of its source. A last round that is too old is no reading: unknown, never good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

import httpx2

from meshkit_chaos.clock import Clock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.recorder import MemberSamples, Recorder
from meshkit_chaos.journal.rows import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.annotations import Annotator
from meshkit_chaos.measure.connecting import Connection
from meshkit_chaos.measure.exposition import Wanted
from meshkit_chaos.measure.external import ExternalSource
from meshkit_chaos.measure.fetch import scrape_client
from meshkit_chaos.measure.probes import Prober, RunCheck
from meshkit_chaos.measure.scrape import SCRAPE, Scraper
from meshkit_chaos.measure.watch import Evaluate, Reading, read
from meshkit_chaos.promql import Evaluator, Export, Query, Settings, parse
from meshkit_chaos.slo import Duration, Indicator, Probe

_MISSED_ROUNDS: Final = 3
"""So many rounds may be missing, beyond the time-out, before the last one no longer says what is."""


class Sampler:
    """``every`` and ``timeout`` are of the scrapes (a time-out over the interval is cut to it); a probe has its own.

    A ``client`` that is given is left open. With ``external``, a server that scrapes the members takes our place.
    """

    def __init__(
        self,
        *,
        indicators: Sequence[Indicator],
        members: Iterable[str],
        targets: Mapping[str, str],
        every: Duration,
        timeout: Duration,
        check: RunCheck,
        clock: Clock,
        client: httpx2.AsyncClient | None = None,
        external: Connection | None = None,
        annotator: Annotator | None = None,
    ) -> None:
        self.recorder = Recorder()
        self._clock, self._client, self._targets = clock, client, targets
        self._every, self._timeout = every, min(timeout, every)
        self._queries = {text: parse(text) for text in dict.fromkeys(indicator.query for indicator in indicators)}
        self._evaluators = {text: Evaluator(query) for text, query in self._queries.items()}
        probes = probes_of(indicators)
        self._probers = [
            Prober(probe=probe, members=members, check=check, clock=clock, on_round=self._on_round) for probe in probes
        ]
        self._fresh = {probe.name: _fresh_for(probe.every, probe.timeout) for probe in probes}
        self._fresh[SCRAPE] = _fresh_for(every, self._timeout)
        self._external, self._annotator = external, annotator
        if annotator is not None:
            annotator.tell(lambda text: self._noted(ev.ProblemNoted(where="annotations", message=text)))
        self._source: ExternalSource | None = None
        if external is not None:
            self._fresh[SCRAPE] = _fresh_for(every, timeout) + external.lag.ns
        self._scraped = [self._queries[indicator.query] for indicator in indicators if indicator.source == SCRAPE]
        self._notes: list[ev.AnyEvent] = []
        self._listeners: list[Callable[[ev.AnyEvent], object]] = []
        self._followers: list[Callable[[Round], None]] = []
        self._scraper: Scraper | None = None
        self._stopped = False

    def follow(self, listener: Callable[[Round], None]) -> None:
        """Be told of every round from now on, once it is recorded; rounds of one source come in the order of their ticks."""
        self._followers.append(listener)

    def tell(self, listener: Callable[[ev.AnyEvent], object]) -> None:
        """Be told of what a source says about itself, from its beginning."""
        self._listeners.append(listener)
        for event in self._notes:
            listener(event)

    async def run(self) -> None:
        """Sample until stopped or cancelled. Raises only for errors of ours, or CannotRun where a source cannot be opened."""
        async with AsyncExitStack() as stack:
            if not self._stopped:
                await self._open(stack)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for source in self._sources():
                group.create_task(source.run())

    async def _open(self, stack: AsyncExitStack) -> None:
        if self._external is not None:
            opened = self._external.open(self._scraped, on_round=self._on_timed_round, note=self._noted)
            self._source = await stack.enter_async_context(opened)
        elif self._targets:
            client = self._client
            if client is None:
                client = await stack.enter_async_context(scrape_client(len(self._targets)))
            self._scraper = self._make_scraper(client)

    def _sources(self) -> list[Scraper | ExternalSource | Prober | Annotator]:
        """Whatever runs until it is stopped."""
        return [one for one in (self._source, self._scraper, *self._probers, self._annotator) if one is not None]

    def stop(self) -> None:
        """Begin no further round; ``run`` returns once those under way are complete (a time-out at most)."""
        self._stopped = True
        for source in self._sources():
            source.stop()

    @property
    def skipped(self) -> dict[str, int]:
        """Ticks by source that came too late to be asked: the runner was short of time."""
        probed = {prober.source: prober.skipped for prober in self._probers}
        return probed if self._scraper is None else {SCRAPE: self._scraper.skipped, **probed}

    def latest(
        self,
        indicator: Indicator,
        held: Collection[str] = (),
        *,
        expected: Collection[Export] = (),
        restarted: Collection[str] = (),
    ) -> Reading:
        """What the indicator says in the last complete round of its source; ``held``: members that a fault holds now.

        ``expected``: what must be exported for the round to be known, but for counters of members in ``restarted``.
        """
        rounds = self.recorder.rounds(indicator.source)
        if rounds and (age := self._clock.monotonic_ns() - rounds[-1].end) > self._fresh.get(indicator.source, 0):
            return Reading(
                indicator=indicator.name,
                state="unknown",
                detail=f"the last round of {indicator.source!r} is {Duration(age)} old{self._trouble(indicator)}",
                tick=rounds[-1].tick,
            )
        if not rounds and (trouble := self._trouble(indicator)):
            return Reading(indicator=indicator.name, state="unknown", detail=f"no round of {indicator.source!r} yet{trouble}")
        found = read(indicator, rounds=rounds, evaluate=self._evaluate(indicator), held=held)
        if not rounds or indicator.missing == "skip":
            return found
        evaluator = self._evaluator(indicator)
        exported = evaluator.exported(self.recorder, rounds[-1].tick)
        silent = {*held, *rounds[-1].failed}
        lack = evaluator.inputs.gone(expected, exported, held=silent, restarted=restarted)
        if lack and found.state != "unknown":
            found = replace(found, state="unknown", detail=lack)
        return replace(found, exported=exported)

    def _trouble(self, indicator: Indicator) -> str:
        trouble = self._source.trouble if self._source is not None and indicator.source == SCRAPE else ""
        return f": {trouble}" if trouble else ""

    def _evaluator(self, indicator: Indicator) -> Evaluator:
        return self._evaluators.get(indicator.query) or Evaluator(parse(indicator.query))

    def _evaluate(self, indicator: Indicator) -> Evaluate:
        evaluator, skip_nan = self._evaluator(indicator), indicator.missing == "skip"
        return lambda t_ns: evaluator.number(self.recorder, t_ns, skip_nan=skip_nan)

    def _make_scraper(self, client: httpx2.AsyncClient) -> Scraper:
        return Scraper(
            targets=self._targets,
            every=self._every,
            timeout=self._timeout,
            wanted=wanted_by(self._queries.values()),
            client=client,
            clock=self._clock,
            on_round=self._on_round,
        )

    def _on_round(self, round_: Round, samples: MemberSamples) -> None:
        self.recorder.add(round_, samples)
        for listener in self._followers:
            listener(round_)

    def _on_timed_round(self, round_: Round, samples: Mapping[str, Timed]) -> None:
        self.recorder.add_timed(round_, samples)
        for listener in self._followers:
            listener(round_)

    def _noted(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.SourceDescribed):  # it decides how queries over its samples are evaluated
            settings = Settings(range_boundaries=event.range_boundaries)
            self._evaluators = {text: Evaluator(query, settings) for text, query in self._queries.items()}
        self._notes.append(event)
        for listener in self._listeners:
            listener(event)


def wanted_by(queries: Iterable[Query]) -> Wanted:
    """The metrics that queries read; everything, where one of them selects by other labels than the name."""
    selectors = [selector for query in queries for selector in query.selectors]
    if any(not selector.metric for selector in selectors):
        return Wanted(None)
    return Wanted(frozenset(selector.metric for selector in selectors))


def probes_of(indicators: Iterable[Indicator]) -> tuple[Probe, ...]:
    """Each probe once. Raises ValueError where two different ones share a name, or one is called as the scrapes are."""
    probes: dict[str, Probe] = {}
    for probe in (indicator.probe for indicator in indicators if indicator.probe is not None):
        if probe.name == SCRAPE or probes.setdefault(probe.name, probe) != probe:
            raise ValueError(f"the probe name {probe.name!r} is taken; expected a name of its own for each probe")
    return tuple(probes.values())


def _fresh_for(every: Duration, timeout: Duration) -> int:
    return timeout.ns + _MISSED_ROUNDS * every.ns
