"""The runner's end of the watchdog: start it, show it signs of life, notice its death, let it go."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from meshkit_chaos.environments.processes import stat_of
from meshkit_chaos.errors import CannotRun

_READY_WITHIN_S: Final = 15.0
_END_WITHIN_S: Final = 5.0
_SIGN_EVERY_S: Final = 1.0
LOG: Final = "watchdog.log"
_COMMAND: Final = (sys.executable, "-P", "-m", "meshkit_chaos.run.watchdog_main")
"""``-P``: a folder that the user happens to stand in must not shadow a module."""


class Watchdog:
    """A started watchdog. It must be ready before the first intent."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._descriptor = os.pidfd_open(process.pid)
        assert process.stdin is not None
        self._signs = process.stdin
        os.set_blocking(self._signs.fileno(), False)
        self._next_sign: asyncio.TimerHandle | None = None

    @classmethod
    def start(cls, run_folder: Path, *, keep: tuple[int, ...] = ()) -> Watchdog:
        """Start it and wait until it watches. ``keep``: descriptors (leases) it holds as long as it lives. Raises CannotRun."""
        me = stat_of(os.getpid())
        assert me is not None
        log = run_folder / LOG
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [*_COMMAND, str(run_folder.absolute()), str(os.getpid()), str(me[1])],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                pass_fds=keep,
            )
        assert process.stdout is not None
        with process.stdout as out:
            readable, _, _ = select.select([out], [], [], _READY_WITHIN_S)
            if not readable or out.readline() != b"ready\n":
                process.kill()
                process.wait()
                assert process.stdin is not None
                process.stdin.close()
                raise CannotRun(f"the watchdog did not start; its words are in {log}")
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def show_life(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give a sign of life now, and again and again for as long as the loop turns and nobody says ``leave``."""
        with contextlib.suppress(OSError):  # that it died is told elsewhere; that the pipe is full, it has had enough of them
            self._signs.write(b".")
        self._next_sign = loop.call_later(_SIGN_EVERY_S, self.show_life, loop)

    def on_death(self, loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
        """Call ``tell`` once if it dies before ``finish``."""

        def died() -> None:
            loop.remove_reader(self._descriptor)
            tell()

        loop.add_reader(self._descriptor, died)

    def leave(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is about to end: its death is of no interest any more, and no sign of life is to be missed."""
        loop.remove_reader(self._descriptor)
        if self._next_sign is not None:
            self._next_sign.cancel()
        self._signs.close()

    def finish(self) -> None:
        """Wait until it has read the journal's end and gone. Without that end, it stays for as long as this process does."""
        os.close(self._descriptor)
        self._signs.close()
        try:
            self._process.wait(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it stays on purpose: it has something left to undo when we are gone
            return
        with contextlib.suppress(OSError):
            if self._log.stat().st_size == 0:
                self._log.unlink()
