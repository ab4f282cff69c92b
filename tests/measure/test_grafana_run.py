"""A whole run judged through the fake Grafana with a real Prometheus behind it, its fault marked there."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from metric_laboratory import laboratory, needed, run_in
from metric_servers import free_port

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.record import Record, fault_windows
from meshkit_chaos.journal.store import JOURNAL
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.measure.fake_grafana import Datasource, FakeGrafana, forward_to
from meshkit_chaos.measure.loopback import serving

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(180)]
TOKEN = "glsa_for-this-test-only"
SCENARIO = b"""
version: 1
indicators:
  one-leader: {promql: sum(etcd_server_is_leader), good: "== 1"}
scenarios:
  - id: leader-killed
    title: A killed leader is replaced within fifteen seconds
    steady_state: {for: 3s, indicators: [one-leader]}
    steps: [{fault: kill, id: leader-dies, target: {role: leader}, hold: 10s}]
    objectives: [{converge: one-leader, within: 12s}]
"""


def test_a_run_through_grafana_passes_and_marks_its_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict is the same as without Grafana, the fault is a region in it, and the token is nowhere in the record."""
    needed()
    monkeypatch.setenv("TEST_GRAFANA_TOKEN", TOKEN)
    clock = SystemClock()

    async def main() -> tuple[Record, FakeGrafana]:
        port = free_port()
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False))
            fake = FakeGrafana(
                upstream=forward_to(f"http://127.0.0.1:{port}", client),
                clock=clock,
                token=TOKEN,
                datasources=(Datasource(uid="prom-uid", name="Prometheus"),),
            )
            url = await stack.enter_async_context(serving(fake.handle))
            source = (
                f"grafana: {{url: '{url}', datasource: {{name: Prometheus}}, token: {{env: TEST_GRAFANA_TOKEN}}, every: 1s,"
                " lag: 500ms, annotations: true, member_value: '${member.host}:${member.port.client}'}"
            )
            environment = await stack.enter_async_context(laboratory(tmp_path, clock, source=source, port=port))
            return await run_in(environment, tmp_path / "run", clock, scenario=SCENARIO, seed=1), fake

    record, fake = asyncio.run(main())
    assert not fake.wrong
    assert judge(record).verdict == "pass"
    (window,) = fault_windows(record)
    (mark,) = fake.annotations.values()
    started = record.started
    assert started is not None
    wall = started.wall_ns - record.entries[0].t
    assert mark.time == (window.intended + wall) // 10**6
    assert window.reverted is not None
    assert mark.end == (window.reverted + wall) // 10**6
    assert f"run:{started.run}" in mark.tags
    assert next(record.of(ev.SourceDescribed))[1].version.startswith("2.")
    assert TOKEN.encode() not in (tmp_path / "run" / JOURNAL).read_bytes()
