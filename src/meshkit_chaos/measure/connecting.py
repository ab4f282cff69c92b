"""From the description of a metric server to a source of rounds that asks it.

Takes the description, the members' label values, the folder of the environment document (certificates and secret files are
relative to it) and the operator's variables; gives a ``Connection`` that is opened for each run. Raises ``CannotRun`` where a
secret or a certificate is missing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from meshkit_chaos.clock import Clock
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.access import Door, Secrets, open_door
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.external import Asked, ExternalSource, Note, OnTimedRound
from meshkit_chaos.measure.grafana_api import grafana_api
from meshkit_chaos.measure.prometheus_api import PrometheusApi
from meshkit_chaos.measure.selecting import selectors_of
from meshkit_chaos.measure.source import SourceApi
from meshkit_chaos.promql import Query
from meshkit_chaos.scenario.metric_sources import ExternalMetrics
from meshkit_chaos.slo import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """``values``: member → its value of the label that tells members apart. ``secrets_from``: instead of our environment."""

    external: ExternalMetrics
    values: Mapping[str, str]
    folder: Path
    clock: Clock
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets_from: Mapping[str, str] | None = None

    @property
    def lag(self) -> Duration:
        return self.external.sample_lag

    def _door(self) -> Door:
        external = self.external
        secrets = Secrets(folder=self.folder, variables=self.secrets_from)
        return open_door(external.access, secrets=secrets, folder=self.folder, variables=self.variables, tenant=external.tenant)

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[Exchange]:
        """The bare way to the server."""
        door = self._door()
        async with door.client:
            yield Exchange(door, self.clock)

    @asynccontextmanager
    async def open(self, queries: Sequence[Query], *, on_round: OnTimedRound, note: Note) -> AsyncIterator[ExternalSource]:
        """A source for one run; its connections are closed afterwards."""
        external, door = self.external, self._door()
        async with door.client:
            members = self._members()
            asked = Asked(
                server=door.url,
                external=external,
                members=members,
                selectors=selectors_of(queries, label=external.member_label, members=members),
                metrics=tuple(dict.fromkeys(name for query in queries for name in query.metric_names)),
            )
            api = self._api(Exchange(door, self.clock))
            yield ExternalSource(api, asked, clock=self.clock, on_round=on_round, note=note)

    def _members(self) -> dict[str, str]:
        """Label value → member. Two members of one value would be one to the source, and the other never missed."""
        members = {value: member for member, value in self.values.items()}
        if len(members) < len(self.values):
            raise CannotRun(
                f"member_value {self.external.member_value!r} gives several members the same value",
                hint="write what tells them apart, such as ${member.host}:${member.port.client}",
            )
        return members

    def _api(self, exchange: Exchange) -> SourceApi:
        if self.external.grafana is not None:
            return grafana_api(exchange, self.external)
        return PrometheusApi(exchange, flavour=self.external.flavour)
