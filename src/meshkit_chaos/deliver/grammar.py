"""The grammar of ``chaos-notify.yaml``, version 1: which keys stand where, and what each means.

Takes plain values; gives models that mirror the document, with defaults still open. Refuses what is not in the grammar, and a
secret that is written where a reference to one belongs, without repeating it. The descriptions are the source of the JSON
Schema and of the reference.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.scenario.grammar_metrics import ReferenceText, TlsText, exactly_one
from meshkit_chaos.scenario.grammar_values import Identifier, Line, Span, Strict, Version, key, needed

Count = Annotated[int, Field(ge=1, le=1000)]
Names = Annotated[list[Line], Field(min_length=1)]
Pairs = Annotated[dict[Line, Line], Field(min_length=1)]
_USERINFO: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*@")


def _no_secret(value: Any) -> Any:
    """A text where a mapping belongs may well be the secret itself: it is refused without being repeated."""
    if not isinstance(value, str):
        return value
    said = "a text stands where only a reference may: if it is a secret, change it now, for it was in a file"
    raise PydanticCustomError("secret", "{said}", {"said": said, "hint": "write {env: NAME} or {file: PATH}"})


def _no_address(value: Any) -> Any:
    """The address of a webhook is itself a secret."""
    if not isinstance(value, str):
        return value
    said = "a text stands where the keys of a channel belong: if it is an address with a token in it, change that now"
    raise PydanticCustomError("secret", "{said}", {"said": said, "hint": "write {url: {env: NAME}}"})


def _no_userinfo(value: str) -> str:
    if not _USERINFO.match(value):
        return value
    said = "the address holds a user or a password"
    raise PydanticCustomError("secret", "{said}", {"said": said, "hint": "use the channel's own keys for them"})


Address = Annotated[Line, AfterValidator(_no_userinfo)]
Secret = Annotated[ReferenceText, BeforeValidator(_no_secret)]


class _ReachText(Strict):
    timeout: Span | None = key("When a request has failed.", default="10s")
    tls: TlsText | None = key("Certificates, relative to this document.")


class SlackText(_ReachText):
    """A bot in Slack (scope `chat:write`): it threads, edits, and can look whether it wrote."""

    channel: Line = needed("The id of the channel, not its name.", examples=["C0123456789"])
    token: Secret = needed("The bot's token.", examples=[{"env": "SLACK_TOKEN"}])
    api: Address | None = key("Where Slack's API is.", default="https://slack.com/api")


class SlackWebhookText(_ReachText):
    """An incoming webhook of Slack: one message after the other."""

    url: Secret = needed("Its address, which is a secret.", examples=[{"env": "SLACK_WEBHOOK"}])


class TeamsText(_ReachText):
    """A webhook of the app Workflows in Microsoft Teams. Its answer does not prove that anybody sees the card."""

    url: Secret = needed("Its address, which is a secret.", examples=[{"env": "TEAMS_WEBHOOK"}])


class EmailText(_ReachText):
    """Mail over SMTP."""

    sender: Line = needed("From whom.", examples=["chaos@example.com"])
    to: Names = needed("To whom.", examples=[["mesh-team@example.com"]])
    server: Line = needed("The mail server.", examples=["smtp.example.com"])
    port: Annotated[int, Field(ge=1, le=65535)] | None = key("Its port. By default 587, with `tls` 465, with `none` 25.")
    security: Literal["tls", "starttls", "none"] | None = key(
        "TLS from the first byte, STARTTLS (which is then insisted on), or none: that sends no password.", default="starttls"
    )
    user: Line | None = key("As whom. Needs `password`.")
    password: Secret | None = key("Where the password is.", examples=[{"env": "SMTP_PASSWORD"}])


class WebhookText(_ReachText):
    """JSON to an address of your own, signed with a shared secret."""

    url: Secret = needed("Its address.", examples=[{"env": "CHAOS_WEBHOOK"}])
    secret: Secret = needed("What it is signed with.", examples=[{"env": "CHAOS_WEBHOOK_SECRET"}])


class GitHubText(_ReachText):
    """Issues of a repository on GitHub: one for each cause."""

    repository: Annotated[Line, Field(pattern=r"^[^/\s]+/[^/\s]+$")] | None = key(
        "Owner and name. By default the repository of the workflow that it runs in.", examples=["mesh/meshkit"]
    )
    token: Secret = needed("A token that may write issues.", examples=[{"env": "GITHUB_TOKEN"}])
    api: Address | None = key(
        "Where its API is; on a server of your own it ends in `/api/v3`.", default="https://api.github.com"
    )
    labels: Names | None = key("Labels of every issue.", default=["chaos"])
    lag: Span | None = key("How late a new issue may be listed.", default="1m")


class JiraText(_ReachText):
    """Work items of a project in Jira Cloud: one for each cause."""

    site: Address = needed("Its address.", examples=["https://example.atlassian.net"])
    project: Line = needed("The project's key.", examples=["MESH"])
    issue_type: Line = needed("What kind of work item.", examples=["Bug"])
    user: Line = needed("Whose token it is.", examples=["chaos@example.com"])
    token: Secret = needed("An API token.", examples=[{"env": "JIRA_TOKEN"}])
    labels: Names | None = key("Labels of every work item.", default=["chaos"])
    lag: Span | None = key("How late a new work item may be found.", default="1m")


class AlertmanagerText(_ReachText):
    """An Alertmanager, and through it PagerDuty, Opsgenie and whatever else it notifies."""

    url: Address = needed("Its address, without user or password.", examples=["https://alerts.example.com"])
    user: Line | None = key("As whom. Needs `password`.")
    password: Secret | None = key("Where the password is.", examples=[{"env": "ALERTS_PASSWORD"}])
    bearer: Secret | None = key("A bearer token, instead.")
    lasting: Span | None = key("An alert that is not renewed ends after this.", default="36h")


class ChannelText(Strict):
    """A channel: its id, and exactly one of the other keys."""

    ONE_OF: ClassVar[tuple[str, ...]] = (
        "slack",
        "slack_webhook",
        "teams",
        "email",
        "webhook",
        "github",
        "jira",
        "alertmanager",
    )

    id: Identifier = needed("The channel's name, by which routes send to it.", examples=["mesh-chat"])
    slack: Annotated[SlackText, BeforeValidator(_no_address)] | None = key("A bot in Slack.")
    slack_webhook: Annotated[SlackWebhookText, BeforeValidator(_no_address)] | None = key("An incoming webhook of Slack.")
    teams: Annotated[TeamsText, BeforeValidator(_no_address)] | None = key("A Workflows webhook of Microsoft Teams.")
    email: Annotated[EmailText, BeforeValidator(_no_address)] | None = key("Mail.")
    webhook: Annotated[WebhookText, BeforeValidator(_no_address)] | None = key("JSON to an address of your own.")
    github: Annotated[GitHubText, BeforeValidator(_no_address)] | None = key("Issues on GitHub.")
    jira: Annotated[JiraText, BeforeValidator(_no_address)] | None = key("Work items in Jira Cloud.")
    alertmanager: Annotated[AlertmanagerText, BeforeValidator(_no_address)] | None = key("An Alertmanager.")

    @model_validator(mode="after")
    def _is_one(self) -> ChannelText:
        exactly_one(self, self.ONE_OF)
        return self


class OwnerText(Strict):
    """How each channel knows a person or team. What is not given is not mentioned or assigned there."""

    slack: Line | None = key("The id of a user or a user group.", examples=["S0123456789"])
    github: Line | None = key("A user, who can be assigned, or a team.", examples=["ann"])
    jira: Line | None = key("The account id.")
    email: Line | None = key("The address.", examples=["ann@example.com"])
    teams: Line | None = key("The address, as Teams knows it.", examples=["ann@example.com"])


class RouteText(Strict):
    """What goes where. Each condition that is given must hold; of its values, any."""

    id: Identifier = needed("The route's name, which every message's reason tells.", examples=["release-blockers"])
    to: Names = needed("Channels by their ids.", examples=[["mesh-chat", "mesh-issues"]])
    occasions: Annotated[list[Occasion], Field(min_length=1)] | None = key("By default all.")
    severity: Literal["low", "medium", "high", "critical"] | None = key("Scenarios of this severity or a higher one.")
    scenarios: Names | None = key("Ids of scenarios, or globs.", examples=[["leader-*"]])
    owners: Names | None = key("Scenarios of any of these owners, or globs.", examples=[["mesh-team"]])
    modules: Names | None = key("Scenarios about any of these modules, or globs.", examples=[["leadership"]])
    tags: Names | None = key("Scenarios with any of these tags, or globs.", examples=[["release"]])
    environment_class: Line | None = key("Only results of this class, or glob.", examples=["etcd-lab-*"])
    subject: Pairs | None = key("What the subject must say: globs by key.", examples=[{"branch": "main"}])


class RulesText(Strict):
    """When something is told again, together, or as solved."""

    storm_at: Annotated[int, Field(ge=2, le=1000)] | None = key(
        "So many causes of one invocation with something in common are told as one.", default=3
    )
    digest_every: Span | None = key("A cause that goes on is told at most so often.", default="7d")
    close_after: Count | None = key("So many passes in a row solve a cause.", default=3)
    reopen_within: Span | None = key("A solved cause that comes back sooner is the same one again.", default="14d")
    flapping_after: Count | None = key("After so many reopenings a ticket is no longer closed by itself.", default=2)
    unproven_after: Count | None = key(
        "So many results in a row without evidence (inconclusive, invalid, not run) are told like a failure. Before, only the "
        "summary says it.",
        default=3,
    )
    expiring_within: Span | None = key("An override that ends so soon is told.", default="3d")


class LinksText(Strict):
    """Addresses with `{invocation}`, `{run}`, `{commit}`, `{first}` and `{last}` in them, filled in and encoded.

    Where nothing is known to fill in there is no link.
    """

    invocation: Line | None = key("A report.", examples=["https://chaos.example.com/{invocation}.html"])
    compare: Line | None = key(
        "What changed: from the last good commit, `{first}`, to the first bad one, `{last}`.",
        examples=["https://github.com/mesh/meshkit/compare/{first}...{last}"],
    )
    dashboard: Line | None = key("All runs.", examples=["https://chaos.example.com/"])


class NotifyText(Strict):
    """Who is told what, and where tickets go."""

    version: Version = needed("The version of the grammar.", examples=[1])
    project: Line = needed("What people call what is tested.", examples=["MeshKit"])
    channels: Annotated[list[ChannelText], Field(min_length=1)] = needed("Where something can be sent.")
    routes: Annotated[list[RouteText], Field(min_length=1)] = needed("What goes where.")
    owners: dict[Line, OwnerText] | None = key("People and teams by the names that scenarios use (`owner:`).")
    rules: RulesText | None = key("When something is told again, together, or as solved.")
    links: LinksText | None = key("Where messages lead to.")
    nightly: Pairs | None = key(
        "What the subject of a nightly says; then only nightlies are summed up, and only they decide that a cause is over. By "
        "default every invocation is summed up, those of one night and one branch together.",
        examples=[{"trigger": "nightly"}],
    )
