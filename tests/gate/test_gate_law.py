"""The law of the gate: evidence that is worse, or gone, never opens it."""

from __future__ import annotations

from dataclasses import dataclass

from gate_worlds import COMMIT_POLICY, NOW, SECOND, decided, invocation, one_run, overrides, policy, result
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import PastInvocation, PastRun, PastScenario
from meshkit_chaos.judge.verdict import VerdictName

VERDICTS: tuple[VerdictName, ...] = ("pass", "inconclusive", "fail", "invalid", "not-run")
WORSE: dict[VerdictName, tuple[VerdictName, ...]] = {
    "pass": VERDICTS,
    "inconclusive": ("inconclusive", "invalid", "not-run", "fail"),
    "invalid": ("inconclusive", "invalid", "not-run", "fail"),
    "not-run": ("inconclusive", "invalid", "not-run", "fail"),
    "fail": ("fail",),
}
"""The gate's order: a pass, then what is no evidence at all, then a failure, which no later pass makes up for."""
POLICIES: dict[str, Policy] = {
    "plain": policy(COMMIT_POLICY),
    "several runs, one objective": policy(
        b"version: 1\nmatch: commit\nrequirements:\n"
        b"  - {id: a, scenarios: ['*'], runs: 2, objectives: [converge-one-leader], environment_class: lab-*}\n"
    ),
    "by digest": policy(
        b"version: 1\nfresh: 48h\nrequirements:\n  - {id: a, tags: [release]}\n  - {id: b, mode: shadow, scenarios: [x]}\n"
        b"exercised_within: {leadership: 3d}\n"
    ),
    "compared strictly": policy(
        b"version: 1\nmatch: commit\nregression: {false_alarms: 100%, minimum_failures: 1, effect: 0%, dead_band: 0%,\n"
        b"  until_baseline: absolute-only, baseline: {subject: {branch: old}, lag: 0s, at_least: 2}}\n"
        b"requirements:\n  - {id: a, scenarios: ['leader-*'], regression: on, fresh: 300d}\n"
    ),
    "compared": policy(
        b"version: 1\nmatch: commit\nregression: {false_alarms: 20%, minimum_failures: 1, until_baseline: absolute-only,\n"
        b"  baseline: {subject: {branch: old}, lag: 0s, at_least: 2}}\n"
        b"requirements:\n  - {id: a, scenarios: ['leader-*'], regression: on}\n"
    ),
}
ACCEPT = """version: 1
overrides:
  - {id: a, subject: {commit: c0ffee}, scenario: leader-killed, objective: converge-one-leader, accept: %s, reason: r,
     ticket: t, author: ann, approver: bo, created: "2026-11-24", expires: "2026-12-01"}
"""
FILES: dict[str, Overrides | None] = {
    "none": None,
    "time": overrides(ACCEPT % "{within: 9s}"),
    "count": overrides(ACCEPT % "{failing_runs: 2}"),
}
HELD = ("leader-killed", "leader-paused", "x")


@dataclass(frozen=True)
class World:
    """What history holds: invocations with what they announced, and results."""

    invocations: tuple[PastInvocation, ...]
    results: tuple[PastScenario, ...]

    def decided(self, about: str, file: str) -> Decision:
        return decided(MemoryHistory(self.invocations, self.results), POLICIES[about], FILES[file])

    def without(self, gone: PastScenario) -> World:
        return World(self.invocations, tuple(one for one in self.results if one is not gone))

    def replaced(self, old: PastScenario, new: PastScenario) -> World:
        return World(self.invocations, tuple(new if one is old else one for one in self.results))


def a_result(verdict: VerdictName, *, scenario: str, hours: float, commit: str, times: list[int]) -> PastScenario:
    """A result of as many runs as there are times; a run that did not decide has none."""
    runs: tuple[PastRun, ...] = tuple(
        one_run(verdict, number, prefix=f"{scenario}{hours}{commit}", time=_time(verdict, seconds))
        for number, seconds in enumerate(times, 1)
    )
    more = {"tags": ("release",), "modules": ("leadership",)}
    branch = {"commit": commit, "branch": "old" if commit == "old" else "main"}
    return result(verdict, hours=hours, scenario=scenario, runs=runs, subject=branch, invocation=f"I{hours}{commit}", **more)


def _time(verdict: VerdictName, seconds: int) -> tuple[int | None, int | None]:
    return (seconds * SECOND, seconds * SECOND + 1) if verdict in ("pass", "fail") else (None, None)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A few invocations of the subject, of another one and of old releases."""
    results: list[PastScenario] = []
    invocations: list[PastInvocation] = []
    for commit, most in (("c0ffee", 3), ("other", 1), ("old", 6)):
        for hours in draw(st.lists(st.sampled_from([1, 5, 30, 60, 300]), max_size=most, unique=True)):
            scenarios = draw(st.lists(st.sampled_from(HELD[:2]), min_size=1, max_size=2, unique=True))
            ones = [
                a_result(
                    draw(st.sampled_from(VERDICTS)) if commit != "old" else "pass",
                    scenario=name,
                    hours=hours,
                    commit=commit,
                    times=draw(st.lists(st.integers(1, 9), min_size=1 if commit != "c0ffee" else 0, max_size=3)),
                )
                for name in scenarios
            ]
            results += ones
            invocations.append(invocation(ones, *draw(st.lists(st.just("leader-killed"), max_size=1))))
    return World(tuple(invocations), tuple(results))


def own(world: World) -> list[PastScenario]:
    return [one for one in world.results if one.subject["commit"] == "c0ffee"]


@settings(max_examples=80, deadline=None)
@given(world=worlds(), about=st.sampled_from(sorted(POLICIES)), file=st.sampled_from(sorted(FILES)), data=st.data())
def test_losing_a_result_of_the_subject_never_opens(world: World, about: str, file: str, data: st.DataObject) -> None:
    """A gate that is closed stays closed when a passing result is taken away: what was announced is then missing."""
    passing = [one for one in own(world) if one.verdict == "pass"]
    if not passing or world.decided(about, file).open:
        return
    assert not world.without(data.draw(st.sampled_from(passing))).decided(about, file).open


@settings(max_examples=80, deadline=None)
@given(world=worlds(), about=st.sampled_from(sorted(POLICIES)), data=st.data())
def test_a_worse_result_of_the_subject_never_opens(world: World, about: str, data: st.DataObject) -> None:
    """A gate that is closed stays closed when a result of the subject becomes worse."""
    if not own(world) or world.decided(about, "none").open:
        return
    old = data.draw(st.sampled_from(own(world)))
    verdict = data.draw(st.sampled_from(WORSE[old.verdict]))
    times = [(run.objectives[0].lo or SECOND) // SECOND for run in old.runs]
    hours = (NOW - old.at) // (3600 * SECOND)
    worse = a_result(verdict, scenario=old.scenario, hours=hours, commit="c0ffee", times=times)
    assert not world.replaced(old, worse).decided(about, "none").open


@settings(max_examples=80, deadline=None)
@given(
    world=worlds(),
    about=st.sampled_from(sorted(POLICIES)),
    file=st.sampled_from(["time", "count"]),
    data=st.data(),
)
def test_overrides_do_not_open_by_worse_results(world: World, about: str, file: str, data: st.DataObject) -> None:
    """With an override, too: a pass or a failure that becomes worse never opens (a failure may where there was no evidence)."""
    decided_ones = [one for one in own(world) if one.verdict in ("pass", "fail")]
    if not decided_ones or world.decided(about, file).open:
        return
    old = data.draw(st.sampled_from(decided_ones))
    verdict = data.draw(st.sampled_from(WORSE[old.verdict]))
    times = [(run.objectives[0].lo or SECOND) // SECOND + data.draw(st.integers(0, 3)) for run in old.runs]
    hours = (NOW - old.at) // (3600 * SECOND)
    worse = a_result(verdict, scenario=old.scenario, hours=hours, commit="c0ffee", times=times)
    assert not world.replaced(old, worse).decided(about, file).open


@settings(max_examples=80, deadline=None)
@given(world=worlds(), about=st.sampled_from(sorted(POLICIES)), file=st.sampled_from(sorted(FILES)))
def test_an_open_gate_has_a_pass_for_everything(world: World, about: str, file: str) -> None:
    """Where the gate is open, each required scenario has a pass of the subject, or an override that was used."""
    decision = world.decided(about, file)
    if decision.open:
        blocking = [item for item in decision.items if item.mode == "blocking"]
        assert blocking
        assert all(item.code in ("passed", "waived") for item in blocking)
        assert all(item.overrides for item in blocking if item.code == "waived")
        assert decision.exit_code == 0
    else:
        assert decision.exit_code in (1, 2)
