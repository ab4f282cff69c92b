"""Sequences as graphs: repetitions and ramps spelled out, chance drawn by the seed, the blast radius kept before the run."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_runs import ENVIRONMENT, SECOND, described, document, plan_of, read_file, scenario_text

from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.plan import AdjustNode, HoldNode, InjectNode, Plan, RevertNode, drawn_span, make_plan, step_of
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import decode, encode

OPTIONAL = "[{converge: one-leader, within: 5s, disturbance: optional}]"


def planned(steps: str, *, members: int = 2, seed: int = 1, environment: str = ENVIRONMENT) -> Plan:
    text = document(scenario_text(steps=steps, objectives=OPTIONAL, more=f"blast_radius: {{members: {members}}}"))
    return plan_of(text, environment=environment, seed=seed)


def refused(steps: str, *, members: int) -> str:
    text = document(scenario_text(steps=steps, objectives=OPTIONAL, more=f"blast_radius: {{members: {members}}}"))
    lab = described()
    with pytest.raises(CannotRun) as caught:
        make_plan(read_file(text, lab).scenarios[0], lab, capabilities_of(lab), seed=1)
    return caught.value.message


def shape(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {node.id: node.after for node in plan.nodes}


def test_a_repetition_begins_when_it_is_due_and_the_one_before_is_over() -> None:
    """Of ``every`` and the time before, the later one counts."""
    steps = "[{repeat: 2, every: 5s, id: r, steps: [{fault: kill, id: k, target: {count: 1}, hold: 1s}]}]"
    nodes = shape(planned(steps))
    assert nodes["k.1"] == ()
    assert nodes["r.1.every"] == ()
    assert set(nodes["k.2"]) == {"k.1.revert", "r.1.every"}
    assert "r.2.every" not in nodes, "nobody waits for a third time"


def test_repetitions_nest() -> None:
    """A repeat in a repeat: every node has a name of its own that says which time it is, outer first."""
    plan = planned("[{repeat: 2, steps: [{repeat: 2, steps: [{fault: restart, id: k, target: {count: 1}}]}]}]")
    injects = [node.id for node in plan.nodes if isinstance(node, InjectNode)]
    assert injects == ["k.1.1", "k.1.2", "k.2.1", "k.2.2"]
    assert {step_of(name) for name in injects} == {"k"}


def test_a_revert_in_a_repetition_is_of_that_one() -> None:
    """Within one time, a revert undoes what that time injected."""
    plan = planned("[{repeat: 2, steps: [{fault: kill, id: k, target: {count: 1}}, {wait: 1s}, {revert: k, id: undo}]}]")
    assert [(node.id, node.injection) for node in plan.nodes if isinstance(node, RevertNode)] == [
        ("undo.1", "k.1"),
        ("undo.2", "k.2"),
    ]


def test_a_ramp_is_spelled_out() -> None:
    """Each move of a ramp waits its share of the time, and the revert comes behind the last one and the hold."""
    step = (
        "{fault: latency, id: slow, target: {role: leader}, with: {delay: 10ms}, hold: 4s,"
        " ramp: {parameter: delay, to: 40ms, over: 3s, steps: 3}}"
    )
    plan = planned(f"[{step}]")
    moves = [node for node in plan.nodes if isinstance(node, AdjustNode)]
    assert [node.step.parameters["delay"] for node in moves] == ["20ms", "30ms", "40ms"]
    waits = [node.lasting for node in plan.nodes if isinstance(node, HoldNode) and node.id.startswith("slow.ramp")]
    assert waits == [Duration(SECOND)] * 3
    revert = next(node for node in plan.nodes if isinstance(node, RevertNode))
    assert set(revert.after) == {"slow.hold", "slow.ramp.3"}


@given(st.integers(0, 2**32), st.integers(1, 3000))
def test_jitter_stays_within_what_it_may_be(seed: int, most: int) -> None:
    """A drawn span is never negative and never more than the jitter, and whole milliseconds."""
    span = drawn_span(Duration(most * 10**6), seed=seed, node="x")
    assert 0 <= span.ns <= most * 10**6
    assert span.ns % 10**6 == 0
    assert drawn_span(Duration(0), seed=seed, node="x") == Duration(0)


def test_jitter_is_in_the_plan() -> None:
    """What chance decides stands in the plan: equal seeds give equal waits, others give others."""
    steps = "[{wait: 1s, jitter: 2s, id: w}, {fault: kill, target: {count: 1}, hold: 1s}]"

    def waited(seed: int) -> Duration:
        return next(node.lasting for node in planned(steps, seed=seed).nodes if isinstance(node, HoldNode) and node.id == "w")

    assert waited(1) == waited(1)
    assert len({waited(seed) for seed in range(10)}) > 5


def test_a_rolling_restart_is_planned_member_by_member() -> None:
    """Who comes when is known before the run, each once, with a pause between."""
    plan = planned("[{fault: rolling-restart, id: roll, target: {share: 100%}, with: {pause: 3s}}]", members=1)
    injects = [node for node in plan.nodes if isinstance(node, InjectNode)]
    assert sorted(node.step.target.names for node in injects) == [("node-1",), ("node-2",), ("node-3",)]
    pauses = [node.lasting for node in plan.nodes if isinstance(node, HoldNode)]
    assert pauses == [Duration(3 * SECOND)] * 2
    for earlier, later in pairwise(injects):
        assert earlier.id != later.id
        assert later.after == (f"{later.id}.pause",)


@pytest.mark.parametrize(
    "steps",
    [
        "[{fault: kill, id: a, target: {count: 1}}, {fault: pause, id: b, target: {count: 1}, hold: 1s}]",
        "[{repeat: 2, every: 1s, steps: [{fault: kill, id: a, target: {count: 1}}]}]",
        "[{fault: kill, id: a, target: {count: 1}}, {parallel: [[{wait: 1s}, {fault: pause, target: {count: 1}, hold: 1s}]]}]",
    ],
)
def test_what_surely_exceeds_the_blast_radius_is_refused(steps: str) -> None:
    """Members that are surely held at once are counted before the run, whoever they will be."""
    assert "surely still held, 2 members exceed the blast radius of 1" in refused(steps, members=1)
    assert planned(steps, members=2)


@pytest.mark.parametrize(
    "steps",
    [
        "[{fault: kill, id: a, target: {count: 1}, hold: 1s}, {fault: pause, id: b, target: {count: 1}, hold: 1s}]",
        "[{fault: kill, id: a, target: {count: 1}}, {revert: a}, {fault: pause, id: b, target: {count: 1}, hold: 1s}]",
        "[{fault: latency, id: a, target: {count: 1}, with: {delay: 9ms}}, {fault: kill, target: {count: 1}, hold: 1s}]",
        "[{parallel: [{fault: kill, target: {count: 1}, hold: 1s}, [{wait: 5s}, {fault: stop, target: {count: 1}}]]}]",
    ],
)
def test_what_may_keep_within_the_blast_radius_is_left_to_the_injection(steps: str) -> None:
    """What is undone before, may meet the same member, or may not overlap is refused only if it comes to that."""
    assert planned(steps, members=1)


def test_a_fault_that_cannot_be_aimed_is_refused_before_the_run() -> None:
    """A partition with more bridges than members is refused by the plan, in the words of the fault."""
    steps = "[{fault: partition, id: p, target: {count: 1}, with: {bridges: 2}, hold: 1s}]"
    assert "leave nobody on the other side" in refused(steps, members=1)


def test_a_network_that_is_missing_is_told_with_what_to_write() -> None:
    """Processes on loopback have no links to shape; the refusal says how they come by some."""
    lab = described(
        ENVIRONMENT.replace("kind: simulated\n", "kind: process\ncommand: [sleep, '9']\n").partition("simulated:")[0]
    )
    steps = "[{fault: partition, id: p, target: {count: 1}, hold: 1s}]"
    text = document(scenario_text(steps=steps, objectives=OPTIONAL))
    with pytest.raises(CannotRun, match=r"which process lacks .write `network: isolated`"):
        make_plan(read_file(text, lab).scenarios[0], lab, capabilities_of(lab), seed=1)


def test_a_plan_with_every_kind_of_node_comes_back_as_it_was() -> None:
    """A plan is written into the record and read again by whoever judges."""
    steps = """[{fault: latency, id: slow, target: {role: leader}, with: {delay: 10ms}, hold: 4s,
                 when: {until: one-leader, is: good, timeout: 5s}, ramp: {parameter: delay, to: 40ms, over: 3s}},
                {repeat: 2, every: 4s, jitter: 1s, steps: [{fault: restart, target: {count: 1}}]}]"""
    plan = planned(steps)
    assert decode(encode(plan), Plan) == plan
