"""HTTP by way of a lab's doors: a client whose connections to members begin inside the members' own namespaces.

Takes a function that connects; gives a transport for an HTTP client. Unix sockets are refused: no member is reached by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpcore2
import httpx2

from meshkit_chaos.network.lab import Streams

Connect = Callable[[str, int], Awaitable[Streams]]
_MOST_CONNECTIONS: Final = 1000


class DoorTransport(httpx2.AsyncHTTPTransport):
    """As usual, but for how a connection begins."""

    def __init__(self, connect: Connect) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=20,
            keepalive_expiry=5,
            network_backend=_Backend(connect),
        )


class _Backend(httpcore2.AsyncNetworkBackend):
    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # as the class above has it
        local_address: str | None = None,  # noqa: ARG002  # members are reached from where they are
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # none are set
    ) -> httpcore2.AsyncNetworkStream:
        async with _as_http_errors(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
            return _Stream(*await self._connect(host, port))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # as above
        async with _as_http_errors(timeout, httpcore2.ReadTimeout, httpcore2.ReadError):
            return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # as above
        async with _as_http_errors(timeout, httpcore2.WriteTimeout, httpcore2.WriteError):
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # as above
    ) -> httpcore2.AsyncNetworkStream:
        async with _as_http_errors(timeout, httpcore2.ConnectTimeout, httpcore2.ConnectError):
            await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    def get_extra_info(self, info: str) -> Any:
        socket = self._writer.get_extra_info("socket")
        match info:
            case "ssl_object":
                return self._writer.get_extra_info("ssl_object")
            case "client_addr":
                return self._writer.get_extra_info("sockname")
            case "server_addr":
                return self._writer.get_extra_info("peername")
            case "socket":
                return socket
            case "is_readable":  # between requests, that is a connection which the other side has closed
                return self._reader.at_eof() or socket is None or bool(select.select([socket], [], [], 0)[0])
        return None


@asynccontextmanager
async def _as_http_errors(within: float | None, late: type[Exception], failed: type[Exception]) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(within):
            yield
    except TimeoutError as error:
        raise late(str(error) or "it took too long") from error
    except OSError as error:
        raise failed(error.strerror or str(error)) from error
