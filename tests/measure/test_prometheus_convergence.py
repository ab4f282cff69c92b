"""One fault, three witnesses: Prometheus at 1 s, our own rounds at 200 ms and a probe at 50 ms see the same convergence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
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
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Measurement
from meshkit_chaos.measure.sampler import Sampler
from meshkit_chaos.plan import Plan
from meshkit_chaos.slo import Duration

RUNS = int(os.environ.get("MESHKIT_CHAOS_CONVERGENCE_RUNS", "3"))
MS = 10**6
OWN = Duration(200 * 10**6)
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
    title: A killed leader is replaced within fifteen seconds
    steady_state: {for: 3s, indicators: [one-leader, leads]}
    steps: [{fault: kill, id: leader-dies, target: {role: leader}, hold: 12s}]
    objectives:
      - {converge: one-leader, within: 10s}
      - {converge: leads, within: 10s}
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


def measured(record: Record, objective: str) -> Measurement:
    verdict = judge(record)
    finding = next(found for found in verdict.findings if found.id == objective)
    assert finding.measured is not None, finding
    assert finding.measured.hi is not None, finding
    assert finding.verdict == "pass", finding
    return finding.measured


def spans_of(record: Record, samples: Samples) -> list[tuple[int, int]]:
    """What each witness says of one run, which passes by all of them and leaves the laboratory as it was.

    A busy machine skips rounds of 50 ms; a baseline with a hole is then inconclusive, and rightly so.
    """
    verdict = judge(record)
    assert verdict.verdict in {"pass", "inconclusive"}, [finding for finding in verdict.findings if finding.verdict != "pass"]
    assert verdict.environment == "clean"
    found = (
        measured(record, "converge-one-leader"),
        measured(seen_by_own(record, samples), "converge-one-leader"),
        measured(record, "converge-leads"),
    )
    return [(one.lo, one.hi or 0) for one in found]


def test_three_witnesses_agree_and_the_faster_one_is_narrower(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Their intervals overlap in every run, and usually each is narrower than the one of the slower witness."""
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

    witnesses = [spans_of(record, samples) for record, samples in asyncio.run(runs())]
    told = [[(lo // MS, hi // MS) for lo, hi in spans] for spans in witnesses]
    request.node.user_properties.append(("spans in ms: Prometheus, own rounds, probe", told))
    for spans in witnesses:
        assert max(lo for lo, _ in spans) <= min(hi for _, hi in spans), spans
    # Single runs may be wider where the machine was busy: a round that comes late says so by its length.
    slow, middle, fast = (median(hi - lo for lo, hi in column) for column in zip(*witnesses, strict=True))
    assert slow > middle > fast
    assert slow < 3.3 * 10**9
