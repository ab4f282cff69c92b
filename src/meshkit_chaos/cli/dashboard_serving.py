"""Serving the dashboard: the real parts put together, and the server's own settings. Refuses to start where it cannot serve."""

from __future__ import annotations

import gc
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.dashboard import sources
from meshkit_chaos.cli.histories import open_history
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import CannotRun

if TYPE_CHECKING:
    from meshkit_chaos.dashboard.serve import Served
    from meshkit_chaos.history.index import History

GARBAGE: Final = (100_000, 50, 100)
"""When the interpreter looks for cycles. Thousands of remembered results are no garbage, and with its usual numbers it looks
through all of them in the middle of a page: 200 ms where the page takes 30."""
SETTINGS: Final[dict[str, Any]] = {
    "log_level": "warning",
    "access_log": False,
    "server_header": False,
    "proxy_headers": False,
    "http": "h11",
    "ws": "none",
    "lifespan": "off",
    "limit_concurrency": 500,
    "timeout_graceful_shutdown": 5,
}
"""Of the server. Whoever comes beyond ``limit_concurrency`` is told to come again; answers under way have 5 s at the end."""


def serve(*, history: str, artifacts: str | None, host: str, port: int, **options: Any) -> None:
    """Until it is interrupted or told to end. Raises CannotRun where what serves is not installed, and HistoryProblem."""
    try:
        import uvicorn  # noqa: PLC0415  # only here

        from meshkit_chaos.dashboard.serve import application  # noqa: PLC0415  # only here
    except ImportError as error:
        raise CannotRun(
            f"serving needs {error.name}, which is not installed",
            hint="pip install 'meshkit-chaos[dashboard]', or use `meshkit-chaos dashboard export`, which needs nothing more",
        ) from error
    gc.set_threshold(*GARBAGE)
    with open_history(history, artifacts=artifacts) as opened:
        opened.database.only_read()
        served = served_parts(opened, host=host, **options)
        with listening(host, port) as door:
            say(f"serving {opened.database.name} on http://{_bracketed(host)}:{door.getsockname()[1]}; Ctrl-C ends it")
            server = uvicorn.Server(uvicorn.Config(application(served), **SETTINGS))
            for wanted in (signal.SIGINT, signal.SIGTERM):
                # the server raises them once more when it has ended: being told to end is no failure
                signal.signal(wanted, lambda *_: None)
            server.run(sockets=[door])


def listening(host: str, port: int) -> socket.socket:
    """The place where people come in. Raises CannotRun where it cannot be had."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, UnicodeError) as error:
        raise CannotRun(
            f"{_bracketed(host)}:{port} cannot be listened on: {getattr(error, 'strerror', None) or error}",
            hint="another program may have it: name another --port, or 0 for a free one",
        ) from error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def served_parts(history: History, *, host: str, names: tuple[str, ...] = (), runs: Path | None = None, **shown: Any) -> Served:
    """What is served of a history. ``names``: that people reach it by, beside loopback and ``host``."""
    from meshkit_chaos.dashboard.api import Api  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.downloads import download  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.evidence import build_types  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.feeds import Feeds  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.live import Watch  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.serve import LOOPBACK, Served  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.site import Site  # noqa: PLC0415  # only here

    build_types()
    made_of = sources(history, **shown, runs=runs, served=True)
    feeds = Feeds(made_of)
    return Served(
        site=Site(made_of),
        feeds=feeds,
        api=Api(made_of.reader, feeds, made_of.evidence),
        traffic=made_of.decider.traffic,
        download=lambda path: download(history.database, history.store, path),
        watch=(lambda: Watch(runs, SystemClock())) if runs is not None else None,
        hosts=LOOPBACK | {_bracketed(host), *names},
    )
