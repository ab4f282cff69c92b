"""Axes: where an instant or a value stands, and at which round numbers the ticks go. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from meshkit_chaos.report.wording import number


def nice_step(span: float, *, wanted: int) -> float:
    """The smallest 1, 2 or 5 times a power of ten that divides ``span`` into at most ``wanted`` parts."""
    if not (span > 0 and math.isfinite(span)):
        return 1.0
    rough = span / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    return next((factor * power for factor in (1, 2, 5) if factor * power >= rough * (1 - 1e-9)), 10 * power)


def nice_ticks(low: float, high: float, *, wanted: int) -> tuple[float, ...]:
    """Round numbers from ``low`` to ``high``."""
    step = nice_step(high - low, wanted=wanted)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(index * step for index in range(first, min(last, first + 4 * wanted) + 1))


def tick_label(value: float, step: float) -> str:
    """As many digits as the step needs, and powers for what is too long to read."""
    if value and (abs(value) >= 1e6 or abs(value) < 1e-4):
        return f"{value:.3g}".replace("-", "−")
    return number(value, max(0, -math.floor(math.log10(step) + 1e-9)))


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAxis:
    """A stretch of monotonic time in ns, drawn from 0 to 100 percent; ``zero`` is the instant that is called 0 s."""

    start: int
    end: int
    zero: int

    def __post_init__(self) -> None:
        if self.end <= self.start:
            object.__setattr__(self, "end", self.start + 10**9)

    def at(self, t: int) -> float:
        """Where an instant stands, kept within the axis."""
        return 100.0 * (min(max(t, self.start), self.end) - self.start) / (self.end - self.start)

    def holds(self, t: int) -> bool:
        return self.start <= t <= self.end

    def ticks(self, wanted: int = 8) -> tuple[tuple[int, str], ...]:
        """Instants at round seconds from zero, with their labels."""
        low, high = (self.start - self.zero) / 1e9, (self.end - self.zero) / 1e9
        step = nice_step(high - low, wanted=wanted)
        return tuple(
            (self.zero + round(value * 1e9), f"{tick_label(value, step)} s") for value in nice_ticks(low, high, wanted=wanted)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueAxis:
    """Values from ``low`` to ``high``, drawn upward between two heights in pixels."""

    low: float
    high: float
    top: float
    bottom: float

    def at(self, value: float) -> float:
        """How far down a value stands, kept within the axis."""
        kept = min(max(value, self.low), self.high)
        # Halves, because high - low of two huge values may be infinite.
        share = (kept / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return self.bottom - share * (self.bottom - self.top)

    def ticks(self, wanted: int = 3) -> tuple[tuple[float, str], ...]:
        step = nice_step(self.high - self.low, wanted=wanted)
        return tuple((value, tick_label(value, step)) for value in nice_ticks(self.low, self.high, wanted=wanted))


def value_axis(values: tuple[float, ...], *, top: float, bottom: float) -> ValueAxis:
    """An axis that shows all of the values with some air; robust for none, for one, and for equal ones."""
    finite = [min(max(value, -1e300), 1e300) for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        room = abs(low) * 0.5 or 1.0
        low, high = (low - room, high + room) if low else (0.0, 1.0)
    air = (high - low) * 0.08
    return ValueAxis(low=low - air, high=high + air, top=top, bottom=bottom)
