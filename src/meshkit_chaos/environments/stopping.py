"""The graceful end of a member: asked once with SIGTERM, as a service manager does, and waited for.

Takes what finds the member's processes; returns once there is none. Refuses to kill: one that does not end in time is an error.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

from meshkit_chaos.environments import processes
from meshkit_chaos.environments.processes import MarkedProcess
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.slo import Duration

_LOOK_EVERY_S: Final = 0.005


async def stop(member: str, found: Callable[[], tuple[MarkedProcess, ...]], *, within: Duration) -> None:
    """Each process is asked once, those too that appear meanwhile. Raises EnvironmentProblem."""
    asked: set[str] = set()
    try:
        async with asyncio.timeout(within.seconds):
            while left := found():
                for process in left:
                    if process.identity not in asked:
                        processes.send(process, signal.SIGTERM)
                asked |= {process.identity for process in left}
                await asyncio.sleep(_LOOK_EVERY_S)
    except TimeoutError:
        raise EnvironmentProblem(
            f"member {member} did not end within {within} of SIGTERM", hint="raise `stop_within`, or use the fault kill"
        ) from None
