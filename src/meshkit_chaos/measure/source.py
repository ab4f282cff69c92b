"""What a source of metrics that others scraped must be able to answer, and how its answers look. Types only.

Instants are nanoseconds of the source's own clock since 1970: only ``offset`` turns them into ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import msgspec

from meshkit_chaos.promql.series import Labels
from meshkit_chaos.slo import Duration

RangeBoundaries = Literal["left-open", "closed"]
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)
"""What reading an answer raises, whatever is in it: not JSON, not UTF-8, nested without end, a number beyond all bounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From after ``start`` to ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RawSeries:
    """The samples of one series as they were scraped: oldest first, true times, no staleness markers."""

    labels: Labels
    times: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """``warnings`` say that something may be missing; ``infos`` that something looks odd."""

    series: tuple[RawSeries, ...] = ()
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAnswer:
    """Why there is none, as a phrase. ``wait``: how long the source wants to be left alone; None where it did not say.

    ``final``: asking again is no use (it refused us, or the question).
    """

    cause: str
    wait: Duration | None = None
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a source says that it is. ``notes``: what does not fit the environment's description."""

    version: str
    range_boundaries: RangeBoundaries
    notes: tuple[str, ...] = ()


class SourceApi(Protocol):
    """Asks a source. Nothing here raises but for errors of ours."""

    async def introduce(self) -> Introduction | NoAnswer: ...

    async def now(self) -> int | NoAnswer:
        """Its clock, cut off to ``resolution``."""
        ...

    @property
    def resolution(self) -> int:
        """How finely it tells its time, in ns."""
        ...

    async def raw(self, selector: str, window: Window) -> Fetched | NoAnswer:
        """The raw samples that a selector (without a range) means."""
        ...

    async def metric_names(self) -> tuple[str, ...]:
        """Every name it knows; empty where it does not tell."""
        ...
