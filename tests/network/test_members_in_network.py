"""Members of a process environment in a network of their own: shaped, observed, and gone with it when it is torn down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from traces import Traces
from virtual_runs import described

from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments import permission
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, LinkPolicy, MemberState, Shape, Start, Unshape
from meshkit_chaos.scenario.environment import SWITCH
from meshkit_chaos.slo import CommandCheck, Duration, HttpCheck, TcpCheck

pytestmark = pytest.mark.lab
T = TypeVar("T")
WITHIN = Duration.parse("5s")
SERVERS = f"""
version: 1
name: servers
kind: process
network: isolated
members: {{count: 3, name: "node-${{index}}"}}
ports: [http]
command: ["{sys.executable}", -m, http.server, --bind, "${{member.host}}", "${{member.port.http}}"]
ready: {{tcp: {{address: "${{member.host}}:${{member.port.http}}"}}, within: 20s}}
clients:
  - {{name: load, command: [sleep, "300"]}}
"""
InNetwork = Callable[[Callable[[ProcessEnvironment], Awaitable[Any]]], Any]
OTHERS = ("node-2", "node-3", "load")
CUT = Shape(member="node-1", towards=OTHERS, policy=LinkPolicy(cut=True), layer="cut", lasting=Duration.parse("60s"))
LIFT = Unshape(member="node-1", layer="cut")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, possible: None) -> Path:
    """Where the environment keeps its state; members' data lie below the test's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / "environment"


@pytest.fixture
def in_network(folder: Path) -> InNetwork:
    """Deploy, do something, and take down, whatever happens; nothing is left."""

    def execute(work: Callable[[ProcessEnvironment], Awaitable[T]]) -> T:
        environment = ProcessEnvironment.planned(
            folder, described(SERVERS), environment_id="servers", marker=ulid(SystemClock()), given={}
        )

        async def whole() -> T:
            traces = None
            try:
                await environment.deploy()
                traces = Traces.of(environment.marker)
                return await work(environment)
            finally:
                left = await environment.teardown()
                await environment.close()
                assert left == ()
                if traces is not None:
                    traces.assert_gone()

        return asyncio.run(whole())

    return execute


def layers(seen: dict[str, MemberState]) -> dict[str, tuple[str, ...]]:
    return {name: state.layers for name, state in seen.items() if state.layers}


def test_an_environment_with_a_network_has_two_more_levers() -> None:
    """Links can be shaped where there is a network, and only there."""
    with_network, without = described(SERVERS), described(SERVERS.replace("network: isolated\n", ""))
    assert set(capabilities_of(with_network).levers) - set(capabilities_of(without).levers) == {"shape", "unshape"}


def test_without_a_network_links_cannot_be_shaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On loopback the lever is an error that says what to write."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = "version: 1\nname: s\nkind: process\nmembers: {count: 2, name: 'node-${index}'}\ncommand: [sleep, '60']\n"

    async def work() -> None:
        environment = ProcessEnvironment.planned(
            tmp_path / "e", described(text), environment_id="s", marker=ulid(SystemClock()), given={}
        )
        try:
            await environment.deploy()
            with pytest.raises(EnvironmentProblem, match="no network of its own"):
                await environment.pull(CUT)
        finally:
            await environment.teardown()
            await environment.close()

    asyncio.run(work())


def test_layers_are_seen_and_lifted(in_network: InNetwork) -> None:
    """What was asked for twice is there once; lifted twice, it is gone; the switch is seen among the members."""

    async def work(environment: ProcessEnvironment) -> None:
        before = await environment.observe()
        assert set(before) == {"node-1", "node-2", "node-3", "load", SWITCH}
        assert all(state.up for state in before.values())
        assert layers(before) == {}
        for _ in range(2):
            await environment.pull(CUT)
            assert layers(await environment.observe()) == {"node-1": ("cut",)}
        for _ in range(2):
            await environment.pull(LIFT)
            assert layers(await environment.observe()) == {}

    in_network(work)


def test_a_layer_outlives_a_restart_of_its_member(in_network: InNetwork) -> None:
    """A member that is killed and started again comes back behind the same links; while it is dead they are seen."""

    async def work(environment: ProcessEnvironment) -> None:
        await environment.pull(CUT)
        await environment.pull(Kill("node-1"))
        dead = (await environment.observe())["node-1"]
        assert (dead.up, dead.layers) == (False, ("cut",))
        await environment.pull(Start("node-1"))
        back = (await environment.observe())["node-1"]
        assert (back.up, back.layers) == (True, ("cut",))

    in_network(work)


def test_a_member_is_the_program_and_not_what_led_to_it(in_network: InNetwork) -> None:
    """From the first look on, its binary and its arguments are its own."""

    async def work(environment: ProcessEnvironment) -> None:
        (first,) = [state for name, state in (await environment.observe()).items() if name == "load"]
        members = {member.name: member for member in await environment.members()}
        assert members["load"].binary == "sleep"
        words = Path(f"/proc/{members['load'].pid}/cmdline").read_bytes()  # noqa: ASYNC240  # one small file of /proc
        assert words == b"sleep\x00300\x00" or words.endswith(b"/sleep\x00300\x00")
        assert first.binary_digest == members["load"].binary_digest != ""

    in_network(work)


def test_checks_reach_a_member_that_is_cut_off(in_network: InNetwork) -> None:
    """HTTP, TCP and commands ask from inside the member's own network; what they see is the member, not its links."""

    async def work(environment: ProcessEnvironment) -> None:
        everyone = ("node-1", *OTHERS)
        cuts = [
            Shape(
                member=name,
                towards=tuple(other for other in everyone if other != name),
                policy=LinkPolicy(cut=True),
                layer="all",
                lasting=Duration.parse("60s"),
            )
            for name in everyone
        ]
        for cut in cuts:
            await environment.pull(cut)
        command = CommandCheck(argv=(sys.executable, "-c", "import socket; socket.create_connection(('node-2', 20001), 1)"))
        others = CommandCheck(argv=(sys.executable, "-c", "import socket; socket.create_connection(('node-1', 20000), 1)"))
        environment.allow(permission.Allowed({command.argv, others.argv}))
        url = "http://${member.host}:${member.port.http}/"
        assert (await environment.check("node-2", HttpCheck(url=url), WITHIN)).ok
        assert (await environment.check("node-2", TcpCheck(address="${member.host}:${member.port.http}"), WITHIN)).ok
        assert (await environment.check("node-2", command, WITHIN)).ok
        assert not (await environment.check("node-2", others, WITHIN)).ok

    in_network(work)


IN_ANOTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from meshkit_chaos.environments.opening import open_environment
from meshkit_chaos.faults import Unshape

async def work():
    environment = open_environment(Path(sys.argv[1]))
    await environment.pull(Unshape(member="node-1", layer="cut"))
    print([state.layers for state in (await environment.observe()).values() if state.layers])
    await environment.close()

asyncio.run(work())
"""


def test_a_layer_is_lifted_by_another_process(in_network: InNetwork, folder: Path) -> None:
    """Whoever knows the environment's folder can undo: nothing of it is in the process that did it."""

    async def work(environment: ProcessEnvironment) -> str:
        await environment.pull(CUT)
        return await asyncio.to_thread(_elsewhere, folder)

    assert in_network(work) == "[]\n"


def _elsewhere(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout


async def _switch(environment: ProcessEnvironment, number: signal.Signals) -> None:
    identity = (await environment.observe())[SWITCH].identity
    os.kill(int(identity.partition("@")[0]), number)


def test_a_dead_switch_is_seen_and_has_no_policies(in_network: InNetwork) -> None:
    """Its death shows; nothing can be shaped any more, what is to be lifted is gone with it, and all is taken down."""

    async def work(environment: ProcessEnvironment) -> None:
        await environment.pull(CUT)
        await _switch(environment, signal.SIGKILL)
        seen: dict[str, MemberState] = {}
        for _ in range(500):
            with contextlib.suppress(EnvironmentProblem):  # while it is dying it is there, and silent
                seen = await environment.observe()
                if not seen[SWITCH].up:
                    break
            await asyncio.sleep(0.01)
        assert not seen[SWITCH].up
        assert layers(seen) == {}
        await environment.pull(LIFT)
        with pytest.raises(EnvironmentProblem, match="switch does not answer"):
            await environment.pull(CUT)

    in_network(work)


def test_a_switch_that_hangs_is_a_problem_not_a_state(in_network: InNetwork) -> None:
    """What is in force cannot be told while it hangs, so nothing is told."""

    async def work(environment: ProcessEnvironment) -> None:
        await _switch(environment, signal.SIGSTOP)
        with pytest.raises(EnvironmentProblem, match="did not answer within 3 s"):
            await environment.observe()

    in_network(work)


def test_a_network_that_cannot_be_made_is_told_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deployment fails with what the switch's process said."""
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    environment = ProcessEnvironment.planned(
        folder, described(SERVERS), environment_id="servers", marker=ulid(SystemClock()), given={}
    )

    async def work() -> tuple[str, ...]:
        try:
            with pytest.raises(EnvironmentProblem, match="network of the members was not made"):
                await environment.deploy()
        finally:
            left = await environment.teardown()
            await environment.close()
        return left

    assert asyncio.run(work()) == ()
