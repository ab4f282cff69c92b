"""Rows of the outbox, from due to settled: one worker at a time has a row, and what it is about to do is written before it
does it.

``claim`` takes the oldest row of each thread on a channel that is due and that the rates let through. ``sending`` is on disk
before anything is sent; whoever finds such a row after its lease knows that it may have arrived. ``settle`` writes what came
of it, unless the row went to somebody else meanwhile; that something was delivered is written in any case, because it is
true.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import sqlalchemy as sa
from msgspec import Struct, structs
from sqlalchemy.engine import Connection

from meshkit_chaos.deliver import rates
from meshkit_chaos.deliver.action import (
    OPEN,
    Again,
    CannotLook,
    Delivered,
    Found,
    Look,
    NotThere,
    Outcome,
    Receipt,
    Refused,
    Told,
    Unsure,
)
from meshkit_chaos.deliver.backoff import SECOND, Chance, Patience
from meshkit_chaos.deliver.outbox import HELD, Now, Row, told_of
from meshkit_chaos.deliver.sending import Rate, WhenUnsure
from meshkit_chaos.history import tables as t
from meshkit_chaos.history.database import Database, database_ns
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode

POLL: Final = SECOND
"""How often to see whether somebody else is done with a row."""
Hide = Callable[[str], str]
_BOX: Final = t.outbox.c


class Ways(Struct, frozen=True, kw_only=True):
    """What a channel's sender says of itself."""

    channel: str
    rates: tuple[Rate, ...] = ()
    when_unsure: WhenUnsure = "repeat"
    lag: Duration = Duration(0)

    @property
    def bucket(self) -> str:
        return f"channel {self.channel}"


class Claim(Struct, frozen=True, kw_only=True):
    """A row that is ours. ``do``: send it, or look whether an earlier attempt arrived. ``at``: when we took it.

    ``proves``: that it is not there now proves that it never will be. ``thread``: what was delivered before in its thread.
    """

    do: Literal["send", "look"]
    worker: str
    told: Told
    thread: tuple[Told, ...]
    at: int
    proves: bool = False
    quiet_since: int = 0


class Wait(Struct, frozen=True, kw_only=True):
    """Nothing to do before ``until``, at ``at``."""

    until: int
    at: int


class Claims:
    """Claims on the rows of one channel."""

    def __init__(
        self, database: Database, ways: Ways, *, patience: Patience, chance: Chance, now: Now = database_ns, hide: Hide = str
    ) -> None:
        self._database = database
        self._ways = ways
        self._patience = patience
        self._chance = chance
        self._now = now
        self._hide = hide

    def claim(self, worker: str) -> Claim | Wait | None:
        """The next row, or when to ask again; None where nothing waits but what people hold. Raises HistoryProblem."""
        with self._database.writing() as connection:
            now = self._now(connection)
            while (row := connection.execute(_due(self._ways.channel, now)).mappings().first()) is not None:
                if self._held(connection, row):
                    continue
                until = rates.take(connection, self._ways.rates, always=self._ways.bucket, now=now)
                return Wait(until=until, at=now) if until else self._taken(connection, row, worker=worker, now=now)
            return self._next(connection, now)

    def _held(self, connection: Connection, row: Row) -> bool:
        """Hold a row whose sender died, where neither repeating nor looking is right."""
        if row["state"] != "sending" or self._ways.when_unsure != "hold":
            return False
        self._write(connection, row["key"], state="ambiguous", not_before=HELD, error=_DIED.format(row["worker"]))
        return True

    def _taken(self, connection: Connection, row: Row, *, worker: str, now: int) -> Claim:
        looks = row["state"] == "ambiguous" or (row["state"] == "sending" and self._ways.when_unsure == "look")
        quiet_since = row["claimed_until"]
        ends = now + self._patience.lease.ns
        if looks:
            error = row["error"] or _DIED.format(row["worker"])
            self._write(connection, row["key"], state="ambiguous", worker=worker, not_before=ends, error=error)
        else:
            tried = {"attempts": row["attempts"] + 1, "tried_at": now}
            self._write(connection, row["key"], state="sending", worker=worker, claimed_until=ends, **tried)
        taken = connection.execute(sa.select(t.outbox).where(_BOX.key == row["key"])).mappings().one()
        return Claim(
            do="look" if looks else "send",
            worker=worker,
            told=told_of(taken),
            thread=_thread(connection, row),
            at=now,
            proves=looks and now >= quiet_since + self._ways.lag.ns,
            quiet_since=quiet_since,
        )

    def _next(self, connection: Connection, now: int) -> Wait | None:
        others = sa.case((_BOX.state == "sending", _BOX.claimed_until), else_=_BOX.not_before)
        waiting = (_BOX.channel == self._ways.channel, _BOX.state.in_(OPEN), _BOX.not_before < HELD)
        query = sa.select(_BOX.state, others).where(*waiting, ~_blocked(now))
        soon = now + POLL  # somebody else is at it, or about to be
        instants = [
            soon if at <= now else min(at, soon) if state == "sending" else at for state, at in connection.execute(query)
        ]
        return Wait(until=min(instants), at=now) if instants else None

    def settle(self, claim: Claim, outcome: Outcome | Look) -> Told:
        """Write what came of it, and give the row as it is then. Raises HistoryProblem."""
        with self._database.writing() as connection:
            now = self._now(connection)
            query = sa.select(t.outbox).where(_BOX.key == claim.told.action.key).with_for_update()
            row = connection.execute(query).mappings().one()
            ours = row["worker"] == claim.worker and row["state"] in ("sending", "ambiguous")
            if isinstance(outcome, Again) and outcome.everybody:
                self._close(connection, outcome, now=now, attempts=row["attempts"])
            if ours or (isinstance(outcome, Delivered | Found) and row["state"] != "delivered"):
                self._write(connection, row["key"], worker="", **self._came_of(claim, outcome, now))
            return told_of(connection.execute(sa.select(t.outbox).where(_BOX.key == row["key"])).mappings().one())

    def _close(self, connection: Connection, outcome: Again, *, now: int, attempts: int) -> None:
        until = now + max(self._patience.pause(attempts, self._chance), outcome.after.ns if outcome.after else 0)
        rates.close(connection, self._ways.rates, always=self._ways.bucket, until=until)

    def _came_of(self, claim: Claim, outcome: Outcome | Look, now: int) -> dict[str, Any]:
        match outcome:
            case Delivered(receipt=receipt) | Found(receipt=receipt):
                return {"state": "delivered", "settled_at": now, "receipt": encode(self._hidden(receipt)).decode()}
            case Refused(why=why, who=who, hint=hint):
                told = f"{why} ({who} must act{': ' if hint else ''}{hint})"
                return {"state": "dead", "settled_at": now, "error": self._hide(told)}
            case Again(why=why, after=after):
                return self._later(claim, why, now=now, after=after.ns if after else 0)
            case Unsure(why=why):
                return self._unsure(claim, why, now)
            case NotThere() if claim.proves:
                return self._later(claim, f"{_first(claim.told.error)}; it was looked for and is not there", now=now)
            case NotThere():
                return {"not_before": self._look_again(claim, now)}
            case CannotLook(why=why, retry=retry):
                again = now + self._patience.pause(claim.told.attempts + 2, self._chance) if retry else HELD
                return {"not_before": again, "error": self._hide(f"{_first(claim.told.error)}; it cannot be looked for: {why}")}

    def _later(self, claim: Claim, why: str, *, now: int, after: int = 0) -> dict[str, Any]:
        due = max(claim.told.action.at, claim.told.action.not_before)
        if self._patience.is_over(attempts=claim.told.attempts, age=now - due):
            told = f"given up after {claim.told.attempts} attempts: {why}"
            return {"state": "dead", "settled_at": now, "error": self._hide(told)}
        pause = max(self._patience.pause(claim.told.attempts, self._chance), after)
        return {"state": "pending", "not_before": now + pause, "error": self._hide(why)}

    def _unsure(self, claim: Claim, why: str, now: int) -> dict[str, Any]:
        if self._ways.when_unsure == "repeat":
            return self._later(claim, f"it may have arrived: {why}", now=now)
        held = self._ways.when_unsure == "hold"
        first = HELD if held else now + min(self._patience.pause(1, self._chance), max(self._ways.lag.ns, 1))
        return {
            "state": "ambiguous",
            "not_before": first,
            "claimed_until": now,
            "error": self._hide(f"it may have arrived: {why}"),
        }

    def _look_again(self, claim: Claim, now: int) -> int:
        """Sooner and later again until the channel must show it; then once more, which proves it."""
        proof = claim.quiet_since + self._ways.lag.ns
        waited = max(now - claim.quiet_since, self._patience.first.ns)
        return max(min(now + waited, proof), now + 1)

    def _hidden(self, receipt: Receipt) -> Receipt:
        """Without what a server may have repeated of a secret."""
        details = {name: self._hide(value) for name, value in receipt.details.items()}
        texts = {name: self._hide(getattr(receipt, name)) for name in ("reference", "url", "note")}
        return structs.replace(receipt, **texts, details=details)

    @staticmethod
    def _write(connection: Connection, key: str, **values: Any) -> None:
        update = sa.update(t.outbox).where(_BOX.key == key)
        connection.execute(update.values(**values, revision=_BOX.revision + 1))


_DIED: Final = "it may have arrived: its sender ({}) died, or took too long"


def _first(error: str) -> str:
    """Why it is not known whether it arrived, without what was said of looking for it."""
    return error.partition("; it ")[0]


def _due(channel: str, now: int) -> sa.Select[Any]:
    """The first row that is due and has nothing unsettled before it in its thread. What is loud goes first."""
    abandoned = sa.and_(_BOX.state == "sending", _BOX.claimed_until <= now)
    waiting = sa.and_(_BOX.state.in_(("pending", "ambiguous")), _BOX.not_before <= now)
    loud_first = sa.case((_BOX.occasion == "environment-dirty", 0), else_=1)
    return (
        sa.select(t.outbox)
        .where(_BOX.channel == channel, sa.or_(abandoned, waiting), ~_blocked(now))
        .order_by(loud_first, _BOX.position, _BOX.key)
        .limit(1)
        .with_for_update(of=t.outbox, skip_locked=True)
    )


def _blocked(now: int) -> sa.Exists:
    """Whether something of the same thread comes first: unsettled, and more than a thing of the future."""
    earlier = t.outbox.alias("earlier")
    blocks = sa.or_(earlier.c.state != "pending", earlier.c.attempts > 0, earlier.c.not_before <= now)
    before = sa.or_(earlier.c.position < _BOX.position, sa.and_(earlier.c.position == _BOX.position, earlier.c.key < _BOX.key))
    same = (earlier.c.channel == _BOX.channel, earlier.c.thread == _BOX.thread)
    return sa.select(1).where(*same, earlier.c.state.in_(OPEN), before, blocks).exists()


def _thread(connection: Connection, row: Row) -> tuple[Told, ...]:
    query = sa.select(t.outbox).where(_BOX.channel == row["channel"], _BOX.thread == row["thread"], _BOX.state == "delivered")
    return tuple(told_of(one) for one in connection.execute(query.order_by(_BOX.position, _BOX.key)).mappings())
