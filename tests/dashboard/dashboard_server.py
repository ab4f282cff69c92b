"""The dashboard of a history, served on loopback by the real server in a thread, and asked as a browser would."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit_chaos.history.index import History

uvicorn: Any = pytest.importorskip("uvicorn", reason="pip install 'meshkit-chaos[dashboard]': the dashboard is served")
pytest.importorskip("starlette", reason="pip install 'meshkit-chaos[dashboard]': the dashboard is served")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Client:
    port: int

    def get(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """The path goes out as it is: no client tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    @contextmanager
    def stream(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
        connection.request("GET", path)
        try:
            yield connection.getresponse()
        finally:
            connection.close()


@contextmanager
def serving(
    history: History, *, runs: Path | None = None, names: tuple[str, ...] = (), policy: Path | None = None
) -> Iterator[Client]:
    """The same parts as the command puts together; the history is read only from then on."""
    from meshkit_chaos.cli.dashboard_serving import served_parts  # noqa: PLC0415  # needs what was looked for above

    history.database.only_read()
    shown: dict[str, Any] = {"policy": policy, "overrides": None, "log": None, "compare": "", "project": "mesh"}
    with answering(served_parts(history, host="127.0.0.1", names=names, runs=runs, **shown)) as client:
        yield client


@contextmanager
def answering(served: Any) -> Iterator[Client]:
    """A server of these parts, on a port of its own."""
    from meshkit_chaos.cli.dashboard_serving import SETTINGS  # noqa: PLC0415  # needs what was looked for above
    from meshkit_chaos.dashboard.serve import application  # noqa: PLC0415  # as above

    settings = uvicorn.Config(application(served), port=0, **{**SETTINGS, "timeout_graceful_shutdown": 1})
    server = uvicorn.Server(settings)
    listening = settings.bind_socket()
    listening.listen(512)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Client(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
        assert not thread.is_alive(), "the server did not end"
