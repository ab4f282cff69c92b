"""One ticket per cause: what is to be done with it now. Pure.

Takes what the results ask for (``Ticket``), every ticket of that cause as the tracker shows it now, and the rules; gives one
step with its reason. It refuses to open a second ticket beside an open one, to reopen what a person closed as not to be fixed,
and to close before enough clean results. What people wrote, chose or assigned is never part of a step: we add comments, and we
open and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.action import Ticket
from meshkit_chaos.deliver.settings import Rules

Doing = Literal["open", "comment", "reopen", "close", "leave"]
WAIVER: str = "a waiver is needed if the gate is to open all the same"


class Shown(Struct, frozen=True, kw_only=True):
    """A ticket as the tracker shows it now. ``order`` grows with creation; instants are wall-clock ns.

    ``refused``: closed as won't fix, not planned, or the like. ``duplicate``: closed as the double of another. ``marked``: its
    description has our marker. ``said``: that description. ``author``: who opened it.
    """

    reference: str
    order: int
    open: bool
    url: str = ""
    closed_at: int | None = None
    refused: bool = False
    duplicate: bool = False
    marked: bool = True
    said: str = ""
    author: str = ""


class Step(Struct, frozen=True, kw_only=True):
    """What to do, and why. ``on``: with which ticket; None where one is opened or there is none.

    ``doubles``: ours, to be closed as duplicates of ``on``. ``earlier``: the closed one that a new one should name.
    """

    do: Doing
    reason: str
    on: Shown | None = None
    doubles: tuple[Shown, ...] = ()
    earlier: Shown | None = None


def next_step(wish: Ticket, shown: Sequence[Shown], *, rules: Rules) -> Step:
    """What to do for this wish. ``shown``: all tickets of the cause, open and closed, in any order."""
    standing = sorted((ticket for ticket in shown if ticket.open), key=lambda ticket: ticket.order)
    if standing:
        kept, *others = standing
        return _while_open(wish, kept, rules=rules, doubles=_doubles(kept, others))
    last = newest_closed(shown)
    if wish.wish == "clean":
        return Step(do="leave", on=last, reason="it is closed already" if last else "it has no ticket")
    if last is None:
        return Step(do="open", reason="it has no ticket")
    return _after_closing(wish, last, rules=rules)


def _doubles(kept: Shown, others: Sequence[Shown]) -> tuple[Shown, ...]:
    """Those that we opened too: with our marker, and by whoever opened the one that is kept."""
    return tuple(other for other in others if other.marked and other.author == kept.author)


def newest_closed(shown: Sequence[Shown]) -> Shown | None:
    """The ticket that was closed last; one that was only the double of another counts where there is nothing else."""
    closed = [ticket for ticket in shown if not ticket.open]
    proper = [ticket for ticket in closed if not ticket.duplicate] or closed
    return max(proper, key=lambda ticket: (ticket.closed_at or 0, ticket.order), default=None)


def _while_open(wish: Ticket, kept: Shown, *, rules: Rules, doubles: tuple[Shown, ...]) -> Step:
    if wish.wish != "clean":
        why = "it fails differently" if wish.wish == "changed" else "it still fails"
        return Step(do="comment", on=kept, doubles=doubles, reason=why)
    if wish.clean < rules.close_after:
        why = f"clean {wish.clean} of the {rules.close_after} times in a row that close it"
        return Step(do="leave", on=kept, doubles=doubles, reason=why)
    if wish.flapping:
        why = f"clean {wish.clean} times in a row, but it came back so often that a person must close it"
        return Step(do="comment", on=kept, doubles=doubles, reason=why)
    return Step(do="close", on=kept, doubles=doubles, reason=f"clean {wish.clean} times in a row")


def _after_closing(wish: Ticket, last: Shown, *, rules: Rules) -> Step:
    if last.refused or last.duplicate:
        how = "as not to be fixed" if last.refused else "as a duplicate of something else"
        return Step(do="leave", on=last, reason=f"a person closed it {how}, and it is not reopened: {WAIVER}")
    if last.closed_at is None:
        return Step(do="reopen", on=last, reason="it was closed, and fails")
    if wish.failed_at <= last.closed_at:
        why = f"the failure of {minute(wish.failed_at)} is older than its closing at {minute(last.closed_at)}"
        return Step(do="leave", on=last, reason=why)
    if wish.failed_at - last.closed_at > rules.reopen_within.ns:
        why = f"the last one was closed at {minute(last.closed_at)}, longer ago than {rules.reopen_within}"
        return Step(do="open", earlier=last, reason=why)
    why = f"fixed by {minute(last.closed_at)}, back at {minute(wish.failed_at)}"
    return Step(do="reopen", on=last, reason=why)
