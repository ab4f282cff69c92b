"""The database is another one meanwhile, or tells less: put back from a copy, replaced, a replica, without triggers."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from gate_worlds import NOW
from history_builder import opened
from postgres_server import caught_up, programs, server, standby
from test_dashboard_after_ingest import STORY, Act, World, answers, taken_in, world

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history import migrations, writing
from meshkit_chaos.history.changed import changed_since
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.places import open_place
from meshkit_chaos.history.tables import results


@contextlib.contextmanager
def begun(folder: Path) -> Iterator[World]:
    with opened(folder), world(str(folder), folder) as held:
        yield held


def copied(source: Database, target: Path) -> None:
    """Into the file as it is, as SQLite's own backup and ``.restore`` do it."""
    with sqlite3.connect(source.name) as taken, sqlite3.connect(target) as given:
        taken.backup(given)
    taken.close()
    given.close()


def test_an_older_copy_that_was_restored_and_grew_again_is_read_anew(tmp_path: Path) -> None:
    """Its numbers went on from where the copy was: they do not tell what the copy lacks."""
    with begun(tmp_path / "h") as held:
        held.do(Act("ingest", 4, ("pass", "pass", "pass")))
        with opened(tmp_path / "copy") as copy:
            copied(held.reading, Path(copy.database.name))
            held.do(Act("ingest", 2, ("pass", "fail", "pass")))
            assert answers(held.kept) == answers(held.plain)
            copied(copy.database, Path(held.reading.name))
        held.do(Act("ingest", 7, ("fail", "pass", "pass")))
        held.do(Act("ingest", 1, ("pass", "pass", "fail")))
        assert answers(held.kept) == answers(held.plain)
        assert [one.invocation for one in held.kept.newest(9)] == ["I1", "I4", "I7"]


@pytest.mark.parametrize("asked", [True, False])
def test_a_folder_in_the_place_of_the_folder_is_the_history_from_then_on(tmp_path: Path, asked: bool) -> None:
    """As after it was moved away and made again: whoever holds the old file open must not go on reading it."""
    place, other = tmp_path / "h", tmp_path / "other"
    with begun(place) as held:
        held.do(Act("ingest", 4, ("pass", "pass", "pass")))
        assert not asked or len(held.kept.newest(9)) == 1
        with begun(other) as made:
            made.do(Act("ingest", 2, ("fail", "fail", "fail")))
            made.do(Act("ingest", 3, ("fail", "fail", "fail")))
        place.rename(tmp_path / "away")
        other.rename(place)
        assert [one.invocation for one in held.kept.newest(9)] == ["I2", "I3"]
        assert answers(held.kept) == answers(held.plain)
        with world(str(place), place) as more:
            more.do(Act("ingest", 5, ("pass", "pass", "pass")))
        assert [one.invocation for one in held.kept.newest(9)] == ["I2", "I3", "I5"]
        assert answers(held.kept) == answers(held.plain)


def test_a_file_that_is_gone_is_told_and_not_made(tmp_path: Path) -> None:
    """What is remembered of it would be told of nothing."""
    with begun(tmp_path / "h") as held:
        held.do(Act("ingest", 4, ("pass", "pass", "pass")))
        assert len(held.kept.newest(9)) == 1
        Path(held.reading.name).unlink()
        with pytest.raises(HistoryProblem, match="not there any more"):
            held.kept.newest(9)
        assert not Path(held.reading.name).exists()


def test_without_its_triggers_a_database_tells_that_anything_may_have_changed(location: str, tmp_path: Path) -> None:
    """A migration or a tool that makes a table anew takes them away."""
    with world(location, tmp_path) as held:
        held.do(STORY[0])
        assert answers(held.kept) == answers(held.plain)
        with held.writer.writing() as connection:
            name = "note_result_changed" if held.writer.is_sqlite else "note_result ON results"
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
        for verdict in ("fail", "pass", "inconclusive"):
            with held.writer.writing() as connection:
                connection.execute(sa.update(results).values(verdict=verdict))
            assert answers(held.kept) == answers(held.plain)
            assert held.kept.known()[0].verdict == verdict


@pytest.mark.slow
@pytest.mark.parametrize("whole", [True, False], ids=["one-transaction", "step-by-step"])
def test_a_dump_that_is_put_back_is_read_anew(tmp_path: Path, whole: bool) -> None:
    """It comes with the changes of its own past, which are all older than what was asked last."""
    with server() as url, world(url, tmp_path) as held:
        held.do(STORY[0])
        dump = subprocess.run([programs() / "pg_dump", "--clean", url], check=True, capture_output=True).stdout
        held.do(Act("ingest", 2, ("pass", "fail", "pass")))
        held.do(Act("ingest", 4, ("fail", "fail", "fail")))
        assert answers(held.kept) == answers(held.plain)
        psql = [programs() / "psql", "--quiet", "--set", "ON_ERROR_STOP=1", url]
        subprocess.run([*psql, *(["-1"] if whole else [])], input=dump, check=True, capture_output=True)
        assert answers(held.kept) == answers(held.plain)
        assert len(held.kept.newest(9)) == 1
        held.do(STORY[3])
        assert answers(held.kept) == answers(held.plain)


@pytest.mark.slow
def test_emptied_tables_are_read_anew(tmp_path: Path) -> None:
    """PostgreSQL empties a table without a word to the triggers of its rows."""
    with server() as url, world(url, tmp_path) as held:
        held.do(STORY[0])
        assert len(held.kept.newest(9)) == 1
        with held.writer.writing() as connection:
            connection.exec_driver_sql("TRUNCATE invocations CASCADE")
        assert answers(held.kept) == answers(held.plain)
        assert held.kept.newest(9) == ()


@pytest.mark.slow
def test_a_replica_tells_what_was_committed_beside_an_older_transaction(tmp_path: Path) -> None:
    """A replica's snapshots do not say which transactions are under way, and stay the same when one of them ends."""
    with (
        server() as url,
        standby(url) as copy,
        open_place(url, ManualClock(wall_ns=NOW), artifacts=str(tmp_path / "a")) as history,
    ):
        caught_up(url, copy)
        with (
            open_place(copy, ManualClock(wall_ns=NOW), artifacts=str(tmp_path / "a")) as replica,
            world(url, tmp_path) as more,
        ):
            held = World(history.database, replica.database)
            with history.database.writing() as old:
                writing.put(old, *taken_in(STORY[0]), bundle="b")
                with more.writer.writing() as younger:
                    writing.put(younger, *taken_in(STORY[1]), bundle="b")
                    with more.reading.writing() as youngest:
                        writing.put(youngest, *taken_in(STORY[3]), bundle="b")
                    caught_up(url, copy)
                    assert answers(held.kept) == answers(held.plain)
                    assert [one.invocation for one in held.kept.newest(9)] == ["I7"]
                caught_up(url, copy)
                assert answers(held.kept) == answers(held.plain)
                assert [one.invocation for one in held.kept.newest(9)] == ["I2", "I7"]
            caught_up(url, copy)
            assert answers(held.kept) == answers(held.plain)
            assert [one.invocation for one in held.kept.newest(9)] == ["I2", "I4", "I7"]


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
def test_a_database_of_every_earlier_schema_notes_changes_once_it_is_opened(tmp_path: Path, revision: str) -> None:
    """The triggers come with the migration, and what is written afterwards is named."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'index.sqlite'}")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__path__[0])))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    with world(str(tmp_path), tmp_path) as held:
        moment = changed_since(held.reading, None).moment
        assert moment.form
        held.do(STORY[0])
        assert changed_since(held.reading, moment).invocations == {"I4"}


RIGHTS = (
    "CREATE ROLE looker LOGIN",
    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker",
    "CREATE ROLE taker LOGIN",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO taker",
    "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO taker",
)


@pytest.mark.slow
def test_users_with_few_rights_note_changes_and_are_told_of_them(tmp_path: Path) -> None:
    """Who takes results in may write the tables and make none; who looks may read them."""
    with server() as url, world(url, tmp_path) as owned, contextlib.ExitStack() as stack:
        with owned.writer.writing() as connection:
            for statement in RIGHTS:
                connection.exec_driver_sql(statement)
        taker, looker = (
            stack.enter_context(
                open_place(url.replace("chaos@", f"{name}@"), ManualClock(wall_ns=NOW), artifacts=str(tmp_path))
            )
            for name in ("taker", "looker")
        )
        looker.database.only_read()
        held = World(taker.database, looker.database)
        for act in STORY[:-1]:
            held.do(act)
            assert answers(held.kept) == answers(held.plain)
        moment = changed_since(looker.database, None).moment
        held.do(STORY[-1])
        assert changed_since(looker.database, moment).invocations == {"I1"}


@pytest.mark.slow
def test_rows_that_a_subscription_brings_are_named_by_nobody(tmp_path: Path) -> None:
    """They come with the numbers of another server's transactions, and call no trigger."""
    with server() as url, world(url, tmp_path) as held:
        held.do(STORY[0])
        assert len(held.kept.newest(9)) == 1
        with held.writer.writing() as connection:
            connection.exec_driver_sql("SET LOCAL allow_system_table_mods = on")
            connection.exec_driver_sql("INSERT INTO pg_subscription_rel VALUES (1, 'invocations'::regclass, 'r', NULL)")
        for act in STORY[1:4]:
            with held.writer.writing() as connection:
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
                if act.what == "ingest":
                    writing.put(connection, *taken_in(act), bundle="b")
            assert answers(held.kept) == answers(held.plain)
