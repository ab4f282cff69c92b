"""A query as frozen values: the expression tree of the subset, its selectors and label matchers. Spans are nanoseconds.

Parentheses are gone (the tree holds the precedence); ``@``, native histograms and everything else outside the subset have no
node here, so that the evaluator cannot meet them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from meshkit_chaos.promql.pattern import Pattern

MatchOp = Literal["=", "!=", "=~", "!~"]
Cardinality = Literal["one-to-one", "many-to-one", "one-to-many", "many-to-many"]
Kind = Literal["scalar", "vector", "matrix", "string"]

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
SET_OPERATORS = frozenset({"and", "or", "unless"})
ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher. An absent label has the empty value."""

    name: str
    op: MatchOp
    value: str
    pattern: Pattern | None = field(default=None, compare=False, repr=False)

    def matches(self, value: str) -> bool:
        if self.pattern is None:
            return (value == self.value) == (self.op == "=")
        return self.pattern.matches(value) == (self.op == "=~")

    def __str__(self) -> str:
        return f'{self.name}{self.op}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """``metric`` is empty where the name is not given by equality. ``range_ns`` is None for an instant selector."""

    metric: str
    matchers: tuple[Matcher, ...]
    range_ns: int | None = None
    offset_ns: int = 0


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclass(frozen=True, slots=True)
class Subquery:
    """``step_ns`` is None where the query leaves it to the server's default."""

    body: Node
    range_ns: int
    step_ns: int | None
    offset_ns: int


@dataclass(frozen=True, slots=True)
class Negation:
    body: Node


@dataclass(frozen=True, slots=True)
class Matching:
    """How two vectors meet: ``on`` (or else ignoring) ``labels``; ``include`` are the labels of group_left/group_right."""

    cardinality: Cardinality
    on: bool
    labels: tuple[str, ...]
    include: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: Node
    right: Node
    returns_bool: bool
    matching: Matching


@dataclass(frozen=True, slots=True)
class Aggregation:
    """``by`` tells ``by (labels)`` from ``without (labels)``; no clause at all is ``by ()``."""

    op: str
    body: Node
    by: bool
    labels: tuple[str, ...]
    parameter: Node | None


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    args: tuple[Node, ...]


Node = Selector | Number | Text | Subquery | Negation | Binary | Aggregation | Call

_SCALAR_FUNCTIONS = frozenset({"time", "scalar"})


def kind_of(node: Node) -> Kind:
    """Give the type of an expression, as Prometheus types it."""
    match node:
        case Number():
            return "scalar"
        case Text():
            return "string"
        case Subquery():
            return "matrix"
        case Selector():
            return "vector" if node.range_ns is None else "matrix"
        case Negation():
            return kind_of(node.body)
        case Binary():
            return "scalar" if kind_of(node.left) == kind_of(node.right) == "scalar" else "vector"
        case Aggregation():
            return "vector"
        case Call():
            return "scalar" if node.function in _SCALAR_FUNCTIONS else "vector"


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Subquery() | Negation():
            return (node.body,)
        case Binary():
            return (node.left, node.right)
        case Aggregation():
            return (node.body,) if node.parameter is None else (node.parameter, node.body)
        case Call():
            return node.args
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node, outermost first, left to right."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(reversed(children(current)))


@dataclass(frozen=True, slots=True)
class Query:
    """A checked query. ``text`` is as the author wrote it."""

    text: str
    root: Node = field(repr=False)
    selectors: tuple[Selector, ...]

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names that the query reads, sorted; a selector that names no metric (``{job="a"}``) adds nothing."""
        return tuple(sorted({selector.metric for selector in self.selectors if selector.metric}))

    @property
    def kind(self) -> Kind:
        return kind_of(self.root)

    @property
    def plain_selector(self) -> Selector | None:
        """The selector, where the whole query is one instant selector (what an event indicator needs)."""
        return self.root if isinstance(self.root, Selector) else None
