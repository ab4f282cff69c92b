"""A storm: many pipelines at once report failures of a few causes, into one history, and all of them send.

``python pipeline_storm.py LOCATION ARTIFACTS ROUTES THREADS OUT...`` is a process of pipelines: each takes its results in,
decides and empties the outbox, as ``notify send`` does, with connections of its own. ``unleash`` starts such processes and says
how long it all took.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from meshkit_chaos.cli.notify_channels import opened_channels, read_routes
from meshkit_chaos.cli.notify_deciding import by_results
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.deliver.ingesting import tell_results
from meshkit_chaos.deliver.outbox import Entry, Outbox
from meshkit_chaos.deliver.worker import Heard, flush
from meshkit_chaos.history.database import database_ns
from meshkit_chaos.history.places import open_place
from meshkit_chaos.history.tables import outbox as table
from meshkit_chaos.slo import Duration

CAUSES = ("election", "rebalance", "replication", "gossip", "shards")
SECOND = 10**9
TOKENS = {"TRACKER_TOKEN": "ghp_verysecrettoken", "CHAT_TOKEN": "xoxb-1-secret"}
ROUTES = """
version: 1
project: mesh
channels:
  - id: tickets
    github: {{repository: acme/mesh, token: {{env: TRACKER_TOKEN}}, api: "{tracker}", lag: 5s}}
  - id: chat
    slack: {{channel: C0123456789, token: {{env: CHAT_TOKEN}}, api: "{chat}/api"}}
routes:
  - {{id: causes, to: [tickets, chat], occasions: [first-failure, still-failing, changed, recovered]}}
"""


@dataclass(frozen=True)
class Storm:
    """``pipelines_s``: until the last pipeline was done; ``last_s``: until the last first failure was delivered."""

    pipelines: int
    pipelines_s: float
    last_s: float
    entries: tuple[Entry, ...]

    def count(self, channel: str, occasion: str, state: str) -> int:
        keys = Counter((one.told.action.channel, one.told.action.occasion, one.told.state) for one in self.entries)
        return keys[channel, occasion, state]

    def most_waiting(self, channel: str) -> int:
        """How many rows wait in the thread in which most do."""
        waiting = [one.told.action for one in self.entries if one.told.state == "pending"]
        return max(Counter(one.thread for one in waiting if one.channel == channel).values(), default=0)


def prepare(folder: Path, count: int) -> list[Path]:
    """Results of so many pipelines: each ran one scenario, and it failed."""
    from history_builder import evidence_of, variant, written  # noqa: PLC0415  # pipelines do not need it
    from virtual_runs import document, scenario_text  # noqa: PLC0415  # as above

    text = scenario_text(objectives="[{converge: one-leader, within: 500ms}]")
    whole = [evidence_of(document(text.replace("id: leader-killed", f"id: {cause}"))) for cause in CAUSES]
    return [
        written(variant(whole[number % len(whole)], number, subject=str(number)), folder / f"{number:04d}")
        for number in range(count)
    ]


def unleash(location: str, folder: Path, outs: list[Path], *, processes: int, threads: int) -> Storm:
    """Let all of them go at once, and wait for the last."""
    begun = time.time_ns()
    arguments = [sys.executable, __file__, location, str(folder / "artifacts"), str(folder / "routes.yaml"), str(threads)]
    started = [
        subprocess.Popen(
            [*arguments, *map(str, outs[number::processes])],
            env={**os.environ, **TOKENS, "TMPDIR": str(folder)},
            stderr=subprocess.PIPE,
        )
        for number in range(processes)
    ]
    for process in started:
        _, error = process.communicate(timeout=900)
        assert process.returncode == 0, error.decode()
    done = time.time_ns()
    with open_place(location, SystemClock(), artifacts=str(folder / "artifacts")) as history:
        entries = Outbox(history.database).entries()
    last = max(one.told.settled_at or 0 for one in entries if one.told.state == "delivered")
    return Storm(len(outs), (done - begun) / SECOND, (last - begun) / SECOND, entries)


@contextlib.contextmanager
def digests_due(location: str, folder: Path) -> Iterator[None]:
    """What waits for the end of the week is due now; afterwards, what is there is sent."""
    with open_place(location, SystemClock(), artifacts=str(folder / "artifacts")) as history:
        with history.database.writing() as connection:
            due = database_ns(connection)
            connection.execute(sa.update(table).where(table.c.state == "pending").values(not_before=due))
        send(location, str(folder / "artifacts"), folder / "routes.yaml", None)
        yield


def send(location: str, artifacts: str, routes: Path, out: str | None) -> None:
    """One pipeline; without results it only empties the outbox."""
    ways = read_routes(routes)
    with open_place(location, SystemClock(), artifacts=artifacts, make=True) as history:
        if out is not None:
            tell_results(history, Path(out), by_results(ways.routing))
        outbox = Outbox(history.database)
        with opened_channels(ways, outbox.open_channels()) as senders:
            flush(outbox, senders, wait=Duration(120 * SECOND), clock=SystemClock(), watching=Heard())


def main(location: str, artifacts: str, routes: str, threads: str, *outs: str) -> None:
    send(location, artifacts, Path(routes), outs[0])
    with ThreadPoolExecutor(int(threads)) as crowd:
        list(crowd.map(lambda out: send(location, artifacts, Path(routes), out), outs[1:]))


if __name__ == "__main__":
    main(*sys.argv[1:])
