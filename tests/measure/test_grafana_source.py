"""Metrics through Grafana: the proxy, its own queries, and what it does to samples on the way."""

from __future__ import annotations

import asyncio
import json

import pytest
from metric_source import MS, SECOND, OurClock, ScrapedMesh, Witness, door, external, watch
from virtual_time import VirtualLoop

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.fake_grafana import Datasource, FakeGrafana
from meshkit_chaos.measure.fake_prometheus import FakePrometheus
from meshkit_chaos.measure.frames import Refused, fetched
from meshkit_chaos.measure.grafana_api import GrafanaProxy, GrafanaQuery, grafana_api
from meshkit_chaos.measure.loopback import Answer, Handler, Request
from meshkit_chaos.measure.source import Window
from meshkit_chaos.scenario.metric_sources import GrafanaDetails

TOKEN = "glsa_a-service-account"
PHASES = {"a": 100, "b": 350, "c": 600}
SOURCES = (Datasource(uid="abc", name="Prometheus"), Datasource(uid="pg", name="Postgres", type="postgres"))


def with_token(handler: Handler, token: str = TOKEN) -> Handler:
    """As the client would send it: the tests' own way to the fake has no headers of its own."""

    async def handle(request: Request) -> Answer:
        headers = {**request.headers, "authorization": f"Bearer {token}"}
        return await handler(
            Request(method=request.method, path=request.path, query=request.query, headers=headers, body=request.body)
        )

    return handle


def seen_through(
    details: GrafanaDetails, *, token: str = TOKEN, seconds: int = 10, ahead_s: float = 0, **fake: object
) -> tuple[Witness, FakeGrafana]:
    loop = VirtualLoop()
    clock = OurClock(loop)
    mesh = ScrapedMesh(loop, phases=PHASES, ahead=round(ahead_s * SECOND))
    grafana = FakeGrafana(upstream=mesh.server.handle, clock=clock, token=TOKEN, datasources=SOURCES, **fake)  # type: ignore[arg-type]  # each test names its own
    described = external(grafana=details)
    way = door(with_token(grafana.handle, token))
    seen = watch(loop, mesh, seconds=seconds, api=grafana_api(Exchange(way, clock), described), described=described)
    assert not grafana.wrong
    return seen, grafana


@pytest.mark.parametrize("via", ["proxy", "query"])
@pytest.mark.parametrize("named", [{"uid": "abc"}, {"name": "Prometheus"}])
def test_both_ways_give_the_samples_as_they_were_scraped(via: str, named: dict[str, str]) -> None:
    """Through the proxy or a query, by uid or by name: the same rounds at the same true instants."""
    seen, _ = seen_through(GrafanaDetails(via=via, **named))  # type: ignore[arg-type]  # the two ways there are
    assert len(seen.rounds) >= 5
    for round_, samples in zip(seen.rounds, seen.samples, strict=True):
        assert not round_.failed
        assert not round_.doubt
        (at,) = [time for labels, time, _ in samples["b"].samples if ("__name__", "up") in labels]
        assert round_.start <= at <= round_.end
    (described,) = seen.noted(ev.SourceDescribed)
    assert (described.version, described.range_boundaries) == ("2.42.0", "closed")


def test_the_proxy_measures_the_clock_of_prometheus_and_a_query_that_of_grafana() -> None:
    """A query names its instant, so only Grafana's clock can be seen through it, and that is said."""
    exact, _ = seen_through(GrafanaDetails(uid="abc"), ahead_s=30)
    coarse, _ = seen_through(GrafanaDetails(uid="abc", via="query"))
    assert abs(exact.noted(ev.SourceDescribed)[0].offset - 30 * SECOND) < 2 * MS
    assert "Grafana's own stands for it" in coarse.problems()
    wide = [round_.tick - round_.start for round_ in coarse.rounds]
    assert min(wide) > 500 * MS


@pytest.mark.parametrize("step_ms", [1000, 15_000])
def test_samples_on_steps_are_refused(step_ms: int) -> None:
    """Grafana may put samples on a grid: then they are not those that were scraped, and there is no round at all."""
    seen, _ = seen_through(GrafanaDetails(uid="abc", via="query"), restep_ms=step_ms, seconds=20)
    assert not [round_ for round_ in seen.rounds if not round_.failed]
    if step_ms == 1000:
        assert "it put the samples on steps of 1s" in seen.problems()
        assert not seen.rounds


def test_a_notice_is_a_warning() -> None:
    """What Prometheus warned of comes as a notice of the frame, and makes the rounds unknown all the same."""
    seen, _ = seen_through(
        GrafanaDetails(uid="abc", via="query"), notices=({"severity": "warning", "text": "results truncated"},)
    )
    assert seen.rounds
    assert all("results truncated" in round_.doubt for round_ in seen.rounds)


@pytest.mark.parametrize(
    ("details", "token", "said"),
    [
        (GrafanaDetails(uid="abc"), "wrong", "Unauthorized"),
        (GrafanaDetails(uid="nope"), TOKEN, "the data source 'nope': answered status 404: Data source not found"),
        (GrafanaDetails(name="nope"), TOKEN, "the data source 'nope'"),
        (GrafanaDetails(uid="pg"), TOKEN, "is of type 'postgres'; expected a Prometheus"),
    ],
)
def test_what_cannot_be_asked_says_why(details: GrafanaDetails, token: str, said: str) -> None:
    """A wrong token, an unknown data source or one of another kind gives no round and a reason."""
    seen, _ = seen_through(details, token=token, seconds=3)
    assert seen.rounds == []
    assert said in seen.problems()


WINDOW = Window(start=0, end=100 * SECOND)
EXPRESSION = "up[100s]"


def body(*, fields: list[dict[str, object]] | None = None, values: object = None, **meta: object) -> bytes:
    frame = {
        "schema": {
            "meta": {"executedQueryString": f"Expr: {EXPRESSION}\nStep: 1s", "custom": {"resultType": "matrix"}, **meta},
            "fields": fields
            or [{"name": "Time", "type": "time"}, {"name": "up", "type": "number", "labels": {"instance": "a"}}],
        },
        "data": {"values": values if values is not None else [[1234, 2234, 3235], [1, 0, 1]]},
    }
    return json.dumps({"results": {"A": {"status": 200, "frames": [frame]}}}).encode()


def test_a_frame_is_read_column_by_column() -> None:
    """Times are ms, the metric's name is the field's, and labels are sorted."""
    (series,) = fetched(body(), expression=EXPRESSION, window=WINDOW).series
    assert series.labels == (("__name__", "up"), ("instance", "a"))
    assert series.times == (1234 * MS, 2234 * MS, 3235 * MS)
    assert series.values == (1, 0, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{}", "not the query API's"),
        (b'{"results": {"B": {}}}', "no result 'A'"),
        (b'{"results": {"A": {"status": 500, "error": "boom"}}}', "boom"),
        (body()[:-30], "cut short"),
        (body(executedQueryString="Expr: up[200s]\nStep: 1s"), "ran another query"),
        (body(custom={"resultType": "vector"}), "a vector where raw"),
        (body(values=[[1000, 2000, 3000], [1, 0, 1]]), "on steps of 1s"),
        (body(values=[[1234, 2234], [1, None]]), "has gaps"),
        (body(values=[[1234, 1234], [1, 1]]), "do not increase"),
        (body(values=[[1234], [1, 1]]), "2 values for 1 instants"),
        (body(values=[[1234]]), "not a time series"),
        (body(fields=[{"name": "a", "type": "string"}, {"name": "b", "type": "number"}]), "not a time series"),
    ],
)
def test_what_is_no_raw_series_is_refused(data: bytes, said: str) -> None:
    """Anything but the samples that were asked for, as they were scraped, is no evidence."""
    with pytest.raises(Refused, match=said):
        fetched(data, expression=EXPRESSION, window=WINDOW)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request(method="POST", path="/api/ds/query", query={}, headers={}, body=b"nonsense"), 400),
        (Request(method="POST", path="/api/ds/query", query={}, headers={}, body=b'{"queries": []}'), 400),
        (Request(method="POST", path="/api/annotations", query={}, headers={}, body=b'{"time": 1}'), 400),
        (Request(method="PATCH", path="/api/annotations/7", query={}, headers={}, body=b"{}"), 404),
        (
            Request(
                method="POST", path="/api/datasources/proxy/uid/abc/api/v1/admin/tsdb/snapshot", query={}, headers={}, body=b""
            ),
            403,
        ),
    ],
)
def test_the_fake_refuses_what_grafana_refuses(request_: Request, status: int) -> None:
    """The fake checks requests against the documented API."""
    clock = ManualClock()
    grafana = FakeGrafana(upstream=FakePrometheus(clock).handle, clock=clock, token=TOKEN, datasources=SOURCES)
    assert asyncio.run(with_token(grafana.handle)(request_)).status == status


def test_the_two_ways_are_chosen_by_the_description() -> None:
    """``via`` decides; a description without Grafana is our own mistake."""
    exchange = Exchange(door(FakePrometheus(ManualClock()).handle), ManualClock())
    assert isinstance(grafana_api(exchange, external(grafana=GrafanaDetails(uid="a"))), GrafanaProxy)
    assert isinstance(grafana_api(exchange, external(grafana=GrafanaDetails(uid="a", via="query"))), GrafanaQuery)
    with pytest.raises(ValueError, match="no Grafana"):
        grafana_api(exchange, external())
