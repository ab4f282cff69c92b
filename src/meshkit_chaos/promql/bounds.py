"""What values a query can have, whatever the data, against a band: an objective that cannot fail (or hold) is a mistake.

Takes a query and a band; gives a sentence, or None where nothing can be said. Only what follows from the query's own shape
counts: a filter (``x == 0`` is 0 or nothing), a comparison with ``bool`` (0 or 1), ``absent`` (1 or nothing), ``count``
(at least 1 or nothing). Nothing at all is unknown, never bad, so a query that turns its bad case into nothing cannot fail.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.promql.syntax import COMPARISONS, Aggregation, Binary, Call, Negation, Node, Number, Query, Subquery, kind_of
from meshkit_chaos.slo.band import Band

_FLIPPED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_CHOOSES: Final = frozenset({"min", "max", "topk", "bottomk"})
_BETWEEN: Final = frozenset({"avg"})
_WITHIN_TIME: Final = frozenset({"min_over_time", "max_over_time", "last_over_time"})


@dataclass(frozen=True, slots=True)
class Reach:
    """The values that a query may have: single ``points``, or an interval whose ends may be left out, less one ``hole``."""

    low: float
    high: float
    open_low: bool = False
    open_high: bool = False
    points: frozenset[float] | None = None
    hole: float | None = None

    def witnesses(self, edges: tuple[float, ...]) -> list[float]:
        """Values inside, enough to show both sides of every edge that the interval crosses."""
        if self.points is not None:
            return sorted(self.points)
        near = [value for edge in (*edges, self.low, self.high) for value in _around(edge)]
        return [value for value in near if self._has(value)]

    def _has(self, value: float) -> bool:
        if value == self.hole or math.isinf(value):
            return False
        above = value > self.low or (value == self.low and not self.open_low)
        return above and (value < self.high or (value == self.high and not self.open_high))


def never_bad(query: Query, band: Band) -> str | None:
    """Say why the query's value can never be outside the band; None where it may be."""
    return _against(query, band, wanted="bad", cannot="fail")


def never_good(query: Query, band: Band) -> str | None:
    """Say why the query's value can never be inside the band; None where it may be."""
    return _against(query, band, wanted="good", cannot="hold")


def _against(query: Query, band: Band, *, wanted: str, cannot: str) -> str | None:
    found = _reach(query.root)
    if found is None:
        return None
    reach, why = found
    edges = (band.value,) if band.upper is None else (band.value, band.upper)
    if any(band.assess(value) == wanted for value in reach.witnesses(edges)):
        return None
    return f"this objective cannot {cannot}: {why}, against the band '{band}'"


def _around(edge: float) -> tuple[float, ...]:
    if math.isinf(edge):
        return ()
    step = max(abs(edge) * 1e-9, 1e-9)
    return edge - 1 - step, edge - step, edge, edge + step, edge + 1 + step


def _reach(node: Node) -> tuple[Reach, str] | None:
    match node:
        case Number():
            return Reach(node.value, node.value, points=frozenset({node.value})), f"it is always {node.value:g}"
        case Negation():
            return _negated(_reach(node.body))
        case Binary(op="and" | "unless"):
            return _reach(node.left)
        case Binary():
            return _comparison(node)
        case Aggregation():
            return _aggregation(node)
        case Call():
            return _call(node)
        case _:
            return None


def _call(node: Call) -> tuple[Reach, str] | None:
    if node.function in {"absent", "absent_over_time", "present_over_time"}:
        return Reach(1, 1, points=frozenset({1.0})), f"{node.function}() gives 1 or nothing"
    if node.function == "count_over_time":
        return Reach(1, math.inf), "count_over_time() gives at least 1, or nothing"
    if node.function in _WITHIN_TIME and isinstance(node.args[-1], Subquery):
        return _reach(node.args[-1].body)
    return None


def _negated(found: tuple[Reach, str] | None) -> tuple[Reach, str] | None:
    if found is None:
        return None
    reach, why = found
    points = None if reach.points is None else frozenset(-point for point in reach.points)
    hole = None if reach.hole is None else -reach.hole
    return Reach(-reach.high, -reach.low, reach.open_high, reach.open_low, points, hole), why


def _comparison(node: Binary) -> tuple[Reach, str] | None:
    if node.op not in COMPARISONS:
        return None
    if node.returns_bool or kind_of(node) == "scalar":
        return Reach(0, 1, points=frozenset({0.0, 1.0})), f"'{node.op} bool' gives 0 or 1"
    left, right, op = node.left, node.right, node.op
    if isinstance(left, Number):
        left, right, op = right, left, _FLIPPED[op]
    if not isinstance(right, Number) or math.isnan(right.value):
        return None
    return _filtered(op, right.value), f"'{op} {right.value:g}' without bool gives such a value or nothing"


def _filtered(op: str, limit: float) -> Reach:
    match op:
        case "==":
            return Reach(limit, limit, points=frozenset({limit}))
        case "!=":
            return Reach(-math.inf, math.inf, hole=limit)
        case "<" | "<=":
            return Reach(-math.inf, limit, open_high=op == "<")
        case _:
            return Reach(limit, math.inf, open_low=op == ">")


def _aggregation(node: Aggregation) -> tuple[Reach, str] | None:
    if node.op == "count":
        return Reach(1, math.inf), "count() gives at least 1, or nothing where nothing is left to count"
    if node.op == "group":
        return Reach(1, 1, points=frozenset({1.0})), "group() gives 1 or nothing"
    found = _reach(node.body)
    if node.op in _CHOOSES or found is None:
        return found if node.op in _CHOOSES else None
    reach, why = found
    if node.op == "sum" and reach.points == frozenset({0.0}):
        return found
    if node.op in _BETWEEN and reach.hole is None:
        if reach.points is not None and len(reach.points) > 1:
            return Reach(min(reach.points), max(reach.points)), why
        return reach, why
    return None
