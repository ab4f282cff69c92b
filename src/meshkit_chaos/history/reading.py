"""Questions to the index, answered as values: the ``HistoryReader`` of a database.

Queries are written for a million results: each walks an index, newest first, and stops when it has enough. A subject that few
invocations have is looked up first; one that most have is only compared on the way.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol, get_args

import sqlalchemy as sa
from msgspec import structs
from sqlalchemy.engine import Connection

from meshkit_chaos.history.deliveries import Delivery, delivery_of
from meshkit_chaos.history.model import Ask, HistoryReader, Outline, PastInvocation, PastRun, PastScenario
from meshkit_chaos.history.rows import invocation_of, run_of, scenario_of
from meshkit_chaos.history.tables import artifacts, invocations, marks, objectives, outbox, pruned, results, runs, subjects
from meshkit_chaos.judge.verdict import VerdictName

_FEW: Final = 1000
"""So many invocations of one subject are cheaper looked up than met on the way."""
_AT_ONCE: Final = 500
"""Values in one IN list."""
_NEWEST_FIRST: Final = (results.c.at.desc(), results.c.invocation.desc(), results.c.position)


class Readable(Protocol):
    """What can be asked: a database, or a transaction in it."""

    def reading(self) -> contextlib.AbstractContextManager[Connection]: ...


class Underway:
    """A transaction that somebody holds, as something to read from: what it has written itself is there, too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        yield self._connection


class IndexReader(HistoryReader):
    """Reads a database, or a transaction in one. Every answer is one consistent view."""

    def __init__(self, database: Readable) -> None:
        self._database = database

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        with self._database.reading() as connection:
            return tuple(_whole(connection, _asked(connection, ask)))

    def known(self) -> tuple[PastScenario, ...]:
        with self._database.reading() as connection:
            newest = _newest_of_each(connection, _scenarios(connection), Ask(newest=1, invalidated=True))
            return tuple(scenario_of(row, ()) for row in sorted(newest, key=lambda row: row["scenario"]))

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        query = sa.select(invocations).order_by(invocations.c.at.desc(), invocations.c.invocation.desc())
        query = _between(query, invocations.c.at, since, before)
        with self._database.reading() as connection:
            return tuple(invocation_of(row) for row in _rows(connection, query))

    def outlines(self) -> tuple[Outline, ...]:
        """Every result there is, newest first, and no more of it than a rule needs."""
        columns = (
            results.c.invocation,
            results.c.scenario,
            results.c.environment_class,
            results.c.verdict,
            results.c.invalidated,
        )
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(*columns).order_by(*_NEWEST_FIRST))
            return tuple(
                Outline(invocation=name, scenario=scenario, environment_class=where, verdict=verdict, counts=not invalidated)
                for name, scenario, where, verdict, invalidated in rows
            )

    def heads(self, invocation: str) -> tuple[PastScenario, ...]:
        """Its results without their runs, in the order in which they were announced; empty where it is not known."""
        query = _results().where(results.c.invocation == invocation).order_by(results.c.position)
        with self._database.reading() as connection:
            return tuple(scenario_of(row, ()) for row in _rows(connection, query))

    def invocation(self, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]] | None:
        """One invocation with all its results, in the order in which they were announced; None where it is not known."""
        with self._database.reading() as connection:
            return whole_invocation(connection, name)

    def invocation_of_run(self, run: str) -> str | None:
        """The invocation that a run belongs to; None where it is not known."""
        query = sa.select(results.c.invocation).join(runs, runs.c.result == results.c.result).where(runs.c.run == run)
        with self._database.reading() as connection:
            return connection.execute(query).scalar()

    def bundles(self) -> dict[str, str]:
        """The name of the bundle of every invocation."""
        with self._database.reading() as connection:
            return {row.invocation: row.bundle for row in connection.execute(sa.select(invocations))}

    def pruned(self) -> frozenset[str]:
        """Invocations that were thrown away, and are to stay so."""
        with self._database.reading() as connection:
            return frozenset(connection.execute(sa.select(pruned.c.invocation)).scalars())

    def documents(self, invocation: str | None = None) -> tuple[dict[str, Any], ...]:
        """Rows of derived documents: invocation, name, digest, size."""
        query = sa.select(artifacts).order_by(artifacts.c.invocation, artifacts.c.name)
        query = query if invocation is None else query.where(artifacts.c.invocation == invocation)
        with self._database.reading() as connection:
            return tuple(_rows(connection, query))

    def deliveries(self) -> tuple[Delivery, ...]:
        """What became of everything that people are told, in the order of deciding."""
        with self._database.reading() as connection:
            rows = _rows(connection, sa.select(outbox).order_by(outbox.c.position, outbox.c.key))
            return tuple(map(delivery_of, rows))

    def marks(self, run: str) -> tuple[dict[str, Any], ...]:
        """Every mark that people put on a run, oldest first."""
        with self._database.reading() as connection:
            return tuple(_rows(connection, sa.select(marks).where(marks.c.run == run).order_by(marks.c.at, marks.c.mark)))


def whole_invocation(connection: Connection, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]] | None:
    """As ``IndexReader.invocation``, inside a transaction."""
    found = _rows(connection, sa.select(invocations).where(invocations.c.invocation == name))
    if not found:
        return None
    query = _results().where(results.c.invocation == name).order_by(results.c.position)
    return invocation_of(found[0]), tuple(_whole(connection, _rows(connection, query)))


def _asked(connection: Connection, ask: Ask) -> list[dict[str, Any]]:
    few = _few_invocations(connection, ask.subject)
    if few == []:
        return []
    if ask.newest is None and not ask.scenarios:
        return _rows(connection, _narrowed(_results().order_by(*_NEWEST_FIRST), ask, few))
    names = list(dict.fromkeys(ask.scenarios)) or _scenarios(connection)
    if ask.newest == 1 and few is None and len(ask.verdicts) < 2 and not (ask.subject or ask.environment_class):
        return sorted(_newest_of_each(connection, names, ask), key=_age, reverse=True)
    found: list[dict[str, Any]] = []
    for name in names:
        found += _of_scenario(connection, name, ask, few)
    return sorted(found, key=_age, reverse=True)


def _newest_of_each(connection: Connection, names: Sequence[str], ask: Ask) -> list[dict[str, Any]]:
    """One seek in an index for each scenario, all in one question: a thousand questions would take a second."""
    found: list[dict[str, Any]] = []
    for some in _batches(list(names)):
        wanted = sa.values(sa.column("name", sa.Text), name="wanted").data([(name,) for name in some]).cte("wanted")
        newest = _narrowed(sa.select(results.c.result).where(results.c.scenario == wanted.c.name), ask, None)
        newest = newest.order_by(results.c.at.desc(), results.c.invocation.desc()).limit(1)
        ids = list(connection.execute(sa.select(newest.correlate(wanted).scalar_subquery()).select_from(wanted)).scalars())
        held = [one for one in ids if one is not None]
        found += _rows(connection, _results().where(results.c.result.in_(held))) if held else []
    return found


def _of_scenario(connection: Connection, name: str, ask: Ask, few: list[str] | None) -> list[dict[str, Any]]:
    """One walk along an index for each verdict, so that what never happened is known at once and not searched for."""
    narrow: tuple[VerdictName, ...] = ask.verdicts or (get_args(VerdictName) if ask.environment_class else ())
    walks = [structs.replace(ask, verdicts=(one,)) for one in dict.fromkeys(narrow)] or [ask]
    queries = [_narrowed(_scenario_results(name), walk, few).limit(ask.newest) for walk in walks]
    found = [row for query in queries for row in _rows(connection, query)]
    return sorted(found, key=_age, reverse=True)[: ask.newest]


def _age(row: dict[str, Any]) -> tuple[int, str, int]:
    return row["at"], row["invocation"], -row["position"]


def _results() -> sa.Select[Any]:
    return sa.select(results, invocations.c.subject).join(invocations, invocations.c.invocation == results.c.invocation)


def _scenario_results(name: str) -> sa.Select[Any]:
    return _results().where(results.c.scenario == name).order_by(*_NEWEST_FIRST)


def _narrowed(query: sa.Select[Any], ask: Ask, few: list[str] | None) -> sa.Select[Any]:
    query = _between(query, results.c.at, ask.since, ask.before)
    if few is not None:
        query = query.where(results.c.invocation.in_(few))
    for key, value in ask.subject.items():
        has = sa.select(1).where(
            subjects.c.invocation == results.c.invocation, subjects.c.key == key, subjects.c.value == value
        )
        query = query.where(has.exists())
    if ask.environment_class:
        query = query.where(results.c.environment_class == ask.environment_class)
    if ask.verdicts:
        query = query.where(results.c.verdict.in_(ask.verdicts))
    return query if ask.invalidated else query.where(results.c.invalidated.is_(False))


def _between(query: sa.Select[Any], at: sa.Column[Any], since: int | None, before: int | None) -> sa.Select[Any]:
    query = query if since is None else query.where(at >= since)
    return query if before is None else query.where(at < before)


def _few_invocations(connection: Connection, subject: dict[str, str]) -> list[str] | None:
    """The invocations that have one pair of the subject, if there is a pair that only few have."""
    for key, value in subject.items():
        query = sa.select(subjects.c.invocation).where(subjects.c.key == key, subjects.c.value == value).limit(_FEW)
        found = list(connection.execute(query).scalars())
        if len(found) < _FEW:
            return found
    return None


def _scenarios(connection: Connection) -> list[str]:
    """Every scenario there ever was, by jumping along the index from one to the next."""
    name: sa.ColumnClause[str] = sa.literal_column("name", sa.Text)
    steps = sa.select(sa.func.min(results.c.scenario).label("name")).cte("steps", recursive=True)
    following = sa.select(sa.func.min(results.c.scenario)).where(results.c.scenario > steps.c.name).scalar_subquery()
    steps = steps.union_all(sa.select(following).where(steps.c.name.is_not(None)))
    return [found for found in connection.execute(sa.select(name).select_from(steps)).scalars() if found is not None]


def _whole(connection: Connection, rows: Sequence[dict[str, Any]]) -> Iterator[PastScenario]:
    """Results with their runs, each with its objectives."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for ids in _batches([row["result"] for row in rows]):
        query = sa.select(runs).where(runs.c.result.in_(ids)).order_by(runs.c.result, runs.c.number, runs.c.run)
        for row in _rows(connection, query):
            found[row["result"]].append(row)
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for names in _batches([run["run"] for several in found.values() for run in several]):
        query = sa.select(objectives).where(objectives.c.run.in_(names)).order_by(objectives.c.run, objectives.c.position)
        for row in _rows(connection, query):
            told[row["run"]].append(row)
    for row in rows:
        past: list[PastRun] = [run_of(run, told[run["run"]]) for run in found[row["result"]]]
        yield scenario_of(row, past)


def _batches(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]


def _rows(connection: Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
