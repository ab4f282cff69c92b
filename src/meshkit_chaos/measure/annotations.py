"""Fault windows as annotations in Grafana: opened when a fault is injected, closed when it was undone.

Takes the journal's entries as they are written, and a way to connect; posts marks in the background. A mark becomes a region
only once its fault is undone, so a crash leaves an open one. What Grafana does with them changes nothing in a run: a mark that
cannot be written is noted, once for each cause.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final

from meshkit_chaos.errors import CannotRun
from meshkit_chaos.journal import events as ev
from meshkit_chaos.measure.exchange import Exchange
from meshkit_chaos.measure.source import NoAnswer

TAG: Final = "meshkit-chaos"
_MS: Final = 10**6
_DRAIN_S: Final = 1.5
_TRIES: Final = 3
_PAUSE_S: Final = 0.3

Connect = Callable[[], AbstractAsyncContextManager[Exchange]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    node: str
    at: int
    text: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Close:
    node: str
    at: int
    text: str = ""


class Annotator:
    """``read`` is a reader of the journal; ``run`` does the writing."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._note: Callable[[str], object] = lambda _: None
        self._marks: asyncio.Queue[_Open | _Close | None] = asyncio.Queue()
        self._ids: dict[str, tuple[int, str]] = {}
        self._wall: int | None = None
        self._tags: tuple[str, ...] = ()
        self._noted: set[str] = set()

    def read(self, entry: ev.Entry) -> None:
        """Take notice of one entry; never waits."""
        event = entry.event
        if isinstance(event, ev.RunStarted):
            self._wall = event.wall_ns - entry.t
            scenario = event.plan.scenario
            self._tags = (TAG, f"run:{event.run}", f"scenario:{scenario.id}", f"environment:{event.environment_id}")
        elif self._wall is not None:
            mark = self._mark(event, (entry.t + self._wall) // _MS)
            if mark is not None:
                self._marks.put_nowait(mark)

    def _mark(self, event: ev.AnyEvent | ev.Unknown, at: int) -> _Open | _Close | None:
        match event:
            case ev.FaultIntended():
                text = f"{event.fault} on {', '.join(event.members)} ({event.node})"
                return _Open(node=event.node, at=at, text=text, tags=(*self._tags, f"fault:{event.fault}"))
            case ev.RevertDone():
                return _Close(node=event.node, at=at)
            case ev.FaultFailed():
                return _Close(node=event.node, at=at, text="the injection failed")
            case _:
                return None

    def tell(self, note: Callable[[str], object]) -> None:
        """Say where what goes wrong is noted."""
        self._note = note

    def stop(self) -> None:
        """Write what is waiting, then return from ``run``."""
        self._marks.put_nowait(None)

    async def run(self) -> None:
        """Write marks in the order in which they came, until stopped or cancelled."""
        try:
            async with self._connect() as exchange:
                while (mark := await self._marks.get()) is not None:
                    await self._write(exchange, mark)
        except CannotRun as error:
            self._note(f"no annotation is written: {error.message}")

    async def _write(self, exchange: Exchange, mark: _Open | _Close) -> None:
        for attempt in range(_TRIES):
            failed = await (self._open(exchange, mark) if isinstance(mark, _Open) else self._close(exchange, mark))
            if failed is None:
                return
            if failed.final or attempt + 1 == _TRIES:
                self._complain(mark, failed.cause)
                return
            wait = min(failed.wait.seconds if failed.wait else _PAUSE_S, _DRAIN_S)
            await asyncio.sleep(wait)

    async def _open(self, exchange: Exchange, mark: _Open) -> NoAnswer | None:
        document = {"time": mark.at, "tags": list(mark.tags), "text": mark.text}
        answer = await exchange.ask("POST", "/api/annotations", document=document)
        if isinstance(answer, NoAnswer):
            return answer
        try:
            self._ids[mark.node] = (int(json.loads(answer)["id"]), mark.text)
        except (ValueError, KeyError, TypeError):
            return NoAnswer(cause="its answer holds no id", final=True)
        return None

    async def _close(self, exchange: Exchange, mark: _Close) -> NoAnswer | None:
        opened = self._ids.pop(mark.node, None)
        if opened is None:
            return None
        number, text = opened
        document = {"timeEnd": mark.at, "text": f"{text}: {mark.text}" if mark.text else text}
        answer = await exchange.ask("PATCH", f"/api/annotations/{number}", document=document)
        if isinstance(answer, NoAnswer):
            self._ids[mark.node] = opened
            return answer
        return None

    def _complain(self, mark: _Open | _Close, cause: str) -> None:
        doing = "opened" if isinstance(mark, _Open) else "closed"
        text = f"the annotation of {mark.node} was not {doing}: {cause}"
        if cause not in self._noted:
            self._noted.add(cause)
            self._note(text)
