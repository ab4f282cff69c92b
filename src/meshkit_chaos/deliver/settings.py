"""``chaos-notify.yaml`` as frozen values, every default filled in: which channels there are, who owns what, what goes where.

Pure. A secret is only ever a reference to a variable or a file; whoever sends reads it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, structs

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.scenario.metric_sources import SecretRef, TlsFiles
from meshkit_chaos.slo import Duration

_MINUTE = 60 * 10**9
_DAY = 24 * 60 * _MINUTE


class Reach(Struct, frozen=True, kw_only=True):
    """How a server is reached, for every channel that is one."""

    timeout: Duration = Duration(10 * 10**9)
    tls: TlsFiles | None = None


class SlackBot(Struct, frozen=True, kw_only=True, tag_field="kind", tag="slack"):
    """A bot: it edits, answers in threads, and can look whether it wrote. ``channel`` is an id (C…)."""

    id: str
    channel: str
    token: SecretRef
    api: str = "https://slack.com/api"
    reach: Reach = Reach()


class SlackWebhook(Struct, frozen=True, kw_only=True, tag_field="kind", tag="slack-webhook"):
    """An incoming webhook: one message after the other, no edits, no threads."""

    id: str
    url: SecretRef
    reach: Reach = Reach()


class Teams(Struct, frozen=True, kw_only=True, tag_field="kind", tag="teams"):
    """A webhook of the app Workflows in Microsoft Teams."""

    id: str
    url: SecretRef
    reach: Reach = Reach()


class Email(Struct, frozen=True, kw_only=True, tag_field="kind", tag="email"):
    """Mail over SMTP. ``security``: TLS from the first byte, STARTTLS, or none (which sends no password)."""

    id: str
    sender: str
    to: tuple[str, ...]
    server: str
    port: int
    security: Literal["tls", "starttls", "none"] = "starttls"
    user: str = ""
    password: SecretRef | None = None
    reach: Reach = Reach()


class Webhook(Struct, frozen=True, kw_only=True, tag_field="kind", tag="webhook"):
    """JSON to an address of one's own, signed with a shared secret."""

    id: str
    url: SecretRef
    secret: SecretRef
    reach: Reach = Reach()


class GitHubIssues(Struct, frozen=True, kw_only=True, tag_field="kind", tag="github"):
    """Issues of ``repository`` (owner/name). ``lag``: how late a new issue may be listed.

    Empty, ``repository`` and ``api`` are those of the workflow that it runs in: ``$GITHUB_REPOSITORY``, ``$GITHUB_API_URL``.
    """

    id: str
    token: SecretRef
    repository: str = ""
    api: str = ""
    labels: tuple[str, ...] = ("chaos",)
    lag: Duration = Duration(_MINUTE)
    reach: Reach = Reach()


class Jira(Struct, frozen=True, kw_only=True, tag_field="kind", tag="jira"):
    """Work items of a Jira Cloud project. ``token`` goes with ``user``."""

    id: str
    site: str
    project: str
    issue_type: str
    user: str
    token: SecretRef
    labels: tuple[str, ...] = ("chaos",)
    lag: Duration = Duration(_MINUTE)
    reach: Reach = Reach()


class Alertmanager(Struct, frozen=True, kw_only=True, tag_field="kind", tag="alertmanager"):
    """An Alertmanager, and through it whatever it notifies. ``lasting``: an alert that is not renewed ends after it."""

    id: str
    url: str
    user: str = ""
    password: SecretRef | None = None
    bearer: SecretRef | None = None
    lasting: Duration = Duration(36 * 60 * _MINUTE)
    reach: Reach = Reach()


Channel = SlackBot | SlackWebhook | Teams | Email | Webhook | GitHubIssues | Jira | Alertmanager
TRACKERS = (GitHubIssues, Jira)


class Owner(Struct, frozen=True, kw_only=True):
    """A person or team as scenarios name it (``owner:``), and as each channel knows it; empty: not there."""

    name: str
    slack: str = ""
    github: str = ""
    jira: str = ""
    email: str = ""
    teams: str = ""


class Route(Struct, frozen=True, kw_only=True):
    """What goes to which channels. Every condition that is given must hold; within one, any of its values (globs).

    ``occasions`` empty: all. ``severity``: this or a higher one. ``subject``: globs by key, such as ``branch: main``.
    """

    id: str
    to: tuple[str, ...]
    occasions: tuple[Occasion, ...] = ()
    severity: str = ""
    scenarios: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    environment_class: str = ""
    subject: dict[str, str] = {}


class Rules(Struct, frozen=True, kw_only=True):
    """When something is told again, together, or as solved.

    ``storm_at``: so many causes with something in common in one invocation are one. ``digest_every``: a cause that goes on is
    told at most so often. ``close_after``: so many clean results in a row solve it. ``reopen_within``: a solved one that comes
    back sooner is the same again. ``flapping_after``: so many reopenings, and it is no longer closed by itself.
    ``unproven_after``: so many results in a row without evidence (inconclusive, invalid, not run) are told like a failure;
    before, only the summary says it. ``expiring_within``: an override that ends so soon is told.
    """

    storm_at: int = 3
    digest_every: Duration = Duration(7 * _DAY)
    close_after: int = 3
    reopen_within: Duration = Duration(14 * _DAY)
    flapping_after: int = 2
    unproven_after: int = 3
    expiring_within: Duration = Duration(3 * _DAY)


class Links(Struct, frozen=True, kw_only=True):
    """Addresses with ``{invocation}``, ``{run}``, ``{commit}``, ``{first}`` and ``{last}`` in them; empty: no such link."""

    invocation: str = ""
    compare: str = ""
    dashboard: str = ""


class Routing(Struct, frozen=True, kw_only=True):
    """The whole of ``chaos-notify.yaml``. ``project``: what people call what is tested.

    ``nightly``: pairs in the subject of what is summed up; empty: of every invocation.
    """

    path: str
    digest: str
    project: str
    channels: tuple[Channel, ...]
    routes: tuple[Route, ...]
    owners: tuple[Owner, ...] = ()
    rules: Rules = Rules()
    links: Links = Links()
    nightly: dict[str, str] = {}

    def channel(self, name: str) -> Channel:
        return next(channel for channel in self.channels if channel.id == name)

    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold the channels' secrets, each once, in their order."""
        found = (value for channel in self.channels for value in structs.astuple(channel))
        return tuple(dict.fromkeys(value.env for value in found if isinstance(value, SecretRef) and value.env))
