"""What a network of members needs of the machine, and what to do where it is not there.

``refuse_where_impossible`` finds out by making one, for a moment, exactly as an environment would.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.network.messages import Ready
from meshkit_chaos.scenario.environment import Network

_TRIAL: Final = {"trial": "10.0.0.1"}


def refuse_where_impossible(network: Network) -> Ready:
    """Make a network with one place in it, and end it again. Raises CannotRun with the reason and a hint."""
    return asyncio.run(_try(network))


async def _try(network: Network) -> Ready:
    with tempfile.TemporaryDirectory(prefix="meshkit-chaos-trial-") as folder:
        try:
            process, ready = await Lab(Path(folder), _TRIAL).start(network, variables={}, tied=True)
        except EnvironmentProblem as error:
            raise CannotRun(f"{error.message}; {error.hint}" if error.hint else error.message) from None
        with process:
            process.kill()
    return ready
