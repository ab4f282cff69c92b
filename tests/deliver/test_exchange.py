"""One request, tried once: every way in which it can fail is told apart by whether it may have arrived."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from served import Fault, Faulty, certificates, closed_address, served

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.action import Again, Refused, Unsure
from meshkit_chaos.deliver.exchange import Answered, Exchange, Reply, host_of, open_exchange
from meshkit_chaos.deliver.settings import Reach
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.measure.loopback import Answer, Request
from meshkit_chaos.scenario.metric_sources import SecretRef, TlsFiles
from meshkit_chaos.slo import Duration

TOKEN = "xoxb-very-secret"


async def fine(request: Request) -> Answer:
    return Answer.of({"ok": True, "seen": request.body.decode()}, status=201)


def exchange(folder: Path, *, timeout: str = "2s", tls: TlsFiles | None = None) -> Exchange:
    secrets = Secrets(folder=folder, variables={"TOKEN": TOKEN})
    token = secrets.read(SecretRef(env="TOKEN"), what="the token")
    reach = Reach(timeout=Duration.parse(timeout), tls=tls)
    headers = {"Authorization": f"Bearer {token}"}
    return open_exchange(reach, secrets=secrets, folder=folder, clock=ManualClock(), headers=headers)


def spoiled(folder: Path, fault: Fault, *, method: str = "POST", timeout: str = "2s") -> Answered:
    faulty = Faulty(fine, [fault])
    with served(faulty) as url:
        answered = exchange(folder, timeout=timeout).call(method, f"{url}/x", json={"a": "ü"} if method == "POST" else None)
    assert len(faulty.requests) == 1, "an exchange never tries twice"
    return answered


def test_a_success_is_a_reply_with_its_document(tmp_path: Path) -> None:
    """What was sent arrives as it is, with its headers, and the answer can be read."""
    faulty = Faulty(fine)
    with served(faulty) as url:
        answered = exchange(tmp_path).call("POST", f"{url}/x", json={"a": "ü"}, headers={"X-Key": "k"}, query={"b": "c d"})
    assert isinstance(answered, Reply)
    assert answered.status == 201
    assert answered.document() == {"ok": True, "seen": '{"a":"ü"}'}
    (request,) = faulty.requests
    assert request.headers["x-key"] == "k"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.query == {"b": "c d"}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("cut-before", Unsure),
        ("cut-after", Unsure),
        (Answer(status=500, body=b"<h1>oh</h1>"), Unsure),
        (Answer(status=502), Unsure),
        (Answer(status=503), Unsure),
        (Answer(status=503, headers={"Retry-After": "7"}), Again),
        (Answer(status=429), Again),
        (Answer(status=408), Again),
        (Answer(status=400, body=b'{"message":"no"}'), Refused),
        (Answer(status=401), Refused),
        (Answer(status=403), Refused),
        (Answer(status=404), Refused),
        (Answer(status=410), Refused),
        (Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}), Refused),
    ],
    ids=str,
)
def test_a_post_that_may_have_arrived_is_never_said_not_to_have(tmp_path: Path, fault: Fault, expected: type[Answered]) -> None:
    """After something was sent, only an answer that says so proves that nothing was done."""
    assert isinstance(spoiled(tmp_path, fault), expected)


@pytest.mark.parametrize("fault", ["silent", "late", "drip"])
def test_time_runs_out_for_the_whole_of_it(tmp_path: Path, fault: Fault) -> None:
    """A server that does not answer, or byte by byte, holds us no longer than the time-out."""
    began = time.monotonic()
    answered = spoiled(tmp_path, fault, timeout="300ms")
    assert isinstance(answered, Unsure)
    assert "300ms" in answered.why
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("fault", ["oversized", "half"])
def test_a_success_whose_body_is_not_whole_is_still_a_success(tmp_path: Path, fault: Fault) -> None:
    """The status was read, so it arrived; the body is not believed."""
    answered = spoiled(tmp_path, fault)
    assert isinstance(answered, Reply)
    assert answered.broken
    assert answered.document() is None


@pytest.mark.parametrize("fault", ["cut-before", "silent", Answer(status=500)], ids=str)
def test_a_question_is_never_unsure(tmp_path: Path, fault: Fault) -> None:
    """A GET changes nothing: what failed may be asked again."""
    assert isinstance(spoiled(tmp_path, fault, method="GET", timeout="300ms"), Again)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_listens(tmp_path: Path, method: str) -> None:
    """A refused connection is surely no arrival."""
    answered = exchange(tmp_path).call(method, closed_address())
    assert isinstance(answered, Again)
    assert "connect" in answered.why


def test_no_such_host(tmp_path: Path) -> None:
    """A name that cannot be resolved is surely no arrival."""
    answered = exchange(tmp_path, timeout="5s").call("POST", "https://nobody.invalid/services/secret", json={})
    assert isinstance(answered, Again)
    assert "services" not in answered.why


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """Nothing is sent to a server that cannot prove who it is; with its authority it works."""
    faulty = Faulty(fine)
    with served(faulty, tls=certificates(tmp_path)) as url:
        answered = exchange(tmp_path).call("POST", url, json={})
        assert isinstance(answered, Again)
        assert "certificate" in answered.why.lower()
        assert not faulty.requests
        assert isinstance(exchange(tmp_path, tls=TlsFiles(ca="ca.pem")).call("POST", url, json={}), Reply)


def test_plain_text_where_tls_was_expected(tmp_path: Path) -> None:
    """A failed handshake is surely no arrival."""
    with served(fine) as url:
        assert isinstance(exchange(tmp_path).call("POST", url.replace("http:", "https:"), json={}), Again)


@pytest.mark.parametrize(
    ("headers", "wait", "everybody"),
    [
        ({"Retry-After": "30"}, "30s", True),
        ({"Retry-After": "Thu, 01 Jan 2026 00:00:20 GMT"}, "20s", True),
        ({"Retry-After": "Wed, 31 Dec 2025 00:00:20 GMT"}, "0s", True),
        ({"Retry-After": "999999999"}, "1d", True),
        ({"Retry-After": "soon"}, None, True),
        ({"Retry-After": "-5"}, None, True),
        ({}, None, True),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767225660"}, "1m", True),
    ],
)
def test_how_long_a_server_asks_to_wait(tmp_path: Path, headers: dict[str, str], wait: str | None, everybody: bool) -> None:
    """Seconds, a date, or a limit's end are understood and bounded; anything else is as if it was not said."""
    answered = spoiled(tmp_path, Answer(status=429, headers=headers))
    assert answered == Again(
        why="answered status 429: (nothing)", after=None if wait is None else Duration.parse(wait), everybody=everybody
    )


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (Answer.of({"message": "You have exceeded a secondary rate limit."}, status=403), "1m"),
        (Answer(status=403, headers={"Retry-After": "5"}), "5s"),
        (Answer(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1767225660"}), "1m"),
    ],
)
def test_a_403_that_is_a_limit(tmp_path: Path, answer: Answer, wait: str) -> None:
    """GitHub answers some limits with 403: that is later, not never."""
    answered = spoiled(tmp_path, answer)
    assert isinstance(answered, Again)
    assert (answered.after, answered.everybody) == (Duration.parse(wait), True)


def test_statuses_that_the_caller_tells_apart(tmp_path: Path) -> None:
    """What is asked to be seen is given as it is."""
    with served(Faulty(fine, [Answer.of({"message": "gone"}, status=410)])) as url:
        answered = exchange(tmp_path).call("GET", url, seen={410})
    assert isinstance(answered, Reply)
    assert answered.status == 410


def test_a_server_that_repeats_the_secret(tmp_path: Path) -> None:
    """What a server says is on one line, short, printable, and without our secret."""
    said = f"bad token {TOKEN}\x1b[31m\r\nnext\u202e " + "x" * 10_000
    answered = spoiled(tmp_path, Answer.of({"error": said}, status=401))
    assert isinstance(answered, Refused)
    assert TOKEN not in answered.why
    assert "[secret]" in answered.why
    assert answered.why.isprintable()
    assert len(answered.why) < 400


@pytest.mark.parametrize("url", ["", "ftp://x/y", "https://u:very-secret@x/y", "https://", "//x", "https://x:99999999/"])
def test_an_address_that_cannot_be_asked(tmp_path: Path, url: str) -> None:
    """A wrong address is refused before anything is sent, without its password in the sentence."""
    answered = exchange(tmp_path).call("POST", url)
    assert isinstance(answered, Refused | Again)
    assert "very-secret" not in answered.why


def test_only_the_host_of_an_address_is_shown() -> None:
    """A webhook's path is its secret."""
    assert host_of("https://hooks.slack.com/services/T/B/x?y=z") == "https://hooks.slack.com"
    assert host_of("https://u:p@example.org:8443/x") == "https://example.org:8443"


def test_a_packed_answer_is_not_unpacked(tmp_path: Path) -> None:
    """A compressed body was not asked for, and is not believed: it may be a bomb."""
    answered = spoiled(tmp_path, Answer(body=b"\x1f\x8b" + b"0" * 100, headers={"Content-Encoding": "gzip"}))
    assert isinstance(answered, Reply)
    assert "gzip" in answered.broken
