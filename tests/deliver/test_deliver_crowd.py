"""Many couriers at once, each with a connection of its own: every row goes to one of them, in order, and rates hold for all."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from postgres_server import server
from scripted_channel import SECOND, action

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Outcome, Receipt, Told
from meshkit_chaos.deliver.outbox import Outbox, enqueue
from meshkit_chaos.deliver.sending import Rate, Rendered, WhenUnsure
from meshkit_chaos.deliver.worker import Going, Heard, flush
from meshkit_chaos.history.database import database_ns
from meshkit_chaos.history.places import open_place
from meshkit_chaos.slo import Duration

ROWS, THREADS, COURIERS = 60, 12, 6
RATE = Rate(bucket="chat", count=20, per=Duration(SECOND))


@dataclass
class Counting:
    """Takes everything in, and notes when. One for all couriers."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    arrivals: list[str] = field(default_factory=list)
    rates: tuple[Rate, ...] = (RATE,)
    when_unsure: WhenUnsure = "hold"
    lag: Duration = field(default_factory=lambda: Duration(0))

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        del thread
        return Rendered(method="", target="", body=action.key, size=0, budget=1)

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        del thread
        with self.lock:
            self.arrivals.append(action.key)
        return Delivered(receipt=Receipt(did="sent"))

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="never asked")

    def close(self) -> None:
        """Nothing is open."""


def everything_once(location: str, folder: Path) -> None:
    """Six couriers empty one channel: each row once, threads in order, and no second has more than twenty claims."""
    artifacts = str(folder / "artifacts")
    keys = [f"{number:03d}" for number in range(ROWS)]
    with open_place(location, SystemClock(), artifacts=artifacts, make=True) as history:
        with history.database.writing() as connection:
            now = database_ns(connection)
            enqueue(connection, (action(key, thread=str(int(key) % THREADS), at=now) for key in keys))
        service = Counting()

        def bring() -> None:
            with open_place(location, SystemClock(), artifacts=artifacts) as own:
                flush(
                    Outbox(own.database), {"chat": service}, wait=Duration(60 * SECOND), clock=SystemClock(), watching=Heard(),
                    going=Going(),
                )  # fmt: skip

        couriers = [threading.Thread(target=bring) for _ in range(COURIERS)]
        for one in couriers:
            one.start()
        for one in couriers:
            one.join(90)
        entries = Outbox(history.database).entries()
    assert Counter(service.arrivals) == Counter(keys)
    for thread in range(THREADS):
        mine = [key for key in service.arrivals if int(key) % THREADS == thread]
        assert mine == sorted(mine)
    assert all((one.told.state, one.told.attempts) == ("delivered", 1) for one in entries)
    tried = [one.told.tried_at or 0 for one in entries]
    assert all(sum(at - RATE.per.ns < one <= at for one in tried) <= RATE.count for at in tried)


def test_every_row_goes_to_one_courier_in_sqlite(tmp_path: Path) -> None:
    """One file, six couriers."""
    everything_once(f"sqlite:///{tmp_path}/h/index.sqlite", tmp_path)


@pytest.mark.slow
def test_every_row_goes_to_one_courier_in_postgresql(tmp_path: Path) -> None:
    """A real PostgreSQL, six couriers: rows that others hold are skipped."""
    with server() as location:
        everything_once(location, tmp_path)
