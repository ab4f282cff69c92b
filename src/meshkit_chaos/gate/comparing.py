"""A subject's runs of one scenario against those of earlier releases: failures by Fisher's test, times by the rank test. Pure.

Takes the subject's results and the candidates for a baseline; gives a comparison for each objective, kind and release. The
stated false-alarm rate is for one objective. It is shared out over its two kinds of test and all the releases that it is
compared with (Bonferroni), so that choosing the worst of them costs nothing. A claim of worse is careful about intervals: an
earlier time counts with its upper end, a new one with its lower.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.gate.decision import Comparison
from meshkit_chaos.gate.exact_tests import (
    Span,
    fisher,
    fisher_least,
    fisher_needs,
    fisher_power,
    median,
    rank_power,
    rank_test,
    sure_wins,
)
from meshkit_chaos.gate.policy import MOST_BASELINE_RUNS, Baseline, Regression
from meshkit_chaos.history.model import PastObjective, PastRun, PastScenario
from meshkit_chaos.judge.phrases import at_least, at_most, counted

WORST: Final = Span(2**62, None)
"""Stands for the time of a run that should have one and has none: no real time is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The runs of one objective: how many, how many of them did not pass, and the times that count."""

    runs: int
    failures: int
    times: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """The baseline runs of one earlier release, newest first."""

    name: str
    runs: tuple[PastRun, ...]


def releases(results: Sequence[PastScenario], rules: Baseline) -> tuple[Release, ...]:
    """The releases with enough runs, newest first, at most as many as the policy says. ``results``: newest first."""
    grouped: dict[str, list[PastRun]] = {}
    for result in results:
        if rules.releases_by and rules.releases_by not in result.subject:
            continue
        name = result.subject.get(rules.releases_by, "") if rules.releases_by else "the baseline"
        grouped.setdefault(name, []).extend(run for run in result.runs if run.verdict in ("pass", "fail"))
    enough = (Release(name, tuple(runs[:MOST_BASELINE_RUNS])) for name, runs in grouped.items() if len(runs) >= rules.at_least)
    return tuple(enough)[: rules.releases]


def compare(objective: str, *, new: Sample, earlier: Sequence[Release], rules: Regression) -> tuple[Comparison, ...]:
    """One objective against every release, of the kinds that can be told. Empty where there is nothing to compare."""
    return compare_samples(
        objective, new=new, earlier=[(release.name, old_sample(release.runs, objective)) for release in earlier], rules=rules
    )


def compare_samples(
    objective: str, *, new: Sample, earlier: Sequence[tuple[str, Sample]], rules: Regression
) -> tuple[Comparison, ...]:
    """The same, of samples that are at hand."""
    olds = [(name, old) for name, old in earlier if old.runs >= rules.baseline.at_least]
    if not olds or not new.runs:
        return ()
    level = rules.false_alarms.value / (2 * len(olds))
    found = [_failures(objective, name, old=old, new=new, level=level, rules=rules) for name, old in olds]
    timed = [(name, old) for name, old in olds if len(old.times) >= rules.baseline.at_least]
    if new.times:
        found += [_times(objective, name, old=old, new=new, level=level, rules=rules) for name, old in timed]
    return tuple(found)


def old_sample(runs: Iterable[PastRun], objective: str) -> Sample:
    """Earlier runs. Those that failed have no place among the times: a slow release must not become the measure."""
    seen = [one for run in runs if (one := objective_of(run, objective)) and one.verdict in ("pass", "fail")]
    times = tuple(Span(one.lo, one.hi) for one in seen if one.verdict == "pass" and one.lo is not None)
    return Sample(runs=len(seen), failures=sum(one.verdict == "fail" for one in seen), times=times)


def new_sample(results: Iterable[PastScenario], objective: str, *, failures_count_as_times: bool) -> Sample:
    """The subject's runs. One that decided nothing counts as the worst, so that losing its evidence never helps.

    ``failures_count_as_times``: somebody accepted failures, so nothing else would notice how long they took.
    """
    seen = [objective_of(run, objective) for result in results for run in result.runs]
    times: list[Span] = []
    for one in seen:
        if one is None or one.verdict not in ("pass", "fail"):
            times.append(WORST)
        elif one.verdict == "pass" and one.lo is not None:
            times.append(Span(one.lo, one.hi))
        elif one.verdict == "fail" and failures_count_as_times:
            times.append(WORST)
    failures = sum(one is None or one.verdict != "pass" for one in seen)
    return Sample(runs=len(seen), failures=failures, times=tuple(times))


def objective_of(run: PastRun, name: str) -> PastObjective | None:
    return next((one for one in run.objectives if one.name == name), None)


def _failures(objective: str, release: str, *, old: Sample, new: Sample, level: float, rules: Regression) -> Comparison:
    numbers = {"old_failures": old.failures, "old_runs": old.runs, "new_runs": new.runs}
    p = fisher(new_failures=new.failures, **numbers)
    before, after = old.failures / old.runs, new.failures / new.runs
    enough = new.failures >= rules.minimum_failures and after - before > rules.dead_band.value
    needs = fisher_needs(level, **numbers)
    if needs is not None:
        beyond_band = next((k for k in range(needs, new.runs + 1) if k / new.runs - before > rules.dead_band.value), None)
        needs = None if beyond_band is None else max(beyond_band, rules.minimum_failures)
    sentence = f"{new.failures} of {counted(new.runs, 'run')} did not pass; {old.failures} of {old.runs} in {release}"
    return Comparison(
        objective=objective,
        kind="failures",
        release=release,
        old=old.runs,
        new=new.runs,
        p=p,
        level=level,
        least=1.0 if needs is None or needs > new.runs else fisher_least(**numbers),
        power=fisher_power(needs, new_runs=new.runs, fails=rules.alternative.fails.value),
        worse=p <= level and enough,
        sentence=sentence,
    )


def _times(objective: str, release: str, *, old: Sample, new: Sample, level: float, rules: Regression) -> Comparison:
    test = rank_test(old.times, new.times)
    before, after = median(old.times, upper=True), median(new.times, upper=False)
    far = after > before * (1 + rules.effect.value)
    return Comparison(
        objective=objective,
        kind="time",
        release=release,
        old=len(old.times),
        new=len(new.times),
        p=test.p,
        level=level,
        least=test.least,
        power=rank_power(level, old_runs=len(old.times), new_runs=len(new.times), slower=rules.alternative.slower.value),
        worse=test.p <= level and far,
        sentence=f"median at least {_from(after)}; at most {_to(before)} in {release}; {_wins(old, new)}",
    )


def _wins(old: Sample, new: Sample) -> str:
    pairs = len(old.times) * len(new.times)
    return f"surely slower in {sure_wins(old.times, new.times)} of {counted(pairs, 'pair')}"


def _from(ns: float) -> str:
    return "no time at all" if ns >= WORST.lo else at_least(int(ns))


def _to(ns: float) -> str:
    return "nothing that ended" if ns == float("inf") else at_most(int(ns))
