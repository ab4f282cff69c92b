"""The run as a pure state machine: ``step(state, input, now) -> (state, commands)``.

It holds every rule of timing, guard rails, abort and rollback, and knows no clock and no I/O. Its rules:

* No fault before deployment, prerequisites, steady state and fingerprint are through; none after an abort was decided.
* One target is resolved at a time, so that branches that run at once never exceed the blast radius or take one member twice.
* A held injection is changed (its ramp) only while it is in force, and never while it is being undone.
* Rollback begins once everything in flight has stopped: an intent that was written in the instant of the abort is undone too.
* Whatever was intended and not undone is reverted, newest first, whatever ended the run; then the environment is verified.
* The settle phase lasts until every objective has been watched for as long as its estimator needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import AdjustNode, HoldNode, InjectNode, Node, Plan, RevertNode, UntilNode, step_of
from meshkit_chaos.run import commands as do
from meshkit_chaos.scenario.environment import SWITCH
from meshkit_chaos.slo import Objective, PhaseName

Stage = Literal[
    "deploying",
    "checking",
    "baseline",
    "steps",
    "observing",
    "stopping",
    "rollback",
    "settling",
    "verifying",
    "tearing",
    "over",
]
_UNDOING: frozenset[Stage] = frozenset({"rollback", "verifying", "tearing", "over"})
Steps = tuple["State", tuple[do.Command, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``outstanding``: injections intended and not undone, oldest first, with their members. Instants are monotonic ns.

    ``resolving``: the inject node whose target is being resolved, until its intent is written.
    """

    plan: Plan
    deploys: bool
    stage: Stage = "deploying"
    phase: PhaseName | None = None
    abort: str = ""
    started: frozenset[str] = frozenset()
    done: frozenset[str] = frozenset()
    resolving: str | None = None
    outstanding: dict[str, tuple[str, ...]] = field(default_factory=dict)
    reverting: frozenset[str] = frozenset()
    left: tuple[str, ...] = ()
    injected: dict[str, int] = field(default_factory=dict)
    reverted: dict[str, int] = field(default_factory=dict)
    baseline_since: int = 0


def step(state: State, given: do.Input, now: int) -> Steps:  # noqa: C901, PLR0911, PLR0912  # one case an input reads best
    """Apply one input. Total: an input that means nothing in this stage changes nothing."""
    match given:
        case do.Begin() if state.phase is None and not state.abort:
            return _begin(state)
        case ev.DeployDone() if state.stage == "deploying":
            return _check_prerequisites(state)
        case ev.DeployFailed():
            return _abort(state, f"deployment failed: {given.reason}")
        case do.PrerequisitesSettled() if state.stage == "checking":
            return _baseline(state, now) if given.held else _abort(state, "a prerequisite does not hold")
        case do.SteadyStateSettled() if state.stage == "baseline":
            if not given.held:
                return _abort(state, "the steady state did not hold before the fault")
            return state, (do.TakeFingerprint(),)
        case ev.FingerprintTaken() if state.stage == "baseline":
            return _schedule(replace(state, stage="steps"), now)
        case do.TimerFired():
            return _timer(state, given.name, now)
        case ev.FaultIntended():
            return _schedule(replace(state, resolving=None, outstanding={**state.outstanding, given.node: given.members}), now)
        case ev.FaultInjected():
            return replace(state, injected={**state.injected, given.node: now}), ()
        case do.InjectionSettled():
            if given.reason:
                return _abort(state, given.reason)
            return _node_done(state, given.node, now)
        case ev.ConditionDone():
            return _condition(state, given, now)
        case ev.FaultFailed():
            return _abort(state, f"the injection {given.node} failed: {given.reason}")
        case ev.RevertDone() | ev.RevertFailed():
            return _revert_ended(state, given, now)
        case ev.GuardTripped():
            return _abort(state, f"guard rail: {given.detail}")
        case ev.SignalReceived():
            return _abort(state, f"{given.signal} received")
        case ev.WatchdogDied():
            return _abort(state, "the watchdog died: undoing would depend on this process alone")
        case ev.MemberDied(member=member) if member == SWITCH:
            return _abort(state, "the network of the members is gone: its switch ended")
        case do.RecordLost() | do.EngineFailed():
            return _abort(state, given.reason)
        case do.ActingStopped() if state.stage == "stopping":
            # Where no step was begun, nothing was touched, so nothing is rolled back or verified.
            return _rollback(state, state.abort, now) if state.started else _teardown(state)
        case ev.EnvironmentVerified() if state.stage == "verifying":
            return _teardown(state)
        case ev.TeardownDone() if state.stage == "tearing":
            return _finish(state)
        case _:
            return state, ()


def _enter(state: State, phase: PhaseName) -> Steps:
    if state.phase == phase:
        return state, ()
    return replace(state, phase=phase), (do.Write(ev.PhaseEntered(phase=phase)),)


def _begin(state: State) -> Steps:
    if state.deploys:
        state, entered = _enter(state, "deploy")
        return state, (*entered, do.Deploy())
    return _check_prerequisites(state)


def _check_prerequisites(state: State) -> Steps:
    state, entered = _enter(replace(state, stage="checking"), "prerequisites")
    return state, (*entered, do.CheckPrerequisites())


def _baseline(state: State, now: int) -> Steps:
    state, entered = _enter(replace(state, stage="baseline", baseline_since=now), "baseline")
    scenario, lag = state.plan.scenario, state.plan.sample_lag.ns
    # Two rounds are the least that a baseline can be known by; where others scrape, they are seen only after a while.
    lasting = max(scenario.steady_state.lasting.ns, 2 * state.plan.round_every.ns) if lag else scenario.steady_state.lasting.ns
    return state, (
        *entered,
        do.SetTimer("baseline", now + lasting + lag),
        do.SetTimer("timeout", now + scenario.timeout.ns),
    )


def _timer(state: State, name: str, now: int) -> Steps:
    if name == "baseline" and state.stage == "baseline":
        return state, (do.CheckSteadyState(state.baseline_since),)
    if name == "timeout" and state.stage not in _UNDOING:
        return _abort(state, f"the scenario's time-out of {state.plan.scenario.timeout} passed")
    if name == "observed" and state.stage == "observing":
        return _rollback(state, "the plan says so", now)
    if name == "settled" and state.stage == "settling":
        return _verify(state) if not state.plan.sample_lag.ns else _await_samples(state, now)
    if name == "arrived" and state.stage == "verifying":
        return state, (do.Verify(),)
    if name.startswith("hold:") and state.stage == "steps":
        node = name.removeprefix("hold:")
        following = _node_done(state, node, now)
        return following[0], (do.Write(ev.HoldDone(node=node)), *following[1])
    return state, ()


def _node_done(state: State, node: str, now: int) -> Steps:
    return _schedule(replace(state, done=state.done | {node}), now)


def _schedule(state: State, now: int) -> Steps:
    """Start every node whose predecessors are done; go on when there is none left."""
    if state.stage != "steps":
        return state, ()
    out: list[do.Command] = []
    for node in state.plan.nodes:
        if node.id in state.started or not state.done.issuperset(node.after):
            continue
        if isinstance(node, InjectNode) and state.resolving is not None:
            continue
        state, commands = _start(replace(state, started=state.started | {node.id}), node, now)
        out += commands
    if len(state.done) == len(state.plan.nodes):
        state, commands = _steps_over(state, now)
        out += commands
    elif _idle(state):
        state, commands = _enter(state, "hold" if state.injected else "inject")
        out += commands
    return state, tuple(out)


def _idle(state: State) -> bool:
    """Nothing is being injected or reverted right now: only waits run."""
    acting = {node.id for node in state.plan.nodes if isinstance(node, InjectNode | AdjustNode | RevertNode)}
    return not (state.started - state.done) & acting


def _start(state: State, node: Node, now: int) -> Steps:
    match node:
        case InjectNode():
            state, entered = _enter(replace(state, resolving=node.id), "inject")
            return state, (*entered, _injection(state, node))
        case AdjustNode():
            if node.injection not in state.outstanding or node.injection in state.reverting:
                return replace(state, done=state.done | {node.id}), ()  # what follows it is looked at next
            return state, (do.Adjust(node.id),)
        case HoldNode():
            return state, (do.SetTimer(f"hold:{node.id}", now + node.lasting.ns),)
        case UntilNode():
            return state, (do.AwaitCondition(node.id),)
        case RevertNode():
            state, entered = _enter(state, "revert")
            state = replace(state, reverting=state.reverting | {node.injection})
            return state, (*entered, do.Revert(node.injection))


def _injection(state: State, node: InjectNode) -> do.Inject:
    """Whom the fault may hit: of two that take a member away, each has its own; others may be laid over what is there."""
    under = frozenset(member for members in state.outstanding.values() for member in members)
    held = taken(state) if CATALOGUE[node.step.fault].silences else frozenset()
    return do.Inject(node.id, max(0, state.plan.blast_radius - len(under)), held, under)


def taken(state: State) -> frozenset[str]:
    """The members that a fault has taken away: down or frozen, so that their silence is no surprise."""
    kinds = {node.id: node.step.fault for node in state.plan.nodes if isinstance(node, InjectNode)}
    return frozenset(
        member for node, members in state.outstanding.items() if CATALOGUE[kinds[node]].silences for member in members
    )


def _condition(state: State, given: ev.ConditionDone, now: int) -> Steps:
    node = next((node for node in state.plan.nodes if node.id == given.node), None)
    if isinstance(node, UntilNode) and not given.met and not node.or_go_on:
        return _abort(state, f"step {given.node}: {given.detail}")
    return _node_done(state, given.node, now)


def _steps_over(state: State, now: int) -> Steps:
    if not state.outstanding:
        return _settle(state, now)
    state, entered = _enter(replace(state, stage="observing"), "hold")
    return state, (*entered, do.SetTimer("observed", max(now, _converged_by(state))))


def _converged_by(state: State) -> int:
    """When every ``converge`` objective will have been watched long enough, with two rounds to spare."""
    first = min(state.injected.values(), default=0)
    instants = [
        min(_of_step(state.injected, objective.after), default=first) + objective.observed_for.ns
        for objective in state.plan.scenario.objectives
        if objective.form == "converge"
    ]
    return max(instants, default=0) + _margin(state)


def _recovered_by(state: State) -> int:
    last = max(state.reverted.values(), default=0)
    instants = [
        max(_of_step(state.reverted, objective.after), default=last) + objective.observed_for.ns
        for objective in state.plan.scenario.objectives
        if objective.form == "recover"
    ]
    return max(instants, default=0) + _margin(state)


def _of_step(instants: dict[str, int], step_id: str | None) -> list[int]:
    """The instants of every injection that a step made."""
    return [instant for node, instant in instants.items() if step_of(node) == step_id]


def _margin(state: State) -> int:
    """Three rounds of the slowest source: the last one must have been asked and answered before the end."""
    rounds = [state.plan.round_every.ns]
    rounds += [indicator.probe.every.ns for indicator in state.plan.scenario.indicators if indicator.probe]
    waits = [indicator.probe.timeout.ns for indicator in state.plan.scenario.indicators if indicator.probe]
    return 3 * max(rounds) + max(waits, default=0)


def _settle(state: State, now: int) -> Steps:
    state, entered = _enter(replace(state, stage="settling"), "settle")
    until = max(
        now + _margin(state), _converged_by(state), _recovered_by(state), now + _stay_time(state.plan.scenario.objectives)
    )
    return state, (*entered, do.SetTimer("settled", until))


def _stay_time(objectives: tuple[Objective, ...]) -> int:
    """A ``stay`` objective on the settle phase itself needs some of it to judge."""
    return 2 * 10**9 if any(objective.during == "settle" for objective in objectives) else 0


def _abort(state: State, reason: str) -> Steps:
    """Decide, once, that no further fault comes; undo whatever may be in force."""
    if state.abort or state.stage in _UNDOING:
        noted = state.abort or reason
        return replace(state, abort=noted), () if state.abort else (do.Write(ev.AbortDecided(reason=reason)),)
    state = replace(state, abort=reason, stage="stopping")
    return state, (do.Write(ev.AbortDecided(reason=reason)), do.StopActing())


def _rollback(state: State, reason: str, now: int) -> Steps:
    state = replace(state, stage="rollback")
    started = do.Write(ev.RollbackStarted(reason=reason))
    state, entered = _enter(state, "revert")
    state, commands = _next_revert(state, now)
    return state, (started, *entered, *commands)


def _next_revert(state: State, now: int) -> Steps:
    """Newest first, one after the other; one that a step is already reverting is waited for."""
    if state.reverting:
        return state, ()
    pending = [node for node in reversed(state.outstanding) if node not in state.left]
    if pending:
        return replace(state, reverting=frozenset({pending[0]})), (do.Revert(pending[0], at_once=bool(state.abort)),)
    finished = do.Write(ev.RollbackFinished(left=state.left))
    state, commands = _verify(state) if state.abort else _settle(state, now)
    return state, (finished, *commands)


def _revert_ended(state: State, given: ev.RevertDone | ev.RevertFailed, now: int) -> Steps:
    node = given.node
    state = replace(state, reverting=state.reverting - {node})
    if isinstance(given, ev.RevertDone):
        outstanding = {name: members for name, members in state.outstanding.items() if name != node}
        state = replace(state, outstanding=outstanding, reverted={**state.reverted, node: now})
    else:
        state = replace(state, left=(*state.left, node))
    if state.stage == "rollback":
        return _next_revert(state, now)
    if isinstance(given, ev.RevertFailed):
        return _abort(state, f"the revert of {node} failed: {given.reason}")
    reverts = [item.id for item in state.plan.nodes if isinstance(item, RevertNode) and item.injection == node]
    return _schedule(replace(state, done=state.done.union(reverts)), now)


def _await_samples(state: State, now: int) -> Steps:
    """What was sampled in the settle phase must have become visible before the run may end."""
    state, entered = _enter(replace(state, stage="verifying"), "verify")
    return state, (*entered, do.SetTimer("arrived", now + state.plan.sample_lag.ns))


def _verify(state: State) -> Steps:
    state, entered = _enter(replace(state, stage="verifying"), "verify")
    return state, (*entered, do.Verify())


def _teardown(state: State) -> Steps:
    if not state.deploys:
        return _finish(state)
    state, entered = _enter(replace(state, stage="tearing"), "teardown")
    return state, (*entered, do.Teardown())


def _finish(state: State) -> Steps:
    return replace(state, stage="over"), (do.Finish("aborted" if state.abort else "completed"),)
