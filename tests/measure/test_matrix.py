"""Raw samples as an API writes them: the fast way reads what the slow way reads, bit for bit, or leaves it alone."""

from __future__ import annotations

import json
import struct

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshkit_chaos.measure.matrix import NotRawError, _at_once, _one_by_one, read_matrix
from meshkit_chaos.measure.source import UNREADABLE, RawSeries, Window

MS = 10**6
ALL = Window(start=0, end=10**19)
VALUES = st.floats().map(repr) | st.sampled_from(["+Inf", "-Inf", "NaN", "-0", "0", "1e3", "1_0", " 1", "", "1,2", '"', "],["])
STAMPS = st.integers(0, 2**41).map(lambda ms: f"{ms / 1000:.3f}") | st.integers(0, 2**31).map(str)
PIECES = st.sampled_from(["[[", '"]]', '"],[', ',"', ",", "[", "]", '"', " ", "1", "2.5", "-0", "\\u0031", '\\"'])


def bits(numbers: list[float]) -> list[bytes]:
    return [struct.pack(">d", number) for number in numbers]


def agree(written: bytes) -> None:
    found = _at_once(written)
    if found is not None:
        slowly = _one_by_one(written)
        assert [bits(part) for part in found] == [bits(part) for part in slowly]


@given(st.lists(st.tuples(STAMPS, VALUES), max_size=6))
def test_what_is_read_at_once_is_what_is_read_one_by_one(samples: list[tuple[str, str]]) -> None:
    """Whatever the values, both ways give the same bits."""
    agree(f"[{','.join(f'[{at},{json.dumps(value)}]' for at, value in samples)}]".encode())


@given(st.lists(PIECES, max_size=14).map("".join))
@example('[[1,"5,6"],[2,"3,4"]]')
@example('[[1,2],[3,"4"]]')
@example('[[1,"2],[3,"]]')
@example('[["1",2],[3,"4"]]')
@example('[[1,"5,"],[6]]')
@example('2,3"],["5')
def test_what_is_no_list_of_samples_is_not_read_at_once(text: str) -> None:
    """A text that holds commas, quotes in other places, too few or too many parts: never samples that nobody wrote."""
    for written in (text, f'[[1,{text}"]]', f'[[1,"{text}"]]', f'[[1,"2"],{text},[3,"4"]]'):
        try:
            json.loads(written)
        except ValueError:
            continue
        agree(written.encode())


def test_ordinary_samples_are_read_at_once() -> None:
    """As Prometheus writes them, whole seconds and milliseconds."""
    assert _at_once(b'[[1700000000,"1"],[1700000001.001,"2.5e-7"]]') == ([1700000000, 1700000001.001], [1, 2.5e-7])
    assert _at_once(b'[[1700000000.5,"-3"]]') == ([1700000000.5], [-3])


def matrix(*series: tuple[dict[str, str], list[list[object]]]) -> msgspec.Raw:
    found = [{"metric": metric, "values": values} for metric, values in series]
    return msgspec.Raw(json.dumps({"resultType": "matrix", "result": found}, separators=(",", ":")).encode())


def test_the_window_cuts_and_series_without_samples_in_it_are_left_out() -> None:
    """From after the start to the end; labels without a value are absent."""
    data = matrix(
        ({"b": "2", "a": "1", "c": ""}, [[1, "1"], [2, "2"], [3, "NaN"], [4, "4"]]),
        ({"a": "2"}, [[1, "1"]]),
        ({"a": "3"}, [[1, "9"], [2, "8"], [3, "7"], [4, "6"]]),
    )
    first, second = read_matrix(data, Window(start=1000 * MS, end=3000 * MS))
    assert (first.labels, first.times, repr(first.values)) == ((("a", "1"), ("b", "2")), (2000 * MS, 3000 * MS), "(2.0, nan)")
    assert second == RawSeries((("a", "3"),), (2000 * MS, 3000 * MS), (8, 7))


def test_series_that_were_scraped_together_share_their_instants() -> None:
    """The instants of the next series are the same object where they are the same."""
    values: list[list[object]] = [[1, "1"], [2, "2"]]
    first, second = read_matrix(matrix(({"a": "1"}, values), ({"a": "2"}, values)), ALL)
    assert first.times is second.times


@pytest.mark.parametrize(
    "values",
    [[[2, "1"], [1, "2"]], [[1, "1"], [1, "2"]], [[1, 2]], [["1", "2"]], [[1, "2", "3"]], [[1, "one"]], [[None, "1"]], None],
)
def test_what_cannot_be_samples_is_refused(values: list[list[object]] | None) -> None:
    """Instants that do not increase, values that are no numbers, samples of another form."""
    with pytest.raises(UNREADABLE):
        read_matrix(matrix(({"a": "1"}, values or [])) if values else matrix(({"a": "1"}, None)), ALL)  # type: ignore[arg-type]  # what a server may send


@pytest.mark.parametrize(("kind", "result"), [("vector", [{"metric": {}, "value": [1, "2"]}]), ("scalar", [1, "2"])])
def test_another_kind_of_answer_is_named(kind: str, result: object) -> None:
    """An answer that holds no raw samples says what it holds instead."""
    with pytest.raises(NotRawError, match=kind):
        read_matrix(msgspec.Raw(json.dumps({"resultType": kind, "result": result}).encode()), ALL)
