"""What was decided before, by thread: which are open, what they tell of, and what is still to be sent. Pure.

A thread on a channel is a cause, a night, a gate or an override. One of a cause begins with a failure, is open until it is told
as recovered, and may begin again: that is its next episode.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from meshkit_chaos.deliver.action import Action, Occasion, Told
from meshkit_chaos.deliver.cause import UNPROVEN, Cause
from meshkit_chaos.slo import Duration

BEGINNINGS: Final[frozenset[Occasion]] = frozenset({"first-failure", "environment-dirty", "nightly-missing"})
GOING_ON: Final[frozenset[Occasion]] = frozenset({*BEGINNINGS, "still-failing", "changed"})


@dataclass(frozen=True)
class Thread:
    """All that was decided in one thread on one channel, in its order."""

    key: str
    told: tuple[Told, ...]

    @cached_property
    def valid(self) -> tuple[Told, ...]:
        """Without what later ones said instead."""
        return tuple(one for one in self.told if one.state != "superseded")

    @property
    def last(self) -> Action | None:
        return self.valid[-1].action if self.valid else None

    @property
    def open(self) -> bool:
        return self.last is not None and self.last.occasion in GOING_ON

    @cached_property
    def episode(self) -> int:
        """The newest episode; 0 where there was none."""
        return max((one.action.episode for one in self.told), default=0)

    @cached_property
    def now(self) -> tuple[Told, ...]:
        """What was decided in the newest episode, superseded or not."""
        newest = self.episode
        return tuple(one for one in self.told if one.action.episode == newest)

    @property
    def turn(self) -> int:
        """The next turn of the newest episode."""
        return max((one.action.turn for one in self.now), default=-1) + 1

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """Every cause that this episode told of, the thread's own first."""
        return tuple(dict.fromkeys(cause for one in self.now for cause in one.action.causes))

    @cached_property
    def members(self) -> tuple[Cause, ...]:
        """Of these, the ones that a result can show."""
        return tuple(cause for cause in self.causes if not cause.storm)

    @cached_property
    def scopes(self) -> dict[tuple[str, str], tuple[Cause, ...]]:
        """The members by what can show them: in a storm there may be thousands."""
        found: dict[tuple[str, str], list[Cause]] = {}
        for cause in self.members:
            found.setdefault((cause.scenario, cause.environment_class), []).append(cause)
        return {scope: tuple(causes) for scope, causes in found.items()}

    @property
    def shared(self) -> Cause | None:
        """What its members have in common, where it is a storm."""
        return next((cause for cause in self.causes if cause.storm), None)

    @property
    def invocations(self) -> frozenset[str]:
        return frozenset(name for one in self.now for name in one.action.invocations)

    def covers(self, invocation: str) -> bool:
        """Whether something was decided here of an invocation, in any episode."""
        return any(invocation in one.action.invocations for one in self.told)

    @property
    def failed_at(self) -> int:
        """The newest failure that this episode told of, wall-clock ns; 0 where there is none."""
        return max((one.action.ticket.failed_at for one in self.now if one.action.ticket), default=0)

    @property
    def waiting(self) -> tuple[Action, ...]:
        """Digests that were decided and not tried yet: a newer one says the same and more."""
        return tuple(
            one.action
            for one in self.now
            if one.state == "pending" and not one.attempts and one.action.occasion == "still-failing"
        )

    def holds(self, cause: Cause) -> bool:
        """Whether this episode tells of a cause. One that proves nothing is not told apart by why it does not."""
        alike = self.scopes.get((cause.scenario, cause.environment_class), ())
        return cause in alike or (cause.kind in UNPROVEN and any(one.kind in UNPROVEN for one in alike))

    def next_due(self, every: Duration) -> int:
        """When it may be told again, wall-clock ns. What nobody received does not put it off."""
        if self.waiting:
            return min(action.not_before for action in self.waiting)
        told = [one for one in self.now if one.state != "superseded"]
        if not told or told[-1].state == "dead":
            return 0
        last = told[-1]
        return max(last.action.at, last.action.not_before, last.settled_at or 0) + every.ns

    def reopened(self, within: Duration) -> int:
        """How often in a row it began again within a span of having recovered."""
        count, recovered = 0, None
        for one in self.valid:
            if one.action.occasion == "recovered":
                recovered = one.action.at
            elif one.action.occasion in BEGINNINGS and recovered is not None:
                count = count + 1 if one.action.at - recovered <= within.ns else 0
                recovered = None
        return count


def threads(told: Iterable[Told], channel: str) -> dict[str, Thread]:
    """The threads of one channel."""
    found: dict[str, list[Told]] = {}
    for one in told:
        if one.action.channel == channel:
            found.setdefault(one.action.thread, []).append(one)
    ordered = {
        key: sorted(ones, key=lambda one: (one.action.episode, one.action.turn, one.action.at)) for key, ones in found.items()
    }
    return {key: Thread(key, tuple(ones)) for key, ones in ordered.items()}


def opened(key: str, found: dict[str, Thread]) -> Thread:
    """A thread by its key, or an empty one."""
    return found.get(key) or Thread(key, ())
