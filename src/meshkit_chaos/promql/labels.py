"""Label sets: projections, and the check that a result's are distinct."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from meshkit_chaos.promql.errors import EvaluationError
from meshkit_chaos.promql.series import Labels
from meshkit_chaos.promql.value import Sample, show


def without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != "__name__")


def only(labels: Labels, names: Collection[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in names)


def without(labels: Labels, names: Collection[str]) -> Labels:
    """All but the given labels and the metric name."""
    return tuple(pair for pair in labels if pair[0] not in names and pair[0] != "__name__")


def replaced(labels: Labels, name: str, value: str) -> Labels:
    """Set one label; the empty value takes it away."""
    rest = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*rest, (name, value)])) if value else tuple(rest)


def distinct(samples: Iterable[Sample], what: str) -> list[Sample]:
    """Give the samples, or raise EvaluationError where two have one label set."""
    out: list[Sample] = []
    seen: set[Labels] = set()
    for sample in samples:
        if sample.labels in seen:
            raise EvaluationError(
                f"{what} leaves two series with the same labels {show(sample.labels)}; "
                "aggregate over the label that told them apart, or select one"
            )
        seen.add(sample.labels)
        out.append(sample)
    return out
