"""Network namespaces of a lab: one for each member, with an address and a TUN device that leads to the switch.

Nothing has a name on the machine: a namespace lives as long as a process is in it or holds its descriptor, and its device as
long as the switch does. So whatever ends the processes of a lab ends its network, and nothing is left to be removed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from meshkit_chaos.network.addresses import PREFIX_LENGTH
from meshkit_chaos.network.kernel import CLONE_NEWNET, OWN_NETWORK, enter, leave_for_new, open_tun

DEVICE: Final = "mesh0"
_LOWEST_PORT: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
_QUEUE: Final = 1000
MANY: Final = "224.0.0.0/4"


@dataclass(frozen=True, slots=True)
class Place:
    """A member's end of the network: its namespace, and the switch's side of its device."""

    namespace: int
    wire: int


@contextmanager
def inside(namespace: int, *, home: int) -> Iterator[None]:
    """The calling thread is in a network namespace for a while; what is opened there stays there."""
    enter(namespace, CLONE_NEWNET)
    try:
        yield
    finally:
        enter(home, CLONE_NEWNET)


def make_places(addresses: Mapping[str, str], *, mtu: int, home: int) -> dict[str, Place]:
    """A namespace with a device and an address for each name. Raises OSError; what was made then ends with this process."""
    return {name: _make_place(address, mtu=mtu, home=home) for name, address in addresses.items()}


def _make_place(address: str, *, mtu: int, home: int) -> Place:
    leave_for_new(CLONE_NEWNET)
    try:
        namespace = os.open(OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
        wire = open_tun(DEVICE)
        _set_up(address, mtu)
        allow_low_ports()
    finally:
        enter(home, CLONE_NEWNET)
    return Place(namespace, wire)


def allow_low_ports() -> None:
    """Let members of any user listen where name servers do. It is their own network; where it cannot be allowed, it is not."""
    with contextlib.suppress(OSError):
        _LOWEST_PORT.write_text("0", encoding="ascii")


def _set_up(address: str, mtu: int) -> None:
    """Loopback and the device are up, and the segment and multicast lead to the device. There is no way to anywhere else."""
    from pyroute2 import IPRoute  # noqa: PLC0415  # an extra, which only a lab needs
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415  # as above

    try:
        with IPRoute() as netlink:
            (loopback,) = netlink.link_lookup(ifname="lo")
            (device,) = netlink.link_lookup(ifname=DEVICE)
            netlink.link("set", index=loopback, state="up")
            netlink.link("set", index=device, mtu=mtu, txqlen=_QUEUE, state="up")
            netlink.addr("add", index=device, address=address, prefixlen=PREFIX_LENGTH)
            netlink.route("add", dst=MANY, oif=device)
    except NetlinkError as error:
        raise OSError(error.code, f"netlink: {error}") from error
