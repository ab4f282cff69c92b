"""An event loop in which time jumps: whenever nothing is ready, it is the next timer's instant. Whole runs take moments."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_WALL_NS = 1_767_225_600_000_000_000  # 2026-01-01, an arbitrary fixed origin
_ORIGIN_S = 1000.0


class _JumpingSelector(selectors.DefaultSelector):
    """Never waits: it tells the loop how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualTimeLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and self.loop is not None:
            if timeout is None:
                raise RuntimeError("every task waits for something that will never come")
            self.loop.jump(timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Threads and real sockets have no place in it: for them no time would pass."""

    def __init__(self) -> None:
        selector = _JumpingSelector()
        self._virtual_now = _ORIGIN_S
        super().__init__(selector)
        selector.loop = self

    def time(self) -> float:
        return self._virtual_now

    def jump(self, seconds: float) -> None:
        if seconds > 0:
            self._virtual_now += seconds


class VirtualClock:
    """The clock of a virtual-time loop. ``wall_ns``: the wall time at which it begins."""

    def __init__(self, loop: VirtualTimeLoop, *, wall_ns: int = _WALL_NS + round(_ORIGIN_S * 1e9)) -> None:
        self._loop = loop
        self._wall_ns = wall_ns - round(_ORIGIN_S * 1e9)

    def monotonic_ns(self) -> int:
        return round(self._loop.time() * 1e9)

    def wall_ns(self) -> int:
        return self.monotonic_ns() + self._wall_ns


def run_virtually(loop: VirtualTimeLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and close the loop, whatever ended it."""
    with contextlib.closing(loop):
        try:
            return loop.run_until_complete(work)
        finally:
            pending = asyncio.all_tasks(loop)
            for task in pending:
                task.cancel()
            if pending:
                loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
