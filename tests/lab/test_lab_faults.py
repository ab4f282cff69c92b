"""Every kind of fault on real etcd: each bites what is really there and is undone; what cannot bite there is told."""

from __future__ import annotations

import pytest
from lab_runs import Corner, assert_passed
from test_lab_network import networked, possible  # noqa: F401  # fixtures

from meshkit_chaos.journal import events as ev

SCENARIOS = """
  - id: every-link
    title: A follower with every trouble that a link can have does not cost the leader
    timeout: 60s
    steps:
      - {fault: latency, id: slow, target: {names: [etcd-2]}, with: {delay: 5ms, jitter: 2ms}, hold: 600ms}
      - {fault: packet-loss, id: lossy, target: {names: [etcd-2]}, with: {loss: 40%, burst: 2}, hold: 1s}
      - {fault: corruption, id: spoilt, target: {names: [etcd-2]}, with: {share: 40%}, hold: 1s}
      - {fault: duplication, id: twice, target: {names: [etcd-2]}, with: {share: 40%}, hold: 600ms}
      - {fault: reordering, id: mixed, target: {names: [etcd-2]}, with: {share: 40%, delay: 5ms}, hold: 600ms}
      - {fault: bandwidth, id: narrow, target: {names: [etcd-2]}, with: {rate: 16kbit}, hold: 1s}
      - {fault: partition, id: one-way, target: {names: [etcd-2]}, with: {way: in}, hold: 600ms}
      - {fault: partition, id: bridged, target: {names: [etcd-2]}, with: {bridges: 1}, hold: 600ms}
    objectives: [{recover: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: sequences
    title: Flapping links, a ramp, and a killed member on a slow link
    timeout: 60s
    steps:
      - {repeat: 3, every: 800ms, steps: [{fault: partition, id: flap, target: {names: [etcd-3]}, hold: 300ms}]}
      - fault: latency
        id: slower
        target: {names: [etcd-2]}
        with: {delay: 1ms}
        ramp: {parameter: delay, to: 9ms, over: 1s, steps: 4}
      - {fault: kill, id: dead, target: {names: [etcd-2]}, hold: 500ms}
      - {revert: slower}
    objectives: [{recover: one-leader, within: 4s, settle: 1s, disturbance: optional}]
  - id: udp-blocked
    title: Etcd speaks no UDP, so that blocking it proves nothing
    timeout: 30s
    steps: [{fault: udp-blocked, id: silent, target: {role: leader}, hold: 1s}]
    objectives: [{converge: one-leader, within: 5s, disturbance: optional}]
"""
ROLLING = """
  - id: rolling
    title: All members can be restarted one after another
    timeout: 60s
    steps:
      - {fault: stop, id: ended, target: {role: leader}, hold: 1s}
      - {fault: rolling-restart, id: roll, target: {share: 100%}, with: {pause: 500ms}}
    objectives: [{recover: one-leader, within: 4s, settle: 1s, disturbance: optional}]
"""


def with_scenarios(corner: Corner, scenarios: str) -> Corner:
    path = corner.folder / "chaos-scenarios.yaml"
    path.write_text(path.read_text(encoding="utf-8").rstrip() + scenarios, encoding="utf-8")
    return corner


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["every-link", "sequences"])
def test_what_links_suffer_is_counted_on_real_etcd(networked: Corner, scenario: str) -> None:  # noqa: F811  # the fixture
    """Each kind's packets are counted by the switch, each is lifted, and the fingerprint holds at the end."""
    run = with_scenarios(networked, SCENARIOS).run(scenario)
    assert_passed(run)
    assert run.events(ev.EffectObserved)
    assert [effect for effect in run.events(ev.EffectObserved) if not effect.bit] == []
    assert len(run.events(ev.RevertDone)) == len(run.events(ev.FaultIntended))


@pytest.mark.slow
def test_a_fault_that_etcd_cannot_feel_is_no_pass(networked: Corner) -> None:  # noqa: F811  # the fixture
    """A mesh that sends no UDP is not hurt by its loss: the run says that nothing was met, and is invalid."""
    run = with_scenarios(networked, SCENARIOS).run("udp-blocked")
    assert run.ended() == 2
    assert run.verdict().verdict == "invalid"
    assert any("no packet met it" in effect.detail for effect in run.events(ev.EffectObserved))


@pytest.mark.slow
def test_real_members_stop_and_are_restarted_in_turn(corner: Corner) -> None:
    """SIGTERM ends each member; another process takes its place; only one is down at a time, and no network is needed."""
    run = with_scenarios(corner, ROLLING).run("rolling")
    assert_passed(run)
    hit = [event.members for event in run.events(ev.FaultIntended) if event.node.startswith("roll")]
    assert sorted(hit) == [("etcd-1",), ("etcd-2",), ("etcd-3",)]
