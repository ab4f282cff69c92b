"""Levers: the few things an environment can do to a member, as typed values. Every lever call is idempotent."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.faults.links import LinkPolicy, PacketCounts
from meshkit_chaos.slo.quantities import Duration

LeverName = Literal["kill", "stop", "start", "pause", "resume", "shape", "unshape", "leave", "join"]


class Kill(Struct, frozen=True, tag_field="lever", tag="kill"):
    """End the member at once (SIGKILL); an already dead member stays dead."""

    member: str


class Stop(Struct, frozen=True, tag_field="lever", tag="stop"):
    """Ask the member to end (SIGTERM) and wait until it has; one that does not end in time is an error. Never a kill."""

    member: str


class Start(Struct, frozen=True, tag_field="lever", tag="start"):
    """Start the member with its own command and data and wait until it is ready; a running member is left alone."""

    member: str


class Pause(Struct, frozen=True, tag_field="lever", tag="pause"):
    """Freeze the member (SIGSTOP): it holds its sockets and answers nothing."""

    member: str


class Resume(Struct, frozen=True, tag_field="lever", tag="resume"):
    """Thaw a frozen member (SIGCONT)."""

    member: str


class Shape(Struct, frozen=True, kw_only=True, tag_field="lever", tag="shape"):
    """Let what the member sends to each of ``towards`` suffer a policy, until it is lifted or ``lasting`` is over.

    ``layer`` names it: the same layer of the same member is replaced, other layers add up. It outlives a restart of the member.
    """

    member: str
    towards: tuple[str, ...]
    policy: LinkPolicy
    layer: str
    lasting: Duration


class Unshape(Struct, frozen=True, kw_only=True, tag_field="lever", tag="unshape"):
    """Lift a layer from the member's links; one that is not there is left alone."""

    member: str
    layer: str


class Leave(Struct, frozen=True, tag_field="lever", tag="leave"):
    """Take the member out of the mesh's own list, and end it, and forget its data; one that is out stays out."""

    member: str


class Join(Struct, frozen=True, tag_field="lever", tag="join"):
    """Let the member into the mesh again, as a new one without data, and wait until it is ready; one that is in is started."""

    member: str


LeverCall = Kill | Stop | Start | Pause | Resume | Shape | Unshape | Leave | Join


_NAMES: Final[dict[type[LeverCall], LeverName]] = {
    Kill: "kill",
    Stop: "stop",
    Start: "start",
    Pause: "pause",
    Resume: "resume",
    Shape: "shape",
    Unshape: "unshape",
    Leave: "leave",
    Join: "join",
}


def lever_name(call: LeverCall) -> LeverName:
    """The name under which environments and faults know the lever."""
    return _NAMES[type(call)]


Membership = Literal["", "in", "out", "unknown"]
"""Whether a member is in the list that the mesh keeps of its members; empty where the environment does not ask for it."""


class MemberState(Struct, frozen=True, kw_only=True):
    """What can be seen of a member: the invariants of its fingerprint, and ``identity`` and ``counts``, which are none.

    ``identity`` changes when the process is replaced (pid and start time, for processes). Digests are of the executable that
    really runs and of the command and configuration it was started with; empty while the member is down. ``layers``: the names
    of those in force on what the member sends, in alphabetical order; ``counts``: by layer, what happened to its packets.
    ``membership``: unknown where nobody who is up could say.
    """

    up: bool
    paused: bool
    identity: str = ""
    binary_digest: str = ""
    configuration_digest: str = ""
    layers: tuple[str, ...] = ()
    counts: dict[str, PacketCounts] = {}
    membership: Membership = ""
