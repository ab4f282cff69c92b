"""Grafana's data frames → raw series. Pure.

Takes the body of an answer of ``/api/ds/query`` and the expression that was sent; gives the samples as they were scraped.
Refuses with ``Refused`` what is not that: an answer to another expression, samples put on a grid of steps, gaps that were
filled in, anything that is no time series. Format: https://grafana.com/developers/dataplane and the HTTP API's ``ds/query``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
from msgspec import Struct

from meshkit_chaos.measure.source import UNREADABLE, Fetched, RawSeries, Window

REF_ID: Final = "A"
_MS: Final = 10**6
_FEWEST: Final = 2
_STEP: Final = re.compile(r"^Step:\s*(.+)$", re.MULTILINE)
_EXPRESSION: Final = re.compile(r"^Expr:\s*(.*)$", re.MULTILINE)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_UNIT: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": _MS, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


class Refused(Exception):
    """The answer is no evidence; the text says why."""


class _Notice(Struct):
    severity: str = ""
    text: str = ""


class _Meta(Struct):
    executedQueryString: str = ""  # noqa: N815  # the API's own name
    custom: dict[str, Any] | None = None
    notices: list[_Notice] | None = None


class _Field(Struct):
    name: str = ""
    type: str = ""
    labels: dict[str, str] | None = None


class _Schema(Struct):
    fields: list[_Field] = []
    meta: _Meta | None = None


class _Entities(Struct):
    NaN: list[int] = []
    Inf: list[int] = []
    NegInf: list[int] = []


class _Data(Struct):
    values: list[list[float | None]] = []
    entities: list[_Entities | None] | None = None
    nanos: list[list[int] | None] | None = None


class _Frame(Struct):
    schema: _Schema
    data: _Data = msgspec.field(default_factory=_Data)


class _Result(Struct):
    status: int = 200
    error: str = ""
    frames: list[_Frame] = []


class _Answer(Struct):
    results: dict[str, _Result]


def fetched(body: bytes, *, expression: str, window: Window) -> Fetched:
    """The samples inside the window. Raises Refused."""
    try:
        answer = msgspec.json.decode(body, type=_Answer, strict=False)
    except UNREADABLE as wrong:
        raise Refused(f"its answer is not the query API's, or cut short: {wrong}") from wrong
    result = answer.results.get(REF_ID)
    if result is None:
        raise Refused(f"its answer has no result {REF_ID!r}")
    if result.error or result.status >= 400:
        raise Refused(f"answered with an error: {result.error or result.status}")
    series: list[RawSeries] = []
    warnings: list[str] = []
    infos: list[str] = []
    ran = ""
    for frame in result.frames:
        meta = frame.schema.meta or _Meta()
        _check(meta, expression)
        series += _series(frame, window)
        ran = ran or meta.executedQueryString
        for notice in meta.notices or ():
            (infos if notice.severity == "info" else warnings).append(notice.text or "(a notice without a text)")
    _refuse_steps(ran, series, window)
    return Fetched(
        series=tuple(one for one in series if one.times),
        warnings=tuple(dict.fromkeys(warnings)),
        infos=tuple(dict.fromkeys(infos)),
    )


def _check(meta: _Meta, expression: str) -> None:
    ran = _EXPRESSION.search(meta.executedQueryString)
    if ran is not None and ran[1].strip() != expression:
        raise Refused(f"it ran another query: {ran[1].strip()[:200]!r} instead of {expression[:200]!r}")
    kind = (meta.custom or {}).get("resultType", "matrix")
    if kind != "matrix":
        raise Refused(f"answered with a {kind} where raw samples were asked for")


def _series(frame: _Frame, window: Window) -> list[RawSeries]:
    fields, data = frame.schema.fields, frame.data
    if not fields:
        return []
    if len(fields) != len(data.values) or fields[0].type != "time" or any(field.type != "number" for field in fields[1:]):
        raise Refused("a frame is not a time series: expected one field of times and fields of numbers")
    nanos = (data.nanos or [None])[0]
    times = [_time(value, nanos[place] if nanos else 0) for place, value in enumerate(data.values[0])]
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise Refused("the instants of a frame do not increase")
    return [_column(frame, number, times, window) for number in range(1, len(fields))]


def _time(value: float | None, nanos: int) -> int:
    if value is None:
        raise Refused("a frame has a sample without a time")
    return round(value) * _MS + nanos


def _column(frame: _Frame, number: int, times: Sequence[int], window: Window) -> RawSeries:
    field, raw = frame.schema.fields[number], frame.data.values[number]
    if len(raw) != len(times):
        raise Refused(f"a frame has {len(raw)} values for {len(times)} instants")
    values = _with_entities(raw, (frame.data.entities or [])[number : number + 1])
    inside = [place for place, time in enumerate(times) if window.start < time <= window.end]
    labels = tuple(sorted((name, value) for name, value in (field.labels or {}).items() if value))
    if labels and not any(name == "__name__" for name, _ in labels):
        labels = tuple(sorted([*labels, ("__name__", field.name)]))
    return RawSeries(labels, tuple(times[place] for place in inside), tuple(values[place] for place in inside))


def _with_entities(raw: Sequence[float | None], entities: Sequence[_Entities | None]) -> list[float]:
    """JSON has no NaN: a frame says beside its values which of them are."""
    values: list[float | None] = list(raw)
    for found in entities:
        if found is not None:
            for places, value in ((found.NaN, math.nan), (found.Inf, math.inf), (found.NegInf, -math.inf)):
                for place in places:
                    if not 0 <= place < len(values):
                        raise Refused("a frame marks a value that it does not have")
                    values[place] = value
    whole = [value for value in values if value is not None]
    if len(whole) != len(values):
        raise Refused("a frame has gaps: its samples were put on a grid of steps")
    return whole


def _refuse_steps(ran: str, series: Sequence[RawSeries], window: Window) -> None:
    """Scrapes come at phases of their own; instants that all lie on the grid of the query's step were made by Grafana."""
    told = _STEP.search(ran)
    step = _span(told[1]) if told is not None else 0
    times = [time for one in series for time in one.times]
    if step <= 0 or len(times) < _FEWEST:
        return
    # A query over a range begins at its start, or at the multiple of the step before it.
    for origin in (0, window.start, window.end):
        if all((time - origin) // _MS % (step // _MS or 1) == 0 for time in times):
            raise Refused(
                f"it put the samples on steps of {told[1].strip() if told else ''}: they are not those that were scraped"
            )


def _span(text: str) -> int:
    """A Go duration in ns; 0 where it is none."""
    return sum(round(float(part[1]) * _UNIT[part[2]]) for part in _PART.finditer(text))
