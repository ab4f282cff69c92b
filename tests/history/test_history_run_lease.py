"""A run under a lease: refused while somebody else holds it, recorded with its fencing token, aborted when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from command_lines import command, write_documents
from history_builder import opened
from virtual_runs import Staged, at, invoke

from meshkit_chaos.campaign.log import InvocationStarted, read_log
from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.cli.leasing import HeldLease, holding
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import EnvironmentBusy, HistoryProblem
from meshkit_chaos.history import tables as t
from meshkit_chaos.history.leases import Lease, Leases
from meshkit_chaos.journal import events as ev
from meshkit_chaos.slo import Duration

MINUTE = Duration.parse("1m")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_run_holds_its_lease_and_says_so(tmp_path: Path) -> None:
    """The invocation's log has the lease and its fencing token; afterwards the lease is free."""
    documents = write_documents(tmp_path / "docs")
    for token in (1, 2):
        out = tmp_path / f"out-{token}"
        assert command("run", "--file", documents, "--out", out, "--lease", "lab", "--history", "h").code == 0
        started = read_log(out)[0]
        assert isinstance(started, InvocationStarted)
        assert (started.lease, started.fencing) == ("lab", token)
    assert command("history", "lease", "list", "--history", "h").out == ""


def test_a_held_lease_refuses_a_run(tmp_path: Path) -> None:
    """Trap 20: while somebody holds it nothing is begun: exit 2, who holds it, no results folder."""
    command("history", "lease", "take", "lab", "--holder", "another pipeline", "--history", "h")
    documents = write_documents(tmp_path / "docs")
    ended = command("run", "--file", documents, "--out", tmp_path / "out", "--lease", "lab", "--history", "h")
    assert ended.code == 2
    assert "the lease lab is held by another pipeline for another 14m" in ended.err
    assert not (tmp_path / "out").exists()


class Held:
    """A staged run under a lease that somebody else takes away in the middle of it."""

    def __init__(self, leases: Leases, lose: Callable[[], None]) -> None:
        taken = leases.take("lab", holder="me", lasting=MINUTE)
        assert taken is not None
        self.held = HeldLease(leases, taken, lasting=MINUTE, clock=ManualClock())

        def taken_away(run: Staged) -> None:
            del run
            lose()
            self.held.renew()

        self.execute = self.held.guarded(Staged(interfere=at(ev.FaultInjected, taken_away)).execute)


def test_a_lost_lease_aborts_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever lost the environment to somebody else stops: rollback, aborted, no pass, and no further run begins."""
    with opened(tmp_path / "h") as history:
        leases = Leases(history.database)

        def lose() -> None:
            with history.database.writing() as connection:
                connection.execute(sa.update(t.leases).values(until=1))
            assert leases.take("lab", holder="somebody else", lasting=MINUTE) is not None

        staged = Held(leases, lose)
        ended = invoke(tmp_path / "out", staged=staged)  # type: ignore[arg-type]  # of a staged run only its execute is asked for
        assert ended.code == 2
        (run,) = read_results(tmp_path / "out").verdict.runs
        assert (run.outcome, run.environment) == ("aborted", "clean")
        assert "the lease lab was lost: it ended, or somebody else has it" in capsys.readouterr().err
        with pytest.raises(EnvironmentBusy, match="was lost"):
            staged.execute(None, None)  # type: ignore[arg-type]  # it is refused before either is looked at


class Silent:
    """Leases of a database that does not answer."""

    def renew(self, name: str, *, token: int, lasting: Duration) -> Lease | None:
        raise HistoryProblem(f"{name} {token} {lasting}: the database is away")


def test_a_silent_database_is_borne_until_the_lease_ends() -> None:
    """Renewals that fail are tried again; shortly before the lease ends by itself it counts as lost."""
    clock = ManualClock()
    lease = Lease(name="lab", holder="me", token=1, left=MINUTE.ns)
    held = HeldLease(Silent(), lease, lasting=MINUTE, clock=clock)  # type: ignore[arg-type]  # the fake has what is used
    lost = []
    for second in range(0, 60, 10):
        clock.advance_to(second * 10**9)
        held.renew()
        lost.append(bool(held.lost))
    assert lost == [False, False, False, False, False, True]


def test_a_database_that_never_answers_does_not_keep_the_lease() -> None:
    """Where a renewal hangs, the clock alone tells that the lease is nearly over: it is lost before another can take it."""
    clock = ManualClock()
    lease = Lease(name="lab", holder="me", token=1, left=MINUTE.ns)
    held = HeldLease(Silent(), lease, lasting=MINUTE, clock=clock)  # type: ignore[arg-type]  # the fake has what is used
    lost = []
    for second in (0, 30, 49, 50):
        clock.advance_to(second * 10**9)
        held.watch()
        lost.append(held.lost)
    assert lost == ["", "", "", "the database does not answer"]


def test_the_lease_is_renewed_while_it_is_held(tmp_path: Path) -> None:
    """Without anybody's doing the lease lasts longer than it was taken for, and it is given back at the end."""
    with holding(str(tmp_path / "h"), "lab", wait=Duration(0), lasting=Duration.parse("6s")) as held:
        first = held._until
        for _ in range(200):
            if held._until > first or held.lost:
                break
            time.sleep(0.05)
        assert held._until > first
        assert not held.lost
    with opened(tmp_path / "h") as history:
        assert Leases(history.database).held() == ()
