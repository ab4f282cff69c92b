"""Fixtures of the network lab: one that is really there, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from traces import Traces

from meshkit_chaos.environments.processes import kill_all
from meshkit_chaos.environments.spawning import marks
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.network.addresses import addresses
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.network.needs import refuse_where_impossible
from meshkit_chaos.scenario.environment import SWITCH, Network

sys.path[:0] = [str(Path(__file__).parents[1] / room) for room in ("run", "lab", "environments")]
T = TypeVar("T")
NAMES = ("a", "b", "c")
WithLab = Callable[[Callable[[Lab], Awaitable[T]]], T]


@pytest.fixture(scope="session")
def possible() -> None:
    """Skip, and say what is missing, where no network can be made."""
    try:
        refuse_where_impossible(Network())
    except CannotRun as error:
        pytest.skip(error.message)


@pytest.fixture
def with_lab(possible: None, tmp_path: Path) -> WithLab[T]:
    """Do something with a lab of three places, in a folder and under a marker of its own; nothing of it is left."""
    number = 0

    def execute(work: Callable[[Lab], Awaitable[T]]) -> T:
        nonlocal number
        number += 1
        folder = tmp_path / f"lab-{number}"
        folder.mkdir()

        async def whole() -> T:
            lab = Lab(folder, addresses(str(folder), NAMES))
            process, _ = await lab.start(Network(), variables=marks(str(folder), SWITCH))
            traces = Traces.of(str(folder))
            try:
                return await work(lab)
            finally:
                kill_all(str(folder), within_s=2)
                process.wait()
                traces.assert_gone()

        return asyncio.run(whole())

    return execute
