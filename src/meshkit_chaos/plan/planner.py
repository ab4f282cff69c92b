"""Scenario + environment + seed → Plan, or every reason why it cannot run there. Pure and deterministic."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from meshkit_chaos.errors import CannotRun
from meshkit_chaos.faults import CATALOGUE, Aim, Fault
from meshkit_chaos.plan.compiling import compile_steps, fault_steps
from meshkit_chaos.plan.model import Capabilities, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode
from meshkit_chaos.plan.targets import blast_limit, candidates_of, wanted
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.lint_sequences import MOST_STEPS, steps_in_all
from meshkit_chaos.scenario.model import FaultStep, MembersPrerequisite, Scenario
from meshkit_chaos.slo import Duration

_LEVER_TIME: Final = Duration(5 * 10**9)  # how long pulling the levers of one step may take before it counts as hung
_ROUND: Final = Duration(200 * 10**6)
STEADY_WITHIN: Final = Duration(10 * 10**9)
"""How long a mesh that has just come up may take to reach its steady state, before the baseline begins."""


def make_plan(scenario: Scenario, environment: EnvironmentDescription, capabilities: Capabilities, *, seed: int) -> Plan:
    """Raises CannotRun with all reasons at once."""
    limit = blast_limit(scenario.blast_radius, len(capabilities.members))
    reasons = tuple(_refusals(scenario, environment, capabilities, limit))
    if (number := steps_in_all(scenario.steps)) > MOST_STEPS:
        reasons = (*reasons, f"with all repetitions the run has {number} steps; expected at most {MOST_STEPS}")
    else:
        reasons = (*reasons, *_broken_graph(_compiled(scenario, capabilities, seed), capabilities, limit))
    if reasons:
        raise CannotRun(
            f"scenario {scenario.id} cannot run in environment {environment.name}: " + "; ".join(reasons),
            hint="choose another environment with --env, or change the scenario",
        )
    nodes = with_deadlines(_compiled(scenario, capabilities, seed), scenario, environment)
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


def _compiled(scenario: Scenario, capabilities: Capabilities, seed: int) -> tuple[Node, ...]:
    return compile_steps(scenario.steps, members=capabilities.members, seed=seed)


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
    clients = tuple(client.name for client in environment.clients)
    for step in fault_steps(scenario.steps):
        fault = CATALOGUE.get(step.fault)
        if fault is None:
            yield f"step {step.id}: there is no fault {step.fault!r}"
            continue
        missing = sorted(fault.levers - set(capabilities.levers))
        if missing:
            networkless = environment.kind == "process" and "shape" in missing
            lacks = f"{environment.kind} lacks" + (" (write `network: isolated` in its document)" if networkless else "")
            yield f"step {step.id}: fault {step.fault} needs the levers {', '.join(missing)}, which {lacks}"
        if fault.by_identity and not capabilities.tells_identity:
            yield f"step {step.id}: only a member's identity shows that {step.fault} bit, and there is no observe.identity"
        for role in {step.target.role, step.target.not_role} - {None, *capabilities.roles}:
            yield f"step {step.id}: the environment knows no role {role!r}" + _near(str(role), capabilities.roles)
        for name in sorted(set(step.target.names) - names):
            yield f"step {step.id}: there is no member {name!r}" + _near(name, names)
        count = _least_count(step, fault, len(names))
        if count > limit:
            yield f"step {step.id}: {count} members exceed the blast radius of {limit}"
        elif reason := _aimless(step, fault, capabilities.members, clients):
            yield f"step {step.id}: {reason}"
    if environment.kind == "simulated" and _sample_lag(environment) > Duration(0):
        yield "nothing real scrapes a simulated mesh: its environment must say `url` below `metrics`"
    if environment.metrics is None and any(indicator.source == "scrape" for indicator in scenario.indicators):
        yield "its indicators read metrics, and the environment says no address for them"


def _aimless(step: FaultStep, fault: Fault, members: tuple[str, ...], clients: tuple[str, ...]) -> str:
    """Why the fault cannot be aimed so, as it would say when it is injected. That depends on how many are hit, not on whom."""
    candidates = candidates_of(step.target, members=members, roles={}) if step.target.role is None else members
    count = _least_count(step, fault, len(candidates))
    parameters = fault.completed(step.parameters)
    aim = Aim(node=step.id, targets=candidates[:count], members=members, clients=clients, parameters=parameters)
    try:
        fault.inject(aim)
    except (ValueError, KeyError) as error:
        return str(error)
    return ""


def _broken_graph(nodes: tuple[Node, ...], capabilities: Capabilities, limit: int) -> Iterable[str]:
    """Reverts of what is not held, and more members surely held at once than may be."""
    for node in nodes:
        if isinstance(node, RevertNode) and not _stands_before(node, nodes):
            yield f"step {node.id}: it reverts {node.injection!r}, which is not injected before it"
    counts = {node.id: _taken(node, capabilities) for node in nodes if isinstance(node, InjectNode)}
    for name, held in _surely_held(nodes).items():
        count = sum(counts[one] for one in (name, *held))
        if counts[name] <= limit < count:
            yield f"step {name}: with what is surely still held, {count} members exceed the blast radius of {limit}"
            return


def _taken(node: InjectNode, capabilities: Capabilities) -> int:
    """How many members the injection surely takes away for itself. What may be laid over others may hit the same ones."""
    fault = CATALOGUE.get(node.step.fault)
    return _least_count(node.step, fault, len(capabilities.members)) if fault is not None and fault.silences else 0


def _surely_held(nodes: tuple[Node, ...]) -> dict[str, tuple[str, ...]]:
    """For each injection those that stand before it and are not reverted before it or beside it, however branches run."""
    before: dict[str, int] = {}  # as bits, by place: of each node, all that comes before it
    place = {node.id: number for number, node in enumerate(nodes)}
    for node in nodes:
        before[node.id] = 0
        for name in node.after:
            before[node.id] |= before.get(name, 0) | (1 << place[name] if name in place else 0)
    reverts: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, RevertNode):
            reverts.setdefault(node.injection, []).append(node.id)
    injections = [node.id for node in nodes if isinstance(node, InjectNode)]
    return {
        name: tuple(
            one
            for one in injections
            if before[name] >> place[one] & 1 and all(before[undo] >> place[name] & 1 for undo in reverts.get(one, ()))
        )
        for name in injections
    }


def _stands_before(revert: RevertNode, nodes: tuple[Node, ...]) -> bool:
    before = nodes[: nodes.index(revert)]
    return any(isinstance(node, InjectNode) and node.id == revert.injection for node in before)


def _least_count(step: FaultStep, fault: Fault, members: int) -> int:
    """How many members the step surely hits at once, as far as that is known before roles are."""
    target = step.target
    if fault.in_turn or (target.role is not None and target.count is None):
        return 1
    return wanted(target, len(target.names) or members)


def _near(name: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _start_time(environment: EnvironmentDescription) -> Duration:
    """How long stopping and (re)starting members may take, and what its commands or the others' consent may."""
    by_commands = environment.lever_timeout * 3 * len(environment.members) if environment.kind == "attached" else Duration(0)
    ready = environment.ready.within if environment.ready else Duration(0)
    agreed = environment.membership.within if environment.membership else Duration(0)
    return ready + environment.stop_within + _LEVER_TIME + by_commands + agreed


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
