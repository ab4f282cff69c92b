"""Coverage: what was proved under which fault, how long ago, and what never was."""

from __future__ import annotations

import pytest
from gate_worlds import NOW, history, one_run, policy, result
from msgspec import structs

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.coverage import Coverage, coverage
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

KINDS = ("kill", "pause", "partition")


def proved(
    verdict: VerdictName = "pass", *, days: float = 0.1, module: str = "leadership", fault: str = "kill"
) -> PastScenario:
    run = one_run(verdict, faults=(fault,))
    return result(verdict, hours=24 * days, modules=(module,), runs=(run,), scenario=f"{module}-{fault}")


def made(*results: PastScenario, within: dict[str, Duration] | None = None) -> Coverage:
    return coverage(results, results, KINDS, now=NOW, here="coverage.html", within=within)


@pytest.mark.parametrize(("days", "age"), [(1, "new"), (10, "ageing"), (31, "old")])
def test_a_proof_ages(days: float, age: str) -> None:
    """After a week it fades, after thirty days it is old, however it went."""
    assert made(proved(days=days)).rows[0].proofs[0].age == age


def test_the_policy_says_how_old_a_proof_may_be() -> None:
    """A module that must be exercised within days has an old proof sooner, and the sentence on top counts it."""
    found = made(proved(days=4), within={"leadership": Duration.parse("3d")})
    assert found.rows[0].proofs[0].age == "old"
    assert found.sentence == "1 of 3 combinations ever exercised, and the proof of 1 of them is too old"


def test_what_was_never_exercised_is_named() -> None:
    """Kinds that bit nowhere, and modules that nothing bit in, also one that only the policy knows."""
    found = made(proved(), proved("inconclusive", module="shards"), within={"gossip": Duration.parse("7d")})
    assert found.never == ("pause", "partition")
    assert found.bare == ("gossip", "shards")
    assert [kind for kind, _ in found.kinds] == ["kill"]


def test_a_newer_failure_is_the_proof() -> None:
    """The newest run counts, not the best one."""
    assert made(proved(days=3), proved("fail", days=1)).rows[0].proofs[0].verdict == "fail"


def test_a_filter_finds_modules_by_their_faults() -> None:
    """By kind and by age."""
    assert made(proved(days=31)).rows[0].search == "leadership kill old"


def test_nothing_is_covered_by_nothing() -> None:
    """No scenario: no row, and no combination that could look good."""
    found = made()
    assert (found.rows, found.exercised, found.cells) == ((), 0, 0)


def of_class(name: str) -> PastScenario:
    one = proved()
    runs = tuple(structs.replace(run, environment_class=name) for run in one.runs)
    return structs.replace(one, environment_class=name, runs=runs)


@pytest.mark.parametrize("wanted", ["production-like", "prod*"])
def test_what_the_gate_takes_for_no_proof_looks_like_none(wanted: str) -> None:
    """Where the policy wants modules exercised in a class of environments, a run on a laptop exercises none of them."""
    laptop, alike = of_class("laptop"), of_class("production-like")
    rules = structs.replace(policy(), environment_class=wanted, exercised_within={"leadership": Duration.parse("7d")})

    def page(one: PastScenario) -> str:
        settings = Settings(project="mesh", policy=rules)
        made_of = Sources(reader=history(one), settings=settings, clock=ManualClock(wall_ns=NOW))
        return Site(made_of).page(paths.COVERAGE) or ""

    assert f"in an environment of class {wanted}" in page(laptop)
    assert 'href="scenario/leadership-kill.html"' in page(alike)
    found = page(laptop)
    assert "0 of " in found
    assert 'href="scenario/leadership-kill.html"' not in found
