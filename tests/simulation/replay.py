"""Replay simulated runs: ``python tests/simulation/replay.py SEED`` tells one whole run, ``FIRST-LAST`` counts many."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from laws import broken
from whole_runs import Simulated, simulate
from worlds import draw

from meshkit_chaos.slo.codec import encode

MEMORY = Path("/dev/shm")
LONGEST_S = 30
"""Real seconds for one run; usually it takes hundredths. More means that virtual time stands still: the run hangs."""


def place() -> str | None:
    """Where journals go: memory where there is some, for the proofs are about order and not about disks."""
    return str(MEMORY) if MEMORY.is_dir() else None


def replayed(seed: int) -> tuple[Simulated, list[str]]:
    """A seed's run, and the laws that it breaks."""
    with tempfile.TemporaryDirectory(dir=place(), prefix="meshkit-chaos-simulation-") as folder:
        with _within(LONGEST_S, seed):
            run = simulate(draw(seed), Path(folder) / "run")
        return run, broken(run)


@contextlib.contextmanager
def _within(seconds: int, seed: int) -> Iterator[None]:
    """End a run in which nothing happens any more, with a traceback of where it is."""

    def late(*_: object) -> None:
        raise TimeoutError(f"seed {seed} has run for {seconds} s: time stands still in it")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _tell(seed: int) -> int:
    run, wrong = replayed(seed)
    lines = [run.world.told()]
    lines += [f"{(entry.t - run.began) / 1e9:8.3f}  {encode(entry.event).decode()[:220]}" for entry in run.record.entries[1:]]
    lines += [f"{found.verdict:12} {found.sentence} [{found.hint}]" for found in run.verdict.findings]
    lines += [f"verdict {run.verdict.verdict}, {run.outcome}, environment {run.verdict.environment}", str(run.truth)]
    lines += wrong or ["every law holds"]
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(wrong)


def _count(first: int, last: int) -> int:
    seen: Counter[str] = Counter()
    failures = 0
    for seed in range(first, last + 1):
        try:
            run, wrong = replayed(seed)
        except Exception as error:  # noqa: BLE001  # whatever a run raises is what is looked for
            wrong = [f"raised: {type(error).__name__}: {error}"]
        else:
            seen[f"{run.verdict.verdict}, {run.verdict.outcome}, {run.verdict.environment}"] += 1
        for told in wrong:
            seen[f"BROKEN {told.partition(':')[0]}"] += 1
            sys.stdout.write(f"seed {seed}: {told[:300]}\n")
            sys.stdout.flush()
        failures += bool(wrong)
    sys.stdout.write("".join(f"{count:6} {what}\n" for what, count in sorted(seen.items())))
    return bool(failures)


if __name__ == "__main__":
    first, _, last = sys.argv[1].partition("-")
    sys.exit(_count(int(first), int(last)) if last else _tell(int(first)))
