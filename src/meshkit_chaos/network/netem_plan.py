"""Link policies in the words of the kernel's ``netem``: which setting for which of a sender's packets. Pure.

Takes the policies in force on one link; gives settings by class of packets. Refuses what netem cannot do as it was asked for.
Layers are not one after another here but one setting: delays and jitters add up, shares are combined as independent ones, and
of rates the lowest counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.faults import LinkPolicy, Packets

PacketClass = Literal["udp-dns", "tcp-dns", "udp", "tcp", "rest", "all"]
_CLASSES: Final[dict[PacketClass, frozenset[Packets]]] = {
    "udp-dns": frozenset({"all", "udp", "dns"}),
    "tcp-dns": frozenset({"all", "tcp", "dns"}),
    "udp": frozenset({"all", "udp"}),
    "tcp": frozenset({"all", "tcp"}),
    "rest": frozenset({"all"}),
}
"""Which policies are for which class. A packet is of the first class that it fits."""


class Netem(Struct, frozen=True, kw_only=True):
    """Shares from 0 to 1, times in whole microseconds, a rate in bits per second (0: no limit)."""

    delay_us: int = 0
    jitter_us: int = 0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    rate: int = 0


def why_not(policy: LinkPolicy) -> str:
    """What of a policy netem is not asked for here; empty where it can do it all."""
    if policy.loss_burst != 1:
        return "netem is not asked for loss in bursts"
    if policy.jitter.ns and policy.distribution != "uniform":
        return f"netem is not asked for a jitter that is {policy.distribution}"
    return ""


def settings(policies: Sequence[LinkPolicy]) -> dict[PacketClass, Netem]:
    """For each class of packets that suffers anything. One class ``all`` where no policy tells packets apart."""
    if all(policy.only == "all" for policy in policies):
        return {"all": _combined(policies)} if policies else {}
    fitting = {name: [policy for policy in policies if policy.only in fits] for name, fits in _CLASSES.items()}
    return {name: _combined(found) for name, found in fitting.items() if found}


def _combined(policies: Sequence[LinkPolicy]) -> Netem:
    rates = [policy.rate for policy in policies if policy.rate]
    return Netem(
        delay_us=round(sum(policy.delay.ns for policy in policies) / 1000),
        jitter_us=round(sum(policy.jitter.ns for policy in policies) / 1000),
        loss=_either([1.0 if policy.cut else policy.loss.value for policy in policies]),
        duplicate=_either([policy.duplicate.value for policy in policies]),
        reorder=_either([policy.reorder.value for policy in policies]),
        corrupt=_either([policy.corrupt.value for policy in policies]),
        rate=min(rates, default=0),
    )


def _either(shares: Sequence[float]) -> float:
    """The share that at least one of independent ones hits."""
    return 1 - math.prod(1 - share for share in shares)


def keys(name: PacketClass, source: bytes) -> list[list[str]]:
    """What a ``u32`` filter compares, one list a filter: the sender, and for a class its protocol and ports.

    Ports stand where they are in packets without IP options.
    """
    sender = f"0x{source.hex()}/0xffffffff+12"
    protocol = {"udp": "0x0011/0x00ff+8", "tcp": "0x0006/0x00ff+8"}.get(name.partition("-")[0])
    if protocol is None:
        return [[sender]]
    if not name.endswith("-dns"):
        return [[sender, protocol]]
    return [[sender, protocol, f"0x0035/0xffff+{place}"] for place in (20, 22)]
