"""The Prometheus text format, read as it is written and refused as it is broken."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.measure import exposition
from meshkit_chaos.measure.exposition import Parsed, Wanted, parse
from meshkit_chaos.promql.series import labels_of

ALL = Wanted(None)


def wanted(*names: str) -> Wanted:
    return Wanted(frozenset(names))


def one(line: str) -> tuple[dict[str, str], float]:
    parsed = parse(line.encode() + b"\n", ALL)
    assert parsed.problems == ()
    ((labels, value),) = parsed.samples
    return dict(labels), value


def test_keeps_only_wanted_metrics() -> None:
    """A metric whose name only begins like a wanted one is not that one."""
    page = b'# HELP up x\n# TYPE up gauge\nup 1\nup_total 2\nupper{a="b"} 3\nother 4\n'
    assert parse(page, wanted("up")).samples == [(labels_of("up", {}), 1.0)]


def test_wanting_nothing_keeps_nothing() -> None:
    """No wanted names give no samples, and no problem either."""
    assert parse(b"up 1\n", wanted()) == Parsed(samples=[])


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        ("m 1", {}, 1.0),
        ("m\t1e3\r", {}, 1000.0),
        ('m{a="b"} 1', {"a": "b"}, 1.0),
        ('m { a = "b" , c="d", } 1 1700000000000', {"a": "b", "c": "d"}, 1.0),
        ('m{a="x}y"} -2.5', {"a": "x}y"}, -2.5),
        ('m{a="x # {y} 7"} 3', {"a": "x # {y} 7"}, 3.0),
        (r'm{a="q\"b\\c\nd\xe"} 1', {"a": 'q"b\\c\nd\\xe'}, 1.0),
        ('m{a=""} 1', {}, 1.0),
        ('m{b="ü",a="2"}1', {"a": "2", "b": "ü"}, 1.0),
        ('m_bucket{le="+Inf"} 5 # {trace_id="a}b"} 0.3 1.5', {"le": "+Inf"}, 5.0),
        ("m_total 5 1.25 # {} 1", {}, 5.0),
        ("ns:m:rate 1", {}, 1.0),
        ("m{} 1", {}, 1.0),
    ],
)
def test_reads_a_sample_line(line: str, labels: dict[str, str], value: float) -> None:
    """Labels, escapes, blanks, timestamps and exemplars are read as the format has them."""
    found, number = one(line)
    found.pop("__name__")
    assert (found, number) == (labels, value)


def test_reads_the_values_that_are_no_numbers() -> None:
    """NaN and the infinities are values, and a NaN of a target is never the staleness marker."""
    page = b"a NaN\nb +Inf\nc -Inf\n"
    values = [value for _, value in parse(page, ALL).samples]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "line",
    [
        "m",
        "m ",
        "m x",
        "m 1_000",
        "m 1 x",
        "m 1 2 3",
        "m-3",
        "m,3",
        'm{a="b" 1',
        'm{a="b"',
        "m{a=b} 1",
        'm{a="b"c="d"} 1',
        'm{a="b",,c="d"} 1',
        'm{,a="b"} 1',
        'm{a="1",a="2"} 1',
        'm{__name__="n"} 1',
        'm{a="b"}} 1',
        'm{a="b\\"} 1',
        "m} 1",
        "9m 1",
        '{"m"} 1',
        "# no, this is { fine\n<b>",
        'm{1="b"} 1',
    ],
)
def test_reports_a_garbled_line(line: str) -> None:
    """A line that is not in the format is a problem that quotes it; the lines around it are still read."""
    parsed = parse(f"first 1\n{line}\nlast 2\n".encode(), ALL)
    assert len(parsed.problems) == 1
    assert [dict(labels)["__name__"] for labels, _ in parsed.samples] == ["first", "last"]


def test_reports_label_values_that_are_not_utf8() -> None:
    """Bytes that are no text are a problem, not an exception."""
    assert "UTF-8" in parse(b'm{a="\xff"} 1\n', ALL).problems[0]


def test_reports_a_series_that_is_there_twice() -> None:
    """Of a duplicate the first is kept and the second is a problem, in whatever order its labels stand."""
    parsed = parse(b'm{a="1",b="2"} 1\nm{b="2",a="1"} 9\n', ALL)
    assert [value for _, value in parsed.samples] == [1.0]
    assert parsed.problems == ('the series is there twice: \'m{b="2",a="1"} 9\'',)


def test_refuses_html() -> None:
    """A page of markup gives nothing and says what it is."""
    parsed = parse(b" \n<!DOCTYPE html><html>m 1\n", ALL)
    assert parsed.samples == []
    assert "HTML" in parsed.problems[0]


def test_refuses_a_page_that_may_be_cut_short() -> None:
    """Without the last line feed "12" may be the beginning of "123"."""
    assert "cut short" in parse(b"m 12", ALL).problems[0]
    assert parse(b"", ALL) == Parsed(samples=[])


def test_openmetrics_must_end_as_it_promises() -> None:
    """What calls itself OpenMetrics and lacks its end was cut short; with its end it needs no line feed."""
    assert "cut short" in parse(b"m 12\n", ALL, openmetrics=True).problems[0]
    assert parse(b"m 12\n# EOF", ALL, openmetrics=True).problems == ()


def test_refuses_pages_and_sample_counts_beyond_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page over a limit gives nothing at all: no part of it is evidence."""
    monkeypatch.setattr(exposition, "MOST_SAMPLES", 2)
    assert parse(b"a 1\nb 2\nc 3\n", ALL).samples == []
    assert "more than 2" in parse(b"a 1\nb 2\nc 3\n", ALL).problems[0]
    monkeypatch.setattr(exposition, "LARGEST_PAGE", 4)
    assert parse(b"a 1\nb 2\n", ALL) == Parsed(samples=[], problems=("the page has 8 bytes; at most 4 are read",))


def test_stops_counting_problems() -> None:
    """A page that is garbage throughout does not give a problem for every line."""
    assert len(parse(b"9\n" * 5000, ALL).problems) == 20


names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True)
keys = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,5}", fullmatch=True).filter(lambda key: key != "__name__")
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
series = st.tuples(names, st.dictionaries(keys, texts, max_size=4))
values = st.floats(width=64).map(lambda value: math.nan if math.isnan(value) else value)


def written(name: str, labels: dict[str, str], value: float) -> str:
    escaped = (
        f'{key}="' + text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") + '"' for key, text in labels.items()
    )
    number = "NaN" if math.isnan(value) else repr(value).replace("inf", "Inf")
    return f"{name}{{{','.join(escaped)}}} {number}"


@settings(deadline=None)
@given(st.lists(st.tuples(series, values), max_size=8, unique_by=lambda item: labels_of(item[0][0], item[0][1])))
def test_reads_what_was_written(samples: list[tuple[tuple[str, dict[str, str]], float]]) -> None:
    """Any names, label texts and numbers come back exactly."""
    page = "".join(written(name, labels, value) + "\n" for (name, labels), value in samples)
    parsed = parse(page.encode(), ALL)
    assert parsed.problems == ()
    assert [labels for labels, _ in parsed.samples] == [labels_of(name, labels) for (name, labels), _ in samples]
    for (_, read), (_, meant) in zip(parsed.samples, samples, strict=True):
        assert read == meant or (math.isnan(read) and math.isnan(meant))


pieces = st.sampled_from(
    [b"m", b"{", b"}", b'"', b"\\", b"a", b"=", b",", b" ", b"1", b"\n", b"#", b"# {", b"NaN", b"\xff", b"\r", b"<"]
)


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.lists(pieces, max_size=40).map(b"".join)), st.booleans())
def test_never_raises(page: bytes, openmetrics: bool) -> None:
    """Whatever the bytes, there is an answer, and no series is in it twice."""
    for one_wanted in (ALL, wanted("m")):
        parsed = parse(page, one_wanted, openmetrics=openmetrics)
        labels = [found for found, _ in parsed.samples]
        assert len(set(labels)) == len(labels)


@settings(deadline=None)
@given(st.lists(st.tuples(series, values), max_size=6, unique_by=lambda item: labels_of(item[0][0], item[0][1])), st.data())
def test_wanting_some_is_filtering_all(samples: list[tuple[tuple[str, dict[str, str]], float]], data: st.DataObject) -> None:
    """Asking for some names gives exactly those of all samples that bear them."""
    page = "".join(written(name, labels, value) + "\n" for (name, labels), value in samples).encode()
    some = data.draw(st.frozensets(st.sampled_from([name for (name, _), _ in samples] or ["m"])))
    kept = [labels for labels, _ in parse(page, Wanted(some)).samples]
    assert kept == [labels for labels, _ in parse(page, ALL).samples if dict(labels)["__name__"] in some]
