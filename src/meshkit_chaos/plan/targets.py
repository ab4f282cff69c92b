"""Which members a fault hits: candidates by name and role, then a draw that the seed decides."""

from __future__ import annotations

import hashlib
import math

from meshkit_chaos.scenario.model import BlastRadius, Target


def candidates_of(target: Target, *, members: tuple[str, ...], roles: dict[str, frozenset[str]]) -> tuple[str, ...]:
    """The members that fit, in their declared order. Names match exactly; a role that nobody has gives none."""
    return tuple(
        member
        for member in members
        if (not target.names or member in target.names)
        and (target.role is None or member in roles.get(target.role, frozenset()))
        and (target.not_role is None or member not in roles.get(target.not_role, frozenset()))
    )


def wanted(target: Target, candidates: int) -> int:
    """How many of so many candidates; a share is rounded up."""
    if target.count is not None:
        return target.count
    if target.share is not None:
        return math.ceil(target.share.value * candidates - 1e-9)
    return candidates if target.names or target.role else min(1, candidates)


def draw(candidates: tuple[str, ...], *, count: int, seed: int, node: str) -> tuple[str, ...]:
    """Choose ``count`` of the candidates: the same for the same seed and node, on every machine and Python version."""

    def rank(member: str) -> bytes:
        return hashlib.sha256(f"{seed}/{node}/{member}".encode()).digest()

    chosen = set(sorted(candidates, key=rank)[:count])
    return tuple(member for member in candidates if member in chosen)


def blast_limit(radius: BlastRadius, members: int) -> int:
    """At most how many members may be under a fault at once; a minority (at least one) where nothing is said."""
    limits = []
    if radius.members is not None:
        limits.append(radius.members)
    if radius.share is not None:
        limits.append(math.floor(radius.share.value * members + 1e-9))
    return min(limits) if limits else max(1, (members - 1) // 2)
