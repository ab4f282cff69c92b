"""When an invocation was expected, by the policy's schedule. Pure: the instants come in and go out as wall-clock ns."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

from meshkit_chaos.gate.policy import Nightly


def expected(nightly: Nightly, *, now: int) -> int | None:
    """The last instant of the schedule whose grace is over; None where there is none."""
    latest = datetime.fromtimestamp((now - nightly.grace.ns) // 10**9 + 1, tz=UTC).astimezone(ZoneInfo(nightly.timezone))
    found = next(CronSim(nightly.cron, latest, reverse=True), None)
    return None if found is None else int(found.timestamp()) * 10**9
