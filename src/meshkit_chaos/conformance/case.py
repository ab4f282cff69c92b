"""What is put to the test: an environment that can be opened as often as needed, and a fault to be tried on it.

A check takes a case and raises ``Broken`` where a rule is broken, in a sentence that names the rule's reader: whoever wrote the
environment or the fault. It refuses nothing else and gives nothing.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from meshkit_chaos.environments.protocol import Environment
from meshkit_chaos.faults import Aim, Fault, LeverCall, ParameterValue, States
from meshkit_chaos.run.acting import differences
from meshkit_chaos.slo import Duration
from meshkit_chaos.slo.codec import encode

_LASTING: Final = Duration(60 * 10**9)
_LOOK_EVERY_S: Final = 0.02


class Broken(AssertionError):
    """A rule is broken: which one, and what was seen instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """``open`` gives a deployed environment, fresh each time, and ends it; it is entered inside the loop that ``run`` makes.

    ``fault`` is tried on ``targets`` (default: the first member) with ``parameters``. ``elsewhere`` pulls levers as another
    process would, knowing nothing of this one; without it that rule is not checked. ``within_s``: how long an effect,
    or its end, may take to be seen.
    """

    open: Callable[[], AbstractAsyncContextManager[Environment]]
    fault: Fault | None = None
    targets: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    clients: tuple[str, ...] = ()
    elsewhere: Callable[[Environment, tuple[LeverCall, ...]], Awaitable[None]] | None = None
    run: Callable[[Coroutine[Any, Any, None]], object] = asyncio.run
    within_s: float = 5.0

    def aim(self, environment: Environment) -> Aim:
        """The case's fault, aimed as a run would."""
        assert self.fault is not None
        members = environment.capabilities().members
        return Aim(
            node="conformance",
            targets=self.targets or members[:1],
            members=members,
            clients=self.clients,
            parameters=self.fault.completed(self.parameters),
            seed=1,
            lasting=_LASTING,
        )

    async def until(self, environment: Environment, wrong: Callable[[States], str], rule: str) -> States:
        """Look until nothing is wrong any more; raises Broken with the rule and what is still wrong when the time is over."""
        last, seen = "it was never seen", dict[str, Any]()
        for _ in range(max(1, round(self.within_s / _LOOK_EVERY_S))):
            seen = await environment.observe()
            if not (last := wrong(seen)):
                return seen
            await asyncio.sleep(_LOOK_EVERY_S)
        raise Broken(f"{rule}: {last}")

    async def as_before(self, environment: Environment, before: States, rule: str) -> None:
        """Every invariant of every member holds again."""
        await self.until(environment, lambda now: "; ".join(differences(dict(before), dict(now))), rule)


@dataclass(frozen=True, slots=True)
class Check:
    """One rule as a check. ``name`` is for people and test reports."""

    name: str
    work: Callable[[Case], Coroutine[Any, Any, None]]

    def __str__(self) -> str:
        return self.name


async def undo_elsewhere(folder: Path, calls: tuple[LeverCall, ...]) -> None:
    """Pull levers in a process of its own that knows nothing but the environment's state folder. Raises Broken."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "meshkit_chaos.conformance.elsewhere_main", str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate(encode(calls))
    if process.returncode:
        raise Broken(f"another process cannot pull its levers: {said.decode(errors='replace').strip().splitlines()[-1:]}")
