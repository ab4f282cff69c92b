"""How far another machine's clock is from ours: an interval that every look at it narrows and that time widens.

Takes readings (when we asked and were answered, by our monotonic clock, and what it said); gives bounds on its time minus
ours. Between two looks a disciplined clock may be slewed by 500 ppm (the limit of adjtime(3) and of NTP), so the interval
grows by that. A reading that contradicts it means that the clock was set. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_SLEW_PPM: Final = 500


def _slew(lasting: int) -> int:
    """How far a clock may be slewed in a while, rounded up."""
    return -(-max(0, lasting) * _SLEW_PPM // 10**6)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """Its clock said ``said`` (cut off to ``resolution``) at some moment between ``asked`` and ``answered``. All in ns."""

    asked: int
    answered: int
    said: int
    resolution: int

    @property
    def bounds(self) -> tuple[int, int]:
        """What the offset can be when the answer is there: it may have been slewed since the clock was looked at."""
        slewed = _slew(self.answered - self.asked)
        return self.said - self.answered - slewed, self.said + self.resolution - self.asked + slewed


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """Its time minus our monotonic time lies in ``[lo, hi]`` at our instant ``at``. ``stepped``: the last reading broke it."""

    lo: int
    hi: int
    at: int
    stepped: bool = False

    @classmethod
    def first(cls, reading: ClockReading) -> ClockOffset:
        lo, hi = reading.bounds
        return cls(lo=lo, hi=hi, at=reading.answered)

    def refined(self, reading: ClockReading) -> ClockOffset:
        """The interval after one more reading."""
        lo, hi = reading.bounds
        now = self.by(reading.answered)
        if hi < now.lo or lo > now.hi:
            return ClockOffset(lo=lo, hi=hi, at=reading.answered, stepped=True)
        return ClockOffset(lo=max(lo, now.lo), hi=min(hi, now.hi), at=reading.answered)

    def by(self, instant: int) -> ClockOffset:
        """What can be said at a later instant without another look."""
        slewed = _slew(instant - self.at)
        return ClockOffset(lo=self.lo - slewed, hi=self.hi + slewed, at=max(self.at, instant))

    @property
    def middle(self) -> int:
        return (self.lo + self.hi) // 2

    def error_of(self, used: int) -> int:
        """How wrong an instant can be that was mapped with the offset ``used``."""
        return max(abs(self.lo - used), abs(self.hi - used))
