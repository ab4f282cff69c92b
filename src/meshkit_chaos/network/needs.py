"""What a network of members needs of the machine, and what to do where it is not there.

``refuse_where_impossible`` finds out by making one, for a moment, exactly as an environment would.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from meshkit_chaos.errors import CannotRun, EnvironmentProblem
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.network.messages import Ready
from meshkit_chaos.scenario.environment import Network

_TRIAL: Final = {"trial": "10.0.0.1"}
_ENDS_WITHIN_S: Final = 5.0


def refuse_where_impossible(network: Network) -> Ready:
    """Make a network with one place in it, and end it again. Raises CannotRun with the reason and a hint."""
    return asyncio.run(_try(network))


async def _try(network: Network) -> Ready:
    """The trial itself removes its folder as it ends, so that none is left where this process is killed meanwhile."""
    folder = tempfile.mkdtemp(prefix="meshkit-chaos-trial-")
    try:
        process, ready = await Lab(Path(folder), _TRIAL).start(network, variables={}, tied=True)
        _end(process)
    except EnvironmentProblem as error:
        raise CannotRun(f"{error.message}; {error.hint}" if error.hint else error.message) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ready


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, with which it ends; kill one that does not."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
