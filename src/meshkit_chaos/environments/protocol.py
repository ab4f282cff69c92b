"""What an environment must be able to do. Everything is asynchronous and bounded in time; every lever call is idempotent."""

from __future__ import annotations

from typing import Protocol

import httpx2

from meshkit_chaos.faults import LeverCall, MemberState
from meshkit_chaos.journal.events import MemberUp
from meshkit_chaos.plan import Capabilities
from meshkit_chaos.slo import Check, CheckResult, Duration


class Environment(Protocol):
    """A mesh that faults can be injected into."""

    @property
    def marker(self) -> str:
        """What everything that belongs to it bears."""
        ...

    @property
    def data_folder(self) -> str:
        """Where its members keep their data; empty where nothing is kept."""
        ...

    def capabilities(self) -> Capabilities:
        """Said before planning; asks nothing of the mesh."""
        ...

    async def deploy(self) -> tuple[MemberUp, ...]:
        """Start every member and wait until all are ready. Raises EnvironmentProblem."""
        ...

    async def members(self) -> tuple[MemberUp, ...]:
        """The members of a mesh that is already up."""
        ...

    async def pull(self, call: LeverCall) -> None:
        """Do it, and return once it is done. Raises EnvironmentProblem."""
        ...

    async def observe(self) -> dict[str, MemberState]:
        """Look at every member, not through what was asked of it but at what is there."""
        ...

    async def holders(self, role: str) -> frozenset[str]:
        """The members that have a role now. A member that does not answer has none."""
        ...

    async def check(self, member: str, check: Check, timeout: Duration) -> CheckResult:  # noqa: ASYNC109  # part of the check
        """Run a check against one member; a failed check is a result, not an exception."""
        ...

    def scrape_targets(self) -> dict[str, str]:
        """Member → the address of its metrics."""
        ...

    def client(self) -> httpx2.AsyncClient:
        """How this environment's members are spoken to over HTTP."""
        ...

    async def teardown(self) -> tuple[str, ...]:
        """End everything that bears the marker. Gives what is left in plain words: nothing, if it went well."""
        ...

    async def close(self) -> None:
        """Let go of connections; touches no member."""
        ...
