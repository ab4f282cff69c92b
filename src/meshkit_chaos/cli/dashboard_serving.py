"""Serving the dashboard: the real parts put together, and the server's own settings. Refuses to start where it cannot serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from meshkit_chaos.cli.app import say
from meshkit_chaos.cli.dashboard import parts
from meshkit_chaos.cli.histories import open_history
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.errors import CannotRun

if TYPE_CHECKING:
    from meshkit_chaos.dashboard.serve import Served
    from meshkit_chaos.history.index import History

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
    with open_history(history, artifacts=artifacts) as opened:
        opened.database.only_read()
        served = served_parts(opened, host=host, **options)
        say(f"serving {opened.database.name} on http://{f'[{host}]' if ':' in host else host}:{port}; Ctrl-C ends it")
        uvicorn.run(application(served), host=host, port=port, **SETTINGS)


def served_parts(history: History, *, host: str, names: tuple[str, ...] = (), runs: Path | None = None, **shown: Any) -> Served:
    """What is served of a history. ``names``: that people reach it by, beside loopback and ``host``."""
    from meshkit_chaos.dashboard.api import Api  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.downloads import download  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.evidence import build_types  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.live import Watch  # noqa: PLC0415  # only here
    from meshkit_chaos.dashboard.serve import LOOPBACK, Served  # noqa: PLC0415  # only here
    from meshkit_chaos.history.overview import Overview  # noqa: PLC0415  # only here

    build_types()
    site, feeds, evidence = parts(history, **shown, runs=runs, served=True)
    return Served(
        site=site,
        feeds=feeds,
        api=Api(Overview(history.database), feeds, evidence),
        download=lambda path: download(history.database, history.store, path),
        told=site.told,
        watch=(lambda: Watch(runs, SystemClock())) if runs is not None else None,
        hosts=LOOPBACK | {f"[{host}]" if ":" in host else host, *names},
    )
