"""One request to a chat, tracker or webhook over HTTP, tried once: a whole answer, or which kind of failure it was.

Takes a method, an address and a body; gives ``Reply`` for a success (and for the statuses that the caller wants to see), else
what a sender answers: ``Again`` where it surely did not arrive, ``Unsure`` where it may have, ``Refused`` where it never will.
The time limit is of everything, from the name's resolution to the last byte. Every call has a connection of its own: a kept one
that the server closes just then would leave us unsure for nothing. Nothing that a server does gets out of here as an exception,
and no secret as text; an address is only ever named by its host.
"""

from __future__ import annotations

import asyncio
import json as json_text
import re
import ssl
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
from msgspec import Struct

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import Again, Refused, Unsure
from meshkit_chaos.deliver.settings import Reach
from meshkit_chaos.measure.access import Secrets, tls_context
from meshkit_chaos.slo import Duration

LARGEST_ANSWER: Final = 4 * 2**20
_LONGEST_QUOTE: Final = 300
_LONGEST_WAIT_S: Final = 24 * 3600
_CONNECTING: Final = 0.9
"""The share of the time in which a connection must stand: the client closes what it gave up itself, not what was cancelled."""
_SECONDARY_WAIT: Final = Duration(60 * 10**9)
"""GitHub: "if the retry-after header is not present … wait for at least one minute" (best practices for the REST API)."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "meshkit-chaos"}
_T = TypeVar("_T")


class Reply(Struct, frozen=True, kw_only=True):
    """An answer. Header names are in small letters. ``broken``: why the body is not whole, where it is not."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    broken: str = ""

    def document(self) -> Any | None:
        """The body as JSON, or None where it is none, or not whole."""
        try:
            return None if self.broken else json_text.loads(self.body)
        except (ValueError, RecursionError):
            return None


Answered = Reply | Again | Unsure | Refused


@dataclass(slots=True)
class _Progress:
    """How far a request got."""

    begun: bool = False
    reply: Reply | None = None

    async def trace(self, event: str, _info: Mapping[str, object]) -> None:
        self.begun = self.begun or event.endswith("send_request_headers.started")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """Asks one channel's server. ``clock`` is for ``Retry-After`` given as a date."""

    secrets: Secrets
    clock: Clock
    timeout: Duration
    tls: ssl.SSLContext
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def call(
        self,
        method: str,
        url: str,
        *,
        json: object = None,
        content: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seen: Collection[int] = (),
    ) -> Answered:
        """Try once. ``json`` or ``content`` is the body; ``seen``: statuses beside 2xx that the caller tells apart itself.

        A ``GET`` changes nothing, so it is never ``Unsure``: what failed may be asked again.
        """
        if json is not None:
            content = json_bytes(json)
        typed = {"Content-Type": "application/json; charset=utf-8"} if content is not None else {}
        progress = _Progress()
        try:
            request = httpx2.Request(
                method,
                _address(url),
                params=dict(query) if query else None,
                content=content,
                headers={**_HEADERS, **typed, **self.headers, **(headers or {})},
                extensions={"trace": progress.trace},
            )
        except (ValueError, TypeError, httpx2.InvalidURL) as wrong:
            return Refused(why=f"the request cannot be made: {self.quoted(str(wrong))}", hint="look at the channel's address")
        failure = _run(self._tried(request, progress))
        if progress.reply is None:
            return self._nothing(failure, method=method, begun=progress.begun)
        reply = progress.reply if not failure else _broken(progress.reply, failure)
        return reply if reply.status in seen or 200 <= reply.status < 300 else self._judged(reply, method=method)

    async def _tried(self, request: httpx2.Request, progress: _Progress) -> str:
        """Do it; why it did not go to its end, or nothing."""
        limit = self.timeout.seconds
        within = httpx2.Timeout(None, connect=limit * _CONNECTING)
        try:
            async with asyncio.timeout(limit):
                async with httpx2.AsyncClient(
                    verify=self.tls, trust_env=False, follow_redirects=False, timeout=within
                ) as client:
                    return await _read(client, request, progress)
        except TimeoutError:
            return f"no whole answer within {self.timeout}"
        except httpx2.ConnectTimeout:
            return f"no connection within {Duration.of_seconds(limit * _CONNECTING)}"
        except httpx2.ConnectError as refused:
            return f"cannot connect: {self.quoted(_said(refused))}"
        except Exception as broken:  # noqa: BLE001  # whatever a server makes of the exchange, it is an answer that is missing
            return f"the exchange broke: {self.quoted(_said(broken))}"

    def _nothing(self, failure: str, *, method: str, begun: bool) -> Again | Unsure:
        """There is no answer. Before anything was sent, it surely did not arrive."""
        if method in _SAFE or not begun:
            return Again(why=failure)
        return Unsure(why=f"{failure}; it may have arrived")

    def _judged(self, reply: Reply, *, method: str) -> Again | Unsure | Refused:
        """What an answer that is no success means."""
        status = reply.status
        why = f"answered status {status}: {self.said(reply)}"
        wait = self.wait(reply)
        if status == 429 or (status == 403 and (wait is not None or _secondary(reply))):
            return Again(why=why, after=wait or (_SECONDARY_WAIT if _secondary(reply) else None), everybody=True)
        if status == 503 and wait is not None:
            return Again(why=why, after=wait, everybody=True)
        if status >= 500 or status < 200:
            return Again(why=why, after=wait) if method in _SAFE else Unsure(why=f"{why}; it may have been processed")
        if status in {408, 425}:
            return Again(why=why, after=wait)
        return _refused(status, why)

    def wait(self, reply: Reply) -> Duration | None:
        """How long the answer asks to wait: ``Retry-After`` in seconds or as a date, or GitHub's limit that is used up."""
        told = reply.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", told):
            return Duration.of_seconds(min(int(told), _LONGEST_WAIT_S))
        if told:
            try:
                return self._until(parsedate_to_datetime(told).timestamp())
            except (ValueError, TypeError, OverflowError):
                return None
        reset = reply.headers.get("x-ratelimit-reset", "")
        if reply.headers.get("x-ratelimit-remaining") == "0" and re.fullmatch(r"[0-9]{1,12}", reset):
            return self._until(float(reset))
        return None

    def _until(self, instant: float) -> Duration:
        return Duration.of_seconds(min(max(0.0, instant - self.clock.wall_ns() / 10**9), _LONGEST_WAIT_S))

    def said(self, reply: Reply) -> str:
        """An error's own words, where the body is of a form that servers use."""
        found = reply.document()
        if isinstance(found, dict):
            for name in ("message", "error", "errorMessages", "errors", "detail"):
                if said := found.get(name):
                    return self.quoted(said if isinstance(said, str) else json_text.dumps(said))
        return self.quoted(reply.body[:2000].decode("utf-8", errors="replace")) or "(nothing)"

    def quoted(self, text: str) -> str:
        """A server's words on one line, short, and without our secrets."""
        plain = " ".join(self.secrets.redacted(text).split())
        plain = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in plain)
        return plain if len(plain) <= _LONGEST_QUOTE else plain[: _LONGEST_QUOTE - 1] + "…"


def open_exchange(
    reach: Reach, *, secrets: Secrets, folder: Path, clock: Clock, headers: Mapping[str, str] | None = None
) -> Exchange:
    """``folder``: what the files of ``reach.tls`` are relative to. Raises CannotRun where they cannot be used."""
    tls = tls_context(reach.tls, folder, of="the channel")
    return Exchange(secrets=secrets, clock=clock, timeout=reach.timeout, tls=tls, headers=dict(headers or {}))


def json_bytes(document: object) -> bytes:
    """A document as every channel is sent it: short, in UTF-8. A lone surrogate, which no text may hold, becomes ``?``."""
    return json_text.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def host_of(url: str) -> str:
    """The part of an address that may be shown: scheme, host and port."""
    try:
        parsed = httpx2.URL(url)
        return f"{parsed.scheme}://{parsed.netloc.decode('ascii').rpartition('@')[2]}"
    except (ValueError, httpx2.InvalidURL):
        return "(an address that cannot be read)"


def _address(url: str) -> httpx2.URL:
    parsed = httpx2.URL(url)
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.userinfo:
        raise ValueError(f"{parsed.scheme}://{parsed.host}: expected http(s)://host without user or password")
    return parsed


async def _read(client: httpx2.AsyncClient, request: httpx2.Request, progress: _Progress) -> str:
    response = await client.send(request, stream=True)
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = bytearray()

    def so_far() -> Reply:
        return Reply(status=response.status_code, headers=headers, body=bytes(body))

    progress.reply = so_far()
    try:
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > LARGEST_ANSWER:
                del body[LARGEST_ANSWER:]
                return f"answered more than {LARGEST_ANSWER} bytes"
    finally:
        progress.reply = so_far()
        await response.aclose()
    coding = headers.get("content-encoding", "identity")
    return "" if coding == "identity" else f"answered with content-encoding {coding[:20]}, which was not asked for"


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run to the end on a loop of its own. Unlike ``asyncio.run`` it waits for no thread: a hanging resolver is left behind."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(asyncio.sleep(0))  # a connection that was closed is gone one turn later
        loop.close()


def _broken(reply: Reply, why: str) -> Reply:
    return Reply(status=reply.status, headers=reply.headers, body=reply.body, broken=why)


def _secondary(reply: Reply) -> bool:
    return b"secondary rate limit" in reply.body.lower()


def _refused(status: int, why: str) -> Refused:
    match status:
        case 401:
            return Refused(
                why=why, hint="the token or password is wrong, was revoked, or has expired: give the channel a new one"
            )
        case 403:
            return Refused(why=why, hint="the token may not do this: give it the rights that the channel's how-to names")
        case 404 | 410:
            return Refused(
                why=why, hint="there is nothing at the channel's address any more: look at it, and at the token's rights"
            )
        case 407 | 300 | 301 | 302 | 303 | 304 | 307 | 308:
            return Refused(why=why, hint="redirects are not followed, for credentials would go along: give the final address")
        case _:
            return Refused(
                why=why, who="us", hint="the channel does not take what we sent: report this, with the sentence above"
            )


def _said(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).strip() or type(error).__name__
