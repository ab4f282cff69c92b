"""``demo --history``: ninety nights of a simulated mesh, really run in virtual time, judged, and taken into a history.

Takes an empty or new folder; leaves a history there, a small repository of the documents that it was made with, and the log of
a gate that decided after each of the last nights. The newest night is the last one before now, or that of a given day.
"""

from __future__ import annotations

import importlib.resources
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

from meshkit_chaos.campaign.campaign import Campaign, RunOf, run_campaign
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.demo_nights import ACCEPTED, AWAY, NIGHTS, REFUSED, Night, nights, world
from meshkit_chaos.cli.demo_repository import Repository
from meshkit_chaos.cli.demo_telling import Receivers, Teller
from meshkit_chaos.cli.places import environment_class, sampler_for
from meshkit_chaos.cli.reading import SCENARIOS, load_both
from meshkit_chaos.cli.rehearse import short_lived_folder
from meshkit_chaos.clock import ManualClock, SystemClock
from meshkit_chaos.environments.staged import StagedEnvironment, staged_description
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.measure.sampler import probes_of
from meshkit_chaos.plan import Capabilities, Plan
from meshkit_chaos.run.runner import Order, run_once
from meshkit_chaos.scenario.model import Scenario
from meshkit_chaos.slo.codec import builtins

if TYPE_CHECKING:
    from meshkit_chaos.gate.decision import Decision
    from meshkit_chaos.history.index import History

_MINUTE: Final = 60 * 10**9
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_DUE: Final = 2 * _HOUR + 17 * _MINUTE
_RELEASE_LATER: Final = 25 * _MINUTE
_TAKEN_AFTER: Final = 10 * _MINUTE
"""Of each night's beginning: its results are in the history then, and the gate decides."""
_ALL_AFTER: Final = _HOUR
_WATCH_AFTER: Final = 6 * _HOUR + 30 * _MINUTE
_ACCEPTED_AFTER: Final = 8 * _HOUR
_MOST_WORKERS: Final = 8
_DECIDED: Final = 30
"""So many of the last nights are followed by a decision of the gate."""


class _Quiet:
    """Ninety nights have nothing to tell one by one."""

    def began(self, scenario: Scenario, number: int) -> None: ...
    def judged(self, verdict: Verdict) -> None: ...
    def refused(self, scenario: Scenario, reason: str) -> None: ...


def make_history(folder: Path, *, count: int, day: int | None) -> None:
    """Make it all, telling how far it is. ``count``: only so many of the newest nights. ``day``: an instant of the day of the
    newest one (wall-clock ns); None: the newest day on which it is over by now.
    """
    with importlib.resources.as_file(importlib.resources.files("meshkit_chaos") / "demo" / "history") as shipped:
        for document in shipped.iterdir():
            (folder / document.name).write_bytes(document.read_bytes())
    calendar = _Calendar(count, day)
    say(f"{counted(len(nights(count)), 'night')} of {counted(count, 'day')}, run in virtual time; all ninety take a minute")
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-nights-", dir=short_lived_folder()) as temporary:
        _run_all(folder / SCENARIOS, Path(temporary), calendar)
        _take_in(folder, Path(temporary), calendar)
    say(f"{counted(len(nights(count)), 'night')} are in {folder / 'chaos-history'}")


class _Calendar:
    """When each night began."""

    def __init__(self, count: int, day: int | None) -> None:
        self.now = SystemClock().wall_ns() if day is None else (day // _DAY + 1) * _DAY - 1
        self.first = NIGHTS - count
        self._newest = self.now // _DAY * _DAY + _DUE
        if self._newest + _ALL_AFTER > self.now:
            self._newest -= _DAY

    def day(self, number: int) -> int:
        return self._newest - (NIGHTS - 1 - number) * _DAY

    def began(self, night: Night) -> int:
        return self.day(night.number) + (0 if night.branch == "main" else _RELEASE_LATER)

    def days(self) -> Iterator[tuple[int, tuple[Night, ...]]]:
        every = nights(NIGHTS - self.first)
        for number in range(self.first, NIGHTS):
            yield number, tuple(night for night in every if night.number == number)


def _run_all(file: Path, out: Path, calendar: _Calendar) -> None:
    given = [(file, out / night.name, night, calendar.began(night)) for _, ran in calendar.days() for night in ran]
    side_by_side = min(_MOST_WORKERS, os.cpu_count() or 1)
    with ProcessPoolExecutor(side_by_side, mp_context=get_context("spawn")) as workers:
        for done, _ in enumerate(workers.map(_run, *zip(*given, strict=True)), start=1):
            if done % 10 == 0:
                say(f"{done} of {len(given)} are run")


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


def _take_in(folder: Path, results: Path, calendar: _Calendar) -> None:
    """Enter night after night; tell people, and let the gate decide after each of the last ones, as it would have been then."""
    from meshkit_chaos.cli.histories import open_history  # noqa: PLC0415  # start-up time

    clock = ManualClock(wall_ns=calendar.day(calendar.first) - _HOUR)
    say("taking them in; people are told, and the gate decides")
    with open_history(str(folder / "chaos-history"), make=True) as history, ExitStack() as opened:
        teller = Teller(history, folder / "chaos-notify.yaml", clock, Receivers(clock), opened)
        mornings = _Mornings(history, Repository(folder, at=clock.wall_ns()), teller, folder / "chaos-gate-log.jsonl", clock)
        for number, ran in calendar.days():
            for night in ran:
                _until(clock, calendar.began(night) + _TAKEN_AFTER)
                mornings.after(night, results / night.name)
                shutil.rmtree(results / night.name)
            if calendar.day(number) + _WATCH_AFTER <= calendar.now:
                _until(clock, calendar.day(number) + _WATCH_AFTER)
                mornings.watch(number)
            if number == ACCEPTED:
                _until(clock, calendar.day(number) + _ACCEPTED_AFTER)
                mornings.accept(ran[0])
        history.write_deliveries()


def _until(clock: ManualClock, at: int) -> None:
    """Set the clock on, unless a delivery took longer than that."""
    clock.advance_to(clock.monotonic_ns() + max(0, at - clock.wall_ns()))


class _Mornings:
    """What happens after a night: into the history, the gate, the messages."""

    def __init__(self, history: History, repository: Repository, teller: Teller, log: Path, clock: ManualClock) -> None:
        from meshkit_chaos.gate.log import GateLog  # noqa: PLC0415  # start-up time

        self._history, self._repository, self._teller, self._clock = history, repository, teller, clock
        self._policy = repository.policy()
        self._log = GateLog(log)

    def after(self, night: Night, results: Path) -> None:
        self._teller.take_in(results)
        if night.number >= NIGHTS - _DECIDED:
            self._decide(night)
        self._teller.deliver(away=night.number == AWAY)

    def watch(self, number: int) -> None:
        """Did the night come?"""
        from meshkit_chaos.deliver.deciding_nightly import decide_nightly  # noqa: PLC0415  # start-up time

        nightly, routing = self._policy.nightly, self._teller.routing
        assert nightly is not None, "our own document"
        self._teller.tell(
            lambda history, told, now: decide_nightly(nightly, history=history, told=told, routing=routing, now=now)
        )
        self._teller.deliver(refused=number == REFUSED)

    def accept(self, night: Night) -> None:
        """Somebody accepts what the gate said of a night, and asks it again."""
        self._repository.accept(at=self._clock.wall_ns())
        _until(self._clock, self._clock.wall_ns() + _HOUR)
        self._decide(night)
        self._teller.deliver()

    def _decide(self, night: Night) -> None:
        from meshkit_chaos.deliver.deciding_gate import decide_gate, decide_overrides  # noqa: PLC0415  # start-up time

        overrides, routing = self._repository.overrides(), self._teller.routing
        decision = self._decision(night)
        self._log.append("decision", builtins(decision), at=decision.at)
        self._teller.tell(
            lambda history, told, now: (
                *decide_gate(decision, history=history, told=told, routing=routing, now=now),
                *decide_overrides(overrides, history=history, told=told, routing=routing, now=now),
            )
        )

    def _decision(self, night: Night) -> Decision:
        from meshkit_chaos.gate.decide import decide  # noqa: PLC0415  # start-up time
        from meshkit_chaos.gate.evidence import gather  # noqa: PLC0415  # start-up time
        from meshkit_chaos.gate.subject import Subject  # noqa: PLC0415  # start-up time

        subject, now = Subject(pairs=night.subject), self._clock.wall_ns()
        evidence = gather(self._history, self._policy, subject, now=now)
        return decide(self._policy, evidence, subject=subject, now=now, overrides=self._repository.overrides())
