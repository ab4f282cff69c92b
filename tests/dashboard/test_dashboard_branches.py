"""The page of a scenario that is tested on several branches: its numbers are of one, and the others have their own beside."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gate_worlds import NOW, SECOND, history, one_run, policy, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.branches import by_branch
from meshkit_chaos.dashboard.seeing import sight
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.dashboard.stretches import repeats, stretches
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName

MAIN = {"version": "1.1", "branch": "main"}
RELEASE = {"version": "1.0", "branch": "release/1.0"}
WITH_REGRESSION = b"""version: 1
match: commit
requirements: [{id: all, scenarios: [leader-killed], regression: on}]
regression: {false_alarms: 5%, until_baseline: absolute-only,
  baseline: {subject: {branch: main}, releases_by: version, lag: 0s}}
"""


def nights(
    subject: dict[str, str], count: int, *, verdict: VerdictName = "pass", hour: float = 0, time: float = 1.0, runs: int = 1
) -> list[PastScenario]:
    """One result a night of one branch, newest first; each of a build of its own."""
    name = subject.get("branch", "none")
    took = (int(time * SECOND), int(time * SECOND) + SECOND // 4)
    return [
        result(
            verdict,
            hours=24 * night + 2 + hour,
            invocation=f"{name}{night}".replace("/", "-"),
            subject=subject | {"commit": f"{name[:1]}{night:06}{subject.get('version')}"},
            runs=tuple(one_run(verdict, number, prefix=f"{name[:1]}{night}x", time=took) for number in range(runs)),
        )
        for night in range(count)
    ]


def merged(*several: Sequence[PastScenario]) -> list[PastScenario]:
    return sorted((one for ones in several for one in ones), key=lambda one: -one.at)


def text_of(results: Sequence[PastScenario]) -> str:
    page = html_of(results)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<footer")[0]))


def html_of(results: Sequence[PastScenario]) -> str:
    made_of = Sources(reader=history(*results), settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW))
    return Site(made_of).page(paths.scenario("leader-killed")) or ""


def test_a_release_branch_that_always_fails_makes_no_main_that_fails_half_the_time() -> None:
    """Ten passes on main and nine failures of a release branch are 0 in 10 and 9 in 9, and never 9 in 19."""
    said = text_of(merged(nights(MAIN, 10), nights(RELEASE, 9, verdict="fail", hour=12)))
    assert "On main it fails 0 in 10, 95 % interval" in said
    assert re.search(r"release/1\.0 .{0,60}fails 9 in 9, 95 % interval", said)
    assert "in 19" not in said


def test_a_main_that_always_passes_does_not_hide_what_fails_on_a_release_branch() -> None:
    """Forty passes on main leave the three failures of the release branch what they are, with the verdict of the newest."""
    page = html_of(merged(nights(MAIN, 40), nights(RELEASE, 3, verdict="fail", hour=12)))
    beside = page.partition('class="branches"')[2].partition("</ul>")[0]
    assert "release/1.0" in beside
    assert "fails 3 in 3" in beside
    assert 'class="fail"' in beside


def test_the_newest_result_says_of_which_branch_it_is() -> None:
    """The verdict on top is of the newest result, whichever branch that is of, and is not taken for main's."""
    both = merged(nights(MAIN, 10, hour=12), nights(RELEASE, 3, verdict="fail"))
    assert "Newest, 2026-11-25 06:00 UTC, on release/1.0: the run is fail." in text_of(both)
    assert "UTC: the run is pass." in text_of(nights(MAIN, 10))


def test_where_there_is_one_branch_none_is_named() -> None:
    """One branch, or none that a subject names, needs no word."""
    for subject in (MAIN, {"version": "1.1"}):
        said = text_of(nights(subject, 10))
        assert "It fails 0 in 10, 95 % interval" in said
        assert "On main it" not in said
        assert "ther branches" not in said


def test_results_that_name_no_branch_are_one_of_their_own() -> None:
    """They are pooled with no branch that has a name, and are called what they are."""
    said = text_of(merged(nights(MAIN, 10), nights({"version": "0.9"}, 4, verdict="fail", hour=12)))
    assert re.search(r"no branch .{0,60}fails 4 in 4", said)
    assert "On main it fails 0 in 10" in said


def test_the_page_is_about_the_branch_with_the_most_evidence() -> None:
    """Runs that neither passed nor failed, and those that people set aside, give a branch no weight; then the newest leads."""
    unsure = nights(RELEASE, 20, verdict="inconclusive", hour=12)
    assert [one.words for one in by_branch(merged(nights(MAIN, 5), unsure))] == ["main", "release/1.0"]
    assert [one.words for one in by_branch(merged(nights(MAIN, 5), nights(RELEASE, 5, hour=-1)))] == ["release/1.0", "main"]


def test_times_and_releases_are_of_that_branch_and_the_others_have_rows_of_their_own() -> None:
    """The drawing holds no run of another branch; in the table below it another branch has its own median on the same scale."""
    both = merged(nights(MAIN, 10, time=1.0), nights(RELEASE, 4, hour=12, time=3.0))
    page = html_of(both)
    drawing = page.partition('aria-label="Times of')[2].partition("</figure>")[0]
    assert "10 runs from" in drawing
    assert "1.0 r00000" not in drawing
    table = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition('<table class="strips">')[2].partition("</table>")[0]))
    assert re.search(r"1\.1 10 runs.*1–1\.25 s.*fails 0 in 10", table)
    assert re.search(r"release/1\.0 4 runs.*3–3\.25 s.*fails 0 in 4", table)


def test_no_lasting_change_is_said_of_one_branch() -> None:
    """How many runs that rests on counts those of the branch alone."""
    assert "no lasting change in 30 runs on main" in text_of(merged(nights(MAIN, 30), nights(RELEASE, 20, hour=12)))


def test_what_repeating_told_is_of_that_branch() -> None:
    """Results of several runs on another branch are not counted in."""
    said = text_of(merged(nights(MAIN, 5, runs=2), nights(RELEASE, 3, runs=3, hour=12)))
    assert repeats(nights(MAIN, 5, runs=2)) in said
    assert "5 results came of 10 runs" in said


def test_what_the_gate_sees_is_asked_of_the_newest_build_of_that_branch() -> None:
    """A release branch that ran after main does not become the build that main's page speaks of."""
    older = nights({"version": "1.0", "branch": "main"}, 20, hour=24 * 10)
    own = nights(MAIN, 3)
    own[0] = result(
        "pass", hours=2, invocation="three", subject=own[0].subject, runs=tuple(one_run("pass", n) for n in range(3))
    )
    both = merged(own, older, nights(RELEASE, 2, hour=-1.5))
    (shown, *_) = by_branch(both)
    rules = policy(WITH_REGRESSION)
    found = sight(both, "converge-one-leader", policy=rules, now=NOW, newest=shown.results[0], branch=shown.words)
    assert found.sentence.startswith("The newest build on main has 3 runs to be compared with earlier ones:")


def test_a_failure_is_beside_the_last_pass_of_its_own_branch() -> None:
    """What lies between two branches is not what broke: another branch's pass the night before is no comparison."""
    failed = nights(MAIN, 1, verdict="fail")
    passed = nights(MAIN, 2)[1:]
    elsewhere = nights(RELEASE, 1, hour=3)
    (found,) = stretches(merged(failed, passed, elsewhere), here="scenario/x.html", branch="main")
    assert found.rows[0].beside.endswith("before=run:m1x0&after=run:m0x0")


def test_results_of_another_branch_say_so() -> None:
    """In the list of all results those of another branch name it, and so does a fold that holds some."""
    both = merged(nights(MAIN, 6), nights(RELEASE, 2, hour=12))
    (found,) = stretches(both, here="scenario/x.html", branch="main")
    assert found.folded.startswith("8 passes (2 of them on other branches), ")
    assert {row.branch for row in found.rows} == {"", "release/1.0"}


def test_a_fold_of_branches_hides_no_failure() -> None:
    """Where more branches fail than there is room for, the line that opens the rest counts them; times of those come first."""
    broken = [nights({"version": "1", "branch": f"b{n}"}, 2, verdict="fail", hour=30 + n) for n in range(7)]
    page = html_of(merged(nights(MAIN, 10), nights(RELEASE, 3), *broken))
    assert "4 more branches; the newest results of 3 are no pass" in page
    rows = page.partition("Other branches</th>")[2].partition("</table>")[0]
    assert re.findall(r'<th scope="row">(\w+)', rows) == ["b0", "b1", "b2", "b3"]


def test_many_branches_are_folded_those_that_fail_first() -> None:
    """Of a hundred branches a few are in sight, and what did not pass is among them, however old."""
    several = [nights({"version": "1", "branch": f"topic-{n:02}"}, 1, hour=n) for n in range(40)]
    broken = nights({"version": "1", "branch": "broken"}, 1, verdict="fail", hour=99)
    page = html_of(merged(nights(MAIN, 10), broken, *several))
    shown, _, folded = page.partition('class="branches"')[2].partition("</ul>")
    assert "broken" in shown
    assert "37 more branches, each with a pass as its newest" in folded
    assert len(page.encode()) < 300_000


def test_two_branches_whose_names_look_alike_are_two() -> None:
    """Names that are cut at the same place, or that are what a page says of none, are told apart, and so are their numbers."""
    long = "feature/" + "x" * 70
    one, other = ({"version": "1", "branch": f"{long}{end}"} for end in "ab")
    both = merged(nights(MAIN, 20), nights(one, 5, hour=1), nights(other, 3, verdict="fail", hour=2))
    words = [held.words for held in by_branch(both)]
    assert len(set(words)) == 3
    assert max(map(len, words)) < 70
    page = html_of(both)
    table = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition('<table class="strips">')[2].partition("</table>")[0]))
    assert "5 runs" in table
    assert "3 runs" in table
    nameless = merged(nights({"version": "1", "branch": "no branch"}, 3), nights({"version": "1"}, 2, verdict="fail", hour=1))
    assert len({held.words for held in by_branch(nameless)}) == 2
    (found,) = stretches(nameless, here="scenario/x.html", branch=by_branch(nameless)[0].words)
    assert [bool(row.branch) for row in found.rows] == [False, True, False, True, False]


def test_what_people_set_aside_speaks_for_no_branch() -> None:
    """The verdict of another branch is that of its newest result that counts; without one it is none, and stands in sight."""
    aside = result(
        "pass", hours=1, subject=RELEASE, invocation="A", runs=(one_run("pass", prefix="A", invalidated="wrong build"),)
    )
    page = html_of(merged([aside], nights(MAIN, 10), nights(RELEASE, 2, verdict="fail", hour=3)))
    beside = page.partition('class="branches"')[2].partition("</ul>")[0]
    assert 'class="word fail"' in beside
    assert 'class="word pass"' not in beside
    alone = html_of(merged([aside], nights(MAIN, 10))).partition('class="branches"')[2].partition("</ul>")[0]
    assert 'class="word pass"' not in alone
    assert "set aside" in alone
