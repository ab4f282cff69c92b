"""The frozen plan: a graph of nodes, each started when all that it comes after are done.

It holds all that a run and a judge need.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.faults import LeverName
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import FaultStep, Scenario
from meshkit_chaos.slo import Duration


class InjectNode(Struct, frozen=True, kw_only=True, tag_field="node", tag="inject"):
    """Resolve the target, then inject. ``deadline``: after the intent, when the watchdog undoes it whatever happens."""

    id: str
    after: tuple[str, ...]
    step: FaultStep
    deadline: Duration


class HoldNode(Struct, frozen=True, kw_only=True, tag_field="node", tag="hold"):
    """Wait a while (a step's hold, or a wait step)."""

    id: str
    after: tuple[str, ...]
    lasting: Duration


class AdjustNode(Struct, frozen=True, kw_only=True, tag_field="node", tag="adjust"):
    """Change the injection of the node ``injection`` while it is held: the same members, other parameters, the same undo."""

    id: str
    after: tuple[str, ...]
    injection: str
    step: FaultStep


class UntilNode(Struct, frozen=True, kw_only=True, tag_field="node", tag="until"):
    """Wait until an indicator is good, or bad."""

    id: str
    after: tuple[str, ...]
    indicator: str
    timeout: Duration
    or_go_on: bool
    state: Literal["good", "bad"] = "good"


class RevertNode(Struct, frozen=True, kw_only=True, tag_field="node", tag="revert"):
    """Undo the injection of the node ``injection``."""

    id: str
    after: tuple[str, ...]
    injection: str


Node = InjectNode | HoldNode | UntilNode | RevertNode | AdjustNode


class Capabilities(Struct, frozen=True, kw_only=True):
    """What an environment can do, said before planning: its members and the levers it has for each of them.

    ``tells_identity``: whether it can be seen that a member was replaced by another process.
    """

    members: tuple[str, ...]
    levers: tuple[LeverName, ...]
    roles: tuple[str, ...] = ()
    tells_identity: bool = True


class Plan(Struct, frozen=True, kw_only=True):
    """``sample_lag``: how long after an instant its round may become known; 0 where the members are scraped by us.

    ``limit``: the whole run's deadline, counted from the start of deployment; the watchdog keeps it.
    """

    schema: int = 1
    scenario: Scenario
    environment: EnvironmentDescription
    capabilities: Capabilities
    seed: int
    nodes: tuple[Node, ...]
    round_every: Duration
    limit: Duration
    blast_radius: int
    sample_lag: Duration = Duration(0)
