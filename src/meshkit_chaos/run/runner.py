"""One run from its first event to its last: journal, watchdog, signals, engine. The only place where they meet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from meshkit_chaos import __version__
from meshkit_chaos.clock import Clock, boot_id
from meshkit_chaos.environments.leaks import find_leaks, hiding
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.secrets import HIDES_NOTHING, Redactor
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.store import Journal, Reader
from meshkit_chaos.plan import Plan
from meshkit_chaos.run.engine import CollectLogs, Engine
from meshkit_chaos.run.sampling import Sampling
from meshkit_chaos.run.watchdog import Watchdog


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be run, where, and for whom.

    ``run``: the run's ULID, also the marker of an environment that it deploys. ``environment_folder``: as in ``RunStarted``.
    ``redactor``: hides the environment's secrets from the record. ``leases``: descriptors that the watchdog must hold too.
    ``watched``: False only where nothing outside this process is touched.
    """

    run: str
    plan: Plan
    folder: Path
    environment: Environment
    deployed: bool
    environment_id: str
    environment_folder: str
    environment_class: str
    subject: dict[str, str]
    repeat: int
    make_sampler: Callable[[], Sampling]
    collect_logs: CollectLogs
    redactor: Redactor = HIDES_NOTHING
    readers: tuple[Reader, ...] = ()
    leases: tuple[int, ...] = ()
    watched: bool = True
    on_second_signal: Callable[[], None] = field(default=lambda: None)


async def run_once(order: Order, clock: Clock) -> ev.Outcome:
    """Raises JournalUnwritable if the record cannot even be begun."""
    journal = Journal.create(order.folder, clock)
    journal.hide(hiding(order.redactor))
    for reader in order.readers:
        journal.follow(_while_it_can(reader))
    watchdog = None
    try:
        journal.append(_started(order, clock), sync=True)
        engine = Engine(
            order.plan,
            order.environment,
            journal,
            clock,
            deploys=order.deployed,
            make_sampler=order.make_sampler,
            collect_logs=order.collect_logs,
            find_leaks=lambda: find_leaks(order.folder, order.redactor),
        )
        if order.watched:
            try:
                watchdog = Watchdog.start(order.folder, keep=order.leases)
            except CannotRun as error:  # nothing was touched yet: the record says why, and has its end
                journal.append(ev.AbortDecided(reason=error.message))
                journal.append(ev.RunFinished(outcome="aborted"), sync=True)
                return "aborted"
            journal.append(ev.WatchdogStarted(pid=watchdog.pid), sync=True)
        with _watched(engine, watchdog), _signals(engine, order), _without_pauses(order):
            return await engine.run()
    finally:
        journal.close()
        if watchdog is not None:
            watchdog.finish()


def _while_it_can(reader: Reader) -> Reader:
    """A reader whose pipe was closed or whose terminal is gone is told nothing more: no run depends on being looked at."""
    able = True

    def read(entry: ev.Entry) -> None:
        nonlocal able
        if able:
            try:
                reader(entry)
            except OSError:
                able = False

    return read


def _started(order: Order, clock: Clock) -> ev.RunStarted:
    return ev.RunStarted(
        schema=1,
        run=order.run,
        plan=order.plan,
        tool=__version__,
        python=platform.python_version(),
        platform=f"{sys.platform}-{os.uname().machine}",
        environment_class=order.environment_class,
        subject=order.subject,
        repeat=order.repeat,
        wall_ns=clock.wall_ns(),
        boot=boot_id(),
        owner=os.getuid(),
        pid=os.getpid(),
        deployed=order.deployed,
        environment_id=order.environment_id,
        environment_folder=order.environment_folder,
    )


@contextlib.contextmanager
def _watched(engine: Engine, watchdog: Watchdog | None) -> Iterator[None]:
    if watchdog is None:
        yield
        return
    loop = asyncio.get_running_loop()
    pid = watchdog.pid
    watchdog.on_death(loop, lambda: engine.fact(ev.WatchdogDied(pid=pid)))
    watchdog.show_life(loop)
    try:
        yield
    finally:
        watchdog.leave(loop)


@contextlib.contextmanager
def _without_pauses(order: Order) -> Iterator[None]:
    """Let garbage collection look at what the run makes only, not at all the program again and again.

    A whole collection stops everything for 50 ms and more. A probe that is due every 50 ms then misses its ticks, and what it
    did not see widens every interval. What never touches the outside has virtual time, which no pause can disturb.
    """
    if not order.watched:
        yield
        return
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextlib.contextmanager
def _signals(engine: Engine, order: Order) -> Iterator[None]:
    """The first signal aborts and rolls back; any further one only says that rollback goes on.

    One that comes behind the end of the run's journal has nothing to roll back and ends the process, as it does between runs.
    Only a process's main thread can be told of signals; in any other thread they stay the business of whoever started it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    seen: list[signal.Signals] = []
    late: list[signal.Signals] = []

    def received(number: signal.Signals) -> None:
        if engine.over:
            late.append(number)
        elif seen:
            order.on_second_signal()
        else:
            seen.append(number)
            engine.fact(ev.SignalReceived(signal=number.name))

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, received, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
        for number in late:
            signal.raise_signal(number)
