"""Invocations that are taken in one after the other while somebody looks: each like the newest of a history, a minute later.

Takes a database that holds at least one. What was taken in can be taken out again: a history that is kept stays as it was.
"""

from __future__ import annotations

from msgspec import structs

from meshkit_chaos.history import writing
from meshkit_chaos.history.database import Database
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.history.overview import Overview

_MINUTE = 60 * 10**9


class ManyIngests:
    """Of all scenarios that the newest invocation had results of; three in a row are of one commit."""

    def __init__(self, database: Database) -> None:
        self._database, self._names = database, list[str]()
        reader = Overview(database)
        found = reader.invocation(reader.newest(1)[0].invocation)
        assert found is not None, "it was the newest one"
        self._invocation, self._results = found

    def one(self) -> None:
        """Take in one more."""
        self._names.append(f"02J{len(self._names):023d}")
        name, at = self._names[-1], self._invocation.at + len(self._names) * _MINUTE
        subject = {**self._invocation.subject, "commit": f"{len(self._names) // 3:040x}"}
        invocation = structs.replace(self._invocation, invocation=name, at=at, subject=subject)
        results = [self._later(one, invocation) for one in self._results]
        with self._database.writing() as connection:
            writing.put(connection, invocation, results, bundle=name)

    def _later(self, one: PastScenario, of: PastInvocation) -> PastScenario:
        runs = tuple(structs.replace(run, run=f"{of.invocation[-6:]}{run.run[6:]}") for run in one.runs)
        return structs.replace(one, invocation=of.invocation, at=of.at, subject=of.subject, runs=runs)

    def undo(self) -> None:
        """Take out whatever was taken in."""
        with self._database.writing() as connection:
            for name in self._names:
                writing.drop(connection, name)
        self._names.clear()
