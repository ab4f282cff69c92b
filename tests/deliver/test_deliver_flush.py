"""The shell around couriers: real threads, real time, and a real database."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from history_builder import opened
from scripted_channel import Scripted, ScriptedSender, Service, World, action

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.dashboard.deliveries import deliveries
from meshkit_chaos.deliver.action import Action, Outcome, Told
from meshkit_chaos.deliver.backoff import Patience
from meshkit_chaos.deliver.outbox import Outbox, enqueue
from meshkit_chaos.deliver.worker import Going, Heard, flush, worker_name
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.index import History
from meshkit_chaos.history.tables import outbox as outbox_table
from meshkit_chaos.slo import Duration

QUICK = Going(patience=Patience(first=Duration.parse("20ms"), most=Duration.parse("40ms")), chance=lambda: 1.0)
TEN_SECONDS = Duration.parse("10s")


def put(history: History, *actions: Action) -> Outbox:
    with history.database.writing() as connection:
        enqueue(connection, actions)
    return Outbox(history.database)


def test_what_needs_somebody_does_not_sink_below_newer_messages(tmp_path: Path) -> None:
    """Of many messages the newest are told, and an older one that died; one that a person gave up may sink."""
    with opened(tmp_path / "h") as history:
        outbox = put(
            history, action("died"), action("dropped", thread="u"), *(action(f"n{one}", thread=f"{one}") for one in range(5))
        )
        outbox.resolve("dropped", "drop", by="ann")
        with history.database.writing() as connection:
            connection.execute(sa.update(outbox_table).values(state="dead").where(outbox_table.c.key == "died"))
            connection.execute(sa.update(outbox_table).values(state="delivered").where(outbox_table.c.key.like("n%")))
        told = outbox.newest(3)
        assert [one.action.key for one in told[:3]] == ["n4", "n3", "n2"]
        assert [(one.action.key, one.state) for one in told[3:]] == [("died", "dead")]
        assert deliveries(told).tone == "fail"


class Waiting(ScriptedSender):
    """Sends once it is let."""

    let = threading.Event()

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        assert self.let.wait(30)
        return super().send(action, thread)


def test_a_slow_channel_stops_no_other(tmp_path: Path) -> None:
    """While one channel hangs in a request, another delivers everything it has."""
    service = Service(World())
    slow, fast = Waiting(service), ScriptedSender(service)
    slow.let = threading.Event()
    with opened(tmp_path / "h") as history:
        outbox = put(history, action("s", channel="slow"), *(action(f"f{number}", thread=str(number)) for number in range(3)))
        heard = Heard()

        class LettingGo(Heard):
            def tried(self, told: Told) -> None:
                heard.tried(told)
                if len(heard.attempts) == 3:
                    slow.let.set()

        flush(outbox, {"slow": slow, "chat": fast}, wait=TEN_SECONDS, clock=SystemClock(), watching=LettingGo(), going=QUICK)
        assert [one.action.channel for one in heard.attempts] == ["chat"] * 3 + ["slow"]
        assert {one.told.state for one in outbox.entries()} == {"delivered"}


def test_it_waits_for_what_may_be_tried_again_soon(tmp_path: Path) -> None:
    """Within the time given it tries again; what is due later it leaves, visibly."""
    service = Service(World())
    with opened(tmp_path / "h") as history:
        outbox = put(history, action("a"), action("b", channel="late"))
        senders = {
            "chat": ScriptedSender(service, Scripted("again", "again")),
            "late": ScriptedSender(service, Scripted("again after")),
        }
        heard = Heard()
        flush(outbox, senders, wait=TEN_SECONDS, clock=SystemClock(), watching=heard, going=QUICK)
        states = {one.told.action.key: (one.told.state, one.told.attempts) for one in outbox.entries()}
        assert states == {"a": ("delivered", 3), "b": ("pending", 1)}


def test_it_stops_when_told_to(tmp_path: Path) -> None:
    """Once stopped it sends nothing more; what is left waits."""
    stop = threading.Event()
    stop.set()
    with opened(tmp_path / "h") as history:
        outbox = put(history, action("a"))
        sender = ScriptedSender(Service(World()))
        flush(outbox, {"chat": sender}, wait=TEN_SECONDS, clock=SystemClock(), watching=Heard(), stop=stop)
        assert [one.told.state for one in outbox.entries()] == ["pending"]


def test_a_database_that_fails_is_told_and_sends_nothing_blindly(tmp_path: Path) -> None:
    """A disk that is full (here: a file that may not grow) ends it with a clear error before anything is sent."""
    service = Service(World())
    with opened(tmp_path / "h") as history:
        outbox = put(history, action("a"))
        with history.database._engine.connect() as connection:
            pages = connection.connection.cursor().execute("PRAGMA page_count").fetchone()[0]
            connection.connection.cursor().execute(f"PRAGMA max_page_count = {pages}")
            connection.connection.cursor().execute("PRAGMA cache_size = 1")
        with history.database._engine.connect() as connection:
            filler = connection.connection.cursor()
            filler.execute("BEGIN")
            rows = [(f"{number:0500d}",) for number in range(10_000)]
            with pytest.raises(Exception, match="full"):
                filler.executemany("INSERT INTO pruned VALUES (?, 1)", rows)
            filler.execute("COMMIT") if connection.connection.driver_connection.in_transaction else None
        long = action("b", thread="x" * 10_000)
        with pytest.raises(HistoryProblem, match="full") as told:
            put(history, long)
        assert "space" in told.value.hint
        del outbox
    assert service.requests == []


def test_a_database_that_somebody_holds_is_told(tmp_path: Path) -> None:
    """A lock that is not given up in time ends it with a clear error, and nothing is sent without its intent on disk."""
    service = Service(World())
    with opened(tmp_path / "h") as history, opened(tmp_path / "h") as other:
        outbox = put(history, action("a"))
        with history.database._engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA busy_timeout = 1")
        with other.database.writing(), pytest.raises(HistoryProblem, match="locked") as told:
            flush(
                outbox, {"chat": ScriptedSender(service)}, wait=TEN_SECONDS, clock=SystemClock(), watching=Heard(), going=QUICK
            )
        assert "another process" in told.value.hint
        assert service.requests == []
        flush(outbox, {"chat": ScriptedSender(service)}, wait=TEN_SECONDS, clock=SystemClock(), watching=Heard(), going=QUICK)
        assert service.count("a") == 1


def test_a_worker_has_a_name() -> None:
    """People who look at a row see which process of which machine has it."""
    assert worker_name().rpartition(":")[2].isdigit()
