"""A plan as people read it: what happens when, to whom, and how it is undone. Pure."""

from __future__ import annotations

from meshkit_chaos.faults import CATALOGUE, ParameterValue
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.plan import AdjustNode, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode
from meshkit_chaos.run.acting import target_words
from meshkit_chaos.slo import Duration, Objective


def timeline(plan: Plan) -> str:
    """Instants are the earliest ones; waits for a condition make all that follows later."""
    scenario = plan.scenario
    steady = scenario.steady_state
    members = counted(len(plan.capabilities.members), "member")
    out = [
        f"{scenario.id}: {scenario.title}",
        f"  environment  {plan.environment.name} ({plan.environment.kind}, {members})",
        f"  seed         {plan.seed}   blast radius {counted(plan.blast_radius, 'member')} at once   limit {plan.limit}",
        "",
        f"  {'deploy':<11} every member, until ready",
        f"  {'baseline':<11} {steady.lasting} with {', '.join(steady.indicators)} good throughout",
    ]
    starts = _starts(plan)
    for node in plan.nodes:
        out.append(f"  {_clock(starts[node.id]):<11} {_say(node, plan)}")
    out.append(f"  {'settle':<11} until every objective was watched long enough")
    out.append(f"  {'verify':<11} every member as before{_verified(plan)}, within {scenario.rollback.within}")
    out.append("")
    out += [f"  objective    {_objective(objective)}" for objective in scenario.objectives]
    out += [f"  guard rail   abort once {guard.indicator} was bad for {guard.bad_for}" for guard in scenario.guard_rails]
    for indicator in scenario.indicators:
        out.append(f"  indicator    {indicator.name} ({indicator.kind}): {indicator.query} {indicator.band}")
    if scenario.repeats.up_to > 1:
        out.append(f"  repeats      up to {scenario.repeats.up_to} runs, fail at failure {scenario.repeats.fail_at}")
    return "\n".join(out)


def _starts(plan: Plan) -> dict[str, int]:
    ends: dict[str, int] = {}
    starts: dict[str, int] = {}
    for node in plan.nodes:
        starts[node.id] = max((ends[name] for name in node.after), default=0)
        ends[node.id] = starts[node.id] + (node.lasting.ns if isinstance(node, HoldNode) else 0)
    return starts


def _clock(ns: int) -> str:
    return f"+{Duration(ns)}"


def _say(node: Node, plan: Plan) -> str:
    match node:
        case InjectNode():
            fault = CATALOGUE[node.step.fault]
            undo = " then ".join(fault.undone_by)
            undone = any(isinstance(item, RevertNode) and item.injection == node.id for item in plan.nodes)
            when = "by a step" if undone else "by the rollback"
            given = "".join(f" {name}={_value(value)}" for name, value in node.step.parameters.items())
            undone_by = f"undo: {undo} {when}, at the latest after {node.deadline}"
            return f"{fault.kind} {target_words(node)}{given} [{node.id}]; {undone_by}"
        case AdjustNode(step=step):
            ramp = step.ramp
            assert ramp is not None
            return f"{step.fault} [{node.injection}] with {ramp.parameter}={_value(step.parameters[ramp.parameter])}"
        case HoldNode():
            return f"wait {node.lasting}"
        case UntilNode():
            return f"wait until {node.indicator} is {node.state}, at most {node.timeout}"
        case RevertNode():
            return f"revert {node.injection}"


def _value(value: ParameterValue) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _verified(plan: Plan) -> str:
    names = plan.scenario.rollback.verify
    return f" and {', '.join(names)} good" if names else ""


def _objective(objective: Objective) -> str:
    match objective.form:
        case "stay":
            what = f"{objective.indicator} stays good during {objective.during} (out at most {objective.allowed} of it)"
        case "converge":
            of = f" of {objective.after}" if objective.after else " of the first injection"
            what = f"{objective.indicator} good again within {objective.within}{of}, then for {objective.settle}"
        case "recover":
            of = f" of {objective.after}" if objective.after else ""
            what = f"{objective.indicator} good again within {objective.within} of the revert{of}, then for {objective.settle}"
    return f"{objective.id}: {what}{' (informational)' if objective.informational else ''}"
