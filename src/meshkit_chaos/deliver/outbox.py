"""The outbox: what people are to be told, written in the transaction that learned of it, and what became of it.

``enqueue`` and ``told`` work inside a transaction that the caller holds, so a result and what it makes people be told are both
there, or neither. ``deciding`` comes first: whoever decides sees what everybody before decided, so a hundred pipelines with one
cause make one action. A key is written once, for ever. Refuses, as HistoryProblem, a row that this version cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.engine import Connection

from meshkit_chaos.deliver.action import DROPPED, OPEN, Action, Receipt, State, Told
from meshkit_chaos.errors import HistoryProblem, UsageError
from meshkit_chaos.history import tables as t
from meshkit_chaos.history import writing
from meshkit_chaos.history.database import Database, database_ns
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import decode, encode

Now = Callable[[Connection], int]
Row = sa.RowMapping
HELD: Final = 2**62
"""``not_before`` of a row that only a person moves on."""
How = Literal["sent", "again", "drop"]
REMEMBERED: Final = Duration(400 * 24 * 3600 * 10**9)
"""Threads that were silent for longer are not looked at when something is decided."""


class Entry(Struct, frozen=True, kw_only=True):
    """A row as people look at it. ``held``: nothing happens to it until somebody resolves it."""

    told: Told
    not_before: int
    worker: str
    claimed_until: int

    @property
    def held(self) -> bool:
        return self.told.state == "ambiguous" and self.not_before >= HELD

    def undelivered(self, now: int) -> bool:
        """Whether somebody should know: it was due and did not arrive, or nobody knows whether it did."""
        match self.told.became:
            case "delivered" | "superseded" | "dropped":
                return False
            case "pending":
                return self.told.attempts > 0 or self.not_before <= now
            case _:
                return True


def deciding(connection: Connection) -> None:
    """Let nobody else decide until the transaction ends."""
    writing.hold_outbox(connection)


def told(connection: Connection, *, about: str = "", since: int | None = None, now: Now = database_ns) -> tuple[Told, ...]:
    """What was decided in every thread that was not silent since (wall-clock ns), in the order of deciding.

    What is superseded is left out, unless it tells ``about`` this invocation: in a storm there may be thousands.
    """
    begin = now(connection) - REMEMBERED.ns if since is None else since
    threads = sa.select(t.outbox.c.thread).where(t.outbox.c.at >= begin)
    query = sa.select(t.outbox).where(t.outbox.c.thread.in_(threads)).order_by(t.outbox.c.position, t.outbox.c.key)
    stands = t.outbox.c.state != "superseded"
    query = query.where(sa.or_(stands, t.outbox.c.action.contains(f'"{about}"', autoescape=True)) if about else stands)
    return tuple(told_of(row) for row in connection.execute(query).mappings())


def enqueue(connection: Connection, actions: Iterable[Action]) -> tuple[str, ...]:
    """Write actions; the keys of those that were not there. What they replace is superseded, unless somebody sends it
    already.
    """
    position = connection.execute(sa.select(sa.func.coalesce(sa.func.max(t.outbox.c.position), 0))).scalar_one()
    new: list[str] = []
    for action in actions:
        if connection.execute(sa.select(t.outbox.c.key).where(t.outbox.c.key == action.key)).first() is not None:
            continue
        position += 1
        connection.execute(sa.insert(t.outbox).values(_row(action, position)))
        _supersede(connection, action)
        new.append(action.key)
    return tuple(new)


def _row(action: Action, position: int) -> dict[str, Any]:
    return {
        "key": action.key,
        "channel": action.channel,
        "thread": action.thread,
        "occasion": action.occasion,
        "position": position,
        "state": "pending",
        "action": encode(action).decode(),
        "at": action.at,
        "not_before": action.not_before,
        "attempts": 0,
        "tried_at": None,
        "settled_at": None,
        "error": "",
        "receipt": "",
        "worker": "",
        "claimed_until": 0,
        "revision": 0,
    }


def _supersede(connection: Connection, action: Action) -> None:
    if action.replaces:
        gone = sa.update(t.outbox).where(t.outbox.c.key.in_(action.replaces), t.outbox.c.state == "pending")
        said = f"said by {action.key}"
        connection.execute(gone.values(state="superseded", settled_at=action.at, error=said, revision=t.outbox.c.revision + 1))


def told_of(row: Row) -> Told:
    """Raises HistoryProblem for a row that a newer version wrote."""
    try:
        return Told(
            action=decode(row["action"], Action),
            state=row["state"],
            attempts=row["attempts"],
            tried_at=row["tried_at"],
            settled_at=row["settled_at"],
            error=row["error"],
            receipt=decode(row["receipt"], Receipt) if row["receipt"] else None,
        )
    except msgspec.MsgspecError as error:
        raise HistoryProblem(
            f"the delivery {row['key']} cannot be read: {error}",
            hint="a newer meshkit-chaos wrote it: use that version, or `notify resolve KEY --drop`",
        ) from error


class Outbox:
    """The outbox of one database. ``now``: the clock that counts, which is the database's own."""

    def __init__(self, database: Database, *, now: Now = database_ns) -> None:
        self.database: Final = database
        self.now: Final = now

    def newest(self, count: int) -> tuple[Told, ...]:
        """What was decided last, newest first, and behind it what is not settled, however old: else nobody would see it.
        At most ``count`` of each.
        """
        query = sa.select(t.outbox).order_by(t.outbox.c.position.desc(), t.outbox.c.key.desc()).limit(count)
        given_up = t.outbox.c.receipt.contains(f'"did":"{DROPPED}"', autoescape=True)
        unsettled = t.outbox.c.state.in_(OPEN) | ((t.outbox.c.state == "dead") & ~given_up)
        with self.database.reading() as connection:
            newest = connection.execute(query).mappings().all()
            seen = {row["key"] for row in newest}
            older = [row for row in connection.execute(query.where(unsettled)).mappings() if row["key"] not in seen]
            return tuple(told_of(row) for row in (*newest, *older))

    def entries(self, *, states: Collection[State] = (), keys: Collection[str] = ()) -> tuple[Entry, ...]:
        """Rows, in the order of deciding; of these states and keys, where any are given."""
        query = sa.select(t.outbox).order_by(t.outbox.c.position, t.outbox.c.key)
        query = query.where(t.outbox.c.state.in_(states)) if states else query
        query = query.where(t.outbox.c.key.in_(keys)) if keys else query
        with self.database.reading() as connection:
            return tuple(_entry(row) for row in connection.execute(query).mappings())

    def open_channels(self) -> frozenset[str]:
        """Channels for which something waits."""
        query = sa.select(t.outbox.c.channel).where(t.outbox.c.state.in_(OPEN)).distinct()
        with self.database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def instant(self) -> int:
        """Now, by the clock that counts."""
        with self.database.reading() as connection:
            return self.now(connection)

    def resolve(self, key: str, how: How, *, by: str, reference: str = "") -> None:
        """A person settles a held or dead row, or hurries one on. Raises UsageError where there is nothing to settle."""
        with self.database.writing() as connection:
            now = self.now(connection)
            query = sa.select(t.outbox).where(t.outbox.c.key == key).with_for_update()
            row = connection.execute(query).mappings().first()
            if row is None:
                raise UsageError(f"there is no delivery {key!r}", hint="`meshkit-chaos notify status` lists keys")
            if row["state"] in ("delivered", "superseded"):
                raise UsageError(f"{key} is {row['state']} already", hint="nothing is left to resolve")
            if row["state"] == "sending" and row["claimed_until"] > now:
                raise UsageError(f"{row['worker']} is sending {key} at this moment", hint="ask again when it is done")
            values = _resolved(how, now=now, by=by, reference=reference)
            update = sa.update(t.outbox).where(t.outbox.c.key == key)
            connection.execute(update.values(**values, worker="", revision=t.outbox.c.revision + 1))


def _resolved(how: How, *, now: int, by: str, reference: str) -> dict[str, Any]:
    match how:
        case "sent":
            receipt = Receipt(did="sent", reference=reference, note=f"{by} says that it arrived")
            return {"state": "delivered", "settled_at": now, "receipt": encode(receipt).decode()}
        case "drop":
            receipt = Receipt(did=DROPPED, note=f"{by} gave it up")
            return {"state": "dead", "settled_at": now, "receipt": encode(receipt).decode()}
        case "again":
            return {"state": "pending", "settled_at": None, "not_before": now, "attempts": 0, "receipt": "", "error": ""}


def _entry(row: Row) -> Entry:
    return Entry(told=told_of(row), not_before=row["not_before"], worker=row["worker"], claimed_until=row["claimed_until"])
