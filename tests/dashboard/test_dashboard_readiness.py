"""Readiness: how modules stand in releases, what waives what, and the laws that nothing may break."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest
from gate_worlds import HOUR, NOW, decided, history, invocation, one_run, overrides, policy, result
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json, structs

from meshkit_chaos.dashboard.badges import release_badge
from meshkit_chaos.dashboard.pace import pace
from meshkit_chaos.dashboard.readiness import NO_MODULE, Readiness, readiness
from meshkit_chaos.dashboard.releases import release_key, releases
from meshkit_chaos.dashboard.standing import ACCEPTED, MEANINGS, WORST_FIRST, ScenarioStanding
from meshkit_chaos.dashboard.waivers import NO_WAIVERS, Waiver, Waivers, waivers
from meshkit_chaos.gate.log import NOTHING, Chain, LogEntry, sealed
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

SECOND = 10**9
GRANTED = """version: 1
overrides:
  - {id: slower, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader, accept: {within: 9s},
     reason: on purpose, ticket: MESH-1, author: ann, approver: bo, created: 2026-11-20, expires: 2026-12-01}
"""


def told(
    results: Sequence[PastScenario],
    *,
    key: str = "version",
    given_waivers: Waivers = NO_WAIVERS,
    required: Sequence[str] = (),
    invocations: Sequence[PastInvocation] = (),
) -> Readiness:
    """Readiness of a small history, as of now."""
    held = MemoryHistory([*invocations], results) if invocations else history(*results)
    newest = held.newest(60)
    return readiness(
        key,
        releases(newest, key=key),
        held.cells([one.invocation for one in newest]),
        held.known(),
        now=NOW,
        fresh=Duration.parse("36h"),
        here="index.html",
        waivers=given_waivers,
        required=required,
    )


def only(made: Readiness, column: int = 0) -> ScenarioStanding:
    return made.rows[0].cells[column].scenarios[0]


def of(version: str, commit: str, branch: str = "main") -> dict[str, str]:
    return {"version": version, "commit": commit, "branch": branch}


def test_what_blocks_names_both_commits_and_their_days() -> None:
    """Since when, first bad and last good are told by commit, not by the version that both have."""
    made = told(
        [
            result("fail", hours=2, subject=of("1.1", "cccccccccc")),
            result("fail", hours=26, subject=of("1.1", "bbbbbbbbbb")),
            result("pass", hours=50, subject=of("1.1", "aaaaaaaaaa")),
        ]
    )
    one = made.blocking[0]
    assert one.first_bad is not None
    assert one.last_good is not None
    assert (one.first_bad.build, one.first_bad.day, one.since) == ("bbbbbbb", "2026-11-24", "2026-11-24")
    assert (one.last_good.build, one.last_good.day, one.nights) == ("aaaaaaa", "2026-11-23", 2)


def test_a_lucky_pass_does_not_hide_how_often_it_fails() -> None:
    """The streak says since when; that it failed before its last pass, too, is said beside it, of its own branch alone."""
    verdicts: tuple[VerdictName, ...] = ("fail", "pass", "fail", "fail", "pass", "pass")
    held = [result(one, hours=2 + 24 * n, subject=of("1.1", f"c{n}")) for n, one in enumerate(verdicts)]
    elsewhere = result("fail", hours=30, subject=of("1.0", "ee", "release"))
    made = told([held[0], elsewhere, *held[1:]])
    assert (made.blocking[0].nights, made.blocking[0].lately) == (1, "3 of its last 6 failed")
    assert told([held[0], held[1]]).blocking[0].lately == ""


def test_another_branch_is_not_where_it_was_good_last() -> None:
    """First bad and last good are looked for on the failure's own branch, as long as it ever passed there."""
    made = told(
        [
            result("fail", hours=2, subject=of("1.1", "cc")),
            result("pass", hours=3, subject=of("1.0", "ee", "release")),
            result("fail", hours=26, subject=of("1.1", "bb")),
            result("pass", hours=50, subject=of("1.1", "aa")),
        ]
    )
    assert made.blocking[0].last_good is not None
    assert made.blocking[0].last_good.build == "aa"


def test_by_branch_a_failure_that_passed_there_is_a_regression() -> None:
    """A branch's own past counts, and another branch's does not; old passes are stale on every branch."""
    made = told(
        [
            result("fail", hours=2, subject=of("1.1", "cc"), scenario="turned"),
            result("pass", hours=20, subject=of("1.1", "bb"), scenario="turned"),
            result("pass", hours=300, subject=of("1.0", "aa", "release"), scenario="turned"),
        ],
        key="branch",
    )
    assert [cell.standing for cell in made.rows[0].cells] == ["regressed", "stale"]


def test_a_module_that_the_policy_names_and_nobody_tests_is_missing() -> None:
    """It has a row, keeps the release back and says so."""
    made = told([result("pass", modules=("leadership",))], required=("leadership", "gossip"))
    assert made.untested == ("gossip",)
    assert not made.ready
    assert "1 module without a scenario" in made.sentence


def test_a_scenario_without_a_module_has_a_row() -> None:
    """Nothing that was tested is left out of the table."""
    assert [row.module for row in told([result("pass")]).rows] == [NO_MODULE]


def test_a_release_without_results_is_missing_everywhere() -> None:
    """An invocation that left nothing makes a column of its release, and no cell of it is good."""
    good = result("pass", hours=20, subject=of("1.0", "aa"))
    empty = structs.replace(invocation([good]), invocation="lost", at=NOW - HOUR, subject=of("1.1", "bb"))
    made = told([good], invocations=[empty, invocation([good])])
    assert [cell.standing for cell in made.rows[0].cells] == ["missing", "pass"]
    assert only(made).sentence == "announced on 2026-11-25, and left no result"


def test_a_newer_night_that_left_nothing_hides_an_older_pass() -> None:
    """What was announced last and never came is missing, though the same release passed the night before."""
    good = result("pass", hours=20)
    lost = structs.replace(invocation([good]), invocation="lost", at=NOW - HOUR)
    assert only(told([good], invocations=[lost, invocation([good])])).standing == "missing"


def test_a_release_is_compared_with_the_last_and_the_best() -> None:
    """Medians are intervals; surely slower is only what lies apart and was seen often enough."""
    times = {"1.2": (2.3, 2.7), "1.1": (1.1, 1.3), "1.0": (0.9, 1.0)}
    found = only(told(_timed(times, each=6))).pace
    assert found is not None
    assert found.slower
    assert found.sentence == (
        "converge-one-leader: 2.3–2.7 s, the median of 6 results; surely slower than 1.1: 1.1–1.3 s (6 results); "
        "best 1.0: 0.9–1 s (6 results)"
    )
    other = only(told(_timed({**times, "1.2": (1.2, 2.0)}, each=6))).pace
    assert other is not None
    assert not other.slower


@pytest.mark.parametrize("each", [1, 2, 3])
def test_few_results_never_make_a_release_slower(each: int) -> None:
    """One slow night against one quick one is what chance alone shows every other time."""
    made = told(_timed({"1.2": (2.3, 2.7), "1.1": (1.1, 1.3)}, each=each))
    found = only(made).pace
    assert found is not None
    assert not found.slower
    assert "surely" not in found.sentence
    assert made.rows[0].cells[0].slower == 0


def _timed(times: dict[str, tuple[float, float]], *, each: int) -> list[PastScenario]:
    """So many passes of each release, newest release first."""
    return [
        result("pass", hours=2 + index * 30 + number, subject=of(version, version), runs=(one_run("pass", time=_ns(*time)),))
        for index, (version, time) in enumerate(times.items())
        for number in range(each)
    ]


def test_a_time_without_an_end_is_never_what_another_is_slower_than() -> None:
    """A release before whose median is censored shows nothing to be faster."""
    ones = [cell_of(result("pass", runs=(one_run("pass", time=time),))) for time in ((5, 6), (4, None))]
    held = releases([invocation([result("pass", subject=of(name, name))]) for name in ("b", "a")], key="version")
    found = pace([[ones[0]], [ones[1]]], held, 0, level=1)
    assert found is not None
    assert found.before is not None
    assert found.before.words.startswith("more than")
    assert not found.slower


def _ns(lo: float, hi: float) -> tuple[int, int]:
    return round(lo * SECOND), round(hi * SECOND)


def test_many_scenarios_of_a_module_are_counted_and_some_are_listed() -> None:
    """A cell lists the worst twelve; the sentence counts those that are as bad."""
    results = [result("fail", scenario=f"s{number:02}", modules=("m",), invocation="I") for number in range(40)]
    ready = told(results)
    cell = ready.rows[0].cells[0]
    assert ready.listed == 12
    assert cell.sentence.endswith(", and 39 more")


def test_release_keys() -> None:
    """What is wanted wins, then the version, then the branch."""
    branch = invocation([result("pass", subject={"branch": "main"})])
    assert release_key([branch]) == "branch"
    assert release_key([branch, invocation([result("pass")])]) == "version"
    assert release_key([branch], wanted="train") == "train"


# What is waived


def chain_of(file: Overrides, *results: PastScenario, hours: float = 1, kind: str = "decision") -> Chain:
    """The gate's log of one decision about the usual subject, with a history of these results."""
    body = json.decode(json.encode(decided(history(*results), file=file)))
    entry = LogEntry(seq=0, at=NOW - int(hours * HOUR), kind=kind, body=body, before=NOTHING)
    return Chain(entries=(sealed(entry),), problems=())


FAILED = result("fail")
FILE = overrides(GRANTED)


def test_a_waiver_shows_who_why_and_until_when() -> None:
    """A failure that the gate accepted is waived and keeps nothing back, and it is not called a pass."""
    made = told([FAILED], given_waivers=waivers(chain_of(FILE, FAILED), None, FILE, now=NOW))
    one = only(made)
    assert one.standing == "waived"
    assert one.waiver is not None
    for words in ("ann", "bo", "on purpose", "MESH-1", "2026-12-01"):
        assert words in one.waiver.sentence
    assert not made.blocking
    assert "1 waived" in made.sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"expires": NOW - HOUR}, "reads otherwise"),
        ({"reason": "something else"}, "reads otherwise"),
        (None, "not among the overrides"),
    ],
)
def test_an_override_that_does_not_hold_any_more_waives_nothing(change: dict[str, Any] | None, said: str) -> None:
    """One that was changed or taken away leaves a failure a failure, and the page says what became of it."""
    kept = () if change is None else (structs.replace(FILE.entries[0], **change),)
    found = waivers(chain_of(FILE, FAILED), None, structs.replace(FILE, entries=kept), now=NOW)
    one = only(told([FAILED], given_waivers=found))
    assert one.standing == "fail"
    assert said in one.note


def test_an_override_that_ended_waives_nothing() -> None:
    """The same override, a day after its end."""
    late = FILE.entries[0].expires + 24 * HOUR
    found = waivers(chain_of(FILE, FAILED), None, FILE, now=late)
    assert not found.in_force
    assert "ended on 2026-12-01" in next(iter(found.ended.values()))


def test_a_refused_override_waives_nothing() -> None:
    """Neither in a decision of now nor in the log."""
    loose = structs.replace(FILE, protected=False)
    decision = decided(history(FAILED), file=loose)
    assert waivers(chain_of(loose, FAILED), decision, loose, now=NOW) == Waivers()


def test_a_decision_of_now_that_refuses_outweighs_the_log() -> None:
    """A worse result of the same build came after the gate had accepted the first."""
    worse = result("fail", hours=1, runs=(one_run("fail", time=_ns(20, 21)),))
    decision = decided(history(FAILED, worse), file=FILE)
    assert not waivers(chain_of(FILE, FAILED), decision, FILE, now=NOW).in_force


def test_that_we_read_an_override_from_a_file_takes_nothing_from_the_gate() -> None:
    """The gate had it from its protected branch, and it is the same one."""
    here = structs.replace(FILE, protected=False)
    decision = decided(history(FAILED), file=here)
    assert waivers(chain_of(FILE, FAILED), decision, here, now=NOW).in_force


def test_a_log_that_was_changed_waives_nothing() -> None:
    """Not even what its lines say that still fit."""
    chain = structs.replace(chain_of(FILE, FAILED), problems=("line 2 was changed",))
    assert waivers(chain, None, FILE, now=NOW) == Waivers()


def test_a_waiver_does_not_speak_for_what_came_after_it() -> None:
    """A failure of the same build that the gate had not seen when it decided is a failure."""
    later = result("fail", hours=0.5)
    one = only(told([FAILED, later], given_waivers=waivers(chain_of(FILE, FAILED), None, FILE, now=NOW)))
    assert one.standing == "fail"


def test_a_waiver_is_for_one_build() -> None:
    """Another commit that fails alike is not waived."""
    other = result("fail", hours=0.5, commit="beef")
    assert only(told([other], given_waivers=waivers(chain_of(FILE, FAILED), None, FILE, now=NOW))).standing == "fail"


def test_the_newest_decision_about_a_build_counts() -> None:
    """What was accepted once and was refused later is not waived."""
    once = chain_of(FILE, FAILED, hours=2).entries
    again = chain_of(structs.replace(FILE, protected=False), FAILED).entries
    assert not waivers(Chain(entries=(*once, *again), problems=()), None, FILE, now=NOW).in_force


def test_what_is_no_decision_waives_nothing() -> None:
    """Other lines of the log, and decisions that make no sense, are passed over."""
    odd: list[dict[str, Any]] = [
        {},
        {"subject": 1},
        {"subject": {"commit": "c0ffee"}, "items": 3},
        {"subject": {"commit": "c"}, "items": [7]},
        {"subject": {"commit": "c"}, "items": [{"scenario": "s", "code": "waived", "overrides": 5}]},
    ]
    entries = tuple(LogEntry(seq=0, at=0, kind="decision", body=body, before="") for body in odd)
    assert waivers(Chain(entries=entries, problems=()), None, FILE, now=NOW) == Waivers()
    assert waivers(chain_of(FILE, FAILED, kind="note"), None, FILE, now=NOW) == Waivers()


def test_a_release_with_a_waiver_is_not_green_on_its_badge() -> None:
    """It is ready, says how many failures were accepted, and is no green; nor is a release with an untested module."""
    ready = told([FAILED], given_waivers=waivers(chain_of(FILE, FAILED), None, FILE, now=NOW))
    assert "ready, 1 waived" in release_badge(ready)
    good = told([result("pass", modules=("m",))])
    colours = [re.findall('fill="(#[0-9a-f]{6})"', release_badge(one))[1] for one in (ready, good)]
    assert colours[0] != colours[1]
    assert "1 module untested" in release_badge(told([result("pass", modules=("m",))], required=("gossip",)))


# Laws

VERDICTS: tuple[VerdictName, ...] = ("pass", "fail", "inconclusive", "invalid", "not-run")


@st.composite
def pasts(draw: st.DrawFn) -> list[PastScenario]:
    """Up to six nights of one scenario in two releases, of few builds."""
    rows = draw(st.lists(st.tuples(st.sampled_from(VERDICTS), st.sampled_from("ab"), st.sampled_from("12")), max_size=6))
    return [
        result(verdict, hours=2 + 9 * night, subject=of(version, commit + version), invocation=f"I{night}", modules=("m",))
        for night, (verdict, commit, version) in enumerate(rows)
    ]


def standings(results: Sequence[PastScenario], whole: Sequence[PastScenario], given_waivers: Waivers) -> dict[str, str]:
    """By release; the nights are those of the whole history, which announced everything."""
    nights = [invocation([one], "leader-killed") for one in whole]
    made = told(results, invocations=nights, given_waivers=given_waivers)
    return {name: row.cells[index].standing for row in made.rows for index, (name, _) in enumerate(made.releases)}


def waived_all(*, decided_hours: float) -> Waivers:
    one = Waiver(id="w", who="", why="", accepts="", ticket="", until="", decided=NOW - int(decided_hours * HOUR))
    return Waivers(in_force={(a + b, "leader-killed"): one for a, b in itertools.product("ab", "12")})


@settings(max_examples=80, deadline=None)
@given(pasts(), st.booleans(), st.integers(0, 5))
def test_losing_a_result_never_makes_a_release_good(whole: list[PastScenario], waive: bool, lost: int) -> None:
    """Where the night had announced it: the loss of a result that is no failure, or of the newest, shows no cell in green."""
    if lost >= len(whole) or len(whole) < 2:
        return
    given_waivers = waived_all(decided_hours=0) if waive else NO_WAIVERS
    gone = whole[lost]
    newest = next(one for one in whole if one.subject["version"] == gone.subject["version"])
    if gone.verdict == "fail" and gone is not newest:
        return
    before = standings(whole, whole, given_waivers)
    after = standings([one for one in whole if one is not gone], whole, given_waivers)
    for name, standing in after.items():
        assert standing != "pass" or before[name] == "pass", name
        assert standing not in ACCEPTED or before[name] in ACCEPTED, name


@settings(max_examples=80, deadline=None)
@given(pasts(), st.integers(0, 30))
def test_a_waiver_never_makes_a_pass_and_only_touches_what_did_not_pass(whole: list[PastScenario], hours: int) -> None:
    """With waivers a cell is as it was without, or waived where it failed or was undecided."""
    bare = standings(whole, whole, NO_WAIVERS)
    for name, standing in standings(whole, whole, waived_all(decided_hours=hours)).items():
        assert standing == bare[name] or (standing == "waived" and bare[name] in ("regressed", "fail", "undecided"))


@settings(max_examples=80, deadline=None)
@given(pasts(), st.integers(0, 5), st.sampled_from(VERDICTS[1:]))
def test_a_worse_result_never_makes_a_cell_good(whole: list[PastScenario], which: int, worse: VerdictName) -> None:
    """A pass that turns into anything else makes no cell pass that did not."""
    if which >= len(whole) or whole[which].verdict != "pass":
        return
    changed = [structs.replace(one, verdict=worse) if one is whole[which] else one for one in whole]
    before, after = standings(whole, whole, NO_WAIVERS), standings(changed, whole, NO_WAIVERS)
    for name, standing in after.items():
        assert standing != "pass" or before[name] == "pass"


@settings(max_examples=80, deadline=None)
@given(pasts())
def test_green_needs_a_pass_of_that_release(whole: list[PastScenario]) -> None:
    """No cell passes whose release has no pass of its own; and a module is as its worst scenario."""
    made = told(whole) if whole else None
    for index, (name, _) in enumerate(made.releases if made else ()):
        for row in made.rows if made else ():
            cell = row.cells[index]
            worst = min((one.standing for one in cell.scenarios), key=WORST_FIRST.index)
            assert cell.standing == worst
            assert cell.standing != "pass" or any(one.verdict == "pass" and one.subject["version"] == name for one in whole)
            assert made is None or index or made.ready == all(one.standing in ACCEPTED for one in cell.scenarios)


def test_a_policy_names_its_modules() -> None:
    """Globs name none: they fit what there is."""
    from meshkit_chaos.dashboard.readiness import required_modules  # noqa: PLC0415  # only here

    rules = policy(
        'version: 1\nmatch: commit\nrequirements: [{id: a, modules: [leadership, "sh*"]}]\nexercised_within: {gossip: 7d}\n'
    )
    assert required_modules(rules) == ("gossip", "leadership")


def test_what_a_pass_means_is_true_of_every_column() -> None:
    """A release of long ago that passed is green because it passed, so no legend says that it did so lately."""
    old = result("pass", hours=24 * 60, subject=of("1.0", "a"), modules=("m",))
    made = told([result("pass", hours=2, subject=of("1.1", "b"), modules=("m",)), old])
    assert [cell.standing for cell in made.rows[0].cells] == ["pass", "pass"]
    assert MEANINGS["pass"] == "passed, with evidence; in the newest release also lately"
