"""Rules about sequences: ramps that move something, repetitions that keep their time, targets that can be hit one by one."""

from __future__ import annotations

from typing import Final

from meshkit_chaos.faults import Fault
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.model import FaultStep, ParallelStep, Ramp, RepeatStep, Step
from meshkit_chaos.slo import Duration

MOST_STEPS: Final = 2000
"""More could be planned, and would be read by nobody."""


def lint_ramp(step: FaultStep, ramp: Ramp, fault: Fault, at: At) -> None:
    """``at`` is the step."""
    place = at.below("ramp")
    parameter = next((one for one in fault.parameters if one.name == ramp.parameter), None)
    if parameter is None:
        names = [one.name for one in fault.parameters]
        near = close_names(ramp.parameter, names)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names) or 'none'}"
        message = f"the fault {fault.kind} has no parameter {ramp.parameter!r}"
        place.below("parameter").say("MC132", message, hint=hint)
    elif parameter.type == "choice":
        message = f"there is nothing between one {parameter.name} and another"
        place.below("parameter").say("MC132", message, hint="ramp a duration, a share, a rate or a number")
    elif (reason := parameter.reason_against(ramp.to)) is not None:
        place.below("to").say("MC132", f"{ramp.parameter}: {reason}", hint=parameter.doc)
    elif ramp.parameter in step.parameters and parameter.number(ramp.to) == parameter.number(step.parameters[ramp.parameter]):
        place.below("to").say("MC132", f"{ramp.parameter} is {step.parameters[ramp.parameter]} already", hint="ramp to another")
    if fault.momentary:
        place.say("MC132", f"{fault.kind} is over once injected: nothing is held that could change", hint="remove it")
    elif fault.in_turn:
        place.say("MC132", f"{fault.kind} hits one member after another: nothing is held all the while", hint="remove it")
    if step.hold is not None and ramp.over > step.hold:
        message = f"the ramp takes {ramp.over}, and the fault is held for {step.hold}"
        place.below("over").say("MC132", message, hint="hold longer: `hold` counts from the injection, as the ramp does")


def lint_in_turn(step: FaultStep, fault: Fault, at: At) -> None:
    """Who is hit one after another is drawn before the run, and a role may have moved by then; each is undone first."""
    if not fault.momentary and step.hold is None:
        message = f"{step.fault} hits one member after another: each is undone before the next, after a `hold`"
        at.say("MC125", message, hint="write hold: 3s", severity="error")
    for key, role in (("role", step.target.role), ("not_role", step.target.not_role)):
        if role is not None:
            message = f"{step.fault} hits one member after another, and {key} {role!r} moves meanwhile"
            at.below("target", key).say("MC118", message, hint="write names, count or share")


def lint_number(steps: tuple[Step, ...], at: At) -> None:
    """``at``: the scenario's steps."""
    if (number := steps_in_all(steps)) > MOST_STEPS:
        message = f"with all repetitions the run has {number} steps; expected at most {MOST_STEPS}"
        at.say("MC133", message, hint="repeat less, or write several scenarios", severity="error")


def steps_in_all(steps: tuple[Step, ...]) -> int:
    """How many steps a run has once repetitions and ramps are spelled out; targets that are hit in turn count once."""
    total = 0
    for step in steps:
        match step:
            case RepeatStep():
                total += step.times * (1 + steps_in_all(step.steps))
            case ParallelStep():
                total += sum(steps_in_all(branch) for branch in step.branches)
            case FaultStep(ramp=Ramp(steps=moves)):
                total += 1 + moves
            case _:
                total += 1
    return total


def lint_repeat(step: RepeatStep, once: Duration, at: At) -> None:
    """``once``: how long one time takes at least."""
    if step.every > Duration(0) and once > step.every:
        message = f"one time takes at least {once}, and the next is to begin after {step.every}"
        at.below("every").say("MC133", message, hint=f"write every: {once} or more, or leave it out", severity="warning")
    if step.times == 1:
        at.below("repeat").say("MC133", "once is no repetition", hint="write 2 or more, or the steps alone", severity="warning")
