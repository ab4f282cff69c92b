"""Operators between two values: scalars, a vector and a scalar, two vectors matched by their labels.

Refuses ambiguous matching with an EvaluationError that shows both label sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshkit_chaos.promql.arithmetic import ARITHMETIC, COMPARE
from meshkit_chaos.promql.errors import EvaluationError
from meshkit_chaos.promql.labels import only, replaced, without, without_name
from meshkit_chaos.promql.series import Labels, label
from meshkit_chaos.promql.syntax import COMPARISONS, Binary, Matching
from meshkit_chaos.promql.value import Sample, show


def scalar_operation(op: str, left: float, right: float) -> float:
    if op in COMPARISONS:
        return 1.0 if COMPARE[op](left, right) else 0.0
    return ARITHMETIC[op](left, right)


def with_scalar(node: Binary, samples: Sequence[Sample], number: float, *, vector_left: bool) -> list[Sample]:
    """A vector against a number. A comparison that filters keeps the vector's value and name, whichever side it is on."""
    out: list[Sample] = []
    for labels, value in samples:
        left, right = (value, number) if vector_left else (number, value)
        if node.op not in COMPARISONS:
            out.append(Sample(without_name(labels), ARITHMETIC[node.op](left, right)))
        elif node.returns_bool:
            out.append(Sample(without_name(labels), 1.0 if COMPARE[node.op](left, right) else 0.0))
        elif COMPARE[node.op](left, right):
            out.append(Sample(labels, value))
    return out


def signature_of(matching: Matching) -> Callable[[Labels], Labels]:
    if matching.on:
        return lambda labels: only(labels, matching.labels)
    return lambda labels: without(labels, matching.labels)


def set_operation(node: Binary, left: Sequence[Sample], right: Sequence[Sample]) -> list[Sample]:
    signature = signature_of(node.matching)
    if node.op == "or":
        taken = {signature(sample.labels) for sample in left}
        return [*left, *(sample for sample in right if signature(sample.labels) not in taken)]
    present = {signature(sample.labels) for sample in right}
    return [sample for sample in left if (signature(sample.labels) in present) == (node.op == "and")]


def vector_operation(node: Binary, left: Sequence[Sample], right: Sequence[Sample]) -> list[Sample]:
    """Match each sample of the 'many' side (one-to-one: the left) with the one sample of the other side."""
    if not left or not right:
        return []  # before ambiguity is looked for, as Prometheus has it
    matching = node.matching
    swapped = matching.cardinality == "one-to-many"
    many, one = (right, left) if swapped else (left, right)
    signature = signature_of(matching)
    partners = _partners(node, one, signature)
    used: dict[Labels, dict[Labels, Labels]] = {}
    out: list[Sample] = []
    for sample in many:
        match = signature(sample.labels)
        partner = partners.get(match)
        if partner is None:
            continue
        value = _value(node, sample.value, partner.value, swapped=swapped)
        if value is None:
            continue
        labels = _result_labels(node, sample.labels, partner.labels)
        _refuse_second(node, used.setdefault(match, {}), labels, sample.labels)
        out.append(Sample(labels, value))
    return out


def _partners(node: Binary, one: Sequence[Sample], signature: Callable[[Labels], Labels]) -> dict[Labels, Sample]:
    partners: dict[Labels, Sample] = {}
    for sample in one:
        match = signature(sample.labels)
        if match in partners:
            side = "left" if node.matching.cardinality == "one-to-many" else "right"
            raise EvaluationError(
                f"'{node.op}' finds two series on its {side} side that match {show(match)}: "
                f"{show(partners[match].labels)} and {show(sample.labels)}; aggregate that side, or match on more labels"
            )
        partners[match] = sample
    return partners


def _value(node: Binary, many: float, one: float, *, swapped: bool) -> float | None:
    """None where a comparison filters the pair out."""
    left, right = (one, many) if swapped else (many, one)
    if node.op not in COMPARISONS:
        return ARITHMETIC[node.op](left, right)
    holds = COMPARE[node.op](left, right)
    if node.returns_bool:
        return 1.0 if holds else 0.0
    return left if holds else None


def _result_labels(node: Binary, many: Labels, one: Labels) -> Labels:
    matching = node.matching
    labels = many if node.op in COMPARISONS else without_name(many)
    if matching.cardinality == "one-to-one":
        if matching.on:
            labels = only(labels, matching.labels)
        else:
            labels = tuple(pair for pair in labels if pair[0] not in matching.labels)
    for name in matching.include:
        labels = replaced(labels, name, label(one, name))
    return without_name(labels) if node.returns_bool else labels


def _refuse_second(node: Binary, used: dict[Labels, Labels], result: Labels, source: Labels) -> None:
    """One-to-one: a match group may be used once. Many-to-one: each result once."""
    key = () if node.matching.cardinality == "one-to-one" else result
    if key in used:
        advice = (
            "say which side has many with group_left or group_right"
            if node.matching.cardinality == "one-to-one"
            else "the labels of group_left/group_right make them one"
        )
        raise EvaluationError(f"'{node.op}' matches both {show(used[key])} and {show(source)} to one series; {advice}")
    used[key] = source
