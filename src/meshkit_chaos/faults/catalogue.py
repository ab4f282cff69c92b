"""The fault catalogue: each kind is described once, in terms of levers.

A fault says which levers inject it, which undo it, and which *effect* proves that it bit. It knows no environment; an
environment
implements levers and knows no fault.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from meshkit_chaos.faults.levers import Kill, LeverCall, LeverName, MemberState, Pause, Resume, Start, lever_name

ParameterValue = str | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a fault: ``duration`` (``5s``), ``ratio`` (``5%``), ``integer`` or ``number``, with its limits."""

    name: str
    type: Literal["duration", "ratio", "integer", "number"]
    doc: str
    default: ParameterValue | None = None
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault.

    ``inject`` and ``revert`` give the lever calls for one member. ``effect`` compares the member before the injection with
    the member
    after it: ``None`` when the fault bit, otherwise a sentence that says what was seen instead.
    ``momentary`` faults are over once injected (a restart): holding them means nothing. ``by_identity``: the effect is that
    another process is there, which only an environment that tells processes apart can see.
    """

    kind: str
    summary: str
    inject: Callable[[str], tuple[LeverCall, ...]]
    revert: Callable[[str], tuple[LeverCall, ...]]
    effect: Callable[[MemberState, MemberState], str | None]
    effect_doc: str
    example: str
    parameters: tuple[Parameter, ...] = ()
    momentary: bool = False
    by_identity: bool = False

    @property
    def levers(self) -> frozenset[LeverName]:
        """The levers an environment must have for this fault and for its undo."""
        calls = (*self.inject("any"), *self.revert("any"))
        return frozenset(lever_name(call) for call in calls)


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


KILL: Final = Fault(
    kind="kill",
    summary="End the member at once, as a crash or an OOM kill would; revert starts it again with its own data.",
    inject=lambda member: (Kill(member),),
    revert=lambda member: (Start(member),),
    effect=_went_down,
    effect_doc="the member's process is gone",
    example="- fault: kill\n  target: {role: leader}\n  hold: 5s",
)
PAUSE: Final = Fault(
    kind="pause",
    summary="Freeze the member, as a long GC pause or a stalled VM would; revert thaws it.",
    inject=lambda member: (Pause(member),),
    revert=lambda member: (Resume(member),),
    effect=_froze,
    effect_doc="the member's process is stopped",
    example="- fault: pause\n  target: {role: leader}\n  hold: 3s",
)
RESTART: Final = Fault(
    kind="restart",
    summary="Kill the member and start it again at once with its own data.",
    inject=lambda member: (Kill(member), Start(member)),
    revert=lambda member: (Start(member),),
    effect=_was_replaced,
    effect_doc="another process runs in the member's place",
    example="- fault: restart\n  target: {count: 1}",
    momentary=True,
    by_identity=True,
)

CATALOGUE: Final[Mapping[str, Fault]] = MappingProxyType({fault.kind: fault for fault in (KILL, PAUSE, RESTART)})


def nearest(kind: str) -> str | None:
    """The known kind that looks most like ``kind``, if any does."""
    found = difflib.get_close_matches(kind, CATALOGUE, n=1, cutoff=0.5)
    return found[0] if found else None
