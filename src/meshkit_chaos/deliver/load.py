"""``chaos-notify.yaml`` to frozen values: the one way in.

Takes the bytes of the document and the path to name in messages; gives the value, or every problem at once (and, with the
value, the warnings). Pure: whoever calls reads the file. No secret is ever in it: what is written as one is refused unseen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, TypeVar

from meshkit_chaos.deliver.grammar import (
    AlertmanagerText,
    ChannelText,
    EmailText,
    GitHubText,
    JiraText,
    LinksText,
    NotifyText,
    OwnerText,
    RouteText,
    RulesText,
    SlackText,
    SlackWebhookText,
    TeamsText,
    WebhookText,
)
from meshkit_chaos.deliver.lint import lint_routing
from meshkit_chaos.deliver.settings import (
    Alertmanager,
    Channel,
    Email,
    GitHubIssues,
    Jira,
    Links,
    Owner,
    Reach,
    Route,
    Routing,
    Rules,
    SlackBot,
    SlackWebhook,
    Teams,
    Webhook,
)
from meshkit_chaos.errors import Problem
from meshkit_chaos.scenario.findings import At, Findings
from meshkit_chaos.scenario.grammar_metrics import ReferenceText, TlsText
from meshkit_chaos.scenario.load import Loaded, admitted, loaded, without_echoes
from meshkit_chaos.scenario.metric_sources import SecretRef, TlsFiles
from meshkit_chaos.scenario.yaml_positions import Node, compose
from meshkit_chaos.slo import Duration

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_MINUTE: Final = Duration.parse("1m")
_SHORTEST_SECRET: Final = 8
Value = TypeVar("Value")


def load_routing(data: bytes, *, path: str) -> Loaded[Routing]:
    """Read and lint who is told what."""
    composed = compose(data, path=path)
    if composed.root is None:
        return loaded(None, composed.problems)
    text, problems = admitted(NotifyText, composed.root.data, root=composed.root, path=path)
    findings = Findings(path, composed.root)
    value = None
    if text is not None:
        value = _routing(text, path=path, digest=hashlib.sha256(data).hexdigest())
        lint_routing(text, value, at=At(findings, ()))
    told = (_unquoted(problem, composed.root) for problem in problems)
    return loaded(value, without_echoes(composed, (*told, *findings.problems)))


def _unquoted(problem: Problem, root: Node) -> Problem:
    """What stands at a misspelt key of a channel may be its secret: such a line is not shown, by the rule that says so."""
    channels = root.child("channels")
    if problem.rule != "MC011" or channels is None:
        return problem
    at = (problem.line, problem.column)
    held = next((node for place, node in _keyed(channels) if place == at), None)
    if held is None or not any(len(text) >= _SHORTEST_SECRET for text in _texts(held)):
        return problem
    return replace(problem, rule="MC405", message=f"{problem.message}, and what stands there is not shown: it may be a secret")


def _keyed(node: Node) -> Iterator[tuple[tuple[int, int], Node]]:
    """Every key below, by its place, with its value."""
    children = node.children or ()
    if isinstance(children, dict):
        yield from ((place, children[key]) for key, place in (node.keys or {}).items() if key in children)
    for child in children.values() if isinstance(children, dict) else children:
        yield from _keyed(child)


def _texts(node: Node, key: str = "") -> Iterator[str]:
    """Texts below that only a reference could excuse."""
    if isinstance(node.children, dict):
        for name, child in node.children.items():
            yield from _texts(child, name)
    elif isinstance(node.children, list):
        for child in node.children:
            yield from _texts(child, key)
    elif isinstance(node.data, str) and key not in ("env", "file"):
        yield node.data


def _routing(text: NotifyText, *, path: str, digest: str) -> Routing:
    return Routing(
        path=path,
        digest=digest,
        project=text.project,
        channels=tuple(_channel(one) for one in text.channels),
        routes=tuple(_route(one) for one in text.routes),
        owners=tuple(_owner(name, one) for name, one in (text.owners or {}).items()),
        rules=_rules(text.rules or RulesText.model_construct()),
        links=_links(text.links or LinksText.model_construct()),
        nightly=dict(text.nightly or {}),
    )


def _channel(text: ChannelText) -> Channel:
    told = next(found for name in ChannelText.ONE_OF if (found := getattr(text, name)) is not None)
    reach = Reach(timeout=_or(told.timeout, Reach().timeout), tls=_tls(told.tls))
    match told:
        case SlackText():
            token = _secret(told.token)
            return SlackBot(
                id=text.id, channel=told.channel, token=token, api=_address(told.api or "https://slack.com/api"), reach=reach
            )
        case SlackWebhookText():
            return SlackWebhook(id=text.id, url=_secret(told.url), reach=reach)
        case TeamsText():
            return Teams(id=text.id, url=_secret(told.url), reach=reach)
        case EmailText():
            return _email(text.id, told, reach)
        case WebhookText():
            return Webhook(id=text.id, url=_secret(told.url), secret=_secret(told.secret), reach=reach)
        case GitHubText():
            return _github(text.id, told, reach)
        case JiraText():
            return _jira(text.id, told, reach)
        case AlertmanagerText():
            return _alertmanager(text.id, told, reach)
    raise AssertionError(told)


def _email(name: str, text: EmailText, reach: Reach) -> Email:
    security = text.security or "starttls"
    return Email(
        id=name,
        sender=text.sender,
        to=tuple(text.to),
        server=text.server,
        port=text.port or _PORTS[security],
        security=security,
        user=text.user or "",
        password=_secret(text.password) if text.password else None,
        reach=reach,
    )


def _github(name: str, text: GitHubText, reach: Reach) -> GitHubIssues:
    return GitHubIssues(
        id=name,
        repository=text.repository or "",
        token=_secret(text.token),
        api=_address(text.api or ("https://api.github.com" if text.repository else "")),
        labels=tuple(text.labels or ("chaos",)),
        lag=_or(text.lag, _MINUTE),
        reach=reach,
    )


def _jira(name: str, text: JiraText, reach: Reach) -> Jira:
    return Jira(
        id=name,
        site=_address(text.site),
        project=text.project,
        issue_type=text.issue_type,
        user=text.user,
        token=_secret(text.token),
        labels=tuple(text.labels or ("chaos",)),
        lag=_or(text.lag, _MINUTE),
        reach=reach,
    )


def _alertmanager(name: str, text: AlertmanagerText, reach: Reach) -> Alertmanager:
    return Alertmanager(
        id=name,
        url=_address(text.url),
        user=text.user or "",
        password=_secret(text.password) if text.password else None,
        bearer=_secret(text.bearer) if text.bearer else None,
        lasting=_or(text.lasting, Duration.parse("36h")),
        reach=reach,
    )


def _route(text: RouteText) -> Route:
    return Route(
        id=text.id,
        to=tuple(dict.fromkeys(text.to)),
        occasions=tuple(dict.fromkeys(text.occasions or ())),
        severity=text.severity or "",
        scenarios=tuple(text.scenarios or ()),
        owners=tuple(text.owners or ()),
        modules=tuple(text.modules or ()),
        tags=tuple(text.tags or ()),
        environment_class=text.environment_class or "",
        subject=dict(text.subject or {}),
    )


def _owner(name: str, text: OwnerText) -> Owner:
    return Owner(
        name=name,
        slack=text.slack or "",
        github=text.github or "",
        jira=text.jira or "",
        email=text.email or "",
        teams=text.teams or "",
    )


def _rules(text: RulesText) -> Rules:
    usual = Rules()
    return Rules(
        storm_at=text.storm_at or usual.storm_at,
        digest_every=_or(text.digest_every, usual.digest_every),
        close_after=text.close_after or usual.close_after,
        reopen_within=_or(text.reopen_within, usual.reopen_within),
        flapping_after=text.flapping_after or usual.flapping_after,
        unproven_after=text.unproven_after or usual.unproven_after,
        expiring_within=_or(text.expiring_within, usual.expiring_within),
    )


def _links(text: LinksText) -> Links:
    return Links(invocation=text.invocation or "", compare=text.compare or "", dashboard=text.dashboard or "")


def _secret(text: ReferenceText) -> SecretRef:
    return SecretRef(env=text.env or "", file=text.file or "")


def _tls(text: TlsText | None) -> TlsFiles | None:
    if text is None:
        return None
    return TlsFiles(ca=text.ca or "", certificate=text.certificate or "", key=text.key_file or "", insecure=bool(text.insecure))


def _address(url: str) -> str:
    return url.rstrip("/")


def _or(value: Value | None, usual: Value) -> Value:
    return usual if value is None else value
