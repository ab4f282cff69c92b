"""The links of the simulated mesh: which layers are in force on them, and what that would do to heartbeats.

Takes levers and instants (monotonic ns); gives who reaches whom, the layers in force, and counts as if every member that is up
were sent a packet each ten milliseconds. Chance has no part in it: a share of packets is exactly that share.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from meshkit_chaos.faults import LinkPolicy, PacketCounts, Shape, Unshape

_PACKET_EVERY_NS: Final = 10 * 10**6


@dataclass(frozen=True, slots=True)
class _Layer:
    call: Shape
    since: int
    until: int

    def holds(self, now: int) -> bool:
        return now < self.until


@dataclass(slots=True)
class SimulatedLinks:
    """All layers, by the member that sends and by name."""

    layers: dict[tuple[str, str], _Layer] = field(default_factory=dict)

    def change(self, call: Shape | Unshape, now: int) -> None:
        """A layer that is there as it is asked for stays as it is, but for its time, which begins anew."""
        if isinstance(call, Unshape):
            self.layers.pop((call.member, call.layer), None)
            return
        there = self.layers.get((call.member, call.layer))
        since = there.since if there is not None and there.call == call and there.holds(now) else now
        self.layers[call.member, call.layer] = _Layer(call, since, now + call.lasting.ns)

    def in_force(self, member: str, now: int) -> tuple[str, ...]:
        return tuple(sorted(name for (of, name), layer in self.layers.items() if of == member and layer.holds(now)))

    def reach(self, one: str, other: str, now: int) -> bool:
        """Whether packets go through, both ways."""
        return one == other or not (self._cut(one, other, now) or self._cut(other, one, now))

    def _cut(self, sender: str, receiver: str, now: int) -> bool:
        return any(
            of == sender and receiver in layer.call.towards and _stops_all(layer.call.policy) and layer.holds(now)
            for (of, _), layer in self.layers.items()
        )

    def counts(self, member: str, now: int, is_up: Callable[[str], bool]) -> dict[str, PacketCounts]:
        """By layer in force, as if each peer that is up had been sent packets since then."""
        return {
            name: _counted(layer.call.policy, (now - layer.since) // _PACKET_EVERY_NS * sum(map(is_up, layer.call.towards)))
            for name in self.in_force(member, now)
            for layer in (self.layers[member, name],)
        }


def _stops_all(policy: LinkPolicy) -> bool:
    """A mesh's members speak TCP here."""
    return policy.only in {"all", "tcp"} and (policy.cut or policy.loss.value == 1)


def _counted(policy: LinkPolicy, seen: int) -> PacketCounts:
    dropped = seen if policy.cut else round(seen * policy.loss.value)
    passed = seen - dropped
    return PacketCounts(
        seen=seen,
        dropped=dropped,
        delayed=passed if policy.delay.ns or policy.jitter.ns or policy.rate else 0,
        duplicated=round(passed * policy.duplicate.value),
        reordered=round(passed * policy.reorder.value),
        corrupted=round(passed * policy.corrupt.value),
    )
