"""Which invocations changed since a moment: what was read of all others before is still true.

Takes an open database and a moment that it told before; gives the moment of now and the names of what was added, changed or
thrown away in between. Where the moment means nothing to the database any more, it says that anything may have changed.

The database notes changes itself (``migrations/versions/fourth.py``). SQLite has one writer, so numbers are in the order of
commits. In PostgreSQL a smaller number may be committed later: a moment is a whole snapshot, and what it did not see is new.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from meshkit_chaos.history.database import Database
from meshkit_chaos.history.tables import changes


class Moment(Struct, frozen=True, kw_only=True):
    """``seen``: what a transaction sees, in the database's words. ``watch``: since when it is surely the same database.

    ``form``: by what the tables and their triggers are known again; empty where some changes are not noted.
    """

    watch: int
    form: str
    seen: str


class Changed(Struct, frozen=True, kw_only=True):
    """``invocations``: names of what is not as it was; None: nobody can tell, so all may be."""

    moment: Moment
    invocations: frozenset[str] | None


def changed_since(database: Database, since: Moment | None) -> Changed:
    """What is read after this was asked is as new as the moment that it tells, or newer."""
    watch = database.watch
    with database.reading() as connection:
        form, seen = _form(connection), _seen(connection)
        told = since is not None and form and (since.watch, since.form) == (watch, form)
        names = _between(connection, since.seen, seen) if since is not None and told else None
    return Changed(moment=Moment(watch=watch, form=form, seen=seen), invocations=names)


def _form(connection: Connection) -> str:
    return str(connection.exec_driver_sql(_FORM[connection.dialect.name]).scalar_one())


def _seen(connection: Connection) -> str:
    return str(connection.exec_driver_sql(_SEEN[connection.dialect.name]).scalar_one())


_FORM: Final = {
    "sqlite": """
        SELECT CASE WHEN (
            SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN (
                'note_invocation_added', 'note_invocation_changed', 'note_invocation_gone',
                'note_result_changed', 'note_run_changed'
            )
        ) = 5 THEN (SELECT schema_version FROM pragma_schema_version) ELSE '' END""",
    "postgresql": """
        SELECT CASE WHEN count(*) = 3
            AND NOT EXISTS (SELECT 1 FROM pg_subscription_rel WHERE srrelid = CAST('invocations' AS regclass))
            THEN string_agg(concat_ws(':', trigger.oid, held.relfilenode, noted.relfilenode), ' ' ORDER BY trigger.oid)
            ELSE '' END
        FROM pg_trigger AS trigger
        JOIN pg_class AS held ON held.oid = trigger.tgrelid
        JOIN pg_class AS noted ON noted.oid = CAST('changes' AS regclass)
        WHERE trigger.tgenabled IN ('O', 'A') AND (trigger.tgrelid, trigger.tgname) IN (
            (CAST('invocations' AS regclass), 'note_invocation'),
            (CAST('results' AS regclass), 'note_result'),
            (CAST('runs' AS regclass), 'note_run')
        )""",
}
"""No trigger is called where a copy is put back, a table is emptied as a whole, or a subscription brings rows. Putting a copy
back counts up SQLite's number of the schema; PostgreSQL's dumps make triggers anew, and an emptied table gets another file."""

_SEEN: Final = {
    "sqlite": "SELECT coalesce(max(change), 0) FROM changes",
    "postgresql": """
        SELECT CASE WHEN pg_is_in_recovery() THEN concat(pg_snapshot_xmin(own), ':', pg_snapshot_xmin(own), ':')
            ELSE CAST(own AS text) END FROM pg_current_snapshot() AS own""",
}
"""A snapshot of a replica does not name what is under way, so it counts as having seen none from its first on."""


def _between(connection: Connection, before: str, now: str) -> frozenset[str] | None:
    if connection.dialect.name == "sqlite":
        if int(now) < int(before):
            return None  # somebody took changes away
        query = sa.select(changes.c.invocation).where(changes.c.change > int(before))
        return frozenset(connection.execute(query).scalars())
    rows = connection.execute(sa.select(changes.c.invocation, changes.c.xact).where(changes.c.xact >= _first_unseen(before)))
    return frozenset(invocation for invocation, xact in rows if not was_seen(xact, before))


def _first_unseen(snapshot: str) -> int:
    return int(snapshot.partition(":")[0])


def was_seen(xact: int, snapshot: str) -> bool:
    """Whether a snapshot of PostgreSQL saw a transaction that is committed now.

    A snapshot is ``first:end:underway``: it saw all before ``first``, none from ``end`` on, and between them those not named.
    """
    first, end, underway = snapshot.split(":")
    return xact < int(first) or (xact < int(end) and str(xact) not in underway.split(","))
