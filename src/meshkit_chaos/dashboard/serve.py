"""The pages from a server: read only, on loopback unless said otherwise, for use behind a proxy that knows who may look.

GET and HEAD only. Every answer forbids framing, sniffing and everything that the page's own policy does not need. A page is
made anew for each request, so it is what the history says now.
"""

from __future__ import annotations

from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.pages import policy
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.errors import ChaosError

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def application(site: Site) -> Starlette:
    """The ASGI application."""

    async def answer(request: Request) -> Response:
        path = request.path_params["path"] or paths.READINESS
        text = await run_in_threadpool(site.page, path, dict(request.query_params))
        if text is None:
            return PlainTextResponse("There is no such page.\n", status_code=404, headers=HEADERS)
        return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"})

    return Starlette(
        routes=[Route("/{path:path}", answer, methods=["GET"])],
        exception_handlers={ChaosError: _unreadable, HTTPException: _refused},
    )


async def _unreadable(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, ChaosError)
    return PlainTextResponse(f"{error.message}\n{error.hint}\n", status_code=503, headers=HEADERS)


async def _refused(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return PlainTextResponse(f"{error.detail}\n", status_code=error.status_code, headers=HEADERS)
