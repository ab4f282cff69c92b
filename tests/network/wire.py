"""Packets made by hand, and chance that is known: what the tests of links send."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable

from meshkit_chaos.faults import LinkPolicy
from meshkit_chaos.network.treatment import Tally, Treatment

MS = 10**6
S = 10**9
TCP, UDP, ICMP = 6, 17, 1


def packet(
    *, size: int = 100, protocol: int = UDP, ports: tuple[int, int] = (4000, 5000), to: str = "10.1.2.3", fragment: int = 0
) -> bytes:
    """An IPv4 packet of ``size`` bytes, its ports where UDP and TCP have them."""
    address = bytes(map(int, to.split(".")))
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 1, fragment, 64, protocol, 0, b"\x0a\x01\x02\x02", address)
    return (head + struct.pack("!HH", *ports)).ljust(size, b"\0")[:size]


def drawing(seed: object) -> Callable[[], float]:
    return random.Random(str(seed)).random


def treated(policy: LinkPolicy, *, every: int = MS, count: int = 10_000, size: int = 100) -> tuple[list[int], Tally]:
    """Send so many packets at equal distances; give by how much each that arrives was late, and the tally."""
    tally = Tally()
    treatment = Treatment(policy, drawing(policy.seed), tally)
    one = packet(size=size)
    late = [at - number * every for number in range(count) for at, _ in treatment.treat(one, number * every)]
    return late, tally


def runs_of(lost: Iterable[bool]) -> list[int]:
    """How long each run of losses was."""
    out, length = [], 0
    for gone in (*lost, False):
        if gone:
            length += 1
        elif length:
            out.append(length)
            length = 0
    return out
