"""What will happen: a pure, deterministic plan from scenario, environment, capabilities and seed, or the reasons against it."""

from meshkit_chaos.plan.compiling import compile_steps, drawn_span, fault_steps, step_of
from meshkit_chaos.plan.model import AdjustNode, Capabilities, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode
from meshkit_chaos.plan.planner import STEADY_WITHIN, make_plan
from meshkit_chaos.plan.targets import blast_limit, candidates_of, draw, wanted

__all__ = [
    "STEADY_WITHIN",
    "AdjustNode",
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
    "drawn_span",
    "fault_steps",
    "make_plan",
    "step_of",
    "wanted",
]
