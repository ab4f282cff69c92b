"""A public fake of the Prometheus HTTP API, as far as raw samples need it: for tests and for authors of sources.

It holds series in memory and answers instant queries with a range selector, ``time()``, build information and metric names.
What servers do wrong (warnings, partial answers, truncation, rate limits, cut bodies) is set from outside. It checks each
request against the documented API and remembers what was wrong with it. Not a PromQL engine: a selector is all it reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.measure.loopback import Answer, Request
from meshkit_chaos.promql import Selector, parse
from meshkit_chaos.promql.selection import Selection
from meshkit_chaos.promql.series import Labels, Series, is_stale, label

_MS: Final = 10**6
_RAW: Final = re.compile(r"(?P<selector>.+)\[(?P<ms>\d+)ms\]", re.DOTALL)


@dataclass(slots=True)
class _Store:
    series: dict[Labels, list[tuple[int, float]]] = field(default_factory=dict)

    def named(self, name: str) -> Sequence[Series]:
        return tuple(
            Series(labels, tuple(time for time, _ in samples), tuple(value for _, value in samples))
            for labels, samples in self.series.items()
            if not name or label(labels, "__name__") == name
        )


class FakePrometheus:
    """``ahead``: by how many ns its clock is ahead of the given one's wall time. ``closed``: ranges hold their first instant.

    ``say``: what is put into every answer to a query beside its data (``warnings``, ``isPartial``). ``refuse``: answers that
    are given first, one a query, instead of data. ``asked``: every query; ``wrong``: what was not as the API has it.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        ahead: int = 0,
        build: Mapping[str, str] | None = None,
        closed: bool = True,
        prefix: str = "/api/v1",
    ) -> None:
        self._clock, self._ahead, self._closed, self._prefix = clock, ahead, closed, prefix
        self._build = {"version": "2.42.0"} if build is None else dict(build)
        self._store = _Store()
        self.say: dict[str, object] = {}
        self.refuse: list[Answer] = []
        self.asked: list[dict[str, str]] = []
        self.headers: list[Mapping[str, str]] = []
        self.wrong: list[str] = []
        self.cut: int | None = None

    def now(self) -> int:
        """Its clock, in ns."""
        return self._clock.wall_ns() + self._ahead

    def add(self, labels: Labels, at: int, value: float) -> None:
        """Put a sample in; ``at`` is by its clock."""
        self._store.series.setdefault(labels, []).append((at // _MS * _MS, value))

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        self.headers.append(request.headers)
        path = request.path.removeprefix(self._prefix)
        if request.path == path:
            return Answer.of({"status": "error", "errorType": "not_found", "error": request.path}, status=404)
        match request.method, path:
            case "GET", "/status/buildinfo":
                return Answer.of({"status": "success", "data": self._build})
            case "GET", "/label/__name__/values":
                names = sorted({label(labels, "__name__") for labels in self._store.series})
                return Answer.of({"status": "success", "data": names})
            case "POST", "/query":
                return self._query(request)
            case _:
                self.wrong.append(f"{request.method} {request.path}")
                return Answer.of({"status": "error", "errorType": "bad_data", "error": "no such call"}, status=405)

    def _query(self, request: Request) -> Answer:
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            self.wrong.append(f"content-type {request.headers.get('content-type')!r}")
        form = request.form
        self.asked.append(form)
        if self.refuse:
            return self.refuse.pop(0)
        query = form.get("query", "")
        if query == "time()":
            seconds = self.now() // _MS / 1000
            return self._said({"resultType": "scalar", "result": [seconds, f"{seconds:.3f}"]})
        raw = _RAW.fullmatch(query)
        at = form.get("time", "")
        if raw is None or not re.fullmatch(r"\d+\.\d{3}", at):
            self.wrong.append(f"query {query!r} at {at!r}")
            return Answer.of({"status": "error", "errorType": "bad_data", "error": f"cannot parse {query!r}"}, status=400)
        end = round(float(at) * 1000) * _MS
        return self._said({"resultType": "matrix", "result": self._raw(raw["selector"], end - int(raw["ms"]) * _MS, end)})

    def _raw(self, text: str, start: int, end: int) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for labels, series in Selection(selector_of(text)).of(self._store):
            pairs = zip(series.times, series.values, strict=True)
            inside = [
                [time / 10**9, _written(value)]
                for time, value in pairs
                if start - self._closed < time <= end and not is_stale(value)
            ]
            if inside:
                found.append({"metric": dict(labels), "values": inside})
        return found

    def _said(self, data: object) -> Answer:
        return replace(Answer.of({"status": "success", "data": data, **self.say}), cut=self.cut)


def selector_of(text: str) -> Selector:
    """A selector as the project's own parser reads it."""
    (selector,) = parse(text).selectors
    return selector


def _written(value: float) -> str:
    """As Prometheus writes values."""
    special = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}
    return special.get(str(value), str(value))
