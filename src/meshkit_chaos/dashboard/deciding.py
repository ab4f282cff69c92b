"""The gate's decision for pages that cannot wait for it: over a large history it takes seconds, and a page must not.

Takes how to decide and a word for the state of what is decided about. A decision is made beside the pages, one at a time, and
gives way to them. Who asks waits a moment for it, unless the last one took far longer, and is told whether what there is speaks
for the state of now. It is made again when the state or the overrides change, and after a while, since time alone lets evidence
grow old: the longer it took, the later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Final

from msgspec import Struct

from meshkit_chaos.clock import Clock
from meshkit_chaos.dashboard.giving_way import Polite, Traffic
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.history.model import HistoryReader

PATIENCE_S: Final = 0.04
AGAIN: Final = 20
"""When a decision is so many times as old as it took to make, it is made again; at twice that age it speaks for now no more."""
_HOPELESS: Final = 5
"""Where the last decision took so many times the patience, nobody waits for the next one."""
_LEAST_NS: Final = 5 * 10**9
"""And so young it always does, however quickly it was made."""


class Said(Struct, frozen=True, kw_only=True):
    """``current``: the decision is about what the history holds now; else it is an older one, or none was made yet."""

    decision: Decision | None = None
    current: bool = True


class Decider:
    """Decides at once, for who can wait. ``traffic``: the pages that are being made."""

    def __init__(self, traffic: Traffic | None = None) -> None:
        self.traffic = traffic or Traffic()

    def polite(self, reader: HistoryReader) -> HistoryReader:
        """The reader to decide by."""
        return reader

    def standing(self, about: object, make: Callable[[], Decision | None]) -> Said:
        del about
        return Said(decision=make())


class Beside(Decider):
    """Decides in a thread of its own. For many threads that ask."""

    def __init__(
        self,
        state: Callable[[], Hashable],
        clock: Clock,
        *,
        patience_s: float = PATIENCE_S,
        traffic: Traffic | None = None,
    ) -> None:
        super().__init__(traffic)
        self._state, self._clock, self._patience_s = state, clock, patience_s
        self._hopeless = False
        self._gave_ns = 0
        self._lock = threading.Lock()
        self._work: Future[None] | None = None
        self._held: _Held | None = None

    def polite(self, reader: HistoryReader) -> HistoryReader:
        """Deciding gives way to the pages."""
        return Polite(reader, self._give_way)

    def _give_way(self) -> None:
        began = self._clock.monotonic_ns()
        self.traffic.give_way()
        self._gave_ns += self._clock.monotonic_ns() - began

    def standing(self, about: object, make: Callable[[], Decision | None]) -> Said:
        """``about``: what it depends on beside the history. Raises what deciding raised."""
        key = (self._state(), about)
        for _ in range(2):  # the first may have to wait for one about an older state
            with self._lock:
                if self._held is not None and self._held.key == key and self._clock.monotonic_ns() < self._held.until:
                    return self._held.standing(current=True)
                work = self._work = self._work or self._begun(key, make)
            if not self._waited(work):
                break
        with self._lock:
            held = self._held
        if held is None:
            return Said(current=False)
        return held.standing(current=held.key == key and self._clock.monotonic_ns() <= held.too_old, again=held.key != key)

    def _waited(self, work: Future[None]) -> bool:
        """Whether it is done, perhaps after a moment."""
        if self._hopeless and not work.done():
            return False
        try:
            with self.traffic.aside():
                work.result(self._patience_s)
        except TimeoutError:
            return False
        return True

    def _begun(self, key: Any, make: Callable[[], Decision | None]) -> Future[None]:
        work: Future[None] = Future()
        threading.Thread(target=self._decide, args=(work, key, make), name="gate", daemon=True).start()
        return work

    def _decide(self, work: Future[None], key: Any, make: Callable[[], Decision | None]) -> None:
        began, gave = self._clock.monotonic_ns(), self._gave_ns
        decision, problem = None, None
        self._give_way()
        try:
            decision = make()
        except BaseException as error:  # noqa: BLE001  # whoever asks is told
            problem = error
        ended = self._clock.monotonic_ns()
        with self._lock:
            took = ended - began - (self._gave_ns - gave)  # the work itself
            self._held = _Held(key, decision, problem, took=took, ended=ended)
            self._hopeless = took > _HOPELESS * self._patience_s * 10**9
            self._work = None
        work.set_result(None)


class _Held:
    """What came of deciding. A problem is told until deciding ends otherwise: who asked may not have waited for it."""

    def __init__(self, key: Any, decision: Decision | None, problem: BaseException | None, *, took: int, ended: int) -> None:
        self.key, self._decision, self._problem = key, decision, problem
        self.until = ended + AGAIN * took
        self.too_old = ended + max(2 * AGAIN * took, _LEAST_NS)

    def standing(self, *, current: bool, again: bool = False) -> Said:
        """``again``: it is about an older state, whose problems are no more of interest."""
        if self._problem is not None and not again:
            raise self._problem
        return Said(decision=self._decision, current=current)
