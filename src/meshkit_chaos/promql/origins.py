"""Where values of an evaluation came from: which series became which result, and which part of a query made a value.

Takes the nodes of a query and label sets; gives words for messages. Refuses a result that two series would share, with an
EvaluationError that shows both.
"""

from __future__ import annotations

from meshkit_chaos.promql.errors import EvaluationError
from meshkit_chaos.promql.series import Labels
from meshkit_chaos.promql.syntax import Aggregation, Binary, Call, Node, Selector
from meshkit_chaos.promql.value import show


class Origins:
    """Which series each result of an expression came from, over all the steps at which the expression is evaluated.

    Keyed by the node itself and not by what it says: the same text in another place has steps of its own.
    """

    def __init__(self) -> None:
        self._known: dict[int, dict[Labels, Labels]] = {}

    def refuse_second(self, node: Node, result: Labels, source: Labels, what: str) -> None:
        """Raise EvaluationError where ``result`` came from another series before, at this step or an earlier one."""
        before = self._known.setdefault(id(node), {}).setdefault(result, source)
        if before != source:
            raise EvaluationError(
                f"{what} leaves two series with the same labels {show(result)}: {show(before)} and {show(source)}; "
                "aggregate over the label that told them apart, or select one"
            )


def origin_of(node: Node) -> str:
    """Where in a query a value came up: nothing for a selector, which its labels name."""
    match node:
        case Selector():
            return ""
        case Call():
            return f", from {node.function}()"
        case Aggregation():
            return f", from {node.op}"
        case Binary():
            return f", from '{node.op}'"
        case _:
            return ", in the query"
