"""A subject against earlier releases: what is worse is blamed with its numbers, what cannot be told is said to be so."""

from __future__ import annotations

from typing import Any

import pytest
from gate_worlds import NOW, SECOND, decided, history, one_run, overrides, policy, result
from msgspec import structs
from test_gate_law import ACCEPT

from meshkit_chaos.gate.decision import Decision, Item
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.model import PastRun, PastScenario

POLICY = """version: 1
match: commit
runs: 3
regression:
  false_alarms: 5%%
  baseline: {subject: {branch: main}, releases_by: version, lag: 10d, at_least: 5}
  until_baseline: %s
requirements:
  - {id: a, scenarios: [leader-killed], regression: on}
"""
CLOSED, OPEN = policy(POLICY % "closed"), policy(POLICY % "absolute-only")
FAST = (900, 950, 1000, 1050, 1100, 980, 1020, 940)


def runs_of(*ms: int, verdict: str = "pass", prefix: str = "N") -> tuple[PastRun, ...]:
    return tuple(
        one_run(verdict, number, time=(one * 10**6, (one + 20) * 10**6), prefix=prefix)  # type: ignore[arg-type]  # two words
        for number, one in enumerate(ms)
    )


def release(version: str, days: float, ms: tuple[int, ...] = FAST, *, failing: int = 0, **changes: Any) -> PastScenario:
    """An earlier release, measured so many days ago; ``failing`` more of its runs failed."""
    held = (*runs_of(*ms, prefix=version), *runs_of(*(8000 for _ in range(failing)), verdict="fail", prefix=f"{version}f"))
    subject = {"commit": f"c{version}", "branch": "main", "version": version}
    one = result("pass", hours=24 * days, runs=held, subject=subject)
    return structs.replace(one, **changes)


def new(*ms: int, flaky: int = 0) -> PastScenario:
    held = (*runs_of(*ms), *runs_of(*(8000 for _ in range(flaky)), verdict="fail", prefix="F"))
    return structs.replace(result("pass", runs=held), flaky=flaky > 0)


def about(*results: PastScenario, rules: Any = CLOSED, file: Overrides | None = None) -> tuple[Decision, Item]:
    decision = decided(history(*results), rules, file)
    return decision, next(item for item in decision.items if item.scenario)


def test_a_subject_that_is_as_good_passes() -> None:
    """Times like those of the release before it open the gate, and the numbers are there."""
    decision, item = about(new(960, 1010, 1040), release("1.4.1", 20))
    assert (decision.exit_code, item.code) == (0, "passed")
    assert {(one.kind, one.release, one.worse) for one in item.comparisons} == {
        ("failures", "1.4.1", False),
        ("time", "1.4.1", False),
    }
    assert all(0 < one.least <= one.level == 0.025 and 0 < one.power < 1 for one in item.comparisons)
    assert "5 % of decisions" in decision.notes[0]


def test_a_slower_subject_is_blamed_within_its_limit() -> None:
    """Twice as slow is a regression although the limit of 5 s is kept; the sentence says how much and how sure."""
    decision, item = about(new(2000, 2100, 1900), release("1.4.1", 20))
    assert (decision.exit_code, item.code) == (1, "regression")
    assert "converge-one-leader is worse than in 1.4.1: median at least 2 s; at most 1.02 s" in item.sentence
    assert "surely slower in 24 of 24 pairs" in item.sentence
    assert (item.first_bad, item.last_good) == (None, None)


def test_a_significant_little_is_no_news() -> None:
    """Below the effect floor of 20 % even the least p blames nobody."""
    decision, item = about(new(1130, 1140, 1150), release("1.4.1", 20))
    assert decision.open
    time = next(one for one in item.comparisons if one.kind == "time")
    assert time.p == pytest.approx(time.least)


def test_creep_is_seen_against_the_best_release() -> None:
    """Each release a little slower than the one before: against the last it is no news, against the best it is."""
    slow = tuple(int(one * 1.9) for one in FAST)
    middle = tuple(int(one * 1.4) for one in FAST)
    decision, item = about(new(2000, 1950, 2050), release("1.4.1", 12, slow), release("1.4.0", 20, middle), release("1.3", 30))
    assert (decision.exit_code, item.code) == (1, "regression")
    assert all(one.level == pytest.approx(0.05 / 6) for one in item.comparisons), "shared over two kinds and three releases"
    assert {one.release for one in item.comparisons if one.worse} == {"1.3", "1.4.0"}


def test_the_baseline_is_lagged_of_its_class_and_of_its_branch() -> None:
    """What is younger than the lag, of another class or of another branch is no baseline; then the gate stays closed."""
    young, elsewhere = release("1.4.1", 9), release("1.4.1", 20, environment_class="lab-2")
    apart = release("1.4.1", 20, subject={"commit": "x", "branch": "topic", "version": "1.4.1"})
    few = release("1.4.1", 20, FAST[:4])
    for old in (young, elsewhere, apart, few):
        decision, item = about(new(2000, 2100, 1900), old)
        assert (decision.exit_code, item.code) == (2, "no-baseline"), old
        decision, item = about(new(2000, 2100, 1900), old, rules=OPEN)
        assert decision.open
        assert "too little history" in item.notes[0]


def test_failing_runs_do_not_make_the_baseline_slow() -> None:
    """A release with slow failures is no slower for it: they count as failures, not as times."""
    decision, item = about(new(2000, 2100, 1900), release("1.4.1", 20, failing=6))
    assert (decision.exit_code, item.code) == (1, "regression")
    time = next(one for one in item.comparisons if one.kind == "time")
    assert (time.old, time.new) == (len(FAST), 3)


def test_a_pass_that_fails_more_often_is_a_regression() -> None:
    """A result that passed by its repeat plan, with failures that the release before it never had, is worse."""
    decision, item = about(new(1000, 980, 1020, 990, flaky=4), release("1.4.1", 20, FAST * 3))
    assert (decision.exit_code, item.code) == (1, "regression")
    assert "4 of 8 runs did not pass; 0 of 24 in 1.4.1" in item.sentence
    assert about(new(1000, 980, 1020, 990, flaky=1), release("1.4.1", 20, FAST * 3))[0].open, "one failure is too few"


def test_every_result_of_the_subject_counts_where_it_is_compared() -> None:
    """A result that decided nothing cannot be made up for here: losing the slow one must not open the gate."""
    silent = result("inconclusive", hours=5)
    decision, item = about(new(960, 1010, 1040), silent, release("1.4.1", 20))
    assert (decision.exit_code, item.code) == (2, "inconclusive")
    assert "decided nothing" in item.sentence


def test_an_override_of_the_time_accepts_being_slower() -> None:
    """Who accepts up to 9 s accepts 2 s, too, although it is slower than before; one for less does not."""
    fair = overrides(ACCEPT % "{within: 9s}")
    decision, item = about(new(2000, 2100, 1900), release("1.4.1", 20), file=fair)
    assert (decision.exit_code, item.code, item.overrides) == (0, "waived", ("a",))
    assert decision.overrides[0].refusal == ""
    short = overrides(ACCEPT % "{within: 2s}")
    assert about(new(2000, 2100, 1900), release("1.4.1", 20), file=short)[0].exit_code == 1
    assert NOW > SECOND
