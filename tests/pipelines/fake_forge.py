"""The one question that the release gate asks of GitHub's API: who approved this run's protected environments."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_ASKED = re.compile(r"/repos/[^/]+/[^/]+/actions/runs/\w+/approvals")


@contextmanager
def forge_api(approvals: list[dict[str, object]], *, token: str) -> Iterator[str]:
    """Serve the approvals on loopback; gives the address. Another path is 404, another token 401."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {token}"
            status = 401 if not known else 200 if _ASKED.fullmatch(self.path) else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(approvals if status == 200 else {"message": "no"}).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
