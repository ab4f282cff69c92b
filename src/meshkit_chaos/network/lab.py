"""A lab's network as seen from outside: start its process, change its links, look at them, and reach members behind them.

Whoever knows the folder in which the control socket lies can use it: the runner, its watchdog, a later ``recover``. What is
asked is answered within three seconds, or that is a problem. The way to a member for those who observe it is a socket inside
the member's own namespace: what they send never passes the switch, so no link policy touches it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.network import enter
from meshkit_chaos.network import messages as say
from meshkit_chaos.network.addresses import hosts_file
from meshkit_chaos.scenario.environment import Network
from meshkit_chaos.slo.codec import encode

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_HOSTS: Final = "network.hosts"
_LOG: Final = "network.log"
_UP_WITHIN_S: Final = 60.0
_ANSWER_WITHIN_S: Final = 3.0
_ENTER_WITHIN_S: Final = 5.0
_HAS_HOSTS: Final = Path("/etc/hosts").is_file()
_MOST_DESCRIPTORS: Final = 2
_CLOSE_ON_EXEC: Final = 0x40000000  # MSG_CMSG_CLOEXEC, for which Python has no name
_ANSWERED: Final = (say.Done, say.InForce)


@dataclass(frozen=True, slots=True)
class Way:
    """How a program gets to where it is to run: words before its own, and descriptors that must be open for them."""

    words: tuple[str, ...] = ()
    descriptors: tuple[int, ...] = ()


class Lab:
    """``folder`` holds its control socket; ``addresses`` are those of all in it, by name."""

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self._folder = folder
        self.addresses = dict(addresses)
        self._names = {address: name for name, address in addresses.items()}

    async def start(
        self, network: Network, *, variables: Mapping[str, str], tied: bool = False
    ) -> tuple[subprocess.Popen[bytes], say.Ready]:
        """The process, once the network is up. ``variables``: the marker that it bears. Raises EnvironmentProblem.

        ``tied``: it ends with this process, whatever ends that, and takes the folder along.
        """
        settings = say.Settings(
            folder=str(self._folder), addresses=self.addresses, mtu=network.mtu, backend=network.backend, tied=tied
        )
        (self._folder / _HOSTS).write_text(hosts_file(self.addresses), encoding="ascii")
        log = self._folder / _LOG
        with log.open("wb") as errors:
            process = subprocess.Popen(  # noqa: ASYNC220  # what takes its time is awaited below
                [sys.executable, "-P", "-m", "meshkit_chaos.network.keeper_main", encode(settings).decode()],
                env={**os.environ, **variables},
                cwd=self._folder,
                stdin=subprocess.PIPE if tied else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
        reply = None
        try:
            assert process.stdout is not None
            with process.stdout as out:
                reply = _read_reply(await _readable(out.fileno(), out.readline, _UP_WITHIN_S) or b"")
        finally:
            if not isinstance(reply, say.Ready):
                process.kill()
                process.wait()
        if isinstance(reply, say.Ready):
            return process, reply
        if isinstance(reply, say.Refused):
            raise EnvironmentProblem(f"the network of the members cannot be made: {reply.reason}", hint=reply.hint)
        words = log.read_text(encoding="utf-8", errors="replace").strip()[-300:] or f"it was not up within {_UP_WITHIN_S:g} s"
        raise EnvironmentProblem(f"the network of the members was not made: {words}")

    @property
    def control(self) -> Path:
        """Where it is asked: a socket."""
        return self._folder / say.SOCKET

    async def change(self, call: Shape | Unshape) -> None:
        """Raises EnvironmentProblem."""
        await self._ask(say.Change(call=call))

    async def in_force(self) -> dict[str, dict[str, PacketCounts]]:
        """By member that sends and by layer, what happened to packets. Raises EnvironmentProblem."""
        reply, _ = await self._ask(say.Look())
        assert isinstance(reply, say.InForce)
        return reply.layers

    async def connect(self, host: str, port: int) -> Streams:
        """To a member by its address or name, from inside its own namespace; to any other host as usual. Raises OSError."""
        name = self._names.get(host, host)
        if name not in self.addresses:
            return await asyncio.open_connection(host, port)
        try:
            door = await self.door(name)
        except EnvironmentProblem as error:
            raise ConnectionError(error.message) from None
        try:
            await asyncio.get_running_loop().sock_connect(door, (self.addresses[name], port))
            return await asyncio.open_connection(sock=door)
        except BaseException:
            door.close()
            raise

    async def door(self, member: str, kind: say.Transport = "tcp") -> socket.socket:
        """A socket inside a member's namespace, not connected yet. Raises EnvironmentProblem."""
        _, (descriptor,) = await self._ask(say.OpenDoor(member=member, kind=kind))
        door = socket.socket(fileno=descriptor)
        door.setblocking(False)
        return door

    @asynccontextmanager
    async def way_in(self, member: str) -> AsyncIterator[Way]:
        """For a program that is started inside: a member's network. On leaving, it has taken its process over.

        Raises EnvironmentProblem where it could not.
        """
        _, namespaces = await self._ask(say.Enter(member=member))
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            hosts = str(self._folder / _HOSTS) if _HAS_HOSTS else ""
            words = (sys.executable, "-I", "-S", str(enter.__file__), str(write), ",".join(map(str, namespaces)), hosts)
            yield Way(words, (*namespaces, write))
        except BaseException:
            os.close(read)
            raise
        finally:
            for descriptor in (*namespaces, write):
                os.close(descriptor)
        try:
            said = await _readable(read, lambda: os.read(read, 4096), _ENTER_WITHIN_S)
        finally:
            os.close(read)
        if said != b"":
            why = said.decode(errors="replace") if said else f"it took longer than {_ENTER_WITHIN_S:g} s"
            raise EnvironmentProblem(f"no program can be started in the network of {member}: {why}")

    async def _ask(self, request: say.Request) -> tuple[say.Reply, list[int]]:
        """Raises EnvironmentProblem where it is refused, or nobody answers."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.setblocking(False)
            try:
                self._connect_to_switch(connection)
                connection.send(encode(request))
                received = await _readable(
                    connection.fileno(),
                    lambda: socket.recv_fds(connection, say.LARGEST, _MOST_DESCRIPTORS, _CLOSE_ON_EXEC),
                    _ANSWER_WITHIN_S,
                )
            except OSError as error:
                raise EnvironmentProblem(f"the network's switch does not answer: {error.strerror or error}") from error
        if received is None:
            raise EnvironmentProblem(f"the network's switch did not answer within {_ANSWER_WITHIN_S:g} s")
        data, descriptors, _, _ = received
        reply = _read_reply(data)
        if isinstance(reply, _ANSWERED):
            return reply, list(descriptors)
        raise EnvironmentProblem(reply.reason if isinstance(reply, say.Refused) else "the network's switch gave no answer")

    def _connect_to_switch(self, connection: socket.socket) -> None:
        at_folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{at_folder}/{say.SOCKET}")
        finally:
            os.close(at_folder)


def _read_reply(data: bytes) -> say.Reply | None:
    try:
        return say.reply_of(data)
    except (msgspec.MsgspecError, ValueError):
        return None


def _settle(there: asyncio.Future[None]) -> None:
    if not there.done():
        there.set_result(None)


async def _readable(descriptor: int, read: Callable[[], T], within_s: float) -> T | None:
    """What is read once there is something to be read; None if there is not in time."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, _settle, there)
    try:
        async with asyncio.timeout(within_s):
            await there
    except TimeoutError:
        return None
    finally:
        loop.remove_reader(descriptor)
    return read()
