"""What a channel must be able to do: the protocol between the outbox and Slack, Teams, mail, webhooks and trackers.

A channel never retries, never sleeps and never raises for what a server does: it tries once, within its time-out, and says what
came of it. Retries, limits and what to do when unsure belong to the outbox, so that they are the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from meshkit_chaos.deliver.action import Action, Look, Outcome, Told
from meshkit_chaos.slo import Duration

WhenUnsure = Literal["repeat", "look", "hold"]
"""What is right after an attempt that may have arrived. ``repeat``: sending again does no harm (the same key, labels or message
id), or less harm than silence. ``look``: ask the channel first. ``hold``: a person decides.
"""


class Rate(Struct, frozen=True, kw_only=True):
    """At most ``count`` requests in ``per``, by everybody who sends to ``bucket``."""

    bucket: str
    count: int
    per: Duration


class Rendered(Struct, frozen=True, kw_only=True):
    """What would be sent, for ``notify preview`` and goldens: never with a secret in it.

    ``size`` of ``budget``, in ``unit`` (bytes or characters), as the channel counts. ``dropped``: what there was no room for.
    """

    method: str
    target: str
    body: str
    size: int
    budget: int
    unit: Literal["bytes", "characters"] = "bytes"
    dropped: tuple[str, ...] = ()


class Sender(Protocol):
    """One channel of the routes file, ready to send."""

    @property
    def rates(self) -> tuple[Rate, ...]:
        """Every limit that a send counts against."""
        ...

    @property
    def when_unsure(self) -> WhenUnsure: ...

    @property
    def lag(self) -> Duration:
        """How late the channel may show what it took in: ``look`` proves an absence only after so long."""
        ...

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        """What ``send`` would say first, without sending or asking anything."""
        ...

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        """Try once. ``thread``: what was delivered before in the same thread on this channel, oldest first."""
        ...

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        """Whether an earlier attempt at this action arrived."""
        ...

    def close(self) -> None: ...
