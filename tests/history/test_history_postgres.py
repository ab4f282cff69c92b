"""A history in a real PostgreSQL: the same laws as in SQLite, with many writers and with killed ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import pytest
import sqlalchemy as sa
from crowd_laws import killed_writers_leave_nothing_half, nothing_lost_nothing_doubled, one_holder_at_a_time
from history_builder import START, crashed, everything, evidence_of, opened, variant, written
from postgres_server import server
from test_history_database import differences
from test_history_reading import SCENARIOS

from meshkit_chaos.clock import ManualClock, SystemClock
from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history import writing
from meshkit_chaos.history.database import open_postgres
from meshkit_chaos.history.marking import Mark
from meshkit_chaos.history.model import Ask
from meshkit_chaos.history.places import open_place

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def location(running: str, request: pytest.FixtureRequest) -> str:
    """A database of its own for every test."""
    name = f"t{abs(hash(request.node.name))}"
    engine = sa.create_engine(running.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return running.replace("/postgres?", f"/{name}?")


def test_the_schema_is_the_same(location: str) -> None:
    """The migrations make in PostgreSQL what the tables say."""
    database = open_postgres(location)
    assert differences(database) == []
    database.close()


def test_both_databases_say_the_same(location: str, tmp_path: Path) -> None:
    """New, grown and older states, marks and questions: the answers are those of SQLite."""
    whole = evidence_of()
    states = (crashed(whole), whole, crashed(whole), *(variant(whole, number, subject=str(number)) for number in range(3)))
    outs = [written(state, tmp_path / f"out-{number}") for number, state in enumerate(states)]
    clock = ManualClock(wall_ns=START)
    asks = (
        Ask(), Ask(invalidated=True), Ask(newest=1), Ask(scenarios=("leader-killed",), newest=2), Ask(scenarios=SCENARIOS),
        Ask(subject={"version": "1"}), Ask(verdicts=("pass",), since=START), Ask(before=START + 2 * 10**9),
    )  # fmt: skip
    with open_place(location, clock, artifacts=str(tmp_path / "artifacts")) as postgres, opened(tmp_path / "h") as sqlite:
        for history in (postgres, sqlite):
            assert [history.add(out).how for out in outs] == ["new", "grew", "older", "new", "new", "new"]
            history.mark(everything(sqlite if history is sqlite else postgres)[0].runs[0].run, counts=False, reason="x", by="y")
        assert [postgres.results(ask) for ask in asks] == [sqlite.results(ask) for ask in asks]
        assert postgres.known() == sqlite.known()
        assert postgres.invocations() == sqlite.invocations()


def test_two_hundred_writers(location: str, tmp_path: Path) -> None:
    """200 writers, of which the first ones also migrate: every invocation is there once."""
    nothing_lost_nothing_doubled(location, tmp_path)


def test_killed_writers(location: str, tmp_path: Path) -> None:
    """SIGKILL at any instant leaves an index in which everything is whole."""
    killed_writers_leave_nothing_half(location, tmp_path, kills=5)


def test_a_lease_has_one_holder(location: str, tmp_path: Path) -> None:
    """However many ask at once, one has it, and tokens only grow."""
    one_holder_at_a_time(location, tmp_path)


@pytest.mark.parametrize("act", ["grows", "is pruned"])
def test_what_people_say_of_a_run_holds_whatever_becomes_of_it_meanwhile(location: str, tmp_path: Path, act: str) -> None:
    """A run is set aside while its invocation is written anew: it stays set aside. Neither of the two waits for ever."""
    whole = evidence_of()
    with open_place(location, SystemClock(), artifacts=str(tmp_path / "artifacts")) as history, ThreadPoolExecutor() as pool:
        history.add(written(crashed(whole), tmp_path / "before"))
        run = everything(history)[0].runs[0].run
        said: list[Future[Mark]] = []

        def mark_meanwhile(*_: object) -> None:
            said.append(pool.submit(history.mark, run, counts=False, reason="wrong build", by="sre"))
            wait({said[0]}, timeout=1)  # until it waits for us, or is done

        if act == "grows":
            assert history.add(written(whole, tmp_path / "after"), within=mark_meanwhile).how == "grew"
        else:
            with history.database.writing() as connection:
                writing.share_marks(connection)
                writing.prune(connection, history.invocations()[0].invocation, at=START)
                mark_meanwhile()
        assert said[0].result(timeout=60).run == run
        assert history.add(written(whole, tmp_path / "again")).how == ("known" if act == "grows" else "new")
        assert [one.invalidated for result in everything(history) for one in result.runs if one.run == run] == ["wrong build"]


def test_artifacts_must_be_named(location: str, tmp_path: Path) -> None:
    """Reading needs the database only; what needs bundles says that nobody told where they are."""
    with open_place(location, SystemClock()) as history:
        assert history.invocations() == ()
        with pytest.raises(UsageError, match="does not say where its artifacts lie"):
            history.add(written(evidence_of(), tmp_path / "out"))


def test_a_newer_schema_is_refused(location: str) -> None:
    """As in SQLite."""
    database = open_postgres(location)
    with database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    with pytest.raises(HistoryProblem, match="has schema 9999"):
        open_postgres(location)
