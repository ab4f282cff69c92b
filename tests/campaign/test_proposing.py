"""Tests that the tool proposes: each was seen to come out, and none is made up where no world fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit_chaos.campaign.proposing import propose
from meshkit_chaos.campaign.rehearsal import rehearse, untested
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.load import load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests
from meshkit_chaos.scenario.model import Scenario

DEMO = Path(__file__).parents[2] / "src" / "meshkit_chaos" / "demo"


def lab() -> EnvironmentDescription:
    loaded = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml")
    assert loaded.value is not None
    return loaded.value


def demo(name: str) -> Scenario:
    loaded = load_scenarios((DEMO / "chaos-scenarios.yaml").read_bytes(), path="x.yaml", environment=lab())
    assert loaded.value is not None
    return next(scenario for scenario in loaded.value.scenarios if scenario.id == name)


def written(indicator: str, objective: str) -> Scenario:
    text = f"""version: 1
indicators:
  a: {indicator}
scenarios:
  - id: x
    title: x
    steady_state: {{for: 1s, indicators: [a]}}
    steps: [{{fault: kill, target: {{role: leader}}, hold: 3s}}]
    objectives: [{objective}]
"""
    loaded = load_scenarios(text.encode(), path="x.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value.scenarios[0]


@pytest.mark.parametrize("name", ["leader-killed", "leader-paused", "majority-killed"])
def test_proposed_tests_come_out(tmp_path: Path, name: str) -> None:
    """Whatever is proposed for the demo's scenarios comes out, and makes every objective fail that can fail."""
    scenario = demo(name)
    proposal = propose(scenario, lab(), folder=tmp_path / "tried")
    assert proposal.passes
    items = "".join(f"  {line}\n" for item in proposal.tests for line in item.splitlines())
    loaded = load_tests(f"version: 1\nscenarios: x\ntests:\n{items}".encode(), path="t.yaml", environment=lab())
    assert loaded.value is not None, loaded.problems
    results = [
        rehearse(test, scenario, lab(), folder=tmp_path / str(number), base=tmp_path)
        for number, test in enumerate(loaded.value.tests)
    ]
    assert [result.differences for result in results] == [()] * len(results)
    assert tuple(found.objective for found in untested([scenario], results)) == proposal.never_failed


def test_nothing_is_made_up(tmp_path: Path) -> None:
    """A scenario that passes in no world that is tried gets no tests."""
    proposal = propose(demo("leader-back-in-half-a-second"), lab(), folder=tmp_path)
    assert proposal.passes
    blind = propose(written("{promql: max(up), good: '== 1'}", "{converge: a, within: 5s}"), lab(), folder=tmp_path / "b")
    assert (blind.tests, blind.passes, blind.never_failed) == ((), False, ("converge-a",))


def test_metrics_that_every_world_has_are_not_told_again(tmp_path: Path) -> None:
    """Series that the test document gives to all worlds are left out of the proposed ones."""
    scenario = written("{promql: sum(mesh_a), good: '== 3'}", "{converge: a, within: 5s}")
    told = propose(scenario, lab(), folder=tmp_path / "a")
    assert all("mesh_a" in test for test in told.tests)
    assert len(told.tests) == 2
    shared = {"series": {"mesh_a": {"good": 3, "bad": 0}}}
    given = propose(scenario, lab(), folder=tmp_path / "b", shared=shared)
    assert len(given.tests) == 2
    assert not any("mesh_a" in test for test in given.tests)
