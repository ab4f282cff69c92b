"""Mail through a real SMTP server with TLS and a password: what people get, and what every fault becomes."""

from __future__ import annotations

import email
import socket
import ssl
import time
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from chat_world import OCCASIONS, action, mail_settings, opened
from mail_server import PASSWORD, USER, Mailbox, mail_server, raw_server, scripted
from served import certificates, closed_address

from meshkit_chaos.deliver.action import Again, CannotLook, Delivered, Outcome, Refused, Told, Unsure
from meshkit_chaos.deliver.message import Fact, Message
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import Reach
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.scenario.metric_sources import SecretRef, TlsFiles
from meshkit_chaos.slo import Duration

TRUSTED = Reach(timeout=Duration.parse("20s"), tls=TlsFiles(ca="ca.pem"))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    folder = tmp_path_factory.mktemp("tls")
    return folder, certificates(folder)


def sender(folder: Path, port: int, *, password: str = PASSWORD, **more: object) -> Sender:
    settings = mail_settings(port, **{"user": USER, "password": SecretRef(env="PASSWORD"), "reach": TRUSTED, **more})
    return opened(settings, {"PASSWORD": password}, folder)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_arrives_over_verified_tls_with_a_password(security: str, tls: tuple[Path, ssl.SSLContext]) -> None:
    """Both bodies, to everybody, from who we say we are."""
    box = Mailbox()
    with mail_server(box, tls[0], security=security, tls=tls[1]) as port:
        outcome = sender(tls[0], port, security=security).send(action("first-failure"), ())
    assert isinstance(outcome, Delivered), outcome
    ((people, mail),) = box.mails
    assert box.users == [USER]
    assert people == ["team@acme.example", "releases@acme.example", "mesh@acme.example"]
    assert mail["Cc"] == "mesh@acme.example"
    assert mail["From"] == "chaos@acme.example"
    assert mail["Subject"] == OCCASIONS["first-failure"].title
    assert outcome.receipt.reference == mail["Message-ID"]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        for said in ("9.2s to 9.4s", "▁", "meshkit-chaos run", "0b1e77d", "https://chaos.acme.example/01KG/report.html"):
            assert said in part, said


def test_a_mail_that_is_sent_twice_has_the_same_id_and_answers_its_thread(tls: tuple[Path, ssl.SSLContext]) -> None:
    """By its id a reader keeps one of two; by its references it shows a thread."""
    box = Mailbox()
    with mail_server(box, tls[0], tls=tls[1]) as port:
        here = sender(tls[0], port)
        first, second = action("first-failure"), action("still-failing")
        told = (Told(action=first, state="delivered"),)
        for one, before in ((first, ()), (first, ()), (second, told)):
            assert isinstance(here.send(one, before), Delivered)
    one, again, answer = (mail for _, mail in box.mails)
    assert one["Message-ID"] == again["Message-ID"] != answer["Message-ID"]
    assert box.raw[0] == box.raw[1], "the very same bytes"
    assert answer["In-Reply-To"] == answer["References"] == one["Message-ID"]
    assert "In-Reply-To" not in one


@pytest.mark.parametrize(
    ("command", "reply", "expected"),
    [
        ("MAIL", "451 try later", Again),
        ("MAIL", "550 no such sender", Refused),
        ("DATA", "452 out of room", Again),
        ("DATA", "552 too large", Refused),
        ("DATA", "554 looks like spam", Refused),
        ("DATA", "drop after", Unsure),
        ("DATA", "drop before", Unsure),
        ("RCPT", "450 greylisted", Delivered),
    ],
)
def test_what_a_server_answers(command: str, reply: str, expected: type[Outcome], tls: tuple[Path, ssl.SSLContext]) -> None:
    """4xx is for now, 5xx for good; a connection that breaks after the mail was sent leaves us unsure."""
    box = Mailbox(replies={command: [reply]})
    with mail_server(box, tls[0], tls=tls[1]) as port:
        outcome = sender(tls[0], port).send(action("test"), ())
    assert isinstance(outcome, expected), outcome


def test_recipients_that_are_refused_are_named(tls: tuple[Path, ssl.SSLContext]) -> None:
    """Some: it is delivered, with a note. All for good: refused; one of them for now: later."""
    for replies, expected in (
        (["550 unknown"], Delivered),
        (["550 unknown", "550 unknown"], Refused),
        (["550 unknown", "450 later"], Again),
    ):
        box = Mailbox(replies={"RCPT": list(replies)})
        with mail_server(box, tls[0], tls=tls[1]) as port:
            outcome = sender(tls[0], port).send(action("test"), ())
        assert isinstance(outcome, expected), outcome
        if isinstance(outcome, Delivered):
            assert "team@acme.example was refused: unknown" in outcome.receipt.note


def test_a_wrong_password(tls: tuple[Path, ssl.SSLContext]) -> None:
    """It is refused for the operator to mend, and the password is in no word of it."""
    box = Mailbox()
    with mail_server(box, tls[0], tls=tls[1]) as port:
        outcome = sender(tls[0], port, password="a-wrong-one").send(action("test"), ())
    assert isinstance(outcome, Refused), outcome
    assert outcome.who == "operator"
    assert "a-wrong-one" not in str(outcome)
    assert not box.mails


def test_a_certificate_that_is_not_trusted(tls: tuple[Path, ssl.SSLContext]) -> None:
    """Nothing is sent, not even the password."""
    box = Mailbox()
    for security in ("starttls", "tls"):
        with mail_server(box, tls[0], security=security, tls=tls[1]) as port:
            outcome = sender(tls[0], port, security=security, reach=Reach()).send(action("test"), ())
        assert isinstance(outcome, Again), outcome
        assert "certificate" in outcome.why.lower()
    assert not box.mails


def test_no_starttls_means_nothing_is_sent(tmp_path: Path) -> None:
    """A server that does not offer what was asked for gets no mail in the clear."""
    box = Mailbox()
    with mail_server(box, tmp_path, security="none", auth=False) as port:
        outcome = sender(tmp_path, port, reach=Reach()).send(action("test"), ())
        assert isinstance(outcome, Refused), outcome
        assert not box.mails
        plain = opened(mail_settings(port, security="none"), {}, tmp_path).send(action("test"), ())
        assert isinstance(plain, Delivered), "where the operator asks for no TLS, and there is no password, it is sent"


EHLO = b"250-localhost\r\n250 8BITMIME\r\n"


@pytest.mark.parametrize(
    ("replies", "then", "expected"),
    [
        ((), "close", Again),
        ((), "silent", Again),
        ((b"554 go away\r\n",), "close", Refused),
        ((b"421 too busy\r\n",), "close", Again),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), "close", Again),
        ((b"220 hi\r\n", b"2" * 100_000), "close", Again),
        ((b"220 hi\r\n", EHLO), "silent", Again),
        ((b"220 hi\r\n", EHLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n"), "close", Again),
        ((b"220 hi\r\n", EHLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), "close", Unsure),
        ((b"220 hi\r\n", EHLO, b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"), "silent", Unsure),
    ],
)
def test_a_server_that_breaks_off(replies: tuple[bytes, ...], then: str, expected: type[Outcome], tmp_path: Path) -> None:
    """Before the mail itself was asked for it surely did not arrive; after that it may have; and it never holds us."""
    with raw_server(scripted(*replies, then=then)) as port:
        settings = mail_settings(port, security="none", timeout="500ms" if then == "silent" else "20s")
        began = time.monotonic()
        outcome = opened(settings, {}, tmp_path).send(action("test"), ())
    assert isinstance(outcome, expected), outcome
    assert time.monotonic() - began < 10


def test_a_slow_drip_does_not_hold_us(tmp_path: Path) -> None:
    """A greeting byte by byte ends with the time-out."""

    def drip(connection: socket.socket) -> None:
        for _ in range(200):
            connection.sendall(b"2")
            time.sleep(0.05)  # the slowness is the subject

    with raw_server(drip) as port:
        outcome = opened(mail_settings(port, security="none", timeout="400ms"), {}, tmp_path).send(action("test"), ())
    assert isinstance(outcome, Again)
    assert "400ms" in outcome.why


def test_nobody_listens_and_no_such_name(tmp_path: Path) -> None:
    """Without a connection it surely did not arrive."""
    port = int(closed_address().rpartition(":")[2])
    for server in ("127.0.0.1", "nobody.invalid"):
        outcome = opened(mail_settings(port, server=server, timeout="20s"), {}, tmp_path).send(action("test"), ())
        assert isinstance(outcome, Again), outcome


def test_a_mail_server_cannot_be_asked(tmp_path: Path) -> None:
    """There is no look, so being unsure means to send the same mail again."""
    here = opened(mail_settings(25), {}, tmp_path)
    assert isinstance(here.look(action("test"), ()), CannotLook)
    assert here.when_unsure == "repeat"


def test_no_password_without_tls(tmp_path: Path) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(CannotRun, match="never sent without TLS"):
        sender(tmp_path, 25, security="none")


@pytest.mark.parametrize(
    "address", ["nobody", "@x.org", "a b@x.org", "a@x.org\r\nBcc: c@x.org", "jörg@x.org", "a@b@c", "<a@x.org>"]
)
def test_addresses_that_not_every_server_takes(address: str, tmp_path: Path) -> None:
    """They are refused by name, and none can smuggle a header in."""
    with pytest.raises(CannotRun, match="no mail address"):
        opened(mail_settings(25, to=(address,)), {}, tmp_path)


def parsed(here: Sender, message: Message) -> EmailMessage:
    """The mail that would be sent, as a reader's program sees it."""
    mail, _ = here._mail(action("test", message=message), ())  # type: ignore[attr-defined]  # the bytes are the subject here
    found = email.message_from_bytes(mail.as_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def test_names_of_all_languages(tmp_path: Path) -> None:
    """A domain is written as the network has it; subjects and texts stay what they are."""
    here = opened(mail_settings(25, to=("chaos@bücher.example",)), {}, tmp_path)
    found = parsed(
        here, Message(title="网格 – Führungswechsel ✗", lead="Ωραία", tone="bad", facts=(Fact(label="ü", value="é"),))
    )
    assert found["To"] == "chaos@xn--bcher-kva.example"
    assert found["Subject"] == "网格 – Führungswechsel ✗"
    body = found.get_body(("plain",))
    assert body is not None
    assert "Ωραία" in body.get_content()


def test_a_title_cannot_add_a_header_or_a_part(tmp_path: Path) -> None:
    """Line breaks of any kind in a title or text stay text."""
    evil = "x\r\nBcc: victim@x.org\r\n\r\n--=_boundary\u2028\x0bX: y\x00"
    found = parsed(opened(mail_settings(25), {}, tmp_path), Message(title=evil, lead=f"{evil}\n.\nQUIT", tone="bad"))
    assert found["Bcc"] is None
    assert "victim" in found["Subject"]
    assert [part.get_content_type() for part in found.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_line_with_a_dot_does_not_end_the_mail(tls: tuple[Path, ssl.SSLContext]) -> None:
    """What follows a lone dot arrives too."""
    box = Mailbox()
    with mail_server(box, tls[0], tls=tls[1]) as port:
        sender(tls[0], port).send(action("test", message=Message(title="t", lead="a\n.\n..b\nlast", tone="bad")), ())
    body = box.mails[0][1].get_body(("plain",))
    assert body is not None
    assert "a\n.\n..b\nlast" in body.get_content().replace("\r\n", "\n")
