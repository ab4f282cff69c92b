"""A matrix of raw samples, as Prometheus writes it, as series. Pure.

Takes the JSON of a query's ``data`` and a window; gives the samples inside it. Refuses with one of ``UNREADABLE`` what is not a
matrix, and instants that do not increase.

An answer may hold millions of samples, and one Python object for each of their parts would take ten times the answer's own
memory. So series are read one after the other, and the samples of each (``[[1700000000.5,"1"],[1700000001.5,"0"]]``) as one
flat list of numbers, which needs no text for each value. Series that were scraped together have the same instants: one tuple
serves them all.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import ge
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.measure.source import RawSeries, Window
from meshkit_chaos.promql.series import Labels

_MS: Final = 10**6


class NotRawError(ValueError):
    """Something else than raw samples; the message names it."""


class _Series(Struct, gc=False):
    metric: dict[str, str]
    values: msgspec.Raw


class _Matrix(Struct, gc=False):
    resultType: str  # noqa: N815  # the API's own name
    result: list[_Series]


class _Kind(Struct, gc=False):
    resultType: str  # noqa: N815  # the API's own name


_MATRIX: Final = msgspec.json.Decoder(_Matrix)
_KIND: Final = msgspec.json.Decoder(_Kind)
_NUMBERS: Final = msgspec.json.Decoder(list[float])
_SAMPLES: Final = msgspec.json.Decoder(list[tuple[float, str]])


def read_matrix(data: msgspec.Raw, window: Window) -> tuple[RawSeries, ...]:
    """Every series with its samples inside the window; one that has none there is left out."""
    try:
        matrix = _MATRIX.decode(data)
    except msgspec.ValidationError:
        _refuse_others(_KIND.decode(data).resultType)
        raise
    _refuse_others(matrix.resultType)
    reader = _Reader(window)
    series = (reader.series(one.metric, bytes(one.values)) for one in matrix.result)
    return tuple(one for one in series if one.times)


def _refuse_others(kind: str) -> None:
    if kind != "matrix":
        raise NotRawError(f"answered with a {kind} where raw samples were asked for")


class _Reader:
    """Remembers the instants last read: the next series probably has the same."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._told: list[float] = []
        self._times: tuple[int, ...] = ()
        self._inside = slice(0, 0)

    def series(self, metric: dict[str, str], written: bytes) -> RawSeries:
        labels: Labels = tuple(sorted((name, value) for name, value in metric.items() if value))
        told, values = _at_once(written) or _one_by_one(written)
        if told != self._told:
            self._place(told, labels)
        return RawSeries(labels, self._times, tuple(values[self._inside]))

    def _place(self, told: list[float], labels: Labels) -> None:
        # Timestamps are whole milliseconds written as seconds; as floats they are exact only once rounded.
        times = [round(seconds * 1000) * _MS for seconds in told]
        if any(map(ge, times, times[1:])):
            raise ValueError(f"instants of {dict(labels)} do not increase")
        inside = slice(bisect_right(times, self._window.start), bisect_right(times, self._window.end))
        self._told, self._inside, self._times = told, inside, tuple(times[inside])


def _at_once(written: bytes) -> tuple[list[float], list[float]] | None:
    """Instants and values of samples that are written as Prometheus does it, without a blank; None where they are not.

    What divides the numbers is made commas, and what is left must be numbers and nothing else: so a quotation mark or a bracket
    in another place is found. Each sample ends with a text behind a comma, so it has a number or more before it and in it; and
    there are only two numbers for each. A value that JSON has no number for (``+Inf``, ``NaN``) is left to the slow way, and so
    is what may be a negative zero, which the decoder of numbers reads as zero.
    """
    if written[:2] != b"[[" or written[-3:] != b'"]]':
        return None
    joined = written.replace(b'"],[', b",")
    samples = 1 + (len(written) - len(joined)) // 3
    if written.count(b',"') != samples:
        return None
    bare = joined.replace(b',"', b",")
    try:
        numbers = _NUMBERS.decode(b"[" + bare[2:-3] + b"]")
    except msgspec.MsgspecError:
        return None
    values = numbers[1::2]
    if len(numbers) != 2 * samples or (b"-0" in written and 0 in values):
        return None
    return numbers[0::2], values


def _one_by_one(written: bytes) -> tuple[list[float], list[float]]:
    samples = _SAMPLES.decode(written)
    return [seconds for seconds, _ in samples], [float(text) for _, text in samples]
