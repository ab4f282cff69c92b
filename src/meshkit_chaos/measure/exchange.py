"""One question to a metric server over HTTP: an answer within a time and a size, or why there is none.

Takes a ``Door``; gives the JSON body's bytes or ``NoAnswer`` with how long to wait (``Retry-After`` is honoured). Nothing that
a server does gets out of here as an exception, and no secret as text.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from meshkit_chaos.clock import Clock
from meshkit_chaos.measure.access import Door
from meshkit_chaos.measure.source import NoAnswer
from meshkit_chaos.slo import Duration

LARGEST_ANSWER: Final = 64 * 2**20
_LONGEST_QUOTE: Final = 300
_LONGEST_WAIT_S: Final = 300
_REFUSED: Final = frozenset({301, 302, 303, 307, 308, 400, 401, 403, 404, 405})


@dataclass(frozen=True, slots=True)
class _Reply:
    body: bytes
    date: str


class Exchange:
    """Asks one server. ``clock`` is for ``Retry-After`` given as a date."""

    def __init__(self, door: Door, clock: Clock) -> None:
        self._door = door
        self._clock = clock

    async def ask(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        document: object = None,
    ) -> bytes | NoAnswer:
        """``form`` is sent as a form, ``document`` as JSON."""
        reply = await self._asked(method, path, form=form, document=document)
        return reply if isinstance(reply, NoAnswer) else reply.body

    async def date(self, path: str) -> int | NoAnswer:
        """The server's clock as the header of an answer tells it, cut off to seconds, in ns."""
        reply = await self._asked("GET", path, form=None, document=None)
        if isinstance(reply, NoAnswer):
            return reply
        try:
            return round(parsedate_to_datetime(reply.date).timestamp()) * 10**9
        except (ValueError, TypeError, OverflowError):
            return NoAnswer(cause=f"its answer has the date {reply.date!r}; expected one as HTTP has it")

    async def _asked(self, method: str, path: str, *, form: Mapping[str, str] | None, document: object) -> _Reply | NoAnswer:
        door = self._door
        request = door.client.build_request(
            method, f"{door.url}{path}", data=dict(form) if form is not None else None, json=document, headers=_HEADERS
        )
        try:
            async with asyncio.timeout(door.timeout_s):
                return await self._send(request)
        except TimeoutError:
            return NoAnswer(cause=f"no whole answer within {Duration.of_seconds(door.timeout_s)}")
        except httpx2.ConnectError as refused:
            return NoAnswer(cause=f"cannot connect: {self._quoted(_said(refused))}")
        except Exception as broken:  # noqa: BLE001  # whatever a server makes of the exchange, it is an answer that is missing
            return NoAnswer(cause=f"the exchange broke: {self._quoted(_said(broken))}")

    async def _send(self, request: httpx2.Request) -> _Reply | NoAnswer:
        response = await self._door.client.send(request, stream=True)
        try:
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    return NoAnswer(cause=f"answered more than {LARGEST_ANSWER} bytes")
        finally:
            await response.aclose()
        if response.is_success:
            return _Reply(bytes(body), response.headers.get("date", ""))
        status = response.status_code
        return NoAnswer(
            cause=f"answered status {status}: {self._quoted(_message(bytes(body)))}",
            wait=self._wait(response.headers.get("retry-after", "")),
            final=status in _REFUSED,
        )

    def _wait(self, told: str) -> Duration | None:
        """How long a ``Retry-After`` asks for: seconds, or a date."""
        told = told.strip()
        if re.fullmatch(r"\d{1,9}", told):
            return Duration.of_seconds(min(int(told), _LONGEST_WAIT_S))
        try:
            until = parsedate_to_datetime(told).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None
        return Duration.of_seconds(min(max(0.0, until - self._clock.wall_ns() / 10**9), _LONGEST_WAIT_S))

    def _quoted(self, text: str) -> str:
        """A server's words on one line, short, and without our secrets."""
        plain = " ".join(self._door.secrets.redacted(text).split())
        return plain if len(plain) <= _LONGEST_QUOTE else plain[: _LONGEST_QUOTE - 1] + "…"

    def quoted(self, texts: list[str]) -> tuple[str, ...]:
        """What a server said beside its answer."""
        return tuple(self._quoted(text) for text in texts)


_HEADERS: Final = {"Accept": "application/json"}


def _message(body: bytes) -> str:
    """An error's own words, where the body is of a form that these servers use."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return body[:1000].decode("utf-8", errors="replace") or "(nothing)"
    if isinstance(found, dict):
        for name in ("error", "message"):
            if isinstance(said := found.get(name), str) and said:
                return said
    return body[:1000].decode("utf-8", errors="replace")


def _said(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).strip() or type(error).__name__
