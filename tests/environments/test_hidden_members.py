"""Members that forbid to be looked into, as setuid programs do: never taken for down, never left behind unsaid."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from virtual_runs import described

from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments import processes
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, LeverCall, Pause, Start

FORBIDS = (
    "import ctypes, os, socket, sys, time; os.path.exists(sys.argv[2]) and ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); "
    "kept = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
)
MESH = f"""
version: 1
name: hidden
kind: process
members: {{count: 2, name: "node-${{index}}"}}
ports: [main]
command: [{sys.executable}, -I, -S, -c, "{FORBIDS}", "${{member.port.main}}", "${{member.dir}}/../forbid-${{member.name}}"]
ready: {{tcp: {{address: "${{member.host}}:${{member.port.main}}"}}, within: 10s}}
"""
_VERSION_3 = 0x20080522
_LOOKS_INTO_ALL = 1 << 19 | 1 << 21 | 1 << 38
"""CAP_SYS_PTRACE, CAP_SYS_ADMIN and CAP_PERFMON: by any of these, processes can be looked into that forbid it."""

_GET_SECUREBITS, _SET_SECUREBITS, _NO_ROOT = 27, 28, 1


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _change_effective(change: Callable[[int], int]) -> int:
    """Change this thread's effective capabilities; give what they were."""
    libc, header, halves = ctypes.CDLL(None, use_errno=True), _Header(_VERSION_3, 0), (_Set * 2)()
    assert libc.capget(ctypes.byref(header), halves) == 0
    before = int(halves[0].effective) | int(halves[1].effective) << 32
    halves[0].effective, halves[1].effective = change(before) & 0xFFFFFFFF, change(before) >> 32
    assert libc.capset(ctypes.byref(header), halves) == 0, os.strerror(ctypes.get_errno())
    return before


@pytest.fixture(autouse=True)
def as_an_ordinary_user() -> Iterator[None]:
    """Root may look into everything; without these capabilities it may as little as anybody. What it starts has none at all."""
    libc = ctypes.CDLL(None, use_errno=True)
    securebits = libc.prctl(_GET_SECUREBITS, 0, 0, 0, 0)
    if os.geteuid() == 0:
        assert libc.prctl(_SET_SECUREBITS, securebits | _NO_ROOT, 0, 0, 0) == 0, os.strerror(ctypes.get_errno())
    before = _change_effective(lambda now: now & ~_LOOKS_INTO_ALL)
    yield
    _change_effective(lambda _: before)
    if os.geteuid() == 0:
        libc.prctl(_SET_SECUREBITS, securebits, 0, 0, 0)


def planned(tmp_path: Path) -> ProcessEnvironment:
    return ProcessEnvironment.planned(
        tmp_path / "environment", described(MESH), environment_id="hidden", marker=ulid(SystemClock()), given={}
    )


Work = Callable[[ProcessEnvironment], Awaitable[None]]


@pytest.fixture
def hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Two members, of which node-2 is started anew and then forbids to be looked into; all is taken down afterwards."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def execute(work: Work) -> None:
        environment = planned(tmp_path)

        async def whole() -> None:
            try:
                await environment.deploy()
                (Path(environment.data_folder) / "forbid-node-2").touch()
                await environment.pull(Kill("node-2"))
                await environment.pull(Start("node-2"))
                await work(environment)
            finally:
                left = await environment.teardown()
                await environment.close()
            assert left == ()

        asyncio.run(whole())

    return execute


def pid_of(environment: ProcessEnvironment, member: str) -> int:
    return environment._spawned[member].pid


def test_a_member_that_may_not_be_looked_into_is_not_down(hidden: Callable[[Work], None]) -> None:
    """Its marker cannot be read, and yet it runs: that is a problem which names it, and no state."""

    async def work(environment: ProcessEnvironment) -> None:
        assert {one.member for one in processes.find_marked(environment.marker)} == {"node-1"}
        with pytest.raises(EnvironmentProblem, match=rf"node-2 runs \(pid {pid_of(environment, 'node-2')}\).*may not look"):
            await environment.observe()

    hidden(work)


@pytest.mark.parametrize("call", [Kill("node-2"), Pause("node-2"), Start("node-2")])
def test_no_lever_succeeds_on_what_may_not_be_looked_into(hidden: Callable[[Work], None], call: LeverCall) -> None:
    """A kill that hit nobody is no kill, and a start would be a second process: each is refused."""

    async def work(environment: ProcessEnvironment) -> None:
        before = pid_of(environment, "node-2")
        with pytest.raises(EnvironmentProblem, match="node-2 runs"):
            await environment.pull(call)
        assert pid_of(environment, "node-2") == before
        assert processes.stat_of(before) is not None

    hidden(work)


def test_another_process_finds_it_too(hidden: Callable[[Work], None]) -> None:
    """Watchdog and `recover` have no children: they know it by its arguments, do not take it for down, and end it."""

    async def work(environment: ProcessEnvironment) -> None:
        other = ProcessEnvironment.of(environment.state)
        with pytest.raises(EnvironmentProblem, match="node-2 runs"):
            await other.observe()
        pid = pid_of(environment, "node-2")
        assert await other.teardown() == ()
        await other.close()
        stat = processes.stat_of(pid)
        assert stat is None or stat[0] == "Z"

    hidden(work)


def test_a_mesh_that_forbids_it_from_the_start_is_not_deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could neither be observed nor found again is refused before there is any fault, and ended."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = MESH.replace("${member.dir}/../forbid-${member.name}", "/")
    environment = ProcessEnvironment.planned(
        tmp_path / "environment", described(text), environment_id="hidden", marker=ulid(SystemClock()), given={}
    )

    async def whole() -> None:
        with pytest.raises(EnvironmentProblem, match="node-1 runs") as refused:
            await environment.deploy()
        assert "PR_SET_DUMPABLE" in refused.value.hint
        assert await environment.teardown() == ()
        await environment.close()

    asyncio.run(whole())
    assert all(child.poll() is not None for child in environment._spawned.values())


def test_a_member_that_ended_is_down(hidden: Callable[[Work], None]) -> None:
    """Hidden or not: once it has ended, it is down and nothing else."""

    async def work(environment: ProcessEnvironment) -> None:
        os.kill(pid_of(environment, "node-2"), 9)
        environment._spawned["node-2"].wait()
        assert not (await environment.observe())["node-2"].up

    hidden(work)
