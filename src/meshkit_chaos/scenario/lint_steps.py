"""Rules about what a scenario does: faults that exist and bite, reverts of what is held, a blast radius that is kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from meshkit_chaos.faults import CATALOGUE
from meshkit_chaos.scenario.build import Draft, Placed
from meshkit_chaos.scenario.environment import EnvironmentDescription
from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.grammar_values import close_names
from meshkit_chaos.scenario.lint_sequences import lint_in_turn, lint_number, lint_ramp, lint_repeat
from meshkit_chaos.scenario.model import (
    BlastRadius,
    FaultStep,
    ParallelStep,
    RepeatStep,
    RevertStep,
    Scenario,
    Step,
    Target,
    WaitStep,
)
from meshkit_chaos.slo import Duration


def lint_steps(draft: Draft, environment: EnvironmentDescription | None) -> None:
    """Find what is wrong with a scenario's steps."""
    faults = [placed for placed in draft.steps if isinstance(placed.step, FaultStep)]
    if not faults:
        draft.at.below("steps").say(
            "MC109", f"scenario {draft.scenario.id} injects no fault", hint="add a step: {fault: kill, …}"
        )
    _lint_ids(draft.steps)
    places = {id(placed.step): placed.at for placed in draft.steps}
    held = _Held(places=places, fault_ids=[placed.step.id for placed in faults])
    held.sequence(draft.scenario.steps, frozenset())
    for placed in faults:
        assert isinstance(placed.step, FaultStep)
        _lint_fault(placed.step, placed.at, environment)
    lint_number(draft.scenario.steps, draft.at.below("steps"))
    for placed in draft.steps:
        if isinstance(placed.step, RepeatStep):
            lint_repeat(placed.step, _lasting(placed.step.steps), placed.at)
    _lint_blast_radius(draft, faults, environment)
    _lint_timeout(draft)


def _lint_ids(steps: Iterable[Placed]) -> None:
    first: dict[str, At] = {}
    for placed in steps:
        if placed.step.id in first:
            line = first[placed.step.id].line
            message = f"two steps are called {placed.step.id!r}; the first is in line {line}"
            placed.at.below("id").say("MC110", message, hint="rename one of them")
        first.setdefault(placed.step.id, placed.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Walks the steps in their order and knows which faults are held, so that a revert can be checked."""

    places: dict[int, At]
    fault_ids: list[str]
    seen: set[str] = field(default_factory=set)

    def sequence(self, steps: tuple[Step, ...], held: frozenset[str]) -> frozenset[str]:
        for step in steps:
            held = self.after(step, held)
        return held

    def after(self, step: Step, held: frozenset[str]) -> frozenset[str]:
        match step:
            case FaultStep():
                self.seen.add(step.id)
                stays = step.hold is None and not (step.fault in CATALOGUE and CATALOGUE[step.fault].momentary)
                return held | {step.id} if stays else held
            case RevertStep():
                if step.revert not in held:
                    self.say(step, held)
                return held - {step.revert}
            case ParallelStep():
                ends = [self.sequence(branch, held) for branch in step.branches]
                kept = frozenset.intersection(held, *ends)
                return kept.union(*(end - held for end in ends))
            case RepeatStep():
                once = self.sequence(step.steps, held)
                # What was undone the first time is not there a second time.
                return self.sequence(step.steps, once) if step.times > 1 and once != held else once
        return held

    def say(self, step: RevertStep, held: frozenset[str]) -> None:
        at = self.places[id(step)].below("revert")
        if step.revert not in self.fault_ids:
            near = close_names(step.revert, sorted(self.fault_ids))
            hint = f"did you mean {near[0]}?" if near else f"fault steps: {', '.join(self.fault_ids) or 'none'}"
            at.say("MC102", f"`revert` names no fault step: {step.revert!r}", hint=hint)
            return
        why = "it is reverted already, or has a `hold` of its own" if step.revert in self.seen else "it comes later"
        hint = f"held here: {', '.join(sorted(held)) or 'nothing'}"
        at.say("MC102", f"{step.revert!r} is not held here: {why}", hint=hint)


def _lint_fault(step: FaultStep, at: At, environment: EnvironmentDescription | None) -> None:
    fault = CATALOGUE.get(step.fault)
    if fault is not None and fault.momentary and step.hold is not None:
        at.below("hold").say("MC125", f"{step.fault} is over once injected: holding it only waits", hint="write a `wait` step")
    if fault is not None and fault.in_turn:
        lint_in_turn(step, fault, at)
    if fault is not None and step.ramp is not None:
        lint_ramp(step, step.ramp, fault, at)
    _lint_target(step.target, at.below("target"), environment)


def _lint_target(target: Target, at: At, environment: EnvironmentDescription | None) -> None:
    if target.count is not None and target.share is not None:
        at.below("share").say("MC118", "`count` and `share` both say how many", hint="keep one of them")
    if target.role is not None and target.role == target.not_role:
        at.say("MC118", f"no member both has the role {target.role!r} and has it not")
    if len(set(target.names)) < len(target.names):
        at.below("names").say("MC118", "a member is named twice", hint="name each member once")
    if target.names and target.count is not None and target.count > len(set(target.names)):
        at.below("count").say(
            "MC118", f"{target.count} of {len(set(target.names))} named members", hint="name more, or count less"
        )
    if environment is not None:
        _lint_target_there(target, at, environment)


def _lint_target_there(target: Target, at: At, environment: EnvironmentDescription) -> None:
    members = [member.name for member in environment.members]
    for number, name in enumerate(target.names):
        if name not in members:
            near = close_names(name, members)
            hint = f"did you mean {near[0]}?" if near else f"members: {', '.join(members[:8])}"
            at.below("names", number).say("MC118", f"{environment.name} has no member {name!r}", hint=hint)
    if target.count is not None and target.count > len(members):
        at.below("count").say("MC118", f"{target.count} members of {len(members)} in {environment.name}")
    for key, role in (("role", target.role), ("not_role", target.not_role)):
        if role is not None:
            lint_role(role, at.below(key), environment)


def lint_role(role: str, at: At, environment: EnvironmentDescription) -> None:
    """A role that the environment cannot tell would be nobody's."""
    if role not in environment.roles:
        near = close_names(role, environment.roles)
        hint = f"did you mean {near[0]}?" if near else f"roles: {', '.join(environment.roles) or 'none'}"
        at.say("MC118", f"{environment.name} has no role {role!r}", hint=hint)


def blast_limit(radius: BlastRadius, members: int | None) -> int | None:
    """At most how many members may be under a fault at once, as far as that is known without the environment."""
    limits = [] if radius.members is None else [radius.members]
    if radius.share is not None and members is not None:
        limits.append(math.floor(radius.share.value * members + 1e-9))
    if limits or radius.share is not None or members is None:
        return min(limits, default=None)
    return max(1, (members - 1) // 2)


def least_count(target: Target, members: int | None) -> int:
    """How many members a target surely is, before roles are known."""
    if target.count is not None:
        return target.count
    candidates = len(set(target.names)) or members
    if target.share is not None and target.role is None and candidates is not None:
        return math.ceil(target.share.value * candidates - 1e-9)
    return 1 if target.role is not None or not target.names else len(set(target.names))


def at_once(step: FaultStep, members: int | None) -> int:
    """How many members a step surely holds at one moment."""
    in_turn = step.fault in CATALOGUE and CATALOGUE[step.fault].in_turn
    return 1 if in_turn else least_count(step.target, members)


def _lint_blast_radius(draft: Draft, faults: list[Placed], environment: EnvironmentDescription | None) -> None:
    members = len(environment.members) if environment is not None else None
    limit = blast_limit(draft.scenario.blast_radius, members)
    if limit is None:
        return
    most, over = 0, False
    for placed in faults:
        assert isinstance(placed.step, FaultStep)
        count = at_once(placed.step, members)
        if count > limit:
            over = True
            hint = f"write blast_radius: {{members: {count}}} in the scenario, or hit fewer"
            message = f"{count} members would be under this fault; the blast radius is {limit}"
            placed.at.below("target").say("MC111", message, hint=hint)
    most = most_at_once(draft.scenario.steps, members)
    if most > limit and not over:
        message = f"up to {most} members may be under faults at once; the blast radius is {limit}"
        draft.at.below("steps").say("MC111", message, hint="overlap fewer faults, or widen blast_radius", severity="warning")


def most_at_once(steps: tuple[Step, ...], members: int | None) -> int:
    """The most members that faults may hold at once, were no member drawn twice."""
    held: dict[str, int] = {}
    return _peak(steps, held, members)


def _peak(steps: tuple[Step, ...], held: dict[str, int], members: int | None) -> int:
    peak = sum(held.values())
    for step in steps:
        match step:
            case FaultStep():
                count = at_once(step, members)
                peak = max(peak, sum(held.values()) + count)
                if step.hold is None and not (step.fault in CATALOGUE and CATALOGUE[step.fault].momentary):
                    held[step.id] = count
            case RevertStep():
                held.pop(step.revert, None)
            case ParallelStep():
                before = dict(held)
                base = sum(before.values())
                peaks = [_peak(branch, held, members) - base for branch in _separately(step, held, before)]
                peak = max(peak, base + sum(max(0, more) for more in peaks))
            case RepeatStep():
                before_it, once = sum(held.values()), _peak(step.steps, held, members)
                left = sum(held.values()) - before_it  # each time leaves as much behind as the first one
                peak = max(peak, once, once + left * (step.times - 1))
                held[step.id] = left * (step.times - 1)
    return peak


def _separately(step: ParallelStep, held: dict[str, int], before: dict[str, int]) -> Iterable[tuple[Step, ...]]:
    """Each branch begins with what was held before; in the end all that any branch left is held."""
    left: dict[str, int] = {}
    for branch in step.branches:
        held.clear()
        held.update(before)
        yield branch
        left.update(held)
    held.clear()
    held.update(left)


def _lint_timeout(draft: Draft) -> None:
    scenario = draft.scenario
    least = least_duration(scenario)
    if least > scenario.timeout:
        message = f"the run takes at least {least}, and must be over after {scenario.timeout}"
        own = draft.text.timeout is not None
        place = draft.at.below("timeout") if own else draft.at.below("id")
        place.say("MC124", message, hint="raise `timeout`, or hold and wait less")


def least_duration(scenario: Scenario) -> Duration:
    """The time that a run takes even if nothing has to be waited for: baseline, holds, waits, observation."""
    watched = max((found.observed_for for found in scenario.objectives if found.form == "recover"), default=Duration(0))
    return scenario.steady_state.lasting + _lasting(scenario.steps) + watched


def _lasting(steps: tuple[Step, ...]) -> Duration:
    total = Duration(0)
    for step in steps:
        match step:
            case FaultStep():
                total += step.hold or (step.ramp.over if step.ramp is not None else Duration(0))
            case WaitStep():
                total += step.wait
            case RepeatStep():
                once = _lasting(step.steps)
                total += once + max(once, step.every) * (step.times - 1)
            case ParallelStep():
                total += max((_lasting(branch) for branch in step.branches), default=Duration(0))
    return total
