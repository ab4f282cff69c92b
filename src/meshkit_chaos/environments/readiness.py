"""Wait until a member that was started is ready, or can at least be seen.

Takes the member, when it is ready, and how it is asked; gives nothing. Raises EnvironmentProblem, with the member's last words,
where it ends before or takes too long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from meshkit_chaos.environments.secrets import Redactor
from meshkit_chaos.environments.spawning import log_tail
from meshkit_chaos.environments.state import MemberSpec
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.scenario.environment import Ready
from meshkit_chaos.slo import Check, CheckResult, Duration

_ASK_TIMEOUT: Final = Duration(500 * 10**6)
_EVERY_S: Final = 0.025
_SEEN_LOOKS: Final = 40
Ask = Callable[[str, Check, Duration], Awaitable[CheckResult]]


async def until_ready(spec: MemberSpec, ready: Ready, *, ask: Ask, ended: Callable[[], bool], redactor: Redactor) -> None:
    """``ended``: a child of ours has when it says so: just after exec its environment cannot be read, marker and all."""
    last = CheckResult(False, "it was never asked")
    try:
        async with asyncio.timeout(ready.within.seconds):
            while not last.ok:
                if ended():
                    raise EnvironmentProblem(f"member {spec.name} ended before it was ready", hint=log_tail(spec, redactor))
                last = await ask(spec.name, ready.check, _ASK_TIMEOUT)
                if not last.ok:
                    await asyncio.sleep(_EVERY_S)
    except TimeoutError:
        said = f"member {spec.name} was not ready within {ready.within}: {last.detail}"
        raise EnvironmentProblem(said, hint=log_tail(spec, redactor)) from None


async def until_seen(seen: Callable[[], bool]) -> None:
    """Where nothing says when it is ready, it is up once its process can be told by its marker, just after exec."""
    for _ in range(_SEEN_LOOKS):
        if seen():
            return
        await asyncio.sleep(_EVERY_S)
