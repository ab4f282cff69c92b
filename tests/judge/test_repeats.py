"""Repeat plans: exact, bounded, and never a pass without enough passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_run import Staged

from meshkit_chaos.judge import chances, decide, exit_code, extra_runs, invocation_verdict, join, judge, refused, sees
from meshkit_chaos.judge.repeats import blame, decide_scenario
from meshkit_chaos.judge.verdict import EnvironmentName, Finding, Verdict, VerdictName
from meshkit_chaos.scenario.model import Repeats

PLANS = [Repeats(up_to=n, fail_at=k) for n in range(1, 8) for k in range(1, n + 1)]


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_every_full_sequence_is_decided_and_by_the_counts(plan: Repeats) -> None:
    """After n counted runs every plan is decided: fail with k failures, pass with fewer; never both."""
    for runs in product(("pass", "fail"), repeat=plan.up_to):
        decision = decide(plan, runs)
        failures = runs.count("fail")
        assert decision.state == "decided"
        assert decision.verdict == ("fail" if failures >= plan.fail_at else "pass")
        assert decision.flaky == (decision.verdict == "pass" and "fail" in _counted(plan, runs))


def _counted(plan: Repeats, runs: tuple[VerdictName, ...]) -> tuple[VerdictName, ...]:
    """The runs that a plan really makes: it stops when it is decided."""
    return next(runs[:n] for n in range(1, len(runs) + 1) if decide(plan, runs[:n]).state == "decided")


@pytest.mark.parametrize("plan", PLANS, ids=str)
@pytest.mark.parametrize("p_fail", [0.02, 0.3, 0.5])
def test_the_stated_chances_are_exact(plan: Repeats, p_fail: float) -> None:
    """The chance of blame equals the sum over all sequences of the plan, stopped where it stops."""
    exact = sum(
        p_fail ** runs.count("fail") * (1 - p_fail) ** runs.count("pass")
        for runs in product(("pass", "fail"), repeat=plan.up_to)
        if decide(plan, _counted(plan, runs)).verdict == "fail"
    )
    assert blame(plan, p_fail) == pytest.approx(exact, rel=1e-12)


def test_what_a_plan_sees_is_said() -> None:
    """The sentence carries the exact numbers, for one objective and for a selection."""
    assert sees(Repeats(up_to=7, fail_at=2), objectives=30) == (
        "up to 7 runs, fail at the 2nd failure: blames a scenario that fails 2 % of the time in 0.8 % of nights "
        "(30 such objectives: 21 %), catches one that fails half the time in 94 %"
    )
    assert chances(Repeats(up_to=7, fail_at=2), 0.02, objectives=30) == pytest.approx(0.21, abs=0.005)


_ANY = st.sampled_from(["pass", "fail", "inconclusive", "invalid", "not-run"])


@settings(deadline=None)
@given(st.sampled_from(PLANS), st.lists(_ANY, max_size=12))
def test_a_pass_has_enough_passes(plan: Repeats, runs: list[VerdictName]) -> None:
    """Whatever else ran: no decided pass without n-k+1 passes, no fail without k failures, and the extra budget is kept."""
    decision = decide(plan, runs)
    if decision.verdict == "pass":
        assert runs.count("pass") >= plan.up_to - plan.fail_at + 1
    if decision.verdict == "fail" and decision.state == "decided":
        assert runs.count("fail") >= plan.fail_at
    if decision.state == "continue":
        assert runs.count("inconclusive") + runs.count("invalid") <= extra_runs(plan)
        assert "not-run" not in runs


def test_runs_that_decide_nothing_have_a_budget_of_their_own() -> None:
    """One inconclusive run of a single-run plan is final; a repeated plan makes up for two, then it is inconclusive."""
    assert decide(Repeats(), ["inconclusive"]).verdict == "inconclusive"
    assert decide(Repeats(), ["invalid"]).verdict == "invalid"
    plan = Repeats(up_to=3, fail_at=2)
    assert decide(plan, ["inconclusive", "pass", "invalid", "pass"]).verdict == "pass"
    lost = decide(plan, ["inconclusive", "pass", "invalid", "inconclusive"])
    assert (lost.state, lost.verdict) == ("decided", "inconclusive")


def _run(number: int, *, environment: EnvironmentName = "clean", **objectives: VerdictName) -> Verdict:
    findings = tuple(Finding(about="objective", id=name, verdict=said, sentence="") for name, said in objectives.items())
    worst_of = "fail" if "fail" in objectives.values() else "pass"
    return Verdict(
        run=f"r{number}",
        scenario="s",
        title="S",
        verdict=worst_of,  # type: ignore[arg-type]  # one of two
        outcome="completed",
        environment=environment,
        findings=findings,
    )


def test_objectives_are_decided_one_by_one() -> None:
    """Two objectives that fail once each, in different runs, fail none of them under 'fail at the 2nd'."""
    runs = [_run(1, a="fail", b="pass"), _run(2, a="pass", b="fail"), _run(3, a="pass", b="pass")]
    plan = Repeats(up_to=3, fail_at=2)
    assert decide_scenario(plan, runs[:2])[0].state == "continue"
    joined = join("s", runs, plan)
    assert (joined.verdict, joined.flaky) == ("pass", True)
    assert joined.objectives == {"a": "pass", "b": "pass"}
    assert join("s", [*runs[:2], _run(3, a="fail", b="pass")], plan).verdict == "fail"


@dataclass(frozen=True)
class Said:
    id: str
    title: str = ""
    repeats: Repeats = field(default_factory=Repeats)
    severity: str = "high"
    owner: str = ""


def test_an_invocation_needs_everything_that_was_announced() -> None:
    """All announced and passed is a pass; one missing, one undecided, none at all or an unannounced one is not."""
    good = _run(1, a="pass")
    assert invocation_verdict("i", [Said("s")], [good], subject={}).verdict == "pass"
    missing = invocation_verdict("i", [Said("s"), Said("t")], [good], subject={})
    assert (missing.verdict, missing.sentence) == ("inconclusive", "1 of 2 scenarios without a decision (t)")
    assert missing.scenarios[1].sentence == "it was announced, and no run of it has a result"
    assert invocation_verdict("i", [], [], subject={}).verdict == "inconclusive"
    assert invocation_verdict("i", [], [good], subject={}).verdict == "inconclusive"
    unfinished = Said("s", repeats=Repeats(up_to=3, fail_at=2))
    assert invocation_verdict("i", [unfinished], [good], subject={}).verdict == "inconclusive"


def test_any_fail_is_a_fail_of_the_invocation() -> None:
    """A fail outweighs what is undecided."""
    failed = invocation_verdict("i", [Said("t"), Said("s")], [_run(1, a="fail")], subject={})
    assert failed.verdict == "fail"
    assert failed.sentence == "1 of 2 scenarios failed (s), 1 without a decision"


def test_exit_codes_follow_their_precedence() -> None:
    """Dirty is 3 before anything else, then fail 1, then everything that is no pass 2, then 0."""
    table: list[tuple[EnvironmentName, VerdictName, int]] = [
        ("clean", "pass", 0),
        ("clean", "fail", 1),
        ("dirty", "fail", 3),
        ("dirty", "pass", 3),
        ("unknown", "inconclusive", 2),
    ]
    for environment, verdict, code in table:
        run = _run(1, environment=environment, a=verdict)
        assert exit_code(invocation_verdict("i", [Said("s")], [run], subject={})) == code, (environment, verdict)
    for said in ("inconclusive", "invalid", "not-run"):
        assert exit_code(invocation_verdict("i", [Said("s")], [_run(1, a=said)], subject={})) == 2
    no_run = refused(Staged().scenario, run="r", reason="no lever kill", subject={})
    assert exit_code(no_run) == 2
    assert exit_code(judge(Staged().record())) == 0


def test_a_refused_scenario_is_not_run() -> None:
    """A scenario that could not start is not-run in the invocation too, never silence."""
    no_run = refused(Staged().scenario, run="r", reason="no lever kill", subject={"version": "1"})
    joined = invocation_verdict("i", [Said("leader-killed")], [no_run], subject={})
    assert joined.scenarios[0].verdict == "not-run"
    assert joined.verdict == "inconclusive"


def test_a_scenario_that_was_not_run_says_why() -> None:
    """The reason is in the scenario's own sentence: gates and summaries quote that, and not the run's findings."""
    scenario = Staged().scenario
    run = refused(scenario, run="r1", reason="the native build failed: mesh-load", subject={})
    joined = join(scenario.id, [run], scenario.repeats)
    assert (joined.verdict, joined.sentence) == ("not-run", f"{scenario.id} was not run: the native build failed: mesh-load")
