"""Leases: one holder, a bounded time, a fencing token that only grows; and two processes never hold one at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from history_builder import opened
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from meshkit_chaos.errors import EnvironmentBusy
from meshkit_chaos.history import tables as t
from meshkit_chaos.history.database import database_ns
from meshkit_chaos.history.leases import Leases
from meshkit_chaos.slo import Duration

MINUTE = Duration.parse("1m")


def test_only_one_holds_it(tmp_path: Path) -> None:
    """The second one is refused until the first gives it back; then it gets a higher token."""
    with opened(tmp_path) as history:
        leases = Leases(history.database)
        first = leases.take("lab", holder="a", lasting=MINUTE)
        assert first is not None
        assert leases.take("lab", holder="b", lasting=MINUTE) is None
        held = leases.look("lab")
        assert held is not None
        assert (held.holder, held.token) == ("a", 1)
        assert 0 < held.left <= MINUTE.ns
        assert leases.release("lab", token=first.token)
        second = leases.take("lab", holder="b", lasting=MINUTE)
        assert second is not None
        assert second.token == 2


def test_a_lease_that_ended_is_lost(tmp_path: Path) -> None:
    """Once its time is over, somebody else may take it; the first one can neither renew nor release it."""
    with opened(tmp_path) as history:
        leases = Leases(history.database)
        leases.take("lab", holder="a", lasting=MINUTE)
        with history.database.writing() as connection:
            connection.execute(sa.update(t.leases).values(until=1))
        assert leases.renew("lab", token=1, lasting=MINUTE) is None, "a lease that ran out is lost, even if nobody wants it"
        assert leases.take("lab", holder="b", lasting=MINUTE) is not None
        assert leases.renew("lab", token=1, lasting=MINUTE) is None
        assert not leases.release("lab", token=1)
        assert leases.renew("lab", token=2, lasting=MINUTE) is not None


def test_the_databases_clock_is_the_clock(tmp_path: Path) -> None:
    """What counts is the time that the database says: wall-clock nanoseconds of this machine, for SQLite."""
    from meshkit_chaos.clock import SystemClock  # noqa: PLC0415  # the one test that compares with a real clock

    with opened(tmp_path) as history, history.database.reading() as connection:
        before = SystemClock().wall_ns()
        said = database_ns(connection)
        assert before - 10**7 <= said <= SystemClock().wall_ns() + 10**7


class LeaseLife(RuleBasedStateMachine):
    """Holders come, go, and run out of time, in any order; tokens and holders follow a plain model."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.opened = opened(self.folder)
        history = self.opened.__enter__()
        with history.database.writing() as connection:
            connection.execute(sa.delete(t.leases))
        self.database, self.leases = history.database, Leases(history.database)
        self.token, self.holder = 0, ""

    @rule()
    def somebody_takes_it(self) -> None:
        taken = self.leases.take("lab", holder=f"holder {self.token}", lasting=MINUTE)
        assert (taken is None) is bool(self.holder)
        if taken is not None:
            self.token, self.holder = self.token + 1, taken.holder
            assert taken.token == self.token

    @rule()
    def its_time_ends(self) -> None:
        with self.database.writing() as connection:
            connection.execute(sa.update(t.leases).values(until=1))
        self.holder = ""

    @rule()
    def the_holder_renews(self) -> None:
        assert (self.leases.renew("lab", token=self.token, lasting=MINUTE) is not None) is bool(self.holder)

    @rule()
    def the_holder_releases(self) -> None:
        assert self.leases.release("lab", token=self.token) is bool(self.holder)
        self.holder = ""

    @rule()
    def an_old_holder_tries(self) -> None:
        assert self.leases.renew("lab", token=self.token - 1, lasting=MINUTE) is None
        assert not self.leases.release("lab", token=self.token - 1)

    @invariant()
    def everybody_sees_the_same(self) -> None:
        assert [lease.holder for lease in self.leases.held()] == ([self.holder] if self.holder else [])

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)


def test_leases_live_as_a_plain_model_says(tmp_path: Path) -> None:
    """For any course of taking, renewing, releasing and running out: one holder at most, tokens only grow."""
    LeaseLife.folder = tmp_path
    run_state_machine_as_test(LeaseLife, settings=settings(max_examples=20, stateful_step_count=15, deadline=None))


def test_waiting_for_a_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits gets it once it is free; whose wait is over is told who holds it."""
    from meshkit_chaos.cli import history_lease  # noqa: PLC0415  # click is only needed here

    with opened(tmp_path) as history:
        leases = Leases(history.database)
        leases.take("lab", holder="a", lasting=MINUTE)
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 4:
                leases.release("lab", token=1)

        monkeypatch.setattr("meshkit_chaos.cli.history_lease.time.sleep", sleep)
        with pytest.raises(EnvironmentBusy, match="held by a for another"):
            history_lease.take(leases, "lab", holder="b", lasting=MINUTE, wait=Duration.parse("1s"))
        taken = history_lease.take(leases, "lab", holder="b", lasting=MINUTE, wait=Duration.parse("5s"))
        assert taken.token == 2
