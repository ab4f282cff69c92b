"""What one layer does to the packets of one link: (packet, instant, draw) → when, and what, arrives. Pure.

Instants are monotonic ns, and only ever handed in. Chance is a function that gives numbers from 0 to 1: the same numbers, the
same treatment.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.faults import LinkPolicy, PacketCounts
from meshkit_chaos.network.packets import applies, with_flipped_bit

Draw = Callable[[], float]
Arrival = tuple[int, bytes]

LONGEST_QUEUE_NS: Final = 200 * 10**6
"""A link with a rate drops what would wait for longer than this."""
_LEAST_QUEUE: Final = 10  # packets: or a slow link could not hold two of them
_PARETO_SHAPE: Final = 3.0
_PARETO_MEAN: Final = 1.5
_PARETO_DEVIATION: Final = math.sqrt(0.75)


@dataclass(slots=True)
class Tally:
    """What happened to a layer's packets so far, over all its links."""

    seen: int = 0
    dropped: int = 0
    delayed: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0

    def counts(self) -> PacketCounts:
        return PacketCounts(
            seen=self.seen,
            dropped=self.dropped,
            delayed=self.delayed,
            duplicated=self.duplicated,
            reordered=self.reordered,
            corrupted=self.corrupted,
        )


class Treatment:
    """One layer on one link. It remembers whether a burst of loss is on, and when the link is free again."""

    def __init__(self, policy: LinkPolicy, draw: Draw, tally: Tally) -> None:
        self.policy = policy
        self.tally = tally
        self._draw = draw
        self._losing = False
        self._free_at = 0
        self._loss = policy.loss.value
        self._leave_burst = 1 / policy.loss_burst
        self._enter_burst = self._loss * self._leave_burst / (1 - self._loss) if self._loss < 1 else 1.0

    def treat(self, packet: bytes, at: int) -> list[Arrival]:
        """What comes of a packet that gets here at an instant: nothing, itself, later, another, or two."""
        policy, tally = self.policy, self.tally
        if policy.only != "all" and not applies(policy.only, packet):
            return [(at, packet)]
        tally.seen += 1
        if policy.cut or (self._loss and self._is_lost()):
            tally.dropped += 1
            return []
        sent = [packet]
        if policy.duplicate.value and self._draw() < policy.duplicate.value:
            tally.duplicated += 1
            sent.append(packet)
        arrivals = (self._carry(one, at) for one in sent)
        return [arrival for arrival in arrivals if arrival is not None]

    def _is_lost(self) -> bool:
        """Gilbert's model: while a burst is on everything is lost; bursts begin so often that the share comes out right."""
        if self.policy.loss_burst == 1:
            return self._draw() < self._loss
        self._losing = self._draw() >= self._leave_burst if self._losing else self._draw() < self._enter_burst
        return self._losing

    def _carry(self, packet: bytes, at: int) -> Arrival | None:
        policy, tally, waits = self.policy, self.tally, False
        if policy.corrupt.value and self._draw() < policy.corrupt.value:
            tally.corrupted += 1
            packet = with_flipped_bit(packet, int(self._draw() * len(packet) * 8))
        if policy.rate:
            own_time = len(packet) * 8 * 10**9 // policy.rate
            if self._free_at - at > max(LONGEST_QUEUE_NS, _LEAST_QUEUE * own_time):
                tally.dropped += 1
                return None
            waits = self._free_at > at
            at = self._free_at = max(self._free_at, at) + own_time
        if policy.delay.ns or policy.jitter.ns:
            if policy.reorder.value and self._draw() < policy.reorder.value:
                tally.reordered += 1
                return at, packet
            waits = True
            at += self._delay()
        tally.delayed += waits
        return at, packet

    def _delay(self) -> int:
        policy = self.policy
        if not policy.jitter.ns:
            return policy.delay.ns
        return max(0, policy.delay.ns + round(policy.jitter.ns * self._deviation()))

    def _deviation(self) -> float:
        """From the mean, in units of the jitter: at most one of them, or one as the standard deviation."""
        drawn = self._draw()
        match self.policy.distribution:
            case "uniform":
                return 2 * drawn - 1
            case "normal":  # Box and Muller
                return math.sqrt(-2 * math.log(1 - drawn)) * math.cos(2 * math.pi * self._draw())
            case "pareto":
                return (math.pow(1 - drawn, -1 / _PARETO_SHAPE) - _PARETO_MEAN) / _PARETO_DEVIATION
