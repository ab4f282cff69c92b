"""The control socket of a lab: requests in, replies and descriptors out. The process around it is ``keeper_main``.

Only processes of this user get through: the socket lies in a folder that is theirs, and the kernel says who asks.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

import msgspec

from meshkit_chaos.faults import PacketCounts, Shape, Unshape
from meshkit_chaos.network import messages as say
from meshkit_chaos.network.namespaces import inside
from meshkit_chaos.slo.codec import encode

_BACKLOG: Final = 64
_MOST_CALLERS: Final = 256


class Shaper(Protocol):
    """What keeps link policies: the userspace switch, or the kernel."""

    def change(self, call: Shape | Unshape) -> None:
        """Raises OSError, ValueError."""
        ...

    def in_force(self) -> dict[str, dict[str, PacketCounts]]: ...


class Keeper:
    """Answers requests. ``namespaces`` by name; ``user``: the user namespace that they are of, if not the machine's."""

    def __init__(self, path: Path, *, namespaces: Mapping[str, int], home: int, user: int | None, shaper: Shaper) -> None:
        self._namespaces = dict(namespaces)
        self._home = home
        self._user = user
        self._shaper = shaper
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        at_folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:  # by way of the folder: an address of this family holds no long path
            self._listener.bind(f"/proc/self/fd/{at_folder}/{path.name}")
        finally:
            os.close(at_folder)
        self._listener.listen(_BACKLOG)
        self._listener.setblocking(False)
        self._callers: dict[int, socket.socket] = {}
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)

    def fileno(self) -> int:
        """A descriptor that can be read from when somebody wants something."""
        return self._poll.fileno()

    def answer_all(self) -> None:
        """Everyone who has asked. Nobody is waited for: who called and hangs holds nothing up."""
        for descriptor, _ in self._poll.poll(0):
            if descriptor == self._listener.fileno():
                self._let_in()
                continue
            caller = self._callers.pop(descriptor, None)
            if caller is not None:
                with caller, contextlib.suppress(OSError):  # it may have gone away
                    self._poll.unregister(descriptor)
                    self._answer(caller)

    def _let_in(self) -> None:
        """All who call now; where too many say nothing, the one that has done so for longest is hung up on."""
        with contextlib.suppress(BlockingIOError):
            while True:
                caller, _ = self._listener.accept()
                caller.setblocking(False)
                self._callers[caller.fileno()] = caller
                self._poll.register(caller, select.EPOLLIN)
                if len(self._callers) > _MOST_CALLERS:
                    self._callers.pop(next(iter(self._callers))).close()

    def _answer(self, connection: socket.socket) -> None:
        reply, descriptors = self._reply(connection.recv(say.LARGEST)) if _is_ours(connection) else (_FOREIGN, [])
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, say.LARGEST)
            socket.send_fds(connection, [encode(reply)], descriptors)
        finally:
            for descriptor in descriptors:
                if descriptor not in self._kept:
                    os.close(descriptor)

    @property
    def _kept(self) -> set[int]:
        return {*self._namespaces.values(), *(() if self._user is None else (self._user,))}

    def _reply(self, data: bytes) -> tuple[say.Reply, list[int]]:
        try:
            request = say.request_of(data)
            for name in say.members_of(request):
                if name not in self._namespaces:
                    return say.Refused(reason=f"there is no member {name!r} in this network"), []
            return self._do(request)
        except (msgspec.MsgspecError, ValueError, OSError) as error:
            return say.Refused(reason=str(error)), []

    def _do(self, request: say.Request) -> tuple[say.Reply, list[int]]:
        match request:
            case say.Look():
                return say.InForce(layers=self._shaper.in_force()), []
            case say.Change(call=call):
                self._shaper.change(call)
                return say.Done(), []
            case say.OpenDoor(member=member, kind=kind):
                with inside(self._namespaces[member], home=self._home):
                    return say.Done(), [socket.socket(socket.AF_INET, _KINDS[kind]).detach()]
            case say.Enter(member=member):
                return say.Done(), [*(() if self._user is None else (self._user,)), self._namespaces[member]]


_KINDS: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_FOREIGN: Final = say.Refused(reason="this network belongs to another user")


def _is_ours(connection: socket.socket) -> bool:
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return bool(user == os.geteuid())
