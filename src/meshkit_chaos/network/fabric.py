"""All links of a lab and what is in force on them: packets go in, packets come out, now or later. Pure.

Takes levers, packets and instants (monotonic ns); gives what is to be delivered to whom. A layer ends by itself when its time
is over. What a lifted layer held back is delivered at once; what is held when a link is cut never arrives.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.network.packets import applies
from meshkit_chaos.network.treatment import Arrival, Draw, Tally, Treatment

Link = tuple[str, str]
"""Sender and receiver."""
Delivery = tuple[str, bytes]
"""Receiver and packet."""
MOST_HELD: Final = 256 * 1024 * 1024
"""Bytes that are held back at most: what comes on top is dropped, and counted as such."""


@dataclass(frozen=True, slots=True)
class _Layer:
    call: Shape
    until: int
    tally: Tally
    on: dict[Link, Treatment]


@dataclass(slots=True)
class Fabric:
    """``draws``: chance by its name, so that each layer on each link has its own, whatever happens on others."""

    draws: Callable[[str], Draw]
    _layers: dict[tuple[str, str], _Layer] = field(default_factory=dict)
    _links: dict[Link, tuple[Treatment, ...]] = field(default_factory=dict)
    _held: list[tuple[int, int, Link, bytes]] = field(default_factory=list)
    _held_bytes: int = 0
    _number: int = 0
    version: int = 0
    """Another number whenever links are shaped that were not, or no longer are."""
    _first_end: int | None = None

    def change(self, call: Shape | Unshape, now: int) -> None:
        """Idempotent: a layer that is there as it is asked for goes on, and its time begins anew."""
        key = call.member, call.layer
        there = self._layers.get(key)
        if isinstance(call, Unshape):
            if there is not None:
                self._lift(key, now)
            return
        until = now + call.lasting.ns
        if there is not None and there.call == call:
            self._put(key, _Layer(call, until, there.tally, there.on))
            return
        if there is not None:
            self._lift(key, now)
        tally = Tally()
        on = {
            (call.member, receiver): Treatment(
                call.policy, self.draws(f"{call.policy.seed}/{call.layer}/{call.member}/{receiver}"), tally
            )
            for receiver in call.towards
        }
        self._put(key, _Layer(call, until, tally, on))
        self._rewire(on)

    def _put(self, key: tuple[str, str], layer: _Layer) -> None:
        self._layers[key] = layer
        self._first_end = min(one.until for one in self._layers.values())

    def _lift(self, key: tuple[str, str], now: int) -> None:
        layer = self._layers.pop(key)
        self._rewire(layer.on)
        self._held = [
            (min(at, now) if link in layer.on else at, number, link, packet) for at, number, link, packet in self._held
        ]
        heapq.heapify(self._held)
        self._first_end = min((left.until for left in self._layers.values()), default=None)

    def _rewire(self, links: Iterable[Link]) -> None:
        self.version += 1
        for link in links:
            self._links[link] = tuple(layer.on[link] for layer in self._layers.values() if link in layer.on)
            if not self._links[link]:
                del self._links[link]

    def is_shaped(self, link: Link) -> bool:
        return link in self._links

    def send(self, link: Link, packet: bytes, now: int) -> list[bytes]:
        """What arrives at once; the rest is held until it is due. The layers act one after another, the oldest first."""
        arrivals: list[Arrival] = [(now, packet)]
        treatments = self._links.get(link, ())
        for treatment in treatments:
            arrivals = [later for at, one in arrivals for later in treatment.treat(one, at)]
        at_once = []
        for at, one in arrivals:
            if at <= now:
                at_once.append(one)
            elif self._held_bytes + len(one) > MOST_HELD:
                treatments[0].tally.dropped += 1
            else:
                self._number += 1
                self._held_bytes += len(one)
                heapq.heappush(self._held, (at, self._number, link, one))
        return at_once

    def due(self, now: int) -> list[Delivery]:
        """End the layers whose time is over, and give what is to be delivered by now, in order."""
        if self._first_end is not None and self._first_end <= now:
            for key in [key for key, layer in self._layers.items() if layer.until <= now]:
                self._lift(key, now)
        out = []
        while self._held and self._held[0][0] <= now:
            _, _, link, packet = heapq.heappop(self._held)
            self._held_bytes -= len(packet)
            if not self._is_cut(link, packet):
                out.append((link[1], packet))
        return out

    def _is_cut(self, link: Link, packet: bytes) -> bool:
        for treatment in self._links.get(link, ()):
            if treatment.policy.cut and applies(treatment.policy.only, packet):
                treatment.tally.seen += 1
                treatment.tally.dropped += 1
                return True
        return False

    def next_at(self) -> int | None:
        """When ``due`` must be asked again at the latest."""
        first_held = self._held[0][0] if self._held else None
        return min((at for at in (self._first_end, first_held) if at is not None), default=None)

    def in_force(self, now: int) -> dict[str, dict[str, PacketCounts]]:
        """By member that sends and by layer, what happened to packets."""
        out: dict[str, dict[str, PacketCounts]] = {}
        for (member, name), layer in sorted(self._layers.items()):
            if layer.until > now:
                out.setdefault(member, {})[name] = layer.tally.counts()
        return out
