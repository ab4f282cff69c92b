"""Answers of a history, kept as long as nothing in it changed: many pages ask the same of it.

Takes a reader and a word for the state of what it reads. The word is asked for at every question, and before the history is:
an answer is given again only while the word is the same, so what was taken in a moment ago is always shown. Holds a few answers
of each kind; while one is being made, others who want one of that kind wait for it, and do not all make it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from meshkit_chaos.history.model import Ask, Built, Cell, OverviewReader, PastInvocation, PastScenario
from meshkit_chaos.slo.codec import encode


class Remembered(OverviewReader):
    """Answers as ``reader`` does. ``state`` must change with whatever the reader would answer."""

    def __init__(self, reader: OverviewReader, state: Callable[[], Hashable]) -> None:
        self._reader = reader
        self.state = state
        self._known, self._newest, self._cells, self._results, self._built, self._instants, self._invocations = (
            Kept(state, most=most) for most in (1, 64, 6, 6, 2, 1, 4)
        )

    def known(self) -> tuple[PastScenario, ...]:
        known: tuple[PastScenario, ...] = self._known.answer("", self._reader.known)
        return known

    def newest(self, count: int, *, before: int | None = None) -> tuple[PastInvocation, ...]:
        held: tuple[PastInvocation, ...] = self._newest.answer(
            (count, before), lambda: self._reader.newest(count, before=before)
        )
        return held

    def instants(self) -> tuple[int, ...]:
        instants: tuple[int, ...] = self._instants.answer("", self._reader.instants)
        return instants

    def cells(self, invocations: Sequence[str]) -> tuple[Cell, ...]:
        cells: tuple[Cell, ...] = self._cells.answer(tuple(invocations), lambda: self._reader.cells(invocations))
        return cells

    def built(self, invocations: Sequence[str]) -> tuple[Built, ...]:
        built: tuple[Built, ...] = self._built.answer(tuple(invocations), lambda: self._reader.built(invocations))
        return built

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        """Only what is asked of all scenarios is kept: each of them may have a page, and those are many."""
        if ask.scenarios or ask.newest is None:
            return self._reader.results(ask)
        results: tuple[PastScenario, ...] = self._results.answer(encode(ask), lambda: self._reader.results(ask))
        return results

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        return self._reader.invocations(since=since, before=before)

    def invocation(self, name: str) -> tuple[PastInvocation, tuple[PastScenario, ...]] | None:
        """The page that compares asks for the newest ones again and again."""
        found: tuple[PastInvocation, tuple[PastScenario, ...]] | None = self._invocations.answer(
            name, lambda: self._reader.invocation(name)
        )
        return found

    def invocation_of_run(self, run: str) -> str | None:
        return self._reader.invocation_of_run(run)


class Kept:
    """At most so many answers of one kind, those that were wanted last, all of one state. For many threads."""

    def __init__(self, state: Callable[[], Hashable], *, most: int) -> None:
        self._state, self._most = state, most
        self._lock = threading.Lock()
        self._of: Hashable = None
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def answer(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is kept, if it is of the state of now; else what ``make`` gives, which is then kept."""
        state = self._state()
        with self._lock:
            if state != self._of:
                self._answers.clear()
                self._of = state
            if key not in self._answers:
                self._answers[key] = make()
                while len(self._answers) > self._most:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            return self._answers[key]
