"""What must be true before a run may touch anything."""

from __future__ import annotations

import asyncio
from typing import Final

from meshkit_chaos.clock import Clock
from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.journal import events as ev
from meshkit_chaos.plan import Plan
from meshkit_chaos.run.acting import Fact
from meshkit_chaos.run.sight import Sight
from meshkit_chaos.scenario.model import CheckPrerequisite, IndicatorPrerequisite, MembersPrerequisite, Prerequisite
from meshkit_chaos.slo import Duration

_AGAIN_S: Final = 0.2
_CHECK_TIMEOUT: Final = Duration(10**9)


async def check_prerequisites(plan: Plan, environment: Environment, sight: Sight, clock: Clock, *, fact: Fact) -> bool:
    """Check all of them, also behind one that does not hold: the reader wants the whole list."""
    held = True
    for prerequisite in plan.scenario.prerequisites:
        name, good, detail = await _check(prerequisite, environment, sight, clock)
        fact(ev.PrerequisiteChecked(name=name, held=good, detail=detail))
        held = held and good
    return held


async def _check(prerequisite: Prerequisite, environment: Environment, sight: Sight, clock: Clock) -> tuple[str, bool, str]:
    match prerequisite:
        case MembersPrerequisite():
            return await _members(prerequisite, environment)
        case IndicatorPrerequisite():
            now = clock.monotonic_ns()
            good, detail = await sight.until_good(prerequisite.indicator, after=now, within=prerequisite.within)
            return f"indicator {prerequisite.indicator}", good, detail
        case CheckPrerequisite():
            return await _everywhere(prerequisite, environment)


async def _members(prerequisite: MembersPrerequisite, environment: Environment) -> tuple[str, bool, str]:
    name = f"members{f' with role {prerequisite.role}' if prerequisite.role else ''} {prerequisite.up}"
    try:
        seen = await environment.observe()
    except EnvironmentProblem as error:
        return name, False, f"they could not be observed: {error.message}"
    mesh = environment.capabilities().members  # clients of the mesh are seen too, and do not count
    able = {name for name, state in seen.items() if name in mesh and state.up and not state.paused}
    if prerequisite.role is not None:
        able &= await environment.holders(prerequisite.role)
    of_role = f" with role {prerequisite.role}" if prerequisite.role else ""
    up = f"1 member{of_role} is up" if len(able) == 1 else f"{len(able)} members{of_role} are up"
    detail = f"{up}; wanted {prerequisite.up}"
    return name, prerequisite.up.assess(len(able)) == "good", detail


async def _everywhere(prerequisite: CheckPrerequisite, environment: Environment) -> tuple[str, bool, str]:
    members = environment.capabilities().members
    wrong = ["it was never asked"]
    try:
        async with asyncio.timeout(prerequisite.within.seconds):
            while wrong:
                results = await asyncio.gather(
                    *(environment.check(member, prerequisite.check, _CHECK_TIMEOUT) for member in members)
                )
                wrong = [f"{name}: {result.detail}" for name, result in zip(members, results, strict=True) if not result.ok]
                if wrong:
                    await asyncio.sleep(_AGAIN_S)
    except TimeoutError:
        return prerequisite.name, False, f"not within {prerequisite.within}: {'; '.join(wrong)}"
    return prerequisite.name, True, "it holds on every member"
