"""What is behind a result that is no pass, and the key by which it is known again, whoever reports it and whenever.

A cause is a scenario, an objective, a kind and an environment class. It holds no number that was measured: the same trouble,
slower by a second, is the same cause. ``v1`` names this way of telling causes apart; a later one would not rename old tickets.
Pure.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.slo.codec import encode

CauseKind = Literal[
    "missed",
    "invalid",
    "no-evidence",
    "cut-short",
    "missing",
    "not-run",
    "dirty",
    "nightly-missing",
    "gate",
]
"""``missed``: evidence that an objective was missed. ``invalid``: an assumption broke, such as a fault that did not bite.
``no-evidence``: inconclusive. ``cut-short``: every run crashed or was aborted. ``missing``: announced, and no run left a
result. ``not-run``: refused before it began. ``dirty``: an environment was left so. ``gate``: what blocks it.
"""
UNPROVEN: Final[frozenset[CauseKind]] = frozenset({"invalid", "no-evidence", "cut-short", "missing", "not-run"})
"""What proves nothing, either way: quiet at first."""
WORDS: Final[dict[CauseKind, str]] = {
    "missed": "missed",
    "invalid": "nothing was tested (invalid)",
    "no-evidence": "no evidence (inconclusive)",
    "cut-short": "cut short",
    "missing": "no result",
    "not-run": "not run",
    "dirty": "left dirty",
    "nightly-missing": "did not come",
    "gate": "blocks",
}


class Cause(Struct, frozen=True, kw_only=True):
    """``shared``: what several causes have in common that are told as one, such as ``module leadership``."""

    kind: CauseKind
    environment_class: str = ""
    scenario: str = ""
    objective: str = ""
    shared: str = ""

    @property
    def key(self) -> str:
        """Such as ``v1:4f2a91c07d3e5b18``; the parts are in ``words``."""
        parts = (self.kind, self.environment_class, self.scenario, self.objective, self.shared)
        return f"v1:{hashlib.sha256(encode(parts)).hexdigest()[:16]}"

    @property
    def storm(self) -> bool:
        return bool(self.shared) and self.kind not in ("nightly-missing", "gate")

    @property
    def words(self) -> str:
        about = ", ".join(part for part in (self.scenario, self.objective) if part) or self.shared or self.environment_class
        return f"{about}: {WORDS[self.kind]}"


def digest(*parts: object) -> str:
    """A short name for values: equal ones have the same."""
    return hashlib.sha256(encode(parts)).hexdigest()[:12]
