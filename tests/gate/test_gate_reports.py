"""A decision in each format: the answer first, escaped, within its budget, and never green where the gate is closed."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree as ET

import pytest
from gate_worlds import decided, history, one_run, overrides, policy, result
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import structs
from test_gate_law import ACCEPT

from meshkit_chaos.gate.decision import Code, Decision, Item, OverrideUse, Sighting
from meshkit_chaos.report.gate_json import decision_json, decision_schema
from meshkit_chaos.report.gate_junit import decision_junit
from meshkit_chaos.report.gate_markdown import SMALLEST_BUDGET, decision_markdown
from meshkit_chaos.report.gate_text import decision_text

TWO = policy(
    "version: 1\nmatch: commit\nrequirements:\n  - {id: leadership, scenarios: [leader-killed, leader-paused]}\n"
    "  - {id: later, scenarios: [shards-moved], mode: shadow}\n"
)
BLOCKED = decided(
    history(
        result("fail", hours=2),
        result("fail", hours=26, commit="badc0de"),
        result("pass", hours=50, commit="900d"),
        result("pass", scenario="leader-paused", hours=2),
    ),
    TWO,
)
OPEN = decided(history(result("fail")), file=overrides(ACCEPT % "{within: 9s}"))
NASTY = "</td>|<script>x</script> `a` [b](c)\n\x1b[31m@team #1 \u202e"
TEXTS = st.text(max_size=40) | st.just(NASTY)
CODES = st.sampled_from(Code.__args__)


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    """Decisions whose every text may be anything."""
    items = tuple(
        Item(
            requirement=draw(TEXTS),
            scenario=draw(TEXTS),
            mode=draw(st.sampled_from(["shadow", "blocking"])),
            code=draw(CODES),
            sentence=draw(TEXTS),
            remedy=draw(TEXTS),
            first_bad=Sighting(invocation="i", at=0, verdict="fail", subject={draw(TEXTS): draw(TEXTS)}),
            notes=(draw(TEXTS),),
        )
        for _ in range(draw(st.integers(0, 4)))
    )
    blocked = any(item.blocks for item in items) or not any(item.mode == "blocking" for item in items)
    use = OverrideUse(id=draw(TEXTS), scenario="s", objective="o", refusal="", sentence=draw(TEXTS), identity=draw(TEXTS))
    base = structs.replace(BLOCKED, items=items, overrides=(use,), sentence=draw(TEXTS), subject={draw(TEXTS): draw(TEXTS)})
    return structs.replace(base, open=not blocked, exit_code=2 if blocked else 0)


def test_a_release_manager_sees_the_answer_first() -> None:
    """The first line says blocked and by what; below are since when, the last good build, and what would open it."""
    lines = decision_text(BLOCKED).splitlines()
    assert lines[0] == "BLOCKED: leader-killed failed; 1 of 2 required scenarios passed"
    failed = next(number for number, line in enumerate(lines) if "✗ leader-killed (failed)" in line)
    assert lines[failed + 1 : failed + 4] == [
        "      since     2026-11-24 06:00Z, commit badc0de (fail)",
        "      last good 2026-11-23 06:00Z, commit 900d (pass)",
        "      to open   fix it and test the new build, or accept the number with an override",
    ]
    assert "? shards-moved (missing, shadow)" in "\n".join(lines[failed:])
    assert lines[-1].endswith("this decision was not logged")


def test_an_override_is_shown_with_who_and_how_sure() -> None:
    """What was accepted, by whom, why, and what that identity rests on is in each format for people."""
    for text in (decision_text(OPEN), decision_markdown(OPEN)):
        assert "up to 9s" in text
        assert "identity rests on branch protection" in text
        assert "approved by bo" in text
    assert decision_text(OPEN).startswith("OPEN: 1 required scenario passed, 1 of them by override")


def test_json_fits_its_schema() -> None:
    """Both decisions fit the published schema, which knows its version."""
    schema = decision_schema()
    Draft202012Validator.check_schema(schema)
    for decision in (BLOCKED, OPEN):
        data = json.loads(decision_json(decision))
        assert list(Draft202012Validator(schema).iter_errors(data)) == []
        assert data["open"] is decision.open
    assert list(Draft202012Validator(schema).iter_errors({**data, "schema": 2}))


def test_junit_is_red_by_its_own() -> None:
    """What evidence blocks is a failure, missing evidence an error; shadow is no case of its own; nothing is skipped."""
    root = ET.fromstring(decision_junit(BLOCKED))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    assert set(cases) == {"decision", "leader-killed", "leader-paused"}
    assert cases["leader-killed"].find("failure") is not None
    assert cases["decision"].find("failure") is not None
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "2", "0")
    missing = ET.fromstring(decision_junit(decided(history())))
    assert (missing.get("failures"), missing.get("errors")) == ("0", "2")
    assert ET.fromstring(decision_junit(OPEN)).get("failures") == "0"


@given(decisions())
def test_no_text_breaks_a_format(decision: Decision) -> None:
    """Whatever stands in a decision, XML parses and is red unless it is open, Markdown stays one table, no cursor moves."""
    root = ET.fromstring(decision_junit(decision))
    red = int(root.get("failures", "0")) + int(root.get("errors", "0"))
    assert (red == 0) == decision.open
    assert not list(root.iter("skipped"))
    text = decision_text(decision)
    assert "\x1b" not in text
    assert text.startswith(("OPEN", "BLOCKED"))
    page = decision_markdown(decision)
    assert "<script" not in re.sub(r"(`+)[^`](?:.*?[^`])?\1(?!`)", "", page), "outside of code, where it would be one"
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(decision.items)


def test_markdown_keeps_its_budget() -> None:
    """Ten thousand scenarios fit into the megabyte of a step's summary: what blocks is first, what is left out is counted."""
    item = structs.replace(BLOCKED.items[0], sentence="é|" * 400)
    good = structs.replace(item, code="passed")
    many = structs.replace(BLOCKED, items=(*(good for _ in range(9_000)), *(item for _ in range(1_000))))
    for budget in (SMALLEST_BUDGET, 100_000, 1_000_000):
        page = decision_markdown(many, budget=budget)
        assert len(page.encode()) <= budget
        assert "left out for length" in page
        assert "✗" in page.splitlines()[7]
    with pytest.raises(ValueError, match="too small"):
        decision_markdown(many, budget=100)


def test_nothing_of_a_run_gets_lost() -> None:
    """A flaky pass says so even where the gate is open."""
    flaky = structs.replace(result("pass", runs=(one_run("pass"), one_run("fail", 2))), flaky=True)
    assert "flaky" in decision_text(decided(history(flaky)))


def test_since_and_last_good_are_of_the_same_branch() -> None:
    """A night of an old release between two failures of main is not the last good; a branch without a pass looks wider."""
    elsewhere = {"commit": "01d", "branch": "release/1.4", "version": "1.4.1"}
    results = [
        result("fail", hours=2),
        result("pass", hours=20, subject=elsewhere),
        result("fail", hours=26, commit="badc0de"),
        result("pass", hours=50, commit="900d"),
    ]
    item = next(one for one in decided(history(*results)).items if one.scenario)
    assert item.first_bad is not None
    assert item.last_good is not None
    assert (item.first_bad.subject["commit"], item.last_good.subject["commit"]) == ("badc0de", "900d")
    young = next(one for one in decided(history(*results[:2])).items if one.scenario)
    assert young.last_good is not None
    assert young.last_good.subject["commit"] == "01d"
