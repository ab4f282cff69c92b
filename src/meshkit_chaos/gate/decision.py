"""A decision as a value: open or not, why, and what would open it. It is what reports show and what the log keeps. Pure.

Only ``passed`` and ``waived`` are good. ``EVIDENCE`` says that the subject was seen to be bad; every other code that evidence
is missing. ``schema`` is the version of the JSON document.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from meshkit_chaos.gate.policy import Match, Mode
from meshkit_chaos.judge.verdict import VerdictName

Code = Literal[
    "passed",
    "waived",
    "failed",
    "regression",
    "inconclusive",
    "invalid",
    "not-run",
    "missing",
    "stale",
    "other-subject",
    "other-class",
    "no-objective",
    "too-few-runs",
    "no-baseline",
    "too-few-scenarios",
    "nightly-missing",
    "not-exercised",
    "nothing-blocking",
    "subject-unknown",
]
GOOD: Final[frozenset[Code]] = frozenset({"passed", "waived"})
EVIDENCE: Final[frozenset[Code]] = frozenset({"failed", "regression"})
Refusal = Literal[
    "",
    "expired",
    "not-yet",
    "other-subject",
    "too-broad",
    "self-approved",
    "second-renewal",
    "tested-commit",
    "unprotected",
    "bad-signature",
    "not-required",
    "unused",
    "not-run",
    "beyond",
]
OPEN, BLOCKED, UNPROVEN = 0, 1, 2


class Sighting(Struct, frozen=True, kw_only=True):
    """One result of history that a sentence is about."""

    invocation: str
    at: int
    verdict: VerdictName
    subject: dict[str, str]


class Comparison(Struct, frozen=True, kw_only=True):
    """An objective of the subject against one earlier release. ``power``: of the stated alternative; ``least``: the least p.

    ``old`` and ``new`` are numbers of runs. ``worse``: it blames the subject.
    """

    objective: str
    kind: Literal["failures", "time"]
    release: str
    old: int
    new: int
    p: float
    level: float
    least: float
    power: float
    worse: bool
    sentence: str

    @property
    def blind(self) -> bool:
        """Whether no result, however bad, could have been blamed."""
        return self.least > self.level


class Item(Struct, frozen=True, kw_only=True):
    """One thing that the policy asks for. ``scenario`` empty: it is about the requirement; that empty, too: about the policy.

    ``first_bad`` and ``last_good`` are of the scenario in its class, on the branch of the newest result, if it passed there.
    ``remedy``: what would open it.
    """

    requirement: str
    scenario: str
    mode: Mode
    code: Code
    sentence: str
    remedy: str = ""
    title: str = ""
    verdict: VerdictName | None = None
    invocation: str = ""
    at: int | None = None
    environment_class: str = ""
    first_bad: Sighting | None = None
    last_good: Sighting | None = None
    overrides: tuple[str, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        return self.mode == "blocking" and self.code not in GOOD


class OverrideUse(Struct, frozen=True, kw_only=True):
    """What became of an override. ``refusal`` empty: it was used. ``identity``: how sure it is who approved."""

    id: str
    scenario: str
    objective: str
    refusal: Refusal
    sentence: str
    identity: str = ""
    digest: str = ""


class Decision(Struct, frozen=True, kw_only=True):
    """Everything that was asked and what came of it. ``at``: wall-clock ns of deciding.

    ``log_head``: the hash of the log's entry that holds this decision; empty inside that entry, and where there is no log.
    """

    schema: int = 1
    open: bool
    exit_code: int
    sentence: str
    at: int
    subject: dict[str, str]
    digests: dict[str, str]
    match: Match
    policy: str
    policy_digest: str
    items: tuple[Item, ...]
    overrides: tuple[OverrideUse, ...] = ()
    overrides_source: str = ""
    untested: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    log_head: str = ""
