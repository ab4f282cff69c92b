"""What an indicator says in its last round, and whether it has been bad for too long. Pure.

Takes an indicator, the rounds of its source, a way to evaluate its query, and the members that a fault holds; gives a
``Reading``. Takes readings in turn and says when a guard rail trips. Whatever was not seen is unknown, never good.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from meshkit_chaos.journal.samples import Round
from meshkit_chaos.promql import Export, NoData
from meshkit_chaos.slo import Duration, Goodness, Indicator

Evaluate = Callable[[int], float | NoData]
"""The value of an indicator's query at an instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """``tick`` is the instant that the round began at the earliest; None where there was none.

    ``exported``: which member exported which of the indicator's metrics in that round.
    """

    indicator: str
    state: Goodness
    detail: str
    tick: int | None = None
    exported: frozenset[Export] = frozenset()


def read(
    indicator: Indicator,
    *,
    rounds: Sequence[Round],
    evaluate: Evaluate,
    held: Collection[str],
) -> Reading:
    """Assess the last round. Of a ``held`` member absence is a fact; of any other it makes the round unknown."""
    if not rounds:
        return Reading(indicator=indicator.name, state="unknown", detail=f"no round of {indicator.source!r} yet")
    tick = min(rounds[-1].tick, rounds[-1].start)
    value = _increase(rounds, evaluate, held) if indicator.kind == "event" else _value(rounds[-1], evaluate, held)
    if isinstance(value, NoData):
        return Reading(indicator=indicator.name, state="unknown", detail=value.reason, tick=tick)
    word = "its increase since the round before" if indicator.kind == "event" else "its value"
    detail = f"{word} is {value:g}; good is {indicator.band}"
    return Reading(indicator=indicator.name, state=indicator.band.assess(value), detail=detail, tick=tick)


def _value(round_: Round, evaluate: Evaluate, held: Collection[str]) -> float | NoData:
    if round_.doubt:
        return NoData(round_.doubt)
    for member, cause in round_.failed.items():
        if member not in held:
            return NoData(f"{member} was not seen: {cause}")
    return evaluate(round_.tick)


def _increase(rounds: Sequence[Round], evaluate: Evaluate, held: Collection[str]) -> float | NoData:
    """How much a counter grew over the last span; one that went back was reset, and hides what it had counted."""
    if len(rounds) < 2:
        return NoData("an increase needs two rounds; there is one")
    earlier, later = (_value(round_, evaluate, held) for round_ in rounds[-2:])
    if isinstance(earlier, NoData):
        return earlier
    if isinstance(later, NoData):
        return later
    if later < earlier:
        return NoData(f"the counter was reset: {later:g} after {earlier:g}")
    return later - earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A guard rail's memory: tripped once its indicator was bad, without a break, for ``bad_for``.

    Only a good round is a break. An unknown round is none: a hole in our sight is no proof of health, and a mesh that breaks
    its own metrics must not escape its guard. Nor does it count: nobody saw harm in it. So time stands still there, and each
    bad round after the first adds the span that leads to it. Once tripped, it stays so.
    """

    indicator: str
    bad_for: Duration
    bad_ns: int | None = None
    last_tick: int | None = None
    tripped: bool = False
    detail: str = ""

    def fed(self, reading: Reading) -> Watch:
        """The watch after one more reading; one of a round it has already seen changes nothing."""
        if self.tripped or reading.tick is None or (self.last_tick is not None and reading.tick <= self.last_tick):
            return self
        match reading.state:
            case "good":
                return replace(self, bad_ns=None, last_tick=reading.tick)
            case "unknown":
                return replace(self, last_tick=reading.tick)
            case "bad":
                return self._fed_bad(reading, reading.tick)

    def _fed_bad(self, reading: Reading, tick: int) -> Watch:
        span = 0 if self.bad_ns is None or self.last_tick is None else tick - self.last_tick
        bad_ns = (self.bad_ns or 0) + span
        tripped = bad_ns >= self.bad_for.ns
        detail = f"{self.indicator} was bad for {Duration(bad_ns)} without a break (limit {self.bad_for}): {reading.detail}"
        return replace(self, bad_ns=bad_ns, last_tick=tick, tripped=tripped, detail=detail if tripped else "")
