"""The conformance kit must be able to fail: environments and faults with one defect each, and the rule that tells it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from test_conformance import on_simulated, simulated, virtually

from meshkit_chaos import conformance as kit
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.faults import CATALOGUE, Kill, LeverCall, MemberState, Pause, Resume, Shape, Start, lever_name

Defect = Callable[[SimulatedEnvironment], None]


def broken_rules(case: kit.Case) -> list[str]:
    """Which rules a case breaks."""
    told = []
    for check in kit.checks(case):
        try:
            kit.hold(check, case)
        except kit.Broken:
            told.append(str(check))
    return told


def with_defect(defect: Defect) -> kit.Case:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Environment]:
        async with simulated() as environment:
            assert isinstance(environment, SimulatedEnvironment)
            defect(environment)
            yield environment

    return kit.Case(open=opened, run=virtually, within_s=0.2)


def pulling(change: Callable[[SimulatedEnvironment, LeverCall], list[LeverCall]]) -> Defect:
    """What is pulled instead of what was asked for."""

    def defect(environment: SimulatedEnvironment) -> None:
        true = environment.pull

        async def pull(call: LeverCall) -> None:
            for one in change(environment, call):
                await true(one)

        environment.pull = pull  # type: ignore[method-assign]  # the defect

    return defect


def lies(*names: str) -> Defect:
    return pulling(lambda _, call: [] if lever_name(call) in names else [call])


def half_blind(environment: SimulatedEnvironment) -> None:
    true = environment.observe

    async def observe() -> dict[str, MemberState]:
        seen = await true()
        return {name: seen[name] for name in list(seen)[:-1]}

    environment.observe = observe  # type: ignore[method-assign]  # the defect


def toggles(environment: SimulatedEnvironment, call: LeverCall) -> list[LeverCall]:
    if isinstance(call, Pause) and call.member in environment.mesh.members and environment.mesh.members[call.member].paused:
        return [Resume(call.member)]
    return [call]


@pytest.mark.parametrize(
    ("defect", "rule"),
    [
        (lies("kill"), "levers act and are undone"),
        (lies("start"), "levers act and are undone"),
        (lies("resume"), "levers act and are undone"),
        (lies("unshape"), "levers act and are undone"),
        (pulling(toggles), "levers act and are undone"),
        (pulling(lambda _, call: [call, Kill("node-3")] if isinstance(call, Kill) else [call]), "levers act and are undone"),
        (
            pulling(lambda _, call: [Kill(call.member), call] if isinstance(call, Start) else [call]),
            "undoing nothing does nothing",
        ),
        (half_blind, "members are seen"),
        (pulling(lambda mesh, call: [call] if call.member in mesh.mesh.members else []), "unknown members are refused"),
    ],
)
def test_an_environment_with_a_defect_breaks_a_rule(defect: Defect, rule: str) -> None:
    """Each defect that real environments have had is told by the rule that it breaks."""
    assert rule in broken_rules(with_defect(defect))


KILL, SLOW = CATALOGUE["kill"], CATALOGUE["latency"]


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        (replace(KILL, effect=lambda *_: None), "it is seen to bite"),
        (replace(KILL, effect=lambda *_: "never"), "it is seen to bite"),
        (replace(KILL, revert=lambda _: ()), "it does what it declares"),
        (replace(KILL, revert=lambda aim: (Resume(aim.targets[0]),)), "it does what it declares"),
        (replace(KILL, inject=lambda _: (Kill("node-1"), Kill("node-2"))), "it does what it declares"),
        (replace(KILL, pulls=("pause",)), "it does what it declares"),
        (replace(SLOW, toll=lambda *_: "nothing was lost"), "it is seen to bite"),
        (replace(SLOW, revert=lambda aim: SLOW.revert(replace(aim, node="another"))), "it is seen to bite"),
        (replace(SLOW, inject=lambda aim: tuple(_towards_all(call) for call in SLOW.inject(aim))), "it does what it declares"),
    ],
)
def test_a_fault_with_a_defect_breaks_a_rule(fault: kit.Case, rule: str) -> None:
    """A fault that cannot fail, is not undone, or touches what it does not say breaks a rule."""
    case = replace(on_simulated("latency"), fault=fault, within_s=0.2)
    assert rule in broken_rules(case)


def _towards_all(call: LeverCall) -> LeverCall:
    assert isinstance(call, Shape)
    return Shape(member="node-1", towards=("node-3",), policy=call.policy, layer=call.layer, lasting=call.lasting)
