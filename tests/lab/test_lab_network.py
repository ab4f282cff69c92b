"""Real etcd in a network of its own: a leader cut off, slowed, and whatever part of the lab is killed at any moment."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_runs import PROMISED_S, SLACK, Corner, LabRun, as_json, assert_passed, assert_undone, wait_for
from test_lab_crashes import kill_both

from meshkit_chaos.environments.opening import open_environment
from meshkit_chaos.environments.registry import environment_folder
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.network.needs import refuse_where_impossible
from meshkit_chaos.scenario.environment import SWITCH, Network

sys.path.insert(0, str(Path(__file__).parents[1] / "network"))
from traces import Traces  # the tests of the network look for the same traces

ID = "standing-network"
SCENARIOS = """
  - id: leader-isolated
    title: A leader that is cut off is replaced within four seconds
    timeout: 30s
    steps: [{fault: partition, id: cut, target: {role: leader}, hold: 1500ms}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: leader-isolated-long
    title: A cut that is still in force when something else goes wrong
    timeout: 30s
    steps: [{fault: partition, id: cut, target: {role: leader}, hold: 20s}]
    objectives: [{converge: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: leader-slow
    title: A leader whose packets are late stays the leader
    timeout: 30s
    steps: [{fault: latency, id: slow, target: {role: leader}, with: {delay: 15ms, jitter: 3ms}, hold: 1500ms}]
    objectives: [{stay: one-leader, during: hold, tolerate: 2s}]
"""


@pytest.fixture(scope="session")
def possible() -> None:
    try:
        refuse_where_impossible(Network())
    except CannotRun as error:
        pytest.skip(error.message)


@pytest.fixture
def networked(corner: Corner, possible: None) -> Corner:
    """The lab's documents, with a network for the members and faults of the network."""
    environment, scenarios = corner.folder / "etcd-lab.yaml", corner.folder / "chaos-scenarios.yaml"
    text = environment.read_text(encoding="utf-8")
    environment.write_text(text.replace("kind: process\n", "kind: process\nnetwork: isolated\n"), encoding="utf-8")
    scenarios.write_text(scenarios.read_text(encoding="utf-8").rstrip() + SCENARIOS, encoding="utf-8")
    return corner


def switch_of(corner: Corner) -> int:
    """The pid of the one switch that is there."""
    (found,) = [seen.pid for seen in corner.alive() if f"MESHKIT_CHAOS_MEMBER={SWITCH}" in seen.words]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["leader-isolated", "leader-slow"])
def test_etcd_copes_with_its_network(networked: Corner, scenario: str) -> None:
    """An isolated leader is replaced, a slow one stays; each fault bit, was lifted, and left nothing on the machine."""
    run = networked.run(scenario)
    run.reached(ev.FaultInjected)
    traces = Traces.of(run.marker)
    assert_passed(run)
    assert all(effect.bit for effect in run.events(ev.EffectObserved))
    assert run.events(ev.RevertDone)
    traces.assert_gone()
    assert not networked.left()


def moment(kind: type, phase: str = "", **marks: Any) -> Any:
    return pytest.param(kind, phase, id=phase or kind.__name__, **marks)


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        moment(ev.FaultInjected),
        moment(ev.DeployIntended, marks=pytest.mark.slow),
        moment(ev.DeployDone, marks=pytest.mark.slow),
        moment(ev.FaultIntended, marks=pytest.mark.slow),
        moment(ev.RevertIntended, marks=pytest.mark.slow),
        moment(ev.PhaseEntered, "settle", marks=pytest.mark.slow),
        moment(ev.TeardownIntended, marks=pytest.mark.slow),
    ],
)
def test_nothing_is_left_of_a_network_whose_runner_was_killed(
    networked: Corner, note_time: Callable[[str, float], None], kind: type, phase: str
) -> None:
    """The watchdog ends members and switch, and with them the namespaces; the run is crashed, never a pass."""
    run = networked.run("leader-isolated")
    run.reached(kind, where=lambda event: not phase or event.phase == phase)
    run.strike()
    assert run.ended() == -signal.SIGKILL
    note_time(f"network, runner killed: {phase or kind.__name__}", networked.gone(what="network"))
    assert assert_undone(run).outcome == "crashed"


@pytest.mark.slow
def test_a_run_whose_switch_was_killed_aborts(networked: Corner) -> None:
    """A mesh without its network is not what is to be tested: the run ends at once and dirty, and names the switch."""
    run = networked.run("leader-isolated-long")
    run.reached(ev.FaultInjected)
    traces = Traces.of(run.marker)
    os.kill(switch_of(networked), signal.SIGKILL)
    assert run.ended() == 3
    verdict = assert_undone(run)
    assert (verdict.outcome, verdict.environment) == ("aborted", "dirty")
    assert "its switch ended" in run.said()
    assert [died.member for died in run.events(ev.MemberDied)] == [SWITCH]
    traces.assert_gone()


@pytest.mark.slow
def test_with_everybody_dead_recover_ends_what_is_left(networked: Corner) -> None:
    """Runner, watchdog and switch are killed at once: the members are found by their marker, and everything is removed."""
    run = networked.run("leader-isolated-long")
    run.reached(ev.FaultInjected)
    traces = Traces.of(run.marker)
    switch = switch_of(networked)
    kill_both(run)
    os.kill(switch, signal.SIGKILL)
    assert networked.members()
    code, told, said = networked.command("recover", str(run.folder))
    assert code == 0, told + said
    traces.assert_gone()
    assert_undone(run)


@pytest.fixture
def standing(networked: Corner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corner]:
    """Three members and their network, up without a run."""
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(networked.state))
    code, _, said = networked.command("env", "up", str(networked.folder / "etcd-lab.yaml"), "--name", ID)
    assert code == 0, said
    assert len(networked.members()) == 4
    traces = Traces.of(marker_of(networked))
    yield networked
    code, _, said = networked.command("env", "down", ID)
    assert code == 0, said
    assert not networked.left()
    traces.assert_gone()


def marker_of(corner: Corner) -> str:
    environment = open_environment(environment_folder(ID))
    assert environment is not None
    return environment.marker


def run_on(corner: Corner, scenario: str, out: str) -> LabRun:
    return corner.run(scenario, "--env", ID, out=out)


def status(corner: Corner) -> dict[str, Any]:
    _, told, _ = corner.command("env", "status", ID, "--format", "json")
    answer = as_json(told)
    assert isinstance(answer, list)
    return dict(answer[0])


@pytest.mark.slow
def test_a_cut_whose_runner_was_killed_is_lifted_at_once(standing: Corner, note_time: Callable[[str, float], None]) -> None:
    """In an environment that stands, the watchdog lifts the layer; the fingerprint holds, and the next run is accepted."""
    run = run_on(standing, "leader-isolated-long", "first")
    run.reached(ev.FaultInjected)
    run.strike()
    run.ended()
    wait_for(lambda: run.events(ev.EnvironmentVerified), within=PROMISED_S * SLACK, what="the watchdog has undone")
    wait_for(lambda: not any(seen.is_watchdog for seen in standing.alive()), within=10, what="the watchdog goes")
    assert run.events(ev.EnvironmentVerified)[-1].clean
    assert (run.verdict().outcome, run.verdict().environment) == ("crashed", "clean")
    assert_passed(run_on(standing, "leader-slow", "second"))


@pytest.mark.slow
def test_with_both_dead_recover_lifts_the_cut(standing: Corner) -> None:
    """The environment is refused until `recover` has lifted what the dead run left in force."""
    run = run_on(standing, "leader-isolated-long", "first")
    run.reached(ev.FaultInjected)
    kill_both(run)
    assert status(standing)["needs_recover"]
    assert run_on(standing, "leader-slow", "second").ended() == 3
    code, told, said = standing.command("recover", ID)
    assert code == 0, told + said
    assert not status(standing)["needs_recover"]
    assert_passed(run_on(standing, "leader-slow", "third"))


@pytest.mark.slow
def test_a_standing_network_whose_switch_died_is_dirty(standing: Corner) -> None:
    """Nothing can put it right but to deploy it anew: `recover` says what is gone, and `env down` removes the rest."""
    run = run_on(standing, "leader-isolated-long", "first")
    run.reached(ev.FaultInjected)
    switch = switch_of(standing)
    kill_both(run)
    os.kill(switch, signal.SIGKILL)
    code, told, said = standing.command("recover", ID)
    assert code == 3
    assert f"{SWITCH} is down" in told + said


@pytest.mark.slow
def test_pages_of_a_standing_network_are_read_from_inside(standing: Corner) -> None:
    """Lint asks the members themselves; this machine's network may know their addresses as somebody else's."""
    code, told, said = standing.command("lint", "--target", "--env", ID, str(standing.folder / "chaos-scenarios.yaml"))
    assert code == 0, told + said
    text = (standing.folder / "chaos-scenarios.yaml").read_text(encoding="utf-8")
    (standing.folder / "wrong.yaml").write_text(text.replace("etcd_server_is_leader", "etcd_server_is_lader"), encoding="utf-8")
    code, told, said = standing.command("lint", "--target", "--env", ID, str(standing.folder / "wrong.yaml"))
    assert code == 4, told + said
    assert "etcd_server_is_leader" in told + said


@pytest.mark.slow
def test_two_labs_at_once_do_not_meet(networked: Corner) -> None:
    """Each has members, addresses and a switch of its own, and both pass."""
    runs = [networked.run("leader-isolated", out=f"out-{number}") for number in range(2)]
    for run in runs:
        run.reached(ev.FaultInjected)
    hosts = {
        member.metrics.partition("//")[2].partition(":")[0] for run in runs for member in run.events(ev.DeployDone)[0].members
    }
    assert len(hosts) == 6
    for run in runs:
        assert_passed(run)
    assert not networked.left()


def test_where_no_network_can_be_made_nothing_is_run(networked: Corner) -> None:
    """The scenario is not-run with the reason and exit code 2; nothing was deployed, and nothing is green."""
    if os.geteuid() != 0:
        pytest.skip("needs root: the device is taken away in a mount namespace of the run's own")
    without_tun = ("unshare", "-m", "sh", "-c", 'mount --bind /dev/null /dev/net/tun && exec "$@"', "sh")
    out = networked.folder / "out"
    file = str(networked.folder / "chaos-scenarios.yaml")
    words = ("run", "leader-slow", "--file", file, "--out", str(out), "--seed", "7")
    run = networked.start(*words, scenario="leader-slow", out=out, within=without_tun)
    assert run.ended() == 2
    assert "network of the members cannot be made" in run.said() + run.printed()
    assert "not run  leader-slow" in run.printed()
    assert not networked.left()
