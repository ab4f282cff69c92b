"""What will happen: a pure, deterministic plan from scenario, environment, capabilities and seed, or the reasons against it."""

from meshkit_chaos.plan.model import Capabilities, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode
from meshkit_chaos.plan.planner import STEADY_WITHIN, compile_steps, fault_steps, make_plan
from meshkit_chaos.plan.targets import blast_limit, candidates_of, draw, wanted

__all__ = [
    "STEADY_WITHIN",
    "Capabilities",
    "HoldNode",
    "InjectNode",
    "Node",
    "Plan",
    "RevertNode",
    "UntilNode",
    "blast_limit",
    "candidates_of",
    "compile_steps",
    "draw",
    "fault_steps",
    "make_plan",
    "wanted",
]
