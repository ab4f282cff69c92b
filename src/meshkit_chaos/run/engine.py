"""The loop around the machine: take a command, append the intent, act, append the outcome, feed it back.

There is no rule about chaos in here. Whatever a task raises becomes an input of the machine, so rollback always runs; reverts,
verification and teardown are never cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import ChaosError, JournalUnwritable
from meshkit_chaos.faults import CATALOGUE, MemberState
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import Journal
from meshkit_chaos.measure.watch import Reading
from meshkit_chaos.plan import STEADY_WITHIN, Plan, UntilNode
from meshkit_chaos.run import commands as do
from meshkit_chaos.run.acting import Actor, compared
from meshkit_chaos.run.deaths import Deaths
from meshkit_chaos.run.machine import State, step, taken
from meshkit_chaos.run.prerequisites import check_prerequisites
from meshkit_chaos.run.sampling import Measuring, Outlet, Sampling
from meshkit_chaos.run.sight import ReadIndicator, Sight
from meshkit_chaos.slo import Duration

_LOOK_EVERY_S: Final = 0.5
_LOOK_BY_COMMANDS_S: Final = 2.0
_HEAR_S: Final = 0.01
_BEFORE_EFFECTS: Final = (ev.FaultIntended, ev.DeployIntended)


CollectLogs = Callable[[], list[ev.LogCollected | ev.ProblemNoted]]


class Engine:
    """Runs one plan on one environment and leaves a journal. ``run`` gives the outcome; it raises nothing of the run's own."""

    def __init__(
        self,
        plan: Plan,
        environment: Environment,
        journal: Journal,
        clock: Clock,
        *,
        deploys: bool,
        make_sampler: Callable[[], Sampling],
        collect_logs: CollectLogs,
        find_leaks: Callable[[], list[ev.SecretLeaked]] = list,
    ) -> None:
        self._plan = plan
        self._environment = environment
        self._journal = journal
        self._clock = clock
        self._collect_logs = collect_logs
        self._find_leaks = find_leaks
        self._state = State(plan=plan, deploys=deploys)
        self._inputs: asyncio.Queue[tuple[do.Input, int]] = asyncio.Queue()
        self._acting: set[asyncio.Task[None]] = set()
        self._undoing: set[asyncio.Task[None]] = set()
        self._timers: list[asyncio.TimerHandle] = []
        self._actor = Actor(plan, environment, clock, fact=self.fact, tell=self._tell)
        self._measuring = Measuring(
            make_sampler,
            self._sight_of,
            Outlet(record=self._append, keep=journal.write_block, lose=self._lose_record, broke=self._background_broke),
        )
        self._before: dict[str, MemberState] | None = None
        self._deaths: Deaths | None = None
        self._unheard: dict[str, tuple[str, ...]] = {}
        self._lost = ""
        self._outcome: ev.Outcome | None = None

    async def run(self) -> ev.Outcome:
        self._tell(do.Begin())
        try:
            if not self._state.deploys:
                self._start_measuring()
            while self._outcome is None:
                given, now = await self._inputs.get()
                self._state, commands = step(self._state, given, now)
                if isinstance(given, ev.FaultIntended):
                    self._unheard.pop(given.node, None)
                for command in commands:
                    self._perform(command)
        finally:
            await self._stop_all()
        return self._outcome

    @property
    def over(self) -> bool:
        """Whether the journal has its end, behind which nothing may be written."""
        return self._outcome is not None

    def fact(self, event: ev.AnyEvent, *, sync: bool = False) -> None:
        """Append an event and feed it back; once the run is over, nothing.

        An intent that cannot be recorded raises JournalUnwritable; any other fact still reaches the machine.
        """
        if self.over and isinstance(event, _BEFORE_EFFECTS):
            raise JournalUnwritable("the run is over: nothing can be announced in its record any more")
        if isinstance(event, ev.FaultIntended) and CATALOGUE[event.fault].silences:
            self._unheard[event.node] = event.members
            if self._deaths is not None:
                self._deaths.expect(event.members)
        if not self.over:
            self._inputs.put_nowait((event, self._append(event, sync=sync)))

    def _append(self, event: ev.AnyEvent, *, sync: bool = False) -> int:
        must_be_on_disk = isinstance(event, _BEFORE_EFFECTS)
        if self._lost and must_be_on_disk:
            raise JournalUnwritable(self._lost)
        try:
            return self._journal.append(event, sync=sync).t
        except JournalUnwritable as error:
            self._lose_record(error)
            if must_be_on_disk:
                raise
        try:  # the space that was kept for this has been given back
            return self._journal.append(event, sync=sync).t
        except JournalUnwritable:
            return self._clock.monotonic_ns()

    def _lose_record(self, error: JournalUnwritable) -> None:
        if not self._lost:
            self._lost = f"{error.message} ({error.hint})"
            self._journal.release_reserve()
            self._tell(do.RecordLost(self._lost))

    def _tell(self, given: do.Input) -> None:
        self._inputs.put_nowait((given, self._clock.monotonic_ns()))

    def _perform(self, command: do.Command) -> None:  # noqa: C901, PLR0912  # one case a command
        match command:
            case do.Write():
                self._append(command.event)
            case do.Deploy():
                self._act(self._deploy())
            case do.CheckPrerequisites():
                self._act(self._check_prerequisites())
            case do.CheckSteadyState():
                self._act(self._check_steady_state(command.since))
            case do.TakeFingerprint():
                self._act(self._take_fingerprint())
            case do.SetTimer():
                self._set_timer(command)
            case do.Inject():
                self._act(self._actor.inject(command))
            case do.Adjust():
                self._act(self._actor.adjust(command.node))
            case do.AwaitCondition():
                self._act(self._await_condition(command.node))
            case do.StopActing():
                self._undo(self._stopped(self._cancel_acts()))
            case do.Revert():
                self._undo(self._actor.revert(command))
            case do.Verify():
                self._undo(self._verify())
            case do.Teardown():
                self._undo(self._teardown())
            case do.Finish():
                self._undo(self._finish(command.outcome))

    def _act(self, work: Coroutine[Any, Any, None]) -> None:
        self._start(work, self._acting)

    def _undo(self, work: Coroutine[Any, Any, None]) -> None:
        self._start(work, self._undoing)

    def _start(self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        task.add_done_callback(lambda done: self._ended(done, among))

    def _ended(self, task: asyncio.Task[None], among: set[asyncio.Task[None]]) -> None:
        among.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        reason = str(error) if isinstance(error, ChaosError) else f"{type(error).__name__}: {error}"
        self._append(ev.ProblemNoted(where="engine", message=reason))
        if among is self._acting:
            self._tell(do.EngineFailed(reason))
        else:
            self._outcome = "aborted"  # undoing itself broke: the journal has no end and the watchdog finishes
            self._tell(do.EngineFailed(reason))

    def _cancel_acts(self) -> set[asyncio.Task[None]]:
        """At once, in the turn in which the abort is written: an act that is ready to go on would still write its intent."""
        stopping = set(self._acting)
        for task in stopping:
            task.cancel()
        return stopping

    async def _stopped(self, stopping: set[asyncio.Task[None]]) -> None:
        """Wait until what acted has ended, so that no intent can follow. The watchdog minds what does not end."""
        if stopping:
            await asyncio.wait(stopping)
        self._tell(do.ActingStopped())

    def _set_timer(self, command: do.SetTimer) -> None:
        delay = max(0, command.at - self._clock.monotonic_ns()) / 1e9
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(delay, self._tell, do.TimerFired(command.name)))

    async def _deploy(self) -> None:
        deadline = self._clock.monotonic_ns() + self._plan.limit.ns
        self.fact(
            ev.DeployIntended(marker=self._environment.marker, data=self._environment.data_folder, deadline=deadline),
            sync=True,
        )
        try:
            members = await self._environment.deploy()
        except ChaosError as error:
            self.fact(ev.DeployFailed(reason=f"{error.message} {error.hint}".strip()))
            return
        self._start_measuring()
        self.fact(ev.DeployDone(members=members))

    def _start_measuring(self) -> None:
        self._measuring.start(self._watch_members)

    def _sight_of(self, read: ReadIndicator) -> Sight:
        return Sight(
            self._plan.scenario,
            read,
            held=self._held,
            tripped=self._guard_tripped,
            changed=self._changed,
            lag=self._plan.sample_lag,
        )

    def _background_broke(self, error: BaseException) -> None:
        self._tell(do.EngineFailed(f"{type(error).__name__}: {error}"))

    def _held(self) -> frozenset[str]:
        """Those too whose intent the machine has not heard of yet: their levers may be pulled already."""
        return taken(self._state).union(*self._unheard.values())

    def _changed(self, reading: Reading) -> None:
        self._append(ev.IndicatorChanged(indicator=reading.indicator, state=reading.state, detail=reading.detail))

    def _guard_tripped(self, indicator: str, detail: str) -> None:
        self.fact(ev.GuardTripped(indicator=indicator, detail=detail))

    async def _check_prerequisites(self) -> None:
        held = await check_prerequisites(self._plan, self._environment, self._measuring.sight, self._clock, fact=self.fact)
        if held:  # give a mesh that has just come up time to reach its steady state; the baseline then says whether it did
            now = self._clock.monotonic_ns()
            waits = (
                self._measuring.sight.until_good(name, after=now, within=STEADY_WITHIN)
                for name in self._plan.scenario.steady_state.indicators
            )
            await asyncio.gather(*waits)
        self._measuring.sight.guard()
        self._tell(do.PrerequisitesSettled(held))

    async def _check_steady_state(self, since: int) -> None:
        held = True
        for name in self._plan.scenario.steady_state.indicators:
            good, detail = self._measuring.sight.good_since(name, since)
            held = held and good
            self.fact(ev.SteadyStateChecked(indicator=name, held=good, detail=detail))
        self._tell(do.SteadyStateSettled(held))

    async def _take_fingerprint(self) -> None:
        self._before = await self._environment.observe()
        self._deaths = Deaths(self._before)
        self.fact(ev.FingerprintTaken(when="before", members=self._before), sync=True)

    async def _await_condition(self, node_id: str) -> None:
        node = next(node for node in self._plan.nodes if node.id == node_id)
        assert isinstance(node, UntilNode)
        met, detail = await self._measuring.sight.until(
            node.indicator, node.state, after=self._clock.monotonic_ns(), within=node.timeout
        )
        self.fact(ev.ConditionDone(node=node_id, met=met, detail=detail))

    async def _verify(self) -> None:
        """Wait, for as long as a rollback may take, until the fingerprint and the indicators are as they were."""
        within = self._plan.scenario.rollback.within
        until = self._clock.monotonic_ns() + within.ns
        await self._look_at_members()
        after, different = await compared(self._environment, self._before)
        while self._before is not None and different and self._clock.monotonic_ns() < until:
            await asyncio.sleep(0.05)
            after, different = await compared(self._environment, self._before)
        await self._await_verified_indicators(until)
        after, different = await compared(
            self._environment, self._before
        )  # that took a while, and what is called clean must be so now
        if after is not None:
            for died in self._deaths.look(after, self._held()) if self._deaths is not None else ():
                self.fact(died)  # since the look before, while indicators were waited for
            self.fact(ev.FingerprintTaken(when="after", members=after))
        self.fact(ev.EnvironmentVerified(clean=not different, differences=different), sync=True)

    async def _await_verified_indicators(self, until: int) -> None:
        now = self._clock.monotonic_ns()
        left = Duration(max(0, until - now))
        if self._measuring.started:
            sight = self._measuring.sight
            names = self._plan.scenario.rollback.verify
            await asyncio.gather(*(sight.until_good(name, after=now, within=left) for name in names))

    async def _teardown(self) -> None:
        await self._measuring.stop()
        deadline = self._clock.monotonic_ns() + 10 * 10**9
        self.fact(ev.TeardownIntended(marker=self._environment.marker, deadline=deadline), sync=True)
        for logged in self._logs():
            self._append(logged)
        left = await self._environment.teardown()
        self.fact(ev.TeardownDone(left=left), sync=True)

    def _logs(self) -> list[ev.LogCollected | ev.ProblemNoted]:
        """Logs are never worth a teardown: where nothing was deployed, or nothing can be read, that is noted."""
        try:
            return self._collect_logs()
        except (ChaosError, OSError) as error:
            return [ev.ProblemNoted(where="logs", message=str(error))]

    async def _finish(self, outcome: ev.Outcome) -> None:
        await self._measuring.stop()
        await asyncio.sleep(_HEAR_S)  # a signal that came while teardown held this thread up is heard before the end
        for leaked in self._find_leaks():
            self._append(leaked)
        self._outcome = "aborted" if self._state.abort else outcome
        self._append(ev.RunFinished(outcome=self._outcome), sync=True)
        self._tell(do.TimerFired("over"))  # wake the loop

    async def _watch_members(self) -> None:
        """Notice a member that ends although no fault holds it."""
        while True:
            await asyncio.sleep(_LOOK_BY_COMMANDS_S if self._plan.environment.kind == "attached" else _LOOK_EVERY_S)
            if self._state.stage not in ("verifying", "tearing", "over"):
                await self._look_at_members()

    async def _look_at_members(self) -> None:
        if self._deaths is None:
            return
        held = self._held()
        seen = (await compared(self._environment, self._before))[0] or {}  # that it cannot be seen now says nothing of a member
        for died in self._deaths.look(seen, held | self._held()):
            self.fact(died)

    async def _stop_all(self) -> None:
        for timer in self._timers:
            timer.cancel()
        await self._measuring.stop()
        for task in self._acting | self._undoing:
            task.cancel()
        await asyncio.gather(*self._acting, *self._undoing, return_exceptions=True)
