"""The runner's end of the watchdog: start it, notice its death, let it go."""

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
LOG: Final = "watchdog.log"


class Watchdog:
    """A started watchdog. It must be ready before the first intent."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log
        self._descriptor = os.pidfd_open(process.pid)

    @classmethod
    def start(cls, run_folder: Path, *, keep: tuple[int, ...] = ()) -> Watchdog:
        """Start it and wait until it watches. ``keep``: descriptors (leases) it holds as long as it lives. Raises CannotRun."""
        me = stat_of(os.getpid())
        assert me is not None
        log = run_folder / LOG
        with log.open("wb") as errors:
            process = subprocess.Popen(
                # -P: a folder that the user happens to stand in must not shadow a module
                [sys.executable, "-P", "-m", "meshkit_chaos.run.watchdog_main", str(run_folder), str(os.getpid()), str(me[1])],
                stdin=subprocess.DEVNULL,
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
                raise CannotRun(f"the watchdog did not start; its words are in {log}")
        return cls(process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    def on_death(self, loop: asyncio.AbstractEventLoop, tell: Callable[[], None]) -> None:
        """Call ``tell`` once if it dies before ``finish``."""

        def died() -> None:
            loop.remove_reader(self._descriptor)
            tell()

        loop.add_reader(self._descriptor, died)

    def ignore_death(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._descriptor)

    def finish(self) -> None:
        """Wait until it has read the journal's end and gone. Without that end, it stays for as long as this process does."""
        os.close(self._descriptor)
        try:
            self._process.wait(timeout=_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.returncode = 0  # it stays on purpose: it has something left to undo when we are gone
            return
        with contextlib.suppress(OSError):
            if self._log.stat().st_size == 0:
                self._log.unlink()
