"""What must hold of a history that many wrote to, whichever database it is in. Called by the tests of each database."""

from __future__ import annotations

import random
from pathlib import Path

from crowd import kill, prepare, writer
from history_builder import everything

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.history.checking import verify
from meshkit_chaos.history.leases import Leases
from meshkit_chaos.history.places import open_place
from meshkit_chaos.slo import Duration

PROCESSES, THREADS = 8, 25


def nothing_lost_nothing_doubled(location: str, folder: Path) -> None:
    """200 writers, in 8 processes of 25 threads, take in 100 invocations, each of them twice."""
    outs = prepare(folder / "outs", PROCESSES * THREADS // 2)
    shares = [order[start::4] for order in (outs, outs[::-1]) for start in range(4)]
    crowds = [writer(location, folder / "artifacts", share, threads=THREADS) for share in shares]
    ended = [(process, *process.communicate(timeout=300)) for process in crowds]
    said = []
    for process, out, error in ended:
        assert (process.returncode, error) == (0, b""), (process.returncode, error.decode())
        said += out.decode().split()
    assert sorted(said) == ["known"] * len(outs) + ["new"] * len(outs)
    with open_place(location, SystemClock(), artifacts=str(folder / "artifacts")) as history:
        assert len(history.invocations()) == len(outs)
        results = everything(history)
        assert len(results) == len({one.invocation for one in results}) == len(outs)
        assert all(len(one.runs) == 1 and len(one.runs[0].objectives) == 1 for one in results)
        assert verify(history).problems == ()


def killed_writers_leave_nothing_half(location: str, folder: Path, *, kills: int) -> None:
    """Writers are killed at random instants; whatever the index has is whole, and the rest is taken in afterwards."""
    outs = prepare(folder / "outs", 24)
    chance = random.Random(4)
    for _ in range(kills):
        process = writer(location, folder / "artifacts", chance.sample(outs, len(outs)), threads=2)
        assert process.stdout is not None
        for _ in range(chance.randint(1, 4)):
            process.stdout.readline()
        kill(process)
        with open_place(location, SystemClock(), artifacts=str(folder / "artifacts")) as history:
            whole = [why for _, why in verify(history).problems if "the index does not know it" not in why]
            assert whole == [], "what is in the index is whole; a bundle that was not entered yet is no harm"
    with open_place(location, SystemClock(), artifacts=str(folder / "artifacts")) as history:
        for out in outs:
            history.add(out)
        assert verify(history).problems == ()
        assert len(history.invocations()) == len(outs)


def one_holder_at_a_time(location: str, folder: Path) -> None:
    """Threads with connections of their own take and release one lease: never two hold it, and no token comes twice."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # only here
    from threading import Lock  # noqa: PLC0415  # only here

    inside, tokens = Lock(), list[int]()

    def life(number: int) -> None:
        with open_place(location, SystemClock(), artifacts=str(folder), make=True) as history:
            leases = Leases(history.database)
            for _ in range(5):
                lease = leases.take("lab", holder=str(number), lasting=Duration.parse("5m"))
                if lease is not None:
                    assert inside.acquire(blocking=False), "somebody else is inside"
                    tokens.append(lease.token)
                    inside.release()
                    assert leases.release("lab", token=lease.token)

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(life, range(8)))
    assert tokens == sorted(set(tokens))
    assert tokens
