"""From where a member is spoken to, and a command about it is run: from this machine, or from inside the member's own network.

Takes a host and a port, or a command that is to be started; gives connections, and the way in. The member's network is entered
behind all its links, so no policy on them touches what is observed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

from meshkit_chaos.network.lab import Lab, Streams, Way


class Reach(Protocol):
    async def connect(self, host: str, port: int) -> Streams:
        """Raises OSError."""
        ...

    def way_in(self) -> AbstractAsyncContextManager[Way]:
        """For one program to be started: it has begun when this is left. Raises EnvironmentProblem where it cannot."""
        ...


class FromHere:
    """As any program of this machine."""

    async def connect(self, host: str, port: int) -> Streams:
        return await asyncio.open_connection(host, port)

    @asynccontextmanager
    async def way_in(self) -> AsyncIterator[Way]:
        yield Way()


class FromInside:
    """From a member's own network."""

    def __init__(self, lab: Lab, member: str) -> None:
        self._lab = lab
        self._member = member

    async def connect(self, host: str, port: int) -> Streams:
        return await self._lab.connect(host, port)

    def way_in(self) -> AbstractAsyncContextManager[Way]:
        return self._lab.way_in(self._member)


FROM_HERE: Final = FromHere()
