"""Senders that die of ``kill -9``: by what they do, so at the same points of their work on a machine that is busy.

``forging`` starts command lines of ``meshkit-chaos`` and knows their process; a ``Reaper`` stands before a server and kills the
one that runs in the middle of a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tracker_world import TOKEN

from meshkit_chaos.measure.loopback import Answer, Handler, Request

When = Literal["begun", "arrived", "processed", "answered"]
"""After the process began; when a request arrived, and nothing is done; when it was processed, and nothing is answered; after
it was answered."""
_SETTLING_S = 0.02
"""About as long as a sender takes from an answer to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """``request``: at which one, counted from 0; of those that write, where ``writing``. ``later``: so many seconds after."""

    when: When
    request: int = 0
    writing: bool = False
    later: float = 0.0


@dataclass
class Forge:
    """Starts ``meshkit-chaos`` command lines. ``pid``: of the one that runs, once ``begun`` is set."""

    process: subprocess.Popen[str]
    pid: int = 0
    begun: threading.Event = field(default_factory=threading.Event)

    def run(self, *arguments: object, kill_after: float | None = None) -> int:
        """How it ended. ``kill_after``: so many seconds after it began."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.begun.clear()
        self.process.stdin.write(json.dumps([str(one) for one in arguments]) + "\n")
        self.process.stdin.flush()
        self.pid = json.loads(self.process.stdout.readline())["pid"]
        self.begun.set()
        if kill_after is not None:
            time.sleep(kill_after)  # the moment of its death is what is drawn
            kill(self.pid)
        return int(json.loads(self.process.stdout.readline())["status"])


@contextlib.contextmanager
def forging() -> Iterator[Forge]:
    script = Path(__file__).with_name("command_forge.py")
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TRACKER_TOKEN": TOKEN},
    )
    try:
        yield Forge(process)
    finally:
        process.kill()
        process.communicate()


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@dataclass
class Reaper:
    """Before a server. ``asked``: how many requests the last sender made; ``first_s``: how long it took to the first one.
    ``forge``: to be set when the server's address is known.
    """

    handler: Handler
    forge: Forge = field(init=False)
    asked: int = 0
    first_s: float = 0.0
    _death: Death | None = None
    _begun: float = 0.0

    def run(self, *arguments: object, death: Death | None = None) -> int:
        """One command line, which dies like this unless it ends before."""
        self._death, self.asked, self._begun = death, 0, time.monotonic()
        early = death is not None and death.when == "begun"
        return self.forge.run(*arguments, kill_after=death.later if death is not None and early else None)

    async def __call__(self, request: Request) -> Answer:
        death = self._death
        if not self.asked:
            self.first_s = time.monotonic() - self._begun
        if death is not None and death.writing and request.method == "GET":
            return await self.handler(request)
        self.asked += 1
        if death is None or death.when == "begun" or self.asked != death.request + 1:
            return await self.handler(request)
        await asyncio.to_thread(self.forge.begun.wait)  # a request may come before it is known who asks
        if death.when == "arrived":
            kill(self.forge.pid)
            raise ConnectionResetError
        answer = await self.handler(request)
        if death.when == "processed":
            kill(self.forge.pid)
            raise ConnectionResetError
        asyncio.get_running_loop().call_later(death.later, kill, self.forge.pid)
        return answer


def drawn(chance: random.Random, *, requests: int, first_s: float) -> Death:
    """One of the moments of a sender that makes so many requests, the first one after so many seconds."""
    when: When = chance.choice(("begun", "arrived", "processed", "answered"))
    longest = {"begun": first_s, "answered": _SETTLING_S}.get(when, 0.0)
    return Death(when=when, request=chance.randrange(requests), later=chance.uniform(0.0, longest))
