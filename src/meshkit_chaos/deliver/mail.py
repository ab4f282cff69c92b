"""Mail: plain text and HTML, in threads that mail readers understand.

Takes the settings of a channel; gives a ``Sender``. The ``Message-ID`` comes from the action's key, so a mail that is sent
twice has the same one, and most servers and readers keep one of the two. Refuses addresses that not every server takes, and a
password without TLS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from pathlib import Path
from typing import Final, Literal

import idna
from msgspec import structs

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Outcome, Told
from meshkit_chaos.deliver.mail_text import BUDGET, MailText, mail_text
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Email, Owner
from meshkit_chaos.deliver.smtp_exchange import SmtpExchange
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.measure.access import Secrets, tls_context
from meshkit_chaos.slo import Duration

_REFERENCES: Final = 10
_COPIES: Final = 10


def open_mail(settings: Email, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()) -> MailSender:
    """Raises CannotRun where the password cannot be read, an address is none, or the password would go in the clear."""
    del clock
    password = "" if settings.password is None else secrets.read(settings.password, what=f"the password of {settings.id}")
    if password and settings.security == "none":
        raise CannotRun(f"{settings.id}: a password is never sent without TLS", hint="write `security: starttls` or `tls`")
    sender = _address(settings.sender)
    exchange = SmtpExchange(
        server=settings.server,
        port=settings.port,
        security=settings.security,
        tls=tls_context(settings.reach.tls, folder, of="the mail server"),
        timeout=settings.reach.timeout,
        our_name=sender.domain,
        redacted=secrets.redacted,
        user=settings.user,
        password=password,
    )
    to = tuple(_address(one) for one in settings.to)
    copies = {owner.name: _address(owner.email) for owner in owners if owner.email}
    return MailSender(settings, exchange=exchange, sender=sender, to=to, copies=copies)


def _address(text: str) -> Address:
    """An address whose domain is written in ASCII (IDNA). Raises CannotRun."""
    local, at, domain = text.strip().rpartition("@")
    try:
        written = idna.encode(domain, uts46=True).decode("ascii") if not domain.isascii() else domain
    except idna.IDNAError as wrong:
        raise CannotRun(f"{text!r} is no mail address: {wrong}", hint="write NAME@DOMAIN") from wrong
    if not at or not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+", local) or not re.fullmatch(r"[A-Za-z0-9.-]+", written):
        raise CannotRun(f"{text!r} is no mail address that every server takes", hint="write NAME@DOMAIN, with NAME in ASCII")
    return Address(username=local, domain=written)


@dataclass(frozen=True, slots=True)
class MailSender:
    """See ``sending.Sender``. Unsure, it sends again: it is the same mail by its id."""

    settings: Email
    exchange: SmtpExchange = field(kw_only=True)
    sender: Address = field(kw_only=True)
    to: tuple[Address, ...] = field(kw_only=True)
    copies: dict[str, Address] = field(kw_only=True)
    when_unsure: Literal["repeat"] = field(default="repeat", kw_only=True)
    lag: Duration = field(default=Duration(0), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate(bucket=f"email:{self.settings.id}", count=30, per=Duration(60 * 10**9)),)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        """The headers and the plain text; the HTML says the same."""
        mail, made = self._mail(action, thread)
        head = "\n".join(f"{name}: {value}" for name, value in mail.items() if name not in {"MIME-Version", "Content-Type"})
        server = f"{self.settings.server}:{self.settings.port} ({self.settings.security})"
        return Rendered(
            method="MAIL",
            target=server,
            body=f"{head}\n\n{made.text}",
            size=made.size,
            budget=BUDGET,
            dropped=made.dropped,
        )

    def html(self, action: Action) -> str:
        """The other body."""
        return mail_text(action.message).html

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        mail, _ = self._mail(action, thread)
        people = [one.addr_spec for one in (*self.to, *self._copied(action))]
        outcome = self.exchange.deliver(mail.as_bytes(), sender=self.sender.addr_spec, recipients=people)
        if isinstance(outcome, Delivered):
            return Delivered(receipt=structs.replace(outcome.receipt, reference=str(mail["Message-ID"])))
        return outcome

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="a mail server only takes mail; it cannot be asked")

    def close(self) -> None:
        """Nothing is kept open."""

    def _copied(self, action: Action) -> list[Address]:
        """Owners who are to be pinged, and are not addressed anyway."""
        named = [self.copies[name] for name in action.message.mention if name in self.copies] if action.loud else []
        wanted = {one.addr_spec: one for one in named}
        return [one for one in wanted.values() if one not in self.to][:_COPIES]

    def _mail(self, action: Action, thread: Sequence[Told]) -> tuple[EmailMessage, MailText]:
        made = mail_text(action.message)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self.sender
        mail["To"] = self.to
        if copied := self._copied(action):
            mail["Cc"] = copied
        mail["Subject"] = made.subject
        mail["Date"] = formatdate(action.at / 10**9, usegmt=True)
        mail["Message-ID"] = self._id(action.key)
        earlier = [self._id(told.action.key) for told in thread]
        if earlier:
            mail["In-Reply-To"] = earlier[0]
            mail["References"] = " ".join([earlier[0], *earlier[1:][-_REFERENCES:]])
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Meshkit-Chaos-Occasion"] = action.occasion
        mail.set_content(made.text, charset="utf-8", cte="quoted-printable")
        mail.add_alternative(made.html, subtype="html", charset="utf-8", cte="quoted-printable")
        mail.set_boundary(f"=_{hashlib.sha256(action.key.encode('utf-8', 'replace')).hexdigest()[:32]}")
        return mail, made

    def _id(self, key: str) -> str:
        digest = hashlib.sha256(f"{self.settings.id}\n{key}".encode("utf-8", "replace")).hexdigest()
        return f"<{digest[:32]}@{self.sender.domain}>"
