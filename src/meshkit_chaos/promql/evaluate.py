"""Evaluate a query over recorded samples at one instant, with Prometheus's semantics.

Takes a ``Query``, a ``Storage`` and an instant (integer nanoseconds on the storage's time line); gives a ``Scalar`` or
``Vector``. Refuses ambiguous matching, duplicate results and work beyond a bound with an ``EvaluationError``. Times become
seconds only where PromQL shows them (``time()``, ``timestamp()``, rates).

Prometheus evaluates each expression over all its steps before what is around it. So do not join what it would not: range
functions and the unary minus refuse two series that become alike even at different steps of a subquery (``origins``); since
version 3, so does ``label_replace``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from meshkit_chaos.promql.aggregate import aggregate
from meshkit_chaos.promql.arithmetic import MATHS, quantile
from meshkit_chaos.promql.errors import EvaluationError
from meshkit_chaos.promql.functions import VECTOR_FUNCTIONS, absent, label_replace
from meshkit_chaos.promql.histogram import histogram_quantile
from meshkit_chaos.promql.inputs import Export, Inputs, valueless
from meshkit_chaos.promql.labels import distinct, without_name
from meshkit_chaos.promql.matching import scalar_operation, set_operation, vector_operation, with_scalar
from meshkit_chaos.promql.origins import Origins, origin_of
from meshkit_chaos.promql.rates import RATES
from meshkit_chaos.promql.selection import Selection, latest, window
from meshkit_chaos.promql.series import Labels, Storage
from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.subset import MATHS_FUNCTIONS, RANGE_FUNCTIONS
from meshkit_chaos.promql.syntax import (
    SET_OPERATORS,
    Aggregation,
    Binary,
    Call,
    Negation,
    Node,
    Number,
    Query,
    Selector,
    Subquery,
    Text,
    kind_of,
)
from meshkit_chaos.promql.value import NoData, Sample, Scalar, Vector, show, single
from meshkit_chaos.promql.window import OVER_TIME, Window

_SECOND: Final = 10**9
_MOST_SAMPLES: Final = 5_000_000
_MOST_STEPS: Final = 11_000
_DEFAULT: Final = Settings()


def evaluate(query: Query, storage: Storage, at_ns: int, settings: Settings = _DEFAULT) -> Scalar | Vector:
    """Evaluate once. For many instants over one storage, keep an ``Evaluator``. Raises EvaluationError."""
    return Evaluator(query, settings).at(storage, at_ns)


class Evaluator:
    """A query made ready to be evaluated at many instants: it remembers which series its selectors mean."""

    def __init__(self, query: Query, settings: Settings = _DEFAULT) -> None:
        self.query = query
        self.settings = settings
        self.inputs = Inputs(query)
        self._selections = {selector: Selection(selector) for selector in query.selectors}
        self._valueless = valueless(query)

    def at(self, storage: Storage, at_ns: int) -> Scalar | Vector:
        """The query's value at one instant. Raises EvaluationError."""
        return self._evaluated(storage, at_ns)[0]

    def number(self, storage: Storage, at_ns: int, *, skip_nan: bool = False) -> float | NoData:
        """The one finite number that an indicator needs, or why there is none.

        There is none where anything on the way to it was not a number, although ``min``, ``max``, ``topk`` and comparisons
        skip that: one bad member must not hide behind the others. ``skip_nan``: the author wants it skipped.
        """
        try:
            value, nan = self._evaluated(storage, at_ns)
        except EvaluationError as error:
            return NoData(f"the query cannot be evaluated: {error}")
        found = single(value, text=self.query.text)
        return NoData(nan) if nan and not skip_nan and not isinstance(found, NoData) else found

    def exported(self, storage: Storage, at_ns: int) -> frozenset[Export]:
        """Which member exports which of the query's metrics at one instant."""
        return self.inputs.exported(storage, at_ns, self.settings)

    def _evaluated(self, storage: Storage, at_ns: int) -> tuple[Scalar | Vector, str]:
        """The value, and where on the way to it the first thing was that is not a number."""
        one = _Evaluation(storage, self.settings, self._selections, self._valueless)
        if self.query.kind == "scalar":
            return Scalar(one.number(self.query.root, at_ns)), one.nan
        return Vector(tuple(one.vector(self.query.root, at_ns))), one.nan


class _Evaluation:
    """One evaluation. Methods take a node and the instant it is seen at (subqueries and offsets move it)."""

    def __init__(
        self, storage: Storage, settings: Settings, selections: dict[Selector, Selection], valueless: frozenset[int]
    ) -> None:
        self._storage = storage
        self._settings = settings
        self._selections = selections
        self._valueless = valueless
        self.nan = ""
        self._left = _MOST_SAMPLES
        self._origins = Origins()
        self._next_step: dict[int, int] = {}  # of each subquery, behind the last range that was asked for

    def _spend(self, samples: int) -> None:
        self._left -= samples
        if self._left < 0:
            raise EvaluationError(
                f"the query reads more than {_MOST_SAMPLES:,} samples; shorten its ranges or lengthen its steps"
            )

    def _note_nan(self, node: Node, labels: Labels) -> None:
        self.nan = self.nan or f"{show(labels) if labels else 'a number'} is NaN{origin_of(node)}"

    def number(self, node: Node, at_ns: int) -> float:
        value = self._number(node, at_ns)
        if math.isnan(value):
            self._note_nan(node, ())
        return value

    def _number(self, node: Node, at_ns: int) -> float:
        match node:
            case Number():
                return node.value
            case Negation():
                return -self.number(node.body, at_ns)
            case Binary():
                return scalar_operation(node.op, self.number(node.left, at_ns), self.number(node.right, at_ns))
            case Call(function="time"):
                return at_ns / _SECOND
            case Call(function="scalar"):
                found = self.vector(node.args[0], at_ns)
                return found[0].value if len(found) == 1 else math.nan
            case _:
                raise AssertionError(f"not a scalar: {node}")

    def vector(self, node: Node, at_ns: int) -> list[Sample]:
        samples = self._vector(node, at_ns)
        if not self.nan and id(node) not in self._valueless:
            for labels, value in samples:
                if math.isnan(value):
                    self._note_nan(node, labels)
                    break
        return samples

    def _vector(self, node: Node, at_ns: int) -> list[Sample]:
        match node:
            case Selector():
                return [Sample(labels, value) for labels, _, value in self._instant(node, at_ns)]
            case Negation():
                negated = ((labels, -value) for labels, value in self.vector(node.body, at_ns))
                return self._nameless(node, negated, "the unary minus")
            case Binary():
                return distinct(self._binary(node, at_ns), f"the operator '{node.op}'")
            case Aggregation():
                parameter = None if node.parameter is None else self.number(node.parameter, at_ns)
                return aggregate(node, self.vector(node.body, at_ns), parameter)
            case Call() if node.function in RANGE_FUNCTIONS:
                return self._over_range(node, at_ns)
            case Call():
                return distinct(self._call(node, at_ns), f"{node.function}()")
            case _:
                raise AssertionError(f"not a vector: {node}")

    def _nameless(self, node: Node, results: Iterable[tuple[Labels, float]], what: str) -> list[Sample]:
        """Results without the metric's name, each from one series: the same one at every step."""
        out = []
        for source, value in results:
            labels = without_name(source)
            self._origins.refuse_second(node, labels, source, what)
            out.append(Sample(labels, value))
        return out

    def _instant(self, selector: Selector, at_ns: int) -> list[tuple[Labels, int, float]]:
        series = self._selections[selector].of(self._storage)
        self._spend(len(series))
        out = []
        for labels, one in series:
            if found := latest(one, at_ns - selector.offset_ns, self._settings):
                out.append((labels, *found))
        return out

    def _binary(self, node: Binary, at_ns: int) -> list[Sample]:
        if kind_of(node.right) == "scalar":
            number = self.number(node.right, at_ns)
            return with_scalar(node, self.vector(node.left, at_ns), number, vector_left=True)
        if kind_of(node.left) == "scalar":
            number = self.number(node.left, at_ns)
            return with_scalar(node, self.vector(node.right, at_ns), number, vector_left=False)
        operation = set_operation if node.op in SET_OPERATORS else vector_operation
        return operation(node, self.vector(node.left, at_ns), self.vector(node.right, at_ns))

    def _call(self, node: Call, at_ns: int) -> list[Sample]:
        match node.function:
            case "vector":
                return [Sample((), self.number(node.args[0], at_ns))]
            case "timestamp":
                return self._timestamps(node.args[0], at_ns)
            case "absent":
                return absent(node.args[0], present=bool(self.vector(node.args[0], at_ns)))
            case "label_replace":
                texts = [arg.value for arg in node.args[1:] if isinstance(arg, Text)]
                return self._relabelled(node, self.vector(node.args[0], at_ns), texts)
            case "histogram_quantile":
                return histogram_quantile(self.number(node.args[0], at_ns), self.vector(node.args[1], at_ns))
        samples = self.vector(node.args[0], at_ns)
        if node.function in MATHS_FUNCTIONS:
            change = MATHS[node.function]
            return [Sample(without_name(labels), change(value)) for labels, value in samples]
        numbers = [self.number(arg, at_ns) for arg in node.args[1:]]
        return VECTOR_FUNCTIONS[node.function](samples, numbers)

    def _relabelled(self, node: Call, samples: list[Sample], texts: list[str]) -> list[Sample]:
        """Version 3 replaces labels of whole series, version 2 step by step."""
        changed = label_replace(samples, *texts)
        if not self._settings.closed:
            for before, after in zip(samples, changed, strict=True):
                self._origins.refuse_second(node, after.labels, before.labels, "label_replace()")
        return changed

    def _timestamps(self, node: Node, at_ns: int) -> list[Sample]:
        """Of a selector, when its samples were taken; of any other expression, when it is evaluated."""
        if isinstance(node, Selector):
            return [Sample(without_name(labels), time / _SECOND) for labels, time, _ in self._instant(node, at_ns)]
        return [Sample(without_name(labels), at_ns / _SECOND) for labels, _ in self.vector(node, at_ns)]

    def _over_range(self, node: Call, at_ns: int) -> list[Sample]:
        windows = self._windows(node.args[-1], at_ns)
        name = node.function
        if name == "absent_over_time":
            return absent(node.args[-1], present=bool(windows))
        if name == "last_over_time":  # the one range function that keeps the metric's name
            return [Sample(one.labels, one.values[-1]) for one in windows]
        results = self._reduced(node, windows, at_ns)
        return self._nameless(node, results, f"{name}()")

    def _reduced(self, node: Call, windows: Iterable[Window], at_ns: int) -> list[tuple[Labels, float]]:
        name = node.function
        if name == "quantile_over_time":
            q = self.number(node.args[0], at_ns)
            return [(one.labels, quantile(q, one.values)) for one in windows]
        if name in OVER_TIME:
            return [(one.labels, OVER_TIME[name](one.values)) for one in windows]
        rates = ((one.labels, RATES[name](one, self._settings)) for one in windows)
        return [(labels, value) for labels, value in rates if value is not None]

    def _windows(self, node: Node, at_ns: int) -> list[Window]:
        if isinstance(node, Subquery):
            return self._steps(node, at_ns)
        assert isinstance(node, Selector), node
        assert node.range_ns is not None, node
        end = at_ns - node.offset_ns
        out = []
        for labels, series in self._selections[node].of(self._storage):
            found = window(series, labels, start_ns=end - node.range_ns, end_ns=end, settings=self._settings)
            if found is not None:
                self._spend(len(found.times))
                if not self.nan and id(node) not in self._valueless and any(map(math.isnan, found.values)):
                    self._note_nan(node, labels)
                out.append(found)
        return out

    def _steps(self, node: Subquery, at_ns: int) -> list[Window]:
        """Evaluate the body at every multiple of the step inside the range: steps are aligned to time, not to the query."""
        step = node.step_ns or self._settings.subquery_step_ns
        end = at_ns - node.offset_ns
        start = end - node.range_ns
        if node.range_ns // step > _MOST_STEPS:
            raise EvaluationError(f"a subquery has {node.range_ns // step:,} steps, expected at most {_MOST_STEPS:,}")
        first = -(-start // step) * step
        if first == start and not self._settings.closed:
            first += step
        for time in range(self._next_step.get(id(node), first), first, step):
            self.vector(node.body, time)  # between two ranges of this subquery: in none, but the server refuses what is wrong
            self._spend(1)
        self._next_step[id(node)] = end // step * step + step
        found: dict[Labels, Window] = {}
        for time in range(first, end + 1, step):
            samples = self.vector(node.body, time)
            self._spend(len(samples) + 1)
            for labels, value in samples:
                one = found.setdefault(labels, Window(labels, [], [], start, end))
                one.times.append(time)
                one.values.append(value)
        return list(found.values())
