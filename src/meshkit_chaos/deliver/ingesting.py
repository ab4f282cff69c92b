"""Results into a history and what people are told of them into its outbox, in one transaction: both are there, or neither.

Takes a function that decides (pure: history, what was told so far, now → actions) and gives what it decided. Whoever decides
holds the outbox: it sees what everybody before decided, and the results that the same transaction took in. ``rehearsed`` does
all of it and takes it back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Connection

from meshkit_chaos.deliver.action import Action, Told
from meshkit_chaos.deliver.outbox import Now, deciding, enqueue, told
from meshkit_chaos.history.database import database_ns
from meshkit_chaos.history.index import Added, Derived, Documents, History, no_documents, put_state
from meshkit_chaos.history.model import HistoryReader, PastInvocation, PastScenario
from meshkit_chaos.history.reading import IndexReader, Underway, whole_invocation

Decide = Callable[[HistoryReader, Sequence[Told], int], tuple[Action, ...]]
"""History, what was decided before, and now (wall-clock ns) → actions with reasons. The same again gives the same keys."""
DecideResults = Callable[[PastInvocation, tuple[PastScenario, ...]], Decide]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """``new``: actions that were written. ``known``: those that had been, so that nothing more comes of them. ``touched``: the
    keys of all rows that changed, also those that are replaced. ``about``: the invocations that were decided on."""

    new: tuple[Action, ...] = ()
    known: tuple[Action, ...] = ()
    about: frozenset[str] = frozenset()

    @property
    def touched(self) -> frozenset[str]:
        return frozenset(key for action in self.new for key in (action.key, *action.replaces))

    def __add__(self, other: Decided) -> Decided:
        return Decided(new=self.new + other.new, known=self.known + other.known, about=self.about | other.about)


def decide_within(connection: Connection, decide: Decide, *, about: str = "", now: Now = database_ns) -> Decided:
    """Decide and write what was decided, in a transaction that the caller holds. ``about``: an invocation."""
    deciding(connection)
    actions = decide(IndexReader(Underway(connection)), told(connection, about=about, now=now), now(connection))
    new = frozenset(enqueue(connection, actions))
    return Decided(
        new=tuple(one for one in actions if one.key in new),
        known=tuple(one for one in actions if one.key not in new),
        about=frozenset({about} if about else ()),
    )


def tell(history: History, decide: Decide) -> Decided:
    """Decide by what the history knows."""
    with history.database.writing() as connection:
        return decide_within(connection, decide)


def tell_results(
    history: History, out: Path, decide: DecideResults, *, documents: Documents = no_documents
) -> tuple[Added, Decided]:
    """Take in the results in a folder, and decide what people are told of them. Twice is once.

    Results that were taken in before are decided all the same: whoever took them in may have told nobody.
    """
    found: list[Decided] = []

    def within(connection: Connection, invocation: PastInvocation, scenarios: tuple[PastScenario, ...]) -> None:
        found[:] = [decide_within(connection, decide(invocation, scenarios), about=invocation.invocation)]

    added = history.add(out, documents=documents, within=within)
    return added, found[0] if found else tell_known(history, added.invocation, decide)


def tell_known(history: History, invocation: str, decide: DecideResults) -> Decided:
    """Decide what people are told of results that are in the history."""
    with history.database.writing() as connection:
        known = whole_invocation(connection, invocation)
        return decide_within(connection, decide(*known), about=invocation) if known else Decided()


def rehearsed(
    history: History, states: Sequence[Derived], known: Sequence[str], decide: DecideResults, more: Sequence[Decide] = ()
) -> tuple[Decided, dict[tuple[str, str], tuple[Told, ...]]]:
    """As the above, for results that may not be in the history: what would be decided, and what was delivered before in each
    thread (by channel and thread). Nothing of it stays."""
    decided = Decided()
    with history.database.writing() as connection:
        for state in states:
            put_state(connection, state)
            decided += decide_within(connection, decide(state.invocation, state.scenarios), about=state.invocation.invocation)
        for name in known:
            if (whole := whole_invocation(connection, name)) is not None:
                decided += decide_within(connection, decide(*whole), about=name)
        for one in more:
            decided += decide_within(connection, one)
        threads = _threads(told(connection))
        connection.rollback()
    return decided, threads


def _threads(every: Sequence[Told]) -> dict[tuple[str, str], tuple[Told, ...]]:
    found: dict[tuple[str, str], tuple[Told, ...]] = {}
    for one in every:
        if one.state == "delivered":
            place = (one.action.channel, one.action.thread)
            found[place] = (*found.get(place, ()), one)
    return found
