"""Run one check against one member. A failed check is a result; only our own faults raise."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping
from typing import Any, Final

import httpx2

from meshkit_chaos.environments.permission import Allowed
from meshkit_chaos.environments.processes import MARKER_VARIABLE
from meshkit_chaos.environments.reach import FROM_HERE, Reach
from meshkit_chaos.environments.secrets import Secrets
from meshkit_chaos.environments.templates import each_text, render_check
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.slo import Check, CheckResult, CommandCheck, Duration, HttpCheck, TcpCheck

_LARGEST_ANSWER: Final = 1024 * 1024
_PIECE: Final = 65536
_QUOTED: Final = 60
_ABSENT: Final = object()


async def run_secretly(
    check: Check,
    *,
    values: Mapping[str, str],
    secrets: Secrets,
    may_run: Allowed,
    client: httpx2.AsyncClient,
    timeout: Duration,  # noqa: ASYNC109  # part of the check
    marker: str = "",
    reach: Reach = FROM_HERE,
) -> CheckResult:
    """Fill the templates, secrets last, and run it; what it saw is told without any secret.

    A command that the operator did not allow is not run.
    """
    if isinstance(check, CommandCheck) and check.argv not in may_run:
        return CheckResult(False, f"the command {check.argv[0]!r} was not allowed (--allow-commands)")
    filled = each_text(render_check(check, values), secrets.reveal)
    result = await run_check(filled, client=client, timeout=timeout, marker=marker, reach=reach)
    return CheckResult(result.ok, secrets.redactor.text(result.detail))


async def run_check(
    check: Check,
    *,
    client: httpx2.AsyncClient,
    timeout: Duration,  # noqa: ASYNC109  # part of the check
    marker: str = "",
    reach: Reach = FROM_HERE,
) -> CheckResult:
    """Run it; whatever does not answer within ``timeout`` has failed. A command bears ``marker``, where one is given.

    ``reach``: from where TCP is connected and commands are run; ``client`` knows it by itself.
    """
    try:
        async with asyncio.timeout(timeout.seconds):
            match check:
                case HttpCheck():
                    return await _http(check, client)
                case TcpCheck():
                    return await _tcp(check, reach)
                case CommandCheck():
                    return await _command(check, marker, reach)
    except TimeoutError:
        return CheckResult(False, f"no answer within {timeout}")


async def _http(check: HttpCheck, client: httpx2.AsyncClient) -> CheckResult:
    try:
        async with client.stream(check.method, check.url, content=check.body, headers=check.headers) as answer:
            if answer.status_code not in check.status:
                return CheckResult(False, f"status {answer.status_code}, expected {', '.join(map(str, check.status))}")
            if check.path is None:
                return CheckResult(True, f"status {answer.status_code}")
            data = await _read(answer)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        return CheckResult(False, str(error) or type(error).__name__)
    except ExceptionGroup as group:  # the transport's own, for a port that cannot be one
        return CheckResult(False, str(group.exceptions[0]))
    return _compare(check, data)


async def _read(answer: httpx2.Response) -> bytes:
    data = b""
    async for chunk in answer.aiter_bytes():
        data += chunk
        if len(data) > _LARGEST_ANSWER:
            break
    return data


def _compare(check: HttpCheck, data: bytes) -> CheckResult:
    assert check.path is not None
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return CheckResult(False, f"the answer is not JSON: {data[:60]!r}")
    found = dotted(document, check.path)
    if found is _ABSENT:
        return CheckResult(False, f"the answer has no {check.path}")
    if check.equals_path is not None:
        expected = dotted(document, check.equals_path)
        return CheckResult(found == expected and expected is not _ABSENT, f"{check.path} is {found!r}")
    if check.equals is None:
        return CheckResult(True, f"{check.path} is {found!r}")
    return CheckResult(found == check.equals or str(found) == str(check.equals), f"{check.path} is {found!r}")


def dotted(document: Any, path: str) -> Any:
    """Walk ``header.member_id`` or ``peers.0.name``; ``_ABSENT`` where there is nothing."""
    for part in path.split("."):
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return _ABSENT
    return document


async def _tcp(check: TcpCheck, reach: Reach) -> CheckResult:
    host, _, port = check.address.rpartition(":")
    if not port.isdecimal():
        return CheckResult(False, f"{check.address!r} is not host:port")
    try:
        reader, writer = await reach.connect(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        return CheckResult(False, str(error))
    try:
        return CheckResult(True, "connected") if check.expect is None else await _talk(check, reader, writer)
    except OSError as error:
        return CheckResult(False, f"the connection broke: {error}")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _talk(check: TcpCheck, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> CheckResult:
    """Say what is to be said; read until the expected text is there, the other end closes, or it said far too much."""
    assert check.expect is not None
    if check.send is not None:
        writer.write(check.send.encode())
        await writer.drain()
    expected, over, answer = check.expect.encode(), (check.until or "").encode(), bytearray()
    while len(answer) <= _LARGEST_ANSWER:
        piece = await reader.read(_PIECE)
        before = max(0, len(answer) - max(len(expected), len(over)))
        answer += piece
        found, end = answer.find(expected, before), answer.find(over, before) if over else -1
        if found >= 0 and (end < 0 or found + len(expected) <= end + len(over)):
            return CheckResult(True, f"the answer has {check.expect!r}")
        if end >= 0 or not piece:
            return CheckResult(False, f"the answer has no {check.expect!r}: {bytes(answer[:_QUOTED])!r}")
    return CheckResult(False, f"the first {_LARGEST_ANSWER} bytes of the answer have no {check.expect!r}")


async def _command(check: CommandCheck, marker: str, reach: Reach) -> CheckResult:
    marked = {MARKER_VARIABLE: marker} if marker else {}  # so that it ends with the members when nobody else can end it
    try:
        async with reach.way_in() as way:
            process = await asyncio.create_subprocess_exec(
                *((*way.words, check.argv[0]) if way.words else ()),
                *check.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env={**os.environ, **marked},
                pass_fds=way.descriptors,
            )
    except (OSError, ValueError, EnvironmentProblem) as error:
        return CheckResult(False, f"{check.argv[0]!r} cannot be run: {error}")
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    return CheckResult(status == 0, f"{check.argv[0]!r} ended with status {status}")
