"""The documents beside this file: the good ones load, the bad ones give exactly the text beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from meshkit_chaos.measure.exposition import Wanted, parse
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.exported import Exported
from meshkit_chaos.scenario.load import Loaded, load_environment, load_scenarios
from meshkit_chaos.scenario.load_tests import load_tests
from meshkit_chaos.scenario.render import render_problems
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.slo.codec import decode, encode

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "src" / "meshkit_chaos" / "demo"
GOOD = sorted((HERE / "good").glob("*.yaml"))
MESH = """version: 1
indicators: {shards: {promql: sum(mesh_shards_owned), good: "== 12"}}
scenarios:
  - id: leader-killed
    title: Shards move
    steady_state: {for: 2s, indicators: [shards]}
    steps: [{fault: kill, target: {count: 1}, hold: 3s}]
    objectives: [{converge: shards, within: 5s}]
"""
BAD = sorted((HERE / "bad").glob("*.yaml"))


def lab() -> EnvironmentDescription:
    loaded = load_environment((DEMO / "etcd-lab.yaml").read_bytes(), path="etcd-lab.yaml")
    assert loaded.value is not None
    return loaded.value


def load(file: Path, environment: EnvironmentDescription | None) -> Loaded[Any]:
    if file.name.endswith("-tests.yaml"):
        about = load_scenarios((DEMO / "chaos-scenarios.yaml").read_bytes(), path="x.yaml", environment=lab()).value
        if b"mesh-scenarios.yaml" in file.read_bytes():
            about = load_scenarios(MESH.encode(), path="mesh-scenarios.yaml").value
        return load_tests(file.read_bytes(), path=file.name, scenarios=about, environment=environment or lab())
    if file.name.endswith("-environment.yaml"):
        return load_environment(file.read_bytes(), path=file.name)
    page = file.with_suffix(".prom")
    exported = None
    if page.exists():
        parsed = parse(page.read_bytes(), Wanted(None))
        exported = Exported.of((labels for labels, _ in parsed.samples), where=page.name)
    return load_scenarios(file.read_bytes(), path=file.name, environment=environment, exported=exported)


def environment_of(file: Path) -> EnvironmentDescription | None:
    beside = file.with_name(file.name.replace("-scenarios", "-environment"))
    return load_environment(beside.read_bytes(), path=beside.name).value if beside != file and beside.exists() else None


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_document_loads_without_a_word(file: Path) -> None:
    """A good document gives its value and no problem at all."""
    loaded = load(file, environment_of(file))
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == ""
    assert loaded.value is not None


@pytest.mark.parametrize("file", [file for file in GOOD if not file.stem.endswith("-tests")], ids=lambda file: file.stem)
def test_a_loaded_document_survives_being_recorded(file: Path) -> None:
    """What was loaded can be written to a journal and read back as the same value."""
    value = load(file, environment_of(file)).value
    assert decode(encode(value), type(value)) == value
    assert encode(decode(encode(value), type(value))) == encode(value)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_a_bad_document_is_told_at_its_place(file: Path) -> None:
    """A bad document gives the problems that are written beside it, with line, column, caret and hint."""
    loaded = load(file, lab())
    assert render_problems(loaded.problems, {file.name: file.read_bytes()}) == file.with_suffix(".txt").read_text("utf-8")
    warned = "warning" in file.name
    assert (loaded.value is not None) == warned
    rule = file.name.split("-")[0].upper()
    assert rule == "MANY" or rule in {problem.rule for problem in loaded.problems}


def test_every_rule_is_broken_by_a_document() -> None:
    """Each rule of the table has a bad document here, or among those of the gate, and none breaks a rule that is not there."""
    told = {problem.rule for file in BAD for problem in load(file, lab()).problems}
    assert told == {rule for rule in RULES if not rule.startswith(("MC3", "MC4"))}


def test_the_demo_loads_in_its_environment() -> None:
    """The demo's four scenarios load in the lab without a warning."""
    data = (DEMO / "chaos-scenarios.yaml").read_bytes()
    loaded = load_scenarios(data, path="chaos-scenarios.yaml", environment=lab())
    assert loaded.problems == ()
    assert loaded.value is not None
    ids = [scenario.id for scenario in loaded.value.scenarios]
    assert ids == ["leader-killed", "leader-paused", "majority-killed", "leader-back-in-half-a-second"]
    assert loaded.value.environment == "etcd-lab.yaml"


def test_loading_is_repeatable() -> None:
    """The same bytes give the same value."""
    data = (DEMO / "chaos-scenarios.yaml").read_bytes()
    first, second = (load_scenarios(data, path="x", environment=lab()).value for _ in range(2))
    assert msgspec.json.encode(first and first.digest) == msgspec.json.encode(second and second.digest)
    assert first == second
