"""The other process of ``undo_elsewhere``: opens an environment by its folder and pulls the lever calls that come as JSON."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from meshkit_chaos.environments.opening import open_environment
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import LeverCall
from meshkit_chaos.slo.codec import decode


async def main(folder: Path, text: bytes) -> None:
    """Raises EnvironmentProblem."""
    environment = open_environment(folder)
    if environment is None:
        raise EnvironmentProblem(f"there is no environment in {folder}")
    try:
        for call in decode(text, tuple[LeverCall, ...]):
            await environment.pull(call)
    finally:
        await environment.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.stdin.buffer.read()))
