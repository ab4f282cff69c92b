"""What may not look calm: a page, a badge or a table that says good, where nothing or not all shows it."""

from __future__ import annotations

import re

import pytest
from gate_worlds import HOUR, NOW, history, one_run, policy, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, VerdictName


def sources(*results: PastScenario, rules: Policy | None = None, now: int = NOW) -> Sources:
    held = history(*results) if results else MemoryHistory([], [])
    return Sources(reader=held, settings=Settings(project="mesh", policy=rules), clock=ManualClock(wall_ns=now))


def shown(made: Sources, path: str) -> str:
    """What a reader sees, without tags."""
    page = Site(made).page(path)
    assert page is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<footer")[0]))


def badge(made: Sources, path: str) -> str:
    text = Feeds(made).badge(path)
    assert text is not None
    return text.partition('aria-label="')[2].partition('"')[0]


def nights(*verdicts: VerdictName, scenario: str = "leader-killed") -> list[PastScenario]:
    """A result a night, newest first, each of another build."""
    return [
        result(one, hours=2 + 24 * number, commit=f"c{number}", scenario=scenario, modules=("m",))
        for number, one in enumerate(verdicts)
    ]


def test_a_pass_that_is_still_to_come_is_good_nowhere() -> None:
    """A runner whose clock is ahead leaves a pass that never grows old: pages and badges call it stale, as the gate does."""
    made = sources(result("pass", hours=-48, modules=("m",)))
    assert "is still to come: a clock is wrong" in shown(made, paths.READINESS)
    assert badge(made, "module/m.svg") == "m: ? stale"
    assert "stale" in badge(made, "scenario/leader-killed.svg")
    assert "not good" in badge(made, "release.svg")


def test_a_clock_that_is_a_little_ahead_takes_no_pass_away() -> None:
    """Clocks differ by seconds, and the gate grants some minutes."""
    made = sources(result("pass", hours=-1 / 60, modules=("m",)))
    assert badge(made, "module/m.svg") == "m: ✓ passes"
    assert "pass" in badge(made, "scenario/leader-killed.svg")


def test_a_fault_of_a_run_that_is_still_to_come_proves_nothing() -> None:
    """The page of coverage takes no proof from tomorrow."""
    ahead = result("pass", hours=-48, runs=(one_run("pass", faults=("kill",)),), modules=("m",))
    assert "0 of 15 combinations ever exercised" in shown(sources(ahead), paths.COVERAGE)


def test_what_passes_now_and_failed_every_other_night_is_unsteady() -> None:
    """It is no failure, and the first page says beside the pass how often it failed lately."""
    page = shown(sources(*nights("pass", "fail", "pass", "fail", "pass")), paths.READINESS)
    assert "unsteady: 2 of its last 5 failed" in page
    assert "is ready" in page


def test_one_bad_night_is_not_called_unsteady() -> None:
    """A remark that stands on most pages is read on none."""
    assert "unsteady" not in shown(sources(*nights("pass", "fail", "pass", "pass")), paths.READINESS)


def test_unsteady_ones_of_several_are_counted() -> None:
    """A module of two scenarios says how many of them, and the list below says how often."""
    made = sources(*nights("pass", "fail", "fail"), *nights("pass", "pass", "pass", scenario="steady"))
    assert "1 unsteady" in shown(made, paths.READINESS)
    assert "2 of its last 3 failed" in shown(made, paths.READINESS)


def test_what_came_later_is_not_among_the_last_ten_of_a_release() -> None:
    """How an old release did is not told by nights of a newer one."""
    old = [result("pass", hours=200, subject={"version": "1.0", "branch": "main"}, modules=("m",))]
    new = [result("fail", hours=2 + n, subject={"version": "1.1", "branch": "main"}, modules=("m",)) for n in range(5)]
    assert "unsteady" not in shown(sources(*new, *old), paths.READINESS)


@pytest.mark.parametrize(("state", "said"), [("dirty", "lab-1 was left dirty"), ("unknown", "in what state")])
@pytest.mark.parametrize("path", [paths.READINESS, paths.GRID])
def test_an_environment_that_is_not_clean_is_told_first(state: EnvironmentName, said: str, path: str) -> None:
    """Whoever opens the dashboard at night reads it above everything else, with the run that left it so and what to do."""
    left = one_run("inconclusive", environment=state)
    made = sources(result("inconclusive", runs=(left,), environment=state, invocation="I9", modules=("m",)))
    assert said in shown(made, path)[:200]
    assert "meshkit-chaos recover" in shown(made, path)
    assert paths.relative(paths.invocation("I9"), here=path) in (Site(made).page(path) or "")


def test_an_environment_that_was_put_right_is_not_told() -> None:
    """A newer run that left it clean is the answer; one that was refused and touched nothing is none."""
    dirty = result("inconclusive", hours=30, environment="dirty", invocation="I1")
    assert "left dirty" not in shown(sources(result("pass", hours=2, invocation="I2"), dirty), paths.READINESS)
    refused = result("not-run", hours=2, environment="untouched", invocation="I2")
    assert "left dirty" in shown(sources(refused, dirty), paths.READINESS)


def test_yesterday_is_not_called_today() -> None:
    """A proof of the evening before is a day old after midnight UTC, whatever the hours between."""
    proof = result("pass", hours=9, runs=(one_run("pass", faults=("kill",)),), modules=("m",))
    assert "today" not in shown(sources(proof), paths.COVERAGE)
    assert "1 d ago" in shown(sources(proof), paths.COVERAGE)
    assert "today" in shown(sources(proof, now=NOW - 8 * HOUR - 1), paths.COVERAGE)


def test_a_comparison_says_of_which_run_a_time_is() -> None:
    """A flaky pass is no pass that took more than its limit: the slowest run did not pass, and that stands beside its time."""
    runs = (one_run("fail", 1), one_run("pass", 2), one_run("pass", 3))
    flaky = result("pass", hours=26, runs=runs, flaky=True, commit="c1", invocation="I1")
    page = shown(sources(result("pass", hours=2, commit="c2", invocation="I2"), flaky), paths.COMPARE)
    assert "Pass 7.8–8 s flaky: this run did not pass (fail)" in page
    assert page.count("did not pass") == 1


def test_what_people_set_aside_is_compared_with_nothing() -> None:
    """Its time is not shown, and its verdict is said not to count."""
    aside = result("pass", hours=26, runs=(one_run("pass", invalidated="wrong build"),), commit="c1", invocation="I1")
    page = shown(sources(result("fail", hours=2, commit="c2", invocation="I2"), aside), paths.COMPARE)
    first = page.partition("The newest build and the one before it")[2].partition("The newest")[0]
    assert "1–1.2 s" not in first
    assert first.count("does not count: people set a run aside") == 2
    assert "slower" not in first


@pytest.mark.parametrize(
    ("results", "rules", "said"),
    [
        ([], True, "nothing was decided: there is no result yet No result yet"),
        ([], False, "nothing was decided: no policy was given No result yet"),
        ([result("pass", subject={})], True, "nothing was decided: the newest result does not say of which commit it is"),
        ([result("pass", subject={})], True, "No result names a version"),
    ],
)
def test_why_nothing_was_decided_is_one_reason(results: list[PastScenario], rules: bool, said: str) -> None:
    """On the first day the page does not ask for what was given already."""
    assert said in shown(sources(*results, rules=policy() if rules else None), paths.READINESS)


def test_a_median_is_not_told_as_the_time_of_the_pass() -> None:
    """Where most results of a release failed, the pass beside them did not take longer than its limit allows."""
    page = shown(sources(*nights("pass", "fail", "fail")), paths.READINESS)
    assert "1 scenario passed; median 7.8–8 s" in page


def test_dirt_is_not_forgotten_because_others_run_often() -> None:
    """Many runs in other environments make no environment clean; the metric, which alerts are made of, says the same."""
    dirty = result("inconclusive", hours=200, environment="dirty", environment_class="staging", invocation="I0", scenario="cut")
    often = [result("pass", hours=2 + n, invocation=f"I9{n}") for n in range(70)]
    made = sources(dirty, *often)
    assert "staging was left dirty" in shown(made, paths.READINESS)
    assert 'environment_state{environment_class="staging",state="dirty"} 1' in Feeds(made).metrics()
