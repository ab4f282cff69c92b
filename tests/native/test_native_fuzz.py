"""Hostile executables: whatever the headers claim, there is an answer, in bounded time, and never a traceback."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_files import BASE, elf, macho, pe, universal

from meshkit_chaos.native.classify import classify
from meshkit_chaos.native.source import Memory

SEEDS = (
    elf(sections={".comment": b"GCC: x\0", "__managedcode": b"x"}, linked=("libc.so.6",), loader="/lib64/ld-linux-x86-64.so.2"),
    macho(),
    universal(macho(), macho(processor=7)),
    pe(),
)
NASTY = st.sampled_from((0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**63 - 1, 2**63, 2**64 - 1))


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A valid executable with some numbers in its headers replaced, or cut off somewhere."""
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        form = draw(st.sampled_from(("<H", "<I", "<Q", ">I")))
        width = struct.calcsize(form)
        at = draw(st.integers(0, min(len(data) - width, 900)))
        data[at : at + width] = struct.pack(form, draw(NASTY) & (2 ** (8 * width) - 1))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@given(mangled())
@settings(max_examples=400, deadline=None)
def test_mangled_headers_have_an_answer(data: bytes) -> None:
    """Sizes, offsets and counts out of range give a class and a reason; native is said only with evidence."""
    facts = classify(Memory(data), path="x")
    assert (facts.binary_class == "native") is not bool(facts.refusals)
    assert len(facts.linked) < 5000
    if facts.binary_class == "native" and facts.executable:
        assert any("entry point" in told or "start command" in told for told in facts.evidence)


@given(
    st.binary(max_size=300),
    st.sampled_from((b"\x7fELF\x02\x01", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe\0\0\0\x02", b"MZ", b"#!")),
)
@settings(max_examples=300, deadline=None)
def test_noise_behind_a_magic_number_has_an_answer(noise: bytes, magic: bytes) -> None:
    """Random bytes behind the first ones of a format are never native."""
    facts = classify(Memory(magic + noise), path="x")
    assert facts.binary_class != "native"
    assert facts.refusals


@pytest.mark.parametrize("claimed", [2**16 - 1, 2**15])
def test_a_header_that_counts_too_much_is_refused(claimed: int) -> None:
    """A count that no program has is refused before anything of it is read."""
    data = bytearray(elf())
    struct.pack_into("<H", data, 56, claimed)
    facts = classify(Memory(bytes(data)), path="x")
    assert facts.refusals[0].startswith(f"the ELF header counts {claimed} segments")


def overlapping(*, sections: int = 0, libraries: int = 0) -> bytes:
    """A program in which thousands of sections, or of needed libraries, have names that overlap in one long table."""
    names = b"\1" * 80_000
    table = 64 + 2 * 56
    strings = table + 64 * sections
    dynamic = strings + len(names)
    rows = [*((1, place) for place in range(libraries)), (5, BASE + strings), (10, len(names)), (0, 0)]
    end = dynamic + 16 * len(rows)
    head = struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, BASE + table, 64, table if sections else 0, 0, 64, 56, 2, 64, sections, 0)
    segments = [(1, 5, 0, BASE, 0, end, end, 0x1000), (2, 6, dynamic, BASE + dynamic, 0, 16 * len(rows), 16 * len(rows), 8)]
    headers = [(place, 1, 0, 0, strings, len(names), 0, 0, 1, 0) for place in range(sections)]
    return b"".join((
        b"\x7fELF\x02\x01\x01" + bytes(9) + head,
        *(struct.pack("<IIQQQQQQ", *one) for one in segments),
        *(struct.pack("<IIQQQQIIQQ", *one) for one in headers),
        names,
        *(struct.pack("<QQ", *row) for row in rows),
    ))  # fmt: skip


@pytest.mark.parametrize("data", [overlapping(sections=65_000), overlapping(sections=4000), overlapping(libraries=4000)])
def test_names_that_overlap_stay_small(data: bytes) -> None:
    """Names that share their bytes, thousands of times: never more text than a few times the file, nor the time to make it."""
    with bounded_memory(64):
        facts = classify(Memory(data), path="x")
    assert sum(map(len, facts.linked)) < 5_000_000


@contextlib.contextmanager
def bounded_memory(most_mib: int) -> Iterator[None]:
    """Fail where more was in use at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_mib * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cut_has_an_answer(seed: bytes) -> None:
    """A file cut off at any byte is answered, and never native without its whole program."""
    for length in range(0, len(seed), 7):
        facts = classify(Memory(seed[:length]), path="x")
        assert facts.refusals, length
