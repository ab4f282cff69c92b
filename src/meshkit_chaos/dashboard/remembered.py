"""Answers of a history, kept as long as they are true: many pages ask the same of it.

Takes a reader, a word for the state of what it reads, and who tells what changed. They are asked at every question, before the
history is, so what was taken in a moment ago is always shown. What changed is read anew and the rest is kept: a page after an
ingest reads that ingest. Holds a few answers of each kind; while one is being made, others who want one of that kind wait for
it, and do not all make it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final

from meshkit_chaos.dashboard.extended import ALL_NEWEST, extended
from meshkit_chaos.dashboard.kept import Extend, Kept, Parts
from meshkit_chaos.dashboard.steps import Steps, anything
from meshkit_chaos.history.changed import Changed, Moment
from meshkit_chaos.history.model import Ask, Built, Cell, OverviewReader, PastInvocation, PastScenario
from meshkit_chaos.slo.codec import encode

_FEW: Final = 8
"""If more invocations changed, reading all of them whole takes longer than asking anew."""
_CELLS: Final = 200_000
_BUILT: Final = 5_000

_Whole = tuple[PastInvocation, tuple[PastScenario, ...]]


class Remembered(OverviewReader):
    """Answers as ``reader`` does. ``state`` must change with whatever the reader would answer."""

    def __init__(
        self,
        reader: OverviewReader,
        state: Callable[[], Hashable],
        changed: Callable[[Moment | None], Changed] = anything,
    ) -> None:
        self._reader = reader
        steps = Steps(state, changed)
        self._known, self._newest, self._results, self._instants, self._invocations, self._heads = (
            Kept(steps, most=most) for most in (1, 64, 6, 1, 8, 8)
        )
        self._cells: Parts[Cell] = Parts(steps, most=_CELLS)
        self._built: Parts[Built] = Parts(steps, most=_BUILT)

    def known(self) -> tuple[PastScenario, ...]:
        known: tuple[PastScenario, ...] = self._known.answer("", self._reader.known, self._known_extended)
        return known

    def _known_extended(self, held: tuple[PastScenario, ...], changed: frozenset[str]) -> tuple[PastScenario, ...] | None:
        if len(changed) > _FEW:
            return None
        found = extended(held, ALL_NEWEST, {name: self.heads(name) for name in sorted(changed)})
        return None if found is None else tuple(sorted(found, key=lambda one: one.scenario))

    def newest(self, count: int, *, before: int | None = None) -> tuple[PastInvocation, ...]:
        held: tuple[PastInvocation, ...] = self._newest.answer(
            (count, before), lambda: self._reader.newest(count, before=before)
        )
        return held

    def instants(self) -> tuple[int, ...]:
        instants: tuple[int, ...] = self._instants.answer("", self._reader.instants)
        return instants

    def cells(self, invocations: Sequence[str]) -> tuple[Cell, ...]:
        return tuple(self._cells.of(invocations, self._reader.cells))

    def built(self, invocations: Sequence[str]) -> tuple[Built, ...]:
        found = self._built.of(invocations, self._reader.built)
        return tuple(sorted(found, key=lambda one: (one.at, one.invocation, one.name), reverse=True))

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        """Only what is asked of all scenarios is kept: each of them may have a page, and those are many."""
        if ask.scenarios or ask.newest is None:
            return self._reader.results(ask)
        results: tuple[PastScenario, ...] = self._results.answer(
            encode(ask),
            lambda: self._reader.results(ask),
            lambda held, changed: extended(held, ask, self._wholes(changed)) if len(changed) <= _FEW else None,
        )
        return results

    def _wholes(self, changed: frozenset[str]) -> Mapping[str, tuple[PastScenario, ...]]:
        found = {name: self.invocation(name) for name in sorted(changed)}
        return {name: whole[1] if whole is not None else () for name, whole in found.items()}

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        return self._reader.invocations(since=since, before=before)

    def heads(self, invocation: str) -> tuple[PastScenario, ...]:
        heads: tuple[PastScenario, ...] = self._heads.answer(
            invocation, lambda: self._reader.heads(invocation), _unless_changed(invocation)
        )
        return heads

    def invocation(self, name: str) -> _Whole | None:
        """The page that compares asks for the newest ones again and again."""
        found: _Whole | None = self._invocations.answer(name, lambda: self._reader.invocation(name), _unless_changed(name))
        return found

    def invocation_of_run(self, run: str) -> str | None:
        return self._reader.invocation_of_run(run)


def _unless_changed(name: str) -> Extend:
    return lambda held, changed: None if name in changed else held
