"""Long work beside the pages: it gives way to every page that is being made, between one small question and the next.

One interpreter does one thing at a time, so work of seconds would make each page beside it twice as slow. Takes who makes a
page (``Traffic.page``) and a reader whose large questions are to be asked in parts. It gives way for so long at most at each
part: many readers make the work slow, and never stop it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import structs

from meshkit_chaos.history.memory import newest_of_each
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario

MOST_S: Final = 0.25
AT_ONCE: Final = 2
"""So many scenarios are asked for at once: of 200 results each, that is some 10 ms."""


class Traffic:
    """The pages that are being made. For many threads."""

    def __init__(self) -> None:
        self._calm = threading.Condition()
        self._making: set[int] = set()

    @contextmanager
    def page(self) -> Iterator[None]:
        """While this thread makes a page."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While this thread waits in the middle of its page: nobody need give way to that."""
        was_making = self._leave()
        try:
            yield
        finally:
            if was_making:
                self._enter()

    def give_way(self, most_s: float = MOST_S) -> bool:
        """Wait until no page is being made; False: that took too long."""
        with self._calm:
            return self._calm.wait_for(lambda: not self._making, timeout=most_s)

    @property
    def making(self) -> int:
        with self._calm:
            return len(self._making)

    def _enter(self) -> None:
        with self._calm:
            self._making.add(threading.get_ident())

    def _leave(self) -> bool:
        with self._calm:
            was_making = threading.get_ident() in self._making
            self._making.discard(threading.get_ident())
            if not self._making:
                self._calm.notify_all()
            return was_making


class Polite(HistoryReader):
    """Answers as ``reader`` does, and gives way before each question. Of many scenarios it asks for a few at once.

    The parts of an answer may be of different moments: whoever uses it checks afterwards that nothing changed.
    """

    def __init__(self, reader: HistoryReader, give_way: Callable[[], None]) -> None:
        self._reader, self._give_way = reader, give_way

    def results(self, ask: Ask) -> tuple[PastScenario, ...]:
        names = ask.scenarios
        if len(names) <= AT_ONCE:
            self._give_way()
            return self._reader.results(ask)
        parts = (names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE))
        return newest_of_each((one for part in parts for one in self.results(structs.replace(ask, scenarios=part))), None)

    def known(self) -> tuple[PastScenario, ...]:
        self._give_way()
        return self._reader.known()

    def invocations(self, *, since: int | None = None, before: int | None = None) -> tuple[PastInvocation, ...]:
        self._give_way()
        return self._reader.invocations(since=since, before=before)
