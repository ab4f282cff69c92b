"""The questions that the release gates ask of a platform's API: who approved this run's protected environment."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

_ASKED = re.compile(r"/repos/[^/]+/[^/]+/actions/runs/\w+/approvals")


def forge_api(approvals: list[dict[str, object]], *, token: str) -> AbstractContextManager[str]:
    """Serve GitHub's approvals on loopback; gives the address. Another path is 404, another token 401."""
    return _serving(lambda path: approvals if _ASKED.fullmatch(path) else None, token=token)


APPROVAL = "ee14f612-6838-43c0-b445-db238ef14153"
STAGE = "0c9a5d8b-1b0e-5e0c-8f0e-2d6d2a1a7a11"
CHECKPOINT = "7f6f0c1a-3f45-5d0b-9a53-8a3f3a1f9d02"


def timeline(*approvals: str, stage: str = "__default") -> dict[str, object]:
    """A run's timeline, with what Azure puts around what is read."""
    return {
        "id": "1",
        "changeId": 7,
        "records": [
            {"id": STAGE, "parentId": None, "type": "Stage", "name": stage, "identifier": stage, "state": "inProgress"},
            {"id": CHECKPOINT, "parentId": STAGE, "type": "Checkpoint", "name": "Checkpoint", "identifier": "Checkpoint"},
            *(
                {"id": approval, "parentId": CHECKPOINT, "type": "Checkpoint.Approval", "name": "Checkpoint.Approval"}
                for approval in approvals
            ),
        ],
    }


def azure_approval(*steps: tuple[str, str], status: str = "approved") -> dict[str, object]:
    """One approval. Each step: its status, and who took it (nobody where that is empty)."""
    return {
        "id": APPROVAL,
        "status": status,
        "minRequiredApprovers": 1,
        "steps": [
            {
                "status": state,
                "comment": "",
                "assignedApprover": {"displayName": "Team", "id": "id-of-team", "uniqueName": "vstfs:///team"},
                **(
                    {"actualApprover": {"displayName": "X", "id": f"id-of-{who}", "uniqueName": f"{who}@example.org"}}
                    if who
                    else {}
                ),
            }
            for state, who in steps
        ],
    }


def azure_api(*, build: str, approval: dict[str, object] | None, token: str) -> AbstractContextManager[str]:
    """Serve a run's timeline and its approval, where one was asked for; gives the collection's address, with its slash.

    Another path or query is 404, another token 401.
    """

    def answer(asked: str) -> object:
        url = urlsplit(asked)
        query = parse_qs(url.query)
        if url.path == f"/org/project-id/_apis/build/builds/{build}/timeline" and query == {"api-version": ["7.1"]}:
            return timeline(*([APPROVAL] if approval else []))
        wanted = {"approvalIds": [APPROVAL], "$expand": ["steps"], "api-version": ["7.1"]}
        if url.path == "/org/project-id/_apis/pipelines/approvals" and query == wanted:
            return {"count": 1, "value": [approval]}
        return None

    return _serving(answer, token=token, below="/org/")


@contextmanager
def _serving(answer: Callable[[str], object], *, token: str, below: str = "") -> Iterator[str]:

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {token}"
            told = answer(self.path) if known else None
            status = 401 if not known else 404 if told is None else 200
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(told if status == 200 else {"message": "no"}).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the base class
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{below}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
