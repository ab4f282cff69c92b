"""Links shaped by the kernel: a bridge between the members' namespaces, and ``netem`` where packets leave it.

Takes the same levers as the switch does. On each receiver's port there is an ``htb`` whose classes, one a sender and class of
packets, have a netem below them; unshaped packets pass it by. What a sender has in flight is not charged to its sockets, for it
has left it already. Counts are those of the link: where several layers are on it, each has them all.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.network.addresses import PREFIX_LENGTH, packed
from meshkit_chaos.network.kernel import CLONE_NEWNET, OWN_NETWORK, enter, leave_for_new
from meshkit_chaos.network.namespaces import DEVICE, MANY, allow_low_ports
from meshkit_chaos.network.netem_plan import Netem, PacketClass, keys, settings, why_not
from meshkit_chaos.network.treatment import LONGEST_QUEUE_NS

BRIDGE: Final = "bridge0"
_ROOT: Final = 0x10000
_UNLIMITED: Final = "32gbit", 1 << 20
_LEAST_BURST: Final = 1600
_TIMES_A_SECOND: Final = 250
_QUEUE: Final = 100_000
_LEAST_QUEUE: Final = 10
_USUAL_BITS: Final = 12_000
_IPV4: Final = 0x0800
_NUMBERS: Final[dict[PacketClass, int]] = {"udp-dns": 0, "tcp-dns": 1, "udp": 2, "tcp": 3, "rest": 4, "all": 5}
_PER_SENDER: Final = 8
_FILTERS_A_CLASS: Final = 2
Link = tuple[str, str]


@contextmanager
def _errors() -> Iterator[Callable[[], Any]]:
    """What opens a netlink socket in the namespace of the calling thread. What goes wrong with one is an OSError."""
    from pyroute2 import IPRoute  # noqa: PLC0415  # an extra, which only a lab needs
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415  # as above

    try:
        yield IPRoute
    except NetlinkError as error:
        raise OSError(error.code, f"netlink: {os.strerror(abs(error.code))}") from error


def make_bridged_places(addresses: Mapping[str, str], *, mtu: int, home: int) -> dict[str, int]:
    """Name → namespace, each with a device whose other end is a port of a bridge here. Raises OSError."""
    with _netlink() as netlink:
        netlink.link("add", ifname=BRIDGE, kind="bridge")
        (bridge,) = netlink.link_lookup(ifname=BRIDGE)
        netlink.link("set", index=bridge, mtu=mtu, state="up")
        places = {}
        for number, (name, address) in enumerate(addresses.items()):
            places[name] = _make_namespace(home)
            netlink.link(
                "add", ifname=port(number), kind="veth", mtu=mtu, peer={"ifname": DEVICE, "net_ns_fd": places[name], "mtu": mtu}
            )
            (index,) = netlink.link_lookup(ifname=port(number))
            netlink.link("set", index=index, master=bridge, state="up")
            netlink.tc("add", "htb", index, _ROOT, default=0)
            _set_up(places[name], address, home=home)
    return places


def port(number: int) -> str:
    """The name of a member's port on the bridge."""
    return f"port{number}"


def _make_namespace(home: int) -> int:
    leave_for_new(CLONE_NEWNET)
    try:
        return os.open(OWN_NETWORK, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        enter(home, CLONE_NEWNET)


def _set_up(namespace: int, address: str, *, home: int) -> None:
    enter(namespace, CLONE_NEWNET)
    try:
        with _netlink() as netlink:
            (loopback,) = netlink.link_lookup(ifname="lo")
            (device,) = netlink.link_lookup(ifname=DEVICE)
            netlink.link("set", index=loopback, state="up")
            netlink.link("set", index=device, state="up")
            netlink.addr("add", index=device, address=address, prefixlen=PREFIX_LENGTH)
            netlink.route("add", dst=MANY, oif=device)
        allow_low_ports()
    finally:
        enter(home, CLONE_NEWNET)


def has_netem() -> bool:
    """Whether this kernel has it, found out on the loopback of the calling thread's namespace. Raises OSError."""
    with _netlink() as netlink:
        (loopback,) = netlink.link_lookup(ifname="lo")
        try:
            netlink.tc("add", "netem", loopback, 0x10000, delay=1)
        except Exception:  # noqa: BLE001  # a kernel without it says so in several ways
            return False
        netlink.tc("del", index=loopback, handle=0x10000, parent=0xFFFFFFFF)
    return True


@contextmanager
def _netlink() -> Iterator[Any]:
    """A netlink socket for a while."""
    with _errors() as open_netlink, open_netlink() as netlink:
        yield netlink


@dataclass(frozen=True, slots=True)
class _Layer:
    call: Shape
    until: int


class NetemShaper:
    """A ``Shaper`` whose layers are settings of the kernel's. It ends them when their time is over."""

    def __init__(self, addresses: Mapping[str, str], clock: Clock) -> None:
        self._addresses = {name: packed(address) for name, address in addresses.items()}
        self._clock = clock
        self._layers: dict[tuple[str, str], _Layer] = {}
        self._set: dict[Link, dict[PacketClass, Netem]] = {}
        with _errors() as open_netlink:
            self._netlink = open_netlink()
            self._ports = {name: self._netlink.link_lookup(ifname=port(number))[0] for number, name in enumerate(addresses)}

    def change(self, call: Shape | Unshape) -> None:
        """Raises OSError, and ValueError for what netem is not asked for."""
        self.expire()
        key = call.member, call.layer
        there = self._layers.get(key)
        if isinstance(call, Shape):
            if problem := why_not(call.policy):
                raise ValueError(f"{problem}: write `network: {{backend: userspace}}`")
            same = there is not None and there.call == call
            self._layers[key] = _Layer(call, self._clock.monotonic_ns() + call.lasting.ns)
            if same:
                return
        elif there is None:
            return
        else:
            del self._layers[key]
        touched = {(call.member, receiver) for receiver in call.towards} if isinstance(call, Shape) else set()
        if there is not None:
            touched |= {(call.member, receiver) for receiver in there.call.towards}
        self._apply(touched)

    def next_at(self) -> int | None:
        return min((layer.until for layer in self._layers.values()), default=None)

    def expire(self) -> None:
        """Lift what is over."""
        now = self._clock.monotonic_ns()
        over = [key for key, layer in self._layers.items() if layer.until <= now]
        links = {(key[0], receiver) for key in over for receiver in self._layers.pop(key).call.towards}
        self._apply(links)

    def _apply(self, links: set[Link]) -> None:
        if not links:
            return
        with _errors():
            for link in sorted(links):
                self._set_link(link)

    def _set_link(self, link: Link) -> None:
        sender, receiver = link
        netlink, index = self._netlink, self._ports[receiver]
        first = list(self._addresses).index(sender) * _PER_SENDER
        policies = [
            layer.call.policy for (of, _), layer in self._layers.items() if of == sender and receiver in layer.call.towards
        ]
        wanted = settings(policies)
        for name in self._set.pop(link, {}):
            _remove(netlink, index, first + _NUMBERS[name], filters=len(keys(name, self._addresses[sender])))
        for name, netem in wanted.items():
            _add(netlink, index, first + _NUMBERS[name], netem, keys(name, self._addresses[sender]))
        if wanted:
            self._set[link] = wanted

    def in_force(self) -> dict[str, dict[str, PacketCounts]]:
        """As the kernel counts them, link by link, since the link was last set."""
        self.expire()
        out: dict[str, dict[str, PacketCounts]] = {}
        with _errors():
            counted = {link: self._counted(link) for link in self._set}
        for (member, name), layer in sorted(self._layers.items()):
            on = [counted.get((member, receiver), (0, 0)) for receiver in layer.call.towards]
            passed, dropped = sum(one for one, _ in on), sum(one for _, one in on)
            out.setdefault(member, {})[name] = PacketCounts(seen=passed + dropped, dropped=dropped)
        return out

    def _counted(self, link: Link) -> tuple[int, int]:
        """Packets that passed and packets that were dropped."""
        first = list(self._addresses).index(link[0]) * _PER_SENDER
        handles = {_handle(first + _NUMBERS[name]) for name in self._set[link]}
        passed = dropped = 0
        for qdisc in self._netlink.get_qdiscs(self._ports[link[1]]):
            if qdisc["handle"] in handles:
                stats = qdisc.get_attr("TCA_STATS2")
                passed += stats.get_attr("TCA_STATS_BASIC")["packets"]
                queue = stats.get_attr("TCA_STATS_QUEUE")
                passed += queue["qlen"]
                dropped += queue["drops"]
        return passed, dropped


def _class_of(number: int) -> int:
    return _ROOT + 0x10 + number


def _handle(number: int) -> int:
    return (0x100 + number) << 16


def _priority(number: int, which: int) -> int:
    return 1 + number * _FILTERS_A_CLASS + which


def _add(netlink: Any, index: int, number: int, netem: Netem, filters: list[list[str]]) -> None:
    rate, burst = (f"{netem.rate}bit", max(_LEAST_BURST, netem.rate // 8 // _TIMES_A_SECOND)) if netem.rate else _UNLIMITED
    netlink.tc("add-class", "htb", index, _class_of(number), parent=_ROOT, rate=rate, burst=burst)
    netlink.tc("add", "netem", index, _handle(number), parent=_class_of(number), **_parameters(netem))
    for which, compared in enumerate(filters):
        netlink.tc(
            "add-filter",
            "u32",
            index,
            parent=_ROOT,
            prio=_priority(number, which),
            protocol=_IPV4,
            target=_class_of(number),
            keys=compared,
        )


def _remove(netlink: Any, index: int, number: int, *, filters: int) -> None:
    for which in range(filters):
        netlink.tc("del-filter", index=index, parent=_ROOT, info=_priority(number, which) << 16 | socket.htons(_IPV4), handle=0)
    netlink.tc("del-class", index=index, handle=_class_of(number), parent=_ROOT)


def _parameters(netem: Netem) -> dict[str, Any]:
    """In the library's units: percent and microseconds. The rate is that of the class above."""
    return {
        "limit": queue_of(netem),
        "delay": netem.delay_us,
        "jitter": netem.jitter_us,
        "loss": netem.loss * 100,
        "duplicate": netem.duplicate * 100,
        "prob_reorder": netem.reorder * 100,
        "prob_corrupt": netem.corrupt * 100,
    }


def queue_of(netem: Netem) -> int:
    """How many packets of usual size may be under way or wait: with a rate, for no longer than on the switch."""
    if not netem.rate:
        return _QUEUE
    seconds = LONGEST_QUEUE_NS / 1e9 + netem.delay_us / 1e6
    return max(_LEAST_QUEUE, round(netem.rate * seconds / _USUAL_BITS))
