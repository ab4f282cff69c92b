"""What history keeps of an invocation, derived from its results and from nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec import structs
from virtual_runs import document, invoke, scenario_text

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.history.deriving import past
from meshkit_chaos.history.model import PastScenario

TWO = document(
    scenario_text(more="tags: [smoke]\nmodules: [leadership]"),
    scenario_text(objectives="[{converge: one-leader, within: 500ms}]").replace("id: leader-killed", "id: too-strict"),
)


def by_id(folder: Path) -> dict[str, PastScenario]:
    return {one.scenario: one for one in past(read_results(folder))[1]}


def test_a_past_run_holds_what_a_gate_asks_for(tmp_path: Path) -> None:
    """Verdicts, times with their limits, instants, digests and class of every run are there."""
    invoke(tmp_path / "out", TWO)
    invocation, scenarios = past(read_results(tmp_path / "out"))
    assert invocation.announced == ("leader-killed", "too-strict")
    assert invocation.verdict == "fail"
    good, bad = scenarios
    assert (good.verdict, good.modules, good.tags) == ("pass", ("leadership",), ("smoke",))
    assert (bad.verdict, bad.subject) == ("fail", {"version": "1"})
    run = good.runs[0]
    assert run.started < run.ended
    assert run.journal_digest
    assert run.plan_digest
    assert run.binaries
    objective = run.objectives[0]
    assert objective.lo is not None
    assert objective.hi is not None
    assert 0 < objective.lo < objective.hi <= 5 * 10**9 == objective.limit


def test_an_announced_scenario_without_a_result_is_kept(tmp_path: Path) -> None:
    """A run whose record is gone leaves a result that is no pass, with its tags, and without runs."""
    invoke(tmp_path / "out", TWO)
    shutil.rmtree(tmp_path / "out" / "runs" / "leader-killed")
    gone = by_id(tmp_path / "out")["leader-killed"]
    assert gone.verdict != "pass"
    assert (gone.runs, gone.tags, gone.modules) == ((), ("smoke",), ("leadership",))


def test_two_seeds_have_one_plan_digest(tmp_path: Path) -> None:
    """The digest of a plan says what was done to which kind of mesh, not which member was drawn."""
    digests = set()
    for seed in (1, 2):
        invoke(tmp_path / str(seed), TWO, seed=seed)
        digests.add(by_id(tmp_path / str(seed))["leader-killed"].runs[0].plan_digest)
    assert len(digests) == 1


def test_a_what_if_never_enters_history(tmp_path: Path) -> None:
    """A verdict from changed thresholds is refused."""
    invoke(tmp_path / "out", TWO)
    results = read_results(tmp_path / "out")
    asked = structs.replace(results.verdict, what_if=True)
    with pytest.raises(ValueError, match="what-if"):
        past(type(results)(started=results.started, verdict=asked, records=results.records, folders=results.folders))
