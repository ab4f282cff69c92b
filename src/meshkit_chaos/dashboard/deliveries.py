"""What was sent to whom, what waits, and what nobody knows to have arrived. Pure.

What needs a person stands first: dead and ambiguous rows, and those that were tried and did not get through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import State, Told
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import clipped, one_line

_TONES: Final[dict[State, VerdictName]] = {
    "pending": "not-run",
    "sending": "not-run",
    "delivered": "pass",
    "ambiguous": "inconclusive",
    "dead": "fail",
    "superseded": "not-run",
}
_NEEDS_SOMEBODY: Final[frozenset[State]] = frozenset({"dead", "ambiguous"})


class DeliveryLine(Struct, frozen=True, kw_only=True):
    """``href`` only where it is http or https: it comes from a server."""

    when: str
    channel: str
    occasion: str
    title: str
    state: State
    tone: VerdictName
    did: str
    href: str
    reason: str
    error: str

    @property
    def search(self) -> str:
        return " ".join((self.channel, self.occasion, self.title, self.state, self.did)).lower()


class DeliveriesPage(Struct, frozen=True, kw_only=True):
    sentence: str
    lines: tuple[DeliveryLine, ...]


def deliveries(told: Sequence[Told]) -> DeliveriesPage:
    """``told``: newest first."""
    ordered = sorted(told, key=_urgency)
    waiting = sum(one.state in _NEEDS_SOMEBODY for one in told)
    if not told:
        return DeliveriesPage(sentence="nothing was sent, and nothing waits", lines=())
    if not waiting:
        return DeliveriesPage(sentence="all in order", lines=lines(ordered))
    said = "1 delivery needs somebody" if waiting == 1 else f"{waiting} deliveries need somebody"
    return DeliveriesPage(sentence=said, lines=lines(ordered))


def lines(told: Iterable[Told]) -> tuple[DeliveryLine, ...]:
    return tuple(_line(one) for one in told)


def about(told: Iterable[Told], scenario: str) -> tuple[DeliveryLine, ...]:
    """Those of one scenario."""
    return lines(one for one in told if any(cause.scenario == scenario for cause in one.action.causes))


def _urgency(one: Told) -> tuple[bool, bool]:
    return one.state not in _NEEDS_SOMEBODY, not (one.state == "pending" and one.attempts > 0)


def _line(one: Told) -> DeliveryLine:
    receipt = one.receipt
    url = receipt.url if receipt is not None else ""
    shown = "" if receipt is None or receipt.shown else ", and nothing proves that it is shown"
    return DeliveryLine(
        when=minute(one.settled_at if one.settled_at is not None else one.action.at),
        channel=one_line(one.action.channel),
        occasion=one.action.occasion,
        title=clipped(one_line(one.action.message.title), 160),
        state=one.state,
        tone=_TONES[one.state],
        did=one_line(f"{receipt.did}{shown}") if receipt is not None else "",
        href=url if url.startswith(("https://", "http://")) else "",
        reason=one_line(one.action.reason),
        error=clipped(one_line(one.error), 300),
    )
