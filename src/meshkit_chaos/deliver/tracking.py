"""A tracker as a channel: find the ticket of a cause, decide its next step, take it, and say what came of it.

Takes a ``Tracker`` (GitHub, Jira) that knows how things are asked for there; gives a ``Sender``. A ticket is found by our own
record first, then by its label and its marker. Sending is safe to repeat once the tracker shows what it took in: every text
holds the key of its delivery, and one that is there is not written again. Raises nothing for what a tracker does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Struct

from meshkit_chaos.deliver.action import (
    Action,
    Again,
    CannotLook,
    Delivered,
    Found,
    Look,
    NotThere,
    Outcome,
    Receipt,
    Refused,
    Ticket,
    Told,
    Unsure,
)
from meshkit_chaos.deliver.sending import Rate, Rendered, WhenUnsure
from meshkit_chaos.deliver.settings import Owner, Rules
from meshkit_chaos.deliver.ticket_life import Shown, Step, next_step
from meshkit_chaos.deliver.ticket_text import (
    Block,
    Owned,
    answer,
    delivery_key,
    farewell,
    marks_delivery,
    opening,
    ticket_key,
    title_of,
)
from meshkit_chaos.slo import Duration

_MARGIN_NS: Final = 3600 * 10**9
"""How far the tracker's clock may be behind ours when we ask for the comments since an action was decided."""
_DID: Final = {"comment": "commented", "reopen": "reopened", "close": "closed", "leave": "left"}


class Stopped(Exception):
    """A tracker's answer that ends an attempt."""

    def __init__(self, outcome: Again | Unsure | Refused) -> None:
        super().__init__(outcome.why)
        self.outcome = outcome


class Draft(Struct, frozen=True, kw_only=True):
    """A ticket that is about to be opened. ``key`` marks it; ``labels`` are the cause's own, beside the channel's."""

    title: str
    blocks: tuple[Block, ...]
    key: str
    labels: tuple[str, ...] = ()
    assignee: str = ""


class Opened(Struct, frozen=True, kw_only=True):
    reference: str
    url: str
    note: str = ""


class Tracker(Protocol):
    """What a tracker can do. Each call is one attempt, and raises ``Stopped`` where it did not succeed."""

    @property
    def rates(self) -> tuple[Rate, ...]: ...

    @property
    def lag(self) -> Duration: ...

    def owned(self, owner: Owner) -> Owned:
        """How the tracker knows an owner."""
        ...

    def fetch(self, reference: str) -> Shown | None:
        """One ticket, or None where it is not there any more."""
        ...

    def marked(self, key: str) -> Sequence[Shown]:
        """Every ticket with the cause's label, or where there is none, with its marker."""
        ...

    def comments(self, reference: str, *, since: int) -> Iterable[str]:
        """The comments since then, as plain text or markup with the markers' lines whole."""
        ...

    def drafted(self, draft: Draft) -> Rendered: ...
    def open(self, draft: Draft) -> Opened: ...
    def said(self, reference: str, blocks: Sequence[Block]) -> Rendered: ...
    def say(self, reference: str, blocks: Sequence[Block]) -> None: ...
    def reopen(self, reference: str) -> None: ...
    def close(self, reference: str) -> None: ...
    def close_double(self, reference: str, *, kept: Shown) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tickets:
    """The ``Sender`` of a tracker. It looks before it repeats, for a ticket that is opened twice is seen by everybody."""

    tracker: Tracker
    rules: Rules
    owners: tuple[Owner, ...] = ()

    @property
    def rates(self) -> tuple[Rate, ...]:
        return self.tracker.rates

    @property
    def when_unsure(self) -> WhenUnsure:
        return "look"

    @property
    def lag(self) -> Duration:
        return self.tracker.lag

    def close(self) -> None:
        """Nothing is kept open."""

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        """The first text that would be written, if the tracker shows what our record says; ``…`` is a ticket without record."""
        wish = _wish(action)
        known = _recorded(thread)
        if known is None and wish is not None and wish.wish != "clean":
            return self.tracker.drafted(self._draft(action, Step(do="open", reason="it has no ticket")))
        known = known or Receipt(did="", reference="…")
        on = Shown(reference=known.reference, order=0, open=known.did != "closed")
        step = next_step(wish, [on], rules=self.rules) if wish else Step(do="leave", on=on, reason="it is about no cause")
        return self.tracker.said(on.reference, answer(action, step))

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        """Take the next step of the ticket's life."""
        wish = _wish(action)
        if wish is None:
            why = f"a message of the occasion {action.occasion} is about no cause, and a tracker keeps tickets of causes"
            return Refused(why=why, who="author", hint="route this occasion to a chat, mail or webhook")
        done: list[str] = []
        try:
            return Delivered(receipt=self._sent(action, wish, thread, done))
        except Stopped as stopped:
            return _after(done, stopped.outcome)

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        """Whether the ticket shows what this action was to leave there: the text and the state."""
        wish = _wish(action)
        if wish is None:
            return NotThere()
        try:
            shown = self._shown(action, thread)
            if (opened := _opened_by(action, shown)) is not None:
                return Found(receipt=_receipt("opened", opened))
            step = next_step(wish, shown, rules=self.rules)
            if step.on is None or step.do in {"close", "reopen"} or not self._is_told(action, step.on):
                return NotThere()
            return Found(receipt=_receipt("commented" if step.on.open else "closed", step.on))
        except Stopped as stopped:
            return CannotLook(why=stopped.outcome.why, retry=not isinstance(stopped.outcome, Refused))

    def _sent(self, action: Action, wish: Ticket, thread: Sequence[Told], done: list[str]) -> Receipt:
        """``done`` grows with everything that the tracker took in."""
        shown = self._shown(action, thread)
        step = next_step(wish, shown, rules=self.rules)
        if step.on is not None:
            self._close_doubles(action, step.on, step.doubles, done)
        if (opened := _opened_by(action, shown)) is not None:
            return _receipt("opened", opened)
        if step.on is None:
            if step.do == "leave":
                return Receipt(did="left", note=step.reason)
            return self._opened(action, step)
        if step.do != "leave":
            self._answered(action, step, step.on, done)
        return _receipt(_DID[step.do], step.on, note=step.reason)

    def _opened(self, action: Action, step: Step) -> Receipt:
        found = self.tracker.open(self._draft(action, step))
        if action.occasion == "test":
            self.tracker.close(found.reference)
        return Receipt(did="opened", reference=found.reference, url=found.url, note=found.note)

    def _answered(self, action: Action, step: Step, on: Shown, done: list[str]) -> None:
        """The comment first, then the state: what breaks off in between is finished by sending again."""
        if not self._is_told(action, on):
            self.tracker.say(on.reference, answer(action, step))
            done.append("commented")
        if step.do == "reopen":
            self.tracker.reopen(on.reference)
        if step.do == "close" or action.occasion == "test":
            self.tracker.close(on.reference)

    def _close_doubles(self, action: Action, kept: Shown, doubles: Iterable[Shown], done: list[str]) -> None:
        for double in doubles:
            if not self._is_told(action, double):
                self.tracker.say(double.reference, farewell(action, kept))
                done.append("commented")
            self.tracker.close_double(double.reference, kept=kept)
            done.append("closed")

    def _shown(self, action: Action, thread: Sequence[Told]) -> list[Shown]:
        """Every ticket of the cause: what our record names, as it is now, and what the tracker lists."""
        found = {ticket.reference: ticket for ticket in self.tracker.marked(ticket_key(action))}
        recorded = _recorded(thread)
        ticket = self.tracker.fetch(recorded.reference) if recorded is not None else None
        if recorded is not None and ticket is not None and _place(recorded.url) in ("", _place(ticket.url)):
            found[ticket.reference] = ticket
        return list(found.values())

    def _is_told(self, action: Action, on: Shown) -> bool:
        key = delivery_key(action)
        return any(marks_delivery(text, key) for text in self.tracker.comments(on.reference, since=action.at - _MARGIN_NS))

    def _draft(self, action: Action, step: Step) -> Draft:
        ticket = action.ticket
        name = (ticket.owner if ticket else "") or next(iter(action.message.mention), "")
        owner = next((owner for owner in self.owners if owner.name == name), None)
        owned = self.tracker.owned(owner) if owner else Owned(name=name)
        return Draft(
            title=title_of(action.message),
            blocks=opening(action, step, owned),
            key=ticket_key(action),
            labels=ticket.labels if ticket else (),
            assignee=owned.assignee,
        )


def _wish(action: Action) -> Ticket | None:
    if action.ticket is None and action.occasion == "test":
        return Ticket(wish="failing", failed_at=action.at)
    return action.ticket


def _recorded(thread: Sequence[Told]) -> Receipt | None:
    """What our record says of the ticket that it names last."""
    named = [told.receipt for told in thread if told.receipt is not None and told.receipt.reference]
    return named[-1] if named else None


def _place(url: str) -> str:
    """The repository or site of a ticket's address. A channel may have got another one since: numbers mean others there."""
    return url.rpartition("/")[0]


def _opened_by(action: Action, shown: Iterable[Shown]) -> Shown | None:
    """The oldest ticket whose description this action wrote."""
    key = delivery_key(action)
    return min((one for one in shown if marks_delivery(one.said, key)), key=lambda one: one.order, default=None)


def _after(done: list[str], outcome: Again | Unsure | Refused) -> Outcome:
    """Half of it arrived: it is not sent again before the tracker shows that half."""
    if done and isinstance(outcome, Again):
        return Unsure(why=f"{' and '.join(dict.fromkeys(done))}, then {outcome.why}")
    return outcome


def _receipt(did: str, on: Shown, *, note: str = "") -> Receipt:
    return Receipt(did=did, reference=on.reference, url=on.url, note=note)
