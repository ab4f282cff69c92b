"""What is to be sent, what became of it, and what a channel answers: the words between deciding, outbox and channels. Pure.

An *action* is one message for one channel, decided with a reason. Actions of one *thread* (a cause, a night, an environment) on
one channel are sent in the order in which they were decided, and later ones may answer or edit what earlier ones sent. ``key``
names an action for ever: deciding again gives the same key, and the same key is never sent twice knowingly.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.slo import Duration

Occasion = Literal[
    "summary",
    "first-failure",
    "still-failing",
    "changed",
    "recovered",
    "gate-blocked",
    "gate-opened",
    "override-used",
    "override-expiring",
    "nightly-missing",
    "environment-dirty",
    "test",
]
State = Literal["pending", "sending", "delivered", "ambiguous", "dead", "superseded"]
"""``sending``: somebody may be at it, or died at it. ``ambiguous``: it may have arrived; it is looked for before it is sent
again, or held where the channel cannot look. ``dead``: it will not be sent unless somebody says so. ``superseded``: a later one
says it.
"""
Became = Literal["pending", "sending", "delivered", "ambiguous", "dead", "superseded", "dropped"]
"""A state as people think of it. ``dropped``: dead, because a person gave it up; it needs nobody any more."""
OPEN: frozenset[State] = frozenset({"pending", "sending", "ambiguous"})
DROPPED: Final = "dropped"
"""What a receipt says was done with a row that a person gave up."""
Wish = Literal["failing", "changed", "clean"]


class Ticket(Struct, frozen=True, kw_only=True):
    """What a tracker needs beside the message. ``wish``: the cause shows itself, shows itself differently, or did not.

    ``failed_at``: wall-clock ns of the newest failure, to compare with when a person closed the ticket. ``clean``: how many
    nights in a row were clean. ``flapping``: it came back so often that it is no longer closed by itself.
    """

    wish: Wish
    failed_at: int
    clean: int = 0
    flapping: bool = False
    owner: str = ""
    labels: tuple[str, ...] = ()


class Action(Struct, frozen=True, kw_only=True):
    """One message for one channel. ``channel`` is its id in the routes file.

    ``reason``: why it goes there, in a sentence. ``edits``: it replaces what the thread's first message says where the channel
    can do that; otherwise it answers. ``loud``: at once and with mentions. ``not_before``: wall-clock ns. ``replaces``: the
    keys of actions that need not be sent any more if this one is. ``invocations``: whose results it tells.

    What a later decision reads: ``causes``, which causes it tells of, first the one that the thread is of; ``episode``, how
    often the thread has begun (from 1), and ``turn``, which of its actions in this episode this one is (from 0); ``as_of``,
    when the gate decided what it tells (wall-clock ns; 0 for what is no decision).
    """

    key: str
    channel: str
    thread: str
    occasion: Occasion
    message: Message
    reason: str
    at: int
    edits: bool = False
    loud: bool = False
    not_before: int = 0
    replaces: tuple[str, ...] = ()
    invocations: tuple[str, ...] = ()
    ticket: Ticket | None = None
    causes: tuple[Cause, ...] = ()
    episode: int = 1
    turn: int = 0
    as_of: int = 0


class Receipt(Struct, frozen=True, kw_only=True):
    """What a channel gave back. ``reference``: how the channel names the message or ticket; empty where it does not.

    ``did``: in a word (``sent``, ``edited``, ``opened``, ``commented``, ``reopened``, ``closed``, ``left``). ``shown`` False:
    the channel's answer does not prove that anybody sees it (Teams). ``note``: what people should know, such as why a ticket
    was left.
    """

    did: str
    reference: str = ""
    url: str = ""
    shown: bool = True
    note: str = ""
    details: dict[str, str] = {}


class Told(Struct, frozen=True, kw_only=True):
    """An action and what became of it so far. ``tried_at``: wall-clock ns of the last attempt's beginning."""

    action: Action
    state: State
    attempts: int = 0
    tried_at: int | None = None
    settled_at: int | None = None
    error: str = ""
    receipt: Receipt | None = None

    @property
    def became(self) -> Became:
        gave_up = self.state == "dead" and self.receipt is not None and self.receipt.did == DROPPED
        return "dropped" if gave_up else self.state


class Delivered(Struct, frozen=True, kw_only=True):
    receipt: Receipt


class Again(Struct, frozen=True, kw_only=True):
    """It surely did not arrive, and may later: ``after`` as the channel asked, None where it did not say.

    ``everybody``: the channel wants nothing more for so long, not only this (429, a secondary limit).
    """

    why: str
    after: Duration | None = None
    everybody: bool = False


class Unsure(Struct, frozen=True, kw_only=True):
    """It may have arrived: the connection broke, or time ran out, after something was sent."""

    why: str


class Refused(Struct, frozen=True, kw_only=True):
    """It will never arrive like this: a wrong token, channel or content. ``who`` must act, with ``hint``."""

    why: str
    who: Literal["author", "operator", "target", "us"] = "operator"
    hint: str = ""


Outcome = Delivered | Again | Unsure | Refused


class Found(Struct, frozen=True, kw_only=True):
    receipt: Receipt


class NotThere(Struct, frozen=True, kw_only=True):
    """It was looked for and is not there, as far as the channel shows by now."""


class CannotLook(Struct, frozen=True, kw_only=True):
    """The channel has no way to look, or did not answer: ``why``."""

    why: str
    retry: bool = False


Look = Found | NotThere | CannotLook
