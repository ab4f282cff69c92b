"""How a history moved on while somebody remembers answers: step by step, each with the invocations that changed in it.

Takes a word for the state of the history, which costs next to nothing, and who tells what changed since a moment: that is asked
after another word only. Other traffic in the same database changes the word and no invocation; that is no step.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Final

from meshkit_chaos.history.changed import Changed, Moment

_TOLD: Final = 64
"""So many steps are known one by one; of what is older than those, anything may have changed."""


class Steps:
    """Counts steps. For many threads."""

    def __init__(self, state: Callable[[], Hashable], changed: Callable[[Moment | None], Changed]) -> None:
        self._state, self._changed = state, changed
        self._lock = threading.Lock()
        self._word: Hashable = None
        self._moment: Moment | None = None
        self._step = 0
        self._told: deque[frozenset[str] | None] = deque(maxlen=_TOLD)

    def now(self) -> int:
        """What is read after this was asked is as new as this step, or newer."""
        word = self._state()
        with self._lock:
            if self._moment is None or word != self._word:
                told = self._changed(self._moment)
                if told.invocations is None or told.invocations:
                    self._step += 1
                    self._told.append(told.invocations)
                self._moment, self._word = told.moment, word
            return self._step

    def since(self, step: int) -> frozenset[str] | None:
        """The invocations that changed after a step, perhaps more; None: any may have."""
        with self._lock:
            count = self._step - step
            if count > len(self._told):
                return None
            names: frozenset[str] = frozenset()
            for told in list(self._told)[len(self._told) - count :]:
                if told is None:
                    return None
                names |= told
            return names


def anything(since: Moment | None) -> Changed:
    """Of a history that cannot tell: after each other word, any invocation may be another one."""
    del since
    return Changed(moment=Moment(watch=0, form="", seen=""), invocations=None)
