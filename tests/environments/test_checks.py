"""Checks against real servers: what holds, what fails and why, and that nothing ever raises or waits too long."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.environments.checks import dotted, run_check
from meshkit_chaos.slo import Check, CheckResult, CommandCheck, Duration, HttpCheck, TcpCheck

SECOND = Duration(10**9)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def saying(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        finally:
            writer.close()

    return serve


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body


def checked(check: Callable[[int], Check], serve: Serve, *, within: Duration = SECOND) -> CheckResult:
    """Run a check against a server on a port of its own."""

    async def work() -> CheckResult:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, httpx2.AsyncClient(trust_env=False) as client:
            port = server.sockets[0].getsockname()[1]
            return await run_check(check(port), client=client, timeout=within)

    return asyncio.run(work())


def asked(**named: object) -> Callable[[int], Check]:
    return lambda port: HttpCheck(url=f"http://127.0.0.1:{port}/", **named)  # type: ignore[arg-type]  # as a document would


@pytest.mark.parametrize(
    ("named", "answer", "ok", "said"),
    [
        ({}, http(b""), True, "status 200"),
        ({}, http(b"", "503 Down"), False, "status 503, expected 200"),
        ({"status": (200, 503)}, http(b"", "503 Down"), True, "status 503"),
        ({"path": "a.0.b"}, http(b'{"a": [{"b": null}]}'), True, "a.0.b is None"),
        ({"path": "a.1.b"}, http(b'{"a": [{"b": 1}]}'), False, "the answer has no a.1.b"),
        ({"path": "health", "equals": "true"}, http(b'{"health": "true"}'), True, "health is 'true'"),
        ({"path": "health", "equals": "true"}, http(b'{"health": "false"}'), False, "health is 'false'"),
        ({"path": "n", "equals": 3.0}, http(b'{"n": 3}'), True, "n is 3"),
        ({"path": "me", "equals_path": "leader"}, http(b'{"me": 7, "leader": 7}'), True, "me is 7"),
        ({"path": "me", "equals_path": "leader"}, http(b'{"me": 7, "leader": 8}'), False, "me is 7"),
        ({"path": "me", "equals_path": "leader"}, http(b'{"me": 7}'), False, "me is 7"),
        ({"path": "a"}, http(b"<html>"), False, "the answer is not JSON"),
        ({"path": "a"}, http(b"[" * 100_000), False, "the answer is not JSON"),
        ({"path": "a"}, http(b'"' + b"x" * (2 * 2**20) + b'"'), False, "the answer is not JSON"),
        ({"path": "a"}, http(b""), False, "the answer is not JSON"),
        ({}, b"SSH-2.0-OpenSSH\r\n", False, ""),
        ({}, b"", False, ""),
    ],
)
def test_http(named: dict[str, object], answer: bytes, ok: bool, said: str) -> None:
    """An answer holds or fails by its status and by what stands at the path, and says what was seen."""
    result = checked(asked(**named), saying(answer))
    assert result.ok is ok, result
    assert result.detail.startswith(said)
    assert result.detail


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.read()
    finally:
        writer.close()


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except OSError:
        return
    finally:
        writer.transport.abort()


def test_a_server_that_never_answers_fails_in_time() -> None:
    """Silence is a failure with its limit, and not a wait."""
    assert checked(asked(), _silent, within=Duration(50 * 10**6)) == CheckResult(False, "no answer within 50ms")


def test_an_endless_answer_is_cut() -> None:
    """A server that never stops talking does not fill our memory."""
    assert checked(asked(path="a"), _endless).detail.startswith("the answer is not JSON")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[::bad/", "nonsense", "http://127.0.0.1:99999/"])
def test_an_address_that_cannot_be_reached_fails(url: str) -> None:
    """No address whatsoever raises."""
    result = checked(lambda port: HttpCheck(url=url), saying(b""))
    assert not result.ok
    assert result.detail


def test_tcp() -> None:
    """An open port holds; a closed one and what is no address fail with the cause."""
    assert checked(lambda port: TcpCheck(address=f"127.0.0.1:{port}"), _silent).ok
    for address in ("127.0.0.1:1", "127.0.0.1", "127.0.0.1:x", ":", "127.0.0.1:99999", "[::1]:1"):
        result = checked(lambda port, address=address: TcpCheck(address=address), _silent)  # type: ignore[misc]  # bound now
        assert not result.ok
        assert result.detail


def talking(answer: bytes, *, closes: bool) -> Serve:
    """Greets, waits for a line, answers in two pieces, and then closes or goes on waiting."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 hello\r\n")
            await reader.readline()
            half = len(answer) // 2
            for piece in (answer[:half], answer[half:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            if not closes:
                await reader.read()
        finally:
            writer.close()

    return serve


@pytest.mark.parametrize(
    ("send", "expect", "answer", "ok", "said"),
    [
        ("ROLE\r\n", "role:master\r\n", b"role:master\r\n", True, "the answer has 'role:master"),
        ("ROLE\r\n", "role:master\r\n", b"role:master-to-be\r\n", False, "the answer has no 'role:master"),
        ("ROLE\r\n", "é", "x é y".encode(), True, "the answer has 'é'"),
        (None, "220 ", b"", True, "the answer has '220 '"),
        ("x\r\n", "220 hello\r\nab", b"abc", True, "the answer has"),
        ("x\r\n", "never", b"z" * (2 * 2**20), False, "the first 1048576 bytes of the answer have no 'never'"),
    ],
)
def test_a_protocol_of_text(send: str | None, expect: str, answer: bytes, ok: bool, said: str) -> None:
    """The expected text may come in pieces, after a greeting; an answer that ends without it is a no, at once."""
    result = checked(
        lambda port: TcpCheck(address=f"127.0.0.1:{port}", send=send, expect=expect), talking(answer, closes=send is not None)
    )
    assert result.ok is ok, result
    assert result.detail.startswith(said)


@pytest.mark.parametrize(
    ("expect", "answer", "ok"),
    [
        ("role:master", b"role:slave +PONG", False),
        ("role:master", b"role:master +PONG", True),
        ("role:master", b"role:slave +PONG role:master", False),
        ("PONG", b"+PONG", True),
    ],
)
def test_an_answer_is_over_where_the_document_says(expect: str, answer: bytes, ok: bool) -> None:
    """What ends the answer decides at once, though the connection stays open; what comes later does not count."""
    result = checked(
        lambda port: TcpCheck(address=f"127.0.0.1:{port}", send="x\n", expect=expect, until="+PONG"),
        talking(answer, closes=False),
        within=Duration(30 * 10**9),
    )
    assert result.ok is ok, result


def test_an_answer_that_goes_on_without_the_text_fails_in_time() -> None:
    """Who never closes the connection is waited for until the time-out, not longer."""
    check = lambda port: TcpCheck(address=f"127.0.0.1:{port}", send="x\n", expect="yes")  # noqa: E731  # one of many like it
    result = checked(check, talking(b"no", closes=False), within=Duration(150 * 10**6))
    assert result == CheckResult(False, "no answer within 150ms")


@pytest.mark.parametrize(
    ("argv", "ok", "said"),
    [
        (("true",), True, "'true' ended with status 0"),
        (("sh", "-c", "exit 7"), False, "'sh' ended with status 7"),
        (("no-such-program",), False, "'no-such-program' cannot be run"),
        (("a\0b",), False, ""),
    ],
)
def test_commands(argv: tuple[str, ...], ok: bool, said: str) -> None:
    """A program holds by its exit status; one that cannot be run fails."""
    result = checked(lambda port: CommandCheck(argv=argv), _silent, within=Duration(5 * 10**9))
    assert result.ok is ok
    assert result.detail.startswith(said)


def test_a_command_that_hangs_is_ended_with_all_its_children() -> None:
    """Its whole group is killed at the time-out, so that nothing is left behind."""
    sleeper = "import subprocess, time; subprocess.Popen(['sleep', '61.5']); time.sleep(60)"
    result = checked(lambda port: CommandCheck(argv=(sys.executable, "-c", sleeper)), _silent, within=Duration(300 * 10**6))
    assert result == CheckResult(False, "no answer within 300ms")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.text(max_size=12))
def test_any_path_into_any_document_is_survived(document: object, path: str) -> None:
    """A path finds something or nothing; it never raises."""
    dotted(document, path)
