"""Series as the evaluator reads them, and the staleness marker."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by label name; the metric's name is the label ``__name__``."""

_STALE_BITS: Final = 0x7FF0000000000002  # Prometheus model/value/value.go: StaleNaN
STALE: Final[float] = struct.unpack("<d", struct.pack("<Q", _STALE_BITS))[0]


def is_stale(value: float) -> bool:
    """Tell the staleness marker (one particular NaN) from every other value, NaN included."""
    return value != value and struct.pack("<d", value) == struct.pack("<Q", _STALE_BITS)  # noqa: PLR0124  # NaN test


class SeriesLike(Protocol):
    """One series, oldest sample first. ``times`` are strictly increasing nanoseconds, as long as ``values``."""

    @property
    def labels(self) -> Labels: ...
    @property
    def times(self) -> Sequence[int]: ...
    @property
    def values(self) -> Sequence[float]: ...


class Storage(Protocol):
    """All series of one metric name (all of them where the name is empty)."""

    def named(self, name: str) -> Sequence[SeriesLike]: ...


@dataclass(frozen=True, slots=True)
class Series:
    labels: Labels
    times: tuple[int, ...]
    values: tuple[float, ...]


def labels_of(name: str, labels: Mapping[str, str]) -> Labels:
    """Put a metric name and labels into their one canonical order."""
    return tuple(sorted({**labels, "__name__": name}.items()))


def label(labels: Labels, name: str) -> str:
    """The value of a label; empty where it is absent, as PromQL has it."""
    return next((value for key, value in labels if key == name), "")
