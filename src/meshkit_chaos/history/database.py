"""The database behind a history: opened, brought to the newest schema, and used in transactions.

Takes the URL of SQLite (one file, WAL) or PostgreSQL. Refuses, as a HistoryProblem that says who must act, a database that
cannot be opened, that a newer version wrote, or whose driver is not installed. A writing transaction holds the only write
lock from its beginning, so what it read stays true, and it is on disk when it ends.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history.tables import HEAD

_WAIT_MS: Final = 60_000
_WRITES: Final = "meshkit_chaos_writes"
_MIGRATION_LOCK: Final = 0x6D65_7368
"""Any number will do, as long as every version of this program takes the same."""


_NOW: Final = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER) * 1000000",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) * 1000000",
}

_STATE: Final = {
    "sqlite": "PRAGMA data_version",
    "postgresql": "SELECT concat(pg_current_snapshot(), CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END)",
}
"""The snapshot of a replica does not tell which of the transactions under way has ended; how much it has replayed does."""


class Database:
    """An open database of the newest schema. ``name`` is how people are told of it, without a password."""

    def __init__(self, engine: Engine, *, name: str) -> None:
        self._engine = engine
        self.name = name
        self._only_read = False
        self._asking = threading.Lock()
        self._watch: Connection | None = None
        self._watches = 0
        self._file: tuple[int, int] | None = None

    @property
    def is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @property
    def watch(self) -> int:
        """Another number means: the connection that ``state`` asks was lost, so it may not be the same database any more."""
        return self._watches

    def only_read(self) -> None:
        """From now on nothing is written through this: not by us, and not by a query that we were talked into."""
        self._only_read = True
        self._engine.dispose()
        event.listen(self._engine, "connect", _refuse_writes_in_sqlite if self.is_sqlite else _refuse_writes_in_postgres)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, whatever others write meanwhile."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._told(), self._engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing, and on disk afterwards."""
        if self._only_read:
            raise HistoryProblem(
                f"the history in {self.name} is open for reading only", hint="this is a defect of ours: report it"
            )
        with self._told(), self._engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            yield connection

    def state(self) -> str:
        """A word for what is in it: while it stays the same, nobody has changed anything. What is read after the word was
        asked for is as new as the word, or newer.

        SQLite counts the changes that other connections made, so the asking one only asks. PostgreSQL tells which transactions
        can be seen, of all its databases: the word may change although nothing did here, and never the other way round.
        Another file in the place of SQLite's is another database. Raises HistoryProblem where there is none any more.
        """
        with self._told(), self._asking:
            self._follow_file()
            try:
                return self._state()
            except SQLAlchemyError:  # the server may have been started anew meanwhile
                self._look_away()
                return self._state()

    def _follow_file(self) -> None:
        """Connections go on reading the file that they opened, wherever it is."""
        if not self.is_sqlite:
            return
        try:
            found = Path(self.name).stat()
        except OSError as error:
            problem = f"the history in {self.name} is not there any more: {error.strerror}"
            raise HistoryProblem(problem, hint="put it back, or make it again with `meshkit-chaos history rebuild`") from error
        file = found.st_dev, found.st_ino
        if file != self._file:
            self._look_away()
            self._engine.dispose()
            self._file = file

    def _state(self) -> str:
        """In a transaction of its own: a longer one would see the same for ever. SQLite counts for each connection anew."""
        if self._watch is None:
            options = {} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
            self._watch = self._engine.connect().execution_options(**options)
            self._watches += 1
        with self._watch.begin():
            return f"{self._watches}:{self._watch.exec_driver_sql(_STATE[self._engine.dialect.name]).scalar()}"

    def _look_away(self) -> None:
        if self._watch is not None:
            self._watch.invalidate()
            self._watch.close()
            self._watch = None

    def close(self) -> None:
        with self._asking:
            self._look_away()
        self._engine.dispose()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, SQLAlchemyError) as error:
            raise _problem(self.name, error) from error


def database_ns(connection: Connection) -> int:
    """Wall-clock ns as the database counts them: the same for every machine that asks it."""
    return int(connection.execute(sa.text(_NOW[connection.dialect.name])).scalar_one())


def open_sqlite(path: Path) -> Database:
    """Open a file, which is made if it is not there. Raises HistoryProblem."""
    engine = sa.create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": _WAIT_MS / 1000})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return _opened(engine, name=str(path))


def open_postgres(url: str) -> Database:
    """Open ``postgresql://…``. Raises HistoryProblem, also where the driver is not installed."""
    try:
        import psycopg  # noqa: F401, PLC0415  # only to say clearly that it is missing
    except ImportError as error:
        raise HistoryProblem(
            "a history in PostgreSQL needs the driver psycopg, which is not installed",
            hint="install it with the extra: pip install 'meshkit-chaos[postgres]'",
        ) from error
    try:
        where = sa.make_url(url).set(drivername="postgresql+psycopg")
    except (SQLAlchemyError, ValueError) as error:
        raise HistoryProblem("the URL of the history cannot be read", hint="such as postgresql://host/database") from error
    engine = sa.create_engine(where, isolation_level="READ COMMITTED", pool_pre_ping=True)
    return _opened(engine, name=where.render_as_string(hide_password=True).replace("+psycopg", "", 1))


def _opened(engine: Engine, *, name: str) -> Database:
    database = Database(engine, name=name)
    try:
        _migrate(database)
    except HistoryProblem:
        database.close()
        raise
    return database


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Transactions are begun by us, not by the driver; readers never wait for a writer."""
    connection.isolation_level = None
    for pragma in (f"busy_timeout = {_WAIT_MS}", "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _refuse_writes_in_sqlite(connection: Any, _: object) -> None:
    connection.execute("PRAGMA query_only = ON").close()


def _refuse_writes_in_postgres(connection: Any, _: object) -> None:
    connection.read_only = True


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _migrate(database: Database) -> None:
    with database.reading() as connection:
        found = _version(connection)
    if found == HEAD:
        return
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        found = _version(connection)  # somebody else may have been faster
        if found != HEAD:
            _upgrade(connection, found, name=database.name)


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection, found: str | None, *, name: str) -> None:
    from alembic import command  # noqa: PLC0415  # only where there is something to migrate
    from alembic.config import Config  # noqa: PLC0415  # as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise HistoryProblem(
            f"the history in {name} has schema {found}; this version knows those up to {HEAD}",
            hint="it was written by a newer meshkit-chaos: use that version, or another --history",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _problem(name: str, error: SQLAlchemyError) -> HistoryProblem:
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    if "locked" in cause or "busy" in cause:
        hint = f"another process has held it for {_WAIT_MS // 1000} s; try again when it is done"
    elif "not a database" in cause or "malformed" in cause:
        hint = "the index can be made again: move it away, then `meshkit-chaos history rebuild`"
    else:
        hint = "check that it is there, that there is space, and that you may write it"
    return HistoryProblem(f"the history in {name} cannot be used: {cause}", hint=hint)
