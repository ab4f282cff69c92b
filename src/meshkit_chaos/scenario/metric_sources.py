"""Where metrics come from when others scrape the mesh: a Prometheus or its kin, directly or behind Grafana.

Values only. A secret is never one of them: ``SecretRef`` says where it is (a variable or a file); whoever connects reads it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.slo import Duration

Flavour = Literal["prometheus", "thanos", "mimir", "victoriametrics"]


class SecretRef(Struct, frozen=True, kw_only=True):
    """Either an environment variable or a file (relative to the environment document); a file's last line feed is not of it."""

    env: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"the variable {self.env}" if self.env else f"the file {self.file}"


class BasicAuth(Struct, frozen=True, kw_only=True):
    user: str
    password: SecretRef


class TlsFiles(Struct, frozen=True, kw_only=True):
    """PEM files, relative to the environment document. ``insecure``: believe any certificate."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False


class Access(Struct, frozen=True, kw_only=True):
    """How a server is reached. ``url`` may hold ``${var.NAME}``; ``timeout`` is of one request."""

    url: str
    headers: dict[str, SecretRef] = {}
    basic: BasicAuth | None = None
    bearer: SecretRef | None = None
    tls: TlsFiles | None = None
    timeout: Duration = Duration(5 * 10**9)

    @property
    def secrets(self) -> dict[str, SecretRef]:
        """Every secret, by what it is."""
        found = {f"metrics.headers.{name}": reference for name, reference in self.headers.items()}
        if self.basic is not None:
            found["metrics.password"] = self.basic.password
        if self.bearer is not None:
            found["metrics.token"] = self.bearer
        return found


class GrafanaDetails(Struct, frozen=True, kw_only=True):
    """Which data source, by ``uid`` or by ``name``; through the ``proxy`` of its own API, or as a Grafana ``query``.

    ``annotations``: write the time in which a fault was in force as a region.
    """

    uid: str = ""
    name: str = ""
    via: Literal["proxy", "query"] = "proxy"
    annotations: bool = False


class ExternalMetrics(Struct, frozen=True, kw_only=True):
    """A server that scrapes the members. ``every`` is its scrape interval: all samples of one make a round.

    ``lag``: how late a sample may become visible. ``member_label`` tells members apart; a member's value of it is
    ``member_value`` with its templates filled. ``tenant``: whom a Mimir is asked for.
    """

    access: Access
    every: Duration
    lag: Duration
    member_label: str = "instance"
    member_value: str = "${member.name}"
    flavour: Flavour = "prometheus"
    tenant: str = ""
    grafana: GrafanaDetails | None = None

    @property
    def sample_lag(self) -> Duration:
        """How long after an instant the round that holds it has surely been read: its interval, its lag, one more request."""
        return self.every * 2 + self.lag
