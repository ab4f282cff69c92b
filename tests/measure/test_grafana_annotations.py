"""Fault windows in Grafana: opened when a fault is injected, closed when it was undone, open after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest
from metric_source import SECOND, door
from test_grafana_source import SOURCES, TOKEN, with_token

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.annotations import Annotator
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.fake_grafana import FakeGrafana
from meshkit_chaos.measure.fake_prometheus import FakePrometheus
from meshkit_chaos.measure.loopback import Answer
from meshkit_chaos.plan import Capabilities, make_plan
from meshkit_chaos.scenario.load import load_environment, load_scenarios

DEMO = files("meshkit_chaos") / "demo"
CLOCK = ManualClock(monotonic_ns=50 * SECOND)


def started() -> ev.RunStarted:
    environment = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml").value
    assert environment is not None
    scenarios = load_scenarios((DEMO / "chaos-scenarios.yaml").read_bytes(), path="s.yaml", environment=environment).value
    assert scenarios is not None
    able = Capabilities(members=("etcd-1", "etcd-2", "etcd-3"), levers=("kill", "start", "pause", "resume"), roles=("leader",))
    plan = make_plan(scenarios.scenarios[0], environment, able, seed=1)
    return ev.RunStarted(
        schema=1, run="01J", plan=plan, tool="0", python="3", platform="x", environment_class="c", subject={}, repeat=1,
        wall_ns=CLOCK.wall_ns(), boot="b", owner=0, pid=1, deployed=True, environment_id="lab", environment_folder="e",
    )  # fmt: skip


def entry(event: ev.AnyEvent, at_s: float) -> ev.Entry:
    return ev.Entry(seq=0, t=50 * SECOND + round(at_s * SECOND), event=event)


INTENDED = ev.FaultIntended(node="leader-dies", fault="kill", members=("etcd-2",), calls=(), undo=(), deadline=0)
REVERTED = ev.RevertDone(node="leader-dies")


def written(*events: tuple[ev.AnyEvent, float], refuse: tuple[Answer, ...] = ()) -> tuple[FakeGrafana, list[str]]:
    grafana = FakeGrafana(
        upstream=FakePrometheus(CLOCK).handle, clock=CLOCK, token=TOKEN, datasources=SOURCES, refuse=[*refuse]
    )
    notes: list[str] = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[Exchange]:
        way = door(with_token(grafana.handle))
        async with way.client:
            yield Exchange(way, CLOCK)

    async def main() -> None:
        annotator = Annotator(connect)
        annotator.tell(notes.append)
        for event, at in events:
            annotator.read(entry(event, at))
        annotator.stop()
        await annotator.run()

    asyncio.run(main())
    assert not grafana.wrong
    return grafana, notes


def test_a_fault_window_is_a_region_from_injection_to_revert() -> None:
    """Times are the wall's, in ms; tags say run, scenario, environment and fault."""
    grafana, notes = written((started(), 0), (INTENDED, 2.5), (REVERTED, 6.75))
    (mark,) = grafana.annotations.values()
    zero = CLOCK.wall_ns() // 10**6
    assert (mark.time, mark.end) == (zero + 2500, zero + 6750)
    assert mark.text == "kill on etcd-2 (leader-dies)"
    assert mark.tags == ("meshkit-chaos", "run:01J", "scenario:leader-killed", "environment:lab", "fault:kill")
    assert not notes


def test_a_crash_leaves_an_open_mark() -> None:
    """Where nobody told of a revert, the mark has no end."""
    grafana, _ = written((started(), 0), (INTENDED, 2))
    (mark,) = grafana.annotations.values()
    assert mark.end is None


def test_an_injection_that_failed_is_closed_and_says_so() -> None:
    """The fault was perhaps in force for a moment; the mark tells that it was not as planned."""
    failed = ev.FaultFailed(node="leader-dies", reason="no such process")
    grafana, _ = written((started(), 0), (INTENDED, 2), (failed, 3))
    (mark,) = grafana.annotations.values()
    assert mark.end is not None
    assert "the injection failed" in mark.text


def test_a_refusal_that_passes_is_tried_again() -> None:
    """Grafana asks to wait a moment; the mark is written then."""
    later = Answer.of({"message": "later"}, status=429, Retry_After="0")
    grafana, notes = written((started(), 0), (INTENDED, 2), (REVERTED, 3), refuse=(later, later))
    (mark,) = grafana.annotations.values()
    assert mark.end is not None
    assert not notes


def test_what_grafana_refuses_is_noted_and_changes_nothing() -> None:
    """No permission: it is said once, and the run goes on."""
    denied = Answer.of({"message": "Permission denied"}, status=403)
    grafana, notes = written((started(), 0), (INTENDED, 2), (REVERTED, 3), refuse=(denied,))
    assert not grafana.annotations
    assert notes == ["the annotation of leader-dies was not opened: answered status 403: Permission denied"]


def test_a_missing_token_is_noted() -> None:
    """Without credentials nothing is written, and it is said why."""
    notes: list[str] = []

    @asynccontextmanager
    async def connect() -> AsyncIterator[Exchange]:
        raise CannotRun("the token: the environment variable GRAFANA_TOKEN is not set")
        yield

    annotator = Annotator(connect)
    annotator.tell(notes.append)
    annotator.stop()
    asyncio.run(annotator.run())
    assert notes == ["no annotation is written: the token: the environment variable GRAFANA_TOKEN is not set"]


@pytest.mark.parametrize("event", [ev.PhaseEntered(phase="hold"), ev.RevertDone(node="unknown")])
def test_other_entries_are_not_marked(event: ev.AnyEvent) -> None:
    """Only faults are windows; a revert of what was never opened marks nothing."""
    grafana, notes = written((started(), 0), (event, 1))
    assert not grafana.annotations
    assert not notes
