"""One whole run of a world in virtual time: documents → plan → engine and journal → record → verdict, and the truth beside it.

What a real run has around the engine is played here: signals, the watchdog's death, and the watchdog itself, which kills a
runner that lets a deadline pass.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from troubles import Killed, TroubledMesh, Truth, WatchedJournal
from worlds import World

from meshkit_chaos.cli.places import sampler_for
from meshkit_chaos.environments.capabilities import capabilities_of
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop
from meshkit_chaos.errors import JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.reading import read_record
from meshkit_chaos.journal.record import Record
from meshkit_chaos.judge import Verdict, judge
from meshkit_chaos.plan import Plan, make_plan
from meshkit_chaos.run.engine import Engine
from meshkit_chaos.run.runner import Order, _started
from meshkit_chaos.run.watchdog_main import earliest_deadline
from meshkit_chaos.scenario.load import load_environment, load_scenarios

RUN = "01JZZZZZZZZZZZZZZZZZZZZZZZ"
_IN_FORCE = (ev.DeployIntended, ev.FaultIntended, ev.RevertIntended, ev.RevertDone, ev.RevertFailed, ev.TeardownDone)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """A finished (or killed) run: what its record says, what the judge says, and what was true. Times in virtual ns."""

    world: World
    plan: Plan
    folder: Path
    record: Record
    verdict: Verdict
    truth: Truth
    outcome: ev.Outcome | None
    began: int
    ended: int


def plan_of(world: World) -> Plan:
    """The plan of a world's scenario; its documents are lint-clean."""
    lab = load_environment(world.environment.encode(), path="lab.yaml")
    assert lab.value is not None, lab.problems
    file = load_scenarios(world.scenarios.encode(), path="chaos-scenarios.yaml", environment=lab.value)
    assert file.value is not None, file.problems
    return make_plan(file.value.scenarios[0], lab.value, capabilities_of(lab.value), seed=world.seed)


def simulate(world: World, folder: Path) -> Simulated:
    """Run a world once. Whatever is raised here is raised by the product and is a finding."""
    plan = plan_of(world)
    loop = VirtualTimeLoop()
    stage = _Stage(world=world, plan=plan, folder=folder, loop=loop)
    began = stage.clock.monotonic_ns()
    outcome = None
    with contextlib.closing(loop), contextlib.suppress(Killed):
        playing = loop.create_task(stage.play())  # held on to: the loop itself does not
        try:
            outcome = loop.run_until_complete(playing)
        finally:
            _let_go(loop)
    stage.journal.close()
    record = read_record(folder)
    return Simulated(
        world=world,
        plan=plan,
        folder=folder,
        record=record,
        verdict=judge(record),
        truth=stage.truth,
        outcome=outcome,
        began=began,
        ended=stage.ended,
    )


def _let_go(loop: VirtualTimeLoop) -> None:
    """End every task. A task group hands the death of its child on, so this may be struck by it again and again."""
    while pending := asyncio.all_tasks(loop):
        for task in pending:
            task.cancel()
        with contextlib.suppress(Killed):
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))


@dataclass(kw_only=True)
class _Stage:
    world: World
    plan: Plan
    folder: Path
    loop: VirtualTimeLoop
    truth: Truth = field(default_factory=Truth)
    entries: list[ev.Entry] = field(default_factory=list)
    deadline: asyncio.TimerHandle | None = None
    ended: int = 0
    signalled: bool = False

    def __post_init__(self) -> None:
        self.clock = VirtualClock(self.loop)
        self.mesh = TroubledMesh(self.world, self.truth, self.clock, description=self.plan.environment, marker=RUN)
        self.journal = WatchedJournal.of(self.folder, self.clock, self.world, self.truth)
        self.mesh.journal = self.journal
        self.journal.follow(self.on_entry)
        self.loop.set_exception_handler(self.on_unheard)
        self.engine: Engine | None = None

    async def play(self) -> ev.Outcome | None:
        watching = asyncio.create_task(self.mesh.watch_leaders())
        try:
            return await self._play()
        finally:
            watching.cancel()
            self.truth.ended = self.mesh.state()
            self.ended = self.clock.monotonic_ns()
            await self.mesh.close()

    async def _play(self) -> ev.Outcome | None:
        if not self.world.deployed:
            with contextlib.suppress(Exception):
                await self.mesh.deploy()
            for name in self.mesh.mesh.members:
                if not self.mesh.mesh.members[name].up:
                    return None  # it was never up, so no run begins on it
        order = self._order()
        with contextlib.suppress(JournalUnwritable):
            self.journal.append(_started(order, self.clock), sync=True)
            self.engine = Engine(
                self.plan,
                self.mesh,
                self.journal,
                self.clock,
                deploys=order.deployed,
                make_sampler=order.make_sampler,
                collect_logs=order.collect_logs,
            )
            return await self.engine.run()
        return None

    def _order(self) -> Order:
        return Order(
            run=RUN,
            plan=self.plan,
            folder=self.folder,
            environment=self.mesh,
            deployed=self.world.deployed,
            environment_id="lab",
            environment_folder="environment",
            environment_class="simulated",
            subject={"version": "1"},
            repeat=1,
            make_sampler=lambda: sampler_for(self.plan, self.mesh, self.clock),
            collect_logs=list,
            watched=False,
        )

    def on_entry(self, entry: ev.Entry) -> None:
        self.entries.append(entry)
        if isinstance(entry.event, ev.FingerprintTaken) and entry.event.when == "before":
            self.truth.before = self.mesh.state()
        if isinstance(entry.event, ev.PhaseEntered):
            self.mesh.entered(entry.event.phase)
        if isinstance(entry.event, ev.EnvironmentVerified):
            self.truth.verified = self.mesh.state()
        if isinstance(entry.event, _IN_FORCE) and not self.truth.dead:
            self._set_deadline()
        if self.world.signal_at is not None and entry.seq == self.world.signal_at[0]:
            self.loop.call_later(self.world.signal_at[1], self._feed, ev.SignalReceived(signal="SIGTERM"))
        if self.world.watchdog_dies_at is not None and entry.seq == self.world.watchdog_dies_at:
            self.loop.call_soon(self._feed, ev.WatchdogDied(pid=7))

    def on_unheard(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not isinstance(context.get("exception"), Killed):
            self.truth.unheard.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _feed(self, event: ev.AnyEvent) -> None:
        """As the runner's handlers do, which are gone once the engine has come to its end."""
        over = self.entries and isinstance(self.entries[-1].event, ev.RunFinished)
        if self.engine is not None and not over:
            self.engine.fact(event)

    def _set_deadline(self) -> None:
        """The watchdog: what is in force must not be in force any more at its deadline."""
        if self.deadline is not None:
            self.deadline.cancel()
        deadline = earliest_deadline(Record(entries=tuple(self.entries)))
        self.deadline = None if deadline is None else self.loop.call_at(deadline / 1e9 + 0.1, self._overdue, deadline)

    def _overdue(self, deadline: int) -> None:
        if self.truth.dead:
            return
        self.truth.overdue = f"a deadline passed at {(deadline - self.entries[0].t) / 1e9:g} s"
        self.truth.dead = True
        raise Killed
