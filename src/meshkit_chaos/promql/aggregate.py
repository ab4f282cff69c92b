"""Aggregation over labels: groups of samples to one sample each (topk and bottomk: to a choice of them)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from meshkit_chaos.promql.arithmetic import compensated_sum, largest, mean, quantile, smallest, variance
from meshkit_chaos.promql.errors import EvaluationError
from meshkit_chaos.promql.labels import only, without
from meshkit_chaos.promql.series import Labels
from meshkit_chaos.promql.syntax import Aggregation
from meshkit_chaos.promql.value import Sample

_INT64: Final = 2**63

REDUCE: Final[dict[str, Callable[[list[float]], float]]] = {
    "sum": compensated_sum,
    "min": smallest,
    "max": largest,
    "avg": mean,
    "count": lambda values: float(len(values)),
    "group": lambda values: 1.0 if values else math.nan,
    "stddev": lambda values: math.sqrt(variance(values)),
    "stdvar": variance,
}


def aggregate(node: Aggregation, samples: Iterable[Sample], parameter: float | None) -> list[Sample]:
    """No samples give no groups, hence nothing: an aggregation never makes a value out of no data."""
    groups: dict[Labels, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[_group(node, sample.labels)].append(sample)
    if node.op in {"topk", "bottomk"}:
        most = _whole(node.op, parameter)
        return [sample for members in groups.values() for sample in _extreme(node.op, most, members)]
    if node.op == "quantile":
        q = math.nan if parameter is None else parameter
        return [Sample(labels, quantile(q, (one.value for one in members))) for labels, members in groups.items()]
    reduce = REDUCE[node.op]
    return [Sample(labels, reduce([one.value for one in members])) for labels, members in groups.items()]


def _group(node: Aggregation, labels: Labels) -> Labels:
    if node.by:
        return only(labels, node.labels) if node.labels else ()
    return without(labels, node.labels)


def _whole(op: str, parameter: float | None) -> int:
    if parameter is None or not -_INT64 <= parameter < _INT64:  # NaN fails both
        raise EvaluationError(f"{op}() was told to keep {parameter} series, expected a whole number")
    return int(parameter)


def _extreme(op: str, most: int, members: list[Sample]) -> list[Sample]:
    """The ``most`` largest (smallest) samples; NaN counts as worse than any value, ties go by label set."""
    direction = -1.0 if op == "topk" else 1.0

    def order(sample: Sample) -> tuple[bool, float, Labels]:
        unknown = math.isnan(sample.value)
        return unknown, 0.0 if unknown else direction * sample.value, sample.labels

    return sorted(members, key=order)[: max(0, most)]
