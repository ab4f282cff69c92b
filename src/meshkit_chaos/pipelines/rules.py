"""What `pipelines check` looks for: seven ways in which a failure looks green, and two by which others get in.

Each rule has an id that is never reused, a name, and the reason that is told to people. Pure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from msgspec import Struct


class Rule(Struct, frozen=True):
    """``reason``: what goes wrong, in one or two sentences."""

    id: str
    name: str
    reason: str


_TABLE: Final = (
    Rule(
        "MP101",
        "failure-tolerated",
        "A step that judges may end with a failure that the job does not take over: the job is green and nothing was passed.",
    ),
    Rule(
        "MP102",
        "missing-results-tolerated",
        "Publishing accepts that there are no results. A run that never began then looks like one that found nothing.",
    ),
    Rule(
        "MP103",
        "gate-skipped",
        "The gate does not run when something before it failed. A required check takes a skipped job for a success.",
    ),
    Rule(
        "MP104",
        "gate-ignored",
        "A job that comes after the gate runs whatever the gate said.",
    ),
    Rule(
        "MP105",
        "not-always",
        "Undoing and keeping the records does not happen after a failure or a cancellation, which is when they are needed.",
    ),
    Rule(
        "MP106",
        "unpinned-action",
        "An action that is named by tag or branch is whatever its owner puts there. Only a commit stays what it was.",
    ),
    Rule(
        "MP107",
        "script-injection",
        "An expression inside a script is pasted into it before the shell reads it: whoever chooses the value runs commands.",
    ),
    Rule(
        "MP108",
        "not-told",
        "Telling people is skipped after a failure, which is what they are to be told. Silence then looks like a good night.",
    ),
    Rule(
        "MP109",
        "not-shown",
        "The dashboard is not written after a failure. The page that is there still shows the last good night.",
    ),
)
RULES: Final = MappingProxyType({rule.name: rule for rule in _TABLE})
"""By name."""
