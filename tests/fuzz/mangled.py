"""Mangled bytes, and the limits that whoever reads them must keep: no hang, no memory without bound.

``mangled`` takes whole examples and tokens that mean something to the reader; gives a strategy of examples that were cut,
repeated, swapped and sprinkled with those tokens. ``bounded`` ends what takes longer than a second of this process's own time.
"""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator, Sequence
from random import Random

from hypothesis import strategies as st

LONGEST_S = 1.0
MOST_MB = 400


def mangled(examples: Sequence[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Examples after up to eight edits."""
    return st.builds(mangle, st.sampled_from(list(examples)), st.just(tuple(tokens)), st.integers(0, 2**32), st.integers(0, 8))


def mangle(example: bytes, tokens: tuple[bytes, ...], seed: int, edits: int) -> bytes:
    """One example after so many edits; the same for the same seed."""
    rng, data = Random(seed), bytearray(example)
    for _ in range(edits):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice([1, 1, 4, 30, 300]))
        match rng.randrange(7):
            case 0:
                del data[at:end]
            case 1:
                data[at:at] = rng.choice(tokens)
            case 2:
                data[at:end] = rng.choice(tokens)
            case 3:
                data[at:at] = data[at:end] * rng.choice([1, 2, 20])
            case 4 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 5:
                data[at:at] = rng.randbytes(rng.choice([1, 3, 20]))
            case _:
                data = data[: max(at, len(data) // 2)]
    return bytes(data)


class TookTooLong(Exception):
    """The reader was still at it after a second of its own time."""


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Time is what this process used, so that a busy machine fails nothing."""

    def late(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def peak_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
