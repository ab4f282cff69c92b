"""Results of scenario tests as text and JUnit: nothing is lost, and no name can break a format."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.campaign.rehearsal import Rehearsed, Untested
from meshkit_chaos.judge.verdict import Verdict
from meshkit_chaos.report.rehearsal import Rehearsal, rehearsal_json, rehearsal_junit, rehearsal_text
from meshkit_chaos.scenario.world import Expected, ScenarioTest, World

VERDICT = Verdict(run="r", scenario="s", title="t", verdict="pass", outcome="completed", environment="clean", findings=())


def result(name: str = "a test", *differences: str) -> Rehearsed:
    test = ScenarioTest(name=name, scenario="s", world=World(), record=None, expected=Expected(verdict="pass"), line=7)
    return Rehearsed(test=test, scenario="s", verdict=VERDICT, differences=differences)


def rehearsal(*results: Rehearsed, untested: tuple[Untested, ...] = (), strict: bool = False) -> Rehearsal:
    return Rehearsal(path="x.test.yaml", results=results, untested=untested, objectives=3, strict=strict)


def test_the_text_says_all() -> None:
    """Every test has its line, every difference its own below it, and the sum is right."""
    told = rehearsal_text(rehearsal(result(), result("b", "one", "two"), untested=(Untested(scenario="s", objective="o"),)))
    assert told.splitlines() == [
        "x.test.yaml",
        "  ✓ s  a test",
        "  ✗ s  b",
        "      line 7: one",
        "      line 7: two",
        "  No test makes these objectives fail, so nobody has seen that they can:",
        "  ! s  o",
        "2 tests, 1 did not come out as expected; 2 of 3 objectives seen failing",
    ]


def test_strictness_decides_whether_an_unseen_objective_counts() -> None:
    """An objective that no test makes fail is a failure only with strict."""
    missing = (Untested(scenario="s", objective="o"),)
    assert rehearsal(result(), untested=missing).ok
    strict = rehearsal(result(), untested=missing, strict=True)
    assert not strict.ok
    assert "✗ s  o" in rehearsal_text(strict)
    assert rehearsal_json(strict)["never_failed"] == [{"scenario": "s", "objective": "o"}]


@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_no_name_breaks_a_format(name: str, difference: str) -> None:
    """Whatever a test is called, the text keeps its lines, and the XML can be read with as many cases as there are tests."""
    one = rehearsal(result(name or "x", difference), result(), untested=(Untested(scenario=name, objective=name),))
    assert len(rehearsal_text(one).splitlines()) == 7
    root = ET.fromstring(rehearsal_junit((one, one)))
    assert len(list(root.iter("testcase"))) == 6
    assert (root.get("tests"), root.get("failures")) == ("6", "2")
