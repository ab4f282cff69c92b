"""What is said over a lab's control socket: one request, one reply, each one message of JSON, at times with descriptors."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.scenario.environment import Backend
from meshkit_chaos.slo.codec import decode

Transport = Literal["tcp", "udp"]
LARGEST: Final = 4 * 1024 * 1024
SOCKET: Final = "network.socket"


class Settings(Struct, frozen=True, kw_only=True):
    """What a lab is made of: the argument of its process.

    ``tied``: it ends when its standard input does, and removes its folder: nobody else knows of it.
    """

    folder: str
    addresses: dict[str, str]
    mtu: int
    backend: Backend
    tied: bool = False


class Ready(Struct, frozen=True, kw_only=True, tag_field="said", tag="ready"):
    """The switch's first line, when all is up. ``user``: it is in a user namespace of its own."""

    backend: Literal["userspace", "netem"]
    user: bool


class Change(Struct, frozen=True, kw_only=True, tag_field="asked", tag="change"):
    call: Shape | Unshape


class Look(Struct, frozen=True, kw_only=True, tag_field="asked", tag="look"):
    """What is in force?"""


class OpenDoor(Struct, frozen=True, kw_only=True, tag_field="asked", tag="door"):
    """A socket inside a member's namespace: it reaches the member without passing the switch, and others as the member does."""

    member: str
    kind: Transport = "tcp"


class Enter(Struct, frozen=True, kw_only=True, tag_field="asked", tag="enter"):
    """A member's network namespace, and before it the user namespace where there is one."""

    member: str


class Done(Struct, frozen=True, kw_only=True, tag_field="said", tag="done"):
    pass


class InForce(Struct, frozen=True, kw_only=True, tag_field="said", tag="in-force"):
    """By member that sends and by layer, what happened to packets."""

    layers: dict[str, dict[str, PacketCounts]]


class Refused(Struct, frozen=True, kw_only=True, tag_field="said", tag="refused"):
    reason: str
    hint: str = ""


Request = Change | Look | OpenDoor | Enter
Reply = Done | InForce | Refused | Ready


def request_of(data: bytes) -> Request:
    """Raises msgspec.MsgspecError, ValueError."""
    request: Request = decode(data, Request)  # type: ignore[arg-type]  # a union is a type to msgspec
    return request


def members_of(request: Request) -> tuple[str, ...]:
    """Whom a request is about."""
    match request:
        case Change(call=call):
            return (call.member, *(call.towards if isinstance(call, Shape) else ()))
        case OpenDoor(member=member) | Enter(member=member):
            return (member,)
        case Look():
            return ()


def reply_of(data: bytes) -> Reply:
    """Raises msgspec.MsgspecError, ValueError."""
    reply: Reply = decode(data, Reply)  # type: ignore[arg-type]  # as above
    return reply
