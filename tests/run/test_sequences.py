"""Sequences of faults in whole virtual runs: one over another, again and again, little by little, on a condition, in turn."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from virtual_runs import ENVIRONMENT, INDICATORS, SECOND, Ran, Staged, document, run_virtual, scenario_text

from meshkit_chaos.faults import LinkPolicy, MemberState, Shape
from meshkit_chaos.journal import events as ev
from meshkit_chaos.run.acting import differences

OPTIONAL = "[{converge: one-leader, within: 5s, disturbance: optional}]"
FIVE = ENVIRONMENT.replace("count: 3", "count: 5")

PUT = "http://${member.host}:${member.port.client}/v3/kv/put"
WRITES = f"""{INDICATORS.rstrip()}
  writes: {{probe: {{http: {{method: POST, url: "{PUT}", body: "{{}}"}}, every: 250ms, timeout: 500ms, need: any}}}}
"""


def run(folder: Path, steps: str, *, objectives: str = OPTIONAL, members: int = 1, **named: object) -> Ran:
    text = document(scenario_text(steps=steps, objectives=objectives, more=f"blast_radius: {{members: {members}}}"))
    return run_virtual(folder / "run", text, **named)  # type: ignore[arg-type]  # handed through


def policies(ran: Ran) -> list[LinkPolicy]:
    """What was asked of links, in order."""
    return [
        call.policy
        for entry in ran.record.entries
        if isinstance(entry.event, ev.FaultIntended | ev.AdjustIntended)
        for call in entry.event.calls
        if isinstance(call, Shape)
    ]


NETWORK = {
    "partition": "{}",
    "latency": "{delay: 100ms, jitter: 10ms}",
    "packet-loss": "{loss: 10%, burst: 3}",
    "corruption": "{share: 10%}",
    "duplication": "{share: 10%}",
    "reordering": "{share: 25%}",
    "udp-blocked": "{}",
}


@pytest.mark.parametrize("kind", NETWORK)
def test_a_fault_of_the_network_bites_and_is_lifted(tmp_path: Path, kind: str) -> None:
    """Each kind is counted on the links of its target, and nothing of it is left."""
    steps = f"[{{fault: {kind}, id: it, target: {{names: [node-3]}}, with: {NETWORK[kind]}, hold: 2s}}]"
    ran = run(tmp_path, steps)
    assert ran.verdict.verdict == "pass", [found.sentence for found in ran.verdict.findings if found.verdict != "pass"]
    assert ran.verdict.environment == "clean"
    ended = ran.record.last(ev.FingerprintTaken)
    assert ended is not None
    assert all(state.layers == () for state in ended[1].members.values())


def test_an_isolated_leader_is_replaced(tmp_path: Path) -> None:
    """A partition around the leader is an election: writes wait for it, and the judge measures from its intent."""
    steps = "[{fault: partition, id: it, target: {role: leader}, hold: 4s}]"
    text = document(scenario_text(steps=steps, objectives="[{converge: writes, within: 5s}]"), indicators=WRITES)
    ran = run_virtual(tmp_path / "run", text)
    found = next(finding for finding in ran.verdict.findings if finding.id == "converge-writes")
    assert found.verdict == "pass", found.sentence
    assert found.measured is not None
    assert found.measured.hi is not None
    assert found.measured.hi >= SECOND


def test_a_layer_that_no_packet_met_did_not_bite(tmp_path: Path) -> None:
    """A lever that reports success and does nothing is noticed by the counters, and the run is invalid."""
    ran = run(
        tmp_path,
        "[{fault: latency, id: it, target: {names: [node-2]}, with: {delay: 1s}, hold: 2s}]",
        staged=Staged(misbehaviour={"shape": "lies"}),
    )
    assert ran.verdict.verdict == "invalid"
    assert "no such layer is in force" in ran.said("fault-bit-it")


def test_a_loss_that_lost_nothing_is_told_before_it_is_undone(tmp_path: Path) -> None:
    """Whether a rare loss bit is looked at once more at the end of the hold; where nothing was lost, the run proves nothing."""
    steps = "[{fault: packet-loss, id: it, target: {names: [node-2]}, with: {loss: 0.01%}, hold: 2s}]"
    ran = run(tmp_path, steps)
    assert ran.verdict.verdict == "invalid"
    assert "packets that met it was lost" in ran.said("fault-bit-it")
    seen = [event.bit for _, event in ran.record.of(ev.EffectObserved)]
    assert seen == [True, False]


def test_faults_of_the_network_lie_over_others(tmp_path: Path) -> None:
    """A slow member may be killed, one member counts once for the blast radius, and the newest is undone first."""
    steps = """[{fault: latency, id: slow, target: {names: [node-1]}, with: {delay: 50ms}},
                {fault: packet-loss, id: lossy, target: {names: [node-1]}, with: {loss: 50%}},
                {fault: kill, id: dead, target: {names: [node-1]}}, {wait: 1s}]"""
    ran = run(tmp_path, steps)
    assert ran.verdict.outcome == "completed", ran.kinds
    assert [event.node for _, event in ran.record.of(ev.FaultIntended)] == ["slow", "lossy", "dead"]
    assert [event.node for _, event in ran.record.of(ev.RevertDone)] == ["dead", "lossy", "slow"]
    assert ran.verdict.environment == "clean"


def test_a_member_that_dies_under_a_network_fault_died_by_itself(tmp_path: Path) -> None:
    """A fault of the network takes no process: one that ends meanwhile is told, and the run is no pass."""

    def die(run_: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.EffectObserved):
            run_.mesh.mesh.members["node-2"].up = False

    steps = "[{fault: latency, id: slow, target: {names: [node-2]}, with: {delay: 50ms}, hold: 3s}]"
    ran = run(tmp_path, steps, staged=Staged(interfere=die))
    assert [event.member for _, event in ran.record.of(ev.MemberDied)] == ["node-2"]
    assert ran.verdict.verdict != "pass"


def test_a_repeat_keeps_its_time(tmp_path: Path) -> None:
    """Each time begins ``every`` after the one before; a flapping link is cut and healed as often as it says."""
    steps = "[{repeat: 4, every: 2s, id: flap, steps: [{fault: partition, id: cut, target: {names: [node-3]}, hold: 500ms}]}]"
    ran = run(tmp_path, steps)
    assert ran.verdict.verdict == "pass", ran.kinds
    begun = [(event.node, entry.t) for entry, event in ran.record.of(ev.FaultIntended)]
    assert [node for node, _ in begun] == ["cut.1", "cut.2", "cut.3", "cut.4"]
    assert [round((later - earlier) / SECOND, 1) for (_, earlier), (_, later) in pairwise(begun)] == [2.0, 2.0, 2.0]


def test_objectives_count_from_the_first_and_the_last_time(tmp_path: Path) -> None:
    """``after`` names a step: to converge counts from its first injection, to recover from its last revert."""
    objectives = "[{converge: one-leader, within: 9s, after: dies}, {recover: one-leader, within: 5s, after: dies}]"
    steps = "[{repeat: 2, every: 4s, steps: [{fault: kill, id: dies, target: {role: leader}, hold: 2s}]}]"
    ran = run(tmp_path, steps, objectives=objectives)
    intents = [entry.t for entry, _ in ran.record.of(ev.FaultIntended)]
    assert len(intents) == 2
    converge, recover = (
        next(found for found in ran.verdict.findings if found.id == f"{form}-one-leader") for form in ("converge", "recover")
    )
    assert converge.measured is not None, converge.sentence
    assert converge.measured.hi is not None
    assert converge.measured.hi > 4 * SECOND, "the second time is after the first injection too"
    assert recover.verdict == "pass", recover.sentence


def test_jitter_is_drawn_by_the_seed(tmp_path: Path) -> None:
    """The same seed waits as long; another one waits differently, and never longer than it may."""

    def waits(seed: int) -> list[int]:
        steps = "[{repeat: 3, every: 2s, jitter: 900ms, steps: [{fault: pause, id: p, target: {count: 1}, hold: 300ms}]}]"
        ran = run(tmp_path / str(len(list(tmp_path.iterdir()))), steps, seed=seed)
        first = next(entry.t for entry, event in ran.record.of(ev.PhaseEntered) if event.phase in {"inject", "hold"})
        return [entry.t - first for entry, _ in ran.record.of(ev.FaultIntended)]

    assert waits(1) == waits(1) != waits(2)
    for number, waited in enumerate(waits(1)):
        assert 0 <= waited - number * 2 * SECOND <= 1.1 * SECOND


def test_a_ramp_changes_what_is_held(tmp_path: Path) -> None:
    """The parameter moves in equal steps on the same member, each announced; one revert undoes it all."""
    steps = """[{fault: latency, id: slow, target: {role: leader}, with: {delay: 10ms}, hold: 5s,
                 ramp: {parameter: delay, to: 50ms, over: 4s, steps: 4}}]"""
    ran = run(tmp_path, steps)
    assert ran.verdict.verdict == "pass", [found.sentence for found in ran.verdict.findings if found.verdict != "pass"]
    assert [str(policy.delay) for policy in policies(ran)] == ["10ms", "20ms", "30ms", "40ms", "50ms"]
    assert len({event.members for _, event in ran.record.of(ev.FaultIntended)}) == 1
    assert len(list(ran.record.of(ev.RevertDone))) == 1
    begun = [entry.t for entry, _ in ran.record.of(ev.AdjustIntended)]
    assert [round((later - earlier) / SECOND, 1) for earlier, later in pairwise(begun)] == [1.0, 1.0, 1.0]


def test_a_ramp_whose_lever_breaks_ends_the_run(tmp_path: Path) -> None:
    """A change that cannot be made is no pass, and what was injected is undone."""
    steps = """[{fault: latency, id: slow, target: {names: [node-1]}, with: {delay: 10ms}, hold: 5s,
                 ramp: {parameter: delay, to: 50ms, over: 4s, steps: 4}}]"""

    def breaks(run_: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.AdjustDone):
            run_.mesh._misbehaviour = {"shape": "raises"}

    ran = run(tmp_path, steps, staged=Staged(interfere=breaks))
    assert ran.verdict.outcome == "aborted"
    assert ran.verdict.verdict != "pass"
    assert [event.node for _, event in ran.record.of(ev.RevertDone)] == ["slow"]


def test_a_fault_waits_for_a_bad_indicator(tmp_path: Path) -> None:
    """``when`` holds an injection back until an election goes on, so that the second fault hits in the middle of it."""
    steps = """[{parallel: [[{fault: kill, id: first, target: {role: leader}, hold: 6s}],
      [{fault: pause, id: second, target: {not_role: leader, count: 1}, hold: 1s,
        when: {until: one-leader, is: bad, timeout: 5s}}]]}]"""
    ran = run(tmp_path, steps.replace("not_role: leader, count: 1", "count: 1"), members=2, environment=FIVE)
    order = [(event.node, entry.t) for entry, event in ran.record.of(ev.FaultIntended)]
    assert [node for node, _ in order] == ["first", "second"], ran.kinds
    met = ran.record.first(ev.ConditionDone)
    assert met is not None
    assert met[1].node == "second.when"
    assert met[1].met
    assert ran.verdict.outcome == "completed"


def test_a_condition_that_never_comes_is_no_pass(tmp_path: Path) -> None:
    """A fault whose ``when`` is not met in time is not injected: the run is aborted."""
    steps = "[{fault: kill, id: it, target: {role: leader}, hold: 1s, when: {until: one-leader, is: bad, timeout: 2s}}]"
    ran = run(tmp_path, steps)
    assert ran.record.first(ev.FaultIntended) is None
    assert ran.verdict.verdict != "pass"


def test_a_rolling_restart_has_one_member_down_at_a_time(tmp_path: Path) -> None:
    """All members are replaced, one after another with its pause between, under a blast radius of one."""
    steps = "[{fault: rolling-restart, id: roll, target: {share: 100%}, with: {pause: 2s}}]"
    ran = run(tmp_path, steps)
    assert ran.verdict.verdict == "pass", [found.sentence for found in ran.verdict.findings if found.verdict != "pass"]
    hit = [event.members for _, event in ran.record.of(ev.FaultIntended)]
    assert sorted(hit) == [("node-1",), ("node-2",), ("node-3",)]
    begun = [entry.t for entry, _ in ran.record.of(ev.FaultIntended)]
    assert all(later - earlier >= 2 * SECOND for earlier, later in pairwise(begun))


def test_a_stop_is_graceful_and_undone(tmp_path: Path) -> None:
    """A stopped leader is missed as a killed one is, and is started again."""
    ran = run(tmp_path, "[{fault: stop, id: it, target: {role: leader}, hold: 3s}]")
    assert ran.verdict.verdict == "pass"
    assert ran.verdict.environment == "clean"


def test_one_revert_undoes_all_that_a_step_injected(tmp_path: Path) -> None:
    """What a repeated step still holds is reverted by its name, newest first."""
    steps = """[{repeat: 2, every: 1s, steps: [{fault: pause, id: p, target: {count: 1}}]}, {wait: 1s}, {revert: p, id: undo},
                {wait: 500ms}]"""
    ran = run(tmp_path, steps, members=2, environment=FIVE)
    assert ran.verdict.outcome == "completed", ran.kinds
    assert [event.node for _, event in ran.record.of(ev.RevertDone)] == ["p.2", "p.1"]


def test_members_leave_and_join_one_after_another(tmp_path: Path) -> None:
    """While each is out, the mesh's own list has the others only; at the end all are in it again and the run passes."""
    ran = run(tmp_path, "[{fault: membership-surge, id: surge, target: {share: 100%}, hold: 2s}]")
    assert ran.verdict.verdict == "pass", [found.sentence for found in ran.verdict.findings if found.verdict != "pass"]
    assert ran.verdict.environment == "clean"
    moves = [event for entry in ran.record.entries if isinstance(event := entry.event, ev.FaultIntended | ev.RevertDone)]
    assert [type(event) for event in moves] == [ev.FaultIntended, ev.RevertDone] * 3
    ended = ran.record.last(ev.FingerprintTaken)
    assert ended is not None
    assert {state.membership for state in ended[1].members.values()} == {"in"}


def test_a_leave_that_only_says_so_did_not_bite(tmp_path: Path) -> None:
    """The mesh's own list is asked, not the lever: the run is invalid."""
    steps = "[{fault: membership-surge, id: it, target: {names: [node-2]}, hold: 2s}]"
    ran = run(tmp_path, steps, staged=Staged(misbehaviour={"leave": "lies"}))
    assert ran.verdict.verdict == "invalid"
    assert "the mesh still lists the member" in ran.said("fault-bit-it.1")


def test_a_join_that_only_says_so_leaves_the_environment_dirty(tmp_path: Path) -> None:
    """A member that is not in the mesh's list again is told by name."""
    steps = "[{fault: membership-surge, id: it, target: {names: [node-2]}, hold: 2s}]"
    ran = run(tmp_path, steps, staged=Staged(misbehaviour={"join": "lies"}))
    assert ran.verdict.environment == "dirty"
    verified = ran.record.last(ev.EnvironmentVerified)
    assert verified is not None
    assert verified[1].differences == ("node-2 is down", "node-2 is no member")


def test_an_unknown_membership_is_never_as_it_was_before() -> None:
    """What nobody could say is a difference, also where nobody could say it before."""
    unknown = {"node-1": MemberState(up=True, paused=False, membership="unknown")}
    assert differences(unknown, unknown) == ("nobody could say whether node-1 is still a member",)
