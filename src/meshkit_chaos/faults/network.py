"""Faults of the network: what a member's packets suffer on their way to others, and theirs on the way to it.

Each is one layer on the links of its targets, named after the injection: several lie over each other, and each is lifted alone.
That it bit is not believed of the lever: the layer is in force, and packets were counted that suffered it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Final, cast

from msgspec import structs

from meshkit_chaos.faults.fault import Aim, Calls, Effect, Fault, States
from meshkit_chaos.faults.levers import LeverCall, Shape, Unshape
from meshkit_chaos.faults.links import Distribution, LinkPolicy, PacketCounts
from meshkit_chaos.faults.parameters import Parameter

Links = Iterable[tuple[str, tuple[str, ...]]]
Lack = Callable[[PacketCounts], str | None]
"""What is missing of the packets that should have suffered; None where some did."""

WAY: Final = Parameter(
    name="way",
    type="choice",
    choices=("both", "out", "in"),
    default="both",
    doc="What the target sends (`out`), what is sent to it (`in`), or both.",
)
OUT_WAY: Final = Parameter(name=WAY.name, type="choice", choices=WAY.choices, default="out", doc=WAY.doc)
LINKS: Final = Parameter(
    name="links",
    type="choice",
    choices=("members", "clients", "everyone"),
    default="members",
    doc="Which links of the target: those to other members, to clients of the mesh, or to both.",
)
ALL_LINKS: Final = Parameter(name=LINKS.name, type="choice", choices=LINKS.choices, default="everyone", doc=LINKS.doc)


def _share(name: str, doc: str) -> Parameter:
    return Parameter(name=name, type="ratio", doc=doc, minimum=0.0001, maximum=1)


def _delay(doc: str, *, default: str | None = None) -> Parameter:
    return Parameter(name="delay", type="duration", doc=doc, default=default, minimum=0.001, maximum=60)


def _peers(aim: Aim) -> tuple[str, ...]:
    match aim.text("links"):
        case "members":
            peers = aim.members
        case "clients":
            peers = aim.clients
        case _:
            peers = (*aim.members, *aim.clients)
    if not set(peers) - set(aim.targets):
        raise ValueError(f"there is nobody to be linked to: links are those to {aim.text('links')}")
    return peers


def _links(aim: Aim, inside: tuple[str, ...], outside: tuple[str, ...]) -> Links:
    """Who sends to whom what shall suffer: from ``inside`` to ``outside``, the other way, or both."""
    if aim.text("way") in {"both", "out"}:
        yield from ((member, tuple(peer for peer in outside if peer != member)) for member in inside)
    if aim.text("way") in {"both", "in"}:
        yield from ((peer, tuple(member for member in inside if member != peer)) for peer in outside)


def links_of_targets(aim: Aim) -> Links:
    """Between each target and everybody else, other targets too."""
    peers = _peers(aim)
    out: dict[str, set[str]] = {}
    for sender, receivers in _links(aim, aim.targets, peers):
        out.setdefault(sender, set()).update(receivers)
    return [
        (sender, tuple(peer for peer in peers if peer in out[sender]))
        for sender in (*aim.members, *aim.clients)
        if sender in out
    ]


def links_across(aim: Aim) -> Links:
    """Between the targets' side and the other one, but for the bridges, which both sides still reach."""
    peers = _peers(aim)
    rest = tuple(peer for peer in peers if peer not in aim.targets)
    bridges = aim.drawn(tuple(member for member in rest if member in aim.members), aim.integer("bridges"))
    other = tuple(peer for peer in rest if peer not in bridges)
    if not other:
        raise ValueError(f"{len(aim.targets)} targets and {len(bridges)} bridges leave nobody on the other side")
    across = dict(_links(aim, aim.targets, other))
    if aim.text("sides") == "each":
        for member in aim.targets:
            alone = tuple(one for one in aim.targets if one != member)
            across[member] = (*alone, *across.get(member, ()))
    return [(sender, receivers) for sender, receivers in across.items() if receivers]


def shape(links: Callable[[Aim], Links], policy: Callable[[Aim], LinkPolicy]) -> Calls:
    """One layer on each of the links, named after the injection."""

    def calls(aim: Aim) -> tuple[LeverCall, ...]:
        suffers = policy(aim)
        return tuple(
            Shape(
                member=sender,
                towards=receivers,
                policy=structs.replace(suffers, seed=_seed(aim, sender)),
                layer=aim.node,
                lasting=aim.lasting,
            )
            for sender, receivers in links(aim)
            if receivers
        )

    return calls


def _seed(aim: Aim, sender: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{aim.seed}/{aim.node}/{sender}".encode()).digest()[:4], "big")


def unshape(links: Callable[[Aim], Links]) -> Calls:
    return lambda aim: tuple(Unshape(member=sender, layer=aim.node) for sender, receivers in links(aim) if receivers)


def counted(links: Callable[[Aim], Links], lack: Lack) -> Effect:
    """An effect that is seen once the layer is in force on every link of the target and packets there suffered it."""

    def effect(aim: Aim, member: str, before: States, after: States) -> str | None:
        del before
        seen: list[PacketCounts] = []
        for sender, receivers in links(aim):
            if member != sender and member not in receivers:
                continue
            if aim.node not in after[sender].layers:
                return f"no such layer is in force on what {sender} sends"
            if (counts := after[sender].counts.get(aim.node)) is not None:
                seen.append(counts)
        if not seen:
            return "nobody counts the packets of its links"
        return lack(_sum(seen))

    return effect


def _sum(counts: list[PacketCounts]) -> PacketCounts:
    def total(name: str) -> int | None:
        numbers = [getattr(one, name) for one in counts]
        return None if any(number is None for number in numbers) else sum(numbers)

    return PacketCounts(
        seen=total("seen") or 0,
        dropped=total("dropped") or 0,
        **{name: total(name) for name in ("delayed", "duplicated", "reordered", "corrupted")},
    )


def _met(counts: PacketCounts) -> str | None:
    return None if counts.seen else "no packet met it: the member neither sent nor was sent any that it applies to"


def suffered(name: str, done: str) -> Lack:
    """At least one packet suffered so; where nobody can tell (None), that packets met the layer must do."""

    def lack(counts: PacketCounts) -> str | None:
        number = getattr(counts, name)
        if nothing := _met(counts):
            return nothing
        return None if number is None or number > 0 else f"none of the {counts.seen} packets that met it was {done}"

    return lack


def _slowed_by_rate(counts: PacketCounts) -> str | None:
    if nothing := _met(counts):
        return nothing
    waited = counts.delayed is None or counts.delayed > 0 or counts.dropped > 0
    return None if waited else f"none of the {counts.seen} packets had to wait: the traffic never reached the limit"


def _always(policy: LinkPolicy) -> Callable[[Aim], LinkPolicy]:
    return lambda _: policy


def _distribution(aim: Aim) -> Distribution:
    return cast("Distribution", aim.text("distribution"))  # one of the parameter's choices


def _fault(
    kind: str,
    summary: str,
    policy: Callable[[Aim], LinkPolicy],
    parameters: tuple[Parameter, ...],
    *,
    example: str,
    at_once: tuple[Lack, str],
    over_time: tuple[Lack, str] | None = None,
    links: Callable[[Aim], Links] = links_of_targets,
) -> Fault:
    """All kinds of the network are made alike. ``at_once``: the effect to be seen soon; ``over_time``: before it is undone."""
    return Fault(
        kind=kind,
        summary=summary,
        inject=shape(links, policy),
        revert=unshape(links),
        pulls=("shape",),
        undone_by=("unshape",),
        effect=counted(links, at_once[0]),
        effect_doc=at_once[1],
        check=policy,
        toll=counted(links, over_time[0]) if over_time else None,
        toll_doc=over_time[1] if over_time else "",
        example=example,
        parameters=parameters,
        silences=False,
    )


_MET: Final = (_met, "its layer is in force on the member's links, and packets met it")


PARTITION: Final = _fault(
    "partition",
    "Cut the targets off from the other members. Alone a target is isolated; several stay together, or are isolated each. "
    "One way only, a member hears and is not heard, or the other way round. A bridge is a member that both sides still reach. "
    "For a flapping link, put it into a `repeat` step with a short `hold`.",
    _always(LinkPolicy(cut=True)),
    (
        WAY,
        LINKS,
        Parameter(
            name="sides",
            type="choice",
            choices=("together", "each"),
            default="together",
            doc="Whether several targets still reach one another.",
        ),
        Parameter(
            name="bridges",
            type="integer",
            default=0.0,
            minimum=0,
            maximum=1000,
            gentler="more",
            doc="How many of the other members still reach both sides; drawn by the plan's seed.",
        ),
    ),
    links=links_across,
    at_once=(suffered("dropped", "dropped"), "its layer is in force on the links across, and packets were dropped there"),
    example="- fault: partition\n  target: {role: leader}\n  hold: 10s",
)
LATENCY: Final = _fault(
    "latency",
    "Delay the member's packets, as a far region or a full queue does.",
    lambda aim: LinkPolicy(delay=aim.duration("delay"), jitter=aim.duration("jitter"), distribution=_distribution(aim)),
    (
        _delay("How late each packet is."),
        Parameter(
            name="jitter", type="duration", default="0s", minimum=0, maximum=60, doc="By how much the delay varies around that."
        ),
        Parameter(
            name="distribution",
            type="choice",
            choices=("uniform", "normal", "pareto"),
            default="uniform",
            doc="How it varies: evenly within the jitter, or with the jitter as standard deviation.",
        ),
        OUT_WAY,
        LINKS,
    ),
    at_once=(suffered("delayed", "delayed"), "its layer is in force on the member's links, and packets were delayed"),
    example="- fault: latency\n  target: {role: leader}\n  with: {delay: 100ms, jitter: 20ms}\n  hold: 10s",
)
PACKET_LOSS: Final = _fault(
    "packet-loss",
    "Lose a share of the member's packets, each by itself or several in a row.",
    lambda aim: LinkPolicy(loss=aim.ratio("loss"), loss_burst=aim.number("burst")),
    (
        _share("loss", "The share of packets that is lost."),
        Parameter(
            name="burst",
            type="number",
            default=1.0,
            minimum=1,
            maximum=1000,
            doc="How many packets in a row are lost on average (Gilbert's model); with 1 each is lost or not by itself.",
        ),
        OUT_WAY,
        LINKS,
    ),
    at_once=_MET,
    over_time=(suffered("dropped", "lost"), "packets were lost while it was held"),
    example="- fault: packet-loss\n  target: {not_role: leader, count: 1}\n  with: {loss: 20%, burst: 5}\n  hold: 10s",
)
CORRUPTION: Final = _fault(
    "corruption",
    "Flip a bit in a share of the member's packets. Most are then thrown away by the receiver, whose checksums fail.",
    lambda aim: LinkPolicy(corrupt=aim.ratio("share")),
    (_share("share", "The share of packets that is spoilt."), OUT_WAY, LINKS),
    at_once=_MET,
    over_time=(suffered("corrupted", "corrupted"), "packets were corrupted while it was held"),
    example="- fault: corruption\n  target: {count: 1}\n  with: {share: 5%}\n  hold: 10s",
)
DUPLICATION: Final = _fault(
    "duplication",
    "Deliver a share of the member's packets twice.",
    lambda aim: LinkPolicy(duplicate=aim.ratio("share")),
    (_share("share", "The share of packets that comes twice."), OUT_WAY, LINKS),
    at_once=_MET,
    over_time=(suffered("duplicated", "duplicated"), "packets were duplicated while it was held"),
    example="- fault: duplication\n  target: {count: 1}\n  with: {share: 10%}\n  hold: 10s",
)
REORDERING: Final = _fault(
    "reordering",
    "Delay the member's packets and let a share of them overtake the others.",
    lambda aim: LinkPolicy(reorder=aim.ratio("share"), delay=aim.duration("delay")),
    (
        _share("share", "The share of packets that overtakes."),
        _delay("How late all the others are.", default="10ms"),
        OUT_WAY,
        LINKS,
    ),
    at_once=_MET,
    over_time=(suffered("reordered", "reordered"), "packets overtook others while it was held"),
    example="- fault: reordering\n  target: {count: 1}\n  with: {share: 25%}\n  hold: 10s",
)
BANDWIDTH: Final = _fault(
    "bandwidth",
    "Limit how much the member sends in a second, as a slow or crowded link does.",
    lambda aim: LinkPolicy(rate=aim.rate("rate")),
    (
        Parameter(name="rate", type="rate", minimum=8_000, maximum=100e9, gentler="more", doc="Bits of packets in a second."),
        OUT_WAY,
        LINKS,
    ),
    at_once=_MET,
    over_time=(_slowed_by_rate, "packets had to wait while it was held"),
    example="- fault: bandwidth\n  target: {role: leader}\n  with: {rate: 256kbit}\n  hold: 10s",
)
DNS_FAILURE: Final = _fault(
    "dns-failure",
    "Lose the member's DNS traffic (port 53, UDP and TCP), so that it resolves no name. Name servers are members or clients of "
    "the environment: nothing else is behind a link.",
    _always(LinkPolicy(cut=True, only="dns")),
    (WAY, ALL_LINKS),
    at_once=_MET,
    over_time=(suffered("dropped", "dropped"), "DNS packets were dropped while it was held"),
    example="- fault: dns-failure\n  target: {count: 1}\n  hold: 10s",
)
UDP_BLOCKED: Final = _fault(
    "udp-blocked",
    "Lose the member's UDP packets, as many firewalls do: gossip over UDP falls silent, HTTP/3 must fall back to HTTP/2.",
    _always(LinkPolicy(cut=True, only="udp")),
    (WAY, ALL_LINKS),
    at_once=_MET,
    over_time=(suffered("dropped", "dropped"), "UDP packets were dropped while it was held"),
    example="- fault: udp-blocked\n  target: {count: 1}\n  hold: 10s",
)

NETWORK_FAULTS: Final = (
    PARTITION,
    LATENCY,
    PACKET_LOSS,
    CORRUPTION,
    DUPLICATION,
    REORDERING,
    BANDWIDTH,
    DNS_FAILURE,
    UDP_BLOCKED,
)
