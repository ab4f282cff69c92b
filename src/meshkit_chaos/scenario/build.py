"""Scenarios as frozen values: the grammar's models with every default filled in, each part remembering its place.

Takes a scenario that the grammar admits and the document's defaults; gives a Draft. Nothing is refused here except parameters
that a fault does not have: whether the scenario makes sense is for the lint rules to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from msgspec import structs

from meshkit_chaos.scenario import defaults
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar import (
    BlastRadiusText,
    CheckNeed,
    ConvergeText,
    DefaultsText,
    FaultText,
    IndicatorNeed,
    MembersNeed,
    ObjectiveText,
    ParallelText,
    RampText,
    RecoverText,
    RepeatsText,
    RepeatText,
    RevertText,
    RollbackText,
    ScenarioText,
    StayText,
    StepText,
    TargetText,
    UntilText,
    WaitText,
    WhenText,
)
from meshkit_chaos.scenario.measured import Measured
from meshkit_chaos.scenario.model import (
    BlastRadius,
    CheckPrerequisite,
    FaultStep,
    GuardRail,
    IndicatorPrerequisite,
    MembersPrerequisite,
    ParallelStep,
    Prerequisite,
    Ramp,
    Repeats,
    RepeatStep,
    RevertStep,
    Rollback,
    Scenario,
    SteadyState,
    Step,
    Target,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.scenario.parameters import fault_parameters
from meshkit_chaos.slo import Duration, Objective, Ratio


@dataclass(frozen=True, slots=True)
class Placed:
    """A step and where it stands."""

    step: Step
    at: At


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A built scenario with its places. ``steps`` holds all steps, those inside branches too, in the order of the text.

    ``uses``: every reference to an indicator, with its place.
    """

    scenario: Scenario
    text: ScenarioText
    at: At
    defaults_at: At
    steps: tuple[Placed, ...]
    uses: tuple[tuple[str, At], ...]

    def place(self, key: str) -> At:
        """Where the scenario's ``key`` stands: in the scenario, or in the document's defaults."""
        return _place(key, text=self.text, at=self.at, defaults_at=self.defaults_at)


def _place(key: str, *, text: ScenarioText, at: At, defaults_at: At) -> At:
    own = key not in DefaultsText.DEFAULTABLE or getattr(text, key) is not None
    return (at if own else defaults_at).below(key)


def built_scenario(
    text: ScenarioText, *, at: At, shared: DefaultsText, defaults_at: At, measured: dict[str, Measured]
) -> Draft:
    """Build one scenario with the indicators that it uses, in the document's order."""
    placed: list[Placed] = []
    steps = _Steps(placed).sequence(text.steps, at.below("steps"))
    scenario = _scenario(text, steps=steps, shared=shared)
    place = partial(_place, text=text, at=at, defaults_at=defaults_at)
    uses = tuple(_indicator_uses(scenario, place, placed))
    used = {name for name, _ in uses}
    indicators = tuple(found.indicator for name, found in measured.items() if name in used)
    complete = structs.replace(scenario, indicators=indicators)
    return Draft(scenario=complete, text=text, at=at, defaults_at=defaults_at, steps=tuple(placed), uses=uses)


def _scenario(text: ScenarioText, *, steps: tuple[Step, ...], shared: DefaultsText) -> Scenario:
    def given(key: str) -> Any:
        own = getattr(text, key)
        return own if own is not None else getattr(shared, key)

    steady = given("steady_state")
    return Scenario(
        id=text.id,
        title=text.title,
        description=text.description or "",
        tags=tuple(given("tags") or ()),
        owner=given("owner") or "",
        severity=given("severity") or defaults.SEVERITY,
        modules=tuple(given("modules") or ()),
        prerequisites=tuple(_prerequisite(need, position) for position, need in enumerate(text.prerequisites or (), 1)),
        steady_state=SteadyState(
            indicators=tuple(steady.indicators) if steady else (), lasting=steady.lasting if steady else Duration(0)
        ),
        indicators=(),
        steps=steps,
        objectives=tuple(_objective(objective) for objective in text.objectives),
        guard_rails=tuple(GuardRail(indicator=rail.indicator, bad_for=rail.bad_for) for rail in given("guard_rails") or ()),
        rollback=_rollback(given("rollback")),
        repeats=_repeats(given("repeats")),
        blast_radius=_blast_radius(given("blast_radius")),
        timeout=text.timeout or Duration.parse(defaults.TIMEOUT),
    )


def _rollback(text: RollbackText | None) -> Rollback:
    within = text.within if text is not None and text.within is not None else Duration.parse(defaults.ROLLBACK_WITHIN)
    return Rollback(within=within, verify=tuple((text.verify if text is not None else None) or ()))


def _repeats(text: RepeatsText | None) -> Repeats:
    return Repeats() if text is None else Repeats(up_to=text.up_to or 1, fail_at=text.fail_at or 1)


def _blast_radius(text: BlastRadiusText | None) -> BlastRadius:
    return BlastRadius() if text is None else BlastRadius(members=text.members, share=text.share)


def _prerequisite(need: MembersNeed | IndicatorNeed | CheckNeed, position: int) -> Prerequisite:
    usual = Duration.parse(defaults.PREREQUISITE_WITHIN)
    match need:
        case MembersNeed():
            return MembersPrerequisite(up=need.members, role=need.role)
        case IndicatorNeed():
            return IndicatorPrerequisite(indicator=need.indicator, within=need.within or usual)
        case CheckNeed():
            name = need.name or f"check-{position}"
            return CheckPrerequisite(name=name, check=need.check.value(), within=need.within or usual)


def _objective(text: ObjectiveText) -> Objective:
    match text:
        case ConvergeText():
            return _returning(text, form="converge", indicator=text.converge)
        case RecoverText():
            return _returning(text, form="recover", indicator=text.recover)
        case StayText():
            return Objective(
                id=text.id or f"stay-{text.stay}",
                form="stay",
                indicator=text.stay,
                during=text.during,
                allowed=text.allowed or Ratio(0),
                tolerate=text.tolerate,
                informational=bool(text.informational),
            )


def _returning(text: ConvergeText | RecoverText, *, form: Any, indicator: str) -> Objective:
    return Objective(
        id=text.id or f"{form}-{indicator}",
        form=form,
        indicator=indicator,
        within=text.within,
        settle=text.settle if text.settle is not None else Duration.parse(defaults.SETTLE),
        onset_within=text.onset_within,
        after=text.after,
        disturbance=text.disturbance or "required",
        flaps=text.flaps or "counted",
        informational=bool(text.informational),
    )


@dataclass(frozen=True, slots=True)
class _Steps:
    """Builds steps and numbers them as they are met, so that default ids are unique."""

    placed: list[Placed]

    def sequence(self, texts: list[StepText], at: At) -> tuple[Step, ...]:
        return tuple(self.step(text, at.below(position)) for position, text in enumerate(texts))

    def step(self, text: StepText, at: At) -> Step:
        position = len(self.placed)
        self.placed.append(Placed(WaitStep(id="", wait=Duration(0)), at))  # keeps the number while branches are built
        step = self.built(text, at, number=position + 1)
        self.placed[position] = Placed(step, at)
        return step

    def built(self, text: StepText, at: At, *, number: int) -> Step:
        match text:
            case FaultText():
                parameters = fault_parameters(text.fault, text.parameters or {}, at=at)
                return FaultStep(
                    id=text.id or f"fault-{number}",
                    fault=text.fault,
                    target=_target(text.target),
                    hold=text.hold,
                    parameters=parameters,
                    when=_until(text.when, name="when") if text.when is not None else None,
                    ramp=_ramp(text.ramp) if text.ramp is not None else None,
                )
            case WaitText():
                return WaitStep(id=text.id or f"wait-{number}", wait=text.wait, jitter=text.jitter or Duration(0))
            case UntilText():
                return _until(text, name=text.id or f"until-{number}")
            case RevertText():
                return RevertStep(id=text.id or f"revert-{number}", revert=text.revert)
            case ParallelText():
                branches = tuple(
                    self.sequence(branch, at.below("parallel", place)) for place, branch in enumerate(text.parallel)
                )
                return ParallelStep(id=text.id or f"parallel-{number}", branches=branches)
            case RepeatText():
                return RepeatStep(
                    id=text.id or f"repeat-{number}",
                    times=text.repeat,
                    steps=self.sequence(text.steps, at.below("steps")),
                    every=text.every or Duration(0),
                    jitter=text.jitter or Duration(0),
                )


def _until(text: WhenText, *, name: str) -> UntilStep:
    return UntilStep(
        id=name,
        until=text.until,
        timeout=text.timeout,
        or_go_on=bool(text.or_go_on),
        state=text.state or "good",
    )


def _ramp(text: RampText) -> Ramp:
    return Ramp(parameter=text.parameter, to=text.to, over=text.over, steps=text.steps or defaults.RAMP_STEPS)


def _target(text: TargetText) -> Target:
    return Target(names=tuple(text.names or ()), role=text.role, not_role=text.not_role, count=text.count, share=text.share)


def _indicator_uses(scenario: Scenario, place: Callable[[str], At], steps: list[Placed]) -> Iterator[tuple[str, At]]:
    """Where a scenario refers to indicators: all the places there are."""
    for number, name in enumerate(scenario.steady_state.indicators):
        yield name, place("steady_state").below("indicators", number)
    for number, need in enumerate(scenario.prerequisites):
        if isinstance(need, IndicatorPrerequisite):
            yield need.indicator, place("prerequisites").below(number, "indicator")
    for placed in steps:
        if isinstance(placed.step, UntilStep):
            yield placed.step.until, placed.at.below("until")
        if isinstance(placed.step, FaultStep) and placed.step.when is not None:
            yield placed.step.when.until, placed.at.below("when", "until")
    for number, objective in enumerate(scenario.objectives):
        yield objective.indicator, place("objectives").below(number, objective.form)
    for number, rail in enumerate(scenario.guard_rails):
        yield rail.indicator, place("guard_rails").below(number, "indicator")
    for number, name in enumerate(scenario.rollback.verify):
        yield name, place("rollback").below("verify", number)
