"""A mesh of real processes that already runs: faults by the operator's commands, undone whatever happens to the runner."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attached_mesh import Mesh, wait_for

from meshkit_chaos.cli import app
from meshkit_chaos.cli.places import attach
from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.environments.attached import AttachedEnvironment
from meshkit_chaos.environments.opening import open_environment
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.faults import Kill, MemberState, Pause, Resume, Start
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge.judge import judge
from meshkit_chaos.slo import Duration

T = TypeVar("T")


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mesh]:
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("MESHKIT_CHAOS_ALLOW_COMMANDS", raising=False)
    running = Mesh(tmp_path / "mesh", "staging-mesh")
    try:
        yield running
    finally:
        running.end()


def registered(mesh: Mesh) -> AttachedEnvironment:
    described = load_environment_alone(mesh.folder / "mesh.yaml")
    state = attach(described, {}, environment_id=mesh.name, allow=True, wait=Duration(0))
    return AttachedEnvironment(state, environment_folder(mesh.name))


def using(environment: AttachedEnvironment, work: Callable[[AttachedEnvironment], Coroutine[Any, Any, T]]) -> T:
    async def whole() -> T:
        try:
            return await work(environment)
        finally:
            await environment.close()

    return asyncio.run(whole())


def run(mesh: Mesh, out: Path, *more: str) -> int:
    return app.run(["run", "--file", mesh.file, "--out", str(out), *more])


def start(mesh: Mesh, out: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "meshkit_chaos", "run", "--file", mesh.file, "--out", str(out), "--allow-commands"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def record_of(out: Path) -> Record:
    (journal,) = out.glob("runs/*/001/journal.jsonl")
    return read_record(journal.parent)


def test_a_member_is_seen_as_it_is(mesh: Mesh) -> None:
    """Observation follows the processes, not what was asked of them."""

    async def look(environment: AttachedEnvironment) -> tuple[dict[str, MemberState], ...]:
        first = await environment.observe()
        os.kill(mesh.pid("node-1"), signal.SIGSTOP)
        mesh.end_member("node-2")
        return first, await environment.observe()

    before, after = using(registered(mesh), look)
    assert {name: (state.up, state.paused) for name, state in before.items()} == dict.fromkeys(mesh.ports, (True, False))
    assert (after["node-1"].up, after["node-1"].paused) == (True, True)
    assert after["node-2"] == MemberState(up=False, paused=False)
    assert after["node-3"] == before["node-3"]


def test_levers_do_what_they_say_and_can_be_pulled_twice(mesh: Mesh) -> None:
    """Every lever acts; pulled again it changes nothing, and a start of a running member starts no second one."""

    async def pull(environment: AttachedEnvironment) -> list[dict[str, str]]:
        seen = []
        for call in (Pause("node-1"), Resume("node-1"), Kill("node-2"), Start("node-2")):
            await environment.pull(call)
            await environment.pull(call)
            seen.append(mesh.states)
        return seen

    paused, resumed, killed, started = using(registered(mesh), pull)
    up = dict.fromkeys(mesh.ports, "up")
    assert paused == {**up, "node-1": "paused"}
    assert killed == {**up, "node-2": "down"}
    assert resumed == started == up
    assert mesh.acts.count("start node-2") == 1
    assert mesh.acts.count("resume node-1") == 1


def test_a_hung_lever_is_killed_with_its_group_and_quoted(mesh: Mesh) -> None:
    """At its time-out a lever's command and all that it started are gone, and the error has its last words."""
    mesh.write_environment(lambda text: text.replace("lever_timeout: 3s", "lever_timeout: 2s"))
    environment = registered(mesh)
    mesh.make("hangs")
    with pytest.raises(EnvironmentProblem, match=r"did not end within 2s and was killed.*waiting for the daemon"):
        using(environment, lambda it: it.pull(Pause("node-1")))
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(mesh.folder) not in left.replace(str(mesh.folder / "member.py"), "")
    assert "sleep 617.3" not in left


def test_a_lever_that_breaks_says_why(mesh: Mesh) -> None:
    """The status and the last words of a failed command are in the error."""
    mesh.make("breaks-pause")
    with pytest.raises(
        EnvironmentProblem, match=r"lever pause of node-1 .* ended with status 3; its last words: no such thing"
    ):
        using(registered(mesh), lambda it: it.pull(Pause("node-1")))


def test_what_cannot_be_observed_is_a_problem_and_no_state(mesh: Mesh) -> None:
    """An observation that fails never reads as a member that is down: a fault would seem to have bitten."""
    mesh.make("blind")
    with pytest.raises(EnvironmentProblem, match=r"whether node-\d is paused cannot be told: .* status 7; .*cannot reach"):
        using(registered(mesh), lambda it: it.observe())


def test_commands_run_only_where_the_operator_allows_them(
    mesh: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without permission every command is shown, nothing is run, and the exit code is 2; registration keeps the permission."""
    assert run(mesh, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "environment staging-mesh, lever pause: " in said
    assert '"lever.py", "pause", "${member.name}"' in said
    assert "--allow-commands" in said
    assert not (mesh.folder / "acts").exists()
    assert not (tmp_path / "out").exists()
    assert open_environment(environment_folder(mesh.name)) is None
    monkeypatch.setenv("MESHKIT_CHAOS_ALLOW_COMMANDS", "1")
    assert app.run(["env", "up", str(mesh.folder / "mesh.yaml")]) == 0
    monkeypatch.delenv("MESHKIT_CHAOS_ALLOW_COMMANDS")
    attach(load_environment_alone(mesh.folder / "mesh.yaml"), {}, environment_id=mesh.name, allow=False, wait=Duration(0))
    mesh.write_environment(lambda text: text.replace("lever_timeout: 3s", "lever_timeout: 4s"))
    with pytest.raises(CannotRun, match="only where you allow them"):
        attach(load_environment_alone(mesh.folder / "mesh.yaml"), {}, environment_id=mesh.name, allow=False, wait=Duration(0))


def test_a_command_in_a_scenario_needs_permission_too(mesh: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That an environment was registered allows its own commands, not those of any scenario that is run on it."""
    registered(mesh)
    probe = f"  by-command: {{probe: {{command: [touch, {tmp_path / 'touched'}], every: 1s}}}}\n"
    mesh.write_scenario(
        "pause",
        "700ms",
        lambda text: text.replace("defaults:", probe + "defaults:").replace("verify: [all-alive]", "verify: [by-command]"),
    )
    assert run(mesh, tmp_path / "out", "--env", mesh.name) == 2
    said = capsys.readouterr().err
    assert "scenario member-paused, probe by-command" in said
    assert "lever" not in said
    assert not (tmp_path / "touched").exists()


def test_what_is_missing_on_this_machine_is_told_before_anything_is_registered(
    mesh: Mesh, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that is not there refuses the registration, and one that went away later is a finding of doctor."""
    mesh.write_environment(lambda text: text.replace(f"pause: {{do: [{sys.executable}", "pause: {do: [./no-such-tool"))
    assert app.run(["env", "up", str(mesh.folder / "mesh.yaml"), "--allow-commands"]) == 2
    assert "there is no executable './no-such-tool' (for environment staging-mesh, lever pause)" in capsys.readouterr().err
    tool = mesh.folder / "no-such-tool"
    tool.symlink_to(sys.executable)
    assert app.run(["env", "up", str(mesh.folder / "mesh.yaml"), "--allow-commands"]) == 0
    assert "staging-mesh is attached: node-1 up, node-2 up, node-3 up; nothing was touched" in capsys.readouterr().out
    assert app.run(["doctor"]) == 0
    tool.unlink()
    assert app.run(["doctor"]) == 2
    assert "no-such-tool" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["pause", "kill"])
def test_a_whole_run_on_a_mesh_that_already_runs(mesh: Mesh, tmp_path: Path, fault: str) -> None:
    """The fault bites, the mesh recovers, the verdict is pass, and every member is up as before."""
    mesh.write_scenario(fault, "1200ms")
    before = {name: mesh.pid(name) for name in ("node-1", "node-3")}
    assert run(mesh, tmp_path / "out", "--allow-commands") == 0
    assert mesh.states == dict.fromkeys(mesh.ports, "up")
    assert {name: mesh.pid(name) for name in before} == before
    record = record_of(tmp_path / "out")
    assert record.started is not None
    assert not record.started.deployed
    assert [event.bit for _, event in record.of(ev.EffectObserved)] == [True]
    assert [event.clean for _, event in record.of(ev.EnvironmentVerified)] == [True]
    assert app.run(["env", "down", mesh.name]) == 0
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


def test_a_restart_that_could_not_be_seen_is_refused(mesh: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without observe.identity nothing can prove that another process is there: the plan says so, and nothing is touched."""
    mesh.write_environment(lambda text: "\n".join(line for line in text.splitlines() if "identity:" not in line))
    mesh.write_scenario("restart", "1s", lambda text: text.replace(", hold: 1s", ""))
    assert run(mesh, tmp_path / "out", "--allow-commands") == 2
    assert "there is no observe.identity" in capsys.readouterr().err
    assert mesh.acts == []


def test_a_lever_that_lies_makes_the_run_invalid(mesh: Mesh, tmp_path: Path) -> None:
    """A command that ends with 0 and does nothing is found out by looking: the fault did not bite."""
    mesh.write_environment(lambda text: text.replace("lever_timeout: 3s", "lever_timeout: 2s"))
    mesh.make("lies")
    assert run(mesh, tmp_path / "out", "--allow-commands") == 2
    verdict = judge(record_of(tmp_path / "out"))
    assert verdict.verdict == "invalid"
    assert any("did not bite" in finding.sentence for finding in verdict.findings)


@pytest.mark.slow
def test_an_undo_that_fails_leaves_it_dirty_until_it_is_recovered(
    mesh: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, the next run refuses and names recover, and recover undoes once the lever works again."""
    mesh.write_scenario("pause", "300ms", lambda text: text.replace("within: 10s", "within: 2s"))
    mesh.make("breaks-resume")
    assert run(mesh, tmp_path / "out", "--allow-commands") == 3
    assert mesh.state("node-2") == "paused"
    assert run(mesh, tmp_path / "again", "--allow-commands") == 3
    assert f"recover {mesh.name}" in capsys.readouterr().err
    assert app.run(["env", "down", mesh.name]) == 3
    mesh.cure("breaks-resume")
    assert app.run(["recover", mesh.name]) == 0
    assert mesh.states == dict.fromkeys(mesh.ports, "up")
    mesh.write_scenario("pause", "1200ms")  # long enough to be seen in every case: what asks for a pass must leave evidence
    assert run(mesh, tmp_path / "then") == 0


def test_the_watchdog_undoes_when_the_runner_is_killed(mesh: Mesh, tmp_path: Path) -> None:
    """kill -9 of the runner while a member is paused: the watchdog resumes it at once and the run is no pass."""
    mesh.write_scenario("pause", "60s")
    process = start(mesh, tmp_path / "out")
    wait_for(lambda: mesh.state("node-2") == "paused", what="node-2 is paused")
    process.kill()
    process.wait()
    wait_for(lambda: mesh.state("node-2") == "up", what="node-2 runs again", within=10)
    record = settled_record(tmp_path / "out")
    assert [event.writer for _, event in record.of(ev.WriterChanged)] == ["watchdog"]
    assert [event.clean for _, event in record.of(ev.EnvironmentVerified)] == [True]
    assert judge(record).verdict != "pass"
    wait_for(lambda: app.run(["env", "status"]) == 0, what="nothing is open any more", within=10)


def settled_record(out: Path) -> Record:
    wait_for(lambda: record_of(out).last(ev.EnvironmentVerified), what="the environment was verified", within=20)
    return record_of(out)


@pytest.mark.slow
def test_a_lever_in_flight_is_ended_before_anything_is_undone(mesh: Mesh, tmp_path: Path) -> None:
    """A pause that is still on its way when the runner is killed does not come true after the undo."""
    mesh.write_scenario("pause", "60s")
    mesh.make("slow", "1.5")
    process = start(mesh, tmp_path / "out")
    wait_for((mesh.folder / "begun").exists, what="the lever has begun")
    process.kill()
    process.wait()
    settled_record(tmp_path / "out")
    time.sleep(1.6)  # as long as the lever would have taken: an absence cannot be waited for
    assert mesh.states == dict.fromkeys(mesh.ports, "up")


def test_recover_undoes_when_runner_and_watchdog_are_dead(
    mesh: Mesh, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With both dead the member stays paused; the next run refuses, and recover, which needs no permission anew, resumes it."""
    mesh.write_scenario("pause", "60s")
    process = start(mesh, tmp_path / "out")
    wait_for(lambda: mesh.state("node-2") == "paused", what="node-2 is paused")
    watchdog = record_of(tmp_path / "out").first(ev.WatchdogStarted)
    assert watchdog is not None
    os.kill(process.pid, signal.SIGSTOP)  # so that it cannot roll back when it sees its watchdog die
    os.kill(watchdog[1].pid, signal.SIGKILL)
    process.kill()
    process.wait()
    assert mesh.state("node-2") == "paused"
    assert run(mesh, tmp_path / "again", "--allow-commands", "--wait", "5s") == 3
    assert app.run(["recover", mesh.name, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["left"] == []
    assert mesh.states == dict.fromkeys(mesh.ports, "up")
