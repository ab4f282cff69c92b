"""Sample blocks: bit for bit, bounded, and refused where they are not what was written."""

from __future__ import annotations

import contextlib
import json
import math
import struct
import zlib
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit_chaos.errors import JournalDamaged
from meshkit_chaos.journal.blocks import Block, decode_block, encode_block, join_blocks
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.promql.series import STALE, Series, is_stale, labels_of


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


any_float = st.integers(0, 2**64 - 1).map(lambda raw: struct.unpack("<d", struct.pack("<Q", raw))[0])
floats = st.one_of(any_float, st.floats(), st.sampled_from([STALE, math.nan, math.inf, -math.inf, -0.0, 5e-324]))
labels = st.builds(
    labels_of,
    st.sampled_from(["up", "m"]),
    st.dictionaries(st.sampled_from("abc"), st.text(max_size=5), max_size=2),
)


@st.composite
def one_series(draw: st.DrawFn) -> Series:
    times = sorted(draw(st.sets(st.integers(0, 2**62), min_size=1, max_size=6)))
    values = draw(st.lists(floats, min_size=len(times), max_size=len(times)))
    return Series(draw(labels), tuple(times), tuple(values))


@st.composite
def some_rounds(draw: st.DrawFn) -> tuple[Round, ...]:
    ticks = sorted(draw(st.sets(st.integers(0, 2**62), max_size=4)))
    source = draw(st.sampled_from(["scrape", "write-read"]))
    late = draw(st.integers(0, 10**9))
    return tuple(Round(source=source, tick=tick, start=tick + late, end=tick + 2 * late, failed={"n1": "x"}) for tick in ticks)


blocks = st.builds(
    lambda rounds, series: Block(rounds=rounds, series=tuple(series)),
    some_rounds(),
    st.lists(one_series(), max_size=4, unique_by=lambda series: series.labels),
)


def form(**changes: Any) -> bytes:
    plain = {"schema": 1, "rounds": [], "series": [[[["__name__", "up"]], [5, 1], [1.0, 0.0]]], **changes}
    return zlib.compress(json.dumps(plain).encode())


@settings(deadline=None)
@given(blocks)
def test_a_block_comes_back_bit_for_bit(block: Block) -> None:
    """Times, labels, rounds and every bit of every value survive, payloads of NaN included."""
    again = decode_block(encode_block(block))
    assert again.rounds == block.rounds
    assert [(one.labels, one.times) for one in again.series] == [(one.labels, one.times) for one in block.series]
    assert [[bits(value) for value in one.values] for one in again.series] == [
        [bits(value) for value in one.values] for one in block.series
    ]
    assert encode_block(again) == encode_block(block)


def test_the_staleness_marker_stays_one() -> None:
    """A staleness marker is told from a NaN after the way to disk and back."""
    block = Block(rounds=(), series=(Series(labels_of("m", {}), (1, 2), (STALE, math.nan)),))
    stale, nan = decode_block(encode_block(block)).series[0].values
    assert is_stale(stale)
    assert not is_stale(nan)


def test_even_rounds_pack_small() -> None:
    """An hour of one steady series at five rounds a second takes a few kilobytes."""
    times = tuple(range(10**15, 10**15 + 18_000 * 200_000_000, 200_000_000))
    packed = encode_block(Block(rounds=(), series=(Series(labels_of("m", {}), times, (1.0,) * len(times)),)))
    assert len(packed) < 5_000


def test_a_bomb_is_refused_unopened() -> None:
    """A small block that unpacks to more than the limit is refused without holding what it unpacks to."""
    bomb = zlib.compress(b" " * 10_000_000)
    with pytest.raises(JournalDamaged, match="unpacks to more than 1000 bytes"):
        decode_block(bomb, largest=1000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cut short"),
        (b"not a block", "cannot be unpacked"),
        (form()[:-5], "cut short"),
        (form() + b"more", "4 bytes behind its end"),
        (zlib.compress(b"{}"), "does not hold what it must"),
        (zlib.compress(b"\xff"), "does not hold what it must"),
        (zlib.compress(b"[" * 100_000), "does not hold what it must"),
        (form(schema=2), "schema 2"),
        (form(surprise=1), "does not hold what it must"),
        (form(series=[[[["__name__", "up"]], [5, 0], [1.0, 0.0]]]), "do not increase"),
        (form(series=[[[["__name__", "up"]], [5], [1.0, 0.0]]]), "1 times for 2 values"),
        (form(series=[[[["__name__", "up"]], [], []]]), "0 times for 0 values"),
        (form(series=[[[["b", "1"], ["__name__", "up"]], [5], [1.0]]]), "not in order"),
        (form(series=[[[["a", "1"]], [5], [1.0]]]), "not in order"),
        (form(series=[[[["__name__", "up"]], [5], ["7ff8"]]]), "expected 16 hex digits"),
        (form(series=[[[["__name__", "up"]], [5], ["NaN"]]]), "expected 16 hex digits"),
        (form(series=[[[["__name__", "up"]], [5], [None]]]), "does not hold what it must"),
        (form(series=[[[["__name__", "up"]], [5], [1.0]]] * 2), "twice"),
        (form(rounds=[{"source": "scrape", "tick": 5, "start": 4, "end": 4}]), "end 4"),
        (form(rounds=[{"source": "scrape", "tick": 5, "start": 5, "end": 6}] * 2), "out of order"),
    ],
)
def test_what_was_not_written_so_is_refused(data: bytes, said: str) -> None:
    """Cut, altered or impossible blocks raise JournalDamaged and say what is wrong."""
    with pytest.raises(JournalDamaged, match=said):
        decode_block(data)


@settings(deadline=None)
@given(st.binary(max_size=60), blocks, st.integers(0, 300), st.integers(1, 255))
def test_damage_is_the_only_way_to_fail(junk: bytes, block: Block, place: int, flip: int) -> None:
    """Whatever a disk does to the bytes, the answer is a block or JournalDamaged."""
    packed = bytearray(encode_block(block))
    packed[place % len(packed)] ^= flip
    for data in (junk, zlib.compress(junk), bytes(packed)):
        with contextlib.suppress(JournalDamaged):
            decode_block(data)


def test_joining_puts_the_pieces_of_a_series_together() -> None:
    """Series that go on in a later block become one; rounds are sorted by source."""
    up = labels_of("up", {"member": "n1"})
    first = Block(
        rounds=(Round(source="scrape", tick=1, start=1, end=2), Round(source="p", tick=1, start=1, end=2)),
        series=(Series(up, (1,), (1.0,)),),
    )
    second = Block(
        rounds=(Round(source="scrape", tick=3, start=3, end=4),),
        series=(Series(up, (3,), (0.0,)), Series(labels_of("m", {}), (3,), (7.0,))),
    )
    samples = join_blocks([first, second])
    assert samples.named("up") == (Series(up, (1, 3), (1.0, 0.0)),)
    assert samples.named("m") == (Series(labels_of("m", {}), (3,), (7.0,)),)
    assert {source: [one.tick for one in rounds] for source, rounds in samples.rounds.items()} == {"scrape": [1, 3], "p": [1]}
    assert len(samples.named("")) == 2


def test_joining_nothing_gives_nothing() -> None:
    """No blocks give empty samples."""
    assert join_blocks([]).named("") == ()


def test_joining_refuses_time_that_goes_back() -> None:
    """The same block twice, or blocks in the wrong order, are damage: no sample may count double."""
    block = Block(rounds=(), series=(Series(labels_of("up", {}), (1, 2), (1.0, 1.0)),))
    with pytest.raises(JournalDamaged, match=r"overlap: up\{\} at 1 comes after 2"):
        join_blocks([block, block])
    rounds = Block(rounds=(Round(source="scrape", tick=1, start=1, end=2),), series=())
    with pytest.raises(JournalDamaged, match="out of order"):
        join_blocks([rounds, rounds])


@settings(deadline=None)
@given(one_series(), st.data())
def test_cutting_and_joining_change_nothing(series: Series, data: st.DataObject) -> None:
    """However a series is cut into blocks, joined it is the same."""
    cut = sorted(data.draw(st.sets(st.integers(0, len(series.times)))) | {0, len(series.times)})
    parts = [
        Block(rounds=(), series=(Series(series.labels, series.times[low:high], series.values[low:high]),))
        for low, high in pairwise(cut)
    ]
    (joined,) = join_blocks(parts).named("")
    assert (joined.labels, joined.times) == (series.labels, series.times)
    assert [bits(value) for value in joined.values] == [bits(value) for value in series.values]
