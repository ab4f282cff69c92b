"""What a query reads, and who exports it: so that one series which is missing is not overlooked behind the others.

Takes a query, a ``Storage`` and an instant; gives which member exports which of its metrics, and, against what was exported
before, what is gone. An aggregation skips a series that is not there, as Prometheus has it: ``min(x)`` of two members looks
like one of three. What measures presence itself (``absent``, ``count(x)``, the right side of ``unless``) needs no watching.
Refuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import Final

from meshkit_chaos.promql.selection import Selection, latest
from meshkit_chaos.promql.series import Storage, label
from meshkit_chaos.promql.settings import Settings
from meshkit_chaos.promql.syntax import Aggregation, Binary, Call, Node, Query, Selector, children

Export = tuple[str, str]
"""A metric, and the member that exports it."""

_OF_COUNTERS: Final = frozenset({"rate", "increase", "irate", "resets"})
_COUNTER_ENDINGS: Final = ("_total", "_count", "_sum", "_bucket")
_COUNT_THEIRS: Final = frozenset({"absent", "absent_over_time"})
_VALUELESS_CALLS: Final = frozenset({"absent", "absent_over_time", "count_over_time", "present_over_time", "timestamp"})
_VALUELESS_AGGREGATIONS: Final = frozenset({"count", "group"})


class Inputs:
    """The metrics that a query needs from every member that has them, with those among them that are counters.

    Counters are often created with their first event: a process that was started anew may rightly have none.
    """

    def __init__(self, query: Query) -> None:
        needed = dict.fromkeys(_needed(query.root))
        self._metrics = tuple(sorted({selector.metric for selector in needed if selector.metric}))
        self._nameless = tuple((_shown(selector), Selection(selector)) for selector in needed if not selector.metric)
        rated = {selector.metric for selector in _counters(query.root)}
        self.counters = frozenset(name for name in self._metrics if name in rated or name.endswith(_COUNTER_ENDINGS))

    def exported(self, storage: Storage, at_ns: int, settings: Settings) -> frozenset[Export]:
        """Who exports what at an instant. A metric counts with any labels: those of a member's may come and go."""
        found: set[Export] = set()
        for metric in self._metrics:
            for series in storage.named(metric):
                export = (metric, label(series.labels, "member"))
                if export not in found and export[1] and latest(series, at_ns, settings) is not None:
                    found.add(export)
        for shown, selection in self._nameless:
            live = (labels for labels, series in selection.of(storage) if latest(series, at_ns, settings) is not None)
            found |= {(shown, member) for labels in live if (member := label(labels, "member"))}
        return frozenset(found)

    def unbroken(self, storage: Storage, until_ns: int, settings: Settings) -> bool:
        """Whether no series ever goes once it was there: a quick look that spares a slow one at every instant."""
        several = (series for metric in self._metrics for series in storage.named(metric))
        return not self._nameless and all(
            series.times[-1] > until_ns - settings.lookback_ns and not any(map(math.isnan, series.values)) for series in several
        )

    def gone(
        self,
        expected: Collection[Export],
        now: Collection[Export],
        *,
        held: Collection[str],
        restarted: Collection[str],
    ) -> str:
        """What of ``expected`` is not there, in a sentence; empty where nothing is.

        ``held``: members of which a fault makes absence a fact; ``restarted``: those whose counters may begin anew.
        """
        missing = sorted(
            (metric, member)
            for metric, member in set(expected) - set(now)
            if member not in held and not (metric in self.counters and member in restarted)
        )
        if not missing:
            return ""
        (metric, member), more = missing[0], f" (and {len(missing) - 1} more like it)" if len(missing) > 1 else ""
        return f"{member} answers and no longer exports {metric}{more}; say `missing: skip` if that is normal"


def valueless(query: Query) -> frozenset[int]:
    """The selectors, by ``id``, of which only the presence is read: that they are not a number does not matter there."""
    return frozenset(id(node) for node in _valueless(query.root))


def _valueless(node: Node) -> Iterator[Node]:
    match node:
        case Call() if node.function in _VALUELESS_CALLS:
            yield from (arg for arg in node.args if isinstance(arg, Selector))
        case Aggregation() if node.op in _VALUELESS_AGGREGATIONS and isinstance(node.body, Selector):
            yield node.body
        case Binary() if node.op in {"and", "unless"} and isinstance(node.right, Selector):
            yield node.right
    for child in children(node):
        yield from _valueless(child)


def _needed(node: Node) -> Iterator[Selector]:
    """The selectors whose absence would go unnoticed."""
    match node:
        case Selector():
            yield node
        case Call() if node.function in _COUNT_THEIRS:
            return
        case Aggregation() if node.op in _VALUELESS_AGGREGATIONS and isinstance(node.body, Selector):
            return
        case Binary(op="unless"):
            yield from _needed(node.left)
        case _:
            for child in children(node):
                yield from _needed(child)


def _counters(node: Node) -> Iterator[Selector]:
    if isinstance(node, Call) and node.function in _OF_COUNTERS:
        yield from (arg for arg in node.args if isinstance(arg, Selector))
    for child in children(node):
        yield from _counters(child)


def _shown(selector: Selector) -> str:
    return f"{{{', '.join(map(str, selector.matchers))}}}"
