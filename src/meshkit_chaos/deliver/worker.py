"""Emptying the outbox: one courier for each channel, side by side, so that a slow or dead channel stops no other.

A courier takes a step at a time (claim, send or look, settle) and says when the next one is worth while; it never sleeps, so
a whole outbox is tried in virtual time. ``flush`` is the thin shell around couriers: threads, pauses, a deadline, and a way
to stop after the request that is under way. What a sender raises is a mistake of ours: it may have arrived, the row says so,
and the caller is told.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import CannotLook, Look, Outcome, Told, Unsure
from meshkit_chaos.deliver.backoff import SECOND, Chance, Patience
from meshkit_chaos.deliver.claiming import Claim, Claims, Hide, Wait, Ways
from meshkit_chaos.deliver.outbox import Outbox
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.errors import ChaosError
from meshkit_chaos.slo import Duration

PATIENCE: Final = Patience()


class Watching(Protocol):
    """Who hears of every attempt, from any thread. ``bug``: a sender raised instead of answering."""

    def tried(self, told: Told) -> None: ...
    def bug(self, told: Told, error: Exception) -> None: ...


@dataclass(slots=True)
class Heard:
    """Keeps what it hears: for whoever wants to know at the end."""

    attempts: list[Told] = field(default_factory=list)
    bugs: list[Exception] = field(default_factory=list)

    def tried(self, told: Told) -> None:
        self.attempts.append(told)

    def bug(self, told: Told, error: Exception) -> None:
        del told
        self.bugs.append(error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """How couriers go about it."""

    patience: Patience = PATIENCE
    chance: Chance = random.random
    hide: Hide = str
    worker: str = ""


class Courier:
    """Brings what waits for one channel there."""

    def __init__(self, channel: str, sender: Sender, outbox: Outbox, *, going: Going, watching: Watching) -> None:
        self._sender = sender
        self._watching = watching
        self._worker = going.worker or worker_name()
        ways = Ways(channel=channel, rates=sender.rates, when_unsure=sender.when_unsure, lag=sender.lag)
        self._claims = Claims(
            outbox.database, ways, patience=going.patience, chance=going.chance, now=outbox.now, hide=going.hide
        )

    def step(self) -> Wait | Told | None:
        """One row a step further; when to ask again; or None where nothing is left to do. Raises HistoryProblem."""
        claim = self._claims.claim(f"{self._worker}/{secrets.token_hex(4)}")
        if not isinstance(claim, Claim):
            return claim
        told = self._claims.settle(claim, self._attempt(claim))
        self._watching.tried(told)
        return told

    def _attempt(self, claim: Claim) -> Outcome | Look:
        try:
            if claim.do == "look":
                return self._sender.look(claim.told.action, claim.thread)
            return self._sender.send(claim.told.action, claim.thread)
        except Exception as error:  # noqa: BLE001  # whatever a sender raises, what it sent may have arrived
            self._watching.bug(claim.told, error)
            why = f"an error of ours, {type(error).__name__}"
            return CannotLook(why=why, retry=True) if claim.do == "look" else Unsure(why=why)


def worker_name() -> str:
    """Who this process is, for people who look at a row that it has."""
    return f"{socket.gethostname()}:{os.getpid()}"


def flush(
    outbox: Outbox,
    senders: Mapping[str, Sender],
    *,
    wait: Duration,
    clock: Clock,
    watching: Watching,
    going: Going | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Send whatever waits for these channels, until nothing is left that is due within ``wait`` from now, or ``stop`` is
    set.

    Rows that others send meanwhile are waited for. Raises the first HistoryProblem, when every courier has ended.
    """
    over = stop or threading.Event()
    deadline = clock.monotonic_ns() + wait.ns
    couriers = [
        Courier(channel, sender, outbox, going=going or Going(), watching=watching) for channel, sender in senders.items()
    ]
    if not couriers:
        return
    with ThreadPoolExecutor(max_workers=len(couriers), thread_name_prefix="courier") as pool:
        ends = [pool.submit(_bring, courier.step, deadline=deadline, clock=clock, over=over) for courier in couriers]
    broken = [error for end in ends if (error := end.exception()) is not None]
    for error in sorted(broken, key=lambda one: isinstance(one, ChaosError)):
        raise error


def _bring(step: Callable[[], Wait | Told | None], *, deadline: int, clock: Clock, over: threading.Event) -> None:
    while not over.is_set():
        done = step()
        if done is None:
            return
        if isinstance(done, Wait):
            pause = done.until - done.at
            if pause > deadline - clock.monotonic_ns():
                return
            over.wait(min(pause, _LONGEST_PAUSE) / SECOND)


_LONGEST_PAUSE: Final = 30 * SECOND
"""After so long it looks again, whatever was said: others may have changed something."""
