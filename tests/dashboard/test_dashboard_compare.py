"""The page that compares: what it shows unasked, what can be asked for, and that it tells only what is sure."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from gate_worlds import NOW, SECOND, history, one_run, result
from history_builder import TWO, evidence_of, opened, variant, written
from msgspec import structs

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.readiness import Release
from meshkit_chaos.dashboard.releases_compared import Of, best_of, releases_compared
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import Ask, PastScenario
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.unpacked import results_of
from meshkit_chaos.judge.verdict import VerdictName


def night(
    number: int, version: str, seconds: float, verdict: VerdictName = "pass", scenario: str = "leader-killed"
) -> PastScenario:
    run = one_run(verdict, prefix=f"R{number}{scenario}", time=(int(seconds * SECOND), int(seconds * SECOND) + SECOND // 4))
    subject = {"version": version, "commit": f"c{number}"}
    hours = 24 * (100 - number)
    return result(verdict, scenario=scenario, hours=hours, invocation=f"I{number}", subject=subject, runs=(run,))


def text_of(held: MemoryHistory, parameters: Mapping[str, str] | None = None, *, served: bool = True) -> str:
    settings = Settings(project="mesh", served=served)
    page = Site(Sources(reader=held, settings=settings, clock=ManualClock(wall_ns=NOW))).page(paths.COMPARE, parameters or {})
    assert page is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<footer")[0]))


def of(name: str, *results: PastScenario) -> Of:
    release = Release(name=name, at=0, invocations=tuple(history(*results).invocations()))
    return Of(release=release, cells=tuple(cell_of(one) for one in results))


SLOWER = [*(night(number, "1.0", 1 + number % 3 / 10) for number in range(20)),
          *(night(number, "1.1", 2 + number % 3 / 10) for number in range(20, 40))]  # fmt: skip


def test_unasked_it_compares_builds_and_releases() -> None:
    """The newest build stands beside the one before it, and the newest release beside the one before, in both modes."""
    for served in (True, False):
        shown = text_of(history(*SLOWER), served=served)
        assert "The newest build and the one before it" in shown
        assert "slower: surely so in 100 % of pairs" in shown
        assert "passed: there is none to put beside it" in shown


def test_files_say_that_choosing_needs_a_server() -> None:
    """An export has no form that nobody would answer."""
    held = history(*SLOWER)
    assert "meshkit-chaos dashboard serve" in text_of(held, served=False)
    assert "meshkit-chaos dashboard serve" not in text_of(held)


def test_the_newest_night_stands_beside_the_last_that_passed() -> None:
    """A night that fails is compared with the last one before it began to, not with the bad one before it."""
    bad = [night(number, "1.1", 7, "fail") for number in (40, 41)]
    shown = text_of(history(*SLOWER, *bad))
    section = shown.partition("the last one that passed")[2]
    assert "c39" in section
    assert "pass became fail" in section
    assert "none of the newest 2 invocations passed" in text_of(history(*bad))


def test_unasked_it_stays_on_one_branch() -> None:
    """A night of a release branch between those of main is neither the build before the newest nor the last that passed."""
    main = [_on(night(number, "1.1", 1 if number < 3 else 7, "pass" if number < 3 else "fail"), "main") for number in range(6)]
    other = _on(night(7, "1.0", 1), "release/1.0")
    shown = text_of(history(*main, other, _on(night(8, "1.1", 7, "fail"), "main")))
    build, good = shown.partition("the last one that passed")[::2]
    assert "c5" in build
    assert "c2" in good
    assert "c7" not in build.partition("The newest build")[2]
    only = history(_on(night(1, "1.1", 7, "fail"), "main"), other, _on(night(8, "1.1", 7, "fail"), "main"))
    assert "none of the newest 2 invocations of main passed" in text_of(only)
    twice = history(_on(night(1, "1.1", 1), "main"), _on(night(8, "1.1", 7, "fail"), "main"))
    assert "is the one before it: see above" in text_of(twice)


def _on(one: PastScenario, branch: str) -> PastScenario:
    return structs.replace(one, subject={**one.subject, "branch": branch})


def test_the_best_release_is_compared_with_where_it_is_another() -> None:
    """A creep of one release after the other is seen against the best of them."""
    best = [night(number, "0.9", 1.0) for number in range(20)]
    flaky = [night(number, "1.0", 1.0, "fail" if number % 2 else "pass") for number in range(20, 40)]
    newest = [night(number, "1.1", 1.0, "fail" if number % 3 else "pass") for number in range(40, 60)]
    shown = text_of(history(*best, *flaky, *newest))
    section = shown.partition("The newest release and the best one")[2]
    assert "0.9" in section
    assert "fails more often" in section


def test_two_releases_are_asked_for_by_name() -> None:
    """All scenarios of both are shown, those without a sure difference as well."""
    steady = [night(number, "1.0" if number < 20 else "1.1", 1.0, scenario="steady") for number in range(40)]
    held = history(*SLOWER, *steady)
    shown = text_of(held, {"before": "release:1.0", "after": "release:1.1"})
    assert "1 of 2 scenarios surely differ" in shown
    assert "no sure difference" in shown
    assert "fails 0 in 20, 95 % interval 0-17 %" in shown


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("release:1.0", "release:nobody"),
        ("run:nobody", "run:R1leader-killed1"),
        ("I1", "nothing"),
        ("release:1.0", "I1"),
        ("run:", "run:"),
        ("\x00", "'"),
    ],
)
def test_what_is_not_there_is_compared_with_nothing(before: str, after: str) -> None:
    """A name that nothing is called, or two of different kinds, makes no comparison and says so."""
    shown = text_of(history(*SLOWER), {"before": before, "after": after})
    assert "not known" in shown or "no two invocations" in shown
    assert "differ:" not in shown


def test_two_runs_stand_beside_each_other_with_their_drawings(tmp_path: Path) -> None:
    """Both courses are drawn from their evidence, with the difference of their times above."""
    with opened(tmp_path / "history") as held:
        for number in range(2):
            held.add(written(variant(evidence_of(TWO), number * 90_000), tmp_path / f"out{number}"))
        runs = [run.run for one in held.results(Ask()) for run in one.runs][:2]
        made_of = Sources(
            reader=Overview(held.database),
            settings=Settings(project="mesh", served=True),
            clock=ManualClock(wall_ns=NOW),
            evidence=lambda invocation: results_of(held.database, held.store, invocation),
        )
        page = Site(made_of).page(paths.COMPARE, {"before": f"run:{runs[1]}", "after": f"run:{runs[0]}"}) or ""
        assert page.count("Seconds count from") == 2
        assert "Two runs" in page
        ids = re.findall(r' id="([^"]*)"', page)
        assert len(ids) == len(set(ids))


def test_runs_without_evidence_are_compared_by_what_the_index_knows() -> None:
    """Their intervals stand beside each other, and each drawing says why it is missing."""
    shown = text_of(history(*SLOWER), {"before": "run:R1leader-killed1", "after": "run:R30leader-killed1"})
    assert "slower by at least" in shown
    assert shown.count("the evidence of this run is not at hand") == 2


def test_equal_releases_seldom_differ() -> None:
    """Of 200 pairs of releases from one distribution at most three tables tell a difference: the stated error is one in 100."""
    wrong = 0
    for seed in range(200):
        chance = random.Random(seed)

        def some(first: int, chance: random.Random = chance) -> list[PastScenario]:
            return [
                night(first + number, "v", chance.gammavariate(40, 0.03), "fail" if chance.random() < 0.1 else "pass")
                for number in range(12)
            ]

        wrong += "0 of" not in releases_compared("t", of("a", *some(0)), of("b", *some(20)), here="x").sentence
    assert wrong <= 3


def test_the_luckiest_of_several_is_not_a_release_that_the_newest_is_worse_than() -> None:
    """Of so many alike, one that never failed is no wonder: what is sure of one pair is not sure of the best of many."""
    lucky = of("a", *(night(number, "a", 1) for number in range(12)))
    newest = of("b", *(night(20 + number, "b", 1, "fail" if number < 8 else "pass") for number in range(12)))
    assert "1 of 1" in releases_compared("t", lucky, newest, here="x").sentence
    assert "0 of 1" in releases_compared("t", lucky, newest, here="x", chosen_of=4).sentence


def test_a_scenario_of_one_release_only_is_told() -> None:
    """It is no equal, and no pass of the other side."""
    made = releases_compared("t", of("a", night(1, "a", 1)), of("b", night(2, "b", 1, scenario="new")), here="x")
    assert [(row.scenario, row.before is None, row.after is None) for row in made.rows] == [
        ("leader-killed", False, True),
        ("new", True, False),
    ]
    assert {row.difference for row in made.rows} == {"only on one side"}


def test_a_release_without_evidence_is_not_the_best() -> None:
    """Nothing failed where nothing was tried, and that is no merit."""
    empty, bad = of("empty"), of("bad", night(1, "bad", 7, "fail"))
    assert best_of([empty, bad]) is bad
    assert best_of([empty]) is None


def test_the_form_offers_what_is_shown() -> None:
    """With two branches, the one before the newest night in time is not the one that it is compared with."""
    own = {"version": "1.1", "branch": "main"}
    nights = [result("pass", hours=2 + 24 * n, subject={**own, "commit": f"c{n}"}, invocation=f"M{n}") for n in range(2)]
    between = result("pass", hours=3, subject={**own, "branch": "release", "commit": "r"}, invocation="B")
    settings = Settings(project="mesh", served=True)
    made = Sources(reader=history(*nights, between), settings=settings, clock=ManualClock(wall_ns=NOW))
    page = Site(made).page(paths.COMPARE) or ""
    assert re.findall(r'<option value="([^"]*)" selected', page) == ["M1", "M0"]
