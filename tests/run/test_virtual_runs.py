"""Whole runs in virtual time."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from pathlib import Path

import pytest
from virtual_runs import ENVIRONMENT, RUN, Ran, Staged, document, plan_of, run_virtual, scenario_text

from meshkit_chaos.cli.places import sampler_for
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.errors import JournalUnwritable
from meshkit_chaos.faults import MemberState
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import Journal, read_journal
from meshkit_chaos.run.engine import Engine


def test_a_killed_leader_is_replaced(tmp_path: Path) -> None:
    """A run of a mesh that behaves comes to a pass, with every fact in its place."""
    ran = run_virtual(tmp_path / "run")
    assert ran.verdict.verdict == "pass", [finding for finding in ran.verdict.findings if finding.verdict != "pass"]


PARALLEL = "[{parallel: [{fault: kill, target: {count: 1}, hold: 1s}, {fault: pause, target: {count: 1}, hold: 1s}]}]"


@pytest.mark.parametrize("seed", range(6))
def test_faults_that_begin_at_once_hit_different_members(tmp_path: Path, seed: int) -> None:
    """Branches that run at once never draw the same member and never exceed the blast radius."""
    text = document(scenario_text(steps=PARALLEL, more="blast_radius: {members: 2}"))
    ran = run_virtual(tmp_path / "run", text, seed=seed, environment=ENVIRONMENT.replace("count: 3", "count: 5"))
    hit = [member for _, intent in ran.record.of(ev.FaultIntended) for member in intent.members]
    assert len(hit) == len(set(hit)) == 2
    assert ran.verdict.outcome == "completed"


def test_a_fault_that_would_exceed_the_blast_radius_is_not_injected(tmp_path: Path) -> None:
    """Two faults at once where one member is allowed: the second is never injected, and the run is rolled back."""
    ran = run_virtual(tmp_path / "run", document(scenario_text(steps=PARALLEL)))
    assert len(list(ran.record.of(ev.FaultIntended))) == 1
    assert ran.verdict.verdict == "invalid"
    failed = ran.record.first(ev.FaultFailed)
    assert failed is not None
    assert "blast radius" in failed[1].reason


def test_equal_seeds_give_equal_runs(tmp_path: Path) -> None:
    """Two runs of one plan tell the same story at the same instants."""
    first, second = (run_virtual(tmp_path / name, seed=5) for name in ("first", "second"))
    told = [[(entry.t, entry.event) for entry in ran.record.entries[1:]] for ran in (first, second)]
    assert told[0] == told[1]
    assert first.verdict.findings == second.verdict.findings


def test_intents_stand_before_their_acts(tmp_path: Path) -> None:
    """Deployment, injection, revert and teardown are each announced before they are done."""
    kinds = run_virtual(tmp_path / "run").kinds
    for intent, act in (
        ("deploy.intended", "deploy.done"),
        ("fault.intended", "fault.injected"),
        ("revert.intended", "revert.done"),
        ("teardown.intended", "teardown.done"),
    ):
        assert kinds.index(intent) < kinds.index(act)


def test_a_guard_rail_ends_the_run(tmp_path: Path) -> None:
    """An indicator that is bad for too long aborts the run, and what was begun is undone."""
    text = document(scenario_text(more="guard_rails: [{indicator: one-leader, bad_for: 600ms}]"))
    ran = run_virtual(tmp_path / "run", text)
    assert ran.record.first(ev.GuardTripped) is not None
    assert ran.verdict.outcome == "aborted"
    assert ran.verdict.verdict != "pass"
    assert ran.verdict.environment == "clean"
    assert ran.record.first(ev.RevertDone) is not None


def test_a_signal_in_the_instant_of_an_injection_leaves_no_fault(tmp_path: Path) -> None:
    """An intent that is written while the abort is already on its way is reverted before anything is verified."""

    def interrupt(run: Staged, entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.TargetResolved):
            os.kill(os.getpid(), signal.SIGTERM)

    ran = run_virtual(tmp_path / "run", staged=Staged(interfere=interrupt, deployed=False))
    intents = {event.node for _, event in ran.record.of(ev.FaultIntended)}
    assert intents == {event.node for _, event in ran.record.of(ev.RevertDone)}
    assert ran.verdict.environment in {"clean", "untouched"}
    assert all(member.up for member in ran.staged.mesh.mesh.members.values())


def test_nothing_can_be_announced_behind_the_end(tmp_path: Path) -> None:
    """An act that is still under way when the run is over is refused its intent, and so does nothing."""
    loop = VirtualTimeLoop()
    clock, plan = VirtualClock(loop), plan_of()
    mesh = SimulatedEnvironment(plan.environment, clock, marker=RUN)
    journal = Journal.create(tmp_path / "run", clock)
    engine = Engine(
        plan,
        mesh,
        journal,
        clock,
        deploys=True,
        make_sampler=lambda: sampler_for(plan, mesh, clock),
        collect_logs=list,
    )
    assert run_virtually(loop, engine.run()) == "completed"
    late = ev.FaultIntended(node="late", fault="kill", members=(), calls=(), undo=(), deadline=0)
    with pytest.raises(JournalUnwritable):
        engine.fact(late, sync=True)
    journal.close()
    assert isinstance(read_journal(tmp_path / "run")[0][-1].event, ev.RunFinished)


def test_a_standing_mesh_is_neither_deployed_nor_torn_down(tmp_path: Path) -> None:
    """A run on a mesh that is up undoes its fault, verifies, and leaves every member running."""
    ran = run_virtual(tmp_path / "run", staged=Staged(deployed=False))
    assert ran.verdict.verdict == "pass", ran.verdict.findings
    assert ran.verdict.environment == "clean"
    assert not {"deploy.intended", "teardown.intended"} & set(ran.kinds)
    assert all(member.up for member in ran.staged.mesh.mesh.members.values())


def test_a_hung_lever_is_given_up(tmp_path: Path) -> None:
    """A lever that never answers ends the injection after its time, and the fault is undone."""
    ran = run_virtual(tmp_path / "run", staged=Staged(misbehaviour={"kill": "hangs"}))
    failed = ran.record.first(ev.FaultFailed)
    assert failed is not None
    assert "did not answer within" in failed[1].reason
    assert ran.record.first(ev.RevertDone) is not None
    assert ran.verdict.verdict == "invalid"


def test_only_the_main_thread_is_told_of_signals(tmp_path: Path) -> None:
    """A run in another thread works, and leaves signals to whoever started it."""
    before = signal.getsignal(signal.SIGTERM)
    ran: list[Ran] = []
    thread = threading.Thread(target=lambda: ran.append(run_virtual(tmp_path / "run")))
    thread.start()
    thread.join()
    assert ran[0].verdict.verdict == "pass"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_guard_rail_does_not_watch_a_mesh_that_is_coming_up(tmp_path: Path) -> None:
    """Until the baseline begins nothing has been done to the mesh: its first election trips no guard rail."""
    slow = ENVIRONMENT.replace("election: 1500ms", "election: 4s")
    text = document(
        scenario_text(
            steps="[{fault: pause, id: it, target: {not_role: leader, count: 1}, hold: 1s}]",
            objectives="[{stay: one-leader, during: hold}]",
            more="guard_rails: [{indicator: one-leader, bad_for: 2s}]",
        )
    )
    ran = run_virtual(tmp_path / "run", text, environment=slow)
    assert ran.record.first(ev.GuardTripped) is None
    assert ran.verdict.verdict == "pass", ran.verdict.findings


def test_a_fault_holds_its_members_from_its_intent_on(tmp_path: Path) -> None:
    """Whoever looks between the intent and the machine's hearing of it does not take a killed member for one that died."""
    loop = VirtualTimeLoop()
    clock, plan = VirtualClock(loop), plan_of()
    mesh = SimulatedEnvironment(plan.environment, clock, marker=RUN)
    held: list[frozenset[str]] = []

    def look(entry: ev.Entry) -> None:
        if isinstance(entry.event, ev.FaultIntended):
            asyncio.get_running_loop().call_soon(lambda: held.append(engine._held()))
            loop._ready.rotate(1)  # type: ignore[attr-defined]  # as a look that was about to go on already would be

    with Journal.create(tmp_path / "run", clock) as journal:
        journal.follow(look)
        engine = Engine(
            plan, mesh, journal, clock, deploys=True, make_sampler=lambda: sampler_for(plan, mesh, clock), collect_logs=list
        )
        assert run_virtually(loop, engine.run()) == "completed"
    assert [len(members) for members in held] == [1]


def test_an_environment_that_never_answers_again_is_dirty(tmp_path: Path) -> None:
    """With nothing in force there is no deadline that a watchdog could go by: a look that hangs is given up, and told."""

    def hang(run: Staged, entry: ev.Entry) -> None:
        async def observe() -> dict[str, MemberState]:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

        if isinstance(entry.event, ev.RevertDone):
            run.mesh.observe = observe  # type: ignore[method-assign]  # the environment breaks its promise

    ran = run_virtual(tmp_path / "run", staged=Staged(interfere=hang, deployed=False))
    assert ran.verdict.environment == "dirty"
    assert ran.verdict.verdict != "pass"
    verified = ran.record.last(ev.EnvironmentVerified)
    assert verified is not None
    assert "could not be observed within 300 s" in verified[1].differences[0]
