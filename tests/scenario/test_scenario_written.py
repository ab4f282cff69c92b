"""A scenario that is written as a document is read as the very same scenario."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.scenario.load import load_scenarios
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.scenario.written import used_indicators, written_scenario

ROOT = Path(__file__).parents[2]
FILES = sorted(
    [
        *(ROOT / "examples").glob("*/chaos-scenarios.yaml"),
        *(ROOT / "tests" / "scenario" / "good").glob("*-scenarios.yaml"),
        ROOT / "src" / "meshkit_chaos" / "demo" / "chaos-scenarios.yaml",
    ]
)


def read(text: str) -> tuple[Scenario, ...]:
    loaded = load_scenarios(text.encode(), path="written.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value.scenarios


def needed(scenario: Scenario) -> Scenario:
    used = used_indicators(scenario)
    return structs.replace(scenario, indicators=tuple(one for one in scenario.indicators if one.name in used))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_is_written_is_read_as_it_was(file: Path) -> None:
    """Every scenario of every good document comes back, with the indicators that it needs; twice written is the same text."""
    for scenario in map(needed, read(file.read_text(encoding="utf-8"))):
        text = written_scenario(scenario, environment="mesh.yaml")
        assert read(text) == (scenario,)
        assert written_scenario(*read(text), environment="mesh.yaml") == text


SEQUENCE = """version: 1
indicators: {one-leader: {promql: sum(mesh_is_leader), good: "!= 0"}}
scenarios:
  - id: sequence
    title: 'It says "no": 010'
    steady_state: {for: 2s, indicators: [one-leader]}
    blast_radius: {members: 3, share: 60%}
    timeout: 10m
    steps:
      - {wait: 1s, jitter: 500ms}
      - repeat: 3
        every: 20s
        jitter: 1s
        steps:
          - parallel:
              - {until: one-leader, is: bad, timeout: 2s, or_go_on: true, id: odd}
              - [{wait: 1500us}]
EXAMPLE
    objectives:
      - {recover: one-leader, within: 5s, settle: 0s, flaps: allowed, disturbance: optional, informational: true, id: back}
      - {stay: one-leader, during: hold, allowed: 2.5%, tolerate: 1s}
"""


@pytest.mark.parametrize("kind", sorted(CATALOGUE))
def test_every_fault_is_written(kind: str) -> None:
    """The example of each kind of fault, in a sequence of steps of every kind."""
    example = "\n".join(f"      {line}" for line in CATALOGUE[kind].example.splitlines())
    (scenario,) = read(SEQUENCE.replace("EXAMPLE", example))
    assert read(written_scenario(scenario, environment=None)) == (scenario,)
