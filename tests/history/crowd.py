"""Many writers at once, for a history in any database: real processes, each with threads that have connections of their own.

``python crowd.py LOCATION ARTIFACTS THREADS OUT...`` takes in every OUT, each in a thread with connections of its own, and
prints what became of it. ``prepare`` makes such folders, ``writer`` starts such a process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from meshkit_chaos.campaign.results import read_results
from meshkit_chaos.clock import SystemClock
from meshkit_chaos.history.places import open_place


def prepare(folder: Path, count: int) -> list[Path]:
    """Results folders of so many different invocations."""
    from history_builder import evidence_of, variant, written  # noqa: PLC0415  # writers do not need it

    whole = evidence_of()
    return [written(variant(whole, number), folder / f"{number:04d}") for number in range(count)]


def writer(location: str, artifacts: Path, outs: Sequence[Path], *, threads: int) -> subprocess.Popen[bytes]:
    """A process that takes these in. What a killed one leaves in its temporary folder goes with the test's own."""
    arguments = [location, str(artifacts), str(threads), *map(str, outs)]
    return subprocess.Popen(
        [sys.executable, __file__, *arguments],
        env={**os.environ, "TMPDIR": str(outs[0].parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def main(location: str, artifacts: str, threads: str, *outs: str) -> None:
    def take_in(out: str) -> None:
        with open_place(location, SystemClock(), artifacts=artifacts, make=True) as history:
            sys.stdout.write(history.add(Path(out)).how + "\n")
            sys.stdout.flush()

    read_results(Path(outs[0]))  # msgspec builds its types on first use, and crashes where two threads do that at once
    with ThreadPoolExecutor(int(threads)) as crowd:
        list(crowd.map(take_in, outs))


if __name__ == "__main__":
    main(*sys.argv[1:])
