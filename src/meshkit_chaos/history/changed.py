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
    """``seen``: what a transaction sees, in the database's words. ``watch``: since when it is surely the same database."""

    watch: int
    seen: str


class Changed(Struct, frozen=True, kw_only=True):
    """``invocations``: names of what is not as it was; None: nobody can tell, so all may be."""

    moment: Moment
    invocations: frozenset[str] | None


def changed_since(database: Database, since: Moment | None) -> Changed:
    """What is read after this was asked is as new as the moment that it tells, or newer."""
    watch = database.watch
    with database.reading() as connection:
        seen = _seen(connection, is_sqlite=database.is_sqlite)
        told = since is not None and since.watch == watch
        names = _between(connection, since.seen, seen, is_sqlite=database.is_sqlite) if since is not None and told else None
    return Changed(moment=Moment(watch=watch, seen=seen), invocations=names)


def _seen(connection: Connection, *, is_sqlite: bool) -> str:
    query = sa.select(sa.func.coalesce(sa.func.max(changes.c.change), 0)) if is_sqlite else sa.text(_SNAPSHOT)
    return str(connection.execute(query).scalar_one())


_SNAPSHOT: Final = "SELECT CAST(pg_current_snapshot() AS text)"


def _between(connection: Connection, before: str, now: str, *, is_sqlite: bool) -> frozenset[str] | None:
    if before == now:
        return frozenset()
    if is_sqlite:
        if int(now) < int(before):
            return None  # an older copy of the file is in its place
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
