"""Bad evidence of every kind, planted in a made-up history in which the policy opens: not one may open it. Pure.

First the control: a gate that cannot open at all proves nothing by staying closed. Then, for each blocking requirement, each
way in which evidence can be bad, or an override wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct, structs

from meshkit_chaos.gate.decide import decide
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.evidence import gather
from meshkit_chaos.gate.overrides import Accepted, Override, Overrides
from meshkit_chaos.gate.planted_world import SECOND, SUBJECT, World, opening_world
from meshkit_chaos.gate.policy import Policy, Requirement
from meshkit_chaos.gate.selecting import selected
from meshkit_chaos.history.model import PastScenario
from meshkit_chaos.judge.verdict import EnvironmentName, OutcomeName, VerdictName
from meshkit_chaos.slo import Duration

_DAY: Final = 86_400 * SECOND


class Planted(Struct, frozen=True, kw_only=True):
    """One planted situation and what the gate said. ``scenario`` empty: it is about the whole."""

    situation: str
    scenario: str
    opened: bool
    sentence: str


class SelfTest(Struct, frozen=True, kw_only=True):
    """``control``: what the gate said of the history in which nothing is wrong."""

    control: Decision
    planted: tuple[Planted, ...]

    @property
    def opened(self) -> tuple[Planted, ...]:
        return tuple(one for one in self.planted if one.opened)


Change = Callable[[PastScenario], PastScenario | None]


def self_test(policy: Policy, *, now: int) -> SelfTest:
    """Try a policy on planted evidence. Reads no history."""
    world = opening_world(policy, now=now)
    control = _decision(policy, world, now=now)
    if not control.open:
        return SelfTest(control=control, planted=())
    planted = [
        _planted(situation, scenario, _decision(policy, changed, now=now))
        for requirement in policy.requirements
        if requirement.mode == "blocking"
        for scenario in selected(requirement, world.current)[:1]
        for situation, changed in _situations(requirement, policy, world, scenario, now=now)
    ]
    planted += [
        _planted(situation, "", _decision(policy, changed, now=now)) for situation, changed in _wholes(policy, world, now=now)
    ]
    planted += list(_with_overrides(policy, world, now=now))
    return SelfTest(control=control, planted=tuple(planted))


def _decision(policy: Policy, world: World, *, now: int, overrides: Overrides | None = None) -> Decision:
    evidence = gather(world.history(), policy, SUBJECT, now=now)
    return decide(policy, evidence, subject=SUBJECT, now=now, overrides=overrides)


def _planted(situation: str, scenario: str, decision: Decision) -> Planted:
    return Planted(situation=situation, scenario=scenario, opened=decision.open, sentence=decision.sentence)


def _situations(
    requirement: Requirement, policy: Policy, world: World, scenario: str, *, now: int
) -> Iterator[tuple[str, World]]:
    for situation, change in _changes(requirement, policy, now=now):
        yield situation, _changed(world, scenario, change)
    announced = structs.replace(
        world.invocation, announced=tuple(name for name in world.invocation.announced if name != scenario)
    )
    if scenario in requirement.scenarios or len(selected(requirement, world.current)) <= requirement.at_least:
        nowhere = _changed(world, scenario, lambda _: None)
        before = tuple((one, tuple(r for r in results if r.scenario != scenario)) for one, results in world.before)
        yield "never announced, never run", World(invocation=announced, current=nowhere.current, before=before)
    failed = next(ones for name, ones in ((one.scenario, one) for one in world.current) if name == scenario)
    earlier = structs.replace(_verdict(failed, "fail"), invocation="planted-earlier", at=failed.at - SECOND)
    first = structs.replace(world.invocation, invocation="planted-earlier", at=failed.at - SECOND, announced=(scenario,))
    retried = World(invocation=world.invocation, current=world.current, before=(*world.before, (first, (earlier,))))
    yield "failed first, passed when tried again", retried


def _changed(world: World, scenario: str, change: Change) -> World:
    current = (change(one) if one.scenario == scenario else one for one in world.current)
    kept = tuple(one for one in current if one is not None)
    return World(invocation=world.invocation, current=kept, before=world.before)


def _changes(requirement: Requirement, policy: Policy, *, now: int) -> Iterator[tuple[str, Change]]:
    """Every way in which one result can be bad."""
    yield "failed", lambda one: _verdict(one, "fail")
    yield "inconclusive", lambda one: _verdict(one, "inconclusive")
    yield "invalid", lambda one: _verdict(one, "invalid")
    yield "refused", lambda one: _verdict(structs.replace(one, runs=()), "not-run")
    yield "announced, and no run left a record", lambda one: _verdict(structs.replace(one, runs=()), "inconclusive")
    yield "announced, and the result is gone", lambda _: None
    yield "stale", lambda one: structs.replace(one, at=now - requirement.fresh.ns - SECOND)
    yield "from the future", lambda one: structs.replace(one, at=now + _DAY)
    yield "of another subject", _of_another
    yield "environment left dirty", lambda one: _state(one, environment="dirty")
    yield "a run crashed", lambda one: _state(one, outcome="crashed")
    yield "without its objectives", lambda one: structs.replace(one, objectives={})
    if requirement.environment_class:
        yield "on another class of environment", _elsewhere
    if requirement.runs > 1:
        yield "one run too few", lambda one: structs.replace(one, runs=one.runs[: requirement.runs - 1])
    if requirement.regression and policy.regression is not None:
        yield "twenty times as slow as the release before, within its limit", _slow


def _verdict(one: PastScenario, verdict: VerdictName) -> PastScenario:
    runs = tuple(
        structs.replace(
            run,
            verdict=verdict,
            objectives=tuple(structs.replace(found, verdict=verdict, lo=None, hi=None) for found in run.objectives),
        )
        for run in one.runs
    )
    return structs.replace(one, verdict=verdict, objectives=dict.fromkeys(one.objectives, verdict), runs=runs)


def _of_another(one: PastScenario) -> PastScenario:
    runs = tuple(structs.replace(run, binaries={"planted-member": "another-digest"}) for run in one.runs)
    return structs.replace(one, subject={"commit": "another-commit"}, runs=runs)


def _elsewhere(one: PastScenario) -> PastScenario:
    runs = tuple(structs.replace(run, environment_class="/another class/") for run in one.runs)
    return structs.replace(one, environment_class="/another class/", runs=runs)


def _state(one: PastScenario, *, environment: EnvironmentName = "clean", outcome: OutcomeName = "completed") -> PastScenario:
    """As the judge would have it, the verdict would be no pass either: here the state alone must close the gate."""
    runs = tuple(structs.replace(run, environment=environment, outcome=outcome) for run in one.runs)
    return structs.replace(one, environment=environment, runs=runs)


def _slow(one: PastScenario) -> PastScenario:
    runs = tuple(
        structs.replace(
            run, objectives=tuple(structs.replace(found, lo=20 * SECOND, hi=20 * SECOND) for found in run.objectives)
        )
        for run in one.runs
    )
    return structs.replace(one, runs=runs)


def _wholes(policy: Policy, world: World, *, now: int) -> Iterator[tuple[str, World]]:
    """Situations that are about no scenario in particular."""
    empty = structs.replace(world.invocation, announced=())
    yield "an empty history", World(invocation=empty, current=(), before=())
    yield "nothing of this subject", World(invocation=empty, current=(), before=world.before)
    if policy.nightly is not None:
        late = tuple(structs.replace(one, at=now) for one in world.current)
        others = tuple(one for one in world.before if one[1])
        yield (
            "a nightly that did not happen",
            World(invocation=structs.replace(world.invocation, at=now), current=late, before=others),
        )


def _with_overrides(policy: Policy, world: World, *, now: int) -> Iterator[Planted]:
    """A failure, and overrides that must not help."""
    requirement = next(one for one in policy.requirements if one.mode == "blocking")
    scenario = selected(requirement, world.current)[0]
    failed = _changed(world, scenario, lambda one: _took(_verdict(one, "fail"), 8 * SECOND))
    objective = next(iter(next(one for one in world.current if one.scenario == scenario).objectives))
    fair = _fair(scenario, objective, now=now)
    for situation, file in (
        ("accepts less than was measured", _file(structs.replace(fair, accept=Accepted(within=Duration.parse("7s"))))),
        ("expired", _file(structs.replace(fair, expires=now - SECOND))),
        ("of another commit", _file(structs.replace(fair, subject={"commit": "another-commit"}))),
        ("for any build", _file(structs.replace(fair, subject={"version": "planted"}))),
        ("for every objective", _file(structs.replace(fair, objective="*"))),
        ("approved by its author", _file(structs.replace(fair, approver="ANN "))),
        ("renewed twice without a second approver", _file(structs.replace(fair, renewal=2))),
        ("read from the commit under test", structs.replace(_file(fair), commit=SUBJECT.commit)),
        ("read from nowhere in particular", structs.replace(_file(fair), protected=False)),
    ):
        yield _planted(f"failed, and an override {situation}", scenario, _decision(policy, failed, now=now, overrides=file))
    gone = _changed(world, scenario, lambda one: structs.replace(_verdict(one, "not-run"), runs=()))
    yield _planted("not run, and a fair override", scenario, _decision(policy, gone, now=now, overrides=_file(fair)))


def _took(one: PastScenario, ns: int) -> PastScenario:
    runs = tuple(
        structs.replace(run, objectives=tuple(structs.replace(found, lo=ns, hi=ns) for found in run.objectives))
        for run in one.runs
    )
    return structs.replace(one, runs=runs)


def _fair(scenario: str, objective: str, *, now: int) -> Override:
    return Override(
        id="planted",
        subject={"commit": SUBJECT.commit},
        scenario=scenario,
        objective=objective,
        accept=Accepted(within=Duration.parse("9s")),
        reason="planted",
        ticket="planted",
        author="ann",
        approver="bo",
        created=now - _DAY,
        expires=now + _DAY,
    )


def _file(entry: Override) -> Overrides:
    return Overrides(entries=(entry,), source="planted", commit="another-commit", protected=True)
