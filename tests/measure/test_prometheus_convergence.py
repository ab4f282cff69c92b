"""One fault, three witnesses: Prometheus at 1 s, our own rounds at 200 ms and a probe at 50 ms see the same convergence."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from metric_laboratory import laboratory, needed, run_in
from metric_servers import free_port
from msgspec import structs

from meshkit_chaos.clock import Clock, SystemClock
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.judge.estimator import missing_rounds
from meshkit_chaos.judge.indicators import every_of, instants_of, series_of
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.measure.sampler import Sampler
from meshkit_chaos.plan import Plan
from meshkit_chaos.slo import Duration

RUNS = int(os.environ.get("MESHKIT_CHAOS_CONVERGENCE_RUNS", "3"))
MS = 10**6
OWN = Duration(200 * 10**6)
WIDEST = (2200 * MS, 400 * MS, 200 * MS)
"""Two rounds and how long they take: what a median run must not exceed."""
pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(120 + 60 * RUNS)]
SOURCE = """prometheus:
    url: http://127.0.0.1:PORT
    every: 1s
    lag: 500ms
    member_value: ${member.host}:${member.port.client}"""

SCENARIO = b"""
version: 1
indicators:
  one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}
  leads:
    probe:
      http:
        method: POST
        url: http://${member.host}:${member.port.client}/v3/maintenance/status
        body: "{}"
        path: leader
        equals_path: header.member_id
      every: 50ms
      timeout: 1s
      need: any
scenarios:
  - id: leader-killed
    title: A killed leader is replaced within nine seconds
    steady_state: {for: 3s, indicators: [one-leader, leads]}
    steps: [{fault: kill, id: leader-dies, target: {role: leader}, hold: 10s}]
    objectives:
      - {converge: one-leader, within: 9s}
      - {converge: leads, within: 9s}
"""


def own_rounds(plan: Plan, environment: ProcessEnvironment, clock: Clock) -> Sampler:
    """What the tool does where nobody else scrapes."""
    targets = {
        spec.name: f"http://{spec.values['member.host']}:{spec.values['member.port.client']}/metrics"
        for spec in environment.state.members
    }
    return Sampler(
        indicators=plan.scenario.indicators[:1], members=targets, targets=targets, every=OWN, timeout=OWN,
        check=environment.check, clock=clock,
    )  # fmt: skip


def seen_by_own(record: Record, samples: Samples) -> Record:
    """The same run, as if only our own rounds had been recorded of the metric."""
    entries = tuple(entry for entry in record.entries if not isinstance(entry.event, ev.SourceDescribed))
    started = record.started
    assert started is not None
    mine = structs.replace(started, plan=structs.replace(started.plan, round_every=OWN, sample_lag=Duration(0)))
    first = structs.replace(entries[0], event=mine)
    renumbered = tuple(structs.replace(entry, seq=seq) for seq, entry in enumerate((first, *entries[1:])))
    return replace(record, entries=renumbered, samples=samples)


@dataclass(frozen=True)
class Seen:
    """What one witness says of a run. ``sighted``: it saw every round from the last bad one to the end of its window."""

    lo: int
    hi: int
    sighted: bool

    @property
    def width(self) -> int:
        return self.hi - self.lo


def seen(record: Record, objective: str) -> Seen:
    """A judged objective's interval: a pass for whoever saw every round since the recovery.

    One that is blind after it, if only for two rounds, has a wider interval, and may not be able to tell.
    """
    finding = next(found for found in judge(record).findings if found.id == objective)
    assert finding.measured is not None, finding
    assert finding.verdict in {"pass", "inconclusive"}, finding
    if finding.measured.hi is None or finding.measured.recovered is None:
        assert finding.verdict == "inconclusive", finding
        return Seen(finding.measured.lo, sys.maxsize, sighted=False)
    assert record.started is not None
    indicator = next(one for one in record.started.plan.scenario.indicators if one.name == finding.indicator)
    begin, end = finding.measured.recovered[0], finding.measured.window[1]
    points = tuple(point for point in series_of(record, indicator) if begin <= point.start and point.end <= end)
    every = every_of(record, indicator)
    missing = missing_rounds(instants_of(points, indicator.band), every=every, start=points[0].tick, end=points[-1].tick)
    sighted = not missing and all(point.state != "unknown" for point in points)
    assert finding.verdict == "pass" or not sighted, finding
    return Seen(finding.measured.lo, finding.measured.hi, sighted=sighted)


def witnesses_of(record: Record, samples: Samples) -> tuple[Seen, Seen, Seen]:
    """What each says of one run, which no one fails and which leaves the laboratory as it was: the slowest one first.

    A busy machine skips rounds of 50 ms; a baseline with a hole is then inconclusive, and rightly so.
    """
    verdict = judge(record)
    assert verdict.verdict in {"pass", "inconclusive"}, [finding for finding in verdict.findings if finding.verdict != "pass"]
    assert verdict.environment == "clean"
    return (
        seen(record, "converge-one-leader"),
        seen(seen_by_own(record, samples), "converge-one-leader"),
        seen(record, "converge-leads"),
    )


def test_three_witnesses_agree_and_the_faster_one_is_narrower(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Their intervals overlap in every run; in each run that all of them saw, each is narrower than that of the slower one.

    A witness that was blind for two rounds or more, because the machine was too busy to ask in time, has an interval that
    reaches over that moment: wide, and true. At least a third of the runs must have been seen by all, or nothing is proven.
    """
    needed()
    clock = SystemClock()

    async def runs() -> list[tuple[Record, Samples]]:
        port, found = free_port(), []
        async with laboratory(tmp_path, clock, source=SOURCE.replace("PORT", str(port)), port=port) as environment:
            for number in range(RUNS):
                own: list[Sampler] = []

                @asynccontextmanager
                async def beside(plan: Plan, own: list[Sampler] = own) -> AsyncIterator[None]:
                    own.append(own_rounds(plan, environment, clock))
                    task = asyncio.create_task(own[0].run())
                    yield
                    own[0].stop()
                    await task

                record = await run_in(
                    environment, tmp_path / f"{number:03d}", clock, scenario=SCENARIO, seed=number, beside=beside
                )
                found.append((record, own[0].recorder.samples()))
        return found

    found = [witnesses_of(record, samples) for record, samples in asyncio.run(runs())]
    told = [[(one.lo // MS, one.hi // MS, one.sighted) for one in several] for several in found]
    request.node.user_properties.append(("lo, hi in ms, sighted: Prometheus, own rounds, probe", told))
    for several in found:
        assert max(one.lo for one in several) <= min(one.hi for one in several), told
        for slower, faster in pairwise(several):
            assert faster.width < slower.width or not (faster.sighted and slower.sighted), told
    seen_by_all = [several for several in found if all(one.sighted for one in several)]
    assert len(seen_by_all) >= max(1, RUNS // 3), told
    widths = [median(one.width for one in column) for column in zip(*seen_by_all, strict=True)]
    assert all(width < most for width, most in zip(widths, WIDEST, strict=True)), told
