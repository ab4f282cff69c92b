"""Scenario + environment + seed → Plan, or every reason why it cannot run there. Pure and deterministic."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from meshkit_chaos.errors import CannotRun
from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.plan.model import Capabilities, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode
from meshkit_chaos.plan.targets import blast_limit, wanted
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.model import (
    FaultStep,
    MembersPrerequisite,
    ParallelStep,
    RevertStep,
    Scenario,
    Step,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.slo import Duration

_LEVER_TIME: Final = Duration(5 * 10**9)  # how long pulling the levers of one step may take before it counts as hung
_ROUND: Final = Duration(200 * 10**6)
STEADY_WITHIN: Final = Duration(10 * 10**9)
"""How long a mesh that has just come up may take to reach its steady state, before the baseline begins."""


def make_plan(scenario: Scenario, environment: EnvironmentDescription, capabilities: Capabilities, *, seed: int) -> Plan:
    """Raises CannotRun with all reasons at once."""
    limit = blast_limit(scenario.blast_radius, len(capabilities.members))
    reasons = tuple(_refusals(scenario, environment, capabilities, limit))
    if reasons:
        raise CannotRun(
            f"scenario {scenario.id} cannot run in environment {environment.name}: " + "; ".join(reasons),
            hint="choose another environment with --env, or change the scenario",
        )
    nodes = with_deadlines(compile_steps(scenario.steps), scenario, environment)
    return Plan(
        scenario=scenario,
        environment=environment,
        capabilities=capabilities,
        seed=seed,
        nodes=nodes,
        round_every=environment.metrics.every if environment.metrics else _ROUND,
        limit=_longest(scenario, environment, injections=sum(isinstance(node, InjectNode) for node in nodes)),
        blast_radius=limit,
        sample_lag=_sample_lag(environment),
    )


def _sample_lag(environment: EnvironmentDescription) -> Duration:
    external = environment.metrics.external if environment.metrics is not None else None
    return external.sample_lag if external is not None else Duration(0)


def _longest(scenario: Scenario, environment: EnvironmentDescription, *, injections: int) -> Duration:
    """How long a run within all its own times may take: a longer one hangs. Each revert may take the time of the rollback."""
    lag = _sample_lag(environment)
    waits = [one.within + lag for one in scenario.prerequisites if not isinstance(one, MembersPrerequisite)]
    before = sum(waits, _start_time(environment) + STEADY_WITHIN + lag * 3)
    return before + scenario.timeout + scenario.rollback.within * (injections + 1) + _LEVER_TIME * 2


def _refusals(scenario: Scenario, environment: EnvironmentDescription, capabilities: Capabilities, limit: int) -> Iterable[str]:
    names = {member.name for member in environment.members}
    for step in fault_steps(scenario.steps):
        fault = CATALOGUE.get(step.fault)
        if fault is None:
            yield f"step {step.id}: there is no fault {step.fault!r}"
            continue
        missing = sorted(fault.levers - set(capabilities.levers))
        if missing:
            yield f"step {step.id}: fault {step.fault} needs the levers {', '.join(missing)}, which {environment.kind} lacks"
        if fault.by_identity and not capabilities.tells_identity:
            yield f"step {step.id}: only a member's identity shows that {step.fault} bit, and there is no observe.identity"
        for role in {step.target.role, step.target.not_role} - {None, *capabilities.roles}:
            yield f"step {step.id}: the environment knows no role {role!r}" + _near(str(role), capabilities.roles)
        for name in sorted(set(step.target.names) - names):
            yield f"step {step.id}: there is no member {name!r}" + _near(name, names)
        count = _least_count(step, len(names))
        if count > limit:
            yield f"step {step.id}: {count} members exceed the blast radius of {limit}"
    yield from _reverts_of_nothing(scenario.steps)
    if environment.kind == "simulated" and _sample_lag(environment) > Duration(0):
        yield "nothing real scrapes a simulated mesh: its environment must say `url` below `metrics`"
    if environment.metrics is None and any(indicator.source == "scrape" for indicator in scenario.indicators):
        yield "its indicators read metrics, and the environment says no address for them"


def _reverts_of_nothing(steps: tuple[Step, ...]) -> Iterable[str]:
    nodes = compile_steps(steps)
    for node in nodes:
        if isinstance(node, RevertNode) and not _stands_before(node, nodes):
            yield f"step {node.id}: it reverts {node.injection!r}, which is not injected before it"


def _stands_before(revert: RevertNode, nodes: tuple[Node, ...]) -> bool:
    before = nodes[: nodes.index(revert)]
    return any(isinstance(node, InjectNode) and node.id == revert.injection for node in before)


def _least_count(step: FaultStep, members: int) -> int:
    """How many members the step surely hits, as far as that is known before roles are."""
    target = step.target
    if target.role is not None and target.count is None:
        return 1
    return wanted(target, len(target.names) or members)


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def fault_steps(steps: Iterable[Step]) -> Iterable[FaultStep]:
    """Every fault step, in the order in which they are written."""
    for step in steps:
        if isinstance(step, FaultStep):
            yield step
        elif isinstance(step, ParallelStep):
            for branch in step.branches:
                yield from fault_steps(branch)


def compile_steps(steps: tuple[Step, ...]) -> tuple[Node, ...]:
    """Turn nested steps into a graph. A fault with a hold becomes inject → hold → revert."""
    nodes: list[Node] = []
    _sequence(steps, (), nodes)
    return tuple(nodes)


def _sequence(steps: tuple[Step, ...], after: tuple[str, ...], nodes: list[Node]) -> tuple[str, ...]:
    for step in steps:
        after = _compile(step, after, nodes)
    return after


def _compile(step: Step, after: tuple[str, ...], nodes: list[Node]) -> tuple[str, ...]:
    match step:
        case FaultStep():
            return _compile_fault(step, after, nodes)
        case WaitStep():
            nodes.append(HoldNode(id=step.id, after=after, lasting=step.wait))
        case UntilStep():
            nodes.append(UntilNode(id=step.id, after=after, indicator=step.until, timeout=step.timeout, or_go_on=step.or_go_on))
        case RevertStep():
            known = (step.revert,) if any(node.id == step.revert for node in nodes) else ()
            nodes.append(RevertNode(id=step.id, after=tuple(dict.fromkeys((*after, *known))), injection=step.revert))
        case ParallelStep():
            ends = [_sequence(branch, after, nodes) for branch in step.branches]
            return tuple(dict.fromkeys(name for end in ends for name in end))
    return (step.id,)


def _compile_fault(step: FaultStep, after: tuple[str, ...], nodes: list[Node]) -> tuple[str, ...]:
    nodes.append(InjectNode(id=step.id, after=after, step=step, deadline=Duration(0)))
    momentary = step.fault in CATALOGUE and CATALOGUE[step.fault].momentary
    if step.hold is None and not momentary:
        return (step.id,)
    last = step.id
    if step.hold is not None:
        last = f"{step.id}.hold"
        nodes.append(HoldNode(id=last, after=(step.id,), lasting=step.hold))
    nodes.append(RevertNode(id=f"{step.id}.revert", after=(last,), injection=step.id))
    return (f"{step.id}.revert",)


def _start_time(environment: EnvironmentDescription) -> Duration:
    """How long (re)starting members may take; of an attached mesh, also what its commands may."""
    by_commands = environment.lever_timeout * 3 * len(environment.members) if environment.kind == "attached" else Duration(0)
    return (environment.ready.within if environment.ready else Duration(0)) + _LEVER_TIME + by_commands


def with_deadlines(nodes: tuple[Node, ...], scenario: Scenario, environment: EnvironmentDescription) -> tuple[Node, ...]:
    """Give each injection its deadline: when its revert must have come, were every step as slow as allowed."""
    starts, ends = _worst_case(nodes, environment)
    reverted_by = {node.injection: ends[node.id] for node in nodes if isinstance(node, RevertNode)}
    observation = max((objective.observed_for for objective in scenario.objectives), default=Duration(0))
    last = max(ends.values(), default=0) + observation.ns + scenario.rollback.within.ns
    return tuple(
        InjectNode(
            id=node.id,
            after=node.after,
            step=node.step,
            deadline=Duration(reverted_by.get(node.id, last) - starts[node.id]) + scenario.rollback.within,
        )
        if isinstance(node, InjectNode)
        else node
        for node in nodes
    )


def _worst_case(nodes: tuple[Node, ...], environment: EnvironmentDescription) -> tuple[dict[str, int], dict[str, int]]:
    acting = _start_time(environment).ns
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    for node in nodes:  # nodes come after what they depend on
        starts[node.id] = max((ends[name] for name in node.after), default=0)
        match node:
            case HoldNode():
                lasting = node.lasting.ns
            case UntilNode():
                lasting = node.timeout.ns + _sample_lag(environment).ns
            case _:
                lasting = acting
        ends[node.id] = starts[node.id] + lasting
    return starts, ends
