"""The lab with the kernel's netem. Not collected by itself: `.ci/netem` runs it in a guest whose kernel has it.

Bounds are wide, for an emulated processor is slow; what is shown is that each policy acts on its link alone, and is lifted.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from test_lab import counts, sent, shape

from meshkit_chaos.environments.processes import kill_all
from meshkit_chaos.environments.spawning import marks
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Unshape
from meshkit_chaos.network.addresses import addresses
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.scenario.environment import SWITCH, Network
from meshkit_chaos.slo import Duration, Ratio

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulated processor that reads Python's modules over 9p takes a minute to start a process, and seconds to answer."""
    monkeypatch.setattr("meshkit_chaos.network.lab._UP_WITHIN_S", 400)
    monkeypatch.setattr("meshkit_chaos.network.lab._ANSWER_WITHIN_S", 30)


@asynccontextmanager
async def netem(folder: Path) -> AsyncIterator[Lab]:
    lab = Lab(folder, addresses(str(folder), ("a", "b", "c")))
    process, ready = await lab.start(Network(backend="netem"), variables=marks(str(folder), SWITCH))
    assert ready.backend == "netem"
    try:
        yield lab
    finally:
        kill_all(str(folder), within_s=10)
        process.wait()


async def middle(lab: Lab, **way: Any) -> float:
    """The median lateness in milliseconds."""
    return statistics.median(late for _, late in await sent(lab, 50, every_s=0.005, **way)) * 1000


async def arriving(lab: Lab, count: int) -> int:
    return len(await sent(lab, count))


def test_every_policy_acts_and_is_lifted(tmp_path: Path) -> None:
    """Delay, cut, loss, duplicates, corruption, rate and protocols, one after the other on the same link."""

    async def work() -> None:
        async with netem(tmp_path) as lab:
            await lab.change(shape(delay=Duration.parse("100ms")))
            assert 99 <= await middle(lab) <= 140
            assert await middle(lab, sender="b", receiver="a") < 50
            assert await middle(lab, receiver="c") < 50
            await lab.change(shape(cut=True))
            assert await arriving(lab, 50) == 0
            assert (await counts(lab)).dropped == 50
            await lab.change(shape(loss=Ratio(0.3)))
            assert 200 <= await arriving(lab, 400) <= 350
            await lab.change(shape(delay=Duration.parse("50ms"), layer="y"))
            assert await middle(lab) >= 49
            await lab.change(Unshape(member="a", layer="y"))
            await lab.change(shape(duplicate=Ratio(0.2)))
            assert 210 <= await arriving(lab, 200) <= 280
            await lab.change(shape(corrupt=Ratio(0.3)))
            assert 90 <= await arriving(lab, 200) <= 190
            await lab.change(shape(rate=1_000_000))
            assert 10 <= len(await sent(lab, 100, size=972)) <= 60
            await lab.change(shape(cut=True, only="tcp"))
            assert await arriving(lab, 50) == 50
            await lab.change(shape(cut=True, only="udp", lasting="3s"))
            assert await arriving(lab, 50) == 0
            await asyncio.sleep(3)
            assert await lab.in_force() == {}
            assert await arriving(lab, 50) == 50

    asyncio.run(work())


def test_what_netem_is_not_asked_for_is_refused(tmp_path: Path) -> None:
    """Loss in bursts is an error that names the other backend, and changes nothing."""

    async def work() -> None:
        async with netem(tmp_path) as lab:
            with pytest.raises(EnvironmentProblem, match="userspace"):
                await lab.change(shape(loss=Ratio(0.1), loss_burst=3))
            assert await lab.in_force() == {}

    asyncio.run(work())
