"""Sampling while a run goes on: the sampler, what is seen of its rounds, and the samples on their way into the record.

Takes what makes a sampler and a sight of it; gives the sight; writes blocks and the events that name them. Refuses nothing: a
block that cannot be written is told to whoever minds the record, and anything else that breaks ends the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from meshkit_chaos.errors import JournalUnwritable
from meshkit_chaos.journal import events as ev
from meshkit_chaos.journal.blocks import encode_block
from meshkit_chaos.journal.recorder import Recorder
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure.watch import Reading
from meshkit_chaos.run.sight import ReadIndicator, Sight
from meshkit_chaos.slo import Indicator

_FLUSH_EVERY_S: Final = 1.0
_LAST_ROUNDS_S: Final = 2.0


class Sampling(Protocol):
    """What a run needs of a sampler: it runs until stopped, tells of rounds and of its sources, and reads indicators."""

    @property
    def recorder(self) -> Recorder: ...
    def follow(self, listener: Callable[[Round], None]) -> None: ...
    def tell(self, listener: Callable[[ev.AnyEvent], object]) -> None: ...
    def latest(self, indicator: Indicator, held: Any, *, expected: Any, restarted: Any) -> Reading: ...
    async def run(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """Where measuring puts what comes of it.

    ``record`` appends an event; ``keep`` writes a block and gives its name, or raises JournalUnwritable, of which ``lose`` is
    told; ``broke`` hears of whatever breaks in the background.
    """

    record: Callable[[ev.AnyEvent], object]
    keep: Callable[[bytes], str]
    lose: Callable[[JournalUnwritable], None]
    broke: Callable[[BaseException], None]


class Measuring:
    """Of one run, from ``start`` to ``stop``. Before and after, nothing is in the background."""

    def __init__(
        self, make_sampler: Callable[[], Sampling], make_sight: Callable[[ReadIndicator], Sight], outlet: Outlet
    ) -> None:
        self._make_sampler = make_sampler
        self._make_sight = make_sight
        self._outlet = outlet
        self._sampler: Sampling | None = None
        self._sight: Sight | None = None
        self._background: list[asyncio.Task[None]] = []

    @property
    def sight(self) -> Sight:
        """What was seen so far. Only where it was started: the machine asks for nothing to be seen before."""
        assert self._sight is not None
        return self._sight

    @property
    def started(self) -> bool:
        return self._sight is not None

    def start(self, *also: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin to sample, to flush, and to do whatever else goes on in the background for as long."""
        self._sampler = sampler = self._make_sampler()
        self._sight = self._make_sight(sampler.latest)
        sampler.tell(self._outlet.record)
        sampler.follow(self._sight.on_round)
        for work in (sampler.run, self._flush_often, *also):  # the sampler first: it is waited for
            task = asyncio.create_task(work())
            task.add_done_callback(self._ended)
            self._background.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._outlet.broke(error)

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            self._flush()

    def _flush(self) -> None:
        block = self._sampler.recorder.take_block() if self._sampler else None
        if block is None:
            return
        data = encode_block(block)
        try:
            name = self._outlet.keep(data)
        except JournalUnwritable as error:
            self._outlet.lose(error)
            return
        samples = sum(len(series.times) for series in block.series)
        self._outlet.record(ev.SamplesFlushed(block=name, bytes=len(data), rounds=len(block.rounds), samples=samples))

    async def stop(self) -> None:
        """Let open rounds come to their end (a slow answer is evidence too), but no longer than the slowest may take."""
        background, self._background = self._background, []
        if self._sampler is not None:
            self._sampler.stop()
        if background:  # empty for whoever stops second
            await asyncio.wait(background[:1], timeout=_LAST_ROUNDS_S)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        self._flush()
        self._sampler = None
