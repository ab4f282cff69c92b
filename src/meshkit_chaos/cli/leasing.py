"""A run under a lease: taken before anything is touched, renewed while it runs, and the run aborted when it is lost.

Takes a history's location and a lease's name. The lease is renewed from a thread of its own, and another one watches the
clock, as a database that has vanished may never answer. Where it can no longer be
renewed (ended, taken by somebody else, or the database silent until the lease's own end), a run that is under way is
aborted as by SIGTERM, rollback included, and no further one begins.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Final

from meshkit_chaos.campaign.campaign import Execute, RunOf
from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.histories import open_history
from meshkit_chaos.cli.history_lease import take, this_process
from meshkit_chaos.clock import Clock, SystemClock
from meshkit_chaos.errors import EnvironmentBusy, HistoryProblem
from meshkit_chaos.history.leases import Lease, Leases
from meshkit_chaos.plan import Plan
from meshkit_chaos.slo import Duration

LASTING: Final = Duration.parse("2m")
RENEWED: Final = 6
"""So many times in its life a lease is renewed: a few may fail before it ends."""

_PATIENCE_S: Final = 10


class HeldLease:
    """A lease that is kept. ``lost`` once it could not be."""

    def __init__(self, leases: Leases, lease: Lease, *, lasting: Duration, clock: Clock) -> None:
        self.lease: Final = lease
        self.lost = ""
        self._leases = leases
        self._lasting = lasting
        self._clock = clock
        self._until = clock.monotonic_ns() + lasting.ns
        self._under_way = False

    def renew(self) -> None:
        """Renew once; a lease that is lost aborts what is under way."""
        asked = self._clock.monotonic_ns()
        try:
            renewed = self._leases.renew(self.lease.name, token=self.lease.token, lasting=self._lasting)
        except HistoryProblem as error:
            if not self._nearly_over(asked):
                say(f"the lease {self.lease.name} was not renewed, and is tried again: {error.message}")
                return
            self._lose(f"it could not be renewed in time: {error.message}")
            return
        if renewed is None:
            self._lose("it ended, or somebody else has it")
        else:
            self._until = asked + self._lasting.ns

    def watch(self) -> None:
        """Lose it shortly before it ends by itself, although a renewal that was asked for has not been answered."""
        if self._nearly_over(self._clock.monotonic_ns()):
            self._lose("the database does not answer")

    def _nearly_over(self, now: int) -> bool:
        return now + self._lasting.ns // RENEWED >= self._until

    def _lose(self, why: str) -> None:
        if not self.lost:
            self.lost = why
            say(f"the lease {self.lease.name} was lost: {why}; what is under way is rolled back")
            if self._under_way:
                os.kill(os.getpid(), signal.SIGTERM)

    def guarded(self, execute: Execute) -> Execute:
        """The same, but refused once the lease is lost."""

        def under_lease(plan: Plan, run: RunOf) -> None:
            if self.lost:
                raise EnvironmentBusy(f"the lease {self.lease.name} was lost: {self.lost}", hint="run again")
            self._under_way = True
            try:
                execute(plan, run)
            finally:
                self._under_way = False

        return under_lease


@contextlib.contextmanager
def holding(history: str, name: str, *, wait: Duration, lasting: Duration = LASTING) -> Iterator[HeldLease]:
    """Hold a lease for as long as the block lasts. Raises EnvironmentBusy where somebody holds it for longer than ``wait``."""
    with open_history(history, make=True) as opened:
        leases = Leases(opened.database)
        held = HeldLease(
            leases, take(leases, name, holder=this_process(), lasting=lasting, wait=wait), lasting=lasting, clock=SystemClock()
        )
        over = threading.Event()
        every = lasting.seconds / RENEWED
        renewing = threading.Thread(target=_repeated, args=(held, held.renew, over, every), daemon=True)
        watching = threading.Thread(target=_repeated, args=(held, held.watch, over, every / 2), daemon=True)
        renewing.start()
        watching.start()
        try:
            yield held
        finally:
            over.set()
            renewing.join(_PATIENCE_S)
            if not renewing.is_alive():  # a database that does not answer is not asked again: the lease ends by itself
                with contextlib.suppress(HistoryProblem):  # as above
                    leases.release(name, token=held.lease.token)


def _repeated(held: HeldLease, act: Callable[[], None], over: threading.Event, every: float) -> None:
    while not over.wait(every) and not held.lost:
        act()
