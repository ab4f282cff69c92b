"""The pages from a server: read only, on loopback unless said otherwise, for use behind a proxy that knows who may look.

GET and HEAD only; a request body is never read. A request that names a host which nobody allowed is refused, so a page
elsewhere cannot read ours through a name that it made point here. Every answer forbids framing, sniffing and everything that
the page's own policy does not need. A page is made anew for each request, so it is what the history says now; who has it
already is told so.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import anyio
from anyio import CapacityLimiter, to_thread
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from meshkit_chaos.dashboard import badges, metrics, openapi, paths
from meshkit_chaos.dashboard.api import ENDPOINTS, ROOT, Api, Endpoint, answer
from meshkit_chaos.dashboard.downloads import Download
from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.giving_way import Traffic
from meshkit_chaos.dashboard.live import Watch, messages
from meshkit_chaos.dashboard.pages import policy
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.errors import ChaosError, UsageError
from meshkit_chaos.slo.codec import encode

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "private, no-cache",
}
_NOTHING_ALLOWED: Final = "default-src 'none'; frame-ancestors 'none'; sandbox"
_THREADS: Final = 8
"""So many answers are made at once; the others wait. More would not be faster, and need more connections to the database."""
_STREAMS: Final = 100
_LOOKS: Final = 4
_EVERY: Final = 1.0
_TEXTS: Final = ("text/", "application/json", "image/svg+xml")
_SMALL: Final = 1000
_EFFORT: Final = 4
"""More makes a page hardly smaller, and takes twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What is served. ``told``: the newest deliveries. ``watch``: looks at runs in progress; None: they are not shown.

    ``traffic``: told of each page that is being made.
    """

    site: Site
    feeds: Feeds
    api: Api
    download: Callable[[str], Download | None]
    traffic: Traffic = field(default_factory=Traffic)
    watch: Callable[[], Watch] | None = None
    hosts: Collection[str] = LOOPBACK


class Answer(Struct, frozen=True, kw_only=True):
    """``policy``: what the browser may do with it."""

    body: bytes
    kind: str
    status: int = 200
    policy: str = _NOTHING_ALLOWED
    headers: dict[str, str] = {}


_Make = Callable[[Served, Mapping[str, str], Mapping[str, str]], Answer | None]
"""The path's parts and the parameters → an answer; None: there is no such thing."""


@dataclass(slots=True)
class _Room:
    """How much is done at once, in all."""

    answers: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_THREADS))
    looks: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_LOOKS))
    streams: int = 0


def application(served: Served) -> Starlette:
    """The ASGI application."""
    room = _Room()
    made = [
        Route("/healthz", _alive, methods=["GET"]),
        Route("/metrics", _answering(served, room, _metrics), methods=["GET"]),
        Route("/badge/{path:path}", _answering(served, room, _badge), methods=["GET"]),
        Route("/evidence/{path:path}", _answering(served, room, _evidence), methods=["GET"]),
        Route(openapi.PATH, _answering(served, room, _described), methods=["GET"]),
        *(Route(one.path, _answering(served, room, partial(_asked, one)), methods=["GET"]) for one in ENDPOINTS),
        Route("/api/{path:path}", _answering(served, room, lambda *_: None), methods=["GET"]),
    ]
    if served.watch is not None:
        made.append(Route(f"/{paths.LIVE_STREAM}", partial(_stream, served.watch, room), methods=["GET"]))
    return Starlette(
        routes=[*made, Route("/{path:path}", _answering(served, room, _page), methods=["GET"])],
        exception_handlers={ChaosError: partial(_unreadable, served.site), HTTPException: _refused, 500: _broke},
        middleware=[Middleware(_KnownHosts, hosts=frozenset(one.lower() for one in served.hosts))],
    )


def _page(served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer | None:
    text = served.site.page(parts["path"] or paths.READINESS, asked)
    return None if text is None else Answer(body=text.encode(), kind="text/html; charset=utf-8", policy=_own())


def _own() -> str:
    return f"{policy()}; frame-ancestors 'none'"


def _metrics(served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer:
    del parts, asked
    return Answer(body=served.feeds.metrics().encode(), kind=metrics.CONTENT_TYPE)


def _badge(served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer | None:
    del asked
    text = served.feeds.badge(parts["path"])
    # pages elsewhere show it: that is what it is for
    shown = {"Cross-Origin-Resource-Policy": "cross-origin"}
    return None if text is None else Answer(body=text.encode(), kind=f"{badges.CONTENT_TYPE}; charset=utf-8", headers=shown)


def _evidence(served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer | None:
    del asked
    found = served.download(parts["path"])
    if found is None:
        return None
    kept = {"Content-Disposition": f'attachment; filename="{found.name}"'}
    return Answer(body=found.data, kind="application/octet-stream", headers=kept)


def _described(served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer:
    del served, parts, asked
    return Answer(body=encode(openapi.description()), kind="application/json")


def _asked(endpoint: Endpoint, served: Served, parts: Mapping[str, str], asked: Mapping[str, str]) -> Answer | None:
    found = answer(served.api, endpoint, {**asked, **parts})
    return None if found is None else Answer(body=encode(found), kind="application/json")


def _answering(served: Served, room: _Room, make: _Make) -> Callable[[Request], Any]:
    async def respond(request: Request) -> Response:
        parts = {name: str(value) for name, value in request.path_params.items()}
        return await to_thread.run_sync(answered, request, parts, limiter=room.answers)

    def answered(request: Request, parts: Mapping[str, str]) -> Response:
        with served.traffic.page():
            found = make(served, parts, dict(request.query_params))
        return _missing(served.site, request) if found is None else _response(request, found)

    return respond


def _response(request: Request, found: Answer) -> Response:
    """Text is sent compressed to whoever takes it: a page holds no secret that its length could tell of."""
    tag = f'W/"{hashlib.sha256(found.body).hexdigest()[:32]}"'
    headers = {**HEADERS, "Content-Security-Policy": found.policy, "ETag": tag, **found.headers}
    text = found.kind.startswith(_TEXTS)
    headers |= {"Vary": "Accept-Encoding"} if text else {}
    if found.status == 200 and tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = found.body
    if text and len(body) > _SMALL and takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, _EFFORT, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Response(body, status_code=found.status, headers=headers, media_type=found.kind)


def takes_gzip(header: str) -> bool:
    """Whether a client says that it takes it; one that says nothing is not asked to."""
    for one in header.lower().split(","):
        name, _, weight = one.replace(" ", "").partition(";")
        if name == "gzip":
            return weight.rstrip("0") not in ("q=", "q=.", "q=0.")
    return False


def _missing(site: Site, request: Request) -> Response:
    return _said(request, 404, "there is no such page", "the pages are named at the top of each", site=site)


def _said(request: Request, status: int, error: str, hint: str, *, site: Site | None = None) -> Response:
    """What is wrong: to a program as JSON, to a browser as a page of the ``site``, to everybody else as text."""
    headers = {**HEADERS, "Content-Security-Policy": _NOTHING_ALLOWED}
    if request.url.path.startswith(("/api/", ROOT)):
        body = encode(openapi.Refusal(error=error, hint=hint))
        return Response(body, status_code=status, headers=headers, media_type="application/json")
    if site is not None and "text/html" in request.headers.get("accept", ""):
        headers["Content-Security-Policy"] = _own()
        return Response(site.problem(_place(request), status, error, hint), status, headers=headers, media_type="text/html")
    return PlainTextResponse(f"{error}\n{hint}\n" if hint else f"{error}\n", status_code=status, headers=headers)


def _place(request: Request) -> str:
    """As deep as the address is for a browser, to which an encoded slash is none."""
    told: bytes = request.scope["raw_path"]
    return "x/" * (told.count(b"/") - 1)


async def _alive(request: Request) -> Response:
    """It answers, so it is up; whether the history can be read, the pages tell."""
    return _said(request, 200, "up", "")


async def _stream(watch: Callable[[], Watch], room: _Room, request: Request) -> Response:
    headers = {**HEADERS, "Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Security-Policy": _NOTHING_ALLOWED}
    if request.method == "HEAD":
        return Response(headers=headers, media_type="text/event-stream")
    if room.streams >= _STREAMS:
        return _said(request, 503, f"{_STREAMS} streams are open already", "reload the page instead")
    return StreamingResponse(_looks(watch(), room), headers=headers, media_type="text/event-stream")


async def _looks(watch: Watch, room: _Room) -> AsyncIterator[str]:
    room.streams += 1
    last = None
    try:
        while True:
            look = await to_thread.run_sync(watch.look, limiter=room.looks)
            for message in messages(look, last=last):
                yield message
            last = look.runs
            await anyio.sleep(_EVERY)
    finally:
        room.streams -= 1


async def _unreadable(site: Site, request: Request, error: Exception) -> Response:
    assert isinstance(error, ChaosError)
    return _said(request, 400 if isinstance(error, UsageError) else 503, error.message, error.hint, site=site)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    refusal = _said(request, error.status_code, error.detail, "only GET and HEAD are answered")
    refusal.headers.update(error.headers or {})
    return refusal


async def _broke(request: Request, error: Exception) -> Response:
    del error  # it goes to the log; it may hold what a reader is not to see
    return _said(request, 500, "this page broke: that is a defect of meshkit-chaos", "what broke stands in the server's log")


class _KnownHosts:
    """Refuses what was sent to another name than ours. Whether the server is up, everybody may ask."""

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == "/healthz" or self._knows(scope):
            await self._app(scope, receive, send)
            return
        hint = "if people come by it, allow it with --allow-host"
        await _said(Request(scope), 421, "this server is not known by that name", hint)(scope, receive, send)

    def _knows(self, scope: Scope) -> bool:
        told = [value for name, value in scope["headers"] if name == b"host"]
        return len(told) == 1 and host_of(told[0].decode("latin-1")) in self._hosts


def host_of(header: str) -> str:
    """The name in a Host header, in small letters and without its port."""
    name, colon, port = header.lower().rpartition(":")
    return name if colon and (port.isdigit() or not port) and not name.endswith(":") else header.lower()
