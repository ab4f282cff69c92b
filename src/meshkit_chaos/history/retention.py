"""What to keep and what to throw away: rules and what is known → a fate with its reason for every invocation. Pure.

Whatever a later decision may stand on is kept, and said: the newest results of each scenario in each environment class, the
last good one among them, and every result of a subject that the rules name (releases, say, that baselines are made of).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshkit_chaos.history.model import Outline, PastInvocation
from meshkit_chaos.slo import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``keep``: every invocation so young. ``keep_failing``: those that did not pass. ``keep_last``: so many results of each
    scenario in each environment class. ``keep_subjects``: key → value, or key → "" for any value."""

    keep: Duration
    keep_failing: Duration
    keep_last: int
    keep_subjects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """``kept``: why it stays although it is old; empty: it goes."""

    invocation: PastInvocation
    kept: str


def fates(invocations: Sequence[PastInvocation], results: Iterable[Outline], rules: Rules, *, now: int) -> tuple[Fate, ...]:
    """The fate of every invocation that is older than the rules keep them all, newest first."""
    needed = _needed(results, rules)
    return tuple(
        Fate(invocation=one, kept=_subject(one, rules) or needed.get(one.invocation, ""))
        for one in invocations
        if one.at < now - (rules.keep if one.verdict == "pass" else max(rules.keep, rules.keep_failing)).ns
    )


def _subject(one: PastInvocation, rules: Rules) -> str:
    for key, value in rules.keep_subjects.items():
        if key in one.subject and value in ("", one.subject[key]):
            return f"its subject has {key}={one.subject[key]}"
    return ""


def _needed(results: Iterable[Outline], rules: Rules) -> dict[str, str]:
    """Why an invocation is needed, by its ULID. ``results`` come newest first."""
    seen: dict[tuple[str, str], int] = defaultdict(int)
    good: set[tuple[str, str]] = set()
    needed: dict[str, str] = {}
    for one in results:
        where = (one.scenario, one.environment_class)
        if seen[where] < rules.keep_last:
            needed.setdefault(one.invocation, f"among the last {rules.keep_last} of {one.scenario}")
        seen[where] += 1
        if one.verdict == "pass" and one.counts and where not in good:
            good.add(where)
            needed.setdefault(one.invocation, f"the last good result of {one.scenario}")
    return needed
