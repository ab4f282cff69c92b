"""Faults of a member's process: it dies, freezes, ends as it should, or is replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshkit_chaos.faults.fault import Aim, Calls, Effect, Fault, States
from meshkit_chaos.faults.levers import Join, Kill, Leave, LeverCall, MemberState, Pause, Resume, Start, Stop
from meshkit_chaos.faults.parameters import Parameter


def each(*levers: Callable[[str], LeverCall]) -> Calls:
    """The same lever calls for every target, one target after the other."""
    return lambda aim: tuple(lever(member) for member in aim.targets for lever in levers)


def of_member(compare: Callable[[MemberState, MemberState], str | None]) -> Effect:
    """An effect that asks nothing but how the member was and how it is."""

    def effect(aim: Aim, member: str, before: States, after: States) -> str | None:
        del aim
        return compare(before[member], after[member])

    return effect


def _went_down(before: MemberState, after: MemberState) -> str | None:
    if not before.up:
        return "the member was already down before the injection"
    if after.up and after.identity == before.identity:
        return "the same process is still running"
    if after.up:
        return "another process has already taken its place"
    return None


def _froze(before: MemberState, after: MemberState) -> str | None:
    if before.paused:
        return "the member was already paused before the injection"
    if not after.up:
        return "the member is down instead of paused"
    return None if after.paused else "the member is still running"


def _was_replaced(before: MemberState, after: MemberState) -> str | None:
    if not after.up:
        return "the member did not come back"
    return "the same process is still running" if after.identity == before.identity else None


def _left(before: MemberState, after: MemberState) -> str | None:
    if before.membership != "in":
        return "the mesh did not list the member before the injection"
    if after.membership == "unknown":
        return "nobody who is up could say whether the mesh still lists the member"
    if after.membership != "out":
        return "the mesh still lists the member"
    return "its process is still running" if after.up else None


KILL: Final = Fault(
    kind="kill",
    summary="End the member at once, as a crash or an OOM kill would; revert starts it again with its own data.",
    inject=each(Kill),
    revert=each(Start),
    pulls=("kill",),
    undone_by=("start",),
    effect=of_member(_went_down),
    effect_doc="the member's process is gone",
    example="- fault: kill\n  target: {role: leader}\n  hold: 5s",
)
STOP: Final = Fault(
    kind="stop",
    summary="Ask the member to end and wait until it has, as a deployment or a drained node does; revert starts it again.",
    inject=each(Stop),
    revert=each(Start),
    pulls=("stop",),
    undone_by=("start",),
    effect=of_member(_went_down),
    effect_doc="the member's process has ended",
    example="- fault: stop\n  target: {role: leader}\n  hold: 5s",
)
PAUSE: Final = Fault(
    kind="pause",
    summary="Freeze the member, as a long GC pause or a stalled VM would; revert thaws it.",
    inject=each(Pause),
    revert=each(Resume),
    pulls=("pause",),
    undone_by=("resume",),
    effect=of_member(_froze),
    effect_doc="the member's process is stopped",
    example="- fault: pause\n  target: {role: leader}\n  hold: 3s",
)
RESTART: Final = Fault(
    kind="restart",
    summary="Kill the member and start it again at once with its own data.",
    inject=each(Kill, Start),
    revert=each(Start),
    pulls=("kill", "start"),
    undone_by=("start",),
    effect=of_member(_was_replaced),
    effect_doc="another process runs in the member's place",
    example="- fault: restart\n  target: {count: 1}",
    momentary=True,
    by_identity=True,
)
ROLLING_RESTART: Final = Fault(
    kind="rolling-restart",
    summary="Ask one target after another to end, start it again with its own data, and wait until it is ready, as an upgrade "
    "does. Only one of them is down at a time, so that is all that the blast radius has to allow.",
    inject=each(Stop, Start),
    revert=each(Start),
    pulls=("stop", "start"),
    undone_by=("start",),
    effect=of_member(_was_replaced),
    effect_doc="another process runs in the member's place",
    example="- fault: rolling-restart\n  target: {share: 100%}\n  with: {pause: 2s}",
    parameters=(
        Parameter(
            name="pause",
            type="duration",
            default="1s",
            minimum=0,
            maximum=3600,
            gentler="more",
            doc="How long to wait between one target and the next.",
        ),
    ),
    momentary=True,
    by_identity=True,
    in_turn=True,
)

MEMBERSHIP_SURGE: Final = Fault(
    kind="membership-surge",
    summary="Let one target after another leave the mesh for good, out of the mesh's own list and without its data, and after "
    "the hold let it join as a new member, as autoscaling and replaced machines do. Only one of them is out at a time, so that "
    "is all that the blast radius has to allow. Hold, pause and `repeat` make the rate.",
    inject=each(Leave),
    revert=each(Join),
    pulls=("leave",),
    undone_by=("join",),
    effect=of_member(_left),
    effect_doc="the mesh's own list, asked of the other members, no longer has the member, and its process has ended",
    toll=of_member(_left),
    toll_doc="it is still so when it joins again",
    example="- fault: membership-surge\n  target: {share: 100%}\n  with: {pause: 2s}\n  hold: 3s",
    parameters=(
        Parameter(
            name="pause",
            type="duration",
            default="1s",
            minimum=0,
            maximum=3600,
            gentler="more",
            doc="How long to wait between the join of one target and the leave of the next.",
        ),
    ),
    in_turn=True,
)

PROCESS_FAULTS: Final = (KILL, STOP, PAUSE, RESTART, ROLLING_RESTART, MEMBERSHIP_SURGE)
