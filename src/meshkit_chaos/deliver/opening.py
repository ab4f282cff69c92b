"""From a channel's settings to something that sends: the one place where a kind of channel is bound to its code.

Takes a channel of the routes file and what all senders share; gives a ``Sender``, which is the caller's to close. Only the code
of the kind that is asked for is imported. Raises ``CannotRun`` where a secret, a certificate or the repository is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec import structs

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import (
    Alertmanager,
    Channel,
    Email,
    GitHubIssues,
    Jira,
    Owner,
    Rules,
    SlackBot,
    SlackWebhook,
    Teams,
    Webhook,
)
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.access import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What senders share. ``folder``: that of the routes file, which its files are relative to. ``variables``: in which a
    workflow says where it runs.
    """

    secrets: Secrets
    clock: Clock
    folder: Path
    rules: Rules = field(default_factory=Rules)
    owners: tuple[Owner, ...] = ()
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)


def open_sender(channel: Channel, around: Surroundings) -> Sender:
    """The sender of one channel, ready to send."""
    secrets, clock, folder, rules, owners = around.secrets, around.clock, around.folder, around.rules, around.owners
    match channel:
        case GitHubIssues():
            from meshkit_chaos.deliver.github import open_github  # noqa: PLC0415  # only the kind that is asked for

            here = _here(channel, around.variables)
            return open_github(here, secrets=secrets, clock=clock, folder=folder, rules=rules, owners=owners)
        case Jira():
            from meshkit_chaos.deliver.jira import open_jira  # noqa: PLC0415  # only the kind that is asked for

            return open_jira(channel, secrets=secrets, clock=clock, folder=folder, rules=rules, owners=owners)
        case SlackBot():
            from meshkit_chaos.deliver.slack import open_slack  # noqa: PLC0415  # only the kind that is asked for

            return open_slack(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)
        case SlackWebhook():
            from meshkit_chaos.deliver.slack_webhook import open_slack_webhook  # noqa: PLC0415  # only the kind that is asked for

            return open_slack_webhook(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)
        case Teams():
            from meshkit_chaos.deliver.teams import open_teams  # noqa: PLC0415  # only the kind that is asked for

            return open_teams(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)
        case Email():
            from meshkit_chaos.deliver.mail import open_mail  # noqa: PLC0415  # only the kind that is asked for

            return open_mail(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)
        case Webhook():
            from meshkit_chaos.deliver.webhook import open_webhook  # noqa: PLC0415  # only the kind that is asked for

            return open_webhook(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)
        case Alertmanager():
            from meshkit_chaos.deliver.alertmanager import open_alertmanager  # noqa: PLC0415  # only the kind that is asked for

            return open_alertmanager(channel, secrets=secrets, clock=clock, folder=folder, owners=owners)


def _here(channel: GitHubIssues, variables: Mapping[str, str]) -> GitHubIssues:
    """The repository that a workflow runs in, where the channel names none."""
    repository = channel.repository or variables.get("GITHUB_REPOSITORY", "")
    if "/" not in repository:
        raise CannotRun(
            f"{channel.id}: no repository is named, and GITHUB_REPOSITORY says none",
            hint="write `repository: OWNER/NAME` into the routes, or set the variable as a workflow on GitHub does",
        )
    api = channel.api or variables.get("GITHUB_API_URL") or "https://api.github.com"
    return structs.replace(channel, repository=repository, api=api)
