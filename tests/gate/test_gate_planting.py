"""The gate's test of itself: all planted evidence blocks, and a gate that lets some of it through is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from gate_worlds import NOW, policy

from meshkit_chaos.gate import decision, judging, waiving
from meshkit_chaos.gate.load import load_policy
from meshkit_chaos.gate.planted_world import like
from meshkit_chaos.gate.planting import self_test

FULL = """version: 1
environment_class: etcd-lab-*
runs: 3
regression:
  baseline: {subject: {branch: main}, releases_by: version}
nightly: {cron: "0 2 * * *", subject: {trigger: nightly}}
exercised_within: {leadership: 40d}
requirements:
  - {id: leadership, scenarios: [leader-killed, "shard-*"], at_least: 2, regression: on}
  - {id: release, tags: [release], objectives: [converge-x], fresh: 12h}
  - {id: later, severity: high, mode: shadow}
"""
GOOD = sorted((Path(__file__).parent / "good").glob("*-gate.yaml"))


def test_nothing_that_is_planted_opens() -> None:
    """A policy with everything in it opens for good evidence and for none of the planted kinds."""
    test = self_test(policy(FULL), now=NOW)
    assert test.control.open, test.control
    assert test.opened == ()
    situations = {one.situation for one in test.planted}
    assert {"stale", "of another subject", "one run too few", "a nightly that did not happen", "failed"} <= situations
    assert any("twenty times as slow" in one for one in situations)
    assert len(test.planted) >= 40


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_good_policies_stand_the_test(file: Path) -> None:
    """The good policies of the documents' tests open for the control and for nothing else."""
    value = load_policy(file.read_bytes(), path=file.name).value
    assert value is not None
    test = self_test(value, now=NOW)
    assert test.control.open, test.control.items
    assert test.opened == ()


def test_a_gate_that_only_reports_cannot_be_tested() -> None:
    """In shadow nothing opens, so that nothing planted opens proves nothing: there is no result."""
    test = self_test(policy("version: 1\nrequirements:\n  - {id: a, scenarios: [x], mode: shadow}\n"), now=NOW)
    assert not test.control.open
    assert test.planted == ()


def never(*_: object, **__: object) -> None:
    return None


def always(*_: object, **__: object) -> bool:
    return True


def test_a_gate_without_freshness_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If staleness were not looked at, the planted stale result would open, and the self-test says so."""
    monkeypatch.setattr(judging, "_fresh", always)
    assert {one.situation for one in self_test(policy(FULL), now=NOW).opened} >= {"stale", "from the future"}


def test_a_gate_that_forgives_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a later success erased a failure, the planted one that was tried again would open."""
    monkeypatch.setattr(judging, "_failed", never)
    assert "failed first, passed when tried again" in {one.situation for one in self_test(policy(), now=NOW).opened}


def test_a_gate_that_takes_any_override_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If overrides were used as they are, the planted bad ones would open."""
    monkeypatch.setattr("meshkit_chaos.gate.decide.refusal", never)
    opened = {one.situation for one in self_test(policy(), now=NOW).opened}
    assert {"failed, and an override expired", "failed, and an override approved by its author"} <= opened
    monkeypatch.setattr("meshkit_chaos.gate.decide.accepts", never)
    assert "failed, and an override accepts less than was measured" in {
        one.situation for one in self_test(policy(), now=NOW).opened
    }
    assert waiving.accepts is not never


def test_a_gate_that_takes_anything_for_good_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If every code were good, everything planted would open."""
    monkeypatch.setattr("meshkit_chaos.gate.decision.GOOD", frozenset(decision.Code.__args__))
    test = self_test(policy(), now=NOW)
    assert {one.scenario for one in test.planted} - {""} == {one.scenario for one in test.opened} - {""}


@pytest.mark.parametrize(("pattern", "name"), [("*", "w"), ("leader-*", "leader-w"), ("[ab]?-*-*", "ax-w-"), ("x", "x")])
def test_a_glob_is_given_a_name_that_fits(pattern: str, name: str) -> None:
    """Planted scenarios bear names that the policy selects."""
    assert like(pattern, "w") == name
