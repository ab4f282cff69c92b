"""The one place that reads clocks. Everything else is handed instants.

Instants inside a run are monotonic nanoseconds (``CLOCK_MONOTONIC``: the same in every process of one boot, so a watchdog
and a later ``recover`` can compare a recorded deadline with now). Wall time is only for people and for identities.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    def monotonic_ns(self) -> int: ...
    def wall_ns(self) -> int: ...


class SystemClock:
    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()


class ManualClock:
    """A clock that moves only when told to: the public fake for tests and the simulated environment."""

    def __init__(self, *, monotonic_ns: int = 0, wall_ns: int = 1_767_225_600_000_000_000) -> None:
        self._monotonic_ns = monotonic_ns
        self._offset_ns = wall_ns - monotonic_ns

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def wall_ns(self) -> int:
        return self._monotonic_ns + self._offset_ns

    def advance_to(self, monotonic_ns: int) -> None:
        if monotonic_ns < self._monotonic_ns:
            raise ValueError(f"a clock cannot go back: {monotonic_ns} < {self._monotonic_ns}")
        self._monotonic_ns = monotonic_ns


def boot_id() -> str:
    """Identify this boot of this machine; monotonic instants of another boot mean nothing here."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"unknown-{os.uname().nodename}"


def iso(wall_ns: int) -> str:
    """Write a wall instant as ``2026-11-23T17:05:09.123Z``."""
    seconds, ns = divmod(wall_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ns // 1_000_000:03d}Z"


def minute(wall_ns: int) -> str:
    """Write a wall instant for people, to the minute: ``2026-11-24 02:00Z``."""
    text = iso(wall_ns)
    return f"{text[:10]} {text[11:16]}Z"


_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def ulid(clock: Clock) -> str:
    """Make a ULID: 48 bits of wall milliseconds and 80 random bits, 26 characters of Crockford base 32."""
    value = (clock.wall_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
