"""What the gate's comparisons with earlier releases can see of a scenario today, and what they cannot. Pure.

The numbers are the gate's own: its comparison is asked with so many runs of the newest build against the runs that it would
take as a baseline. How often a slower build's run is surely slower than an earlier one is taken from those runs, made slower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import floor
from typing import Final

from msgspec import Struct, structs

from meshkit_chaos.gate.comparing import Sample, compare_samples, objective_of, old_sample, releases
from meshkit_chaos.gate.exact_tests import Span, sure_wins
from meshkit_chaos.gate.policy import Policy, Regression
from meshkit_chaos.gate.selecting import selected
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.phrases import counted, say_share
from meshkit_chaos.slo import Ratio

SLOWER: Final = ((1.5, "a build that takes half as long again"), (2.0, "a doubling"))
RUNS: Final = (2, 3, 5, 8)
ENOUGH: Final = 0.8
_BLIND: Final = 0.05

Samples = Sequence[tuple[str, Sample]]


class Seen(Struct, frozen=True, kw_only=True):
    """One kind of regression: ``sentence`` says with how many runs the gate sees it. ``today``: the chance with today's."""

    sentence: str
    today: float


class Sight(Struct, frozen=True, kw_only=True):
    """``sentence``: what is compared, or why nothing is."""

    sentence: str
    seen: tuple[Seen, ...] = ()


def sight(
    results: Sequence[PastScenario],
    objective: str,
    *,
    policy: Policy | None,
    now: int,
    newest: PastScenario | None = None,
    branch: str = "",
) -> Sight:
    """What is seen in one objective. ``results``: of one scenario, newest first, with those that people set aside.

    ``newest``: of the build that the gate is asked about; None: the first. ``branch``: its name, where there are others. The
    earlier ones are those that the policy compares with, whatever branch they are of.
    """
    if policy is None:
        return Sight(sentence="No policy is known here, so what the gate can see is not known either (--policy names it).")
    newest = newest or next(iter(results), None)
    if newest is None or not _compared(policy, newest):
        return Sight(sentence="The policy compares this scenario with no earlier release: only its limit is asked.")
    rules = policy.regression
    assert rules is not None, "load refuses a requirement that compares without saying how"
    told = [one for one in results if one.counts]
    own = [one for one in told if _build(one) == _build(newest)]
    runs = sum(objective_of(run, objective) is not None for one in own for run in one.runs)
    earlier = releases([one for one in told if _may_be_baseline(one, newest, rules, now=now)], rules.baseline)
    samples = [(one.name, old_sample(one.runs, objective)) for one in earlier]
    samples = [(name, old) for name, old in samples if old.runs >= rules.baseline.at_least]
    if not samples:
        needed = counted(rules.baseline.at_least, "run")
        return Sight(sentence=f"No earlier release has the {needed} that a comparison needs: only the limit is asked.")
    on = f" on {branch}" if branch else ""
    held = " and ".join(f"{old.runs} ({name})" for name, old in samples)
    return Sight(
        sentence=f"The newest build{on} has {counted(runs, 'run')} to be compared with earlier ones: {held}.",
        seen=tuple(_seen(objective, runs, samples, rules)),
    )


def _compared(policy: Policy, newest: PastScenario) -> bool:
    return policy.regression is not None and any(
        one.regression and newest.scenario in selected(one, [newest]) for one in policy.requirements
    )


def _build(one: PastScenario) -> object:
    return one.subject.get("commit") or one.subject


def _may_be_baseline(one: PastScenario, newest: PastScenario, rules: Regression, *, now: int) -> bool:
    """As the gate gathers its baseline: of that subject, decided, old enough, and of another build."""
    baseline = rules.baseline
    before = now - baseline.lag.ns if baseline.until is None else min(baseline.until, now - baseline.lag.ns)
    fits = baseline.subject.items() <= one.subject.items()
    return fits and one.at < before and one.verdict in ("pass", "fail") and _build(one) != _build(newest)


def _seen(objective: str, runs: int, samples: Samples, rules: Regression) -> list[Seen]:
    """The gate blames a build for being worse than any of the releases: the one that shows it best is told."""
    found = []
    if any(len(old.times) >= rules.baseline.at_least for _, old in samples):
        for factor, name in SLOWER:
            power = partial(_power_of_times, objective, factor=factor, samples=samples, rules=rules)
            found.append(_said(name, runs, power))
    often = f"failing in {say_share(rules.alternative.fails.value)} of runs"
    return [*found, _said(often, runs, lambda count: _power(objective, count, samples, rules))]


def _said(what: str, runs: int, power: Callable[[int], float]) -> Seen:
    today = power(runs)
    with_today = f"with {counted(runs, 'run')}"
    if today >= ENOUGH:
        return Seen(sentence=f"{with_today} the gate sees {what} in {say_share(today)} of cases", today=today)
    now = f"cannot see {what}" if today < _BLIND else f"sees {what} in only {say_share(today)} of cases"
    for count in RUNS:
        if count > runs and (then := power(count)) >= ENOUGH:
            return Seen(sentence=f"{with_today} the gate {now}; with {count} it would in {say_share(then)}", today=today)
    return Seen(
        sentence=f"{with_today} the gate {now}; with {max(RUNS)} it would not in {say_share(ENOUGH)} either", today=today
    )


def _power_of_times(objective: str, runs: int, *, factor: float, samples: Samples, rules: Regression) -> float:
    """Against the release that shows it best, of a build that takes so much longer than that release."""
    return max(
        _power(objective, runs, samples, _slower(rules, _surely_slower(old.times, factor)), release=name)
        for name, old in samples
        if len(old.times) >= rules.baseline.at_least
    )


def _slower(rules: Regression, share: float) -> Regression:
    return structs.replace(rules, alternative=structs.replace(rules.alternative, slower=Ratio(share)))


def _surely_slower(times: Sequence[Span], factor: float) -> float:
    """In which share of pairs a run that takes so much longer is surely slower than an earlier one, rounded down.

    So few runs never show that it always is: of n runs at most n in n + 1.
    """
    slow = [Span(int(one.lo * factor), None if one.hi is None else int(one.hi * factor)) for one in times]
    share = min(sure_wins(times, slow) / (len(times) ** 2), len(times) / (len(times) + 1))
    return floor(share * 100) / 100


def _power(objective: str, runs: int, samples: Samples, rules: Regression, *, release: str = "") -> float:
    """What the gate's own comparison says that it sees: of times with one release, or (without a name) of failures."""
    if not runs:
        return 0.0
    # The other releases stay, as they share in the level; their times would only be reckoned with in vain.
    asked = [(name, old if name == release else replace(old, times=())) for name, old in samples]
    new = Sample(runs=runs, failures=0, times=(Span(0, 1),) * runs if release else ())
    told = compare_samples(objective, new=new, earlier=asked, rules=rules)
    return max((one.power for one in told if one.kind == ("time" if release else "failures")), default=0.0)
