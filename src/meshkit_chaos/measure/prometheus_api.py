"""The HTTP API of Prometheus and its kin, as far as raw samples need it.

Takes an ``Exchange``; gives what ``SourceApi`` promises. Samples come from instant queries with a range selector: true
timestamps, no lookback, no limit of 11,000 points. What a flavour needs to keep from giving half an answer is sent with every
query; what one of them gives all the same (``warnings``, ``isPartial``) is passed on and makes rounds unknown.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.matrix import NotRawError, read_matrix
from meshkit_chaos.measure.source import UNREADABLE, Fetched, Introduction, NoAnswer, RangeBoundaries, Window
from meshkit_chaos.scenario.metric_sources import Flavour

_MS: Final = 10**6
_PARAMETERS: Final[dict[Flavour, dict[str, str]]] = {
    "prometheus": {},
    # Thanos answers with what it reached, and with averages of five minutes for old data, unless told not to.
    "thanos": {"partial_response": "false", "max_source_resolution": "0s", "dedup": "true"},
    "mimir": {},
    # VictoriaMetrics moves "now" back by 30 s unless its cache is left out, and its cluster answers with what it reached.
    "victoriametrics": {"nocache": "1", "deny_partial_response": "1"},
}
_RESOLUTION: Final[dict[Flavour, int]] = {"victoriametrics": 10**9}
"""VictoriaMetrics cuts the time of a query that names none off to whole seconds."""


class _Envelope(Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None
    isPartial: bool = False  # noqa: N815  # the API's own name


class PrometheusApi:
    """``prefix``: where the API stands below the server's address."""

    def __init__(self, exchange: Exchange, *, flavour: Flavour, prefix: str = "/api/v1") -> None:
        self._exchange = exchange
        self._flavour: Flavour = flavour
        self._prefix = prefix

    @property
    def resolution(self) -> int:
        return _RESOLUTION.get(self._flavour, _MS)

    async def introduce(self) -> Introduction | NoAnswer:
        answer = await self._exchange.ask("GET", f"{self._prefix}/status/buildinfo")
        envelope = _envelope(answer)
        if isinstance(envelope, NoAnswer):
            if isinstance(answer, NoAnswer) and (not answer.final or "status 401" in answer.cause):
                return answer
            return _introduction(
                {}, self._flavour
            )  # some of the kin have no such page, and some gateways do not let it be asked
        try:
            found = msgspec.json.decode(envelope.data)
        except UNREADABLE as wrong:
            return NoAnswer(cause=f"what it says of itself cannot be read: {wrong}")
        return _introduction(found if isinstance(found, dict) else {}, self._flavour)

    async def now(self) -> int | NoAnswer:
        envelope = await self._query("time()")
        if isinstance(envelope, NoAnswer):
            return envelope
        try:
            return _instant(msgspec.json.decode(envelope.data))
        except (*UNREADABLE, KeyError, IndexError, TypeError) as wrong:
            return NoAnswer(cause=f"its time cannot be read: {wrong}")

    async def raw(self, selector: str, window: Window) -> Fetched | NoAnswer:
        """Borders are whole milliseconds, as the API has them: rounded outwards, and what is outside is left out."""
        start, end = window.start // _MS, -(-window.end // _MS)
        envelope = await self._query(f"{selector}[{end - start}ms]", time=f"{end // 1000}.{end % 1000:03d}")
        if isinstance(envelope, NoAnswer):
            return envelope
        try:
            series = read_matrix(envelope.data, window)
        except NotRawError as wrong:
            return NoAnswer(cause=str(wrong))
        except UNREADABLE as wrong:
            return NoAnswer(cause=f"its samples cannot be read: {wrong}")
        warnings = list(envelope.warnings or ())
        if envelope.isPartial:
            warnings.append("the answer is partial (isPartial)")
        return Fetched(
            series=series,
            warnings=self._exchange.quoted(warnings),
            infos=self._exchange.quoted(list(envelope.infos or ())),
        )

    async def metric_names(self) -> tuple[str, ...]:
        envelope = _envelope(await self._exchange.ask("GET", f"{self._prefix}/label/{quote('__name__')}/values"))
        if isinstance(envelope, NoAnswer):
            return ()
        try:
            return tuple(msgspec.json.decode(envelope.data, type=list[str]))
        except UNREADABLE:
            return ()

    async def _query(self, text: str, **more: str) -> _Envelope | NoAnswer:
        form = {"query": text, **more, **_PARAMETERS[self._flavour]}
        return _envelope(await self._exchange.ask("POST", f"{self._prefix}/query", form=form))


def _envelope(answer: bytes | NoAnswer) -> _Envelope | NoAnswer:
    if isinstance(answer, NoAnswer):
        return answer
    try:
        envelope = msgspec.json.decode(answer, type=_Envelope)
    except UNREADABLE as wrong:
        return NoAnswer(cause=f"its answer is not the Prometheus API's, or cut short: {wrong}")
    if envelope.status != "success":
        return NoAnswer(cause=f"answered with an error: {envelope.error or envelope.status}")
    return envelope


def _instant(data: Any) -> int:
    """What ``time()`` gave: a scalar, or (VictoriaMetrics) a vector of one."""
    value = data["result"][1] if data["resultType"] == "scalar" else data["result"][0]["value"][1]
    return round(float(value) * 1000) * _MS


def _introduction(found: dict[str, Any], flavour: Flavour) -> Introduction:
    version = str(found.get("version") or "")
    application = str(found.get("application") or "")
    notes = []
    if "mimir" in application.lower() and flavour != "mimir":
        notes.append(f"it says that it is {application}: write flavour: mimir")
    boundaries = boundaries_of(version, flavour)
    if boundaries is None:
        notes.append(f"its version {version!r} says nothing about range boundaries; taken as Prometheus 3 has them")
    name = f"{application} {version}".strip()
    return Introduction(version=name or "not told", range_boundaries=boundaries or "left-open", notes=tuple(notes))


def boundaries_of(version: str, flavour: Flavour) -> RangeBoundaries | None:
    """Whether a range takes its first instant in: Prometheus 2 does, 3 and VictoriaMetrics do not. None where not known."""
    if flavour == "victoriametrics":
        return "left-open"
    major = re.match(r"v?(\d+)\.", version)
    if flavour != "prometheus" or major is None:
        return None
    return "closed" if int(major[1]) < 3 else "left-open"
