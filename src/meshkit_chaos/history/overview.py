"""Many results at once, each as one cell of a table: the ``OverviewReader`` of a database.

Nothing is read whole: a page of a hundred scenarios over sixty nights asks for six thousand results, and shows one time each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from meshkit_chaos.history.cells import slowness
from meshkit_chaos.history.model import Built, Cell, OverviewReader, PastInvocation
from meshkit_chaos.history.reading import IndexReader
from meshkit_chaos.history.rows import invocation_of
from meshkit_chaos.history.tables import invocations, objectives, results, runs
from meshkit_chaos.journal.binaries import BinaryFacts

_AT_ONCE: Final = 500
_EXECUTABLES: Final = msgspec.json.Decoder(tuple[BinaryFacts, ...])
_SUBJECT: Final = msgspec.json.Decoder(dict[str, str])


class Overview(IndexReader, OverviewReader):
    """Reads a database."""

    def newest(self, count: int, *, before: int | None = None) -> tuple[PastInvocation, ...]:
        query = sa.select(invocations).order_by(invocations.c.at.desc(), invocations.c.invocation.desc()).limit(count)
        query = query if before is None else query.where(invocations.c.at < before)
        with self._database.reading() as connection:
            return tuple(invocation_of(dict(row)) for row in connection.execute(query).mappings())

    def instants(self) -> tuple[int, ...]:
        with self._database.reading() as connection:
            return tuple(connection.execute(sa.select(invocations.c.at).order_by(invocations.c.at.desc())).scalars())

    def built(self, invocations: Sequence[str]) -> tuple[Built, ...]:
        with self._database.reading() as connection:
            found = [row for names in _batches(invocations) for row in connection.execute(_executables(names)).mappings()]
        told = {(one.invocation, one.name, one.digest): one for row in found for one in _built(dict(row))}
        return tuple(sorted(told.values(), key=lambda one: (one.at, one.invocation, one.name), reverse=True))

    def cells(self, invocations: Sequence[str]) -> tuple[Cell, ...]:
        with self._database.reading() as connection:
            return tuple(cell for names in _batches(invocations) for cell in _cells(connection, names))


def _executables(names: Sequence[str]) -> sa.Select[Any]:
    """One run tells for each result: all of one invocation deploy the same."""
    others = runs.alias()
    first = sa.select(sa.func.min(others.c.run)).where(others.c.result == results.c.result).correlate(results).scalar_subquery()
    return (
        sa.select(results.c.invocation, results.c.at, invocations.c.subject, runs.c.executables)
        .select_from(results)
        .join(runs, sa.and_(runs.c.result == results.c.result, runs.c.run == first))
        .join(invocations, invocations.c.invocation == results.c.invocation)
        .where(results.c.invocation.in_(names), runs.c.executables != "[]")
    )


def _built(row: dict[str, Any]) -> Iterator[Built]:
    for facts in _EXECUTABLES.decode(row["executables"]):
        yield Built(
            invocation=row["invocation"],
            at=row["at"],
            subject=_SUBJECT.decode(row["subject"]),
            name=facts.name,
            digest=facts.digest,
            size=facts.size,
            kind=facts.binary_class,
        )


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]


_SHOWN: Final = (
    "result",
    "invocation",
    "scenario",
    "at",
    "verdict",
    "environment",
    "environment_class",
    "flaky",
    "invalidated",
)


def _cells(connection: Connection, names: Sequence[str]) -> Iterator[Cell]:
    held = results.c.invocation.in_(names)
    of_result = sa.select(runs.c.result).join(results, results.c.result == runs.c.result).where(held)
    counted = Counter(connection.execute(of_result).scalars())
    slowest: dict[int, Any] = {}
    timed = (
        sa.select(runs.c.result, objectives.c.name, objectives.c.lo, objectives.c.hi, objectives.c.limit)
        .join(runs, runs.c.run == objectives.c.run)
        .join(results, results.c.result == runs.c.result)
        .where(
            held,
            objectives.c.lo.is_not(None),
            objectives.c.informational.is_(False),
            runs.c.invalidated == "",
            runs.c.verdict == results.c.verdict,
            objectives.c.verdict == results.c.verdict,
        )
    )
    for row in connection.execute(timed):
        if row.result not in slowest or _weight(row) > _weight(slowest[row.result]):
            slowest[row.result] = row
    for result, *shown, flaky, invalidated in connection.execute(sa.select(*(results.c[name] for name in _SHOWN)).where(held)):
        invocation, scenario, at, verdict, environment, environment_class = shown
        time = slowest.get(result)
        yield Cell(
            invocation=invocation,
            scenario=scenario,
            at=at,
            verdict=verdict,
            environment=environment,
            environment_class=environment_class,
            flaky=flaky,
            counts=not invalidated,
            runs=counted[result],
            slowest=time.name if time else "",
            lo=time.lo if time else None,
            hi=time.hi if time else None,
            limit=time.limit if time else None,
        )


def _weight(row: Any) -> tuple[bool, float, float]:
    return slowness(row.lo, row.hi, row.limit)
