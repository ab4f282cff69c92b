"""A real Alertmanager: it takes our alerts, groups them by their labels, and tells that they are over."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from chat_world import OCCASIONS, action, opened
from served import closed_address, served
from test_chat_laws import EVIL

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.deliver.action import Action, Delivered
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import Alertmanager
from meshkit_chaos.measure.loopback import Answer, Request

PROGRAM = "prometheus-alertmanager"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason=f"apt-get install {PROGRAM}: a real Alertmanager is asked"),
]


@dataclass(slots=True)
class Pager:
    """What Alertmanager notifies: one group of alerts after the other."""

    groups: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        self.groups.append(json.loads(request.body))
        return Answer()


@contextmanager
def alertmanager(folder: Path, pager: str) -> Iterator[str]:
    """The address of one that notifies the pager half a second after the first alert of a group, and then every second."""
    url = closed_address()
    routes = {"receiver": "pager", "group_by": ["alertname", "kind"], "group_wait": "500ms", "group_interval": "1s"}
    receivers = [{"name": "pager", "webhook_configs": [{"url": pager, "send_resolved": True}]}]
    (folder / "am.yml").write_text(json.dumps({"route": routes, "receivers": receivers}), encoding="ascii")  # JSON is YAML
    arguments = [f"--config.file={folder / 'am.yml'}", f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
    listening = f"--web.listen-address={url.removeprefix('http://')}"
    with (folder / "am.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, *arguments, listening], stdout=log, stderr=log)
    try:
        with httpx2.Client(trust_env=False) as client:
            until(lambda: _ready(client, url), what="it is ready")
        yield url
    finally:
        process.kill()
        process.wait(10)


def _ready(client: httpx2.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/-/ready").is_success
    except httpx2.TransportError:
        return False


def until(seen: Callable[[], object], *, what: str) -> None:
    ends = time.monotonic() + 30
    while not seen():
        assert time.monotonic() < ends, f"not seen within 30s: {what}"
        time.sleep(0.05)


def tell(sender: Sender, one: Action) -> None:
    assert isinstance(sender.send(one, ()), Delivered), one


def test_causes_are_grouped_and_resolved(tmp_path: Path) -> None:
    """Two causes come as one group; one that is renewed is not told again; one that recovered is told as resolved."""
    pager = Pager()
    with served(pager) as receiver, alertmanager(tmp_path, receiver) as url:
        sender = opened(Alertmanager(id="here", url=url), {}, tmp_path)
        now = SystemClock().wall_ns()
        first, second = (action("first-failure", thread=f"v1:cause-{n}", key=f"k{n}", at=now) for n in (1, 2))
        tell(sender, first)
        tell(sender, second)
        until(lambda: any(len(group["alerts"]) == 2 for group in pager.groups), what="both causes in one group")
        group = next(group for group in pager.groups if len(group["alerts"]) == 2)
        assert group["groupLabels"] == {"alertname": "MeshkitChaos", "kind": "cause"}
        assert {alert["labels"]["thread"] for alert in group["alerts"]} == {"v1:cause-1", "v1:cause-2"}
        assert {alert["status"] for alert in group["alerts"]} == {"firing"}
        alert = group["alerts"][0]
        assert alert["annotations"]["summary"] == OCCASIONS["first-failure"].title
        assert alert["generatorURL"] == "https://chaos.acme.example/01KG/report.html"

        told = len(pager.groups)
        tell(sender, action("still-failing", thread="v1:cause-1", key="k3", at=SystemClock().wall_ns()))
        tell(sender, action("recovered", thread="v1:cause-2", key="k4", at=SystemClock().wall_ns()))
        until(lambda: len(pager.groups) > told, what="the end of one cause")
        ended = {alert["labels"]["thread"]: alert["status"] for alert in pager.groups[-1]["alerts"]}
        assert ended == {"v1:cause-1": "firing", "v1:cause-2": "resolved"}
        assert len(pager.groups) == told + 1, "renewing one is no news"


def test_hostile_texts_are_taken_in(tmp_path: Path) -> None:
    """Whatever stands in a message, Alertmanager takes the alert and hands it on."""
    pager = Pager()
    with served(pager) as receiver, alertmanager(tmp_path, receiver) as url:
        sender = opened(Alertmanager(id="here", url=url), {}, tmp_path)
        tell(sender, action("environment-dirty", message=EVIL, thread="v1:evil\n\ud800", at=SystemClock().wall_ns()))
        until(lambda: pager.groups, what="the alert")
        assert pager.groups[0]["alerts"][0]["labels"]["thread"] == "v1:evil \N{REPLACEMENT CHARACTER}"
