"""A real SMTP server on loopback (aiosmtpd) with TLS and a password, that misbehaves where it is told to; and a raw one."""

from __future__ import annotations

import asyncio
import email
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from served import certificates

USER, PASSWORD = "chaos", "a-mail-password"


@dataclass(slots=True)
class Mailbox:
    """``mails``: what was taken in, with who it is for. ``replies``: given instead, by SMTP command, first come first."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    replies: dict[str, list[str]] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        self.users += [USER] if right else []
        return AuthResult(success=right, handled=right)

    def _reply(self, command: str) -> str:
        waiting = self.replies.get(command, [])
        return waiting.pop(0) if waiting else ""

    async def handle_MAIL(  # noqa: N802  # the library names it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self._reply("MAIL"):
            return reply
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802  # the library names it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if reply := self._reply("RCPT"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # the library names it so
        reply = self._reply("DATA")
        if reply and not reply.startswith("drop"):
            return reply
        assert isinstance(envelope.content, bytes)
        found = email.message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        if reply != "drop before":
            self.raw.append(envelope.content)
            self.mails.append((list(envelope.rcpt_tos), found))
        if reply:
            server.transport.abort()
        return "250 OK"


@contextmanager
def mail_server(
    box: Mailbox, folder: Path, *, security: str = "starttls", auth: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """The port of a server; its authority is ``ca.pem`` in the folder."""
    context = tls or (None if security == "none" else certificates(folder))
    options: dict[str, Any] = {"hostname": "127.0.0.1", "port": 0, "ready_timeout": 20}
    if security == "tls":
        options["ssl_context"] = context
    elif security == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if auth:  # behind TLS from the first byte, the library does not know of it
        starttls = security == "starttls"
        options |= {"authenticator": box.authenticate, "auth_required": starttls, "auth_require_tls": starttls}
    controller = _Free(box, **options)
    controller.start()
    try:
        yield controller.server.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(controller.hung_up(), controller.loop).result(10)
        controller.stop()


class _Free(Controller):
    """On any free port: the library's own would connect to port 0 to see whether it is up. It leaves no connection open."""

    def __init__(self, box: Mailbox, **options: Any) -> None:
        super().__init__(box, **options)
        self.sessions: list[SMTP] = []

    def factory(self) -> SMTP:
        self.sessions.append(super().factory())
        return self.sessions[-1]

    async def hung_up(self) -> None:
        for session in self.sessions:
            for transport in (session.transport, session._original_transport):
                if isinstance(transport, asyncio.WriteTransport):
                    transport.abort()
        await asyncio.sleep(0.01)  # a transport that was aborted is gone some turns later

    def _trigger_server(self) -> None:
        port = self.server.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 10) as probe:
            if self.ssl_context is not None:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.wrap_socket(probe).close()


@contextmanager
def raw_server(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that does just this with its first connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    behave(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def scripted(*replies: bytes, then: str = "close") -> Callable[[socket.socket], None]:
    """Greets, answers each line with the next reply, then closes, or says nothing more until it is hung up."""

    def behave(connection: socket.socket) -> None:
        connection.settimeout(10)
        lines = connection.makefile("rb")
        for reply in replies:
            connection.sendall(reply)
            if reply is not replies[-1] and not lines.readline():
                return
        if then == "silent":
            while lines.read(1):
                pass

    return behave
