"""The switch: reads packets from the members' devices and writes them to those they are for, by way of the fabric.

Takes the places of a lab; serves until its process is ended. One thread; control requests come first.
"""

from __future__ import annotations

import os
import random
import select
from collections.abc import Callable, Mapping
from typing import Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.network.addresses import packed
from meshkit_chaos.network.fabric import Fabric
from meshkit_chaos.network.packets import destination, goes_to_many

_BATCH: Final = 64
_LARGEST: Final = 65_536


def drawing(name: str) -> Callable[[], float]:
    """Chance that is the same for the same name, on every machine and in every version of Python."""
    return random.Random(name).random  # noqa: S311  # repeatable on purpose


class Switch:
    """``wires``: each member's device. ``serve`` a control descriptor with ``on_control`` beside them."""

    def __init__(self, addresses: Mapping[str, str], wires: Mapping[str, int], clock: Clock) -> None:
        self.fabric = Fabric(drawing)
        self._clock = clock
        self._wires = dict(wires)
        self._senders = {wire: name for name, wire in wires.items()}
        self._receivers = {packed(address): name for name, address in addresses.items()}
        self._routes: dict[int, dict[bytes, int]] = {}
        self._seen = -1
        self._poll = select.epoll()
        for wire in wires.values():
            self._poll.register(wire, select.EPOLLIN)

    def serve(self, control: int, on_control: Callable[[], None]) -> None:
        """For ever."""
        self._poll.register(control, select.EPOLLIN)
        while True:
            self._wait()
            ready = [descriptor for descriptor, _ in self._poll.poll(0)]
            self._deliver_due()
            if control in ready:
                on_control()
            self._see_routes()
            for wire in ready:
                if wire != control:
                    self._forward(wire)

    def _wait(self) -> None:
        """Until something is there to be read or is due, to the microsecond: epoll itself counts in milliseconds."""
        at = self.fabric.next_at()
        timeout = None if at is None else max(0, at - self._clock.monotonic_ns()) / 1e9
        select.select([self._poll], [], [], timeout)

    def _deliver_due(self) -> None:
        for receiver, packet in self.fabric.due(self._clock.monotonic_ns()):
            self._write(self._wires[receiver], packet)

    def _see_routes(self) -> None:
        """Find anew which links do nothing to packets: theirs take the short way."""
        if self._seen == self.fabric.version:
            return
        self._seen = self.fabric.version
        for wire, sender in self._senders.items():
            self._routes[wire] = {
                address: self._wires[receiver]
                for address, receiver in self._receivers.items()
                if not self.fabric.is_shaped((sender, receiver))
            }

    def _forward(self, wire: int) -> None:
        """Most packets take the short way: it is as long as the cost of a packet allows."""
        routes, write, read = self._routes[wire], self._write, os.read
        try:
            for _ in range(_BATCH):
                packet = read(wire, _LARGEST)
                route = routes.get(packet[16:20])
                if route is not None:
                    write(route, packet)
                else:
                    self._send(self._senders[wire], packet)
        except BlockingIOError:
            return

    def _send(self, sender: str, packet: bytes) -> None:
        """By way of the fabric, or to many, or to nobody."""
        address = destination(packet)
        receiver = self._receivers.get(address)
        if receiver is not None:
            receivers = {receiver}
        else:
            receivers = self._wires.keys() - {sender} if address and goes_to_many(address) else set()
        now = self._clock.monotonic_ns()
        for one in receivers:
            for arrived in self.fabric.send((sender, one), packet, now):
                self._write(self._wires[one], arrived)

    def _write(self, wire: int, packet: bytes) -> None:
        try:
            os.write(wire, packet)
        except OSError:
            return  # the receiver's kernel does not take it, as a card drops a frame that makes no sense
