"""The machine: every rule of timing, abort and rollback, without any clock or I/O."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from machine_world import World
from virtual_runs import SECOND, document, plan_of, scenario_text

from meshkit_chaos.faults import MemberState
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import InjectNode, Plan
from meshkit_chaos.run import commands as do
from meshkit_chaos.run.machine import State, step
from meshkit_chaos.scenario.environment import SWITCH

BEFORE = ev.FingerprintTaken(when="before", members={"node-1": MemberState(up=True, paused=False)})
TWO_FAULTS = """[{fault: kill, id: first, target: {names: [node-1]}}, {fault: pause, id: second, target: {names: [node-2]}}]"""


def plan_with(steps: str, *, objectives: str = "[{converge: one-leader, within: 5s}]", members: int = 2) -> Plan:
    return plan_of(document(scenario_text(steps=steps, objectives=objectives, more=f"blast_radius: {{members: {members}}}")))


PLANS = {
    "held": plan_of(),
    "two at once": plan_with(
        "[{parallel: [{fault: kill, target: {count: 1}, hold: 3s}, {fault: pause, target: {count: 1}, hold: 4s}]}]"
    ),
    "until the rollback": plan_with(TWO_FAULTS),
    "by a step": plan_with(
        "[{fault: kill, id: it, target: {count: 1}}, {until: one-leader, timeout: 5s}, {revert: it},"
        " {fault: restart, target: {count: 1}}, {wait: 1s}]"
    ),
    "little by little": plan_with(
        "[{parallel: [{fault: latency, id: it, target: {count: 1}, with: {delay: 1ms},"
        " ramp: {parameter: delay, to: 9ms, over: 2s, steps: 2}}, {fault: kill, target: {count: 1}, hold: 1s}]},"
        " {wait: 1s}, {revert: it}]"
    ),
    "again and again": plan_with(
        "[{repeat: 3, every: 2s, jitter: 1s, steps: [{fault: partition, id: it, target: {count: 1}, hold: 1s}]},"
        " {fault: kill, id: second, target: {count: 1}, when: {until: one-leader, is: bad, timeout: 5s}}]"
    ),
    "one by one": plan_with("[{fault: rolling-restart, id: it, target: {count: 3}, with: {pause: 2s}}]", members=1),
    "over the radius": plan_with(
        "[{parallel: [{fault: kill, target: {count: 1}, hold: 3s}, {fault: pause, target: {count: 1}, hold: 4s}]}]", members=1
    ),
}


def fed(state: State, *inputs: do.Input, now: int = 0) -> tuple[State, list[do.Command]]:
    """Feed inputs one after the other; all commands that came of it."""
    out: list[do.Command] = []
    for one in inputs:
        state, commands = step(state, one, now)
        out += commands
    return state, out


def at_steps(plan: Plan, *, deploys: bool = True) -> State:
    """The machine at the moment when the first step has begun."""
    state = State(plan=plan, deploys=deploys)
    begun = (do.Begin(), ev.DeployDone(members=())) if deploys else (do.Begin(),)
    return fed(state, *begun, do.PrerequisitesSettled(held=True), do.SteadyStateSettled(held=True), BEFORE)[0]


def test_a_dead_member_is_the_judges_and_a_dead_network_ends_the_run() -> None:
    """A mesh must cope with a member that dies, and is watched doing so; without its network it is not what is tested."""
    begun = at_steps(PLANS["held"])
    state, _ = fed(begun, ev.MemberDied(member="node-2", detail="gone"))
    assert state.abort == ""
    state, _ = fed(begun, ev.MemberDied(member=SWITCH, detail="gone"))
    assert "its switch ended" in state.abort


def intended(node: str, *members: str) -> ev.FaultIntended:
    return ev.FaultIntended(node=node, fault="kill", members=members, calls=(), undo=(), deadline=0)


def injected(node: str, *members: str) -> tuple[do.Input, ...]:
    return intended(node, *members), ev.FaultInjected(node=node), do.InjectionSettled(node, "")


def test_phases_come_in_their_order() -> None:
    """A run that nothing disturbs goes through its phases in the one order, and each begins once."""
    state = State(plan=PLANS["held"], deploys=True)
    _, out = fed(
        state,
        do.Begin(),
        ev.DeployDone(members=()),
        do.PrerequisitesSettled(held=True),
        do.TimerFired("baseline"),
        do.SteadyStateSettled(held=True),
        BEFORE,
        *injected("leader-dies", "node-1"),
        do.TimerFired("hold:leader-dies.hold"),
        ev.RevertDone(node="leader-dies"),
        do.TimerFired("settled"),
        ev.EnvironmentVerified(clean=True, differences=()),
        ev.TeardownDone(left=()),
    )
    phases = [one.event.phase for one in out if isinstance(one, do.Write) and isinstance(one.event, ev.PhaseEntered)]
    assert phases == ["deploy", "prerequisites", "baseline", "inject", "hold", "revert", "settle", "verify", "teardown"]
    assert out[-1] == do.Finish("completed")


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (ev.SignalReceived(signal="SIGTERM"), "SIGTERM received"),
        (ev.GuardTripped(indicator="writes", detail="bad for 20s"), "guard rail: bad for 20s"),
        (ev.WatchdogDied(pid=1), "the watchdog died: undoing would depend on this process alone"),
        (do.RecordLost("the disk is full"), "the disk is full"),
        (do.EngineFailed("KeyError: 'x'"), "KeyError: 'x'"),
        (do.TimerFired("timeout"), "the scenario's time-out of 60s passed"),
        (ev.FaultFailed(node="second", reason="no"), "the injection second failed: no"),
        (do.InjectionSettled("second", "it did not bite"), "it did not bite"),
        (ev.RevertFailed(node="first", reason="no"), "the revert of first failed: no"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_whatever_ends_a_run_rolls_it_back(given_: do.Input, said: str) -> None:
    """Every reason to stop is written once, stops what acts, and then everything is reverted, newest first."""
    state, _ = fed(at_steps(PLANS["until the rollback"]), *injected("first", "node-1"), intended("second", "node-2"))
    state, out = fed(state, given_)
    expected = said.replace("60s", "1m")
    assert out[:2] == [do.Write(ev.AbortDecided(reason=expected)), do.StopActing()]
    assert not any(isinstance(one, do.Revert) for one in out), "nothing is reverted while something may still inject"
    state, out = fed(state, do.ActingStopped())
    assert do.Revert("second", at_once=True) in out
    state, out = fed(state, ev.RevertDone(node="second"))
    left = isinstance(given_, ev.RevertFailed)
    assert out[0] == (do.Write(ev.RollbackFinished(left=("first",))) if left else do.Revert("first", at_once=True))
    state, out = fed(state, ev.RevertDone(node="first"), ev.EnvironmentVerified(clean=True, differences=()))
    _, end = fed(state, ev.TeardownDone(left=()))
    assert end == [do.Finish("aborted")]


@pytest.mark.parametrize("inputs", range(5))
def test_an_abort_before_the_first_step_touches_nothing(inputs: int) -> None:
    """Until a step has begun there is nothing to roll back or to verify; what was deployed is taken down."""
    all_inputs = (do.Begin(), ev.DeployDone(members=()), do.PrerequisitesSettled(held=True), do.TimerFired("baseline"))
    state, _ = fed(State(plan=PLANS["held"], deploys=True), *all_inputs[:inputs])
    _, out = fed(state, ev.SignalReceived(signal="SIGINT"), do.ActingStopped(), ev.TeardownDone(left=()))
    assert not any(isinstance(one, do.Inject | do.Revert | do.Verify) for one in out)
    assert out[-1] == do.Finish("aborted")
    assert do.Teardown() in out


def test_a_standing_environment_is_never_torn_down() -> None:
    """Where the run did not deploy, it neither deploys nor tears down."""
    state = State(plan=PLANS["held"], deploys=False)
    _, out = fed(state, do.Begin(), do.PrerequisitesSettled(held=False), do.ActingStopped())
    assert out[-1] == do.Finish("aborted")
    assert not any(isinstance(one, do.Deploy | do.Teardown) for one in out)


def test_an_intent_written_in_the_instant_of_the_abort_is_undone() -> None:
    """A fault whose intent is told only after the abort was decided is reverted like every other."""
    state = at_steps(PLANS["held"])
    _, out = fed(state, ev.SignalReceived(signal="SIGTERM"), intended("leader-dies", "node-1"), do.ActingStopped())
    assert do.Revert("leader-dies", at_once=True) in out
    assert not any(isinstance(one, do.Verify) for one in out)


def test_targets_are_resolved_one_at_a_time() -> None:
    """Of two faults that begin at once, the second is resolved when the first is known, and may not hit the same member."""
    plan = PLANS["two at once"]
    first, second = [node.id for node in plan.nodes if isinstance(node, InjectNode)]
    state, out = fed(
        State(plan=plan, deploys=False),
        do.Begin(),
        do.PrerequisitesSettled(held=True),
        do.SteadyStateSettled(held=True),
        BEFORE,
    )
    assert [one.node for one in out if isinstance(one, do.Inject)] == [first]
    _, out = fed(state, intended(first, "node-2"))
    assert out == [do.Inject(second, 1, frozenset({"node-2"}), under=frozenset({"node-2"}))]


@pytest.mark.parametrize(
    ("objectives", "least"),
    [
        ("[{converge: one-leader, within: 9s, settle: 2s}]", 11),
        ("[{converge: one-leader, within: 2s, onset_within: 12s}]", 13),
        ("[{recover: one-leader, within: 9s, settle: 2s}]", 30 + 11),
        ("[{stay: one-leader, during: settle}]", 30 + 2),
    ],
)
def test_settle_lasts_as_long_as_every_objective_needs(objectives: str, least: int) -> None:
    """Injected at 0 s and reverted at 30 s, each objective has been watched to its end when the settle phase is over."""
    state, _ = fed(at_steps(plan_with("[{fault: kill, id: it, target: {count: 1}, hold: 30s}]", objectives=objectives)))
    state, _ = fed(state, *injected("it", "node-1"))
    state, _ = fed(state, do.TimerFired("hold:it.hold"), now=30 * SECOND)
    _, out = fed(state, ev.RevertDone(node="it"), now=30 * SECOND)
    (timer,) = [one for one in out if isinstance(one, do.SetTimer)]
    assert timer.name == "settled"
    assert timer.at >= least * SECOND
    assert timer.at >= 30 * SECOND + 3 * 200 * 10**6, "three rounds at least"


def test_a_fault_without_revert_is_watched_before_the_rollback() -> None:
    """A fault that only the rollback undoes stays until every convergence has been watched for long enough."""
    plan = plan_with("[{fault: kill, id: it, target: {count: 1}}]", objectives="[{converge: one-leader, within: 9s}]")
    state, out = fed(at_steps(plan), *injected("it", "node-1"), now=5 * SECOND)
    (timer,) = [one for one in out if isinstance(one, do.SetTimer)]
    assert timer.name == "observed"
    assert timer.at >= (5 + 9 + 1) * SECOND
    _, out = fed(state, do.TimerFired("observed"), now=timer.at)
    assert out[-1] == do.Revert("it")


def test_a_revert_under_way_is_waited_for() -> None:
    """An abort during a revert does not revert the same fault twice."""
    state, _ = fed(at_steps(PLANS["held"]), *injected("leader-dies", "node-1"), do.TimerFired("hold:leader-dies.hold"))
    state, out = fed(state, ev.SignalReceived(signal="SIGTERM"), do.ActingStopped())
    assert not any(isinstance(one, do.Revert | do.Verify) for one in out)
    _, out = fed(state, ev.RevertDone(node="leader-dies"))
    assert do.Verify() in out


def test_a_condition_that_is_not_met_ends_the_run_unless_it_may_go_on() -> None:
    """``until`` aborts at its time-out; with ``or_go_on`` the next step begins."""
    for may, expected in ((False, True), (True, False)):
        until = f"{{until: one-leader, id: see, timeout: 5s, or_go_on: {str(may).lower()}}}"
        state = at_steps(plan_with(f"[{until}, {{fault: kill, target: {{count: 1}}, hold: 1s}}]"))
        _, out = fed(state, ev.ConditionDone(node="see", met=False, detail="it was bad"))
        assert any(isinstance(one, do.StopActing) for one in out) is expected
        assert any(isinstance(one, do.Inject) for one in out) is not expected


ANYTHING = st.one_of(
    st.sampled_from(
        [
            do.Begin(),
            do.ActingStopped(),
            ev.DeployDone(members=()),
            ev.DeployFailed(reason="no"),
            BEFORE,
            ev.EnvironmentVerified(clean=False, differences=("node-1 is down",)),
            ev.TeardownDone(left=("a process",)),
            ev.SignalReceived(signal="SIGHUP"),
            ev.GuardTripped(indicator="writes", detail="bad"),
            ev.WatchdogDied(pid=7),
            do.RecordLost("full"),
            do.EngineFailed("broke"),
            ev.MemberDied(member="node-1", detail="it ended"),
        ]
    ),
    st.builds(do.PrerequisitesSettled, st.booleans()),
    st.builds(do.SteadyStateSettled, st.booleans()),
    st.builds(do.TimerFired, st.sampled_from(["baseline", "timeout", "observed", "settled", "hold:first", "hold:x", "over"])),
    st.builds(lambda node: intended(node, "node-1"), st.sampled_from(["first", "second", "it", "nobody"])),
    st.builds(lambda node: ev.FaultInjected(node=node), st.sampled_from(["first", "second", "it", "nobody"])),
    st.builds(lambda node: ev.FaultFailed(node=node, reason="no"), st.sampled_from(["first", "second", "nobody"])),
    st.builds(lambda node: ev.RevertDone(node=node), st.sampled_from(["first", "second", "it", "nobody"])),
    st.builds(lambda node: ev.RevertFailed(node=node, reason="no"), st.sampled_from(["first", "second", "it"])),
    st.builds(
        lambda node, met: ev.ConditionDone(node=node, met=met, detail=""), st.sampled_from(["it", "nobody"]), st.booleans()
    ),
    st.builds(do.InjectionSettled, st.sampled_from(["first", "second", "it", "nobody"]), st.sampled_from(["", "no bite"])),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PLANS)), st.booleans(), st.lists(st.tuples(ANYTHING, st.integers(0, 10**12)), max_size=40))
@example(
    "by a step", False, [(ev.DeployFailed(reason="no"), 0), (do.Begin(), 0), (do.PrerequisitesSettled(True), 0), (BEFORE, 0)]
)
def test_any_sequence_of_inputs_is_survived(name: str, deploys: bool, inputs: list[tuple[do.Input, int]]) -> None:
    """Whatever comes in whatever order raises nothing, and no fault is injected once an abort was decided."""
    state = State(plan=PLANS[name], deploys=deploys)
    aborted = False
    for one, now in inputs:
        state, commands = step(state, one, now)
        for command in commands:
            aborted = aborted or (isinstance(command, do.Write) and isinstance(command.event, ev.AbortDecided))
            assert not (aborted and isinstance(command, do.Inject)), inputs


MISCHIEF = [
    ev.SignalReceived(signal="SIGTERM"),
    ev.GuardTripped(indicator="writes", detail="bad"),
    ev.WatchdogDied(pid=7),
    do.RecordLost("full"),
    do.EngineFailed("broke"),
    do.TimerFired("timeout"),
]


@settings(max_examples=400, deadline=None)
@given(st.data(), st.sampled_from(sorted(PLANS)), st.lists(st.sampled_from(MISCHIEF), max_size=2), st.booleans())
def test_every_fault_is_undone_whatever_happens(
    data: st.DataObject, name: str, mischief: list[do.Input], deploys: bool
) -> None:
    """However long things take and whatever fails, the run ends, every intent was reverted or its failure recorded, and no
    fault comes after an abort."""
    world = World(PLANS[name], lambda ways: data.draw(st.integers(0, ways - 1)), list(mischief), deploys)
    world.run()
    intents = {one.node for one in world.seen(ev.FaultIntended)}
    ended = {one.node for one in world.seen(ev.RevertDone, ev.RevertFailed)}
    assert intents <= ended, "a fault was never reverted"
    assert set(world.held) <= {one.node for one in world.seen(ev.RevertFailed)}
    commands = [one for _, one in world.done]
    aborted = next((place for place, one in enumerate(commands) if isinstance(one, do.StopActing)), len(commands))
    assert not any(isinstance(one, do.Inject) for one in commands[aborted:])
    assert world.most_held <= world.plan.blast_radius
    assert len(world.seen(do.Finish)) == 1
    if world.seen(do.Inject):
        assert world.seen(do.Verify), "after a fault the environment is always verified"
    if deploys:
        assert world.seen(do.Teardown), "what was deployed is always taken down"
    _check_order(commands)


def _check_order(commands: list[do.Command | do.Input]) -> None:
    """The rollback reverts newest first, one after the other."""
    start = next(
        (
            place
            for place, one in enumerate(commands)
            if isinstance(one, do.Write) and isinstance(one.event, ev.RollbackStarted)
        ),
        len(commands),
    )
    order = [one.node for one in commands if isinstance(one, ev.FaultIntended)]
    reverts = [order.index(one.injection) for one in commands[start:] if isinstance(one, do.Revert)]
    assert reverts == sorted(reverts, reverse=True)


def test_a_quiet_world_completes() -> None:
    """Where everything goes well, every plan within its blast radius completes."""
    for name in PLANS.keys() - {"over the radius"}:
        world = World(PLANS[name], lambda ways: ways - 1, in_turn=True)
        world.run()
        assert world.seen(do.Finish) == [do.Finish("completed")], name


def test_a_plan_without_nodes_goes_on_to_settle() -> None:
    """A plan in which nothing is to be done does not hang."""
    plan = PLANS["held"]
    empty = msgspec.structs.replace(plan, nodes=())
    assert at_steps(empty).stage == "settling"
