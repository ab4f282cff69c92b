"""When a nightly is expected, and that one that did not come closes the gate."""

from __future__ import annotations

import pytest
from gate_worlds import HOUR, NOW, decided, history, one_run, policy, result
from msgspec import structs

from meshkit_chaos.gate.grammar import instant_ns
from meshkit_chaos.gate.policy import Nightly
from meshkit_chaos.gate.schedule import expected
from meshkit_chaos.slo import Duration

NIGHTLY = Nightly(cron="0 2 * * *", timezone="Europe/Berlin", grace=Duration.parse("6h"), subject={})


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-25T07:00:00Z", "2026-11-25T01:00:00Z"),
        ("2026-11-25T06:59:58Z", "2026-11-24T01:00:00Z"),
        ("2026-07-01T12:00:00Z", "2026-07-01T00:00:00Z"),
        ("2026-03-29T12:00:00Z", "2026-03-29T01:00:00Z"),
    ],
    ids=["its grace just ended", "still in its grace", "in summer time", "in a night without two o'clock"],
)
def test_the_last_one_whose_grace_is_over_is_expected(now: str, last: str) -> None:
    """The schedule is in its own zone; one that may still come is not expected yet."""
    assert expected(NIGHTLY, now=instant_ns(now)) == instant_ns(last)


TEXT = """version: 1
match: commit
requirements:
  - {id: a, scenarios: [leader-killed]}
nightly: {cron: "0 2 * * *", grace: 4h, subject: {trigger: nightly}}
"""


@pytest.mark.parametrize(
    ("hours", "trigger", "code"),
    [
        (6.0, "nightly", 0),
        (5.0, "nightly", 0),
        (2.5, "nightly", 0),
        (1.5, "nightly", 2),
        (30.0, "nightly", 2),
        (6.0, "hand", 2),
    ],
    ids=["on time", "an hour late", "at the end of its grace", "too late", "the night before", "not a nightly"],
)
def test_a_nightly_that_did_not_come_closes_the_gate(hours: float, trigger: str, code: int) -> None:
    """It is now eight o'clock: an invocation between two and six with the right subject is the nightly, no other is."""
    night = result("pass", hours=hours, commit="main", scenario="other")
    night = structs.replace(night, subject={"commit": "main", "trigger": trigger})
    decision = decided(history(result("pass", hours=1), night), policy(TEXT))
    assert decision.exit_code == code
    missing = [item for item in decision.items if item.code == "nightly-missing"]
    assert bool(missing) == (code == 2)
    assert all("expected 2026-11-25 02:00Z" in item.sentence for item in missing)


def test_a_module_that_was_not_exercised_closes_the_gate() -> None:
    """A module whose last evidence is too old, or that has none, is told with its age; what decided nothing is no evidence."""
    text = TEXT.partition("nightly:")[0] + "exercised_within: {leadership: 3d}\n"
    of_module = {"scenario": "other", "commit": "x", "modules": ("leadership",)}
    for hours, verdict, code in ((50, "fail", 0), (80, "pass", 2), (50, "inconclusive", 2)):
        decision = decided(history(result("pass"), result(verdict, hours=hours, **of_module)), policy(text))  # type: ignore[arg-type]  # verdicts
        assert decision.exit_code == code, decision
    assert "leadership was never under a fault" in decided(history(result("pass")), policy(text)).sentence
    assert NOW > HOUR


@pytest.mark.parametrize(("seen", "code"), [("lab-a", 0), ("lab-b", 0), ("laptop", 2), ("", 2)])
def test_a_module_is_exercised_only_in_the_class_that_is_asked_for(seen: str, code: int) -> None:
    """A fault on a laptop, or nobody knows where, is no proof for the labs that the policy names."""
    text = TEXT.partition("nightly:")[0] + "environment_class: lab-*\nexercised_within: {leadership: 3d}\n"
    own = result("pass", environment_class="lab-a", runs=(one_run("pass", environment_class="lab-a"),))
    of_module = result(
        "pass",
        scenario="other",
        commit="x",
        hours=50,
        modules=("leadership",),
        environment_class=seen,
        runs=(one_run("pass", environment_class=seen),),
    )
    decision = decided(history(own, of_module), policy(text))
    assert decision.exit_code == code, decision
    assert ("not-exercised" in {item.code for item in decision.items}) == (code == 2)
