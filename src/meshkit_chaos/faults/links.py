"""What the packets from one member to another suffer, as a value, and what can be counted of it.

Takes quantities with units; refuses what no link can do (a negative rate, bursts too short for their share of loss).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from meshkit_chaos.slo.quantities import Duration, Ratio

Distribution = Literal["uniform", "normal", "pareto"]
"""Of the delay around its mean: evenly within the jitter, or with the jitter as standard deviation."""
Packets = Literal["all", "udp", "tcp", "dns"]
"""``dns``: UDP and TCP to or from port 53."""


class LinkPolicy(Struct, frozen=True, kw_only=True):
    """What happens to packets in one direction. The default is a link that does nothing to them.

    ``jitter`` varies ``delay`` by ``distribution``, never below zero. ``loss_burst``: the mean number of packets lost in a row
    (Gilbert's model); 1 means that each is lost or not by itself. ``duplicate``, ``reorder`` and ``corrupt`` are shares of
    packets; one that is reordered is spared the ``delay``, which there must be, and so overtakes the others. ``rate``: bits of
    IP packets in a second, 0 for no limit. ``only``: which packets; all others pass untouched. ``seed``: the same packets with
    the same seed suffer the same.
    """

    cut: bool = False
    delay: Duration = Duration(0)
    jitter: Duration = Duration(0)
    distribution: Distribution = "uniform"
    loss: Ratio = Ratio(0)
    loss_burst: float = 1.0
    duplicate: Ratio = Ratio(0)
    reorder: Ratio = Ratio(0)
    corrupt: Ratio = Ratio(0)
    rate: int = 0
    only: Packets = "all"
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.delay.ns, self.jitter.ns) < 0:
            raise ValueError(f"the delay is {self.delay} with a jitter of {self.jitter}; expected none below 0")
        if self.rate < 0:
            raise ValueError(f"the rate is {self.rate} bit/s; expected 0 (no limit) or more")
        if self.reorder.value and not self.delay.ns:
            raise ValueError(f"{self.reorder} of packets shall overtake others, and no delay holds those back")
        least = self.loss.value / (1 - self.loss.value) if self.loss.value < 1 else 1.0
        if self.loss_burst != 1 and self.loss_burst < max(1.0, least):
            raise ValueError(
                f"{self.loss_burst:g} packets in a row are too few for a loss of {self.loss}; "
                f"expected 1 (each by itself) or at least {max(1.0, least):.3g}"
            )


class PacketCounts(Struct, frozen=True, kw_only=True):
    """What happened to a member's packets under one layer since it was put there; None where nobody can tell.

    ``seen``: those the layer applies to. ``dropped``: cut, lost, or too many for the rate. ``delayed``: by the delay, or behind
    others where there is a rate.
    """

    seen: int
    dropped: int
    delayed: int | None = None
    duplicated: int | None = None
    reordered: int | None = None
    corrupted: int | None = None
