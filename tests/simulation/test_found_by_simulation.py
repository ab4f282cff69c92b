"""What simulated runs found, each as the smallest world that shows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from known_outages import known
from laws import broken
from whole_runs import Simulated, simulate
from worlds import Vanishing, World, _Author, _environment

from meshkit_chaos.journal import events as ev
from meshkit_chaos.judge.times import judge_time


def _world(*vanishing: Vanishing) -> World:
    """A fault that hits one follower of three, on a mesh in which nothing else happens but what is given."""
    rng = Random(1)
    environment = _environment(rng, 3, 200) | {"simulated": {"election": "300ms", "rejoin": "50ms"}}
    document = _Author(rng, 3, 200).document()
    document["indicators"] = {"one-leader": {"promql": "sum(etcd_server_is_leader)", "good": "== 1"}}
    document["scenarios"] = [
        {
            "id": "small",
            "title": "A follower is paused",
            "steady_state": {"for": "1s", "indicators": ["one-leader"]},
            "rollback": {"within": "2s", "verify": ["one-leader"]},
            "timeout": "60s",
            "steps": [{"fault": "pause", "id": "s1", "target": {"names": ["node-3"]}, "hold": "1s"}],
            "objectives": [{"converge": "one-leader", "within": "2s", "disturbance": "optional"}],
        }
    ]
    return World(
        seed=1,
        scenarios=json.dumps(document),
        environment=json.dumps(environment),
        deployed=False,
        vanishing=vanishing,
    )


def _ran(folder: Path, *vanishing: Vanishing) -> Simulated:
    run = simulate(_world(*vanishing), folder / "run")
    assert not broken(run)
    return run


def test_the_small_world_passes(tmp_path: Path) -> None:
    """Without any trouble the world of these tests is a pass: what they see comes from the trouble."""
    assert _ran(tmp_path).verdict.verdict == "pass"


def test_a_member_that_dies_during_verification_is_not_called_clean(tmp_path: Path) -> None:
    """Verification waits for indicators; what died meanwhile makes the environment dirty, and the fingerprint says so."""
    run = _ran(tmp_path, Vanishing(member="node-2", at=0.01, back=None, phase="verify"))
    assert run.verdict.environment == "dirty"
    assert run.verdict.verdict != "pass"


@pytest.mark.parametrize("at", [0.01, 0.03, 0.06])
def test_a_member_that_restarts_while_the_rollback_is_verified_is_no_pass(tmp_path: Path, at: float) -> None:
    """What died after the look at members and was back before the fingerprint is seen by the fingerprint itself."""
    run = _ran(tmp_path, Vanishing(member="node-2", at=at, back=at + 0.01, phase="verify"))
    assert [event.member for _, event in run.record.of(ev.MemberDied)] == ["node-2"]
    assert run.verdict.verdict != "pass"


@pytest.mark.parametrize("at", [0.02, 0.13, 0.21, 0.34, 0.45])
def test_a_member_that_restarts_by_itself_is_no_pass(tmp_path: Path, at: float) -> None:
    """A member that died and came back between two looks is another process: that is noticed, and is not a pass."""
    run = _ran(tmp_path, Vanishing(member="node-2", at=at, back=at + 0.01, phase="settle"))
    died = [event.member for _, event in run.record.of(ev.MemberDied)]
    assert died == ["node-2"]
    assert run.verdict.verdict == "inconclusive"


def test_good_before_the_revert_is_said_so() -> None:
    """A disturbance that began before the injection and ended before the revert: the sentence names no length of 0 s."""
    world = known(672, least=0)
    found = judge_time(world.record, world.objective, world.indicator)
    assert found.measured is not None
    assert found.measured.hi == 0
    assert "was good again before hit was reverted" in found.sentence


def test_what_is_about_to_inject_when_the_run_is_aborted_does_not(tmp_path: Path) -> None:
    """An abort in the very instant of an injection cancels it before it can write its intent."""
    quiet = _ran(tmp_path / "quiet")
    looked = next(entry.seq for entry, event in quiet.record.of(ev.FingerprintTaken) if event.when == "before")
    run = simulate(replace(_world(), watchdog_dies_at=looked), tmp_path / "struck" / "run")
    assert run.record.first(ev.AbortDecided) is not None
    assert run.record.first(ev.FaultIntended) is None
    assert not broken(run)
