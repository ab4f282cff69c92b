"""Reading queries: what they are made of, and what is refused by name."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.promql import PromQLError, Query, UnsupportedPromQL, parse
from meshkit_chaos.promql.syntax import Aggregation, Binary, Matching

SECOND = 10**9


def test_a_query_knows_its_selectors() -> None:
    """Name, matchers, range and offset of each selector can be read, and the names they need."""
    query = parse('sum(rate(sent{a="1",b!~"x.*"}[5m] offset 1m)) / scalar(up offset -30s)')
    sent, up = query.selectors
    assert (sent.metric, sent.range_ns, sent.offset_ns) == ("sent", 300 * SECOND, 60 * SECOND)
    assert [str(matcher) for matcher in sent.matchers] == ['a="1"', 'b!~"x.*"']
    assert (up.metric, up.range_ns, up.offset_ns) == ("up", None, -30 * SECOND)
    assert query.metric_names == ("sent", "up")
    assert query.kind == "vector"


def test_equal_texts_give_equal_queries() -> None:
    """Queries are values."""
    text = 'x{a=~"b|c"} == bool 1'
    assert parse(text) == parse(text)
    assert hash(parse(text)) == hash(parse(text))


def test_the_name_may_be_a_matcher() -> None:
    """``{__name__="x"}`` names the metric; a regular expression over names names none."""
    assert parse('{__name__="x",a="b"}').metric_names == ("x",)
    assert parse('{__name__=~"x|y"}').metric_names == ()
    assert parse("x").plain_selector is not None
    assert parse("x + 1").plain_selector is None


def test_raw_strings_and_comments() -> None:
    """Backslashes in a raw string stand for themselves; comments and brackets in strings do not count."""
    assert parse(r"x{a=~`\d+`}").selectors[0].matchers[0].value == r"\d+"
    assert parse('x{a=`q"t`}').selectors[0].matchers[0].value == 'q"t'
    assert parse('x{a="(((#"} # ((( `').selectors[0].matchers[0].value == "(((#"


def test_precedence_is_that_of_prometheus() -> None:
    """``-2 ^ 2`` is -4 and ``2 ^ 3 ^ 2`` is 2 ^ 9, as the tree shows."""
    root = parse("2 ^ 3 ^ 2").root
    assert isinstance(root, Binary)
    assert isinstance(root.right, Binary)


def test_matching_is_read() -> None:
    """on, ignoring, group_left and group_right reach the tree."""
    root = parse("x * on (a) group_left (b) y").root
    assert isinstance(root, Binary)
    assert root.matching == Matching("many-to-one", True, ("a",), ("b",))
    root = parse("x - ignoring (a) group_right () y").root
    assert isinstance(root, Binary)
    assert root.matching == Matching("one-to-many", False, ("a",), ())


def test_aggregation_without_a_clause_is_by_nothing() -> None:
    """``sum(x)`` and ``sum by () (x)`` are one query."""
    root = parse("sum(x)").root
    assert isinstance(root, Aggregation)
    assert root == parse("sum by () (x)").root
    assert root != parse("sum without () (x)").root


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("x @ 3", "@ modifier"),
        ("rate(x[5m] @ end())", "@ modifier"),
        ("max_over_time(x[5m:1m] @ start())", "@ modifier"),
        ("x atan2 y", "operator atan2"),
        ("count_values('v', x)", "aggregation count_values()"),
        ("limitk(1, x)", "aggregation limitk()"),
        ("predict_linear(x[5m], 1)", "function predict_linear()"),
        ("holt_winters(x[5m], 0.1, 0.2)", "function holt_winters()"),
        ("histogram_fraction(0, 1, x)", "function histogram_fraction()"),
        ("sort(x)", "function sort()"),
        ("hour()", "function hour()"),
        ("cos(x)", "function cos()"),
        ("pi()", "function pi()"),
        ('label_join(x, "a", "b", "c")', "function label_join()"),
        ("info(x)", "function info()"),
        ('x{a="b" or c="d"}', "'or' between matchers"),
        ("x + fill(0) y", "modifier fill()"),
        (r'x{a="\xff"}', "byte escape"),
    ],
)
def test_outside_the_subset_is_refused_by_name(text: str, construct: str) -> None:
    """The message names the construct and says what to use instead."""
    with pytest.raises(UnsupportedPromQL, match="is not supported; ") as refused:
        parse(text)
    assert construct in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no expression"),
        ("sum(x", "unclosed left parenthesis"),
        ("x{", "unexpected end of input"),
        ("rate(x)", "write a range"),
        ("rte(x[5m])", r"did you mean rate\(\)"),
        ("x[5m]", "range of samples"),
        ("'text'", "a string"),
        ("1 == 1", "BOOL"),
        ("1 and 2", "set operator"),
        ("{}", "at least one non-empty matcher"),
        ("x + on (a) 3", "vector matching only allowed"),
        ("x * on (a) group_left (a) y", "must not occur in ON and GROUP"),
        ('x{a=~"(?=b)"}', "lookaround"),
        (r'x{a=~"(b)\\1"}', "backreference"),
        ('label_replace(x, "a", "b", "c", "(?!d)")', "lookaround"),
        ('label_replace(x, "a-b", "b", "c", "d")', "label name"),
        ("max_over_time(max_over_time(x[1h:1s])[1h:1s])", "steps"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    """A syntax error says what was found and what was expected."""
    with pytest.raises(PromQLError, match=said):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 20_000,
        "(" * 9000,
        "(" * 3000 + "x" + ")" * 3000,
        "-" * 9000 + "x",
        "^".join(["x"] * 4000),
        " unless ".join(["x"] * 1000),
        "[" * 5000,
        'x{a=~"' + "(" * 3000 + '"}',
        'x{a=~"((((b{1000}){1000}){1000}){1000})"}',
    ],
)
def test_hostile_text_is_an_error(text: str) -> None:
    """Long and deep text is refused before it can exhaust the parser's native stack."""
    with pytest.raises(PromQLError):
        parse(text)


def test_the_deepest_text_parses_on_a_small_stack() -> None:
    """The most operators and brackets that are allowed parse in a thread of one megabyte."""
    done: list[Query] = []
    before = threading.stack_size(1024 * 1024)
    try:
        with pytest.raises(PromQLError, match="more than 100 operators"):
            parse("+".join(["x"] * 102))
        thread = threading.Thread(target=lambda: done.append(parse("^".join(["x"] * 100) + "^" + "abs(" * 40 + "x" + ")" * 40)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(done) == 1


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="x()[]{}\"'`\\=~!<>+-*/%^@#:,.0159msbyonraute \n", max_size=60))
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    """No text makes the parser raise anything but PromQLError."""
    try:
        query = parse(text)
    except PromQLError:
        return
    assert query.kind in {"scalar", "vector"}
