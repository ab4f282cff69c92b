"""Rules for fault kinds: they do what they declare, can be seen to bite, and are undone from wherever they were left."""

from __future__ import annotations

from meshkit_chaos.conformance.case import Broken, Case
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Aim, Effect, LeverCall, States, lever_name
from meshkit_chaos.run.acting import refuse_strays
from meshkit_chaos.slo.codec import decode, encode


def _fault_calls(case: Case, aim: Aim) -> tuple[tuple[LeverCall, ...], tuple[LeverCall, ...]]:
    assert case.fault is not None
    return case.fault.inject(aim), case.fault.revert(aim)


async def it_does_what_it_declares(case: Case) -> None:
    """Its calls are those it declares, on nobody but its targets, the same each time, and come back from a record."""
    assert case.fault is not None
    async with case.open() as environment:
        aim = case.aim(environment)
        calls, undo = _fault_calls(case, aim)
        try:
            refuse_strays(case.fault, aim, calls)
        except EnvironmentProblem as error:
            raise Broken(error.message) from None
        if strange := sorted({lever_name(call) for call in undo} - set(case.fault.undone_by)):
            raise Broken(f"a revert pulls the levers that it declares: {', '.join(strange)} is not among them")
        if untouched := sorted({call.member for call in calls} - {call.member for call in undo}):
            raise Broken(f"a revert undoes whatever an injection touches: not {', '.join(untouched)}")
        if missing := sorted(case.fault.levers - set(environment.capabilities().levers)):
            raise Broken(f"this environment has the levers of {case.fault.kind}: it lacks {', '.join(missing)}")
        if (calls, undo) != _fault_calls(case, aim):
            raise Broken("the same aim gives the same calls")
        if decode(encode((calls, undo)), tuple[tuple[LeverCall, ...], tuple[LeverCall, ...]]) != (calls, undo):
            raise Broken("what is written into a record is what is done when it is read again")


async def it_is_seen_to_bite(case: Case) -> None:
    """Its effect is not there before, is seen once it is injected, and then its toll; nothing is left when it is undone."""
    assert case.fault is not None
    async with case.open() as environment:
        aim, before = case.aim(environment), await environment.observe()
        if blind := [member for member in aim.targets if case.fault.effect(aim, member, before, before) is None]:
            raise Broken(f"an effect is not seen where nothing was done: {case.fault.kind} is said to have bitten {blind}")
        calls, undo = _fault_calls(case, aim)
        await _pull(environment, calls)
        await _bites(case, environment, before, case.fault.effect, f"{case.fault.kind} is seen to bite")
        if case.fault.toll is not None:
            await _bites(case, environment, before, case.fault.toll, f"the toll of {case.fault.kind} is seen")
        await _pull(environment, undo)
        await case.as_before(environment, before, f"the revert of {case.fault.kind} restores the fingerprint")


async def _bites(case: Case, environment: Environment, before: States, effect: Effect, rule: str) -> None:
    aim = case.aim(environment)

    def wrong(now: States) -> str:
        seen = {member: effect(aim, member, before, now) for member in aim.targets}
        return "; ".join(f"{member}: {lack}" for member, lack in seen.items() if lack)

    await case.until(environment, wrong, rule)


async def _pull(environment: Environment, calls: tuple[LeverCall, ...]) -> None:
    for call in calls:
        await environment.pull(call)


async def twice_is_once(case: Case) -> None:
    """Injected twice and undone twice, it leaves nothing."""
    assert case.fault is not None
    async with case.open() as environment:
        before = await environment.observe()
        calls, undo = _fault_calls(case, case.aim(environment))
        await _pull(environment, (*calls, *calls, *undo))
        await case.as_before(environment, before, f"{case.fault.kind}, injected twice, is undone by one revert")
        await _pull(environment, undo)
        await case.as_before(environment, before, f"a second revert of {case.fault.kind} changes nothing")


async def half_of_it_is_undone_too(case: Case) -> None:
    """Wherever the runner dies among its calls: what was done of them is undone by the whole revert."""
    assert case.fault is not None
    async with case.open() as environment:
        before = await environment.observe()
        calls, undo = _fault_calls(case, case.aim(environment))
        for done in range(len(calls)):
            await _pull(environment, calls[:done])
            await _pull(environment, undo)
            await case.as_before(environment, before, f"the revert is right after {done} of {len(calls)} calls")


async def others_can_undo_it(case: Case) -> None:
    """A process that knows nothing but the record and the environment's folder undoes it."""
    assert case.fault is not None
    assert case.elsewhere is not None
    async with case.open() as environment:
        before = await environment.observe()
        calls, undo = _fault_calls(case, case.aim(environment))
        await _pull(environment, calls)
        await case.elsewhere(environment, undo)
        await case.as_before(environment, before, f"{case.fault.kind} can be undone by another process")
