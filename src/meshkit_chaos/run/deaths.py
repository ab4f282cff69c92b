"""Members that ended although no fault held them.

Takes the fingerprint from before the faults, then look after look with the members that a fault holds; gives each death once,
as an event. A member that died and came back between two looks has another identity: that is a death too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from meshkit_chaos.faults import MemberState
from meshkit_chaos.journal import events as ev


class Deaths:
    """Remembers the identity of each member for as long as nobody but itself may have changed it."""

    def __init__(self, before: Mapping[str, MemberState]) -> None:
        self._before = before
        self._identities = {member: state.identity for member, state in before.items()}
        self._dead: set[str] = set()

    def expect(self, members: Collection[str]) -> None:
        """A fault is about to hit these: from now on their processes may be replaced by us."""
        for member in members:
            self._identities.pop(member, None)

    def look(self, seen: Mapping[str, MemberState], held: Collection[str]) -> Iterator[ev.MemberDied]:
        """What died since the last look, apart from the members that a fault held at any moment of this one."""
        for member, now in seen.items():
            was = self._identities.pop(member, "")
            if member in held or member in self._dead or member not in self._before:
                continue
            if detail := self._death(member, was, now):
                self._dead.add(member)
                yield ev.MemberDied(member=member, detail=detail)
            self._identities[member] = now.identity

    def _death(self, member: str, was: str, now: MemberState) -> str:
        if not now.up and self._before[member].up:
            return "its process ended although no fault held it"
        if now.up and was and was != now.identity:
            return "another process took its place although no fault held it"
        return ""
