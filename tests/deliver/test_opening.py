"""Channels of the routes file become senders, each with what it needs, or it is said what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.github import GitHub
from meshkit_chaos.deliver.load import load_routing
from meshkit_chaos.deliver.opening import Surroundings, open_sender
from meshkit_chaos.deliver.settings import Channel
from meshkit_chaos.deliver.tracking import Tickets
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.access import Secrets

VARIABLES = {"A": "https://hooks.example.com/xyz", "B": "a-secret-of-the-mesh"}
EVERY = {
    "slack": "slack: {channel: C0123456789, token: {env: B}}",
    "slack-webhook": "slack_webhook: {url: {env: A}}",
    "teams": "teams: {url: {env: A}}",
    "email": "email: {sender: a@example.com, to: [b@example.com], server: mail.example.com, user: a, password: {env: B}}",
    "webhook": "webhook: {url: {env: A}, secret: {env: B}}",
    "github": "github: {repository: mesh/meshkit, token: {env: B}}",
    "jira": "jira: {site: https://a.atlassian.net, project: MESH, issue_type: Bug, user: a@example.com, token: {env: B}}",
    "alertmanager": "alertmanager: {url: https://alerts.example.com, bearer: {env: B}}",
}


def channel(text: str) -> Channel:
    """The channel that this line of a routes file makes."""
    document = f"version: 1\nproject: mesh\nchannels:\n  - {{id: one, {text}}}\nroutes:\n  - {{id: all, to: [one]}}\n"
    loaded = load_routing(document.encode(), path="chaos-notify.yaml")
    assert loaded.value is not None, loaded.problems
    return loaded.value.channels[0]


def around(folder: Path, **variables: str) -> Surroundings:
    return Surroundings(
        secrets=Secrets(folder=folder, variables=variables), clock=ManualClock(), folder=folder, variables=variables
    )


@pytest.mark.parametrize("kind", EVERY)
def test_every_kind_of_channel_opens(kind: str, tmp_path: Path) -> None:
    """With its secrets there, it is ready to send and says by which limits."""
    sender = open_sender(channel(EVERY[kind]), around(tmp_path, **VARIABLES))
    assert all(rate.count > 0 for rate in sender.rates)
    assert sender.when_unsure in ("repeat", "look", "hold")
    sender.close()


@pytest.mark.parametrize("kind", EVERY)
def test_a_secret_that_is_missing_is_named_and_nothing_opens(kind: str, tmp_path: Path) -> None:
    """The variable and the channel are told: that is what the operator has to set, and where it is asked for."""
    with pytest.raises(CannotRun, match=r"variable [AB] is not set"):
        open_sender(channel(EVERY[kind]), around(tmp_path))


def opened(text: str, folder: Path, **variables: str) -> GitHub:
    sender = open_sender(channel(text), around(folder, B="token", **variables))
    assert isinstance(sender, Tickets)
    assert isinstance(sender.tracker, GitHub)
    return sender.tracker


def test_issues_without_a_repository_are_those_of_the_workflows_own(tmp_path: Path) -> None:
    """GitHub says in variables where a workflow runs; what the routes say comes first."""
    own = {"GITHUB_REPOSITORY": "acme/mesh", "GITHUB_API_URL": "https://forge.example/api/v3"}
    settings = opened("github: {token: {env: B}}", tmp_path, **own).settings
    assert (settings.repository, settings.api) == ("acme/mesh", "https://forge.example/api/v3")
    settings = opened(EVERY["github"], tmp_path, **own).settings
    assert (settings.repository, settings.api) == ("mesh/meshkit", "https://api.github.com")


@pytest.mark.parametrize("variables", [{}, {"GITHUB_REPOSITORY": "no-owner"}])
def test_issues_of_no_repository_do_not_open(variables: dict[str, str], tmp_path: Path) -> None:
    """Outside of a workflow there is none, and guessing one would open tickets at somebody else's."""
    with pytest.raises(CannotRun, match="no repository is named"):
        opened("github: {token: {env: B}}", tmp_path, **variables)
