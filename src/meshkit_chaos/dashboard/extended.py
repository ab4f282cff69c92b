"""An answer that was given before, and what changed since → the answer of now, without asking for all of it again. Pure.

It holds for questions about the newest results of each scenario. As long as nothing that is held vanished, the newest of what
is held and of what changed are the newest of all. Where something did (it was pruned, marked, or is no more what is asked for),
older results come up that nobody knows here: the answer is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshkit_chaos.history.memory import asked, newest_of_each
from meshkit_chaos.history.model import Ask, PastScenario

ALL_NEWEST = Ask(newest=1, invalidated=True)
"""What is known of each scenario."""


def extended(
    held: Sequence[PastScenario], ask: Ask, changed: Mapping[str, Sequence[PastScenario]]
) -> tuple[PastScenario, ...] | None:
    """``changed``: all results of each invocation that changed, in their order; none of one that is gone. Newest first."""
    came = [one for several in changed.values() for one in several if asked(one, ask)]
    instants = {(one.invocation, one.scenario): one.at for one in came}
    stayed = [one for one in held if one.invocation not in changed]
    replaced = (one for one in held if one.invocation in changed)
    if any(instants.get((one.invocation, one.scenario)) != one.at for one in replaced):
        return None
    return newest_of_each([*stayed, *came], ask.newest)
