"""A Prometheus (or its kin) behind Grafana: through the data source's own API, or through Grafana's queries.

Takes an ``Exchange`` with Grafana and the description; gives what ``SourceApi`` promises. ``proxy`` is the API of Prometheus
itself, under Grafana's address and credentials: simple and exact. ``query`` is ``POST /api/ds/query``, for places where the
proxy is forbidden: an instant query with a range selector, whose frames are looked at for steps that Grafana put in. It names
the instant of every query, so that the server's clock cannot be asked; Grafana's own stands for it, in whole seconds.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.frames import REF_ID, Refused, fetched
from meshkit_chaos.measure.prometheus_api import PrometheusApi, boundaries_of
from meshkit_chaos.measure.source import UNREADABLE, Fetched, Introduction, NoAnswer, SourceApi, Window
from meshkit_chaos.scenario.metric_sources import ExternalMetrics, GrafanaDetails

_MS: Final = 10**6
_MOST_POINTS: Final = 11_000


class _Datasource(Struct):
    uid: str
    type: str = ""
    jsonData: dict[str, object] | None = None  # noqa: N815  # the API's own name


def grafana_api(exchange: Exchange, external: ExternalMetrics) -> SourceApi:
    """Raises ValueError where the description names no Grafana."""
    if external.grafana is None:
        raise ValueError("the metric source is no Grafana")
    kind = GrafanaProxy if external.grafana.via == "proxy" else GrafanaQuery
    return kind(exchange, external)


async def find_datasource(exchange: Exchange, details: GrafanaDetails) -> _Datasource | NoAnswer:
    """By uid or by name; anything but a Prometheus is refused."""
    by = f"uid/{quote(details.uid, safe='')}" if details.uid else f"name/{quote(details.name, safe='')}"
    answer = await exchange.ask("GET", f"/api/datasources/{by}")
    if isinstance(answer, NoAnswer):
        return NoAnswer(
            cause=f"the data source {details.uid or details.name!r}: {answer.cause}", wait=answer.wait, final=answer.final
        )
    try:
        found = msgspec.json.decode(answer, type=_Datasource)
    except UNREADABLE as wrong:
        return NoAnswer(cause=f"the data source {details.uid or details.name!r} cannot be read: {wrong}")
    if "prometheus" not in found.type:
        return NoAnswer(cause=f"the data source {found.uid} is of type {found.type!r}; expected a Prometheus", final=True)
    return found


class GrafanaProxy:
    """The data source's own API. The data source is looked up when the source introduces itself."""

    def __init__(self, exchange: Exchange, external: ExternalMetrics) -> None:
        assert external.grafana is not None
        self._exchange, self._details, self._flavour = exchange, external.grafana, external.flavour
        self._api = self._behind(external.grafana.uid)

    def _behind(self, uid: str) -> PrometheusApi:
        prefix = f"/api/datasources/proxy/uid/{quote(uid, safe='')}/api/v1"
        return PrometheusApi(self._exchange, flavour=self._flavour, prefix=prefix)

    @property
    def resolution(self) -> int:
        return self._api.resolution

    async def introduce(self) -> Introduction | NoAnswer:
        found = await find_datasource(self._exchange, self._details)
        if isinstance(found, NoAnswer):
            return found
        self._api = self._behind(found.uid)
        return await self._api.introduce()

    async def now(self) -> int | NoAnswer:
        return await self._api.now()

    async def raw(self, selector: str, window: Window) -> Fetched | NoAnswer:
        return await self._api.raw(selector, window)

    async def metric_names(self) -> tuple[str, ...]:
        return await self._api.metric_names()


class GrafanaQuery:
    """Grafana's own queries."""

    def __init__(self, exchange: Exchange, external: ExternalMetrics) -> None:
        assert external.grafana is not None
        self._exchange, self._external, self._details = exchange, external, external.grafana
        self._uid = external.grafana.uid

    @property
    def resolution(self) -> int:
        return 10**9

    async def introduce(self) -> Introduction | NoAnswer:
        found = await find_datasource(self._exchange, self._details)
        if isinstance(found, NoAnswer):
            return found
        self._uid = found.uid
        version = str((found.jsonData or {}).get("prometheusVersion") or "")
        notes: tuple[str, ...] = ("its clock cannot be asked through Grafana's queries; Grafana's own stands for it",)
        boundaries = boundaries_of(version, self._external.flavour)
        if boundaries is None:
            notes = (*notes, "the data source does not say which version it is; taken as Prometheus 3 has range boundaries")
        return Introduction(version=version or "not told", range_boundaries=boundaries or "left-open", notes=notes)

    async def now(self) -> int | NoAnswer:
        return await self._exchange.date("/api/health")

    async def raw(self, selector: str, window: Window) -> Fetched | NoAnswer:
        start, end = window.start // _MS, -(-window.end // _MS)
        expression = f"{selector}[{end - start}ms]"
        body = await self._exchange.ask("POST", "/api/ds/query", document=self._document(expression, start, end))
        if isinstance(body, NoAnswer):
            return body
        try:
            found = fetched(body, expression=expression, window=window)
        except Refused as why:
            return NoAnswer(cause=self._exchange.quoted([str(why)])[0], final=True)
        return Fetched(
            series=found.series,
            warnings=self._exchange.quoted(list(found.warnings)),
            infos=self._exchange.quoted(list(found.infos)),
        )

    def _document(self, expression: str, start: int, end: int) -> dict[str, object]:
        query = {
            "refId": REF_ID,
            "datasource": {"type": "prometheus", "uid": self._uid},
            "expr": expression,
            "instant": True,
            "range": False,
            "format": "time_series",
            "intervalMs": max(1, self._external.every.ns // _MS),
            "maxDataPoints": _MOST_POINTS,
        }
        return {"queries": [query], "from": str(start), "to": str(end)}

    async def metric_names(self) -> tuple[str, ...]:
        path = f"/api/datasources/uid/{quote(self._uid, safe='')}/resources"
        return await PrometheusApi(self._exchange, flavour=self._external.flavour, prefix=f"{path}/api/v1").metric_names()
