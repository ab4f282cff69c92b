"""An event loop whose time is a number: waiting costs nothing, and every instant comes out exact."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting it moves the time on."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self.now_ns += round(timeout * 10**9)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that jumps to the next timer; it is the clock as well."""

    def __init__(self) -> None:
        self.jumping = _JumpingSelector()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now_ns / 10**9

    def monotonic_ns(self) -> int:
        return self.jumping.now_ns

    def wall_ns(self) -> int:
        return self.jumping.now_ns

    def hang(self, ns: int) -> None:
        """As if this thread had been held up: time passes and nothing runs."""
        self.jumping.now_ns += ns


def run_virtually(loop: VirtualLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, then end what is still running, as ``asyncio.run`` does."""
    try:
        return loop.run_until_complete(asyncio.wait_for(work, 3600))
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
