"""Probes every member on a fixed schedule, whatever the answers before did.

Takes a probe, the members and the function that checks one member; gives each round with two samples a member,
``probe_success`` (1 or 0) and ``probe_duration_seconds``. The duration counts from the tick at which the check was due, so
a member that stalls makes every check that was due meanwhile slow (no coordinated omission). A check that raises is our own
fault, and says nothing about the member: the round lists it as failed and has no value for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from meshkit_chaos.clock import Clock
from meshkit_chaos.journal.recorder import Sample
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.scrape import OnRound
from meshkit_chaos.measure.ticks import Ticker
from meshkit_chaos.promql.series import labels_of
from meshkit_chaos.slo import Check, CheckResult, Duration, Probe

__all__ = ["CheckResult", "Prober", "RunCheck"]


RunCheck = Callable[[str, Check, Duration], Awaitable[CheckResult]]
"""Checks one member within a time. Answers ``ok=False`` for whatever the member does; raises only where it is broken itself."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """``broke``: the probe itself did; then ``ok`` means nothing."""

    ok: bool
    duration_ns: int
    broke: str = ""


@dataclass(slots=True)
class _Pending:
    """A round whose answers are still coming in."""

    tick: int
    start: int
    end: int
    answers: dict[str, _Answer] = field(default_factory=dict)


class Prober:
    """Open-loop rounds of one probe; given out in the order of their ticks, each once all its answers are in."""

    def __init__(
        self,
        *,
        probe: Probe,
        members: Iterable[str],
        check: RunCheck,
        clock: Clock,
        on_round: OnRound,
        max_outstanding: int = 16,
    ) -> None:
        if probe.timeout <= Duration(0) or max_outstanding < 1:
            raise ValueError(
                f"the probe {probe.name!r} has time-out {probe.timeout} and at most {max_outstanding} checks outstanding;"
                " expected more than 0s and at least 1"
            )
        self._probe, self._members, self._check = probe, tuple(dict.fromkeys(members)), check
        if not self._members:
            raise ValueError(f"the probe {probe.name!r} has no member to check; expected at least one")
        self._clock, self._on_round, self._most = clock, on_round, max_outstanding
        self._ticker = Ticker(every=probe.every, grace=Duration(probe.every.ns // 2), clock=clock)
        self._running: dict[str, set[asyncio.Task[CheckResult]]] = {member: set() for member in self._members}
        self._pending: deque[_Pending] = deque()

    @property
    def source(self) -> str:
        """What its rounds are called: the probe's name."""
        return self._probe.name

    @property
    def skipped(self) -> int:
        """How many ticks came too late to be asked."""
        return self._ticker.skipped

    def stop(self) -> None:
        """No new round; ``run`` returns once the answers of the last ones are in."""
        self._ticker.stop()

    async def run(self) -> None:
        """Ask round after round until stopped or cancelled; rounds still open when cancelled are dropped."""
        try:
            async with asyncio.TaskGroup() as group:
                while (tick := await self._ticker.next()) is not None:
                    start = max(tick, self._clock.monotonic_ns())
                    pending = _Pending(tick, start, start)
                    self._pending.append(pending)
                    for member in self._members:
                        group.create_task(self._answer(pending, member))
        finally:
            for task in [task for running in self._running.values() for task in running]:
                task.cancel()

    async def _answer(self, pending: _Pending, member: str) -> None:
        pending.answers[member] = await self._ask(pending.tick, member)
        pending.end = max(pending.end, self._clock.monotonic_ns())
        while self._pending and len(self._pending[0].answers) == len(self._members):
            self._emit(self._pending.popleft())

    async def _ask(self, tick: int, member: str) -> _Answer:
        running = self._running[member]
        if len(running) >= self._most:
            return await self._stalled(tick, member)
        task = asyncio.create_task(self._checked(member))
        running.add(task)
        task.add_done_callback(lambda ended: _forget(ended, running))
        # Not asyncio.timeout: a check that shrugs off its cancellation must not hold up the round.
        await asyncio.wait({task}, timeout=self._probe.timeout.seconds)
        spent = self._clock.monotonic_ns() - tick
        if not task.done():
            task.cancel()
            return _Answer(ok=False, duration_ns=spent)
        if task.cancelled():
            return _Answer(ok=False, duration_ns=spent, broke="its check was cancelled")
        if error := task.exception():
            return _Answer(ok=False, duration_ns=spent, broke=f"{type(error).__name__}: {error}")
        return _Answer(ok=task.result().ok, duration_ns=spent)

    async def _checked(self, member: str) -> CheckResult:
        return await self._check(member, self._probe.check, self._probe.timeout)

    async def _stalled(self, tick: int, member: str) -> _Answer:
        """No slot was free at the tick: failed, with the time until one was (at most the time-out)."""
        left = tick + self._probe.timeout.ns - self._clock.monotonic_ns()
        await asyncio.wait(set(self._running[member]), timeout=max(left, 0) / 10**9, return_when=asyncio.FIRST_COMPLETED)
        return _Answer(ok=False, duration_ns=self._clock.monotonic_ns() - tick)

    def _emit(self, pending: _Pending) -> None:
        broken = {
            member: f"the probe itself broke: {answer.broke}" for member, answer in pending.answers.items() if answer.broke
        }
        samples = {member: self._samples(member, answer) for member, answer in pending.answers.items() if not answer.broke}
        self._on_round(
            Round(
                source=self._probe.name,
                tick=pending.tick,
                start=pending.start,
                end=pending.end,
                failed={member: broken[member] for member in self._members if member in broken},
            ),
            samples,
        )

    def _samples(self, member: str, answer: _Answer) -> list[Sample]:
        labels = {"probe": self._probe.name, "member": member}
        return [
            (labels_of("probe_success", labels), 1.0 if answer.ok else 0.0),
            (labels_of("probe_duration_seconds", labels), answer.duration_ns / 10**9),
        ]


def _forget(task: asyncio.Task[CheckResult], running: set[asyncio.Task[CheckResult]]) -> None:
    """A check ended, perhaps long after its round: free its slot, and take its exception so that nobody reports it as lost."""
    running.discard(task)
    if not task.cancelled():
        task.exception()
