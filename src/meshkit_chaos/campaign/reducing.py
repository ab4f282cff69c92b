"""Smaller and gentler forms of a scenario: steps left out, structure taken away, numbers turned down.

Takes a scenario; gives others. Each is a value that was not yet checked: taking a step away may leave a reference to it, and
whoever runs what is given here has the loader say first whether it still makes sense. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from meshkit_chaos.faults import CATALOGUE, Parameter
from meshkit_chaos.scenario.model import (
    FaultStep,
    ParallelStep,
    Repeats,
    RepeatStep,
    RevertStep,
    Scenario,
    Step,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.scenario.written import used_indicators
from meshkit_chaos.slo import Duration

Steps = tuple[Step, ...]
Change = Callable[[Step], Steps]
_SHORTEST_S: Final = 0.1
_LEAST: Final = 1e-4
_DIGITS: Final = 2
_FINE: Final = 1.2
"""Between a value that still fails and one that no longer does, a search ends when they are this near to each other."""


def about_only(scenario: Scenario, objective: str) -> Scenario:
    """The same scenario with one objective, run once, and with the indicators that are then still needed."""
    kept = tuple(one for one in scenario.objectives if one.id == objective)
    return trimmed(structs.replace(scenario, objectives=kept, repeats=Repeats()))


def trimmed(scenario: Scenario) -> Scenario:
    """Without the indicators that nothing refers to."""
    used = used_indicators(scenario)
    return structs.replace(scenario, indicators=tuple(one for one in scenario.indicators if one.name in used))


def removable(steps: Steps) -> tuple[str, ...]:
    """The steps that can be left out, by their ids. A revert goes with its fault, a container with all that it holds."""
    found: list[str] = []
    for step in steps:
        match step:
            case ParallelStep():
                found += [name for branch in step.branches for name in removable(branch)]
            case RepeatStep():
                found += removable(step.steps)
            case FaultStep() | WaitStep() | UntilStep():
                found.append(step.id)
            case RevertStep():
                pass
    return tuple(found)


def without(scenario: Scenario, left_out: frozenset[str]) -> Scenario:
    """The scenario without these steps, and without what then holds or undoes nothing."""

    def change(step: Step) -> Steps:
        gone = step.revert if isinstance(step, RevertStep) else step.id
        return () if gone in left_out else (step,)

    return trimmed(structs.replace(scenario, steps=_changed(scenario.steps, change)))


def _changed(steps: Steps, change: Change) -> Steps:
    """Every step changed, those inside others first; what holds nothing any more is gone."""
    return tuple(found for step in steps for found in _changed_one(step, change))


def _changed_one(step: Step, change: Change) -> Steps:
    if isinstance(step, ParallelStep):
        branches = tuple(branch for branch in (_changed(branch, change) for branch in step.branches) if branch)
        return change(structs.replace(step, branches=branches)) if branches else ()
    if isinstance(step, RepeatStep):
        inside = _changed(step.steps, change)
        return change(structs.replace(step, steps=inside)) if inside else ()
    return change(step)


def every_step(steps: Steps) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, ParallelStep):
            for branch in step.branches:
                yield from every_step(branch)
        elif isinstance(step, RepeatStep):
            yield from every_step(step.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simpler:
    """A scenario with less structure. ``what`` says what was taken away."""

    what: str
    scenario: Scenario


def simpler(scenario: Scenario) -> Iterator[Simpler]:
    """Each way to take one piece of structure away, the largest pieces first."""
    for step in every_step(scenario.steps):
        for what, made in _simpler(step):
            changed = _replaced(scenario, step.id, made)
            if changed != scenario:
                yield Simpler(what=what, scenario=changed)


def _replaced(scenario: Scenario, name: str, made: Steps) -> Scenario:
    return trimmed(structs.replace(scenario, steps=_changed(scenario.steps, lambda one: made if one.id == name else (one,))))


def _simpler(step: Step) -> Iterator[tuple[str, Steps]]:
    match step:
        case RepeatStep():
            yield f"{step.id} done once", step.steps
            if step.jitter.ns:
                yield f"{step.id} without jitter", (structs.replace(step, jitter=Duration(0)),)
        case ParallelStep():
            yield f"{step.id} one after the other", tuple(one for branch in step.branches for one in branch)
        case WaitStep() if step.jitter.ns:
            yield f"{step.id} without jitter", (structs.replace(step, jitter=Duration(0)),)
        case FaultStep():
            if step.ramp is not None:
                yield f"{step.id} without its ramp", (structs.replace(step, ramp=None),)
            if step.when is not None:
                yield f"{step.id} without waiting for {step.when.until}", (structs.replace(step, when=None),)
            if step.target.share is not None:
                yield (
                    f"{step.id} on one member",
                    (structs.replace(step, target=structs.replace(step.target, share=None, count=1)),),
                )
        case _:
            pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """One number of a scenario. It is known to fail at ``value``; at ``gentlest`` it does least. ``turned`` sets it.

    ``whole``: only whole numbers. ``written`` says a value for people.
    """

    what: str
    value: float
    gentlest: float
    turned: Callable[[float], Scenario]
    written: Callable[[float], str]
    whole: bool = False

    def between(self, failing: float, passing: float) -> float | None:
        """The next value to try, in the middle by ratio; None when the two are near enough."""
        if self.whole:
            middle = float(round((failing + passing) / 2))
        elif max(failing, passing) <= _FINE * min(failing, passing):
            return None
        else:
            middle = rounded(math.sqrt(failing * passing))
        inside = min(failing, passing) < middle < max(failing, passing)
        return middle if inside else None


def rounded(value: float) -> float:
    """A number that people like to read: two digits."""
    return float(f"{value:.{_DIGITS - 1}e}")


def dials(scenario: Scenario) -> Iterator[Dial]:
    """Every number that can be turned down, or up where more is gentler, in the order of the steps."""
    for step in every_step(scenario.steps):
        yield from _dials(scenario, step)


def _dials(scenario: Scenario, step: Step) -> Iterator[Dial]:
    match step:
        case FaultStep():
            if step.target.count is not None and step.target.count > 1:
                yield _count(scenario, step, step.target.count)
            for name, parameter in _parameters(step):
                yield from _parameter_dial(scenario, step, name, parameter)
            if step.hold is not None:
                yield from _time_dial(scenario, step, "hold", step.hold)
        case WaitStep():
            yield from _time_dial(scenario, step, "wait", step.wait)
        case RepeatStep():
            if step.times > 1:
                yield Dial(
                    what=f"{step.id} times",
                    value=float(step.times),
                    gentlest=1.0,
                    turned=lambda value: _replaced(scenario, step.id, (structs.replace(step, times=int(value)),)),
                    written=lambda value: f"{value:g}",
                    whole=True,
                )
        case _:
            pass


def _count(scenario: Scenario, step: FaultStep, count: int) -> Dial:
    def turned(value: float) -> Scenario:
        target = structs.replace(step.target, count=int(value))
        return _replaced(scenario, step.id, (structs.replace(step, target=target),))

    what = f"{step.id} target.count"
    return Dial(what=what, value=float(count), gentlest=1.0, turned=turned, written=lambda value: f"{value:g}", whole=True)


def _time_dial(scenario: Scenario, step: FaultStep | WaitStep, key: str, value: Duration) -> Iterator[Dial]:
    if value.seconds <= _SHORTEST_S:
        return

    def turned(seconds: float) -> Scenario:
        return _replaced(scenario, step.id, (structs.replace(step, **{key: Duration.of_seconds(seconds)}),))

    yield Dial(
        what=f"{step.id} {key}",
        value=value.seconds,
        gentlest=_SHORTEST_S,
        turned=turned,
        written=lambda seconds: str(Duration.of_seconds(seconds)),
    )


def _parameters(step: FaultStep) -> Iterator[tuple[str, Parameter]]:
    """Those that have more and less, but for one that a ramp moves."""
    fault = CATALOGUE.get(step.fault)
    for parameter in fault.parameters if fault is not None else ():
        ramped = step.ramp is not None and step.ramp.parameter == parameter.name
        if parameter.name in step.parameters and parameter.type != "choice" and not ramped:
            yield parameter.name, parameter


def _parameter_dial(scenario: Scenario, step: FaultStep, name: str, parameter: Parameter) -> Iterator[Dial]:
    value = parameter.number(step.parameters[name])
    limit = parameter.maximum if parameter.gentler == "more" else parameter.minimum
    if limit is None or value <= 0:
        return
    gentlest = max(limit, _LEAST)
    if (value >= gentlest) if parameter.gentler == "more" else (value <= gentlest):
        return
    whole = parameter.type == "integer"

    def turned(number: float) -> Scenario:
        written = float(number) if parameter.type in {"integer", "number"} else parameter.written(number)
        return _replaced(scenario, step.id, (structs.replace(step, parameters={**step.parameters, name: written}),))

    yield Dial(what=f"{step.id} {name}", value=value, gentlest=gentlest, turned=turned, written=parameter.written, whole=whole)
