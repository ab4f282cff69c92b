"""What a round can tell: which members a fault held during it, and whether another member's silence makes it unknown."""

from __future__ import annotations

from meshkit_chaos.journal.record import FaultWindow
from meshkit_chaos.journal.samples import Round


def overlaps(window: FaultWindow, start: int, end: int) -> bool:
    """Whether a fault was in force at any moment from ``start`` to ``end``: from its intent to the end of its revert."""
    return window.intended <= end and (window.reverted is None or window.reverted >= start)


def held_during(windows: tuple[FaultWindow, ...], start: int, end: int) -> frozenset[str]:
    """The members that a fault held at any moment from ``start`` to ``end``."""
    return frozenset(member for window in windows if overlaps(window, start, end) for member in window.members)


def silence(a_round: Round, held: frozenset[str]) -> str:
    """Why a round tells nothing: its source says so, or a member that no fault held gave no answer. Empty where it tells.

    Any member counts, whichever series the query reads: a member that was not asked may be the one that is out of the band.
    """
    if a_round.doubt:
        return a_round.doubt
    failed = {member: cause for member, cause in a_round.failed.items() if member not in held}
    return "; ".join(f"no answer of {member}: {cause}" for member, cause in sorted(failed.items()))
