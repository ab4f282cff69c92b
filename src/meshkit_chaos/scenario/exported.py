"""What a target exports, and whether queries fit it: metric names, label names, label values.

Takes the series of a page (saved, or fetched by whoever calls) and the facts of a query; adds findings. A name that is not
there is an error; a value that is not there now may come later, so it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.promql import Labels, Matcher, Query, Selector
from meshkit_chaos.promql.syntax import Aggregation, walk
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names

_ADDED: Final = frozenset({"instance", "member", "job"})
"""Labels that whoever scrapes adds."""
_MOST_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """``series``: the label sets (without the name) of each metric. ``where``: the page, for messages."""

    where: str
    series: Mapping[str, tuple[dict[str, str], ...]]

    @classmethod
    def of(cls, labels: Iterable[Labels], *, where: str) -> Exported:
        found: dict[str, list[dict[str, str]]] = {}
        for pairs in labels:
            own = dict(pairs)
            found.setdefault(own.pop("__name__"), []).append(own)
        return cls(where=where, series={name: tuple(several) for name, several in found.items()})

    def label_names(self, metrics: Iterable[str]) -> frozenset[str]:
        return frozenset(name for metric in metrics for labels in self.series.get(metric, ()) for name in labels) | _ADDED


def lint_exported(query: Query, exported: Exported, *, known: frozenset[str], at: At) -> None:
    """``known``: metrics that are there without being exported (``up``)."""
    for selector in query.selectors:
        if not selector.metric or selector.metric in known:
            continue
        if selector.metric not in exported.series:
            at.say("MC104", f"{exported.where} does not export {selector.metric}", hint=_near(selector.metric, exported.series))
            continue
        for matcher in selector.matchers:
            _lint_matcher(matcher, selector, exported, at=at)
    _lint_groups(query, exported, known=known, at=at)


def _lint_matcher(matcher: Matcher, selector: Selector, exported: Exported, *, at: At) -> None:
    if matcher.name == "__name__" or matcher.name in _ADDED:
        return
    names = exported.label_names([selector.metric])
    if matcher.name not in names:
        at.say("MC131", f"{selector.metric} has no label {matcher.name!r} in {exported.where}", hint=_near(matcher.name, names))
        return
    values = {labels.get(matcher.name, "") for labels in exported.series[selector.metric]}
    if not any(matcher.matches(value) for value in values):
        message = f"no series of {selector.metric} in {exported.where} fits {matcher}"
        at.say("MC131", message, hint=_near(matcher.value, values - {""}), severity="warning")


def _lint_groups(query: Query, exported: Exported, *, known: frozenset[str], at: At) -> None:
    metrics = [name for name in query.metric_names if name in exported.series]
    if not metrics or set(query.metric_names) & known:
        return
    names = exported.label_names(metrics)
    for node in walk(query.root):
        for label in node.labels if isinstance(node, Aggregation) and node.by else ():
            if label not in names:
                message = f"the query groups by {label!r}, which no series of {', '.join(metrics)} has in {exported.where}"
                at.say("MC131", message, hint=_near(label, names), severity="warning")


def _near(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = close_names(name, names)
    return f"did you mean {near[0]}?" if near else f"there are: {', '.join(names[:_MOST_SHOWN]) or 'none'}"
