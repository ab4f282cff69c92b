"""The page of one scenario: what it says changed, whom it suspects, what stands beside, and what it never hides."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from gate_worlds import HOUR, NOW, SECOND, history, one_run, overrides, policy, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.happenings import MOST, happenings
from meshkit_chaos.dashboard.seeing import sight
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.dashboard.stretches import repeats, stretches
from meshkit_chaos.dashboard.strips import fails_told, strips
from meshkit_chaos.dashboard.suspects import Lived, compare_link, lived, shifts, suspicion
from meshkit_chaos.dashboard.trend import Beside, Timed, timed, trend
from meshkit_chaos.gate.log import NOTHING, LogEntry, sealed
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo.codec import encode

COMPARE = "https://forge/c/{last}...{first}"
WITH_REGRESSION = b"""version: 1
match: commit
requirements: [{id: all, scenarios: [leader-killed], regression: on}]
regression: {false_alarms: 5%, until_baseline: absolute-only,
  baseline: {subject: {branch: main}, releases_by: version, lag: 0s}}
"""


def nights(times: Sequence[float | None], *, verdicts: str = "", runs: int = 1) -> list[PastScenario]:
    """One result a night, newest first; ``times`` (seconds; None: without an end) and ``verdicts`` (p, f) oldest first."""
    words: dict[str, VerdictName] = {"p": "pass", "f": "fail", "i": "inconclusive"}
    made = []
    for night, time in enumerate(times):
        verdict = words[verdicts[night]] if verdicts else "pass"
        interval = (5 * SECOND, None) if time is None else (int(time * SECOND), int(time * SECOND) + SECOND // 4)
        held = tuple(one_run(verdict, number, prefix=f"R{night}x", time=interval) for number in range(1, runs + 1))
        subject = {"version": "1.0" if night < len(times) // 2 else "1.1", "commit": f"c{night:03}aaaa", "branch": "main"}
        made.append(result(verdict, hours=24 * (len(times) - night), invocation=f"I{night:03}", subject=subject, runs=held))
    return made[::-1]


def page(results: Sequence[PastScenario], **changes: Any) -> str:
    settings = Settings(project="mesh", compare=COMPARE, policy=changes.pop("rules", None), served=changes.pop("served", False))
    made_of = Sources(reader=history(*results), settings=settings, clock=ManualClock(wall_ns=NOW), **changes)
    return Site(made_of).page(paths.scenario("leader-killed")) or ""


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<footer")[0]))


STEP = nights([1.0, 1.1, 1.2] * 10 + [2.2, 2.3] * 5)


def test_the_page_says_what_changed_since_when_and_by_which_build() -> None:
    """A step within the limit is the first thing on the page, with the build that brought it and the compare link."""
    shown = page(STEP)
    assert "converge-one-leader takes 2.2–2.55 s since 2026-11-15, before 1.1–1.35 s" in text_of(shown)
    assert "suspected: what came with 1.1 c030aaa" in text_of(shown)
    assert 'href="https://forge/c/c029aaaa...c030aaaa"' in shown


def test_what_never_changed_says_so() -> None:
    """A steady scenario shows no change, and says on how many runs that rests."""
    assert "no lasting change in 30 runs" in text_of(page(nights([1.0, 1.1, 1.2] * 10)))


@pytest.mark.parametrize("count", [1, 2, 8])
def test_few_runs_are_said_to_be_too_few(count: int) -> None:
    """Silence is no sign of steadiness: with so few runs nothing could have been seen."""
    assert "too few to show a change" in text_of(page(nights([1.0] * count)))


def test_a_scenario_without_any_time_has_its_page() -> None:
    """Results without runs, and runs without a time, make no drawing and no error."""
    shown = text_of(page([result("not-run", runs=())]))
    assert "No run of it measured a time" in shown
    assert "never passed or failed" in shown


def test_failures_are_a_change_of_their_own() -> None:
    """A scenario that began to fail without growing slower says how often it fails now and did before, and only that."""
    verdicts = "p" * 30 + "fp" * 10
    results = nights([None if one == "f" else 1.0 for one in verdicts], verdicts=verdicts)
    found = shifts(lived(results)).shifts
    assert [one.kind for one in found] == ["failures"]
    assert "fails 10 in 20" in found[0].sentence
    assert "before 0 in 30" in found[0].sentence


def test_several_builds_are_suspected_where_the_place_is_open() -> None:
    """Where the last good and the first bad run lie apart, all builds between them are named."""
    verdicts = "p" * 40 + "pfpfffpfffpffffpfffff"
    results = nights([1.0] * len(verdicts), verdicts=verdicts)
    (found,) = shifts(lived(results), compare=COMPARE).shifts
    assert len(found.builds) > 1
    assert "one of" in suspicion(found)
    assert found.compare.startswith("https://forge/c/")


def test_a_creep_is_one_sentence_without_a_culprit() -> None:
    """Many small steps in one direction are told as one creep, and no single build is blamed for it."""
    found = shifts(lived(nights([1.0, 1.02] * 25 + [1.04**night for night in range(40)]))).shifts
    assert len(found) == 1
    assert "creeps up in" in found[0].sentence
    assert "no single build" in suspicion(found[0])


def test_a_change_that_is_no_news_is_not_told() -> None:
    """One per cent, however sure, is left out."""
    assert shifts(lived(nights([1.0] * 30 + [1.26] * 30))).shifts
    results = nights([100.0] * 30 + [101.0] * 30)
    assert not shifts(lived(results)).shifts


def test_runs_that_people_set_aside_make_no_change() -> None:
    """Invalidated runs are drawn, and neither their times nor their failures count."""
    slow = [
        result("fail", hours=hours, invocation=f"X{hours}", runs=(one_run("fail", prefix=f"X{hours}", invalidated="broken"),))
        for hours in range(2, 22)
    ]
    results = [*slow, *nights([1.0] * 30)]
    assert not shifts(lived(results)).shifts
    assert page(results).count(" aside") >= 20


@pytest.mark.parametrize(
    ("template", "last", "first"),
    [("javascript:{last}", "a", "b"), ("", "a", "b"), (COMPARE, "a b", "c"), (COMPARE, "", "c"), (COMPARE, "a", "a")],
)
def test_a_compare_link_needs_two_plain_commits_and_a_web_address(template: str, last: str, first: str) -> None:
    """Anything else makes no link."""
    assert compare_link(template, last, first) == ""


def test_a_run_without_a_time_stands_on_the_drawing_with_its_sign() -> None:
    """An inconclusive run has no interval; its sign is there all the same, and a failed one has both."""
    times = (
        Timed(run="a", at=NOW, lo=None, hi=None, limit=None, verdict="inconclusive", href="run/a.html"),
        Timed(run="b", at=NOW, lo=SECOND, hi=None, limit=SECOND, verdict="fail", href=""),
    )
    drawn = str(trend(times, label="x"))
    assert "#sign-inconclusive" in drawn
    assert "#sign-fail" in drawn
    assert "no time was measured" in drawn
    assert "more than 1 s" in drawn
    assert drawn.count("<a ") == 1


def test_drawings_of_nothing_one_and_thousands() -> None:
    """However many runs there are, a drawing is made and says how many it shows."""
    one = Timed(run="r", at=NOW, lo=SECOND, hi=2 * SECOND, limit=None, verdict="pass", href="")
    assert "no time was measured" in str(trend((), label="x"))
    assert "1 runs" in str(trend((one,), label="x"))
    assert "3000 runs" in str(trend((one,) * 3000, label="x"))
    assert strips(()) == ()


def test_many_repeats_of_many_nights_stay_a_page() -> None:
    """Ninety results of twenty runs are looked at as a whole, and drawn in part: the page says so, and stays below 300 kB."""
    shown = page(nights([1.0] * 60 + [2.0] * 30, runs=20))
    assert "the newest 200 of 1800 runs" in text_of(shown)
    assert "takes 2–2.25 s since" in text_of(shown)
    assert len(shown.encode()) < 300_000


def test_releases_are_told_apart_on_the_time_line_and_below_it() -> None:
    """A line where the release changes, and a strip for each release with its own numbers."""
    shown = page(STEP)
    assert 'class="release"' in shown
    said = text_of(shown)
    assert said.index("1.1 20 runs") < said.index("1.0 20 runs")
    assert "fails 0 in 20, 95 % interval 0-17 %" in said


@pytest.mark.parametrize(
    ("failures", "runs", "told"),
    [
        (1, 9, "fails 1 in 9, 95 % interval 0.3-48 %"),
        (0, 87, "fails 0 in 87, 95 % interval 0-4.2 %"),
        (9, 9, "fails 9 in 9, 95 % interval 66-100 %"),
        (1, 100_000, "fails 1 in 100000, 95 % interval 3e-05-0.006 %"),
    ],
)
def test_a_rate_is_told_with_its_interval(failures: int, runs: int, told: str) -> None:
    """So many in so many, and between which rates the truth lies with 95 % confidence."""
    assert fails_told(failures, runs) == told


def test_a_folded_stretch_hides_nothing_but_plain_passes() -> None:
    """Long stretches of passes are folded into one line; a flaky pass, a failure and what was set aside are not."""
    results = [
        *[result("pass", hours=hours, invocation=f"A{hours}") for hours in range(1, 7)],
        result("fail", hours=7, invocation="B"),
        result("pass", hours=8, invocation="C", flaky=True, runs=(one_run("fail", 1), one_run("pass", 2))),
        result("pass", hours=9, invocation="D", runs=(one_run("pass", invalidated="wrong build"),)),
        result("pass", hours=10, invocation="E"),
        *[result("pass", hours=hours, invocation=f"F{hours}") for hours in range(11, 14)],
    ]
    found = stretches(results, here="scenario/x.html")
    assert [(one.folded, len(one.rows)) for one in found] == [
        ("6 passes, 2026-11-25 to 2026-11-25", 6),
        ("", 3),
        ("4 passes, 2026-11-24 to 2026-11-24", 4),
    ]
    assert sum(len(one.rows) for one in found) == len(results)
    assert "1 result came of 2 runs: in 1 of them runs of one build disagreed, and 1 passed as flaky" in repeats(results)


def test_of_many_runs_those_that_did_not_pass_are_linked() -> None:
    """A failed run among twenty has its link, whatever its number."""
    runs = tuple(one_run("fail" if number == 17 else "pass", number) for number in range(1, 21))
    (found,) = stretches([result("pass", runs=runs, flaky=True)], here="scenario/x.html")
    assert [run.number for run in found.rows[0].runs] == [1, 2, 3, 17]
    assert found.rows[0].further == 16


def test_a_failure_is_a_click_away_from_the_last_pass() -> None:
    """On a server a failed run links to itself beside the newest pass before it; files do not, as nobody would answer."""
    results = nights([1.0, 1.1, 1.2], verdicts="ppf")
    assert "compare.html?before=run:R1x1&amp;after=run:R2x1" in page(results, served=True)
    assert "before=run:" not in page(results)


OVERRIDE = """version: 1
overrides:
  - id: slower
    subject: {commit: c0ffee}
    scenario: leader-killed
    objective: converge-one-leader
    accept: {within: 9s}
    reason: on purpose
    ticket: MESH-1
    author: ann
    approver: bo
    created: 2026-11-20
    expires: 2026-12-01
"""


def decision(at: int, code: str, seq: int) -> LogEntry:
    body = {"items": [{"scenario": "leader-killed", "code": code, "mode": "blocking", "sentence": f"it is {code}"}]}
    return sealed(LogEntry(seq=seq, at=at, kind="decision", body=body, before=NOTHING))


def test_overrides_and_decisions_stand_on_the_time_line() -> None:
    """What people accepted and where the gate changed its mind is numbered on the drawing and told in words beside it."""
    log = encode(decision(NOW - 48 * HOUR, "failed", 0)) + b"\n"
    files = GateFiles(overrides=lambda: overrides(OVERRIDE), log=lambda: log)
    shown = page(STEP, gate_files=files)
    said = text_of(shown)
    assert "converge-one-leader accepted up to 9s, until 2026-12-01" in said
    assert "MESH-1: on purpose" in said
    assert "it is failed" in said
    assert 'class="happened"' in shown


def test_only_what_the_gate_said_anew_is_told() -> None:
    """Thirty equal decisions are one line, and a gate that was always open none."""
    codes = ["passed"] * 5 + ["failed"] * 30 + ["passed"] * 5
    entries = [decision(NOW + number, code, number) for number, code in enumerate(codes)]
    found = happenings("leader-killed", told=(), overrides=(), entries=entries)
    assert [(one.number, one.title) for one in found] == [(2, "passed"), (1, "failed")]
    assert happenings("another", told=(), overrides=(), entries=entries) == ()
    flapping = [decision(NOW + number, "passed" if number % 2 else "failed", number) for number in range(200)]
    assert len(happenings("leader-killed", told=(), overrides=(), entries=flapping)) == MOST


def test_a_log_of_nonsense_tells_nothing() -> None:
    """Whatever stands in a decision's body, no line is made of what is no item."""
    for items in (None, "text", [1, None, "x"], {"scenario": "leader-killed"}):
        entry = LogEntry(seq=0, at=NOW, kind="decision", body=json.loads(json.dumps({"items": items})), before=NOTHING)
        assert happenings("leader-killed", told=(), overrides=(), entries=[entry]) == ()


def test_near_happenings_are_one_number_that_tells_all() -> None:
    """Numbers that would cover each other are one with a plus, whose words hold them all."""
    times = timed([Lived(one, one.runs[0]) for one in STEP[::-1]], "converge-one-leader", href={}, builds={}, releases={})
    drawn = str(trend(times, label="x", beside=[Beside(at=NOW, number=number, words=f"w{number}") for number in (1, 2)]))
    assert drawn.count('class="happened"') == 1
    assert "w1; w2" in drawn
    assert ">1+<" in drawn


def test_what_the_gate_can_see_is_said_with_its_own_numbers() -> None:
    """One run against fifteen of a release cannot show a doubling; the page says how many would."""
    found = sight(nights([1.0, 1.1, 1.2, 1.3] * 10), "converge-one-leader", policy=policy(WITH_REGRESSION), now=NOW)
    assert found.sentence == "The newest build has 1 run to be compared with earlier ones: 19 (1.1) and 20 (1.0)."
    doubling = found.seen[1]
    assert re.search(r"with 1 run the gate cannot see a doubling; with 3 it would in 8[\d.]+ %", doubling.sentence)
    assert doubling.today == 0


def test_where_nothing_is_compared_the_page_says_why() -> None:
    """Without a policy, without a comparison in it, or without enough earlier runs nothing is claimed to be seen."""
    results = nights([1.0] * 3)
    assert "No policy is known" in sight(results, "converge-one-leader", policy=None, now=NOW).sentence
    assert "no earlier release" in sight(results, "converge-one-leader", policy=policy(), now=NOW).sentence
    few = sight(results, "converge-one-leader", policy=policy(WITH_REGRESSION), now=NOW)
    assert "No earlier release has the" in few.sentence
    assert not few.seen


def test_numbers_say_of_how_many_results_they_are() -> None:
    """Where a page has no room for all results, its shares and its releases are of the newest, and it says so."""
    assert "It fails 0 in 30, 95 % interval 0-12 %." in text_of(page(nights([1.0] * 30)))
    many = text_of(page(nights([1.0] * 120)))
    assert "Of its newest 90 results: fails 0 in 90" in many
    assert "By release, of the newest 90 results" in many
    assert "1 run, " in text_of(page(nights([1.0, 1.0])))


def test_what_lies_between_is_of_one_branch() -> None:
    """A night of an old release just before a change is not what the change is compared with: the run before it on main is."""
    held = nights([1.0, 1.1, 1.2] * 10 + [2.2, 2.3] * 5)
    elsewhere = {"version": "0.9", "commit": "01daaaa", "branch": "release/0.9"}
    between = result("pass", hours=24 * 10 + 12, invocation="O", subject=elsewhere, runs=(one_run("pass", prefix="O"),))
    (found,) = shifts(lived([*held[:10], between, *held[10:]]), compare=COMPARE).shifts
    assert found.compare == "https://forge/c/c029aaaa...c030aaaa"
    assert found.sentence.endswith(", on main")
    assert "01daaaa" not in found.where
    assert all("01daaaa" not in build for build in found.builds)


def test_a_branch_that_begins_to_be_tested_is_no_change() -> None:
    """A release branch that always was four times as slow joins the nights of main: neither of them changed."""
    held = nights([1.0, 1.1, 1.2] * 20)
    old = {"version": "0.9", "commit": "01daaaa", "branch": "release/0.9"}
    slow = [
        result(
            "pass",
            hours=24 * night + 12,
            invocation=f"O{night}",
            subject=old,
            runs=(one_run("pass", prefix=f"O{night}", time=(4 * SECOND, 4 * SECOND + 200_000_000)),),
        )
        for night in range(20)
    ]
    both = sorted([*held, *slow], key=lambda one: -one.at)
    assert shifts(lived(both)).shifts == ()
    assert "no lasting change in 60 runs on main" in shifts(lived(both)).quiet
