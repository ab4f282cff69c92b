"""What a fault is: which levers inject it, which undo it, and which *effect* proves that it bit.

A ``Fault`` is a description. It is given an ``Aim`` (who is hit, who else is there, with which parameters) and answers with
typed lever calls. It knows no environment, touches nothing, and refuses (ValueError) an aim that it cannot be aimed at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from meshkit_chaos.faults.levers import LeverCall, LeverName, MemberState
from meshkit_chaos.faults.parameters import Parameter, ParameterValue, parse_rate
from meshkit_chaos.slo import Duration, Ratio

NO_LIMIT: Final = Duration(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One injection as its fault sees it.

    ``node`` names it, uniquely in the run. ``targets`` are hit, in their declared order; ``members`` are all that the mesh has,
    ``clients`` what uses it.
    ``parameters`` are complete. ``seed`` decides what is drawn. ``lasting``: how long levers that can expire by themselves may
    stay.
    """

    node: str
    targets: tuple[str, ...]
    members: tuple[str, ...]
    clients: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    seed: int = 0
    lasting: Duration = NO_LIMIT

    def duration(self, name: str) -> Duration:
        return Duration.parse(str(self.parameters[name]))

    def ratio(self, name: str) -> Ratio:
        return Ratio.parse(str(self.parameters[name]))

    def rate(self, name: str) -> int:
        """Bits a second."""
        return parse_rate(str(self.parameters[name]))

    def number(self, name: str) -> float:
        return float(self.parameters[name])

    def integer(self, name: str) -> int:
        return int(self.number(name))

    def text(self, name: str) -> str:
        return str(self.parameters[name])

    def drawn(self, among: tuple[str, ...], count: int) -> tuple[str, ...]:
        """So many of them, in their order; the same for the same seed and node on every machine."""

        def rank(member: str) -> bytes:
            return hashlib.sha256(f"{self.seed}/{self.node}/{member}".encode()).digest()

        chosen = set(sorted(among, key=rank)[:count])
        return tuple(member for member in among if member in chosen)


Calls = Callable[[Aim], tuple[LeverCall, ...]]
States = Mapping[str, MemberState]
"""What was seen of everybody at one moment."""
Effect = Callable[[Aim, str, States, States], str | None]
"""Looks at one target, before the injection and after it: None when the fault bit, else what was seen instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault.

    ``inject`` and ``revert`` give the lever calls of an aim; ``pulls`` and ``undone_by`` say which levers those may be. Revert
    is right after a fault that was only half injected, and when it is done twice.
    ``effect`` must be seen of every target soon after the injection; ``toll``, where there is one, before it is undone: what
    can only be told over time (that one packet of a hundred was lost).
    ``check`` refuses (ValueError) parameters that do not go together, whatever the mesh is.
    ``momentary`` faults are over once injected (a restart): holding them means nothing. ``by_identity``: the effect is that
    another process is there, which only an environment that tells processes apart can see.
    ``in_turn``: the targets are hit one after another, each one undone before the next.
    ``silences``: its members are down or frozen while it is held. Then their silence is a fact, and no second fault of the kind
    may hold the same member; what does not silence a member may be laid over anything.
    """

    kind: str
    summary: str
    inject: Calls
    revert: Calls
    pulls: tuple[LeverName, ...]
    undone_by: tuple[LeverName, ...]
    effect: Effect
    effect_doc: str
    example: str
    parameters: tuple[Parameter, ...] = ()
    check: Callable[[Aim], object] | None = None
    toll: Effect | None = None
    toll_doc: str = ""
    momentary: bool = False
    by_identity: bool = False
    in_turn: bool = False
    silences: bool = True

    @property
    def levers(self) -> frozenset[LeverName]:
        """The levers an environment must have for this fault and for its undo."""
        return frozenset((*self.pulls, *self.undone_by))

    def completed(self, given: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """The parameters with the defaults of those that are not given."""
        usual = {one.name: one.default for one in self.parameters if one.default is not None}
        return {**usual, **given}
