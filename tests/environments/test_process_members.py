"""Members as real processes, as trivial as they come: found by their marker, signalled exactly, started and ended once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from virtual_runs import described

from meshkit_chaos.clock import SystemClock, ulid
from meshkit_chaos.environments import processes
from meshkit_chaos.environments.process import ProcessEnvironment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, Pause, Resume, Start

T = TypeVar("T")
SLEEPERS = """
version: 1
name: sleepers
kind: process
members: {count: 2, name: "node-${index}"}
command: [sleep, "300"]
"""


def planned(tmp_path: Path, text: str = SLEEPERS) -> ProcessEnvironment:
    return ProcessEnvironment.planned(
        tmp_path / "environment", described(text), environment_id="sleepers", marker=ulid(SystemClock()), given={}
    )


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """Deploy, do something, and take down, whatever happens; members' data lie below the test's folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def execute(work: Callable[[ProcessEnvironment], Awaitable[T]], text: str = SLEEPERS) -> T:
        environment = planned(tmp_path, text)

        async def whole() -> T:
            try:
                await environment.deploy()
                return await work(environment)
            finally:
                left = await environment.teardown()
                await environment.close()
                assert left == ()
                assert processes.find_marked(environment.marker) == ()

        return asyncio.run(whole())

    return execute


Run = Callable[..., object]


def test_levers_do_what_they_say(run: Run) -> None:
    """Kill, start, pause and resume are seen from outside, each done again changes nothing, and only one member is hit."""

    async def work(environment: ProcessEnvironment) -> None:
        before = await environment.observe()
        for call, up, paused in (
            (Pause("node-1"), True, True),
            (Pause("node-1"), True, True),
            (Resume("node-1"), True, False),
            (Resume("node-1"), True, False),
            (Kill("node-1"), False, False),
            (Kill("node-1"), False, False),
            (Start("node-1"), True, False),
            (Start("node-1"), True, False),
        ):
            await environment.pull(call)
            after = await environment.observe()
            assert (after["node-1"].up, after["node-1"].paused) == (up, paused), call
            assert after["node-2"] == before["node-2"]
        assert after["node-1"].identity != before["node-1"].identity
        assert after["node-1"].binary_digest == before["node-1"].binary_digest
        assert after["node-1"].configuration_digest == before["node-1"].configuration_digest

    run(work)


def test_a_paused_member_can_be_killed(run: Run) -> None:
    """A frozen member dies at once, and comes back running."""

    async def work(environment: ProcessEnvironment) -> None:
        await environment.pull(Pause("node-2"))
        await environment.pull(Kill("node-2"))
        assert not (await environment.observe())["node-2"].up
        await environment.pull(Start("node-2"))
        assert not (await environment.observe())["node-2"].paused

    run(work)


def test_starting_twice_at_once_gives_one_process(run: Run) -> None:
    """A member that runs is not started again."""

    async def work(environment: ProcessEnvironment) -> None:
        await environment.pull(Start("node-1"))
        members = [one.member for one in processes.find_marked(environment.marker)]
        assert sorted(members) == ["node-1", "node-2"]

    run(work)


def test_children_of_a_member_are_found_and_ended(run: Run) -> None:
    """What a member starts bears its marker too: it is paused and killed with it."""
    text = SLEEPERS.replace('[sleep, "300"]', '[sh, -c, "sleep 300 & sleep 300 & wait"]')

    async def work(environment: ProcessEnvironment) -> None:
        async with asyncio.timeout(5):
            while len([one for one in processes.find_marked(environment.marker) if one.member == "node-1"]) < 3:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)
        await environment.pull(Pause("node-1"))
        assert all(one.stopped for one in processes.find_marked(environment.marker) if one.member == "node-1")
        await environment.pull(Kill("node-1"))
        assert not [one for one in processes.find_marked(environment.marker) if one.member == "node-1"]
        assert [one for one in processes.find_marked(environment.marker) if one.member == "node-2"]

    run(work, text)


def test_another_process_finds_the_members(run: Run, tmp_path: Path) -> None:
    """Whoever loads the environment's folder sees and moves the same members, without having started them."""

    async def work(environment: ProcessEnvironment) -> None:
        other = ProcessEnvironment.load(tmp_path / "environment")
        assert other is not None
        assert await other.observe() == await environment.observe()
        await other.pull(Kill("node-1"))
        await other.pull(Start("node-1"))
        assert (await environment.observe())["node-1"].up
        await other.close()

    run(work)


def test_a_reused_pid_is_never_hit() -> None:
    """A process that has the pid of one that was meant, but another start time, gets no signal."""
    with subprocess.Popen(["sleep", "60"]) as bystander:
        stat = processes.stat_of(bystander.pid)
        assert stat is not None
        meant = processes.MarkedProcess(pid=bystander.pid, started=stat[1] - 1, state="S", member="node-1")
        assert processes.send(meant, signal.SIGKILL) is False
        assert bystander.poll() is None
        bystander.kill()


def test_a_pid_that_is_gone_is_no_error() -> None:
    """Signalling what has ended does nothing."""
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    gone = processes.MarkedProcess(pid=ended.pid, started=1, state="S", member="node-1")
    assert processes.send(gone, signal.SIGKILL) is False


def test_another_marker_is_another_environment() -> None:
    """A process whose marker only begins or ends like ours is not ours, nor is one that merely mentions it."""
    marker = ulid(SystemClock())
    environments = (
        {processes.MARKER_VARIABLE: marker + "0"},
        {processes.MARKER_VARIABLE: marker[:-1]},
        {"NOTE": f"{processes.MARKER_VARIABLE}={marker}"},
        {f"X{processes.MARKER_VARIABLE}": marker},
    )
    others = [subprocess.Popen(["/bin/sleep", "60"], env=variables) for variables in environments]
    try:
        assert processes.find_marked(marker) == ()
        assert processes.kill_all(marker, within_s=0.2) == ()
        assert all(other.poll() is None for other in others)
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_strange_command_names_are_read() -> None:
    """A process whose name holds brackets and blanks has its own state and start time."""
    stat = processes.stat_of(os.getpid())
    assert stat is not None
    assert stat[0] in "RS"
    assert stat[1] > 0
    assert processes.stat_of(2**22 + 1) is None


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ('["/no/such/program"]', "there is no executable '/no/such/program'"),
        ('["no-such-program-anywhere"]', "there is no executable 'no-such-program-anywhere'"),
    ],
)
def test_a_program_that_is_not_there_is_said(tmp_path: Path, command: str, said: str) -> None:
    """Nothing is started where a member's program does not exist, and it is named."""
    environment = planned(tmp_path, SLEEPERS.replace('[sleep, "300"]', command))

    async def work() -> None:
        with pytest.raises(EnvironmentProblem) as refused:
            await environment.deploy()
        await environment.close()
        assert said in refused.value.message
        assert refused.value.hint

    asyncio.run(work())


def test_a_member_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that does not get ready is named, with the last line that it wrote."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = SLEEPERS.replace('[sleep, "300"]', '[sh, -c, "echo the port is taken >&2; exit 3"]')
    environment = planned(tmp_path, text + "ready: {tcp: {address: '127.0.0.1:1'}, within: 5s}\n")

    async def work() -> None:
        with pytest.raises(EnvironmentProblem, match=r"node-. ended before it was ready") as told:
            await environment.deploy()
        assert "the port is taken" in told.value.hint
        assert await environment.teardown() == ()
        await environment.close()

    asyncio.run(work())


def test_a_foreign_data_folder_is_never_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Teardown removes the folder that it made itself, and says so of one that does not bear its marker."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = planned(tmp_path)
    data = Path(environment.data_folder)
    data.mkdir()
    (data / "precious").write_text("mine")

    async def work() -> tuple[str, ...]:
        with pytest.raises(EnvironmentProblem, match="cannot be made"):
            await environment.deploy()
        left = await environment.teardown()
        await environment.close()
        return left

    (left,) = asyncio.run(work())
    assert "does not bear the marker" in left
    assert (data / "precious").read_text() == "mine"


def variables_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_members_see_only_what_they_need(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the person who runs the tool do not reach the members, but the few that programs need."""
    monkeypatch.setenv("SOMEBODYS_TOKEN", "s3cret")

    async def work(environment: ProcessEnvironment) -> None:
        member = processes.find_marked(environment.marker)[0]
        variables = variables_of(member.pid)
        assert b"SOMEBODYS_TOKEN" not in variables
        assert b"PATH=" in variables

    run(work)


def test_one_binary_of_many_processes_is_read_once(tmp_path: Path) -> None:
    """Its digest is of the file that runs, and a second process of the same file costs no second reading."""
    copied = tmp_path / "sleeper"
    shutil.copy2("/bin/sleep", copied)
    running = [subprocess.Popen([copied, "30"]) for _ in range(2)]
    try:
        first = processes.binary_digest(running[0].pid)
        known = dict(processes._DIGESTS)
        assert first == hashlib.sha256(copied.read_bytes()).hexdigest()
        assert processes.binary_digest(running[1].pid) == first
        assert known == processes._DIGESTS
    finally:
        for process in running:
            process.kill()
            process.wait()


ERASES = (
    "import os, sys, time; fields = open('/proc/self/stat').read().rpartition(')')[2].split(); "
    "begin, end = int(fields[47]), int(fields[48]); memory = open('/proc/self/mem', 'r+b', 0); "
    "memory.seek(begin); memory.write(bytes(end - begin)); {more}; print('erased', flush=True); time.sleep(300)"
)
TITLED = """
version: 1
name: titled
kind: process
members: {{count: 1, name: "node-${{index}}"}}
command: [python3, -I, -S, -c, "{code}"]
"""


def titled(more: str = "pass") -> str:
    return TITLED.format(code=ERASES.format(more=more))


def until_erased(environment: ProcessEnvironment) -> int:
    """Wait until the member has overwritten its environment; its pid."""
    log = Path(environment.data_folder) / "node-1" / "node-1.log"
    for _ in range(400):
        if log.exists() and "erased" in log.read_text(encoding="utf-8"):
            (child,) = environment._spawned.values()
            assert processes.MARKER_VARIABLE.encode() not in Path(f"/proc/{child.pid}/environ").read_bytes()
            return child.pid
        time.sleep(0.01)
    raise AssertionError(log.read_text(encoding="utf-8"))


def test_a_member_that_writes_its_own_title_over_its_environment_is_found(run: Callable[..., object]) -> None:
    """As Redis, PostgreSQL and nginx do: it is up, it can be killed and started again, and nothing of it is left."""

    async def work(environment: ProcessEnvironment) -> None:
        first = until_erased(environment)
        assert (await environment.observe())["node-1"].up
        await environment.pull(Kill("node-1"))
        assert not (await environment.observe())["node-1"].up
        await environment.pull(Start("node-1"))
        assert (await environment.observe())["node-1"].identity.partition("@")[0] != str(first)

    run(work, titled())


def test_whoever_comes_later_finds_it_too(run: Callable[..., object]) -> None:
    """Another process than the one that started it, such as the watchdog, finds it by its log, and ends it."""

    async def work(environment: ProcessEnvironment) -> None:
        pid = until_erased(environment)
        (found,) = processes.find_marked(environment.marker)
        assert (found.pid, found.member) == (pid, "node-1")
        assert processes.find_marked(ulid(SystemClock())) == ()
        assert processes.kill_all(environment.marker, within_s=2) == ()
        assert processes.stat_of(pid) is None or processes.stat_of(pid)[0] == "Z"  # type: ignore[index]  # narrowed beside

    run(work, titled())


def test_a_member_that_hides_its_marker_and_leaves_its_log_is_refused(run: Callable[..., object]) -> None:
    """It could not be found again by a watchdog: so it is a problem, never taken for down, and it is ended all the same."""

    async def work(environment: ProcessEnvironment) -> None:
        pid = until_erased_and_silent(environment)
        with pytest.raises(EnvironmentProblem, match=f"member node-1 runs .pid {pid}."):
            await environment.observe()

    run(work, titled("print('erased', flush=True); null = os.open('/dev/null', 2); os.dup2(null, 1); os.dup2(null, 2)"))


def until_erased_and_silent(environment: ProcessEnvironment) -> int:
    pid = until_erased(environment)
    for _ in range(400):
        if Path(f"/proc/{pid}/fd/2").readlink() == Path("/dev/null"):
            return pid
        time.sleep(0.01)
    raise AssertionError("it goes on writing to its log")


FILED = """
version: 1
name: filed
kind: process
members:
  - {name: first, ports: [main], command: [sh, -c, "echo learned >> conf/mesh.conf; exec sleep 300"]}
  - {name: second, command: [sleep, "300"]}
files: {conf/mesh.conf: "${member.name} of ${joined.seed}\\n"}
joined: {seed: {item: "${member.host}:${member.port.main}", of: [first]}}
"""


def test_files_are_written_once_and_are_then_the_members_own(run: Callable[..., object]) -> None:
    """A member finds its files below its folder, filled in; a restarted one finds what it made of them."""

    def lines(environment: ProcessEnvironment, member: str) -> list[str]:
        path = Path(environment.data_folder) / member / "conf" / "mesh.conf"
        assert path.stat().st_mode & 0o777 == 0o600
        return path.read_text(encoding="utf-8").splitlines()

    async def work(environment: ProcessEnvironment) -> None:
        port = environment.state.members[0].values["member.port.main"]
        assert lines(environment, "second") == [f"second of 127.0.0.1:{port}"]
        await environment.pull(Kill("first"))
        await environment.pull(Start("first"))
        for _ in range(400):
            if len(lines(environment, "first")) == 3:
                break
            await asyncio.sleep(0.01)
        assert lines(environment, "first") == [f"first of 127.0.0.1:{port}", "learned", "learned"]

    run(work, FILED)
