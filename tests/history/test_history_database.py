"""The database: migrations make what the tables say, newer schemas are refused, errors say what to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from history_builder import everything, evidence_of, opened, written
from sqlalchemy import select

import meshkit_chaos.history
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history.database import Database, open_postgres, open_sqlite
from meshkit_chaos.history.places import open_place
from meshkit_chaos.history.tables import HEAD, metadata, rates


def differences(database: Database) -> list[object]:
    """What the migrated database lacks, or has more, than the tables say."""
    with database.reading() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))


def test_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    """A migrated database is exactly what the queries are written for, and ``HEAD`` is the newest migration."""
    database = open_sqlite(tmp_path / "index.sqlite")
    assert differences(database) == []
    database.close()
    config = Config()
    config.set_main_option("script_location", str(Path(str(meshkit_chaos.history.__file__)).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A database that a newer version wrote is told as such, and not touched."""
    path = tmp_path / "index.sqlite"
    open_sqlite(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(HistoryProblem, match="has schema 9999; this version knows those up to") as told:
        open_sqlite(path)
    assert "newer meshkit-chaos" in told.value.hint


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 500])
def test_what_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    """A file that is something else is refused with what can be done."""
    (tmp_path / "index.sqlite").write_bytes(content)
    with pytest.raises(HistoryProblem, match="cannot be used"):
        open_sqlite(tmp_path / "index.sqlite")


def test_the_connection_keeps_what_was_accepted(tmp_path: Path) -> None:
    """Write-ahead log, full sync and foreign keys are on in every connection."""
    with opened(tmp_path) as history, history.database.reading() as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 60_000}


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    """While somebody writes, questions are answered from what was there before."""
    with opened(tmp_path / "h") as history, opened(tmp_path / "h") as other:
        history.add(written(evidence_of(), tmp_path / "out"))
        with history.database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM invocations")
            assert len(everything(other)) == 1
            connection.rollback()


def test_the_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg, a PostgreSQL history says which extra to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HistoryProblem) as told:
        open_postgres("postgresql://localhost/x")
    assert "meshkit-chaos[postgres]" in told.value.hint


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    """The address is told, the password is not."""
    with pytest.raises(HistoryProblem, match="cannot be used") as told:
        open_postgres("postgresql://jo:hunter2@127.0.0.1:1/x?connect_timeout=2")
    assert "hunter2" not in str(told.value)
    assert "postgresql://jo:***@127.0.0.1:1" in str(told.value)


@pytest.mark.parametrize("location", ["mysql://x/y", "s3://bucket", "git:.#x"])
def test_what_is_no_history_is_refused(location: str) -> None:
    """A location that cannot be an index is a usage error."""
    with pytest.raises(UsageError):
        open_place(location, SystemClock())


def test_reading_begins_no_history(tmp_path: Path) -> None:
    """Where there is none, whoever reads is told so, and no empty one comes to be that a gate could ask."""
    for location in (str(tmp_path / "none"), f"sqlite:///{tmp_path / 'none.sqlite'}"):
        with pytest.raises(HistoryProblem, match="there is no history"):
            open_place(location, SystemClock())
    assert list(tmp_path.iterdir()) == []


def test_help_does_not_pay_for_the_database() -> None:
    """``--help`` of the program imports no SQLAlchemy, and opening a history of the newest schema no alembic."""
    code = "import sys; from meshkit_chaos.cli.app import run; run(['--help']); sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60).returncode == 0


def test_alembic_is_for_migrations_only(tmp_path: Path) -> None:
    """A history that needs no migration is opened without importing alembic."""
    open_sqlite(tmp_path / "index.sqlite").close()
    code = (
        "import sys; from pathlib import Path; from meshkit_chaos.history.database import open_sqlite;"
        "open_sqlite(Path(sys.argv[1])).close(); sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "index.sqlite")], capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")


def note(path: Path, channel: str) -> None:
    """One row in a database of its own."""
    with closing(open_sqlite(path)) as database, database.writing() as connection:
        connection.execute(rates.insert().values(bucket=channel, tokens="", at=0, closed_until=0))


def noted(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(rates.c.bucket)).scalars())


def test_a_file_in_the_place_of_another_is_seen(tmp_path: Path) -> None:
    """Whoever restores a backup while pages are served is shown what is in it, and not the file that was there before."""
    note(tmp_path / "index.sqlite", "before")
    note(tmp_path / "backup.sqlite", "after")
    with closing(open_sqlite(tmp_path / "index.sqlite")) as database:
        state = database.state()
        assert noted(database) == ["before"]
        (tmp_path / "backup.sqlite").replace(tmp_path / "index.sqlite")
        assert database.state() != state
        assert noted(database) == ["after"]


def test_a_file_that_is_gone_is_told_and_no_other_is_made(tmp_path: Path) -> None:
    """An empty history in its place would look like one in which nothing ever failed."""
    path = tmp_path / "index.sqlite"
    note(path, "before")
    with closing(open_sqlite(path)) as database:
        database.state()
        path.rename(tmp_path / "elsewhere.sqlite")
        with pytest.raises(HistoryProblem, match="is not there any more"):
            database.state()
        assert not path.exists()
        (tmp_path / "elsewhere.sqlite").rename(path)
        database.state()
        assert noted(database) == ["before"]
