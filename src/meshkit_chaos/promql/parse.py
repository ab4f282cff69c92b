"""Text to a checked ``Query``.

Takes PromQL; gives frozen values. Refuses, with a ``PromQLError``, what is not PromQL or has no instant value, and, with an
``UnsupportedPromQL`` that names the construct, everything outside the subset. Nothing is approximated.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Final, cast

import promql_parser as library

from meshkit_chaos.promql.errors import PromQLError, UnsupportedPromQL
from meshkit_chaos.promql.pattern import Pattern, PatternError
from meshkit_chaos.promql.scan import prepare
from meshkit_chaos.promql.subset import AGGREGATIONS, FUNCTIONS, aggregation_hint, function_hint, operator_hint
from meshkit_chaos.promql.syntax import (
    ARITHMETIC,
    COMPARISONS,
    SET_OPERATORS,
    Aggregation,
    Binary,
    Call,
    Cardinality,
    Matcher,
    Matching,
    MatchOp,
    Negation,
    Node,
    Number,
    Query,
    Selector,
    Subquery,
    Text,
    children,
    kind_of,
    walk,
)

_UNKNOWN_FUNCTION: Final = re.compile(r"unknown function with name '(.*)'")
_ILLEGAL_PATTERN: Final = re.compile(r"illegal regex for (.*)", re.DOTALL)
_FULL_STEPS: Final = 11_000  # Prometheus's own limit on the points of a range query
_CARDINALITY: Final[dict[str, Cardinality]] = {
    "OneToOne": "one-to-one",
    "ManyToOne": "many-to-one",
    "OneToMany": "one-to-many",
    "ManyToMany": "many-to-many",
}
_MATCH_OPS: Final[dict[str, MatchOp]] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def parse(text: str) -> Query:
    """Read a query of the subset. Raises PromQLError or UnsupportedPromQL."""
    prepared = prepare(text)
    try:
        tree = library.parse(prepared)
    except (ValueError, OverflowError) as problem:
        raise _explained(str(problem)) from problem
    root = _node(tree)
    if kind_of(root) == "matrix":
        raise PromQLError("the query gives a range of samples, expected one value; put it into a function such as rate(...)")
    if kind_of(root) == "string":
        raise PromQLError("the query gives a string, expected a number")
    _refuse_steps(root, outer=1, span_ns=0)
    return Query(text, root, tuple(node for node in walk(root) if isinstance(node, Selector)))


def _explained(message: str) -> PromQLError:
    if found := _UNKNOWN_FUNCTION.search(message):
        name = found[1]
        if hint := function_hint(name):
            return UnsupportedPromQL(f"the function {name}()", hint)
        near = get_close_matches(name, FUNCTIONS | AGGREGATIONS, n=1)
        return PromQLError(f"unknown function {name}()" + (f"; did you mean {near[0]}()?" if near else ""))
    if found := _ILLEGAL_PATTERN.search(message):
        return _bad_pattern(found[1])
    if "expected type matrix" in message:
        return PromQLError(f"not a PromQL expression: {message}; write a range, such as x[1m]")
    if message == "invalid promql query":
        return PromQLError("not a PromQL expression: an operand, operator or bracket is missing or out of place")
    return PromQLError(f"not a PromQL expression: {message}")


def _bad_pattern(text: str) -> PromQLError:
    """The library's own pattern engine is not RE2; what it refuses is explained by the reader that is."""
    try:
        Pattern.compile(text)
    except PatternError as problem:
        return PromQLError(f"not a regular expression of RE2: {problem}")
    return UnsupportedPromQL(f"the regular expression {text!r}", "write it with plainer constructs")


def _node(tree: Any) -> Node:
    read = _READERS.get(type(tree))
    if read is None:
        raise UnsupportedPromQL(f"the construct {type(tree).__name__}", "rewrite it with plain selectors and functions")
    return read(tree)


def _ns(span: timedelta) -> int:
    return ((span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds) * 1_000


def _refuse_at(tree: Any) -> None:
    if tree.at is not None:
        raise UnsupportedPromQL(f"the @ modifier in {tree}", "an indicator is evaluated at its own instant; use offset")


def _selector(tree: Any, *, range_ns: int | None) -> Selector:
    _refuse_at(tree)
    if tree.matchers.or_matchers:
        raise UnsupportedPromQL(f"'or' between matchers in {tree}", 'use a regular expression such as {a=~"b|c"}')
    metric = tree.name or ""
    matchers = []
    for found in tree.matchers.matchers:
        matcher = _matcher(found)
        if matcher.name == "__name__" and matcher.op == "=" and not metric:
            metric = matcher.value
        else:
            matchers.append(matcher)
    offset = _ns(tree.offset) if tree.offset is not None else 0
    return Selector(metric, tuple(matchers), range_ns, offset)


def _matcher(found: Any) -> Matcher:
    op = _MATCH_OPS[str(found.op).rpartition(".")[2]]
    if op in {"=", "!="}:
        return Matcher(found.name, op, found.value)
    try:
        return Matcher(found.name, op, found.value, Pattern.compile(found.value))
    except PatternError as problem:
        raise PromQLError(f"the matcher {found.name}{op}… cannot be used: {problem}") from problem


def _subquery(tree: Any) -> Subquery:
    _refuse_at(tree)
    step = _ns(tree.step) if tree.step is not None else None
    return Subquery(_node(tree.expr), _ns(tree.range), step, _ns(tree.offset) if tree.offset is not None else 0)


def _binary(tree: Any) -> Binary:
    op = str(tree.op)
    if op not in ARITHMETIC | COMPARISONS | SET_OPERATORS:
        raise UnsupportedPromQL(f"the operator {op}", operator_hint())
    modifier = tree.modifier
    if modifier is None:
        default: Cardinality = "many-to-many" if op in SET_OPERATORS else "one-to-one"
        return Binary(op, _node(tree.lhs), _node(tree.rhs), returns_bool=False, matching=Matching(default, False, (), ()))
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise UnsupportedPromQL("the modifier fill()", "use 'or' with a vector that has the missing label sets")
    on = modifier.matching is not None and modifier.matching.type == library.LabelModifierType.Include
    labels = tuple(modifier.matching.labels) if modifier.matching is not None else ()
    cardinality = _CARDINALITY[str(modifier.card).rpartition(".")[2]]
    matching = Matching(cardinality, on, labels, tuple(modifier.group_labels or ()))
    return Binary(op, _node(tree.lhs), _node(tree.rhs), returns_bool=modifier.return_bool, matching=matching)


def _aggregation(tree: Any) -> Aggregation:
    op = str(tree.op)
    if op not in AGGREGATIONS:
        raise UnsupportedPromQL(f"the aggregation {op}()", aggregation_hint(op))
    by, labels = True, ()
    if tree.modifier is not None:
        by = tree.modifier.type == library.AggModifierType.By
        labels = tuple(tree.modifier.labels)
    parameter = None if tree.param is None else _node(tree.param)
    return Aggregation(op, _node(tree.expr), by, labels, parameter)


def _call(tree: Any) -> Call:
    name = cast("str", tree.func.name)
    if name not in FUNCTIONS:
        raise UnsupportedPromQL(f"the function {name}()", function_hint(name))
    call = Call(name, tuple(_node(arg) for arg in tree.args))
    if name == "label_replace":
        _check_label_replace(call)
    return call


def _check_label_replace(call: Call) -> None:
    _, target, _, _, pattern = (arg.value if isinstance(arg, Text) else "" for arg in call.args)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", target):
        raise PromQLError(f"label_replace() writes to {target!r}, expected a label name")
    try:
        Pattern.compile(pattern)
    except PatternError as problem:
        raise PromQLError(f"label_replace() cannot use its pattern: {problem}") from problem


_READERS: Final[dict[type, Callable[[Any], Node]]] = {
    library.ParenExpr: lambda tree: _node(tree.expr),
    library.NumberLiteral: lambda tree: Number(tree.val),
    library.StringLiteral: lambda tree: Text(tree.val),
    library.VectorSelector: lambda tree: _selector(tree, range_ns=None),
    library.MatrixSelector: lambda tree: _selector(tree.vector_selector, range_ns=_ns(tree.range)),
    library.SubqueryExpr: _subquery,
    library.UnaryExpr: lambda tree: Negation(_node(tree.expr)),
    library.BinaryExpr: _binary,
    library.AggregateExpr: _aggregation,
    library.Call: _call,
}


def _refuse_steps(node: Node, *, outer: int, span_ns: int) -> None:
    """Refuse subqueries whose steps multiply beyond what a range query may have: they would look like a hang.

    ``outer``: how often the node is evaluated; ``span_ns``: over how long a time, all of which a subquery in it steps through.
    """
    if isinstance(node, Subquery):
        span_ns += node.range_ns
        if node.step_ns is not None:
            outer = max(outer * (node.range_ns // node.step_ns + 1), span_ns // node.step_ns + 1)
        if outer > _FULL_STEPS:
            raise PromQLError(f"the subqueries have {outer:,} steps, expected at most {_FULL_STEPS:,}; use a longer step")
    for child in children(node):
        _refuse_steps(child, outer=outer, span_ns=span_ns)
