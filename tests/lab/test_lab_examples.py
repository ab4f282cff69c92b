"""The examples on their real programs: each scenario comes to the verdict that its README says."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab_runs import Corner
from test_lab_network import possible  # noqa: F401  # a fixture

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = {"etcd": (), "nats": ("nats-server",), "redis-sentinel": ("redis-server", "redis-sentinel")}
_ROW = re.compile(r"^\| `(?P<scenario>[a-z0-9-]+)` \| (?P<verdict>[a-z-]+) \| ", re.MULTILINE)
_ID = re.compile(r"^  - id: (\S+)$", re.MULTILINE)
_ON_FIVE = re.compile(os.environ.get("MESHKIT_CHAOS_EXAMPLES_ON_FIVE", "isolated|cut|split|bridge|one-way"))
"""Of the scenarios for three and five members, those that CI runs on five too: where numbers matter. ``.`` is all of them."""
_WITHIN_S = 300.0
_ATTEMPTS = 3
"""A busy machine may leave a scenario open; then, and only then, it is run again."""


@dataclass(frozen=True)
class Case:
    """One scenario of an example, in one of its environments, and the verdict that its README promises."""

    example: str
    file: str
    environment: str
    scenario: str
    verdict: str

    def __str__(self) -> str:
        return f"{self.example}/{self.environment}/{self.scenario}"


def promised(example: str) -> dict[str, str]:
    found = _ROW.finditer((EXAMPLES / example / "README.md").read_text(encoding="utf-8"))
    return {row["scenario"]: row["verdict"] for row in found}


def cases() -> Iterator[Case]:
    places = [("nats", "", ("nats.yaml",)), ("redis-sentinel", "", ("redis-sentinel.yaml",))]
    places += [("etcd", "", ("etcd-3.yaml", "etcd-5.yaml")), ("etcd", "-5", ("etcd-5.yaml",))]
    places += [("etcd", "-members", ("etcd-members.yaml",))]
    for example, which, environments in places:
        file = f"chaos-scenarios{which}.yaml"
        for scenario in _ID.findall((EXAMPLES / example / file).read_text(encoding="utf-8")):
            for environment in environments:
                if environment == "etcd-5.yaml" and which == "" and not _ON_FIVE.search(scenario):
                    continue
                yield Case(example, file, environment, scenario, promised(example)[scenario])


def judged(corner: Corner, case: Case, *more: str) -> str:
    """Run it, again where it was left open; the mesh is clean and gone each time. The verdict of the last run."""
    for program in PROGRAMS[case.example]:
        if shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
            pytest.skip(f"needs {program}: .ci/run installs it")
    folder, verdict = EXAMPLES / case.example, "inconclusive"
    for attempt in range(_ATTEMPTS):
        out = corner.folder / f"results-{attempt}"
        where = ("--file", str(folder / case.file), "--env", str(folder / case.environment), "--out", str(out))
        code, _, said = corner.command("run", case.scenario, *where, "--seed", "7", *more, within=_WITHIN_S)
        told = json.loads((out / "verdict.json").read_bytes())
        verdict = str(told["scenarios"][0]["verdict"])
        assert told["runs"][0]["environment"] == "clean", said
        assert not corner.left()
        assert code == {"pass": 0, "fail": 1}.get(verdict, 2)
        if verdict not in {"inconclusive", "invalid"}:
            break
    return verdict


@pytest.mark.parametrize("case", list(cases()), ids=str)
def test_a_scenario_comes_to_what_its_readme_says(corner: Corner, case: Case, request: pytest.FixtureRequest) -> None:
    """The verdict is the one in the table, the mesh was left clean, and no process of it is left."""
    if case.example == "etcd" and case.environment != "etcd-members.yaml":
        request.getfixturevalue("possible")
    assert judged(corner, case) == case.verdict


def test_without_pre_vote_the_heal_costs_the_leader(corner: Corner, possible: None) -> None:  # noqa: F811  # the fixture
    """A follower that was cut off comes back with a higher term: the leader changes after the fault, and the pack says so."""
    case = Case("etcd", "chaos-scenarios.yaml", "etcd-3.yaml", "follower-isolated", "fail")
    assert judged(corner, case, "--var", "pre_vote=false") == "fail"
    (told,) = sorted(corner.folder.glob("results-*/verdict.json"))[-1:]
    findings = {finding["id"]: finding for finding in json.loads(told.read_bytes())["runs"][-1]["findings"]}
    assert findings["no-change-afterwards"]["verdict"] == "fail"
    assert findings["stay-same-leader"]["verdict"] == "pass"
