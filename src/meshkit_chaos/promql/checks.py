"""What can be said about a query without data: its windows, its reach, whether it filters, whether it gives one element."""

from __future__ import annotations

from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.subset import RANGE_FUNCTIONS
from meshkit_chaos.promql.syntax import (
    COMPARISONS,
    SET_OPERATORS,
    Aggregation,
    Binary,
    Call,
    Negation,
    Node,
    Query,
    Selector,
    Subquery,
    children,
    kind_of,
    walk,
)

_DEFAULT = Settings()


def range_windows(query: Query) -> tuple[int, ...]:
    """Every range and subquery window in the query, in nanoseconds, outermost first."""
    spans = (node.range_ns for node in walk(query.root) if isinstance(node, Selector | Subquery))
    return tuple(span for span in spans if span is not None)


def reach_ns(query: Query, settings: Settings = _DEFAULT) -> int:
    """How far before the evaluated instant samples can matter: windows, offsets and the lookback, nested ones added up."""
    return max(0, _reach(query.root, settings))


def _reach(node: Node, settings: Settings) -> int:
    inner = max((_reach(child, settings) for child in children(node)), default=0)
    match node:
        case Selector():
            return node.offset_ns + (settings.lookback_ns if node.range_ns is None else node.range_ns)
        case Subquery():
            return node.offset_ns + node.range_ns + inner
        case _:
            return inner


def filtering_comparison(query: Query) -> str | None:
    """Describe the comparison without ``bool`` that decides whether the query gives a value at all; None where there is none.

    Such a query gives nothing where the comparison does not hold, so a band on its value sees only the series that satisfy it.
    """
    node = query.root
    while isinstance(node, Binary) and node.op in {"and", "unless"}:
        node = node.left
    if not isinstance(node, Binary) or node.op not in COMPARISONS or node.returns_bool or kind_of(node) == "scalar":
        return None
    return (
        f"'{node.op}' without bool filters: series that do not satisfy it vanish, so the query gives nothing instead of a bad "
        f"value; compare in the band, or write '{node.op} bool'"
    )


def fills_missing(query: Query) -> str | None:
    """Describe where the query makes a value out of no data (``or vector(0)``); None where it does not.

    Such a query has a value when nothing was measured, so its band is no evidence.
    """
    for node in walk(query.root):
        if isinstance(node, Binary) and node.op == "or" and _needs_no_data(node.right):
            return "'or vector(...)' puts a number where nothing was measured, so missing data looks like a measured value"
    if _needs_no_data(query.root):
        return "the query reads no series, so its value says nothing about the target"
    return None


def _needs_no_data(node: Node) -> bool:
    return not any(isinstance(inner, Selector) for inner in walk(node))


def surely_single(query: Query) -> bool:
    """Whether the result can never have more than one element, whatever the data. (It may have none.)"""
    return _single(query.root)


def _single(node: Node) -> bool:
    if kind_of(node) == "scalar" or _labels(node) == frozenset():
        return True
    match node:
        case Negation() | Subquery():
            return _single(node.body)
        case Aggregation():
            return _single(node.body)
        case Binary():
            return _single_binary(node)
        case Call(function="absent" | "absent_over_time" | "vector"):
            return True
        case Call():
            return _single(node.args[-1] if node.function in {*RANGE_FUNCTIONS, "histogram_quantile"} else node.args[0])
        case _:
            return False


def _single_binary(node: Binary) -> bool:
    """One-to-one gives at most as many results as its smaller side; group_left and the filters as many as their left."""
    if kind_of(node.left) == "scalar" or node.matching.cardinality == "one-to-many":
        return _single(node.right)
    if node.op in SET_OPERATORS:
        return node.op != "or" and _single(node.left)
    if kind_of(node.right) == "scalar" or node.matching.cardinality == "many-to-one":
        return _single(node.left)
    return _single(node.left) or _single(node.right)


def _labels(node: Node) -> frozenset[str] | None:
    """The labels that results can have at most; None where nothing is known."""
    match node:
        case Aggregation():
            return _aggregated_labels(node)
        case Negation() | Subquery():
            return _labels(node.body)
        case Call(function="vector"):
            return frozenset()
        case Call(function="label_replace"):
            inner = _labels(node.args[0])
            return None if inner is None else inner | _target(node)
        case Call(function="histogram_quantile"):
            inner = _labels(node.args[1])
            return None if inner is None else inner - {"le"}
        case Call() if node.args and node.function not in {"absent", "absent_over_time"}:
            return _labels(node.args[-1] if node.function in RANGE_FUNCTIONS else node.args[0])
        case Binary():
            return _binary_labels(node)
        case _:
            return None


def _target(node: Call) -> frozenset[str]:
    return frozenset(getattr(arg, "value", "") for arg in node.args[1:2])


def _aggregated_labels(node: Aggregation) -> frozenset[str] | None:
    inner = _labels(node.body)
    if node.op in {"topk", "bottomk"}:
        return inner
    if node.by:
        return frozenset(node.labels) if inner is None else inner & frozenset(node.labels)
    return None if inner is None else inner - frozenset(node.labels)


def _binary_labels(node: Binary) -> frozenset[str] | None:
    if node.op == "or":
        left, right = _labels(node.left), _labels(node.right)
        return None if left is None or right is None else left | right
    if kind_of(node.left) == "scalar":
        return _labels(node.right)
    if kind_of(node.right) == "scalar" or node.op in SET_OPERATORS:
        return _labels(node.left)
    many = _labels(node.right if node.matching.cardinality == "one-to-many" else node.left)
    if node.matching.cardinality == "one-to-one" and node.matching.on:
        on = frozenset(node.matching.labels)
        return on if many is None else many & on
    return None if many is None else many | frozenset(node.matching.include)
