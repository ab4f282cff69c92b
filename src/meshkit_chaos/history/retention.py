"""What to keep and what to throw away: rules and what is known → a fate with its reason for every invocation. Pure.

Whatever a later decision may stand on is kept, and said: the newest results of each scenario in each environment class, the
last good one among them, every result of a subject that the rules name, and what a gate's policy makes baselines of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshkit_chaos.history.model import Outline, PastInvocation
from meshkit_chaos.slo import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What a gate compares with: of each scenario the ``newest`` results whose subject has these pairs and that came before
    ``before`` (wall-clock ns)."""

    subject: Mapping[str, str]
    before: int
    newest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """``keep``: every invocation so young. ``keep_failing``: those that did not pass. ``keep_last``: so many results of each
    scenario in each environment class. ``keep_subjects``: key → value, or key → "" for any value. ``compared``: baselines."""

    keep: Duration
    keep_failing: Duration
    keep_last: int
    keep_subjects: Mapping[str, str] = field(default_factory=dict)
    compared: Compared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """``kept``: why it stays although it is old; empty: it goes."""

    invocation: PastInvocation
    kept: str


def fates(invocations: Sequence[PastInvocation], results: Iterable[Outline], rules: Rules, *, now: int) -> tuple[Fate, ...]:
    """The fate of every invocation that is older than the rules keep them all, newest first."""
    every = tuple(results)
    by_name = {one.invocation: one for one in invocations}
    needed = {**_compared(every, by_name, rules), **_needed(every, rules)}
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


def _compared(results: Iterable[Outline], invocations: Mapping[str, PastInvocation], rules: Rules) -> dict[str, str]:
    """Invocations that a baseline is made of, now or later."""
    asked = rules.compared
    if asked is None:
        return {}
    seen: dict[str, int] = defaultdict(int)
    needed: dict[str, str] = {}
    for one in results:
        about = invocations.get(one.invocation)
        fits = about is not None and about.at < asked.before and asked.subject.items() <= about.subject.items()
        if fits and one.counts and one.verdict in ("pass", "fail") and seen[one.scenario] < asked.newest:
            seen[one.scenario] += 1
            needed.setdefault(one.invocation, f"the gate compares {one.scenario} with it")
    return needed


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
