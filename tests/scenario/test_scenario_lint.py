"""Lint rules beyond the documents beside: where what is inherited is told, exact names, what is not known is not guessed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshkit_chaos.errors import Problem
from meshkit_chaos.faults import CATALOGUE, Fault, Parameter
from meshkit_chaos.scenario.findings import At, Findings
from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.model import FaultStep, ScenarioFile
from meshkit_chaos.scenario.parameters import checked_parameters
from meshkit_chaos.scenario.yaml_positions import compose
from meshkit_chaos.slo import Duration

DEMO = Path(__file__).parents[2] / "src" / "meshkit_chaos" / "demo"
LAB = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml").value

HEAD = """version: 1
indicators:
  a: {promql: sum(up), good: "== 3"}
"""
ONE = """
  - id: %s
    title: x
    steps: [{fault: kill, target: {count: 1}, hold: 1s}]
    objectives: [{converge: a, within: 5s}]
"""


def load(text: str, **more: Any) -> Loaded[ScenarioFile]:
    return load_scenarios(text.encode(), path="x.yaml", **more)


def places(problems: tuple[Problem, ...]) -> list[str]:
    return [f"{problem.line}:{problem.column} {problem.rule}" for problem in problems]


def test_what_is_inherited_is_told_once_where_it_is_written() -> None:
    """A wrong reference in the defaults is one problem at the defaults, however many scenarios inherit it."""
    text = HEAD + "defaults: {steady_state: {for: 1s, indicators: [aa]}}\nscenarios:" + ONE % "one" + ONE % "two"
    assert places(load(text).problems) == ["4:49 MC101"]


def test_an_own_key_replaces_the_whole_default() -> None:
    """A scenario's own steady state hides the default's, with its mistakes."""
    own = "    steady_state: {for: 2s, indicators: [a]}\n"
    text = (
        HEAD
        + "defaults: {rollback: {within: 3s, verify: [a]}}\nscenarios:"
        + ONE % "one"
        + own
        + "    rollback: {within: 9s}\n"
    )
    loaded = load(text)
    assert loaded.problems == ()
    assert loaded.value is not None
    scenario = loaded.value.scenarios[0]
    assert (scenario.rollback.within, scenario.rollback.verify) == (Duration.parse("9s"), ())
    assert scenario.steady_state.lasting == Duration.parse("2s")


def test_broken_defaults_are_not_told_again_by_each_scenario() -> None:
    """When the defaults themselves are wrong, no scenario is told that it lacks them."""
    text = HEAD + "defaults: {steady_state: {for: 1, indicators: [a]}}\nscenarios:" + ONE % "one" + ONE % "two"
    assert places(load(text).problems) == ["4:32 MC015"]


def test_a_broken_indicator_is_no_unknown_one() -> None:
    """References to an indicator whose own text is wrong are not told as unknown."""
    text = HEAD.replace('"== 3"', "3") + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:" + ONE % "one"
    assert places(load(text).problems) == ["3:30 MC015"]


def test_names_match_exactly() -> None:
    """A name that holds another one is another name (trap 16)."""
    text = (
        HEAD + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:" + ONE % "node-1" + ONE % "node-10"
    ).replace("objectives: [{converge: a", "objectives: [{converge: ab")
    assert {problem.rule for problem in load(text).problems} == {"MC101"}


def test_only_used_indicators_go_into_a_scenario() -> None:
    """A scenario holds the indicators that it refers to, in the document's order, and an unused one is a warning."""
    indicators = "".join(f'  {name}: {{promql: sum(up), good: "== 3"}}\n' for name in "bcdefg")
    uses = (
        "    steady_state: {for: 1s, indicators: [b]}\n    prerequisites: [{indicator: c}]\n"
        "    guard_rails: [{indicator: d, bad_for: 9s}]\n    rollback: {verify: [e]}\n"
    )
    steps = "steps: [{until: f, timeout: 1s}, {fault: kill"
    loaded = load(HEAD + indicators + "scenarios:" + (ONE % "x").replace("steps: [{fault: kill", steps) + uses)
    assert places(loaded.problems) == ["9:3 MC114"]
    assert loaded.value is not None
    assert [indicator.name for indicator in loaded.value.scenarios[0].indicators] == list("abcdef")


def test_default_ids_are_the_kind_and_the_position() -> None:
    """Steps without an id are called by their kind and their position among all steps, those in branches too."""
    steps = "[{wait: 1s}, {fault: kill, target: {}}, {parallel: [{wait: 1s}, [{fault: pause, target: {}}]]}, {revert: fault-2}]"
    body = ONE.replace("[{fault: kill, target: {count: 1}, hold: 1s}]", steps) % "x" + "    blast_radius: {members: 2}\n"
    loaded = load(HEAD + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:" + body)
    assert loaded.value is not None
    outer = loaded.value.scenarios[0].steps
    assert [step.id for step in outer] == ["wait-1", "fault-2", "parallel-3", "revert-6"]
    assert isinstance(outer[1], FaultStep)
    assert [step.id for branch in getattr(outer[2], "branches", ()) for step in branch] == ["wait-4", "fault-5"]


def test_without_an_environment_nothing_is_guessed_about_it() -> None:
    """Metrics, members, roles and ports are only checked against an environment that is known."""
    text = (
        HEAD.replace("sum(up)", "sum(anything)")
        + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:"
        + ONE % "x"
    )
    text = text.replace("{count: 1}", "{role: any, names: [n]}")
    assert load(text).problems == ()
    assert {problem.rule for problem in load(text, environment=LAB).problems} == {"MC104", "MC118"}


@pytest.mark.parametrize(("rounds", "rules"), [("200ms", []), ("3s", ["MC107"])])
def test_rounds_are_what_the_caller_says(rounds: str, rules: list[str]) -> None:
    """The length of a round decides which limits are too short."""
    text = HEAD + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:" + ONE % "x"
    assert [problem.rule for problem in load(text, round_every=Duration.parse(rounds)).problems] == rules


def test_a_window_is_measured_against_its_limit() -> None:
    """A range window of a quarter of the limit is allowed, one over it is not (trap 23)."""
    text = (
        HEAD.replace("sum(up)", '"sum(rate(x_total[%s]))"') + "defaults: {steady_state: {for: 1s, indicators: [a]}}\nscenarios:"
    )
    for window, rules in (("1250ms", []), ("1251ms", ["MC106"])):
        assert [problem.rule for problem in load(text % window + ONE % "x").problems] == rules


def test_parameters_follow_the_catalogue() -> None:
    """A fault's parameters are completed by its defaults and held to its types and limits."""
    declared = (
        Parameter(name="delay", type="duration", doc="how late", minimum=0.01),
        Parameter(name="loss", type="ratio", doc="how many", default="1%"),
        Parameter(name="cores", type="integer", doc="how wide", default=1.0, maximum=4),
    )
    fault: Fault = replace(CATALOGUE["kill"], kind="slow", parameters=declared)

    def checked(text: str) -> tuple[dict[str, Any], list[str]]:
        root = compose(text.encode(), path="x").root
        assert root is not None
        findings = Findings("x", root)
        return checked_parameters(fault, root.data, at=At(findings, ())), [str(problem) for problem in findings.problems]

    assert checked("delay: 5s") == ({"delay": "5s", "loss": "1%", "cores": 1.0}, [])
    assert "needs the parameter 'delay'" in checked("{}")[1][0]
    wrong = {
        "delay: 5": "expected a duration",
        "delay: true": "expected a duration",
        "delay: x": "not a duration",
        "delay: 1ms": "below 10ms",
        "{delay: 1s, loss: 2.5}": "expected a share",
        "{delay: 1s, cores: 5}": "above 4",
        "{delay: 1s, cores: 1.5}": "expected a whole number",
        "{delay: 1s, cores: '2'}": "expected a whole number",
        "{delay: 1s, dealy: 1s}": "did you mean delay?",
    }
    for text, said in wrong.items():
        problems = checked(text)[1]
        assert len(problems) == 1
        assert said in problems[0]


def many(count: int) -> bytes:
    body = "".join(
        f"  - {{id: s-{number}, title: One of many, steady_state: {{for: 2s, indicators: [a]}},\n"
        f"     steps: [{{fault: kill, id: k, target: {{role: leader}}, hold: 4s}}, {{wait: 1s}}],\n"
        f"     objectives: [{{converge: a, within: 5s}}, {{recover: a, within: 5s}}]}}\n"
        for number in range(count)
    )
    return (HEAD + "scenarios:\n" + body).encode()


@pytest.mark.parametrize("count", [500, pytest.param(5_000, marks=pytest.mark.slow)])
def test_many_scenarios_are_told_as_far_as_it_helps(count: int) -> None:
    """Of mistakes in the grammar the first 200 are told, and how many are not; mistakes in meaning are all told."""
    data = many(count)
    documents = (
        (data, 0),
        (data.replace(b"hold: 4s", b"hold: 4"), 201),
        (data.replace(b"converge: a", b"converge: b"), count),
    )
    for text, problems in documents:
        loaded = load_scenarios(text, path="x.yaml", environment=LAB)
        assert len(loaded.problems) == problems
        assert problems != 201 or f"{count - 200} more problems" in loaded.problems[0].message
