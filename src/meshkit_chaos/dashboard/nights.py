"""Invocations as columns of a table: shards of one night stand together, and a night that did not come is a gap. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct, structs

from meshkit_chaos.gate.policy import Nightly
from meshkit_chaos.gate.schedule import expected
from meshkit_chaos.history.model import PastInvocation
from meshkit_chaos.slo import Duration

TOGETHER: Final = Duration.parse("4h")
"""Invocations of one subject and of different scenarios that begin within so long of each other are parts of one."""
GAPS: Final = 3
"""So many nights in a row that did not come have columns of their own."""


class Night(Struct, frozen=True, kw_only=True):
    """One column. ``invocations`` empty: it was expected at ``at`` and did not come. ``subject``: what all of them tested.

    ``missed``: so many nights in a row that did not come, of which ``at`` is the newest; 0 where one came.
    """

    at: int
    subject: dict[str, str]
    invocations: tuple[str, ...] = ()
    announced: frozenset[str] = frozenset()
    missed: int = 0

    @property
    def missing(self) -> bool:
        return not self.invocations


def nights(invocations: Sequence[PastInvocation], *, nightly: Nightly | None = None, now: int) -> tuple[Night, ...]:
    """Columns, newest first. ``invocations``: newest first, too. Gaps are told only where a schedule is given."""
    found: list[Night] = []
    for one in invocations:
        last = found[-1] if found else None
        if last is not None and _same_night(last, one):
            found[-1] = Night(
                at=one.at,
                subject=one.subject,
                invocations=(*last.invocations, one.invocation),
                announced=last.announced | frozenset(one.announced),
            )
        else:
            found.append(
                Night(at=one.at, subject=one.subject, invocations=(one.invocation,), announced=frozenset(one.announced))
            )
    gaps = _gaps(invocations, nightly, now=now) if nightly is not None and invocations else ()
    return tuple(sorted((*found, *gaps), key=lambda night: night.at, reverse=True))


def folded(columns: Sequence[Night]) -> tuple[Night, ...]:
    """The same, where many in a row that did not come are one column: weeks without a night push no result out of sight."""
    found: list[Night] = []
    for missing, several in groupby(columns, key=lambda night: night.missing):
        row = list(several)
        long = missing and len(row) > GAPS
        found += [structs.replace(row[0], missed=len(row))] if long else row
    return tuple(found)


def _same_night(night: Night, one: PastInvocation) -> bool:
    """Shards share the scenarios out among them: what was announced twice was run twice."""
    return night.subject == one.subject and night.at - one.at <= TOGETHER.ns and night.announced.isdisjoint(one.announced)


def _gaps(invocations: Sequence[PastInvocation], nightly: Nightly, *, now: int) -> tuple[Night, ...]:
    """Instants of the schedule, from the oldest invocation on, that nothing came for before the next one was due."""
    came = [one.at for one in invocations if nightly.subject.items() <= one.subject.items()]
    oldest = invocations[-1].at
    missing: list[Night] = []
    until = None
    asked = now
    while (due := expected(nightly, now=asked)) is not None and due > oldest and len(missing) < len(invocations) + 60:
        if not any(due <= at < (until or now + 1) for at in came):
            missing.append(Night(at=due, subject=dict(nightly.subject), missed=1))
        until, asked = due, due + nightly.grace.ns - 1
    return tuple(missing)
