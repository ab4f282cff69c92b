"""``demo --history``: ninety nights of a simulated mesh, really run in virtual time, judged, and taken into a history.

Takes an empty or new folder; leaves a history there, the documents that it was made with, an override, and the log of a gate
that decided after each of the last nights. The newest night is the last one before now.
"""

from __future__ import annotations

import importlib.resources
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.campaign.campaign import Campaign, RunOf, run_campaign
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.demo_nights import ACCEPTED, NIGHTS, Night, commit, nights, world
from meshkit_chaos.cli.places import environment_class, sampler_for
from meshkit_chaos.cli.reading import SCENARIOS, load_both
from meshkit_chaos.clock import ManualClock, SystemClock, iso
from meshkit_chaos.environments.staged import StagedEnvironment, staged_description
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.measure.sampler import probes_of
from meshkit_chaos.plan import Capabilities, Plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.gate.decision import Decision
    from meshkit_chaos.gate.policy import Policy
    from meshkit_chaos.history.index import History

_DAY: Final = 24 * 3600 * 10**9
_DUE: Final = (2 * 60 + 17) * 60 * 10**9
_WORKERS: Final = 2
_DECIDES_AFTER: Final = 3600 * 10**9
_DECIDED: Final = 30
"""So many of the last nights are followed by a decision of the gate."""


class _Quiet:
    """Ninety nights have nothing to tell one by one."""

    def began(self, scenario: Scenario, number: int) -> None: ...
    def judged(self, verdict: Verdict) -> None: ...
    def refused(self, scenario: Scenario, reason: str) -> None: ...


def make_history(folder: Path) -> None:
    """Make it all, telling how far it is."""
    with importlib.resources.as_file(importlib.resources.files("meshkit_chaos") / "demo" / "history") as shipped:
        for document in shipped.iterdir():
            (folder / document.name).write_bytes(document.read_bytes())
    newest = SystemClock().wall_ns() // _DAY * _DAY + _DUE
    newest -= _DAY if newest > SystemClock().wall_ns() else 0
    say(f"{len(nights())} of {NIGHTS} nights are run in virtual time; it takes a minute")
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-nights-") as temporary:
        _run_all(folder / SCENARIOS, Path(temporary), newest)
        _take_in(folder, Path(temporary), newest)


def _run_all(file: Path, out: Path, newest: int) -> None:
    given = [(file, out / f"{night.number:03}", night, _at(night.number, newest)) for night in nights()]
    with ProcessPoolExecutor(_WORKERS, mp_context=get_context("spawn")) as workers:
        for done, _ in enumerate(workers.map(_run, *zip(*given, strict=True)), start=1):
            if done % 10 == 0:
                say(f"{done} nights are run")


def _at(number: int, newest: int) -> int:
    return newest - (NIGHTS - 1 - number) * _DAY


def _run(file: Path, out: Path, night: Night, at: int) -> None:
    """One night, in a process of its own."""
    scenarios, described, _ = load_both(file, None)
    mesh = staged_description(described)
    clock = ManualClock(wall_ns=at)
    campaign = Campaign(
        out=out,
        scenarios=scenarios.scenarios,
        environment=mesh,
        environment_class=environment_class(mesh),
        capabilities=Capabilities(
            members=tuple(member.name for member in mesh.members),
            levers=("kill", "start", "pause", "resume"),
            roles=tuple(mesh.roles),
        ),
        seed=night.number,
        subject=night.subject,
        selection=(),
        file=file.name,
        file_digest=scenarios.digest,
        execute=lambda plan, run: _execute(plan, run, night, clock),
        listener=_Quiet(),
    )
    run_campaign(campaign, clock)


def _execute(plan: Plan, run: RunOf, night: Night, wall: ManualClock) -> None:
    """One run in virtual time, beginning when the one before it ended."""
    loop = VirtualTimeLoop()
    clock = VirtualClock(loop, wall_ns=wall.wall_ns())
    behaviour = world(night, plan.scenario.id, run.repeat)
    mesh = StagedEnvironment(plan.environment, behaviour, clock, marker=run.run, probes=probes_of(plan.scenario.indicators))
    order = Order(
        run=run.run,
        plan=plan,
        folder=run.folder,
        environment=mesh,
        deployed=True,
        environment_id=plan.environment.name,
        environment_folder="environment",
        environment_class=environment_class(plan.environment),
        subject=run.subject,
        repeat=run.repeat,
        make_sampler=lambda: sampler_for(plan, mesh, clock),
        collect_logs=list,
        readers=(mesh.told,),
        watched=False,
    )
    began = clock.monotonic_ns()
    run_virtually(loop, _run_and_close(order, mesh, clock))
    wall.advance_to(wall.monotonic_ns() + clock.monotonic_ns() - began)


async def _run_and_close(order: Order, mesh: StagedEnvironment, clock: VirtualClock) -> None:
    try:
        await run_once(order, clock)
    finally:
        await mesh.close()


def _take_in(folder: Path, results: Path, newest: int) -> None:
    """Enter night after night, and let the gate decide after each of the last ones as it would have then."""
    from meshkit_chaos.cli.gate_reading import read_policy  # noqa: PLC0415  # only here
    from meshkit_chaos.cli.histories import open_history  # noqa: PLC0415  # as above
    from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # as above

    policy = read_policy(folder / "chaos-gate.yaml", None)
    log = GateLog(folder / "chaos-gate-log.jsonl")
    overrides = _override(newest)
    (folder / "chaos-overrides.yaml").write_text(overrides, encoding="utf-8")
    with open_history(str(folder / "chaos-history"), make=True) as history:
        for night in nights():
            history.add(results / f"{night.number:03}")
            if night.number >= NIGHTS - _DECIDED:
                decided_at = _at(night.number, newest) + _DECIDES_AFTER
                decision = _decision(history, policy, overrides, night, decided_at)
                log.append("decision", builtins(decision), at=decided_at)
    say(f"{len(nights())} nights are in {folder / 'chaos-history'}")


def _decision(history: History, policy: Policy, overrides: str, night: Night, now: int) -> Decision:
    from meshkit_chaos.gate.decide import decide  # noqa: PLC0415  # only here
    from meshkit_chaos.gate.evidence import gather  # noqa: PLC0415  # as above
    from meshkit_chaos.gate.load import read_overrides  # noqa: PLC0415  # as above
    from meshkit_chaos.gate.subject import Subject  # noqa: PLC0415  # as above

    subject = Subject(pairs=night.subject)
    file = read_overrides(overrides.encode(), path="chaos-overrides.yaml").value
    assert file is not None, "our own document"
    return decide(policy, gather(history, policy, subject, now=now), subject=subject, now=now, overrides=file)


def _override(newest: int) -> str:
    """Somebody accepted a slower rebalancing for one build."""
    created = _at(ACCEPTED, newest)
    return _OVERRIDE.format(
        commit=commit(ACCEPTED),
        created=iso(created)[:10],
        expires=iso(created + 14 * _DAY)[:10],
    )


_OVERRIDE: Final = """\
# Failures that people accepted. Each is for one build and ends by itself.
version: 1
overrides:
  - id: slower-rebalancing
    subject: {{commit: {commit}}}
    scenario: rebalanced-after-restart
    objective: converge-balanced
    accept: {{within: 10s}}
    reason: the new spreading is slower on purpose; its limit is under discussion
    ticket: MESH-214
    author: ann
    approver: bo
    created: {created}
    expires: {expires}
"""
