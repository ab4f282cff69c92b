"""Real processes whose program is a binary of the environment: what is deployed, recorded, refused, and started again."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from meshkit_chaos.cli.built import as_built
from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.faults import Kill, Start
from meshkit_chaos.journal.events import DeployDone, MemberUp
from meshkit_chaos.native.placing import placed_at
from meshkit_chaos.native.results import BuildReport, BuiltBinary
from meshkit_chaos.native.verify import host_platform, verify
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment
from meshkit_chaos.slo.codec import decode, encode, encode_pretty

SLEEP = shutil.which("sleep") or ""
pytestmark = pytest.mark.skipif(
    not SLEEP or host_platform() != "linux-x64" or verify(Path(SLEEP)).binary_class != "native",
    reason="needs Linux on x86-64 with a `sleep` that is a program of its own",
)

DOCUMENT = """\
version: 1
name: sleepers
kind: process
members: {count: 2, name: "sleeper-${index}"}
command: ["${binary.sleeper}", "600"]
binaries:
  sleeper: {path: out/sleeper}
clients:
  - name: load
    command: ["${binary.sleeper}", "601"]
    ports: [metrics]
    metrics: http://${member.host}:${member.port.metrics}/
"""


@pytest.fixture
def described(tmp_path: Path) -> EnvironmentDescription:
    """Two members and a client that sleep, each as a copy of the machine's own program."""
    (tmp_path / "out").mkdir()
    shutil.copy(SLEEP, tmp_path / "out" / "sleeper")
    loaded = load_environment(DOCUMENT.encode(), path=str(tmp_path / "mesh.yaml"))
    assert loaded.value is not None, loaded.problems
    return loaded.value


def planned(described: EnvironmentDescription, folder: Path) -> ProcessEnvironment:
    return ProcessEnvironment.planned(
        folder / "environment", described, environment_id="sleepers", marker=ulid(SystemClock()), given={}
    )


async def deployed(environment: ProcessEnvironment) -> tuple[MemberUp, ...]:
    try:
        return await environment.deploy()
    except BaseException:
        await environment.teardown()
        await environment.close()
        raise


async def gone(environment: ProcessEnvironment) -> None:
    assert await environment.teardown() == ()
    await environment.close()


def test_members_are_the_verified_copy_and_the_record_says_what_it_is(
    described: EnvironmentDescription, tmp_path: Path
) -> None:
    """Every member runs the bytes that were verified; the deployment's event holds the facts and reads back the same."""

    async def go() -> tuple[MemberUp, ...]:
        environment = planned(described, tmp_path)
        members = await deployed(environment)
        await gone(environment)
        return members

    members = asyncio.run(go())
    digest = hashlib.sha256(Path(SLEEP).read_bytes()).hexdigest()
    assert [(member.name, member.binary_digest) for member in members] == [
        (name, digest) for name in ("sleeper-1", "sleeper-2", "load")
    ]
    assert all(member.executable is not None and member.executable.digest == digest for member in members)
    event = DeployDone(members=members)
    assert decode(encode(event), DeployDone) == event


def test_a_client_is_no_member(described: EnvironmentDescription, tmp_path: Path) -> None:
    """It runs, is scraped and is watched; it can be no target and does not count."""

    async def go() -> None:
        environment = planned(described, tmp_path)
        await deployed(environment)
        assert environment.capabilities().members == ("sleeper-1", "sleeper-2")
        assert set(environment.scrape_targets()) == {"load"}
        assert {name for name, state in (await environment.observe()).items() if state.up} == {"sleeper-1", "sleeper-2", "load"}
        await gone(environment)

    asyncio.run(go())


def test_a_member_that_comes_back_is_the_same_binary(described: EnvironmentDescription, tmp_path: Path) -> None:
    """After a kill, what is started is the copy, although what was built has changed; other bytes in its place are refused."""

    async def go() -> None:
        environment = planned(described, tmp_path)
        await deployed(environment)
        (tmp_path / "out" / "sleeper").write_bytes(b"#!/bin/sh\n")
        before = await environment.observe()
        await environment.pull(Kill(member="sleeper-1"))
        await environment.pull(Start(member="sleeper-1"))
        after = await environment.observe()
        assert after["sleeper-1"].binary_digest == before["sleeper-1"].binary_digest
        copy = placed_at(environment.data_folder, "sleeper")
        copy.unlink()
        shutil.copy(shutil.which("tail") or "", copy)
        await environment.pull(Kill(member="sleeper-2"))
        with pytest.raises(EnvironmentProblem, match="was changed after it was verified"):
            await environment.pull(Start(member="sleeper-2"))
        assert not (await environment.observe())["sleeper-2"].up
        await gone(environment)

    asyncio.run(go())


def test_another_process_knows_the_binary_too(described: EnvironmentDescription, tmp_path: Path) -> None:
    """Whoever opens the environment later (watchdog, recover) starts members by the same verified copy."""

    async def go() -> None:
        environment = planned(described, tmp_path)
        await deployed(environment)
        other = ProcessEnvironment.load(tmp_path / "environment")
        assert other is not None
        await other.pull(Kill(member="sleeper-1"))
        await other.pull(Start(member="sleeper-1"))
        assert all(member.executable is not None and member.pid for member in await other.members())
        await other.close()
        await gone(environment)

    asyncio.run(go())


def test_what_is_not_native_is_not_deployed(described: EnvironmentDescription, tmp_path: Path) -> None:
    """Where native code is demanded, a script is refused before anything is started, and nothing is left."""
    (tmp_path / "out" / "sleeper").write_bytes(b"#!/bin/sh\nexec sleep 600\n")
    environment = planned(described, tmp_path)
    with pytest.raises(EnvironmentProblem, match="binary sleeper is not run: a script, run by /bin/sh"):
        asyncio.run(deployed(environment))
    assert not Path(environment.data_folder).exists()


def report_of(described: EnvironmentDescription, folder: Path, **changed: object) -> Path:
    """A build's result, as `native build` writes it."""
    facts = verify(folder / "out" / "sleeper")
    binary = BuiltBinary(
        name="sleeper", ok=bool(changed.get("ok", True)), problems=tuple(changed.get("problems", ())), facts=facts
    )  # type: ignore[arg-type]  # the tests' own texts
    report = BuildReport(
        environment=described.name,
        environment_digest=described.digest,
        platform="linux-x64",
        tool="0",
        ok=binary.ok,
        binaries=(binary,),
    )
    file = folder / "native-build.json"
    file.write_bytes(encode_pretty(report))
    return file


def test_what_was_swapped_after_the_build_is_not_deployed(described: EnvironmentDescription, tmp_path: Path) -> None:
    """With a build's result, another file than the one that was built is refused, native as it may be."""
    built = report_of(described, tmp_path)
    shutil.copy(shutil.which("tail") or "", tmp_path / "out" / "sleeper")
    environment = planned(as_built(described, built), tmp_path)
    with pytest.raises(EnvironmentProblem, match=r"its SHA-256 is .*, expected "):
        asyncio.run(deployed(environment))


def test_nothing_is_deployed_from_a_build_that_failed(described: EnvironmentDescription, tmp_path: Path) -> None:
    """A failed build's result stops the run before it begins, and says which binary failed and why."""
    built = report_of(described, tmp_path, ok=False, problems=("the build ended with status 1",))
    with pytest.raises(CannotRun, match="sleeper: the build ended with status 1"):
        as_built(described, built)
