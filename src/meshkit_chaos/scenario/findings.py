"""Where lint rules put what they find: a list of problems, each at the place that a key or value was written.

A rule knows a place as the keys and list positions that lead to it; only here does that become a line and a column.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from meshkit_chaos.errors import Problem, Severity
from meshkit_chaos.scenario.grammar_problems import position
from meshkit_chaos.scenario.grammar_shape import Place
from meshkit_chaos.scenario.rules import RULES
from meshkit_chaos.scenario.yaml_positions import Node


@dataclass(frozen=True, slots=True)
class Findings:
    """``problems`` grows; one list serves a whole document."""

    path: str
    root: Node
    problems: list[Problem] = field(default_factory=list)

    def say(
        self, rule: str, place: Place, message: str, *, hint: str = "", of_key: bool = False, severity: Severity | None = None
    ) -> None:
        """Add one problem, with the rule's own severity unless another is given."""
        line, column = position(self.root, place, of_key=of_key)
        weight = severity or RULES[rule].severity
        problem = Problem(path=self.path, line=line, column=column, rule=rule, message=message, hint=hint, severity=weight)
        self.problems.append(problem)

    def line(self, place: Place) -> int:
        return position(self.root, place)[0]


class At(Struct, frozen=True, gc=False):
    """A place in a document together with where findings go, so that rules need not carry both."""

    findings: Findings
    place: Place

    def below(self, *parts: str | int) -> At:
        return At(self.findings, (*self.place, *parts))

    def say(self, rule: str, message: str, *, hint: str = "", of_key: bool = False, severity: Severity | None = None) -> None:
        self.findings.say(rule, self.place, message, hint=hint, of_key=of_key, severity=severity)

    @property
    def line(self) -> int:
        return self.findings.line(self.place)
