"""Scenarios in worlds: what each kind of world comes to, for the demo's scenarios and for meshes with other metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.campaign.rehearsal import Rehearsed, differences, rehearse, untested
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests, scenarios_of
from meshkit_chaos.scenario.model import ScenarioFile
from meshkit_chaos.scenario.world import Expected

DEMO = Path(__file__).parents[2] / "src" / "meshkit_chaos" / "demo"

SHARDS = """version: 1
indicators:
  shards: {promql: 'sum(mesh_shards{state="ok"})', good: "== 12"}
  errors: {promql: 'sum(rate(mesh_errors_total[1s]))', good: "<= 1"}
  lost: {promql: mesh_lost_total, kind: event}
  coordinators: {promql: sum(mesh_is_coordinator), good: "== 1"}
  exporters: {promql: count(mesh_up_nodes), good: ">= 2"}
  alive:
    probe: {tcp: {address: "${member.host}:1"}, every: 100ms, need: all}
scenarios:
  - id: member-killed
    title: Shards move
    steady_state: {for: 1s, indicators: [STEADY]}
    steps: [{fault: kill, target: {names: [etcd-3]}, hold: 2s}]
    objectives: [OBJECTIVE]
"""


def lab() -> EnvironmentDescription:
    loaded = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml")
    assert loaded.value is not None
    return loaded.value


def demo() -> ScenarioFile:
    loaded = load_scenarios((DEMO / "chaos-scenarios.yaml").read_bytes(), path="chaos-scenarios.yaml", environment=lab())
    assert loaded.value is not None
    return loaded.value


def shards(steady: str, objective: str, *, member: str = "etcd-3") -> ScenarioFile:
    text = SHARDS.replace("STEADY", steady).replace("OBJECTIVE", objective).replace("etcd-3", member)
    loaded = load_scenarios(text.encode(), path="mesh.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value


def rehearsed(folder: Path, test: str, file: ScenarioFile | None = None) -> Rehearsed:
    """Run the one test that is written as an item of ``tests``."""
    about = file or demo()
    document = f"version: 1\nscenarios: here\ntests:\n  - {test}\n"
    loaded = load_tests(document.encode(), path="t.yaml", scenarios=about, environment=lab())
    assert loaded.value is not None, loaded.problems
    one = loaded.value.tests[0]
    return rehearse(one, scenarios_of(one, about.scenarios)[0], lab(), folder=folder / "run", base=folder)


KILLED = "scenario: leader-killed"
WORLDS = {
    "a leader in time": (KILLED, "{leader back after: 3s}", "pass"),
    "a leader too late": (KILLED, "{leader back after: 9s}", "{verdict: fail, objective: converge-one-leader}"),
    "a leader never again": (KILLED, "{leader back after: never}", "{verdict: fail, environment: clean}"),
    "a healthy mesh": (KILLED, "{}", "{verdict: pass, environment: clean, outcome: completed}"),
    "a member that is long in coming back": (KILLED, "{members back after: 3s}", "pass"),
    "metrics that vanish": (KILLED, "{metrics vanish: {from: 1s, for: 6s}}", "inconclusive"),
    "one metric that vanishes": (KILLED, "{metrics vanish: {names: [etcd_server_is_leader]}}", "inconclusive"),
    "another metric that vanishes": (KILLED, "{metrics vanish: {names: [etcd_server_has_leader]}}", "pass"),
    "metrics that are NaN": (KILLED, "{metrics are NaN: {from: 3s}}", "inconclusive"),
    "metrics that freeze before the fault": (KILLED, "{metrics freeze: {after: start, from: 2s}}", "fail"),
    "scrapes that fail behind the recovery": (KILLED, "{scrapes fail: {from: 3s}}", "inconclusive"),
    "a scrape gap that decides nothing": (KILLED, "{scrapes fail: {from: 1s, for: 1s}}", "pass"),
    "probes that fail too long": (
        KILLED,
        "{probes fail: {for: 7s}}",
        "{verdict: fail, objectives: {converge-one-leader: pass, writes-come-back: fail}}",
    ),
    "one probe that fails": (
        KILLED,
        "{probes fail: {for: 7s, probes: [writes]}}",
        "{verdict: fail, objective: writes-come-back}",
    ),
    "a flap": (KILLED, "{out of order: {from: 6s, for: 500ms}}", "{verdict: fail, objective: converge-one-leader}"),
    "two leaders": (KILLED, "{two leaders: {from: 2s, for: 5s}}", "{verdict: fail, objective: converge-one-leader}"),
    "a second death": (KILLED, "{member dies: {at: 2s}}", "{environment: dirty}"),
    "a death of the leader": (KILLED, "{member dies: {at: 8s, member: etcd-1}}", "{environment: dirty}"),
    "a fault that lies": (KILLED, "{fault: lies}", "{verdict: invalid, environment: clean, says: did not bite}"),
    "a fault that fails": (KILLED, "{fault: fails}", "{verdict: invalid, outcome: aborted, environment: clean}"),
    "a fault that hangs": (KILLED, "{fault: hangs}", "{verdict: invalid, outcome: aborted}"),
    "a rollback that fails": (KILLED, "{rollback: fails}", "{environment: dirty}"),
    "a rollback that lies": (KILLED, "{rollback: lies}", "{environment: dirty}"),
    "a rollback that hangs": (KILLED, "{rollback: hangs}", "{environment: dirty}"),
    "no steady state": (KILLED, "{out of order: {after: start}}", "not-run"),
    "a role that others have": (KILLED, "{roles: {leader: [etcd-2]}}", "{verdict: inconclusive, says: did not see the fault}"),
    "a frozen leader": ("scenario: leader-paused", "{leader back after: 2s}", "pass"),
    "a frozen leader, too late": ("scenario: leader-paused", "{leader back after: 7s}", "fail"),
    "two leaders after a thaw": (
        "scenario: leader-paused",
        "{two leaders: {after: revert, for: 4s}}",
        "{verdict: fail, objective: recover-one-leader}",
    ),
    "a majority that comes back": ("scenario: majority-killed", "{leader back after: 4s}", "pass"),
    "a majority that comes back too late": ("scenario: majority-killed", "{leader back after: 12s}", "fail"),
    "a limit that nobody meets": ("scenario: leader-back-in-half-a-second", "{}", "fail"),
}


@pytest.mark.parametrize("case", WORLDS)
def test_each_world_comes_to_its_verdict(tmp_path: Path, case: str) -> None:
    """The demo's scenarios come to what the world makes of them."""
    about, world, expected = WORLDS[case]
    result = rehearsed(tmp_path, f"{{{about}, world: {world}, expect: {expected}}}")
    assert result.differences == ()


SERIES = "{series: {'mesh_shards{state=\"ok\"}': {good: 12, bad: 9}}, out of order: {for: %s}}"
METRICS = {
    "a series that follows": ("shards", "{converge: shards, within: 3s}", SERIES % "1s", "pass"),
    "a series that follows too long": ("shards", "{converge: shards, within: 3s}", SERIES % "5s", "fail"),
    "steps": (
        "shards",
        "{converge: shards, within: 3s}",
        "{series: {'mesh_shards{state=\"ok\"}': {good: 12, steps: {0s: 9, 1s: 11, 2s: 12}}}}",
        "pass",
    ),
    "steps with a hole at the end": (
        "shards",
        "{converge: shards, within: 3s}",
        "{series: {'mesh_shards{state=\"ok\"}': {good: 12, steps: {0s: 9, 2s: absent}}}}",
        "inconclusive",
    ),
    "steps that end in NaN": (
        "shards",
        "{converge: shards, within: 3s}",
        "{series: {'mesh_shards{state=\"ok\"}': {good: 12, steps: {0s: 9, 2s: NaN}}}}",
        "inconclusive",
    ),
    "a counter's rate": (
        "errors",
        "{converge: errors, within: 4s}",
        "{series: {mesh_errors_total: {rises: {good: 0, bad: 50}}}, out of order: {for: 2s}}",
        "pass",
    ),
    "a counter's rate, too long": (
        "errors",
        "{converge: errors, within: 4s}",
        "{series: {mesh_errors_total: {rises: {good: 0, bad: 50}}}, out of order: {for: 7s}}",
        "fail",
    ),
    "events": (
        "lost",
        "{converge: lost, within: 4s}",
        "{series: {mesh_lost_total: {rises: {good: 0, bad: 50}}}, out of order: {for: 2s}}",
        "pass",
    ),
    "events that go on": (
        "lost",
        "{converge: lost, within: 4s}",
        "{series: {mesh_lost_total: {rises: {good: 0, bad: 50}}}, out of order: {for: 7s}}",
        "fail",
    ),
    "who leads, under another name": (
        "coordinators",
        "{stay: coordinators, during: hold}",
        "{series: {mesh_is_coordinator: {leader: 1, others: 0}}}",
        "pass",
    ),
    "who leads, out of order": (
        "coordinators",
        "{stay: coordinators, during: hold}",
        "{series: {mesh_is_coordinator: {leader: 1, others: 0}}, out of order: {for: 1s}}",
        "fail",
    ),
    "every member": (
        "exporters",
        "{stay: exporters, during: hold}",
        "{series: {mesh_up_nodes: {good: 1, bad: 1, by: each}}}",
        "pass",
    ),
    "every member but a dead one": (
        "exporters",
        "{stay: exporters, during: hold}",
        "{series: {mesh_up_nodes: {good: 1, bad: 1, by: each}}, member dies: {at: 0s}}",
        "{objectives: {stay-exporters: inconclusive}}",
    ),
    "a probe of the member itself": ("alive", "{converge: alive, within: 4s}", "{out of order: {from: 3s}}", "pass"),
    "a probe that needs the mesh": (
        "alive",
        "{converge: alive, within: 4s}",
        "{out of order: {from: 3s}, probes: {alive: mesh}}",
        "fail",
    ),
}


@pytest.mark.parametrize("case", METRICS)
def test_any_metric_can_be_told(tmp_path: Path, case: str) -> None:
    """A mesh with its own metrics is told by series, and its scenarios pass and fail as a world makes them."""
    steady, objective, world, expected = METRICS[case]
    file = shards(steady, objective)
    result = rehearsed(tmp_path, f"{{world: {world}, expect: {expected}}}", file)
    assert result.differences == ()


@settings(max_examples=15, deadline=None)
@given(back=st.integers(min_value=4, max_value=90))
def test_a_leader_that_is_too_late_never_passes(tmp_path_factory: pytest.TempPathFactory, back: int) -> None:
    """Whenever the leader comes back, the interval holds that time: over the limit is no pass, well under it is one."""
    folder = tmp_path_factory.mktemp("law")
    world = f"{{leader back after: {back * 100}ms}}"
    result = rehearsed(folder, f"{{scenario: leader-killed, world: {world}, expect: pass}}")
    finding = next(found for found in result.verdict.findings if found.id == "converge-one-leader")
    assert finding.measured is not None
    assert finding.measured.hi is not None
    assert finding.measured.lo <= back * 10**8 <= finding.measured.hi
    assert finding.verdict != "pass" or back <= 50
    assert finding.verdict == "pass" or back > 47


def test_equal_worlds_come_to_equal_verdicts(tmp_path: Path) -> None:
    """A test is repeatable: the same world gives the same findings, to the nanosecond."""
    test = "{scenario: leader-killed, world: {leader back after: 3s, member dies: {at: 4s}}, expect: fail}"
    first, second = (rehearsed(tmp_path / name, test).verdict.findings for name in "ab")
    assert first == second


def test_a_scenario_that_cannot_run_is_not_run(tmp_path: Path) -> None:
    """What the plan refuses is told as not run, and can be expected."""
    file = shards("shards", "{converge: shards, within: 3s}", member="nobody")
    result = rehearsed(tmp_path, "{world: {series: {'mesh_shards{state=\"ok\"}': {good: 12, bad: 9}}}, expect: not-run}", file)
    assert result.ok


def test_a_record_is_judged_by_todays_thresholds(tmp_path: Path) -> None:
    """A recorded run that passed fails once the limit is lower than what was measured."""
    assert rehearsed(tmp_path, f"{{{KILLED}, world: {{leader back after: 3s}}, expect: pass}}").ok
    stricter = (
        (DEMO / "chaos-scenarios.yaml")
        .read_text("utf-8")
        .replace("{converge: one-leader, within: 5s}", "{converge: one-leader, within: 2s}")
    )
    file = load_scenarios(stricter.encode(), path="stricter.yaml", environment=lab()).value
    again = rehearsed(tmp_path, f"{{record: run, {KILLED}, expect: {{verdict: fail, objective: converge-one-leader}}}}", file)
    assert again.differences == ()
    assert again.verdict.what_if


def test_every_difference_is_told() -> None:
    """What did not come out is said facet by facet, with what came instead."""
    verdict = Verdict(
        run="r", scenario="s", title="t", verdict="inconclusive", outcome="completed", environment="clean", findings=()
    )
    expected = Expected(
        verdict="fail", environment="dirty", outcome="aborted", blamed=("a",), objectives={"b": "pass"}, says="leader"
    )
    told = list(differences(expected, verdict))
    assert told == [
        "expected fail, got inconclusive: nothing was judged",
        "expected environment dirty, got clean",
        "expected outcome aborted, got completed",
        "expected a to be fail, but it was not judged",
        "expected b to be pass, but it was not judged",
        "no finding says 'leader'; the worst says: nothing was judged",
    ]


def test_an_objective_counts_as_tested_only_by_a_test_that_came_out(tmp_path: Path) -> None:
    """A test that did not come out as expected shows nothing: its failing objective remains untested."""
    good = rehearsed(tmp_path / "a", f"{{{KILLED}, world: {{leader back after: 9s}}, expect: fail}}")
    bad = rehearsed(tmp_path / "b", f"{{{KILLED}, world: {{leader back after: 9s}}, expect: pass}}")
    scenario = demo().scenarios[:1]
    assert [found.objective for found in untested(scenario, [good])] == ["recover-one-leader", "stay-writes"]
    assert len(untested(scenario, [bad])) == 4
