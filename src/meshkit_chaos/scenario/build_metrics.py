"""``metrics:`` of an environment document as a value, and what lint finds in it.

Refuses credentials in an address (they would be recorded), tenants of what has none, and half a client certificate.
"""

from __future__ import annotations

import re
from typing import Final

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.checks import lint_template, lint_url
from meshkit_chaos.scenario.environment import EnvironmentDescription, Metrics
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_metrics import GrafanaText, MetricsText, PrometheusText, ReferenceText, TlsText
from meshkit_chaos.scenario.metric_sources import (
    Access,
    BasicAuth,
    ExternalMetrics,
    GrafanaDetails,
    SecretRef,
    TlsFiles,
)
from meshkit_chaos.scenario.templates import Known
from meshkit_chaos.slo import Duration

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_UNSAFE: Final = re.compile(r"^[/~\\]|(^|[/\\])\.\.([/\\]|$)|^[A-Za-z]:")
_USERINFO: Final = re.compile(r"^[a-z]+://[^/]*@")


def built_metrics(text: MetricsText | None) -> Metrics | None:
    if text is None:
        return None
    server = text.prometheus or text.grafana
    names = tuple(text.names or ())
    if server is not None:
        external = _external(server)
        return Metrics(
            url="",
            every=external.every,
            timeout=external.access.timeout,
            names=names,
            external=external,
            exposition=text.exposition or "",
        )
    every = text.every or Duration.parse(defaults.METRICS_EVERY)
    return Metrics(
        url=text.url or "", every=every, timeout=text.timeout or every, names=names, exposition=text.exposition or ""
    )


def _external(text: PrometheusText | GrafanaText) -> ExternalMetrics:
    basic = text.basic if isinstance(text, PrometheusText) else None
    bearer = text.bearer if isinstance(text, PrometheusText) else text.token
    access = Access(
        url=text.url.rstrip("/"),
        headers={name: _reference(found) for name, found in (text.headers or {}).items()},
        basic=BasicAuth(user=basic.user, password=_reference(basic.password)) if basic else None,
        bearer=_reference(bearer) if bearer else None,
        tls=_tls(text.tls),
        timeout=text.timeout or Duration.parse(defaults.SOURCE_TIMEOUT),
    )
    return ExternalMetrics(
        access=access,
        every=text.every,
        lag=text.every if text.lag is None else text.lag,
        member_label=text.member_label or "instance",
        member_value=text.member_value or "${member.name}",
        flavour=text.flavour or "prometheus",
        tenant=text.tenant or "",
        grafana=_grafana(text) if isinstance(text, GrafanaText) else None,
    )


def _grafana(text: GrafanaText) -> GrafanaDetails:
    return GrafanaDetails(
        uid=text.datasource.uid or "",
        name=text.datasource.name or "",
        via=text.via or "proxy",
        annotations=bool(text.annotations),
    )


def _reference(text: ReferenceText) -> SecretRef:
    return SecretRef(env=text.env or "", file=text.file or "")


def _tls(text: TlsText | None) -> TlsFiles | None:
    if text is None:
        return None
    return TlsFiles(ca=text.ca or "", certificate=text.certificate or "", key=text.key_file or "", insecure=bool(text.insecure))


def lint_metrics(text: MetricsText | None, description: EnvironmentDescription, *, at: At, known: Known) -> None:
    """Find what is wrong with ``metrics:``; ``at`` is its mapping."""
    metrics = description.metrics
    if text is None or metrics is None:
        return
    if _UNSAFE.search(metrics.exposition):
        message = f"{metrics.exposition!r} may lie outside the document's folder"
        at.below("exposition").say("MC121", message, hint="write a path below it, such as metrics.txt")
    if metrics.external is not None:
        _lint_server(text, metrics.external, at=at, known=known)
        _lint_own_keys(text, at)
        return
    lint_url(metrics.url, at=at.below("url"))
    lint_template(metrics.url, at=at.below("url"), known=known)
    if metrics.timeout > metrics.every:
        message = f"a scrape may take {metrics.timeout}, longer than its round of {metrics.every}"
        at.below("timeout").say("MC127", message, hint=f"write at most {metrics.every}")


def _lint_own_keys(text: MetricsText, at: At) -> None:
    inside = "prometheus" if text.prometheus is not None else "grafana"
    for name in ("every", "timeout"):
        if getattr(text, name) is not None:
            hint = f"write it below `{inside}`"
            at.below(name).say("MC130", f"`{name}` here belongs to `url`", hint=hint, of_key=True)


def _lint_server(text: MetricsText, external: ExternalMetrics, *, at: At, known: Known) -> None:
    at = at.below("prometheus" if text.prometheus is not None else "grafana")
    url = external.access.url
    lint_url(url, at=at.below("url"))
    lint_template(url, at=at.below("url"), known=Known(ports=frozenset(), vars=known.vars, joined=frozenset(), member=()))
    if _USERINFO.match(url):
        at.below("url").say("MC129", "the address holds a user or a password, which would be recorded", hint="use `basic:`")
    lint_template(external.member_value, at=at.below("member_value"), known=known)
    if "${member." not in external.member_value:
        message = f"{external.member_value!r} is the same for all members"
        at.below("member_value").say("MC130", message, hint="write ${member.name}, or ${member.host}:${member.port.…}")
    if not _LABEL.fullmatch(external.member_label):
        at.below("member_label").say("MC130", f"{external.member_label!r} cannot be a label", hint="letters, digits and '_'")
    if external.tenant and external.flavour != "mimir":
        at.below("tenant").say("MC130", f"{external.flavour} knows no tenants", hint="write flavour: mimir", of_key=True)
    tls = external.access.tls
    if tls is not None and bool(tls.certificate) != bool(tls.key):
        at.below("tls").say("MC130", "a certificate needs its key, and a key its certificate", hint="give both")
    if external.access.basic is not None and external.access.bearer is not None:
        at.below("bearer").say("MC130", "`basic` and `bearer` both set the header Authorization", hint="use one", of_key=True)
