"""Scenario + environment + seed → plan: deterministic, or refused with every reason at once."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_runs import ENVIRONMENT, INDICATORS, SECOND, described, document, plan_for, plan_of, read_file, scenario_text

from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.plan import (
    Capabilities,
    HoldNode,
    InjectNode,
    Plan,
    RevertNode,
    blast_limit,
    compile_steps,
    draw,
    make_plan,
    wanted,
)
from meshkit_chaos.scenario.model import (
    BlastRadius,
    FaultStep,
    ParallelStep,
    RevertStep,
    Scenario,
    Step,
    Target,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.slo import Duration, Ratio
from meshkit_chaos.slo.codec import encode

NAMES = st.sampled_from([f"node-{number}" for number in range(1, 13)])


def with_target(target: Target, *, fault: str = "kill", members: int | None = 2) -> Scenario:
    """A scenario whose one fault has this target; lint is not asked."""
    scenario = read_file(document()).scenarios[0]
    step = FaultStep(id="it", fault=fault, target=target, hold=Duration(3 * SECOND))
    return msgspec.structs.replace(scenario, steps=(step,), blast_radius=BlastRadius(members=members))


def refusal(scenario: Scenario, *, capabilities: Callable[[Capabilities], Capabilities] = lambda given_: given_) -> str:
    lab = described()
    with pytest.raises(CannotRun) as refused:
        make_plan(scenario, lab, capabilities(capabilities_of(lab)), seed=1)
    assert refused.value.exit_code == 2
    return refused.value.message


def shape(plan: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(type(node).__name__.removesuffix("Node").lower(), node.id, node.after) for node in plan.nodes]


def test_equal_inputs_give_equal_plans() -> None:
    """A plan depends on nothing but its inputs: equal ones give equal bytes."""
    assert encode(plan_of(seed=7)) == encode(plan_of(seed=7))
    assert plan_of(seed=7) != plan_of(seed=8)


def test_a_held_fault_is_inject_hold_revert() -> None:
    """A fault with a hold becomes three nodes, one after the other."""
    assert shape(plan_of()) == [
        ("inject", "leader-dies", ()),
        ("hold", "leader-dies.hold", ("leader-dies",)),
        ("revert", "leader-dies.revert", ("leader-dies.hold",)),
    ]


def test_a_momentary_fault_is_reverted_at_once() -> None:
    """A restart is over once injected: its revert follows without a hold."""
    plan = plan_of(document(scenario_text(steps="[{fault: restart, id: it, target: {count: 1}}, {wait: 1s, id: rest}]")))
    assert shape(plan) == [("inject", "it", ()), ("revert", "it.revert", ("it",)), ("hold", "rest", ("it.revert",))]


def test_branches_begin_together_and_are_waited_for_together() -> None:
    """Branches come after what stood before them, and what follows comes after the end of every branch."""
    branches = "{fault: pause, id: a, target: {names: [node-1]}, hold: 1s}, [{wait: 2s, id: b}, {wait: 3s, id: c}]"
    steps = f"[{{wait: 1s, id: first}}, {{parallel: [{branches}]}}, {{wait: 1s, id: last}}]"
    nodes = {name: after for _, name, after in shape(plan_of(document(scenario_text(steps=steps))))}
    assert nodes["a"] == nodes["b"] == ("first",)
    assert nodes["c"] == ("b",)
    assert nodes["last"] == ("a.revert", "c")


def test_a_revert_step_waits_for_its_injection() -> None:
    """A revert in one branch of a fault in another comes after that fault, however the branches run."""
    steps: tuple[Step, ...] = (
        ParallelStep(
            id="both",
            branches=(
                (WaitStep(id="w", wait=Duration(SECOND)), FaultStep(id="it", fault="kill", target=Target(count=1))),
                (RevertStep(id="undo", revert="it"),),
            ),
        ),
    )
    (undo,) = [node for node in compile_steps(steps) if isinstance(node, RevertNode)]
    assert undo.after == ("it",)


def test_a_revert_of_nothing_is_refused() -> None:
    """A revert that stands before its fault, or names none, would wait for ever."""
    step = FaultStep(id="it", fault="kill", target=Target(count=1))
    for steps in ((RevertStep(id="undo", revert="it"), step), (step, RevertStep(id="undo", revert="other"))):
        told = refusal(msgspec.structs.replace(with_target(Target(count=1)), steps=steps))
        assert "step undo: it reverts" in told


STEPS = st.recursive(
    st.one_of(
        st.builds(lambda hold: ("fault", hold), st.sampled_from([None, 1, 5])),
        st.just(("wait", 1)),
        st.just(("until", 2)),
    ),
    lambda inner: st.builds(
        lambda branches: ("parallel", branches), st.lists(st.lists(inner, min_size=1, max_size=3), min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def built(drawn: object, numbers: list[int]) -> Step:
    assert isinstance(drawn, tuple)
    numbers.append(len(numbers))
    name = f"s{len(numbers)}"
    kind, more = drawn
    if kind == "fault":
        hold = None if more is None else Duration(more * SECOND)
        return FaultStep(id=name, fault="kill", target=Target(names=("node-1",)), hold=hold)
    if kind == "wait":
        return WaitStep(id=name, wait=Duration(SECOND))
    if kind == "until":
        return UntilStep(id=name, until="one-leader", timeout=Duration(SECOND))
    return ParallelStep(id=name, branches=tuple(tuple(built(one, numbers) for one in branch) for branch in more))


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_nodes_come_behind_what_they_come_after(drawn: list[object]) -> None:
    """Every compiled graph is in an order that can be executed, without a name twice or a name of nothing."""
    numbers: list[int] = []
    nodes = compile_steps(tuple(built(one, numbers) for one in drawn))
    seen: set[str] = set()
    for node in nodes:
        assert set(node.after) <= seen
        assert node.id not in seen
        seen.add(node.id)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target(names=("node-9",)), "there is no member 'node-9' (did you mean 'node-"),
        (Target(role="leadr"), "the environment knows no role 'leadr' (did you mean 'leader'?)"),
        (Target(not_role="follower"), "the environment knows no role 'follower'"),
        (Target(count=3), "3 members exceed the blast radius of 2"),
        (Target(share=Ratio(1.0)), "3 members exceed the blast radius of 2"),
    ],
)
def test_what_cannot_be_hit_is_refused(target: Target, said: str) -> None:
    """An unknown member or role and a target over the blast radius are refused with the nearest name."""
    assert said in refusal(with_target(target))


def test_a_missing_lever_is_refused() -> None:
    """An environment without a lever that the fault or its undo needs is refused by the lever's name."""
    lacking = refusal(
        with_target(Target(count=1), fault="pause"),
        capabilities=lambda had: msgspec.structs.replace(had, levers=("kill", "start", "pause")),
    )
    assert "fault pause needs the levers resume, which simulated lacks" in lacking


def test_all_reasons_come_at_once() -> None:
    """Whoever is refused reads every reason, not only the first."""
    scenario = msgspec.structs.replace(
        with_target(Target(count=1)),
        steps=(
            FaultStep(id="a", fault="kil", target=Target(count=1)),
            FaultStep(id="b", fault="kill", target=Target(role="leadr", names=("nod-1",))),
        ),
    )
    told = refusal(scenario)
    for part in ("no fault 'kil'", "no role 'leadr'", "no member 'nod-1'"):
        assert part in told


def test_metrics_without_an_address_are_refused() -> None:
    """Indicators that read metrics cannot be measured where nothing says where metrics are."""
    lab = msgspec.structs.replace(described(), metrics=None)
    with pytest.raises(CannotRun, match="says no address"):
        make_plan(read_file(document()).scenarios[0], lab, capabilities_of(lab), seed=1)


@given(st.lists(NAMES, min_size=1, max_size=12, unique=True), st.integers(0, 12), st.integers(0, 2**63 - 1))
def test_a_draw_takes_so_many_of_the_candidates(candidates: list[str], count: int, seed: int) -> None:
    """A draw gives as many as are wanted, in their declared order, and the same for the same seed and node."""
    drawn = draw(tuple(candidates), count=count, seed=seed, node="it")
    assert len(drawn) == min(count, len(candidates))
    assert list(drawn) == [name for name in candidates if name in drawn]
    assert drawn == draw(tuple(candidates), count=count, seed=seed, node="it")


@given(st.permutations([f"node-{number}" for number in range(1, 8)]), st.integers(0, 1000))
def test_a_draw_does_not_depend_on_the_order(candidates: list[str], seed: int) -> None:
    """Who is drawn is decided by the names and the seed alone."""
    assert set(draw(tuple(candidates), count=3, seed=seed, node="it")) == set(
        draw(tuple(sorted(candidates)), count=3, seed=seed, node="it")
    )


def test_seeds_reach_every_member() -> None:
    """Over many seeds each member is drawn: none is spared by the way of drawing."""
    members = ("node-1", "node-2", "node-3")
    assert {draw(members, count=1, seed=seed, node="it")[0] for seed in range(50)} == set(members)


@pytest.mark.parametrize(
    ("share", "of", "expected"),
    [
        (0.3, 3, 1),
        (0.34, 3, 2),
        (1 / 3, 3, 1),
        (0.5, 4, 2),
        (0.1, 10, 1),
        (0.7, 10, 7),
        (0.29, 100, 29),
        (1.0, 5, 5),
        (0.01, 5, 1),
    ],
)
def test_a_share_is_rounded_up(share: float, of: int, expected: int) -> None:
    """A share of the candidates is rounded up, and not by an error of floating point."""
    assert wanted(Target(share=Ratio(share)), of) == expected


@pytest.mark.parametrize(
    ("radius", "members", "expected"),
    [
        (BlastRadius(), 1, 1),
        (BlastRadius(), 3, 1),
        (BlastRadius(), 5, 2),
        (BlastRadius(members=2), 5, 2),
        (BlastRadius(share=Ratio(0.29)), 100, 29),
        (BlastRadius(share=Ratio(0.5)), 3, 1),
        (BlastRadius(members=3, share=Ratio(0.2)), 10, 2),
    ],
)
def test_the_blast_radius_is_a_minority_unless_said(radius: BlastRadius, members: int, expected: int) -> None:
    """By default a minority, at least one; a share is rounded down; of two limits the smaller counts."""
    assert blast_limit(radius, members) == expected


def test_a_deadline_comes_behind_the_planned_revert() -> None:
    """A run on time is never cut off: the deadline lies behind the end of the hold, the slowest levers and the rollback."""
    (inject,) = [node for node in plan_of().nodes if isinstance(node, InjectNode)]
    (hold,) = [node for node in plan_of().nodes if isinstance(node, HoldNode)]
    assert inject.deadline > hold.lasting + Duration(5 * SECOND)
    longer = plan_of(document(scenario_text(steps="[{fault: kill, id: it, target: {count: 1}, hold: 33s}]")))
    (slow,) = [node for node in longer.nodes if isinstance(node, InjectNode)]
    assert slow.deadline - inject.deadline == Duration(30 * SECOND)


def test_a_fault_that_only_the_rollback_undoes_is_held_through_the_observation() -> None:
    """Its deadline lies behind everything that is watched while it is in force."""
    plan = plan_of(
        document(
            scenario_text(
                steps="[{fault: kill, id: it, target: {count: 1}}]", objectives="[{converge: one-leader, within: 40s}]"
            )
        )
    )
    (inject,) = [node for node in plan.nodes if isinstance(node, InjectNode)]
    assert inject.deadline > Duration(41 * SECOND)


def test_the_limit_of_a_run_holds_all_that_may_take_time() -> None:
    """The watchdog cuts off no run that is within its own times: prerequisites, time-out, every revert, verification."""
    short = plan_of()
    waits = "prerequisites: [{indicator: one-leader, within: 50s}, {check: {tcp: {address: 'h:1'}}, within: 40s}]"
    asked = plan_of(document(scenario_text(more=waits)))
    assert asked.limit - short.limit == Duration(90 * SECOND)
    several = plan_of(
        document(
            scenario_text(
                steps="[{fault: kill, id: a, target: {names: [node-1]}}, {fault: pause, id: b, target: {names: [node-2]}}]",
                more="blast_radius: {members: 2}",
            )
        )
    )
    assert several.limit - short.limit == short.scenario.rollback.within


def test_the_environments_ready_time_counts() -> None:
    """A mesh that starts slowly has later deadlines."""
    ready = ENVIRONMENT + "\nready: {tcp: {address: '${member.host}:${member.port.client}'}, within: 30s}\n"
    slow, quick = plan_of(environment=ready), plan_of()
    assert slow.limit > quick.limit
    assert slow.nodes[0].deadline > quick.nodes[0].deadline  # type: ignore[union-attr]  # the first node injects


def test_the_plan_holds_what_it_was_made_of() -> None:
    """A record needs nothing besides its plan: scenario, environment, capabilities and seed are in it."""
    lab = described()
    scenario = read_file(document(indicators=INDICATORS)).scenarios[0]
    plan = plan_for(scenario, lab, seed=3)
    assert (plan.scenario, plan.environment, plan.seed) == (scenario, lab, 3)
    assert plan.capabilities.members == ("node-1", "node-2", "node-3")
    assert msgspec.json.decode(msgspec.json.encode(plan.capabilities), type=Capabilities) == plan.capabilities
