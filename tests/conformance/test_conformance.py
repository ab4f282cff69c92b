"""The conformance kit on what we ship: every environment, and every fault kind of the catalogue on a mesh that can feel it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attached_mesh import Mesh
from virtual_runs import ENVIRONMENT, described

from meshkit_chaos import conformance as kit
from meshkit_chaos.cli.places import attach
from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.attached import AttachedEnvironment
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.faults import CATALOGUE, LeverCall, ParameterValue
from meshkit_chaos.slo import Duration

PARAMETERS: dict[str, dict[str, ParameterValue]] = {
    "latency": {"delay": "50ms"},
    "packet-loss": {"loss": "50%", "burst": 2.0},
    "corruption": {"share": "50%"},
    "duplication": {"share": "50%"},
    "reordering": {"share": "50%"},
    "bandwidth": {"rate": "64kbit"},
}
MEMBERS = """
version: 1
name: members
kind: process
members: {count: 2, name: "node-${index}"}
command: [sleep, "300"]
"""
UNFELT = {"bandwidth", "dns-failure"}
"""What the simulated mesh cannot feel: its packets have no size and no names to resolve."""


@asynccontextmanager
async def simulated() -> AsyncIterator[Environment]:
    """A simulated mesh in the running loop's virtual time."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    environment = SimulatedEnvironment(described(ENVIRONMENT), VirtualClock(loop), marker="it")
    await environment.deploy()
    try:
        yield environment
    finally:
        await environment.close()


def virtually(work: Coroutine[Any, Any, None]) -> None:
    run_virtually(VirtualTimeLoop(), work)


SIMULATED = kit.Case(open=simulated, run=virtually)


def on_simulated(kind: str) -> kit.Case:
    targets = ("node-1", "node-2") if CATALOGUE[kind].in_turn else ("node-2",)
    parameters = PARAMETERS.get(kind, {})
    return kit.Case(open=simulated, run=virtually, fault=CATALOGUE[kind], targets=targets, parameters=parameters)


@pytest.mark.parametrize("check", kit.checks(SIMULATED), ids=str)
def test_the_simulated_mesh_keeps_the_rules(check: kit.Check) -> None:
    """The public fake is an environment like every other."""
    kit.hold(check, SIMULATED)


@pytest.mark.parametrize(
    ("kind", "check"),
    [
        pytest.param(kind, check, id=f"{kind}: {check}")
        for kind in CATALOGUE
        if kind not in UNFELT
        for check in kit.checks(on_simulated(kind))
    ],
)
def test_every_kind_keeps_the_rules(kind: str, check: kit.Check) -> None:
    """Each fault kind does what it declares, bites, and is undone from wherever it was left."""
    kit.hold(check, on_simulated(kind))


@pytest.fixture
def processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> kit.Case:
    """Two trivial processes, undone by another process too."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = tmp_path / "environment"

    @asynccontextmanager
    async def opened() -> AsyncIterator[Environment]:
        environment = ProcessEnvironment.planned(
            folder, described(MEMBERS), environment_id="members", marker=ulid(SystemClock()), given={}
        )
        try:
            await environment.deploy()
            yield environment
        finally:
            await environment.teardown()
            await environment.close()

    async def elsewhere(environment: Environment, calls: tuple[LeverCall, ...]) -> None:
        del environment
        await kit.undo_elsewhere(folder, calls)

    return kit.Case(open=opened, elsewhere=elsewhere)


ANYWHERE = kit.checks(kit.Case(open=simulated, elsewhere=lambda _, __: asyncio.sleep(0)))
OF_A_FAULT = kit.checks(kit.Case(open=simulated, fault=CATALOGUE["kill"], elsewhere=lambda _, __: asyncio.sleep(0)))


@pytest.mark.parametrize("check", ANYWHERE, ids=str)
def test_local_processes_keep_the_rules(processes: kit.Case, check: kit.Check) -> None:
    """Real processes are killed, stopped and frozen, each alone, and whoever comes later undoes it."""
    kit.hold(check, processes)


def on_real_ones(check: kit.Check, kind: str) -> object:
    """One rule for each kind in every run of the tests; all of them take their time, for each begins with a deployment."""
    quick = str(check) == "it is seen to bite" or (kind == "rolling-restart" and str(check) == "half of it is undone too")
    return pytest.param(kind, check, id=f"{kind}: {check}", marks=[] if quick else pytest.mark.slow)


@pytest.mark.parametrize(
    ("kind", "check"),
    [on_real_ones(check, kind) for kind in ("kill", "stop", "pause", "restart", "rolling-restart") for check in OF_A_FAULT],
)
def test_faults_of_processes_keep_the_rules_on_real_ones(processes: kit.Case, kind: str, check: kit.Check) -> None:
    """What is proved on a fake is proved on processes too."""
    kit.hold(check, kit.Case(open=processes.open, elsewhere=processes.elsewhere, fault=CATALOGUE[kind]))


@pytest.fixture
def attached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[kit.Case]:
    """Three processes that ran before anybody attached to them, handled by scripts of their operator."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    mesh = Mesh(tmp_path / "mesh", "staging-mesh")
    stop = '  stop: {do: [%s, -I, -S, lever.py, stop, "${member.name}", "${member.port.http}"], undo_with: start}\n  pause:'
    mesh.write_environment(lambda text: text.replace("  pause:", stop % sys.executable, 1))
    state = attach(
        load_environment_alone(mesh.folder / "mesh.yaml"), {}, environment_id=mesh.name, allow=True, wait=Duration(0)
    )
    folder = environment_folder(mesh.name)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Environment]:
        environment = AttachedEnvironment(state, folder)
        try:
            yield environment
        finally:
            await environment.close()

    async def elsewhere(environment: Environment, calls: tuple[LeverCall, ...]) -> None:
        del environment
        await kit.undo_elsewhere(folder, calls)

    try:
        yield kit.Case(open=opened, elsewhere=elsewhere)
    finally:
        mesh.end()


@pytest.mark.slow
@pytest.mark.parametrize("check", ANYWHERE, ids=str)
def test_an_attached_mesh_keeps_the_rules(attached: kit.Case, check: kit.Check) -> None:
    """An operator's own commands are levers like every other: seen, idempotent, undone from elsewhere."""
    kit.hold(check, attached)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["kill", "stop", "pause", "restart", "rolling-restart"])
def test_faults_bite_an_attached_mesh(attached: kit.Case, kind: str) -> None:
    """Each kind that its levers allow is seen to bite, and leaves nothing."""
    bite = next(check for check in OF_A_FAULT if str(check) == "it is seen to bite")
    kit.hold(bite, kit.Case(open=attached.open, fault=CATALOGUE[kind]))
