"""What is kept of answers, step by step of a history: whole answers, and parts that belong to one invocation each.

Takes the steps, and how an answer is made, or made of the one before. What cannot be read is not kept: whoever asked is told,
and the next one asks again. For many threads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from meshkit_chaos.dashboard.steps import Steps
from meshkit_chaos.history.model import Built, Cell

Extend = Callable[[Any, frozenset[str]], Any]
"""An answer and the invocations that changed since → the answer of now; None: it must be made anew."""
Part = TypeVar("Part", Cell, Built)


def made_anew(held: Any, changed: frozenset[str]) -> None:
    """Any change may change the answer."""
    del held, changed


class Kept:
    """At most so many answers of one kind, those that were wanted last."""

    def __init__(self, steps: Steps, *, most: int) -> None:
        self._steps, self._most = steps, most
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()

    def answer(self, key: Hashable, make: Callable[[], Any], extend: Extend = made_anew) -> Any:
        """What is kept, if nothing changed since; else what ``extend`` or ``make`` gives, which is then kept."""
        now = self._steps.now()
        with self._lock:
            step, held = self._answers.get(key, (-1, None))
            if step < now:
                held = self._of_now(step, held, make, extend)
                self._answers[key] = now, held
                while len(self._answers) > self._most:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            return held

    def _of_now(self, step: int, held: Any, make: Callable[[], Any], extend: Extend) -> Any:
        changed = self._steps.since(step) if step >= 0 else None
        found = extend(held, changed) if changed is not None else None
        return make() if found is None else found


class Parts(Generic[Part]):
    """What each invocation holds of one kind, which no other invocation changes. At most so many values, the last wanted."""

    def __init__(self, steps: Steps, *, most: int) -> None:
        self._steps, self._most = steps, most
        self._lock = threading.Lock()
        self._step, self._count = 0, 0
        self._held: OrderedDict[str, list[Part]] = OrderedDict()

    def of(self, invocations: Sequence[str], read: Callable[[Sequence[str]], Iterable[Part]]) -> list[Part]:
        """The values of these, one invocation after the other. ``read`` is asked for those that are not held."""
        now = self._steps.now()
        wanted = list(dict.fromkeys(invocations))
        with self._lock:
            self._move_on(now)
            lacking = [name for name in wanted if name not in self._held]
            if lacking:
                self._take_in(lacking, read(lacking))
            for name in wanted:
                self._held.move_to_end(name)
            found = [one for name in wanted for one in self._held[name]]
            self._let_go()
            return found

    def _move_on(self, now: int) -> None:
        if now <= self._step:
            return
        changed = self._steps.since(self._step)
        for name in list(self._held) if changed is None else changed & self._held.keys():
            self._count -= len(self._held.pop(name))
        self._step = now

    def _take_in(self, names: Sequence[str], values: Iterable[Part]) -> None:
        came: dict[str, list[Part]] = {name: [] for name in names}
        for one in values:
            came[one.invocation].append(one)
        self._held.update(came)
        self._count += sum(map(len, came.values()))

    def _let_go(self) -> None:
        while self._count > self._most or len(self._held) > self._most:
            self._count -= len(self._held.popitem(last=False)[1])
