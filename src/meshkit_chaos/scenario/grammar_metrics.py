"""The grammar of ``metrics:`` in an environment document: own scraping, a Prometheus or its kin, or Grafana before one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.grammar_values import Line, Span, SpanOrZero, Strict, VariableName, key, needed

FlavourName = Literal["prometheus", "thanos", "mimir", "victoriametrics"]


def exactly_one(text: Strict, names: tuple[str, ...]) -> None:
    """Refuse a mapping that has none of some keys, or several. Raises PydanticCustomError."""
    given = [name for name in names if getattr(text, name) is not None]
    if len(given) != 1:
        said = f"expected one of {', '.join(names[:-1])} and {names[-1]}, got {' and '.join(given) or 'none of them'}"
        raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": ""})


class ReferenceText(Strict):
    """Where a secret is read when it is needed; its value stands in no document and no record."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("env", "file")

    env: VariableName | None = key("The environment variable that holds it.", examples=["PROM_TOKEN"])
    file: Line | None = key("The file that holds it, relative to this document.", examples=["/run/secrets/prom-token"])

    @model_validator(mode="after")
    def _is_one(self) -> ReferenceText:
        exactly_one(self, self.ONE_OF)
        return self


class BasicText(Strict):
    """User and password."""

    user: Line = needed("The user.")
    password: ReferenceText = needed("Where the password is.", examples=[{"env": "PROM_PASSWORD"}])


class TlsText(Strict):
    """Certificates, as PEM files relative to this document."""

    ca: Line | None = key("Whom to believe, instead of the system's authorities.", examples=["ca.pem"])
    certificate: Line | None = key("What we show. Needs `key`.")
    key_file: Line | None = key("Its private key.", alias="key")
    insecure: bool | None = key("Believe any certificate. For laboratories.", default=False)


class _ServerText(Strict):
    url: Line = needed("Its address, without user or password. May hold `${var.NAME}`.", examples=["https://prom.example:9090"])
    every: Span = needed("The interval at which it scrapes the members: all samples of one make a round.", examples=["1s"])
    lag: SpanOrZero | None = key("How late a sample may become visible. By default the value of `every`.", examples=["2s"])
    member_label: Line | None = key("The label that tells members apart.", default="instance")
    member_value: Line | None = key(
        "A member's value of it. May hold templates.",
        default="${member.name}",
        examples=["${member.host}:${member.port.client}"],
    )
    flavour: FlavourName | None = key("What it is, or what stands behind Grafana.", default="prometheus")
    tenant: Line | None = key("Whose data: the header `X-Scope-OrgID` (Mimir).")
    headers: Annotated[dict[Line, ReferenceText], Field(max_length=20)] | None = key(
        "Headers besides, with values from elsewhere."
    )
    tls: TlsText | None = key("Certificates.")
    timeout: Span | None = key("When a request has failed.", default=defaults.SOURCE_TIMEOUT)


class PrometheusText(_ServerText):
    """A Prometheus, or one of its kin, that scrapes the members."""

    basic: BasicText | None = key("User and password.")
    bearer: ReferenceText | None = key("A bearer token.")


class DatasourceText(Strict):
    """A data source of Grafana: by `uid` or by `name`."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("uid", "name")

    uid: Line | None = key("Its uid.")
    name: Line | None = key("Its name.")

    @model_validator(mode="after")
    def _is_one(self) -> DatasourceText:
        exactly_one(self, self.ONE_OF)
        return self


class GrafanaText(_ServerText):
    """A Grafana with a Prometheus data source that scrapes the members."""

    datasource: DatasourceText = needed("The data source.", examples=[{"name": "Prometheus"}])
    token: ReferenceText = needed("A service account's token.", examples=[{"env": "GRAFANA_TOKEN"}])
    via: Literal["proxy", "query"] | None = key(
        "`proxy`: the data source's own API, as it is. `query`: `/api/ds/query`, where the proxy is forbidden.", default="proxy"
    )
    annotations: bool | None = key("Write the time in which a fault was in force as an annotation.", default=False)


class MetricsText(Strict):
    """Where the members' metrics are: exactly one of `url`, `prometheus` and `grafana`."""

    ONE_OF: ClassVar[tuple[str, ...]] = ("url", "prometheus", "grafana")

    url: Line | None = key(
        "Where each member exports Prometheus text: it is scraped there. May hold templates.",
        examples=["http://${member.host}:${member.port.client}/metrics"],
    )
    prometheus: PrometheusText | None = key("A server that scrapes the members.")
    grafana: GrafanaText | None = key("A Grafana before such a server.")
    every: Span | None = key("With `url`: the length of a round, all members at one tick.", default=defaults.METRICS_EVERY)
    timeout: Span | None = key("With `url`: when a scrape has failed; no longer than `every`. By default the value of `every`.")
    names: list[Line] | None = key(
        "Metrics known to be there; lint then finds misspelt ones.", examples=[["etcd_server_is_leader"]]
    )
    exposition: Line | None = key(
        "A saved page of what a member exports, beside this document: lint checks names and labels of all queries against it.",
        examples=["metrics.txt"],
    )

    @model_validator(mode="after")
    def _is_one(self) -> MetricsText:
        exactly_one(self, self.ONE_OF)
        return self
