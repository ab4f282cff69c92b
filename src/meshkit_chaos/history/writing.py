"""Changes to the index, each inside a transaction that the caller holds: all of it is there afterwards, or nothing.

``lock`` comes first: in PostgreSQL it keeps two writers of one thing apart; SQLite has only one writer anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from meshkit_chaos.errors import HistoryProblem
from meshkit_chaos.history import tables as t
from meshkit_chaos.history.deliveries import Delivery, delivery_of
from meshkit_chaos.history.marking import Mark
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.rows import invocation_row, objective_rows, result_row, run_row


def lock(connection: Connection, what: str) -> None:
    """Let nobody else write the same thing until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(what, 0))))


def share_files(connection: Connection) -> None:
    """Let nobody take files away until the transaction ends: what it names is then seen by whoever does."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtextextended(_FILES, 0))))


def hold_outbox(connection: Connection) -> None:
    """Let nobody else add to the outbox until the transaction ends."""
    lock(connection, "outbox")


def own_files(connection: Connection) -> None:
    """Let no transaction name files until this one ends."""
    lock(connection, _FILES)


def share_marks(connection: Connection) -> None:
    """Let nobody say anything of a run until the transaction ends. Comes before the lock of an invocation.

    What is said of a run that is being written anew would change the row that goes, and be lost.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(sa.func.hashtextextended(_MARKS, 0))))


def own_marks(connection: Connection) -> None:
    """Let nobody write or throw away an invocation until the transaction ends."""
    lock(connection, _MARKS)


_FILES: Final = "files of the store"
_MARKS: Final = "marks of runs"


def bundle_of(connection: Connection, invocation: str) -> str | None:
    """The name of the bundle that the index was made from; None where the invocation is not known."""
    return connection.execute(sa.select(t.invocations.c.bundle).where(t.invocations.c.invocation == invocation)).scalar()


def was_pruned(connection: Connection, invocation: str) -> bool:
    return connection.execute(sa.select(t.pruned.c.at).where(t.pruned.c.invocation == invocation)).scalar() is not None


def put(connection: Connection, invocation: PastInvocation, scenarios: Sequence[PastScenario], *, bundle: str) -> None:
    """Write an invocation, in place of what was known of it. Raises HistoryProblem where a run belongs to another one."""
    drop(connection, invocation.invocation)
    _refuse_foreign(connection, [run.run for one in scenarios for run in one.runs])
    connection.execute(sa.insert(t.invocations), [invocation_row(invocation, bundle=bundle)])
    pairs = [{"invocation": invocation.invocation, "key": key, "value": value} for key, value in invocation.subject.items()]
    _insert(connection, t.subjects, pairs)
    for position, scenario in enumerate(scenarios):
        inserted = connection.execute(sa.insert(t.results).values(result_row(scenario, position=position)))
        result = _key(inserted)
        _insert(connection, t.runs, [run_row(run, result=result) for run in scenario.runs])
        _insert(connection, t.objectives, [row for run in scenario.runs for row in objective_rows(run)])
    apply_marks(connection, [run.run for one in scenarios for run in one.runs])


def _refuse_foreign(connection: Connection, runs: Collection[str]) -> None:
    query = (
        sa.select(t.runs.c.run, t.results.c.invocation)
        .join(t.results, t.results.c.result == t.runs.c.result)
        .where(t.runs.c.run.in_(runs))
    )
    for run, invocation in connection.execute(query):
        raise HistoryProblem(
            f"the run {run} is known as a part of the invocation {invocation}",
            hint="a run belongs to one invocation: one of the two folders was put together by hand",
        )


def _key(inserted: sa.CursorResult[Any]) -> int:
    key = inserted.inserted_primary_key
    assert key is not None, "one row was inserted"
    return int(key[0])


def _insert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def put_documents(connection: Connection, invocation: str, blobs: Mapping[str, tuple[str, int]]) -> None:
    """``blobs``: digest and size by the name of the document."""
    connection.execute(sa.delete(t.artifacts).where(t.artifacts.c.invocation == invocation))
    rows = [{"invocation": invocation, "name": name, "digest": of, "size": size} for name, (of, size) in blobs.items()]
    _insert(connection, t.artifacts, rows)


def drop(connection: Connection, invocation: str) -> None:
    """Forget an invocation with all that hangs on it."""
    connection.execute(sa.delete(t.invocations).where(t.invocations.c.invocation == invocation))


def prune(connection: Connection, invocation: str, *, at: int) -> None:
    """Forget it, and remember that it is to stay forgotten: a pull does not bring it back."""
    drop(connection, invocation)
    if not was_pruned(connection, invocation):
        connection.execute(sa.insert(t.pruned), [{"invocation": invocation, "at": at}])


def unprune(connection: Connection, invocation: str) -> None:
    """It was brought by hand, so it is wanted again."""
    connection.execute(sa.delete(t.pruned).where(t.pruned.c.invocation == invocation))


def put_mark(connection: Connection, mark: Mark) -> bool:
    """Keep a mark and let it take effect; whether it is new."""
    own_marks(connection)
    if connection.execute(sa.select(t.marks.c.run).where(t.marks.c.mark == mark.mark)).scalar() is not None:
        return False
    connection.execute(sa.insert(t.marks), [structs.asdict(mark)])
    apply_marks(connection, [mark.run])
    return True


def put_delivery(connection: Connection, delivery: Delivery) -> bool:
    """Keep what became of an action, unless more is known of it; whether something changed. Nobody is at the row then.

    Needs ``hold_outbox``.
    """
    query = sa.select(t.outbox).where(t.outbox.c.key == delivery.key).with_for_update()
    row = connection.execute(query).mappings().first()
    values = {**structs.asdict(delivery), "worker": ""}
    if row is None:
        connection.execute(sa.insert(t.outbox), [values])
    elif delivery.rank > delivery_of(row).rank:
        connection.execute(sa.update(t.outbox).where(t.outbox.c.key == delivery.key).values(**values))
    else:
        return False
    return True


def apply_marks(connection: Connection, runs: Collection[str]) -> None:
    """Let the newest mark of each of these runs hold, and each of their results not count that holds an invalid run."""
    for run in runs:
        query = sa.select(t.marks).where(t.marks.c.run == run).order_by(t.marks.c.at.desc(), t.marks.c.mark.desc()).limit(1)
        newest = connection.execute(query).first()
        if newest is None:
            continue
        said = "" if newest.counts else newest.reason
        connection.execute(sa.update(t.runs).where(t.runs.c.run == run).values(invalidated=said))
        result = sa.select(t.runs.c.result).where(t.runs.c.run == run).scalar_subquery()
        others = t.runs.alias()
        spoilt = sa.select(1).where(others.c.result == t.results.c.result, others.c.invalidated != "").exists()
        connection.execute(sa.update(t.results).where(t.results.c.result == result).values(invalidated=spoilt))
