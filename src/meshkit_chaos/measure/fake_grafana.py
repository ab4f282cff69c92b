"""A public fake of Grafana's HTTP API, as far as metrics and annotations need it, before a Prometheus that is real or fake.

Takes a handler of Prometheus requests (``forward_to`` makes one of an address); serves data sources by uid and name, the data
source proxy, ``/api/ds/query`` and annotations. Each request is checked against the documented API; what is wrong is answered
as Grafana does and remembered in ``wrong``. It can put samples on a grid of steps, as Grafana does where ``maxDataPoints`` or
the data source's minimal step make it. It was written from the documentation, never compared with a live Grafana.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import unquote, urlencode

import httpx2

from meshkit_chaos.clock import Clock
from meshkit_chaos.measure.loopback import Answer, Handler, Request

_POSTS: Final = frozenset({"api/v1/query", "api/v1/query_range", "api/v1/series", "api/v1/labels", "api/v1/query_exemplars"})
"""What the proxy lets be posted to a Prometheus."""
_PASSED_ON: Final = ("content-type", "accept")


@dataclass(frozen=True, slots=True, kw_only=True)
class Datasource:
    uid: str
    name: str
    type: str = "prometheus"
    version: str = "2.42.0"


@dataclass(slots=True, kw_only=True)
class Annotation:
    """``end`` is None for one that was never closed."""

    id: int
    time: int
    text: str
    tags: tuple[str, ...]
    end: int | None = None


def forward_to(url: str, client: httpx2.AsyncClient) -> Handler:
    """Hand requests to a real server."""

    async def handle(request: Request) -> Answer:
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        target = f"{url}{request.path}" + (f"?{urlencode(request.query)}" if request.query else "")
        found = await client.request(request.method, target, content=request.body, headers=headers)
        return Answer(status=found.status_code, body=found.content, headers={"Content-Type": "application/json"})

    return handle


@dataclass(slots=True, kw_only=True)
class FakeGrafana:
    """``restep_ms``: answer queries on a grid of so many ms. ``notices``: put into every frame. ``refuse``: given out first."""

    upstream: Handler
    clock: Clock
    token: str
    datasources: tuple[Datasource, ...]
    restep_ms: int = 0
    notices: tuple[Mapping[str, str], ...] = ()
    refuse: list[Answer] = field(default_factory=list)
    annotations: dict[int, Annotation] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        answer = await self._answer(request)
        if answer.status in {400, 405}:
            self.wrong.append(f"{request.method} {request.path}: {answer.body.decode()}")
        date = formatdate(self.clock.wall_ns() / 10**9 - 0.5, usegmt=True)  # a date is cut off, and formatdate rounds
        return Answer(status=answer.status, body=answer.body, headers={**answer.headers, "Date": date}, cut=answer.cut)

    async def _answer(self, request: Request) -> Answer:
        if request.path == "/api/health":
            return Answer.of({"database": "ok", "version": "11.4.0"})
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer.of({"message": "Unauthorized"}, status=401)
        if self.refuse:
            return self.refuse.pop(0)
        match request.path.removeprefix("/api/").split("/", 1):
            case ["datasources", rest]:
                return await self._datasource(request, rest)
            case ["ds", "query"] if request.method == "POST":
                return await self._query(request)
            case ["annotations", *rest]:
                return self._annotation(request, rest[0] if rest else "")
            case _:
                return Answer.of({"message": "Not found"}, status=404)

    async def _datasource(self, request: Request, rest: str) -> Answer:
        kind, _, below = rest.partition("/")
        if kind == "proxy":
            return await self._proxy(request, below.removeprefix("uid/"))
        key, _, path = below.partition("/")
        found = next((one for one in self.datasources if getattr(one, kind, None) == unquote(key)), None)
        if kind not in {"uid", "name"} or found is None:
            return Answer.of({"message": "Data source not found"}, status=404)
        if path.startswith("resources/") and request.method == "GET":
            return await self._pass_on(request, path.removeprefix("resources/"))
        if path or request.method != "GET":
            return Answer.of({"message": "Bad request"}, status=400)
        told = {"uid": found.uid, "name": found.name, "type": found.type, "access": "proxy"}
        return Answer.of({**told, "jsonData": {"httpMethod": "POST", "prometheusVersion": found.version}})

    async def _proxy(self, request: Request, rest: str) -> Answer:
        uid, _, path = rest.partition("/")
        if unquote(uid) not in {one.uid for one in self.datasources}:
            return Answer.of({"message": "Unable to find datasource"}, status=404)
        if request.method == "POST" and path not in _POSTS:
            return Answer.of({"message": "non allow-listed POSTs not allowed on proxied Prometheus datasource"}, status=403)
        return await self._pass_on(request, path)

    async def _pass_on(self, request: Request, path: str) -> Answer:
        passed = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        return await self.upstream(
            Request(method=request.method, path=f"/{path}", query=request.query, headers=passed, body=request.body)
        )

    async def _query(self, request: Request) -> Answer:
        try:
            asked = json.loads(request.body)
            problem = self._problem(asked)
        except ValueError:
            problem = "bad request data"
        if problem or not request.headers.get("content-type", "").startswith("application/json"):
            return Answer.of({"message": problem or "expected JSON"}, status=400)
        results = {}
        for query in asked["queries"]:
            results[query["refId"]] = await self._result(query, int(asked["from"]), int(asked["to"]))
        return Answer.of({"results": results})

    def _problem(self, asked: Any) -> str:
        """What is wrong with the body of a query."""
        if not isinstance(asked, dict) or not isinstance(queries := asked.get("queries"), list) or not queries:
            return "no queries found"
        if not all(isinstance(asked.get(name), str) and asked[name].isdecimal() for name in ("from", "to")):
            return "from and to must be instants in ms, as texts"
        for query in queries:
            uid = query.get("datasource", {}).get("uid")
            if uid not in {one.uid for one in self.datasources}:
                return f"invalid data source: {uid!r}"
            if not all(isinstance(query.get(name), str) for name in ("refId", "expr", "format")):
                return "a query needs refId, expr and format"
            if not all(isinstance(query.get(name), int) for name in ("intervalMs", "maxDataPoints")):
                return "a query needs intervalMs and maxDataPoints"
            if bool(query.get("instant")) == bool(query.get("range")):
                return "this fake answers either instant queries or range queries"
        return ""

    async def _result(self, query: dict[str, Any], start: int, end: int) -> dict[str, Any]:
        form = urlencode({"query": query["expr"], "time": f"{end // 1000}.{end % 1000:03d}"}).encode()
        asked = Request(
            method="POST",
            path="/api/v1/query",
            query={},
            headers={"content-type": "application/x-www-form-urlencoded", "content-length": str(len(form))},
            body=form,
        )
        answer = await self.upstream(asked)
        told = json.loads(answer.body)
        if told.get("status") != "success":
            return {"status": answer.status, "error": told.get("error", "")}
        step_ms = self.restep_ms or query["intervalMs"]
        meta = {
            "type": "timeseries-multi",
            "typeVersion": [0, 1],
            "custom": {"resultType": told["data"]["resultType"]},
            "executedQueryString": f"Expr: {query['expr']}\nStep: {_go_duration(step_ms)}",
            "notices": [*self.notices, *({"severity": "warning", "text": text} for text in told.get("warnings") or ())],
        }
        frames = [self._frame(one, meta, start, end) for one in told["data"]["result"]]
        return {"status": 200, "frames": frames}

    def _frame(self, series: dict[str, Any], meta: dict[str, Any], start: int, end: int) -> dict[str, Any]:
        samples = [(round(float(time) * 1000), float(value)) for time, value in series["values"]]
        if self.restep_ms:
            samples = _restepped(samples, start, end, self.restep_ms)
        values = [value for _, value in samples]
        places: dict[str, list[int]] = {"NaN": [], "Inf": [], "NegInf": []}
        for place, value in enumerate(values):
            if not math.isfinite(value):
                places["NaN" if math.isnan(value) else "Inf" if value > 0 else "NegInf"].append(place)
        plain = [value if math.isfinite(value) else None for value in values]
        name = series["metric"].get("__name__", "Value")
        fields = [
            {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}},
            {"name": name, "type": "number", "typeInfo": {"frame": "float64"}, "labels": series["metric"]},
        ]
        data: dict[str, Any] = {"values": [[time for time, _ in samples], plain]}
        if any(places.values()):
            data["entities"] = [None, places]
        return {"schema": {"refId": "A", "meta": meta, "fields": fields}, "data": data}

    def _annotation(self, request: Request, rest: str) -> Answer:
        if request.method == "GET" and not rest:
            return Answer.of([_told(one) for one in self.annotations.values()])
        try:
            asked = json.loads(request.body)
        except ValueError:
            return Answer.of({"message": "bad request data"}, status=400)
        if request.method == "POST" and not rest:
            return self._created(asked)
        if request.method == "PATCH" and re.fullmatch(r"\d+", rest):
            return self._patched(int(rest), asked)
        return Answer.of({"message": "Bad request"}, status=400)

    def _created(self, asked: Any) -> Answer:
        if not isinstance(asked, dict) or not asked.get("text"):
            return Answer.of({"message": "Failed to save annotation: text field should not be empty"}, status=400)
        if not isinstance(asked.get("time"), int) or not all(isinstance(tag, str) for tag in asked.get("tags", ())):
            return Answer.of({"message": "bad request data"}, status=400)
        number = len(self.annotations) + 1
        self.annotations[number] = Annotation(
            id=number, time=asked["time"], end=asked.get("timeEnd"), text=asked["text"], tags=tuple(asked.get("tags", ()))
        )
        return Answer.of({"message": "Annotation added", "id": number})

    def _patched(self, number: int, asked: Any) -> Answer:
        found = self.annotations.get(number)
        if found is None:
            return Answer.of({"message": "Annotation not found"}, status=404)
        if not isinstance(asked, dict) or not set(asked) <= {"time", "timeEnd", "text", "tags"}:
            return Answer.of({"message": "bad request data"}, status=400)
        found.time, found.end = asked.get("time", found.time), asked.get("timeEnd", found.end)
        found.text, found.tags = asked.get("text", found.text), tuple(asked.get("tags", found.tags))
        return Answer.of({"message": "Annotation patched"})


def _told(found: Annotation) -> dict[str, object]:
    return {
        "id": found.id,
        "time": found.time,
        "timeEnd": found.end or found.time,
        "text": found.text,
        "tags": list(found.tags),
    }


def _go_duration(ms: int) -> str:
    return f"{ms // 1000}s" if ms % 1000 == 0 else f"{ms}ms"


def _restepped(samples: list[tuple[int, float]], start: int, end: int, step: int) -> list[tuple[int, float]]:
    """The newest sample at each step, as a range query gives it."""
    grid = range(-(-start // step) * step, end + 1, step)
    found = []
    for at in grid:
        before = [value for time, value in samples if time <= at]
        if before:
            found.append((at, before[-1]))
    return found
