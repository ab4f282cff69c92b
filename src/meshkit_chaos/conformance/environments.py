"""Rules for environments: they look at what is there, do what is asked once or twice alike, and leave nothing behind."""

from __future__ import annotations

from functools import partial
from typing import Final, get_args

from meshkit_chaos.conformance.case import Broken, Case
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import ChaosError
from meshkit_chaos.faults import (
    Join,
    Kill,
    Leave,
    LeverCall,
    LeverName,
    LinkPolicy,
    MemberState,
    Pause,
    Resume,
    Shape,
    Start,
    States,
    Stop,
    Unshape,
    lever_name,
)
from meshkit_chaos.run.acting import differences
from meshkit_chaos.slo import Duration

_LAYER: Final = "conformance"
_NOBODY: Final = "no-such-member"


def trials(environment: Environment) -> dict[LeverName, tuple[LeverCall, LeverCall]]:
    """Each lever that breaks something, with the one that undoes it, on the first member."""
    members = environment.capabilities().members
    member, others = members[0], members[1:]
    shape = Shape(member=member, towards=others, policy=LinkPolicy(cut=True), layer=_LAYER, lasting=Duration(60 * 10**9))
    pairs: tuple[tuple[LeverCall, LeverCall], ...] = (
        (Kill(member), Start(member)),
        (Stop(member), Start(member)),
        (Pause(member), Resume(member)),
        (shape, Unshape(member=member, layer=_LAYER)),
        (Leave(member), Join(member)),
    )
    levers = set(environment.capabilities().levers)
    return {lever_name(call): (call, undo) for call, undo in pairs if {lever_name(call), lever_name(undo)} <= levers}


def looks_broken(lever: LeverName, now: MemberState) -> bool:
    """Whether a member is as a lever leaves it."""
    match lever:
        case "kill" | "stop":
            return not now.up
        case "pause":
            return now.up and now.paused
        case "leave":
            return not now.up and now.membership == "out"
        case _:
            return _LAYER in now.layers


async def members_are_seen(case: Case) -> None:
    """Every member that the capabilities name is observed, up, and nobody else."""
    async with case.open() as environment:
        members = environment.capabilities().members
        seen = await case.until(environment, lambda now: _not_up(now, members), "after deployment every member is up")
        if missing := set(members) - set(seen):
            raise Broken(f"observe() tells of every member: {', '.join(sorted(missing))} is missing")


def _not_up(now: States, members: tuple[str, ...]) -> str:
    return ", ".join(f"{name} is not" for name in members if name not in now or not now[name].up or now[name].paused)


async def levers_act_and_are_undone(case: Case) -> None:
    """Each lever is seen on its member and on no other one, twice is once, and its undo restores the fingerprint, twice too."""
    async with case.open() as environment:
        before = await environment.observe()
        for lever, (call, undo) in trials(environment).items():
            for time in ("once", "twice"):
                await environment.pull(call)
                await case.until(environment, partial(_unbroken, call, lever), f"{lever} {time} is seen")
            await _only(environment, before, call)
            for time in ("once", "twice"):
                await environment.pull(undo)
                await case.as_before(environment, before, f"{lever_name(undo)} {time} undoes {lever}")


def _unbroken(call: LeverCall, lever: LeverName, now: States) -> str:
    return "" if looks_broken(lever, now[call.member]) else f"{call.member} is {now[call.member]}"


async def _only(environment: Environment, before: States, call: LeverCall) -> None:
    others = {name: state for name, state in (await environment.observe()).items() if name != call.member}
    if changed := differences({name: state for name, state in before.items() if name != call.member}, others):
        raise Broken(f"{lever_name(call)} of {call.member} touches nobody else: {'; '.join(changed)}")


async def undoing_nothing_does_nothing(case: Case) -> None:
    """An undo where nothing was done changes no member and replaces no process."""
    async with case.open() as environment:
        before = await environment.observe()
        for lever, (_, undo) in trials(environment).items():
            await environment.pull(undo)
            after = await environment.observe()
            if (changed := differences(before, after)) or before[undo.member].identity != after[undo.member].identity:
                raise Broken(f"the undo of {lever} leaves an untouched member alone: {'; '.join(changed) or 'it was replaced'}")


async def others_can_undo(case: Case) -> None:
    """What is in force can be undone by a process that knows nothing of the one that did it."""
    assert case.elsewhere is not None
    async with case.open() as environment:
        before = await environment.observe()
        for lever, (call, undo) in trials(environment).items():
            await environment.pull(call)
            await case.elsewhere(environment, (undo,))
            await case.as_before(environment, before, f"{lever} can be undone by another process")


async def unknown_members_are_refused(case: Case) -> None:
    """A lever on a member that is not there is an error, not silence."""
    async with case.open() as environment:
        for call in (call for name, call in _all(_NOBODY).items() if name in environment.capabilities().levers):
            await _refused(environment, call, "a lever on a member that is not there is refused")


async def missing_levers_are_refused(case: Case) -> None:
    """A lever that the capabilities do not name is refused when it is pulled all the same, and touches nothing."""
    async with case.open() as environment:
        capabilities, before = environment.capabilities(), await environment.observe()
        for name, call in _all(capabilities.members[0]).items():
            if name not in capabilities.levers:
                await _refused(environment, call, "a lever that the environment does not have is refused")
        await case.as_before(environment, before, "a lever that is refused touches nothing")


def _all(member: str) -> dict[LeverName, LeverCall]:
    calls: tuple[LeverCall, ...] = (
        *(Kill(member), Stop(member), Start(member), Pause(member), Resume(member)),
        Shape(member=member, towards=(member,), policy=LinkPolicy(cut=True), layer=_LAYER, lasting=Duration(10**9)),
        Unshape(member=member, layer=_LAYER),
        *(Leave(member), Join(member)),
    )
    assert {lever_name(call) for call in calls} == set(get_args(LeverName)), "a lever that this kit does not know"
    return {lever_name(call): call for call in calls}


async def _refused(environment: Environment, call: LeverCall, rule: str) -> None:
    try:
        await environment.pull(call)
    except ChaosError:
        return
    raise Broken(f"{rule}: {lever_name(call)} of {call.member} was reported as done")


async def teardown_leaves_nothing(case: Case) -> None:
    """Teardown ends every member, says that nothing is left, and says so again when it is done twice."""
    async with case.open() as environment:
        for time in ("once", "twice"):
            if left := await environment.teardown():
                raise Broken(f"teardown {time} leaves nothing: {'; '.join(left)}")
        up = [name for name, state in (await environment.observe()).items() if state.up]
        if up and environment.data_folder:
            raise Broken(f"after teardown no member is up: {', '.join(up)}")
