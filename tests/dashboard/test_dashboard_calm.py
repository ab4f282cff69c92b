"""What may not look calm: a page, a badge or a table that says good, where nothing or not all shows it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest
from gate_worlds import HOUR, NOW, history, one_run, policy, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.deciding import Decider, Said
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.gate.decision import Decision
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


def test_a_cell_that_does_not_count_says_so_in_a_word() -> None:
    """A pass that people set aside is not only paler than others: colour alone tells nobody anything."""
    aside = result("pass", runs=(one_run("pass", invalidated="wrong build"),), invocation="I2")
    page = shown(sources(aside, result("pass", hours=26, invocation="I1")), paths.GRID)
    assert page.count(" aside") == 2  # its cell, and the legend


def test_an_invocation_leads_to_each_of_its_runs() -> None:
    """Whoever clicks on a cell of the grid comes to the invocation, and from there to the drawings of what failed."""
    runs = tuple(one_run("fail", number) for number in (1, 2, 3))
    made = sources(result("fail", runs=runs, invocation="I2"), result("pass", scenario="other", invocation="I2"))
    page = Site(made).page(paths.invocation("I2")) or ""
    for run in ("R1", "R2", "R3"):
        assert f'href="../{paths.run(run)}"' in page
    assert "the run closely" in shown(made, paths.invocation("I2"))


def test_an_invocation_says_what_was_set_aside() -> None:
    """Beside the verdict of the scenario, and not only in the small print of a run."""
    made = sources(result("pass", runs=(one_run("pass", invalidated="wrong build"),), invocation="I2"))
    assert "About leader-killed set aside" in shown(made, paths.invocation("I2"))


def test_a_night_that_passed_long_ago_is_named_with_its_day() -> None:
    """That the newest night passed sounds like last night; it may be the last one that came."""
    page = shown(sources(result("pass", hours=24 * 60), result("pass", hours=24 * 61)), paths.COMPARE)
    assert "the newest night, 2026-09-26 08:00 UTC, passed" in page


NIGHTLY = b"""version: 1
match: commit
requirements: [{id: all, scenarios: ["*"]}]
nightly: {cron: "0 2 * * *", grace: 1h}
"""


def test_weeks_without_a_night_are_one_gap() -> None:
    """Results are not pushed out of sight by what is not there; how many nights are missing is said, and three stay apart."""
    rules = policy(NIGHTLY)
    old = [result("pass", hours=6 + 24 * night, invocation=f"I{night}") for night in (40, 44)]
    page = shown(sources(*old, rules=rules), paths.GRID)
    assert "40 nights did not run" in page
    assert page.count("did not run") == 1 + 3 + 1  # the long gap, the short one, and the legend
    assert "meshkit_chaos_nights_missed 43" in Feeds(sources(*old, rules=rules)).metrics()


def on(branch: str, verdict: VerdictName, hours: float) -> PastScenario:
    """A result of version 1.4 on a branch, of a build of its own."""
    subject = {"version": "1.4", "branch": branch, "commit": f"{branch}{hours}"}
    return result(verdict, hours=hours, subject=subject, modules=("m",), invocation=f"I{branch}{hours}")


@pytest.mark.parametrize(("verdict", "said"), [("fail", "failed on 2026-11-25"), ("inconclusive", "is inconclusive")])
def test_a_pass_of_one_branch_does_not_make_up_for_another(verdict: VerdictName, said: str) -> None:
    """A branch of somebody that passes at noon does not hide what the nightly of main said of the same version."""
    made = sources(on("topic", "pass", 1), on("main", verdict, 6))
    page = shown(made, paths.READINESS)
    assert "1.4 is not ready" in page
    assert f"{said}" in page
    assert ", on main" in page
    assert "not good" in badge(made, "release.svg")


def test_a_branch_that_is_quiet_does_not_keep_a_release_back_for_ever() -> None:
    """What was tried on a branch some days ago, and given up, is no more than history."""
    assert "1.4 is ready" in shown(sources(on("main", "pass", 6), on("topic", "fail", 60)), paths.READINESS)


def test_a_branch_that_runs_a_part_takes_nothing_from_the_others() -> None:
    """It has no result of a scenario that it did not announce, and that is not a lost one."""
    part = result("pass", hours=1, scenario="other", invocation="It", subject={"version": "1.4", "branch": "topic"})
    assert "1.4 is ready" in shown(sources(on("main", "pass", 6), part), paths.READINESS)


def test_dirt_is_told_however_much_ran_elsewhere() -> None:
    """Fifty invocations in another environment clean nothing in this one: page and metrics both tell it still."""
    dirty = result("inconclusive", hours=90, environment="dirty", scenario="once", invocation="I0", environment_class="lab-2")
    busy = [result("pass", hours=2 + number, invocation=f"B{number}") for number in range(50)]
    made = sources(*busy, dirty)
    assert "The environment lab-2 was left dirty" in shown(made, paths.READINESS)
    assert 'environment_state{environment_class="lab-2",state="dirty"} 1' in Feeds(made).metrics()


class Thinking(Decider):
    """The gate, which takes its time."""

    def standing(self, about: object, make: object) -> Said:
        del about, make
        return Said(current=False)


def test_a_gate_that_has_not_decided_is_not_open() -> None:
    """Where there is a policy, the first page is as little green as the badge until the gate has said that it is open."""
    fine = result("pass", modules=("m",))
    made = dataclasses.replace(sources(fine, rules=policy()), decider=Thinking())
    assert "but the gate is still deciding" in shown(made, paths.READINESS)
    assert badge(made, "release.svg") == "1.4.2: ? the gate is not open"
    unnamed = sources(result("pass", subject={"version": "1.4.2"}, modules=("m",)), rules=policy())
    assert "but the gate decided nothing" in shown(unnamed, paths.READINESS)
    assert badge(unnamed, "release.svg") == "1.4.2: ? the gate is not open"
    for one in (made, unnamed):
        assert "#sign-pass" not in (Site(one).page(paths.READINESS) or "").partition("<h1>")[2].partition("</h1>")[0]
    assert "is ready" in shown(sources(fine, rules=policy()), paths.READINESS)


class Remembering(Decider):
    """The gate, which decides anew and says meanwhile what it said before."""

    def standing(self, about: object, make: Callable[[], Decision | None]) -> Said:
        del about
        return Said(decision=make(), current=False)


def test_what_the_gate_said_before_has_no_green_sign() -> None:
    """It opened for what was there then; about the newest results it has said nothing yet."""
    made = dataclasses.replace(sources(result("pass", modules=("m",)), rules=policy()), decider=Remembering())
    top = (Site(made).page(paths.GATE) or "").partition("<h1>")[2].partition("</h1>")[0]
    assert "#sign-inconclusive" in top
    assert "#sign-pass" not in top
    assert "What stands here is what it said before" in shown(made, paths.GATE)


def head_of(made: Sources, name: str) -> str:
    """The heading and the first words of the page of a scenario."""
    return shown(made, paths.scenario(name)).partition(" converge-one-leader")[0]


def test_the_page_of_a_scenario_is_headed_by_what_counts() -> None:
    """A pass that people set aside is not what stands in large letters; where nothing counts, nothing passed."""
    aside = result("pass", runs=(one_run("pass", invalidated="wrong build"),), hours=2, invocation="I2")
    made = sources(aside, result("fail", hours=26, invocation="I1"))
    assert "Fail About leader-killed" in head_of(made, "leader-killed")
    assert "people set a newer result aside" in head_of(made, "leader-killed")
    alone = head_of(sources(aside), "leader-killed")
    assert "Not run About leader-killed" in alone
    assert "no result counts" in alone


@pytest.mark.parametrize(("hours", "heading"), [(2, "Pass"), (100, "Stale"), (-48, "Stale")])
def test_the_page_of_a_scenario_calls_an_old_pass_stale(hours: int, heading: str) -> None:
    """As its badge and the first page do; the day of the newest result stands beside it."""
    made = sources(result("pass", hours=hours))
    assert f" {heading} About leader-killed" in head_of(made, "leader-killed")
    assert ("stale" in badge(made, "scenario/leader-killed.svg")) == (heading == "Stale")
    assert re.search(r"Newest, 2026-11-\d\d \d\d:\d\d UTC", head_of(made, "leader-killed"))


def test_dirt_is_not_forgotten_because_others_run_often() -> None:
    """Many runs in other environments make no environment clean; the metric, which alerts are made of, says the same."""
    dirty = result("inconclusive", hours=200, environment="dirty", environment_class="staging", invocation="I0", scenario="cut")
    often = [result("pass", hours=2 + n, invocation=f"I9{n}") for n in range(70)]
    made = sources(dirty, *often)
    assert "staging was left dirty" in shown(made, paths.READINESS)
    assert 'environment_state{environment_class="staging",state="dirty"} 1' in Feeds(made).metrics()
