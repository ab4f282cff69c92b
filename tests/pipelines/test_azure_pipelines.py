"""The Azure pipelines, every script step in order: on the simulated mesh and on the etcd lab."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from act_runner import copy_project, git
from azure_runner import Agent, Ran
from fake_forge import azure_api, azure_approval
from fake_github import FakeGitHub
from served import served

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.dashboard.paths import run as run_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


LAB, SIMULATED = "src/meshkit_chaos/demo/etcd-lab.yaml", "src/meshkit_chaos/starter/simulated-mesh.yaml"


def commit(agent: Agent, message: str) -> None:
    """Commit everything; later runs are of that commit."""
    git(agent.repository, "add", "--all")
    git(agent.repository, "commit", "--quiet", "--allow-empty", "--message", message)
    agent.variables["Build.SourceVersion"] = git(agent.repository, "rev-parse", "HEAD").strip()


@pytest.fixture
def issues() -> FakeGitHub:
    """Where the project's own routes open tickets."""
    return FakeGitHub(token="token-of-issues", repository="acme/mesh")


@pytest.fixture
def agent(tmp_path: Path, issues: FakeGitHub) -> Iterator[Agent]:
    """An agent with the project's own repository."""
    repository = tmp_path / "repository"
    copy_project(repository)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "init", "--quiet", "--bare", "history.git")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "as it is")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with served(issues) as address:
        yield Agent(
            repository=repository,
            folder=tmp_path / "agent",
            variables={
                "Build.SourceVersion": git(repository, "rev-parse", "HEAD").strip(),
                "Build.SourceBranch": "refs/heads/main",
                "Build.Repository.Uri": str(tmp_path / "history.git"),
                "Build.Repository.Name": "acme/mesh",
                "System.AccessToken": "stand-in",
                "GITHUB_TOKEN": "token-of-issues",
            },
            environment={
                **kept,
                "MESHKIT_CHAOS_STATE": str(tmp_path / "state"),
                "PIP_NO_BUILD_ISOLATION": "0",
                "GITHUB_API_URL": address,
            },
        )


def test_the_pull_request_pipeline_runs_to_its_end(agent: Agent) -> None:
    """Lint, own checks, scenario tests and a simulated run; results are published and kept."""
    job = agent.run("chaos-pull-request.yml")["documents"]
    assert job.failed == [], job.said
    assert "Run them in virtual time" in job.steps
    assert (agent.artifacts / "chaos-results" / "junit.xml").is_file()


def test_a_lint_error_fails_the_pull_request_and_no_later_step_hides_it(agent: Agent) -> None:
    """The steps that always run find no results, and say so by failing, too."""
    scenarios = agent.repository / "src/meshkit_chaos/demo/chaos-scenarios.yaml"
    scenarios.write_text(scenarios.read_text().replace("objectives:", "objectivs:", 1))
    git(agent.repository, "commit", "--quiet", "--all", "--message", "a misspelt key")
    job = agent.run("chaos-pull-request.yml")["documents"]
    assert job.result == "Failed"
    assert job.failed[0] == "Are the documents right?"
    assert {"Publish the verdict", "publish", "PublishTestResults@2"} <= set(job.failed)


def test_on_demand_takes_its_parameters_as_data(agent: Agent) -> None:
    """What looks like a command in a parameter is the id of a scenario that is not there."""
    job = agent.run("chaos-on-demand.yml", {"scenarios": "$(touch", "seed": "7"})["chaos"]
    assert job.result == "Failed"
    assert "there is no scenario '$(touch'" in job.said


@pytest.mark.lab
def test_on_demand_runs_what_is_asked_for(agent: Agent) -> None:
    """One scenario, one seed, on the lab; all documents are kept."""
    job = agent.run("chaos-on-demand.yml", {"scenarios": "leader-paused", "seed": "7"})["chaos"]
    assert job.failed == [], job.said
    assert "seed 7" in job.said
    assert (agent.artifacts / "chaos-results" / "verdict.json").is_file()


RELEASE = """\
jobs:
  - template: chaos-release-gate.yml
  - job: release
    dependsOn: chaos_release_gate
    steps:
      - bash: echo released
"""


def test_a_night_opens_the_gate_for_its_commit_and_for_no_other(agent: Agent, issues: FakeGitHub) -> None:
    """Runs, history and gate of the nightly; then a release that depends on the gate, and one that nothing is known of.

    The mesh is the simulated one: what takes time on the lab is shown by the other tests.
    """
    nightly = agent.repository / "azure-pipelines/chaos-nightly.yml"
    nightly.write_text(nightly.read_text().replace(LAB, SIMULATED))
    (agent.repository / "azure-pipelines/release.yml").write_text(RELEASE)
    commit(agent, "a simulated night")
    night = agent.run("chaos-nightly.yml")
    jobs = ("chaos_1", "chaos_2", "history", "gate", "chaos_tell", "dashboard")
    assert {name: job.failed for name, job in night.items()} == {name: [] for name in jobs}, night
    assert issues.issues == {}
    assert "##vso[task.uploadsummary]" in night["gate"].said
    assert (agent.artifacts / "chaos-gate" / "chaos-gate-log.jsonl").is_file()
    pages = agent.artifacts / "chaos-dashboard"
    for result in (read_results(agent.artifacts / f"chaos-results-{number}") for number in (1, 2)):
        assert all(escape(one.findings[0].sentence) in (pages / run_page(one.run)).read_text() for one in result.verdict.runs)

    opened = agent.run("release.yml")
    assert opened["chaos_release_gate"].failed == [], opened["chaos_release_gate"].said
    assert "released" in opened["release"].said

    commit(agent, "not tested by any night")
    closed = agent.run("release.yml")
    assert closed["chaos_release_gate"].failed == ["Open or blocked?"]
    assert "release" not in closed


OVERRIDE = {
    "overrideScenario": "leader-killed",
    "overrideObjective": "converge-one-leader",
    "overrideAccept": "5s",
    "overrideReason": "slow elections are known; fixed next week",
    "overrideTicket": "MESH-123",
}
KIM = {"Build.RequestedForEmail": "kim@example.org", "Build.RequestedForId": "id-of-kim", "Build.QueuedById": "id-of-kim"}


def asked(agent: Agent, approval: dict[str, object] | None) -> dict[str, Ran]:
    """The release of one commit, with an override that is asked for and what Azure says of its approval."""
    agent.variables |= {
        **KIM,
        "Build.BuildId": "42",
        "System.StageName": "__default",
        "System.TeamProject": "My project",
        "System.TeamProjectId": "project-id",
    }
    lines = "".join(f"      {name}: {json.dumps(text)}\n" for name, text in OVERRIDE.items())
    asking = RELEASE.replace("chaos-release-gate.yml\n", f"chaos-release-gate.yml\n    parameters:\n{lines}")
    (agent.repository / "azure-pipelines/asking.yml").write_text(asking)
    with azure_api(build="42", approval=approval, token="stand-in") as address:
        agent.variables["System.CollectionUri"] = address
        return agent.run("asking.yml")


def test_an_override_opens_the_gate_where_another_person_approved_it(agent: Agent, issues: FakeGitHub) -> None:
    """A night that misses an objective blocks and opens one ticket; nobody's, the author's own and a rejected approval leave it
    blocked. The approved one is kept with who approved it, and shown in the decision.
    """
    nightly = agent.repository / "azure-pipelines/chaos-nightly.yml"
    nightly.write_text(nightly.read_text().replace(LAB, SIMULATED))
    scenarios = agent.repository / "src/meshkit_chaos/demo/chaos-scenarios.yaml"
    scenarios.write_text(scenarios.read_text().replace("within: 5s}", "within: 500ms}", 1))
    commit(agent, "a limit that the simulated mesh misses")
    night = agent.run("chaos-nightly.yml")
    assert (night["history"].result, night["gate"].result) == ("Succeeded", "Failed"), night
    assert night["chaos_tell"].failed == [], night["chaos_tell"].said
    assert [issue.title for issue in issues.open_ones() if "leader-killed" in issue.title], issues.issues
    assert len(issues.issues) == 1
    assert issues.wrong == []

    for approval, reason in [
        (None, "nobody was asked to approve"),
        (azure_approval(("approved", "kim")), "nobody but kim@example.org"),
        (azure_approval(("rejected", "lee"), status="rejected"), "rejected by lee@example.org"),
    ]:
        blocked = asked(agent, approval)
        assert reason in blocked["chaos_override"].said
        assert blocked["chaos_override"].failed == ["Record the override with who approved it"]
        assert blocked["chaos_release_gate"].failed == ["Open or blocked?"], blocked["chaos_release_gate"].said
        assert "release" not in blocked
    opened = asked(agent, azure_approval(("approved", "lee")))
    assert [job.failed for job in opened.values()] == [[], [], []], opened
    assert "released" in opened["release"].said
    kept = (agent.artifacts / "chaos-override/chaos-overrides.yaml").read_text()
    assert "lee@example.org" in kept
    assert agent.variables["Build.SourceVersion"] in kept
    assert "lee@example.org" in (agent.artifacts / "chaos-gate/chaos-gate-log.jsonl").read_text()
    assert "stand-in" not in kept
