"""How patient the outbox is: pauses that grow and are jittered, when it gives up, how long a sender is believed to be alive.

Takes chance as a function, so that a test decides it. Gives spans in nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from meshkit_chaos.slo import Duration

Chance = Callable[[], float]
"""A number from 0 to 1, as ``random.random``."""
SECOND: Final = 10**9
_MOST_DOUBLINGS: Final = 40


class Patience(Struct, frozen=True, kw_only=True):
    """``first`` and ``most``: the pause after the first attempt, and the longest one.

    It gives up on a row after ``attempts``, or after ``age`` since it was due if ``enough`` attempts were made by then.
    ``lease``: a sender that has not settled a row for so long is dead; it must be longer than a channel can take for one
    attempt.
    """

    first: Duration = Duration(2 * SECOND)
    most: Duration = Duration(15 * 60 * SECOND)
    attempts: int = 60
    enough: int = 5
    age: Duration = Duration(3 * 24 * 3600 * SECOND)
    lease: Duration = Duration(3 * 60 * SECOND)

    def pause(self, attempts: int, chance: Chance) -> int:
        """How long to wait after so many attempts: doubled each time, then between half of it and all of it."""
        whole = min(self.first.ns << min(max(attempts - 1, 0), _MOST_DOUBLINGS), self.most.ns)
        return whole // 2 + int(whole / 2 * chance())

    def is_over(self, *, attempts: int, age: int) -> bool:
        return attempts >= self.attempts or (attempts >= self.enough and age >= self.age.ns)
