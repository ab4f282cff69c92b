"""How often something may be sent: limits that all workers share, kept in the table ``rates``.

A limit holds in every window: never more than ``count`` requests in any span of ``per``, not on average. What was sent of
late is remembered in slots of a twentieth of ``per``; a slot counts until its end is out of the window, so a limit is kept
with a twentieth to spare at most. Everything here happens inside a transaction that the caller holds, at an instant of the
database's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from meshkit_chaos.deliver.sending import Rate
from meshkit_chaos.history import tables as t
from meshkit_chaos.slo.codec import decode, encode

_SLOTS: Final = 20


class Slot(Struct, frozen=True, array_like=True):
    """So many requests, the last of them before ``end`` (wall-clock ns)."""

    end: int
    count: int


def admit(used: Sequence[Slot], rate: Rate, now: int) -> tuple[Slot, ...] | int:
    """The slots with one request more, or the instant from which there is room for it."""
    live = [slot for slot in used if slot.end > now - rate.per.ns]
    over = sum(slot.count for slot in live) - rate.count
    if over < 0:
        if live and live[-1].end > now:
            return (*live[:-1], structs.replace(live[-1], count=live[-1].count + 1))
        return (*live, Slot(now + max(rate.per.ns // _SLOTS, 1), 1))
    for slot in live:
        over -= slot.count
        if over < 0:
            return slot.end + rate.per.ns
    raise AssertionError(f"a rate of {rate.count} lets nothing through")


def take(connection: Connection, rates: Iterable[Rate], *, always: str, now: int) -> int:
    """Count one request against every limit, or none: 0, or the instant from which it is worth asking again.

    ``always``: a bucket that is asked whether it is closed, also where there are no rates.
    """
    limits = {_row_name(rate): rate for rate in rates}
    rows = _locked(connection, {always, *limits, *(rate.bucket for rate in limits.values())})
    closed = max(row["closed_until"] for row in rows.values())
    if closed > now:
        return int(closed)
    found = {name: admit(decode(rows[name]["tokens"], tuple[Slot, ...]), rate, now) for name, rate in limits.items()}
    waits = [until for until in found.values() if isinstance(until, int)]
    if waits:
        return max(waits)
    for name, slots in found.items():
        values = {"tokens": encode(slots).decode(), "at": now}
        connection.execute(sa.update(t.rates).where(t.rates.c.bucket == name).values(**values))
    return 0


def close(connection: Connection, rates: Iterable[Rate], *, always: str, until: int) -> None:
    """Let nobody send to these buckets before then: the channel asked for it."""
    names = {always, *(rate.bucket for rate in rates)}
    for name, row in sorted(_locked(connection, names).items()):
        if row["closed_until"] < until:
            connection.execute(sa.update(t.rates).where(t.rates.c.bucket == name).values(closed_until=until))


def _row_name(rate: Rate) -> str:
    return f"{rate.bucket} {rate.count}/{rate.per}"


def _locked(connection: Connection, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The rows of these buckets, made where they are not there, and nobody else's until the transaction ends."""
    wanted = sorted(names)
    query = sa.select(t.rates).where(t.rates.c.bucket.in_(wanted)).order_by(t.rates.c.bucket).with_for_update()
    found = {row["bucket"]: dict(row) for row in connection.execute(query).mappings()}
    if len(found) == len(wanted):
        return found
    make = sa.text("INSERT INTO rates VALUES (:bucket, '[]', 0, 0) ON CONFLICT DO NOTHING")
    connection.execute(make, [{"bucket": name} for name in wanted if name not in found])
    return {row["bucket"]: dict(row) for row in connection.execute(query).mappings()}
