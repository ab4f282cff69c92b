"""When an invocation was expected, by the policy's schedule. Pure: the instants come in and go out as wall-clock ns."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from cronsim import CronSim

from meshkit_chaos.gate.policy import Nightly


def zone(name: str) -> tzinfo:
    """A time zone by its name; UTC needs no data of the system. Raises what ``ZoneInfo`` does."""
    return UTC if name == "UTC" else ZoneInfo(name)


def expected(nightly: Nightly, *, now: int) -> int | None:
    """The last instant of the schedule whose grace is over; None where there is none."""
    latest = datetime.fromtimestamp((now - nightly.grace.ns) // 10**9 + 1, tz=UTC).astimezone(zone(nightly.timezone))
    found = next(CronSim(nightly.cron, latest, reverse=True), None)
    return None if found is None else int(found.timestamp()) * 10**9
