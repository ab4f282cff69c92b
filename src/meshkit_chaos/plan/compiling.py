"""Steps → graph: what comes after what, with every repetition, ramp and draw of chance spelled out.

Takes steps as the scenario has them, the members, and the seed; gives nodes, each behind those it comes after. Nothing is
decided while a run goes on that could be decided here. A node belongs to the step whose id is its own up to the first dot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from msgspec import structs

from meshkit_chaos.faults import CATALOGUE, Fault
from meshkit_chaos.plan.model import AdjustNode, HoldNode, InjectNode, Node, RevertNode, UntilNode
from meshkit_chaos.plan.targets import candidates_of, draw, wanted
from meshkit_chaos.scenario.model import (
    FaultStep,
    ParallelStep,
    RepeatStep,
    RevertStep,
    Step,
    Target,
    UntilStep,
    WaitStep,
)
from meshkit_chaos.slo import Duration

_NONE = Duration(0)
After = tuple[str, ...]


def fault_steps(steps: Iterable[Step]) -> Iterable[FaultStep]:
    """Every fault step, in the order in which they are written."""
    for step in steps:
        match step:
            case FaultStep():
                yield step
            case ParallelStep():
                for branch in step.branches:
                    yield from fault_steps(branch)
            case RepeatStep():
                yield from fault_steps(step.steps)


def compile_steps(steps: tuple[Step, ...], *, members: tuple[str, ...] = (), seed: int = 0) -> tuple[Node, ...]:
    """Turn nested steps into a graph. A fault with a hold becomes inject → hold → revert."""
    compiling = _Compiling(members=members, seed=seed)
    compiling.sequence(steps, (), "")
    return tuple(compiling.nodes)


def step_of(node: str) -> str:
    """The id of the step that a node belongs to."""
    return node.partition(".")[0]


def drawn_span(most: Duration, *, seed: int, node: str) -> Duration:
    """A span up to ``most``, in whole milliseconds; the same for the same seed and node on every machine."""
    number = int.from_bytes(hashlib.sha256(f"{seed}/{node}/jitter".encode()).digest()[:8], "big")
    return Duration(number * (most.ns // 10**6 + 1) // 2**64 * 10**6)


def _both(first: After, second: After) -> After:
    return tuple(dict.fromkeys((*first, *second)))


@dataclass(slots=True, kw_only=True)
class _Compiling:
    """``mark``: which repetition it is (``.2``, inside of another one ``.2.1``); every id of a node holds it."""

    members: tuple[str, ...]
    seed: int
    nodes: list[Node] = field(default_factory=list)

    def sequence(self, steps: tuple[Step, ...], after: After, mark: str) -> After:
        for step in steps:
            after = self.step(step, after, mark)
        return after

    def step(self, step: Step, after: After, mark: str) -> After:
        match step:
            case FaultStep():
                return self._faults(step, after, mark)
            case WaitStep():
                lasting = step.wait + drawn_span(step.jitter, seed=self.seed, node=step.id + mark)
                return self._hold(step.id + mark, after, lasting)
            case UntilStep():
                return self._until(step, step.id + mark, after)
            case RevertStep():
                return self._reverts(step, after, mark)
            case ParallelStep():
                ends = [self.sequence(branch, after, mark) for branch in step.branches]
                return tuple(dict.fromkeys(name for end in ends for name in end))
            case RepeatStep():
                return self._repeat(step, after, mark)

    def _repeat(self, step: RepeatStep, after: After, mark: str) -> After:
        due: After = ()
        for number in range(1, step.times + 1):
            here = f"{mark}.{number}"
            after, due = _both(after, due), ()
            if step.every > _NONE and number < step.times:
                due = self._hold(f"{step.id}{here}.every", after, step.every)
            late = drawn_span(step.jitter, seed=self.seed, node=step.id + here)
            if late > _NONE:
                after = self._hold(f"{step.id}{here}.jitter", after, late)
            after = self.sequence(step.steps, after, here)
        return after

    def _faults(self, step: FaultStep, after: After, mark: str) -> After:
        if step.when is not None:
            after = self._until(step.when, f"{step.id}{mark}.when", after)
        fault = CATALOGUE.get(step.fault)
        if fault is None or not fault.in_turn:
            return self._fault(step, fault, step.id + mark, after)
        pause = Duration.parse(str(fault.completed(step.parameters)["pause"]))
        for number, member in enumerate(self._in_turn(step), start=1):
            if number > 1 and pause > _NONE:
                after = self._hold(f"{step.id}{mark}.{number}.pause", after, pause)
            one = structs.replace(step, target=Target(names=(member,)))
            after = self._fault(one, fault, f"{step.id}{mark}.{number}", after)
        return after

    def _in_turn(self, step: FaultStep) -> tuple[str, ...]:
        """Who is hit one after another is known before the run, in an order that is drawn too."""
        candidates = candidates_of(step.target, members=self.members, roles={})
        chosen = draw(candidates, count=wanted(step.target, len(candidates)), seed=self.seed, node=step.id)
        return tuple(
            sorted(chosen, key=lambda member: hashlib.sha256(f"{self.seed}/{step.id}/{member}/turn".encode()).digest())
        )

    def _fault(self, step: FaultStep, fault: Fault | None, name: str, after: After) -> After:
        self.nodes.append(InjectNode(id=name, after=after, step=step, deadline=_NONE))
        ramped = self._ramp(step, fault, name)
        last: After = ramped or (name,)
        if step.hold is not None:
            last = _both(self._hold(f"{name}.hold", (name,), step.hold), ramped)
        elif fault is None or not (fault.momentary or fault.in_turn):
            return last
        self.nodes.append(RevertNode(id=f"{name}.revert", after=last, injection=name))
        return (f"{name}.revert",)

    def _ramp(self, step: FaultStep, fault: Fault | None, name: str) -> After:
        """Each step of a ramp waits, then changes the parameter. Gives the last one; nothing where there is no ramp."""
        ramp = step.ramp
        parameter = next((one for one in fault.parameters if ramp and one.name == ramp.parameter), None) if fault else None
        if ramp is None or fault is None or parameter is None:
            return ()
        last: After = (name,)
        given = fault.completed(step.parameters)
        for number in range(1, ramp.steps + 1):
            lasting = Duration(ramp.over.ns * number // ramp.steps - ramp.over.ns * (number - 1) // ramp.steps)
            last = self._hold(f"{name}.ramp.{number}.wait", last, lasting)
            value = parameter.between(given[ramp.parameter], ramp.to, number / ramp.steps)
            changed = structs.replace(step, parameters={**given, ramp.parameter: value})
            self.nodes.append(AdjustNode(id=f"{name}.ramp.{number}", after=last, injection=name, step=changed))
            last = (f"{name}.ramp.{number}",)
        return last

    def _reverts(self, step: RevertStep, after: After, mark: str) -> After:
        """Of this repetition, where it was injected in it; else all that was injected, newest first."""
        every = [node.id for node in self.nodes if isinstance(node, InjectNode) and step_of(node.id) == step.revert]
        here = step.revert + mark
        own = [name for name in every if name == here or name.startswith(here + ".")] or every or [step.revert]
        for place, injection in enumerate(reversed(own), start=1):
            name = step.id + mark if len(own) == 1 else f"{step.id}{mark}.{place}"
            known = tuple(node.id for node in self.nodes if node.id == injection)
            ramped = tuple(node.id for node in self.nodes if isinstance(node, AdjustNode) and node.injection == injection)[-1:]
            self.nodes.append(RevertNode(id=name, after=_both(after, known + ramped), injection=injection))
            after = (name,)
        return after

    def _hold(self, name: str, after: After, lasting: Duration) -> After:
        self.nodes.append(HoldNode(id=name, after=after, lasting=lasting))
        return (name,)

    def _until(self, step: UntilStep, name: str, after: After) -> After:
        node = UntilNode(
            id=name, after=after, indicator=step.until, timeout=step.timeout, or_go_on=step.or_go_on, state=step.state
        )
        self.nodes.append(node)
        return (name,)
