"""Functions over instant vectors that are more than one formula per sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from meshkit_chaos.promql.arithmetic import maximum, minimum, round_to
from meshkit_chaos.promql.labels import replaced, without_name
from meshkit_chaos.promql.pattern import Pattern
from meshkit_chaos.promql.series import Labels, label
from meshkit_chaos.promql.syntax import Node, Selector
from meshkit_chaos.promql.value import Sample

_Numbers = Sequence[float]


def _each(samples: Sequence[Sample], change: Callable[[float], float]) -> list[Sample]:
    return [Sample(without_name(labels), change(value)) for labels, value in samples]


def _round(samples: Sequence[Sample], numbers: _Numbers) -> list[Sample]:
    nearest = numbers[0] if numbers else 1.0
    return _each(samples, lambda value: round_to(value, nearest))


def _clamp(samples: Sequence[Sample], numbers: _Numbers) -> list[Sample]:
    low, high = numbers
    if high < low:
        return []
    return _each(samples, lambda value: maximum(low, minimum(high, value)))


VECTOR_FUNCTIONS: Final[dict[str, Callable[[Sequence[Sample], _Numbers], list[Sample]]]] = {
    "round": _round,
    "clamp": _clamp,
    "clamp_min": lambda samples, numbers: _each(samples, lambda value: maximum(numbers[0], value)),
    "clamp_max": lambda samples, numbers: _each(samples, lambda value: minimum(numbers[0], value)),
}


def absent(node: Node, *, present: bool) -> list[Sample]:
    """One sample of value 1 where nothing is there, with the labels that the selector fixes by equality."""
    return [] if present else [Sample(_fixed_labels(node), 1.0)]


def _fixed_labels(node: Node) -> Labels:
    """A label named by two matchers is not fixed, except that a first equality after another kind of matcher stands."""
    fixed: dict[str, str] = {}
    once: set[str] = set()
    for matcher in node.matchers if isinstance(node, Selector) else ():
        if matcher.name == "__name__":
            continue
        if matcher.op == "=" and matcher.name not in once:
            fixed[matcher.name] = matcher.value
            once.add(matcher.name)
        else:
            fixed.pop(matcher.name, None)
    return tuple(sorted((name, value) for name, value in fixed.items() if value))


def label_replace(samples: Sequence[Sample], target: str, template: str, source: str, pattern: str) -> list[Sample]:
    """Where ``pattern`` matches the whole ``source`` label, set ``target`` to the filled template; else leave it alone."""
    compiled = Pattern.compile(pattern)
    out: list[Sample] = []
    for labels, value in samples:
        groups = compiled.groups(label(labels, source))
        filled = labels if groups is None else replaced(labels, target, compiled.expand(template, groups))
        out.append(Sample(filled, value))
    return out
