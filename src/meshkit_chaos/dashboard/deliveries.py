"""What was sent to whom, what waits, and what nobody knows to have arrived. Pure.

What needs a person stands first: dead and ambiguous rows, and those that were tried and did not get through. Each says what a
person can do about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from markupsafe import escape
from msgspec import Struct

from meshkit_chaos.dashboard.paging import PAGE_BYTES, parts
from meshkit_chaos.dashboard.wording import minute
from meshkit_chaos.deliver.action import OPEN, Became, Receipt, Told
from meshkit_chaos.judge.phrases import counted
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.report.escape import clipped, one_line

_TONES: Final[dict[Became, VerdictName]] = {
    "pending": "not-run",
    "sending": "not-run",
    "delivered": "pass",
    "ambiguous": "inconclusive",
    "dead": "fail",
    "superseded": "not-run",
    "dropped": "not-run",
}
MEANINGS: Final[dict[Became, str]] = {
    "dead": "given up: it will not be sent unless somebody says so",
    "ambiguous": "it may have arrived: it is looked for before it is sent again, or held where the channel cannot look",
    "pending": "waits to be sent",
    "sending": "somebody is at it, or died at it",
    "delivered": "the channel took it",
    "superseded": "a later one says it",
    "dropped": "a person gave it up: it need not arrive any more",
}
"""In the order in which they need somebody."""
ROWS: Final = 40
"""So many stand on a page at most; fewer where they are long."""
_MARKUP: Final = 700
_NEEDS_SOMEBODY: Final[frozenset[Became]] = frozenset({"dead", "ambiguous"})


class DeliveryLine(Struct, frozen=True, kw_only=True):
    """``href`` only where it is http or https: it comes from a server. ``key``: of what a person may have to settle."""

    when: str
    channel: str
    occasion: str
    title: str
    state: Became
    tone: VerdictName
    did: str
    href: str
    reason: str
    error: str
    attempts: int
    key: str = ""

    @property
    def settled(self) -> bool:
        """Nothing more is to come of it, so what went wrong on the way is no alarm."""
        return self.state in ("delivered", "superseded", "dropped")

    @property
    def size(self) -> int:
        """About how many bytes of a page it takes."""
        texts = (self.title, self.search, self.reason, self.error, self.href, self.key)
        return _MARKUP + sum(len(escape(one).encode("utf-8", "replace")) for one in texts)

    @property
    def search(self) -> str:
        return " ".join((self.channel, self.occasion, self.title, self.state, self.did, self.when)).lower()


class ChannelLine(Struct, frozen=True, kw_only=True):
    """``counts``: how many are in each state, those that need somebody first."""

    channel: str
    newest: str
    counts: tuple[tuple[Became, VerdictName, int], ...]
    tone: VerdictName


class DeliveriesPage(Struct, frozen=True, kw_only=True):
    """``lines``: of one part of ``parts``. ``states``: what those that occur mean, and how each looks."""

    sentence: str
    tone: VerdictName
    lines: tuple[DeliveryLine, ...]
    parts: int = 1
    channels: tuple[ChannelLine, ...] = ()
    states: tuple[tuple[Became, VerdictName, str], ...] = ()


def deliveries(told: Sequence[Told], *, part: int = 1) -> DeliveriesPage:
    """``told``: newest first. Of the lines only those of one part; everything else is said of all of them."""
    if not told:
        return DeliveriesPage(sentence="nothing was sent, and nothing waits", tone="not-run", lines=())
    held = {one.became for one in told}
    every = lines(sorted(told, key=_urgency))
    slices = parts([max(one.size, PAGE_BYTES // ROWS) for one in every])
    return DeliveriesPage(
        sentence=_sentence(told),
        tone=_tone(told),
        lines=every[slices[part - 1]] if part <= len(slices) else (),
        parts=len(slices),
        channels=_channels(told),
        states=tuple((state, _TONES[state], meaning) for state, meaning in MEANINGS.items() if state in held),
    )


def lines(told: Iterable[Told]) -> tuple[DeliveryLine, ...]:
    return tuple(_line(one) for one in told)


def about(told: Iterable[Told], scenario: str) -> tuple[DeliveryLine, ...]:
    """Those of one scenario."""
    return lines(one for one in told if any(cause.scenario == scenario for cause in one.action.causes))


def _sentence(told: Sequence[Told]) -> str:
    needing = sum(one.became in _NEEDS_SOMEBODY for one in told)
    stuck = sum(map(_stuck, told))
    if needing:
        said = "1 delivery needs somebody" if needing == 1 else f"{needing} deliveries need somebody"
        return f"{said}, and {stuck} did not get through yet" if stuck else said
    if stuck:
        return f"{stuck} did not get through yet, and will be tried again"
    waiting = sum(one.became in OPEN for one in told)
    if waiting:
        return f"{waiting} of {len(told)} wait to be sent"
    dropped = sum(one.became == "dropped" for one in told)
    return f"all in order, {len(told)} in all" + (f", {dropped} of them dropped by a person" if dropped else "")


def _tone(told: Sequence[Told]) -> VerdictName:
    """Good only where something arrived and nothing waits."""
    held = {one.became for one in told}
    if held & _NEEDS_SOMEBODY:
        return "fail"
    if any(map(_stuck, told)):
        return "inconclusive"
    return "not-run" if held & OPEN or "delivered" not in held else "pass"


def _stuck(one: Told) -> bool:
    return one.became == "pending" and one.attempts > 0


def _urgency(one: Told) -> tuple[bool, bool]:
    return one.became not in _NEEDS_SOMEBODY, not _stuck(one)


def _channels(told: Sequence[Told]) -> tuple[ChannelLine, ...]:
    """Those that need somebody first."""
    held: dict[str, list[Told]] = {}
    for one in told:
        held.setdefault(one.action.channel, []).append(one)
    made = [_channel(name, ones) for name, ones in sorted(held.items())]
    return tuple(sorted(made, key=lambda one: (one.tone != "fail", one.tone != "inconclusive")))


def _channel(name: str, ones: Sequence[Told]) -> ChannelLine:
    count = Counter(one.became for one in ones)
    tones = {_TONES[state] for state in count}
    return ChannelLine(
        channel=one_line(name),
        newest=f"{counted(len(ones), 'message')}, the newest {_when(ones[0])}",
        counts=tuple((state, _TONES[state], count[state]) for state in MEANINGS if count[state]),
        tone=next((tone for tone in ("fail", "inconclusive") if tone in tones), "pass" if "pass" in tones else "not-run"),
    )


def _when(one: Told) -> str:
    return minute(one.settled_at if one.settled_at is not None else one.action.at)


def _line(one: Told) -> DeliveryLine:
    receipt = one.receipt
    url = receipt.url if receipt is not None else ""
    return DeliveryLine(
        when=_when(one),
        channel=one_line(one.action.channel),
        occasion=one.action.occasion,
        title=clipped(one_line(one.action.message.title), 160),
        state=one.became,
        tone=_TONES[one.became],
        did=one_line(_did(one.became, receipt)) if receipt is not None else "",
        href=url if url.startswith(("https://", "http://")) else "",
        reason=one_line(one.action.reason),
        error=clipped(one_line(one.error), 300),
        attempts=one.attempts,
        key=one_line(one.action.key) if one.became in _NEEDS_SOMEBODY else "",
    )


def _did(became: Became, receipt: Receipt) -> str:
    """What the channel did, or who gave it up."""
    if became == "dropped":
        return clipped(one_line(receipt.note), 160) or "a person gave it up"
    return receipt.did if receipt.shown else f"{receipt.did}, and nothing proves that it is shown"
