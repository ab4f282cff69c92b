"""What the tests of metric servers share: a mesh that is scraped in virtual time, and the way from a fake to a source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from virtual_time import VirtualLoop, run_virtually

from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.recorder import Recorder
from meshkit_chaos.journal.rows import Timed
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.access import Door, Secrets
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.external import Asked, ExternalSource
from meshkit_chaos.measure.fake_prometheus import FakePrometheus
from meshkit_chaos.measure.loopback import Handler, Request
from meshkit_chaos.measure.prometheus_api import PrometheusApi
from meshkit_chaos.measure.selecting import selectors_of
from meshkit_chaos.measure.source import SourceApi
from meshkit_chaos.promql import labels_of, parse
from meshkit_chaos.scenario.metric_sources import Access, ExternalMetrics
from meshkit_chaos.slo import Duration

SECOND = 10**9
MS = 10**6


@dataclass(frozen=True, slots=True)
class OurClock:
    """The loop's time, and a wall clock that is not at the beginning of the epoch."""

    loop: VirtualLoop

    def monotonic_ns(self) -> int:
        return self.loop.monotonic_ns()

    def wall_ns(self) -> int:
        return self.loop.monotonic_ns() + 1_767_225_600 * SECOND


def transport(handler: Handler) -> httpx2.MockTransport:
    """Requests go to the handler without a socket, so that time may be virtual."""

    async def handle(request: httpx2.Request) -> httpx2.Response:
        answer = await handler(
            Request(
                method=request.method,
                path=request.url.path,
                query=dict(request.url.params),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=await request.aread(),
            )
        )
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        return httpx2.Response(answer.status, content=body, headers=dict(answer.headers))

    return httpx2.MockTransport(handle)


def door(handler: Handler, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5) -> Door:
    client = httpx2.AsyncClient(transport=transport(handler), headers=headers, follow_redirects=False, timeout=None)
    return Door(url="http://prom", client=client, secrets=Secrets(folder=Path(), variables={}), timeout_s=timeout_s)


def external(**changes: Any) -> ExternalMetrics:
    return ExternalMetrics(
        **{"access": Access(url="http://prom"), "every": Duration(SECOND), "lag": Duration(300 * MS), **changes}
    )


@dataclass(slots=True)
class Witness:
    """What a source gave: rounds, samples and notes."""

    recorder: Recorder = field(default_factory=Recorder)
    rounds: list[Round] = field(default_factory=list)
    samples: list[Mapping[str, Timed]] = field(default_factory=list)
    notes: list[ev.AnyEvent] = field(default_factory=list)

    def on_round(self, round_: Round, samples: Mapping[str, Timed]) -> None:
        self.recorder.add_timed(round_, samples)
        self.rounds.append(round_)
        self.samples.append(samples)

    def problems(self) -> str:
        return "\n".join(note.message for note in self.notes if isinstance(note, ev.ProblemNoted))

    def noted(self, kind: type) -> list[Any]:
        return [note for note in self.notes if isinstance(note, kind)]


class ScrapedMesh:
    """Members that a fake server scrapes every second, each at its own phase (ms). ``down``: member → from and until, ns.

    Their metric ``leads`` is 1 for the first member and 0 for the others.
    """

    def __init__(self, loop: VirtualLoop, *, phases: Mapping[str, int], visible_after: int = 50 * MS, **fake: Any) -> None:
        self.loop, self.phases, self.visible_after = loop, phases, visible_after
        self.server = FakePrometheus(OurClock(loop), **fake)
        self.down: dict[str, tuple[int, int]] = {}
        self.gone: dict[str, tuple[int, int]] = {}

    async def scrape_for(self, seconds: int) -> None:
        await asyncio.gather(*(self._scrape(member, phase, seconds) for member, phase in self.phases.items()))

    async def _scrape(self, member: str, phase: int, seconds: int) -> None:
        for number in range(seconds):
            due = number * SECOND + phase * MS
            await asyncio.sleep(max(0, due - self.loop.monotonic_ns()) / SECOND)
            up = not self._within(self.down.get(member), due)
            at = self.server.now()
            await asyncio.sleep(self.visible_after / SECOND)
            if self._within(self.gone.get(member), due):
                continue
            self.server.add(labels_of("up", {"instance": member}), at, float(up))
            self.server.add(labels_of("scrape_duration_seconds", {"instance": member}), at, 0.005)
            if up:
                self.server.add(labels_of("leads", {"instance": member}), at, float(member == next(iter(self.phases))))

    def _within(self, span: tuple[int, int] | None, at: int) -> bool:
        return span is not None and span[0] <= at < span[1]


def watch(
    loop: VirtualLoop,
    mesh: ScrapedMesh,
    *,
    seconds: int,
    api: SourceApi | None = None,
    handler: Handler | None = None,
    query: str = "sum(leads)",
    described: ExternalMetrics | None = None,
    members: tuple[str, ...] = (),
    meanwhile: Any = None,
) -> Witness:
    """Let a source watch the mesh for a while, and give what it said."""
    witness = Witness()
    described = described or external()
    known = {member: member for member in members or mesh.phases}

    async def main() -> None:
        clock = OurClock(loop)
        way = door(handler or mesh.server.handle)
        queries = [parse(query)]
        asked = Asked(
            server="http://prom",
            external=described,
            members=known,
            selectors=selectors_of(queries, label="instance", members=known),
            metrics=tuple(name for one in queries for name in one.metric_names),
        )
        chosen = api or PrometheusApi(Exchange(way, clock), flavour=described.flavour)
        source = ExternalSource(chosen, asked, clock=clock, on_round=witness.on_round, note=witness.notes.append)
        async with way.client, asyncio.TaskGroup() as group:
            group.create_task(mesh.scrape_for(seconds + 1))
            task = group.create_task(source.run())
            if meanwhile is not None:
                group.create_task(meanwhile())
            await asyncio.sleep(seconds)
            source.stop()
            await task

    run_virtually(loop, main())
    return witness
