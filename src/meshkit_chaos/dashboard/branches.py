"""The results of one scenario, told apart by the branch that they were built from. Pure.

Takes results newest first; gives each branch with its own, the one that has most to say first. Two branches are two things that
are tested: no number of a page is of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.report.escape import clipped, one_line

_LONGEST: Final = 60
_NAMELESS: Final = "no branch"
_CUT: Final = 48


class Branch(Struct, frozen=True, kw_only=True):
    """``words``: its name as a page says it; ``results``: newest first, at least one."""

    words: str
    results: tuple[PastScenario, ...]


def branch_of(subject: Mapping[str, str]) -> str:
    """Empty where the subject names none."""
    return subject.get("branch", "")


def branch_words(subject: Mapping[str, str]) -> str:
    """Two branches are never called the same: what cannot be shown as it is has a mark of its own behind it."""
    name = branch_of(subject)
    shown = one_line(name)
    if not name or (shown == name != _NAMELESS and len(name) <= _LONGEST):
        return name or _NAMELESS
    return f"{clipped(shown, _CUT)} ({hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:6]})"


def by_branch(results: Sequence[PastScenario]) -> tuple[Branch, ...]:
    """The branch with the most runs that tell something comes first, of several the one with the newest result."""
    held: dict[str, list[PastScenario]] = {}
    for one in results:
        held.setdefault(branch_of(one.subject), []).append(one)
    leading = sorted(held.values(), key=lambda ones: (len(told(ones)), ones[0].at), reverse=True)
    return tuple(Branch(words=branch_words(ones[0].subject), results=tuple(ones)) for ones in leading)


def told(results: Sequence[PastScenario]) -> list[bool]:
    """For each run that passed or failed and that nobody set aside, whether it failed."""
    runs = (run for one in results for run in one.runs if not run.invalidated)
    return [run.verdict == "fail" for run in runs if run.verdict in ("pass", "fail")]
