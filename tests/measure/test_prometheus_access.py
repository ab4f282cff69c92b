"""How metric servers are reached: credentials, certificates, flavours, and what is said where something is wrong."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from metric_source import door, external
from misbehaving_targets import closed_address

from meshkit_chaos.clock import ManualClock, SystemClock
from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.access import Secrets, open_door, tls_context
from meshkit_chaos.measure.connecting import Connection
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.fake_prometheus import FakePrometheus
from meshkit_chaos.measure.loopback import Answer, Handler, Request, serving
from meshkit_chaos.measure.prometheus_api import PrometheusApi
from meshkit_chaos.measure.sampler import Sampler
from meshkit_chaos.measure.source import Fetched, NoAnswer, Window
from meshkit_chaos.promql import labels_of
from meshkit_chaos.scenario.metric_sources import Access, BasicAuth, Flavour, SecretRef, TlsFiles
from meshkit_chaos.slo import Band, Check, CheckResult, Duration, Indicator

T = TypeVar("T")
SECOND = 10**9
CLOCK = ManualClock()
WINDOW = Window(start=CLOCK.wall_ns() - 10 * SECOND, end=CLOCK.wall_ns())


def asking(handler: Handler, ask: Callable[[PrometheusApi], Awaitable[T]], flavour: Flavour = "prometheus") -> T:
    async def main() -> T:
        way = door(handler)
        async with way.client:
            return await ask(PrometheusApi(Exchange(way, CLOCK), flavour=flavour))

    return asyncio.run(main())


def reached(
    handler: Handler,
    access: Access,
    *,
    variables: dict[str, str] | None = None,
    folder: Path = Path(),
    tenant: str = "",
    tls: ssl.SSLContext | None = None,
) -> int | NoAnswer:
    """What ``time()`` gives over a real connection."""

    async def main() -> int | NoAnswer:
        async with serving(handler, tls=tls) as url:
            secrets = Secrets(folder=folder, variables=variables or {})
            filled = Access(
                url="${var.prom}",
                headers=access.headers,
                basic=access.basic,
                bearer=access.bearer,
                tls=access.tls,
                timeout=access.timeout,
            )
            way = open_door(filled, secrets=secrets, folder=folder, variables={"prom": url}, tenant=tenant)
            async with way.client:
                return await PrometheusApi(Exchange(way, CLOCK), flavour="prometheus").now()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("flavour", "sent"),
    [
        ("prometheus", {}),
        ("thanos", {"partial_response": "false", "max_source_resolution": "0s"}),
        ("mimir", {}),
        ("victoriametrics", {"nocache": "1", "deny_partial_response": "1"}),
    ],
)
def test_each_flavour_is_told_not_to_give_half_an_answer(flavour: Flavour, sent: dict[str, str]) -> None:
    """What a server needs to answer with all raw samples or none goes with every query."""
    fake = FakePrometheus(CLOCK)
    asking(fake.handle, lambda api: api.raw("up", WINDOW), flavour)
    (form,) = fake.asked
    assert sent.items() <= form.items()
    assert form["query"] == "up[10000ms]"
    assert form["time"] == f"{WINDOW.end / 10**9:.3f}"


@pytest.mark.parametrize("closed", [True, False])
def test_a_sample_at_a_windows_border_is_given_once(closed: bool) -> None:
    """Neighbouring windows share no sample and lose none, whichever way the server treats the border."""
    fake = FakePrometheus(CLOCK, closed=closed)
    labels = labels_of("up", {"instance": "a"})
    times = [WINDOW.start + number * SECOND for number in range(11)]
    for time in times:
        fake.add(labels, time, 1)
    middle = times[5]
    found: list[int] = []
    for window in (Window(start=WINDOW.start, end=middle), Window(start=middle, end=WINDOW.end)):
        answer = asking(fake.handle, lambda api, window=window: api.raw("up", window))  # type: ignore[misc]  # bound at once
        assert isinstance(answer, Fetched)
        found += answer.series[0].times
    assert found == times[1:]


def test_special_values_come_as_they_are() -> None:
    """NaN and the infinities are values of the server, and stay what they are."""
    fake = FakePrometheus(CLOCK)
    for place, value in enumerate((float("inf"), float("-inf"), float("nan"), 1.5)):
        fake.add(labels_of("m", {}), WINDOW.end - (4 - place) * SECOND, value)
    answer = asking(fake.handle, lambda api: api.raw("m", WINDOW))
    assert isinstance(answer, Fetched)
    assert [str(value) for value in answer.series[0].values] == ["inf", "-inf", "nan", "1.5"]


@pytest.mark.parametrize(
    ("answer", "cause", "wait"),
    [
        (Answer.of({"status": "error", "error": "slow down"}, status=429, Retry_After="7"), "slow down", Duration(7 * SECOND)),
        (
            Answer.of({"message": "later"}, status=503, Retry_After="Thu, 01 Jan 2026 00:00:30 GMT"),
            "later",
            Duration(30 * SECOND),
        ),
        (Answer.of({"error": "x"}, status=503, Retry_After="soon"), "status 503", None),
        (Answer.of({"status": "error", "error": "bad query"}), "bad query", None),
        (Answer(body=b"<html>login</html>"), "not the Prometheus API's", None),
        (Answer(body=b'{"status":"success","data":{"resultType":"matrix","res', cut=40), "cut short", None),
        (Answer.of({"status": "success", "data": {"resultType": "vector", "result": []}}), "a vector where raw", None),
        (Answer(status=302, headers={"Location": "http://elsewhere/"}), "status 302", None),
    ],
)
def test_what_is_no_answer_says_why(answer: Answer, cause: str, wait: Duration | None) -> None:
    """Errors, pages, cuts and redirects give a cause, and how long the server wants to be left alone."""

    async def handle(request: Request) -> Answer:
        return answer

    found = asking(handle, lambda api: api.raw("up", WINDOW))
    assert isinstance(found, NoAnswer)
    assert cause in found.cause
    assert found.wait == wait


def test_credentials_are_sent_and_never_told() -> None:
    """Bearer, basic, tenant and headers reach the server; where it repeats them, they are taken out."""
    seen: list[dict[str, str]] = []

    async def repeating(request: Request) -> Answer:
        seen.append(dict(request.headers))
        said = f"no: {request.headers['authorization']} {request.headers.get('x-extra', '')}"
        return Answer.of({"status": "error", "error": said}, status=401)

    variables = {"TOKEN": "sesame-open", "PASSWORD": "s3cret-pass", "EXTRA": "extra-value"}
    bearer = Access(url="", bearer=SecretRef(env="TOKEN"), headers={"X-Extra": SecretRef(env="EXTRA")})
    refused = reached(repeating, bearer, variables=variables, tenant="team-a")
    assert isinstance(refused, NoAnswer)
    assert "status 401" in refused.cause
    assert refused.final
    basic = Access(url="", basic=BasicAuth(user="u", password=SecretRef(env="PASSWORD")))
    again = reached(repeating, basic, variables=variables)
    assert isinstance(again, NoAnswer)
    for value in (*variables.values(), base64.b64encode(b"u:s3cret-pass").decode()):
        assert value not in refused.cause + again.cause
    assert "[secret]" in refused.cause
    assert seen[0]["authorization"] == "Bearer sesame-open"
    assert seen[0]["x-extra"] == "extra-value"
    assert seen[0]["x-scope-orgid"] == "team-a"
    assert base64.b64decode(seen[1]["authorization"].removeprefix("Basic ")) == b"u:s3cret-pass"


def test_a_secret_may_lie_in_a_file_beside_the_document(tmp_path: Path) -> None:
    """A file's last line feed is not of the secret."""
    (tmp_path / "token").write_text("from-a-file\n", encoding="utf-8")
    secrets = Secrets(folder=tmp_path, variables={})
    assert secrets.read(SecretRef(file="token"), what="the token") == "from-a-file"


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (SecretRef(env="MISSING"), "the environment variable MISSING is not set"),
        (SecretRef(env="EMPTY"), "is empty or holds control characters"),
        (SecretRef(env="LINES"), "is empty or holds control characters"),
        (SecretRef(file="nowhere"), "cannot be read: No such file"),
    ],
)
def test_a_secret_that_cannot_be_used_is_an_error_before_anything(reference: SecretRef, said: str, tmp_path: Path) -> None:
    """What is missing, empty or would break a header is refused, with where it was looked for and not what was found."""
    secrets = Secrets(folder=tmp_path, variables={"EMPTY": "", "LINES": "top-one\nsecret-two"})
    with pytest.raises(CannotRun) as refused:
        secrets.read(reference, what="the token")
    assert said in str(refused.value)
    assert "secret-two" not in str(refused.value)


def test_an_address_from_a_variable_holds_no_credentials(tmp_path: Path) -> None:
    """User and password in an address would be recorded; they are refused and not repeated."""
    with pytest.raises(CannotRun) as refused:
        open_door(
            Access(url="${var.prom}"),
            secrets=Secrets(folder=tmp_path, variables={}),
            folder=tmp_path,
            variables={"prom": "http://u:hunter22@prom:9090"},
        )
    assert "hunter22" not in str(refused.value)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of our own, a certificate for loopback and one for a client."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(folder, "req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=our own authority", *usage)
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("client", "subjectAltName=DNS:client")):
        _openssl(folder, "req", *key[:-2], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / f"{name}.ext").write_text(extension, encoding="ascii")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signing)
    return folder


def _server_side(folder: Path, *, asks_for_client: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(folder / "ca.pem")
    return context


@pytest.mark.parametrize(
    ("files", "asks_for_client", "works"),
    [
        (TlsFiles(ca="ca.pem"), False, True),
        (TlsFiles(insecure=True), False, True),
        (None, False, False),
        (TlsFiles(ca="ca.pem", certificate="client.pem", key="client.key"), True, True),
        (TlsFiles(ca="ca.pem"), True, False),
    ],
)
def test_certificates_decide_who_is_believed(
    certificates: Path, files: TlsFiles | None, asks_for_client: bool, works: bool
) -> None:
    """An authority of our own is believed where it is given; a server that wants to know us gets our certificate."""
    fake = FakePrometheus(CLOCK)
    tls = _server_side(certificates, asks_for_client=asks_for_client)
    found = reached(fake.handle, Access(url="", tls=files), folder=certificates, tls=tls)
    assert isinstance(found, int) is works, found


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    """A file that is no PEM is an error before anything is asked."""
    (tmp_path / "ca.pem").write_text("not a certificate", encoding="ascii")
    with pytest.raises(CannotRun, match="certificates of the metric source"):
        tls_context(TlsFiles(ca="ca.pem"), tmp_path)


def test_a_server_that_stalls_is_given_up_in_time() -> None:
    """No answer within the time-out is a cause, not a wait."""

    async def stalling(request: Request) -> Answer:
        await asyncio.sleep(30)
        return Answer()

    found = reached(stalling, Access(url="", timeout=Duration(50 * 10**6)))
    assert isinstance(found, NoAnswer)
    assert "no whole answer within 50ms" in found.cause


def test_lag_and_interval_give_the_time_to_wait() -> None:
    """A round is known after its interval, its lag and one more request."""
    assert external(every=Duration(SECOND), lag=Duration(2 * SECOND)).sample_lag == Duration(4 * SECOND)


def test_an_indicator_says_why_nothing_is_known(tmp_path: Path) -> None:
    """As long as the server cannot be reached, readings are unknown and name the cause; the journal is told once."""
    indicator = Indicator(name="one-leader", query="sum(leads)", band=Band.parse("== 1"))
    described = external(access=Access(url=closed_address().removesuffix("/metrics")))
    clock = SystemClock()
    sampler = Sampler(
        indicators=[indicator],
        members=["a"],
        targets={},
        every=described.every,
        timeout=described.access.timeout,
        check=_never,
        clock=clock,
        external=Connection(external=described, values={"a": "a:1"}, folder=tmp_path, clock=clock),
    )
    told: list[ev.AnyEvent] = []
    sampler.tell(told.append)

    async def main() -> None:
        task = asyncio.create_task(sampler.run())
        async with asyncio.timeout(5):
            while not told:  # noqa: ASYNC110  # the sampler is asked, as the engine asks it
                await asyncio.sleep(0.01)
        sampler.stop()
        await task

    asyncio.run(main())
    reading = sampler.latest(indicator)
    assert reading.state == "unknown"
    assert "no round of 'scrape' yet: cannot connect" in reading.detail
    (problem,) = told
    assert isinstance(problem, ev.ProblemNoted)
    assert "cannot connect" in problem.message


def test_members_that_look_alike_to_the_source_are_refused(tmp_path: Path) -> None:
    """Of two members with one label value the second would never be missed."""
    clock = SystemClock()
    connection = Connection(external=external(), values={"a": "same", "b": "same"}, folder=tmp_path, clock=clock)

    async def main() -> None:
        async with connection.open([], on_round=lambda *_: None, note=lambda _: None):
            pass

    with pytest.raises(CannotRun, match="gives several members the same value"):
        asyncio.run(main())


async def _never(member: str, check: Check, within: Duration) -> CheckResult:
    raise AssertionError("no probe was asked for")
