"""All that history holds for one decision, asked in a few questions. What comes out is a value: deciding needs no history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from meshkit_chaos.gate.overrides import is_glob
from meshkit_chaos.gate.policy import Policy, Requirement
from meshkit_chaos.gate.schedule import expected
from meshkit_chaos.gate.selecting import selected, surely_in_class
from meshkit_chaos.gate.subject import Subject
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario
from meshkit_chaos.slo import Duration

LOOKBACK: Final = Duration.parse("14d")
"""Invocations and, by digest, results of a subject are found this far back, or as far as the policy's longest ``fresh``."""
BY_DIGEST: Final = 30
"""So many results of each scenario, the newest, are looked at for a digest. Those of a stated commit are all looked at."""
FAILURES_BY_DIGEST: Final = 10
"""And so many failures of each, however old, so that no failure is buried under newer results of other builds."""
TRAIL: Final = 20
BASELINE_RESULTS: Final = 200
EXERCISED_BY_CLASS: Final = 30
"""And so many for when a module was last under a fault in an environment of the policy's class."""


class Asked(Struct, frozen=True, kw_only=True):
    """One requirement and the scenarios that it came to."""

    requirement: Requirement
    scenarios: tuple[str, ...]


class Evidence(Struct, frozen=True, kw_only=True):
    """``tested``: results of the subject by scenario, newest first. ``vanished``: invocations of it that announced a scenario
    and hold nothing of it, by scenario. ``trail``: the newest results of any subject, of scenarios that may block: it decides
    nothing and tells since when. ``baseline``: candidates, newest first.

    ``exercised``: by module, when it was last under a fault; None: never. ``nightly``: the instant at which one was expected,
    and the invocation that came. ``seen_failing``: scenarios that failed at least once. ``set_aside``: results of the subject
    that people marked as invalid.
    """

    asked: tuple[Asked, ...]
    tested: dict[str, tuple[PastScenario, ...]]
    vanished: dict[str, tuple[PastInvocation, ...]]
    trail: dict[str, tuple[PastScenario, ...]]
    baseline: dict[str, tuple[PastScenario, ...]]
    exercised: dict[str, int | None]
    nightly_expected: int | None
    nightly_came: bool
    seen_failing: frozenset[str]
    set_aside: dict[str, tuple[PastScenario, ...]] = {}


def gather(reader: HistoryReader, policy: Policy, subject: Subject, *, now: int) -> Evidence:
    """Ask history for all that a decision about a subject needs."""
    known = reader.known()
    by_commit = reader.results(Ask(subject={"commit": subject.commit}, invalidated=True)) if subject.commit else ()
    recent = reader.invocations(since=_horizon(policy, now))
    unknown = _unknown(recent, subject, {one.scenario for one in (*known, *by_commit)})
    asked = tuple(
        Asked(requirement=one, scenarios=selected(one, (*known, *by_commit), unknown=unknown)) for one in policy.requirements
    )
    every = tuple(dict.fromkeys(name for one in asked for name in one.scenarios))
    failing = _failing(reader, policy, every)
    found = _of_subject(reader, policy, subject, by_commit=by_commit, failing=failing, scenarios=every, now=now)
    tested = _by_scenario(one for one in found if one.counts)
    suspects = tuple(name for name in every if not _plainly_good(tested.get(name, ())))
    trail = _by_scenario(reader.results(Ask(scenarios=suspects, newest=TRAIL))) if suspects else {}
    at = expected(policy.nightly, now=now) if policy.nightly else None
    return Evidence(
        asked=asked,
        tested=tested,
        set_aside=_by_scenario(one for one in found if not one.counts),
        vanished=_vanished(reader, subject, recent, found=found),
        trail=trail,
        baseline=_baseline(reader, policy, subject, asked=asked, now=now),
        exercised=_exercised(reader, policy, known, now=now),
        nightly_expected=at,
        nightly_came=at is not None and _came(reader, policy, at),
        seen_failing=frozenset(one.scenario for one in failing),
    )


def _failing(reader: HistoryReader, policy: Policy, scenarios: tuple[str, ...]) -> tuple[PastScenario, ...]:
    """Failures of each scenario: one tells that it can fail; by digest any of them may be of the subject."""
    if not scenarios:
        return ()
    return reader.results(
        Ask(scenarios=scenarios, verdicts=("fail",), newest=FAILURES_BY_DIGEST if policy.match == "digest" else 1)
    )


def _unknown(recent: tuple[PastInvocation, ...], subject: Subject, known: set[str]) -> tuple[str, ...]:
    """Scenarios that an invocation of the subject announced and that history knows nothing of: their results were lost."""
    announced = (name for one in recent if subject.announced_by(one) for name in one.announced)
    return tuple(dict.fromkeys(name for name in announced if name not in known))


def _by_scenario(results: Iterable[PastScenario]) -> dict[str, tuple[PastScenario, ...]]:
    found: dict[str, list[PastScenario]] = {}
    for one in results:
        found.setdefault(one.scenario, []).append(one)
    return {name: tuple(sorted(ones, key=lambda one: (one.at, one.invocation), reverse=True)) for name, ones in found.items()}


def _plainly_good(results: tuple[PastScenario, ...]) -> bool:
    return bool(results) and all(one.verdict == "pass" for one in results)


def _horizon(policy: Policy, now: int) -> int:
    return now - max(LOOKBACK.ns, *(one.fresh.ns for one in policy.requirements))


def _of_subject(
    reader: HistoryReader,
    policy: Policy,
    subject: Subject,
    *,
    by_commit: tuple[PastScenario, ...],
    failing: tuple[PastScenario, ...],
    scenarios: tuple[str, ...],
    now: int,
) -> tuple[PastScenario, ...]:
    """Results of the subject, those that people invalidated included. One without runs belongs to who announced it."""
    candidates = {(one.invocation, one.scenario): one for one in by_commit}
    if policy.match == "digest" and scenarios:
        since = _horizon(policy, now)
        recent = reader.results(Ask(scenarios=scenarios, since=since, newest=BY_DIGEST, invalidated=True))
        candidates |= {(one.invocation, one.scenario): one for one in (*recent, *failing)}
    own = {one.invocation for one in candidates.values() if subject.tested_by(one, policy.match)}
    announced = {one.invocation for one in by_commit} | own
    return tuple(
        one
        for one in candidates.values()
        if subject.tested_by(one, policy.match) or (not one.runs and one.invocation in announced)
    )


def _vanished(
    reader: HistoryReader, subject: Subject, recent: tuple[PastInvocation, ...], *, found: tuple[PastScenario, ...]
) -> dict[str, tuple[PastInvocation, ...]]:
    """What an invocation of the subject announced and history holds no result of, not even that there was none."""
    own = {one.invocation for one in found}
    have = {(one.invocation, one.scenario) for one in found}
    gone: dict[str, tuple[PastInvocation, ...]] = {}
    for invocation in recent:
        if invocation.invocation not in own and not subject.announced_by(invocation):
            continue
        for name in invocation.announced:
            if (invocation.invocation, name) not in have and not _elsewhere(reader, invocation, name):
                gone[name] = (*gone.get(name, ()), invocation)
    return gone


def _elsewhere(reader: HistoryReader, invocation: PastInvocation, scenario: str) -> bool:
    """Whether the result is there and only not of the subject: its binaries were others."""
    held = reader.results(Ask(scenarios=(scenario,), since=invocation.at, before=invocation.at + 1, invalidated=True))
    return any(one.invocation == invocation.invocation for one in held)


def _baseline(
    reader: HistoryReader, policy: Policy, subject: Subject, *, asked: tuple[Asked, ...], now: int
) -> dict[str, tuple[PastScenario, ...]]:
    compared = tuple(dict.fromkeys(name for one in asked if one.requirement.regression for name in one.scenarios))
    if policy.regression is None or not compared:
        return {}
    rules = policy.regression.baseline
    before = now - rules.lag.ns if rules.until is None else min(rules.until, now - rules.lag.ns)
    found = reader.results(
        Ask(scenarios=compared, subject=rules.subject, verdicts=("pass", "fail"), before=before, newest=BASELINE_RESULTS)
    )
    return _by_scenario(one for one in found if not subject.tested_by(one, policy.match))


def _exercised(reader: HistoryReader, policy: Policy, known: tuple[PastScenario, ...], *, now: int) -> dict[str, int | None]:
    """When a scenario about each module last ended with evidence, good or bad. What is still to come is none."""
    found = {}
    for module in policy.exercised_within:
        about = tuple(one.scenario for one in known if module in one.modules)
        found[module] = _last_seen(reader, about, policy.environment_class, before=now + SLACK.ns) if about else None
    return found


def _last_seen(reader: HistoryReader, scenarios: tuple[str, ...], wanted: str, *, before: int) -> int | None:
    """Where a class is wanted and none of the newest results of a scenario is of it, it counts as not exercised."""
    newest = EXERCISED_BY_CLASS if wanted else 1
    exact = "" if is_glob(wanted) else wanted
    ask = Ask(scenarios=scenarios, environment_class=exact, verdicts=("pass", "fail"), before=before, newest=newest)
    decided = reader.results(ask)
    return max((one.at for one in decided if surely_in_class(wanted, one)), default=None)


def _came(reader: HistoryReader, policy: Policy, at: int) -> bool:
    assert policy.nightly is not None
    since = at - SLACK.ns
    return any(
        policy.nightly.subject.items() <= one.subject.items()
        for one in reader.invocations(since=since, before=at + policy.nightly.grace.ns + 1)
    )


SLACK: Final = Duration.parse("5m")
"""Clocks of a scheduler and a runner differ by less than this."""
