"""Blocks of samples: what was sampled between two flushes, as bytes and back, bit for bit.

Takes a ``Block`` and gives zlib-compressed JSON; takes such bytes and gives the ``Block``; joins blocks into ``Samples``.
Refuses with ``JournalDamaged`` what is cut, altered, out of order, or larger than the limit once unpacked. The store names
the files.

The JSON is ``{"schema":1,"rounds":[…],"series":[[labels, first time and differences, values],…]}``. A value that JSON cannot
hold (NaN with its payload, the staleness marker, the infinities) is the 16 hex digits of its bits.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

import msgspec
from msgspec import Struct

from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal.samples import Round, Samples
from meshkit_chaos.promql.series import Labels, Series, label
from meshkit_chaos.slo import codec

SCHEMA: Final = 1
LARGEST: Final = 64 * 2**20
"""Bytes one block may unpack to. A second of a three-member mesh is below 1 MB even where every metric is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rounds and samples of one flush; every series holds at least one sample, its times strictly increasing."""

    rounds: tuple[Round, ...]
    series: tuple[Series, ...]

    @property
    def sample_count(self) -> int:
        return sum(len(series.times) for series in self.series)


class _SeriesForm(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    labels: tuple[tuple[str, str], ...]
    steps: list[int]
    values: list[float | str]


class _BlockForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: int
    rounds: tuple[Round, ...]
    series: tuple[_SeriesForm, ...]


def encode_block(block: Block) -> bytes:
    """Pack a block. Equal blocks give equal bytes."""
    series = tuple(
        _SeriesForm(one.labels, list(_steps(one.times)), [_value_out(value) for value in one.values]) for one in block.series
    )
    return zlib.compress(codec.encode(_BlockForm(schema=SCHEMA, rounds=block.rounds, series=series)), level=6)


def decode_block(data: bytes, *, largest: int = LARGEST) -> Block:
    """Unpack a block; raises JournalDamaged where it is not exactly what ``encode_block`` can have written."""
    plain = _unpack(data, largest)
    try:
        form = codec.decode(plain, _BlockForm)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise JournalDamaged(f"a sample block does not hold what it must: {wrong}", hint=_HINT) from wrong
    if form.schema != SCHEMA:
        raise JournalDamaged(
            f"a sample block has schema {form.schema}; this version reads {SCHEMA}",
            hint="read the run with the version of meshkit-chaos that recorded it",
        )
    block = Block(rounds=form.rounds, series=tuple(_series_in(one) for one in form.series))
    _check_rounds(block.rounds)
    _check_distinct(block.series)
    return block


def join_blocks(blocks: Iterable[Block]) -> Samples:
    """Put blocks, in the order in which they were written, together again; raises JournalDamaged where time goes back."""
    rounds: dict[str, list[Round]] = {}
    joined: dict[Labels, tuple[list[int], list[float]]] = {}
    for block in blocks:
        for one in block.rounds:
            rounds.setdefault(one.source, []).append(one)
        for series in block.series:
            times, values = joined.setdefault(series.labels, ([], []))
            if times and series.times[0] <= times[-1]:
                raise JournalDamaged(
                    f"sample blocks overlap: {_shown(series.labels)} at {series.times[0]} comes after {times[-1]}", hint=_HINT
                )
            times.extend(series.times)
            values.extend(series.values)
    for several in rounds.values():
        _check_rounds(several)
    return Samples(
        rounds={source: tuple(several) for source, several in rounds.items()},
        series=_by_name(Series(labels, tuple(times), tuple(values)) for labels, (times, values) in joined.items()),
    )


_HINT: Final = "what was sampled then is lost; the run cannot pass on this record"


def _by_name(series: Iterable[Series]) -> dict[str, tuple[Series, ...]]:
    named: dict[str, list[Series]] = {}
    for one in series:
        named.setdefault(label(one.labels, "__name__"), []).append(one)
    return {name: tuple(several) for name, several in named.items()}


def _unpack(data: bytes, largest: int) -> bytes:
    """Decompress no more than the limit, whatever the bytes say."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(data, largest + 1)
    except zlib.error as wrong:
        raise JournalDamaged(f"a sample block of {len(data)} bytes cannot be unpacked: {wrong}", hint=_HINT) from wrong
    if len(plain) > largest:
        raise JournalDamaged(f"a sample block of {len(data)} bytes unpacks to more than {largest} bytes", hint=_HINT)
    if not unpacker.eof:
        raise JournalDamaged(f"a sample block of {len(data)} bytes is cut short", hint=_HINT)
    if unpacker.unused_data:
        raise JournalDamaged(f"a sample block has {len(unpacker.unused_data)} bytes behind its end", hint=_HINT)
    return plain


def _steps(times: Sequence[int]) -> Iterator[int]:
    """The first time, then differences: rounds are evenly spaced, so nearly all of them are equal and pack to nothing."""
    yield from times[:1]
    yield from (later - earlier for earlier, later in pairwise(times))


def _value_out(value: float) -> float | str:
    return value if math.isfinite(value) else struct.pack(">d", value).hex()


def _value_in(value: float | str) -> float:
    if isinstance(value, float):
        return value
    try:
        (found,) = struct.unpack(">d", bytes.fromhex(value))
    except (ValueError, struct.error) as wrong:
        raise JournalDamaged(f"a sample block holds the value {value!r}; expected 16 hex digits", hint=_HINT) from wrong
    return float(found)


def _series_in(form: _SeriesForm) -> Series:
    name = _shown(form.labels)
    keys = [key for key, _ in form.labels]
    if keys != sorted(set(keys)) or "__name__" not in keys:
        raise JournalDamaged(f"a sample block holds a series whose labels are not in order: {name}", hint=_HINT)
    if not form.steps or len(form.steps) != len(form.values):
        raise JournalDamaged(f"{name} has {len(form.steps)} times for {len(form.values)} values", hint=_HINT)
    if any(step <= 0 for step in form.steps[1:]):
        raise JournalDamaged(f"the times of {name} do not increase", hint=_HINT)
    return Series(form.labels, tuple(accumulate(form.steps)), tuple(_value_in(value) for value in form.values))


def _check_rounds(rounds: Sequence[Round]) -> None:
    last: dict[str, int] = {}
    for one in rounds:
        if not max(one.tick, one.start) <= one.end:
            raise JournalDamaged(f"a round of {one.source!r} has tick {one.tick}, start {one.start}, end {one.end}", hint=_HINT)
        if one.source in last and one.tick <= last[one.source]:
            raise JournalDamaged(f"rounds of {one.source!r} are out of order: {one.tick} after {last[one.source]}", hint=_HINT)
        last[one.source] = one.tick


def _check_distinct(several: Sequence[Series]) -> None:
    seen: set[Labels] = set()
    for one in several:
        if one.labels in seen:
            raise JournalDamaged(f"a sample block holds {_shown(one.labels)} twice", hint=_HINT)
        seen.add(one.labels)


def _shown(labels: Labels) -> str:
    """A series as PromQL writes it."""
    inside = ",".join(f'{key}="{value}"' for key, value in labels if key != "__name__")
    return f"{label(labels, '__name__')}{{{inside}}}"
