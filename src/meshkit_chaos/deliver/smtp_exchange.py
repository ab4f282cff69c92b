"""One mail handed to an SMTP server, tried once within a time: taken in, or which kind of failure it was.

Takes the mail's bytes, its sender and recipients; gives an outcome. Until the server has asked for the mail itself, whatever
breaks surely did not arrive; after that it may have. TLS is verified. The attempt runs in a thread of its own, whose connection
is cut when time is over, so nothing that a server does holds us longer: not a silent one, not a slow one, not a resolver.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Literal

from meshkit_chaos.deliver.action import Again, Delivered, Outcome, Receipt, Refused, Unsure
from meshkit_chaos.slo import Duration

_LONGEST_QUOTE: Final = 300


@dataclass(slots=True)
class _Progress:
    """``begun``: the mail itself is being sent. ``given_up``: nothing more may be sent."""

    done: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    given_up: bool = False
    outcome: Outcome | None = None
    socket: socket.socket | None = None
    smtp: smtplib.SMTP | None = None


class _Smtp(smtplib.SMTP):
    """The library's client on a connection that we made."""

    def __init__(self, connection: socket.socket, *, host: str, our_name: str) -> None:
        super().__init__(local_hostname=our_name)
        self._host = host  # what STARTTLS verifies the certificate against
        self.sock = connection


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpExchange:
    """Reaches one server. ``our_name``: as which we greet it. ``redacted`` takes secrets out of what it says."""

    server: str
    port: int
    security: Literal["tls", "starttls", "none"]
    tls: ssl.SSLContext
    timeout: Duration
    our_name: str
    redacted: Callable[[str], str]
    user: str = ""
    password: str = field(default="", repr=False)

    def deliver(self, mail: bytes, *, sender: str, recipients: Sequence[str]) -> Outcome:
        """``mail`` has CRLF line ends. Recipients that are refused while others are taken are named in the receipt's note."""
        progress = _Progress()
        work = threading.Thread(target=self._tried, args=(mail, sender, recipients, progress), daemon=True, name="mail")
        work.start()
        progress.done.wait(self.timeout.seconds)
        if progress.outcome is not None:
            return progress.outcome
        progress.given_up = True
        _cut(progress.socket)
        return _after(f"no whole exchange within {self.timeout}", begun=progress.begun)

    def _tried(self, mail: bytes, sender: str, recipients: Sequence[str], progress: _Progress) -> None:
        try:
            progress.outcome = self._delivered(mail, sender, recipients, progress)
        except smtplib.SMTPNotSupportedError as refused:
            hint = "look at security, port and user in the routes file"
            progress.outcome = Refused(why=f"{self._said(refused)} Nothing was sent", hint=hint)
        except smtplib.SMTPResponseException as refused:
            progress.outcome = self._answered(refused, begun=progress.begun)
        except Exception as broken:  # noqa: BLE001  # whatever a server makes of the exchange, it is an answer that is missing
            progress.outcome = _after(f"the exchange broke: {self._said(broken)}", begun=progress.begun)
        finally:
            progress.done.set()
            _closed(progress)

    def _delivered(self, mail: bytes, sender: str, recipients: Sequence[str], progress: _Progress) -> Outcome:
        smtp = self._greeted(progress)
        data = re.sub(rb"(?m)^\.", b"..", mail)
        smtp_says = smtp.mail(sender, [f"size={len(data)}"] if smtp.has_extn("size") else [])
        if smtp_says[0] != 250:
            return self._judged(*smtp_says)
        refused = {one: said for one in recipients if (said := smtp.rcpt(one))[0] not in {250, 251}}
        if len(refused) == len(recipients):
            return self._judged(*min(refused.values(), key=lambda said: said[0]))  # while one may be taken later, try again
        smtp_says = smtp.docmd("DATA")
        if smtp_says[0] != 354:
            return self._judged(*smtp_says)
        if progress.given_up:
            return Again(why="given up before the mail was sent")
        progress.begun = True
        smtp.send(data if data.endswith(b"\r\n") else data + b"\r\n")
        smtp.send(b".\r\n")
        smtp_says = smtp.getreply()
        with suppress(smtplib.SMTPException, OSError):
            smtp.putcmd("QUIT")
        if smtp_says[0] != 250:
            return self._judged(*smtp_says)
        note = "; ".join(f"{one} was refused: {said.decode('utf-8', 'replace')}" for one, (_, said) in refused.items())
        return Delivered(receipt=Receipt(did="sent", note=self._quoted(note)))

    def _greeted(self, progress: _Progress) -> smtplib.SMTP:
        """A server that knows who we are, behind TLS where that is asked for."""
        connection = progress.socket = socket.create_connection((self.server, self.port), timeout=self.timeout.seconds)
        if self.security == "tls":
            connection = progress.socket = self.tls.wrap_socket(connection, server_hostname=self.server)
        smtp = progress.smtp = _Smtp(connection, host=self.server, our_name=self.our_name)
        code, said = smtp.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        smtp.ehlo_or_helo_if_needed()
        if self.security == "starttls":
            smtp.starttls(context=self.tls)
            progress.socket = smtp.sock
            smtp.ehlo_or_helo_if_needed()
        if self.user and self.password:
            smtp.login(self.user, self.password)
        return smtp

    def _answered(self, refused: smtplib.SMTPResponseException, *, begun: bool) -> Outcome:
        said = refused.smtp_error if isinstance(refused.smtp_error, bytes) else str(refused.smtp_error).encode()
        if begun or said == b"Line too long.":  # that is the library's own word for a server that does not speak SMTP
            return _after(f"the exchange broke: {self._said(refused)}", begun=begun)
        outcome = self._judged(refused.smtp_code, said)
        if isinstance(outcome, Refused) and isinstance(refused, smtplib.SMTPAuthenticationError):
            return Refused(why=outcome.why, hint="look at user and password; many services want one that is made for programs")
        return outcome

    def _judged(self, code: int, said: bytes) -> Outcome:
        """What a reply that is no success means: 4xx is for now, 5xx for good (RFC 5321, 4.2.1)."""
        why = self._quoted(f"answered {code}: {said.decode('utf-8', 'replace')}")
        if 500 <= code < 600:
            hint = "look at sender and recipients in the routes file, and at what the server lets them do"
            return Refused(why=why, who="us" if code in {500, 501, 503, 504} else "operator", hint=hint)
        return Again(why=why)

    def _said(self, error: Exception) -> str:
        return self._quoted(str(error).strip() or type(error).__name__)

    def _quoted(self, text: str) -> str:
        plain = " ".join(self.redacted(text).split())
        plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in plain)
        return plain if len(plain) <= _LONGEST_QUOTE else plain[: _LONGEST_QUOTE - 1] + "…"


def _cut(connection: socket.socket | None) -> None:
    """End a connection, whoever waits on it."""
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _closed(progress: _Progress) -> None:
    """Close what was opened, by the thread that did."""
    _cut(progress.socket)
    with suppress(OSError):
        if progress.smtp is not None:
            progress.smtp.close()
        elif progress.socket is not None:
            progress.socket.close()


def _after(why: str, *, begun: bool) -> Again | Unsure:
    return Unsure(why=f"{why}; it may have arrived") if begun else Again(why=why)
