"""Leases on shared environments, in the database: one holder at a time, for a bounded time, by the database's clock.

Every lease that is given has a higher fencing token than all before it, also after a release, so whoever guards a resource
can tell a holder that was thought dead from the one that came after it. Nothing here waits or retries; whoever is refused
is told who holds it and for how long.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from meshkit_chaos.history import tables as t
from meshkit_chaos.history import writing
from meshkit_chaos.history.database import Database, database_ns
from meshkit_chaos.slo import Duration


class Lease(Struct, frozen=True, kw_only=True):
    """``token``: the fencing token. ``left``: ns until it ends, as of the answer."""

    name: str
    holder: str
    token: int
    left: int


class Leases:
    """The leases of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str, *, holder: str, lasting: Duration) -> Lease | None:
        """Take it if nobody holds it; None if somebody does (see ``look``)."""
        with self._database.writing() as connection:
            writing.lock(connection, f"lease {name}")
            now = database_ns(connection)
            row = connection.execute(sa.select(t.leases).where(t.leases.c.name == name)).first()
            if row is not None and row.holder and row.until > now:
                return None
            token = (row.token if row else 0) + 1
            values = {"holder": holder, "token": token, "until": now + lasting.ns}
            if row is None:
                connection.execute(sa.insert(t.leases).values(name=name, **values))
            else:
                connection.execute(sa.update(t.leases).where(t.leases.c.name == name).values(**values))
            return Lease(name=name, holder=holder, token=token, left=lasting.ns)

    def renew(self, name: str, *, token: int, lasting: Duration) -> Lease | None:
        """Hold it longer, counted from now; None where it was lost: it ended, or somebody else has it."""
        with self._database.writing() as connection:
            writing.lock(connection, f"lease {name}")
            now = database_ns(connection)
            row = connection.execute(_held(name, token, now)).first()
            if row is None:
                return None
            connection.execute(sa.update(t.leases).where(t.leases.c.name == name).values(until=now + lasting.ns))
            return Lease(name=name, holder=row.holder, token=token, left=lasting.ns)

    def release(self, name: str, *, token: int) -> bool:
        """Give it back; whether it was still held. The token stays used."""
        with self._database.writing() as connection:
            writing.lock(connection, f"lease {name}")
            if connection.execute(_held(name, token, database_ns(connection))).first() is None:
                return False
            connection.execute(sa.update(t.leases).where(t.leases.c.name == name).values(holder="", until=0))
            return True

    def held(self) -> tuple[Lease, ...]:
        """Every lease that is held now."""
        with self._database.reading() as connection:
            now = database_ns(connection)
            query = sa.select(t.leases).where(t.leases.c.holder != "", t.leases.c.until > now).order_by(t.leases.c.name)
            return tuple(
                Lease(name=row.name, holder=row.holder, token=row.token, left=row.until - now)
                for row in connection.execute(query)
            )

    def look(self, name: str) -> Lease | None:
        """Who holds it now, if anybody does."""
        return next((lease for lease in self.held() if lease.name == name), None)


def _held(name: str, token: int, now: int) -> sa.Select[tuple[str]]:
    return sa.select(t.leases.c.holder).where(
        t.leases.c.name == name, t.leases.c.token == token, t.leases.c.holder != "", t.leases.c.until > now
    )
