"""A history in memory: the public fake for tests and planted evidence, and a view of any history as it was at an instant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import structs

from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.model import Ask, Built, Cell, HistoryReader, PastInvocation, PastScenario


class MemoryHistory:
    """Holds what it is given; answers as any history does. What was given later of the same invocation × scenario replaces."""

    def __init__(self, invocations: Iterable[PastInvocation] = (), scenarios: Iterable[PastScenario] = ()) -> None:
        self._invocations = {one.invocation: one for one in invocations}
        self._scenarios = {(one.invocation, one.scenario): one for one in scenarios}

    def add(self, invocation: PastInvocation, scenarios: Iterable[PastScenario]) -> None:
        """Take in one invocation with its results."""
        self._invocations[invocation.invocation] = invocation
        self._scenarios.update({(one.invocation, one.scenario): one for one in scenarios})

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        """Newest first; of equal instants, the one with the larger invocation (a ULID) counts as newer."""
        return newest_of_each((one for one in self._scenarios.values() if asked(one, ask)), ask.newest)

    def known(self) -> tuple[PastScenario, ...]:
        newest = self.results(Ask(newest=1, invalidated=True))
        return tuple(structs.replace(one, runs=()) for one in sorted(newest, key=lambda one: one.scenario))

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        found = [
            one
            for one in self._invocations.values()
            if (since is None or one.at >= since) and (before is None or one.at < before)
        ]
        return tuple(sorted(found, key=lambda one: (one.at, one.invocation), reverse=True))

    def newest(self, count: int, *, before: int | None = None) -> tuple[PastInvocation, ...]:
        return self.invocations(before=before)[:count]

    def instants(self) -> tuple[int, ...]:
        return tuple(one.at for one in self.invocations())

    def cells(self, invocations: Sequence[str]) -> tuple[Cell, ...]:
        wanted = frozenset(invocations)
        return tuple(cell_of(one) for one in self._scenarios.values() if one.invocation in wanted)

    def built(self, invocations: Sequence[str]) -> tuple[Built, ...]:
        told = {
            (one.invocation, facts.name, facts.digest): Built(
                invocation=one.invocation,
                at=one.at,
                subject=one.subject,
                name=facts.name,
                digest=facts.digest,
                size=facts.size,
                kind=facts.binary_class,
            )
            for one in self._scenarios.values()
            if one.invocation in invocations
            for run in one.runs[:1]
            for facts in run.executables
        }
        return tuple(sorted(told.values(), key=lambda one: (one.at, one.invocation, one.name), reverse=True))

    def heads(self, invocation: str) -> tuple[PastScenario, ...]:
        found = self.invocation(invocation)
        return tuple(structs.replace(one, runs=()) for one in found[1]) if found is not None else ()

    def invocation(self, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]] | None:
        if name not in self._invocations:
            return None
        return self._invocations[name], tuple(one for one in self._scenarios.values() if one.invocation == name)

    def invocation_of_run(self, run: str) -> str | None:
        holding = (one.invocation for one in self._scenarios.values() if any(run == held.run for held in one.runs))
        return next(holding, None)


def newest_of_each(results: Iterable[PastScenario], count: int | None) -> tuple[PastScenario, ...]:
    """At most so many of each scenario, newest first; those of one invocation stay in their order."""
    found = sorted(results, key=lambda one: (one.at, one.invocation), reverse=True)
    if count is None:
        return tuple(found)
    kept, seen = [], dict.fromkeys((one.scenario for one in found), 0)
    for one in found:
        seen[one.scenario] += 1
        if seen[one.scenario] <= count:
            kept.append(one)
    return tuple(kept)


def asked(one: PastScenario, ask: Ask) -> bool:
    """Whether a result meets every condition of a question, but for how many are wanted."""
    return (
        (not ask.scenarios or one.scenario in ask.scenarios)
        and (not ask.environment_class or one.environment_class == ask.environment_class)
        and ask.subject.items() <= one.subject.items()
        and (not ask.verdicts or one.verdict in ask.verdicts)
        and (ask.since is None or one.at >= ask.since)
        and (ask.before is None or one.at < ask.before)
        and (ask.invalidated or one.counts)
    )


@dataclass(frozen=True, slots=True)
class AsOf:
    """Another history as it was just before an instant: what came later is not there. For replaying decisions."""

    reader: HistoryReader
    before: int

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        before = self.before if ask.before is None else min(ask.before, self.before)
        return self.reader.results(structs.replace(ask, before=before))

    def known(self) -> tuple[PastScenario, ...]:
        newest = self.reader.results(Ask(before=self.before, newest=1, invalidated=True))
        return tuple(structs.replace(one, runs=()) for one in newest)

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        return self.reader.invocations(since=since, before=self.before if before is None else min(before, self.before))
