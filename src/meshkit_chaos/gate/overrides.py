"""Overrides as frozen values: what people accept although it did not pass, and who. Pure.

An override accepts one number of one objective of one scenario, for one commit or digest, until an instant. It never stands
for evidence: the scenario must have run.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final, Literal

from msgspec import Struct, structs

from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode

ProofKind = Literal["review", "environment", "signature", "none"]
LONGEST_OVERRIDE: Final = Duration.parse("90d")
NAMESPACE: Final = "meshkit-chaos-override"
"""The namespace of SSH signatures: one made for anything else does not count here."""


class Accepted(Struct, frozen=True, kw_only=True):
    """Exactly one is given: a time up to which the objective may take, or how many of its runs may fail."""

    within: Duration | None = None
    failing_runs: int | None = None

    def __str__(self) -> str:
        if self.within is not None:
            return f"up to {self.within}"
        return f"up to {self.failing_runs} failing run{'' if self.failing_runs == 1 else 's'}"


class Proof(Struct, frozen=True, kw_only=True):
    """How the approver is known. ``reference``: the review or the approval, or the armoured SSH signature."""

    kind: ProofKind = "none"
    reference: str = ""


class Override(Struct, frozen=True, kw_only=True):
    """``subject`` holds ``commit`` or ``digest``, and maybe more. ``created`` and ``expires`` are wall-clock ns.

    ``renewal``: how many overrides of the same scenario and objective were written before it, wherever they stand.
    """

    id: str
    subject: dict[str, str]
    scenario: str
    objective: str
    accept: Accepted
    reason: str
    ticket: str
    author: str
    approver: str
    created: int
    expires: int
    second_approver: str = ""
    proof: Proof = Proof()
    renewal: int = 0

    def statement(self) -> bytes:
        """What an approver signs: everything but the proof itself and the place in the file."""
        return encode(structs.replace(self, proof=Proof(), renewal=0))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.statement()).hexdigest()


class Overrides(Struct, frozen=True, kw_only=True):
    """A whole file, and where it was read from.

    ``source``: in words. ``commit``: the commit it was read at; empty where that is not known. ``protected``: it was read from
    a ref that the caller named as the protected one.
    """

    entries: tuple[Override, ...] = ()
    source: str = ""
    commit: str = ""
    protected: bool = False


class Checked(Struct, frozen=True, kw_only=True):
    """What was found out about the signature of an override: ``signer`` is set where it is proved."""

    override: str
    signer: str = ""
    problem: str = ""


def is_glob(name: str) -> bool:
    return bool(set("*?[") & set(name))


def too_loose(entry: Override) -> bool:
    """Whether an override's subject names no single build."""
    return not {"commit", "digest"} & entry.subject.keys()


def too_broad(entry: Override) -> bool:
    """Whether an override is for more than one number of one objective of one scenario of one build, or for too long."""
    globs = is_glob(entry.scenario) or is_glob(entry.objective)
    return globs or too_loose(entry) or entry.expires - entry.created > LONGEST_OVERRIDE.ns


def same(one: str, other: str) -> bool:
    """Whether two names are of one person, as far as spelling tells: letter forms and what nobody sees make no difference."""
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    seen = (letter for letter in unicodedata.normalize("NFKC", name) if unicodedata.category(letter) not in _UNSEEN)
    return "".join(seen).casefold().strip()


_UNSEEN: Final = frozenset({"Cc", "Cf", "Mn", "Me"})
"""Control and format characters, and marks that are put on a letter (which make two names of one that look alike)."""


def second_approved(entry: Override) -> bool:
    """Whether a third person approved, too."""
    second = entry.second_approver
    return bool(_bare(second)) and not same(second, entry.author) and not same(second, entry.approver)
