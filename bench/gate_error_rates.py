"""How often the gate's comparisons blame an unchanged subject, and how often they see a worse one: by simulation.

Gives the tables of ``docs/concepts/gate-error-rates.md``; ``--write`` writes that page. Every history is made from a seed of
its own, so the page is the same wherever it is made. It takes about a minute.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, lgamma, log, log1p
from pathlib import Path

from msgspec import structs

from meshkit_chaos.gate.comparing import Sample, compare_samples
from meshkit_chaos.gate.exact_tests import Span
from meshkit_chaos.gate.policy import Alternative, Baseline, Regression
from meshkit_chaos.slo import Duration, Ratio

HISTORIES = 4_000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "concepts" / "gate-error-rates.md"
MS = 10**6
STRICT = Regression(
    false_alarms=Ratio(0.02),
    effect=Ratio(0),
    dead_band=Ratio(0),
    minimum_failures=1,
    alternative=Alternative(fails=Ratio(0.5), slower=Ratio(0.9)),
    baseline=Baseline(subject={}, releases_by="version", releases=3, lag=Duration(0), until=None, at_least=5),
    until_baseline="closed",
)
"""No floor, no dead band: the tests alone. What a policy adds to them can only lower the rate of false alarms."""

Times = Callable[[random.Random, int, int], list[Span]]
"""Draws so many times for a release (0 is the subject, 1 the release before it, and so on)."""


@dataclass(frozen=True, kw_only=True)
class World:
    """One kind of history. ``fails``: how often a run fails. ``exchangeable``: whether old and new runs are alike."""

    name: str
    times: Times
    new: int = 5
    old: int = 20
    releases: int = 1
    fails: float = 0.0
    exchangeable: bool = True


def exact(value: float) -> Span:
    return Span(round(value), round(value))


def even(chance: random.Random, release: int, runs: int) -> list[Span]:
    """Log-normal around a second, each measured exactly."""
    del release
    return [exact(1000 * MS * chance.lognormvariate(0, 0.3)) for _ in range(runs)]


def scraped(chance: random.Random, release: int, runs: int) -> list[Span]:
    """The same, seen by rounds of 200 ms: intervals."""
    return [Span(one.lo // (200 * MS) * 200 * MS, (one.lo // (200 * MS) + 1) * 200 * MS) for one in even(chance, release, runs)]


def tied(chance: random.Random, release: int, runs: int) -> list[Span]:
    """Whole seconds: nearly all are ties."""
    del release
    return [exact(chance.choice([1, 1, 1, 2, 3]) * 1000 * MS) for _ in range(runs)]


def censored(chance: random.Random, release: int, runs: int) -> list[Span]:
    """One in five did not end while it was watched."""
    return [Span(one.lo, None) if chance.random() < 0.2 else one for one in even(chance, release, runs)]


def creeping(chance: random.Random, release: int, runs: int) -> list[Span]:
    """Every release 10 % slower than the one before, through no fault of its own: drift."""
    return [exact(one.lo * 1.1**-release) for one in even(chance, release, runs)]


def moody(chance: random.Random, release: int, runs: int) -> list[Span]:
    """Each release is measured on a day of its own, and days differ by 30 %: runs of one release are alike."""
    day = chance.lognormvariate(0, 0.3)
    return [exact(one.lo * day) for one in even(chance, release, runs)]


WORLDS = (
    World(name="times, one release", times=even),
    World(name="times, the worst of three releases", times=even, releases=3),
    World(name="times, 10 new runs against 60", times=even, new=10, old=60),
    World(name="times as intervals of 200 ms", times=scraped),
    World(name="times in whole seconds: ties", times=tied),
    World(name="times, one in five censored", times=censored),
    World(name="times and 10 % failures", times=even, fails=0.1, releases=3),
    World(name="30 % failures, 10 new runs", times=even, fails=0.3, new=10, old=60),
    World(name="**drift**: each release 10 % slower", times=creeping, releases=3, exchangeable=False),
    World(name="**drift**: a good or bad day for each release", times=moody, releases=3, exchangeable=False),
)


def sample(world: World, chance: random.Random, *, release: int, runs: int) -> Sample:
    failed = [chance.random() < world.fails for _ in range(runs)]
    times = [time for time, bad in zip(world.times(chance, release, runs), failed, strict=True) if not bad]
    return Sample(runs=runs, failures=sum(failed), times=tuple(times))


def false_alarms(world: World, *, histories: int = HISTORIES) -> int:
    """In how many histories the subject is blamed."""
    blamed = 0
    for seed in range(histories):
        chance = random.Random(f"{world.name} {seed}")
        earlier = [(str(k), sample(world, chance, release=k, runs=world.old)) for k in range(1, world.releases + 1)]
        new = sample(world, chance, release=0, runs=world.new)
        blamed += any(one.worse for one in compare_samples("x", new=new, earlier=earlier, rules=STRICT))
    return blamed


def upper_bound(seen: int, of: int, *, confidence: float = 0.99) -> float:
    """The one-sided upper bound of Clopper and Pearson (*Biometrika* 26 (1934) 404-413) of a rate, by bisection."""
    if seen == of:
        return 1.0
    low, high = seen / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(seen, of, middle) > 1 - confidence else (low, middle)
    return high


def _tail(seen: int, of: int, rate: float) -> float:
    """The chance of at most so many."""
    whole = lgamma(of + 1)
    return sum(
        exp(whole - lgamma(k + 1) - lgamma(of - k + 1) + k * log(rate) + (of - k) * log1p(-rate)) for k in range(seen + 1)
    )


@dataclass(frozen=True, kw_only=True)
class Power:
    """A comparison of one kind: what is printed for it, and how often it blamed."""

    kind: str
    new: int
    old: int
    rate: float
    printed: float
    seen: float


POWERS = [(kind, new, old) for kind in ("failures", "time") for new, old in ((3, 20), (5, 20), (5, 60), (10, 60))]


def power(kind: str, new: int, old: int, *, histories: int = HISTORIES, rate: float = 0.02) -> Power:
    """Compare a subject that is as bad as the stated alternative: half of its runs fail, or 9 in 10 are slower."""
    rules = structs.replace(STRICT, false_alarms=Ratio(rate))
    blamed, printed = 0, 0.0
    for seed in range(histories):
        chance = random.Random(f"power {kind} {new} {old} {seed}")
        before, after = alternative(kind, chance, new=new, old=old)
        found = [one for one in compare_samples("x", new=after, earlier=[("before", before)], rules=rules) if one.kind == kind]
        blamed += found[0].worse
        printed = found[0].power
    return Power(kind=kind, new=new, old=old, rate=rate, printed=printed, seen=blamed / histories)


def alternative(kind: str, chance: random.Random, *, new: int, old: int) -> tuple[Sample, Sample]:
    """Failures: one in twenty before. Times: a new one is as the longest of nine old ones, so it is slower 9 times in 10."""
    if kind == "failures":
        failed = sum(chance.random() < 0.5 for _ in range(new))
        return Sample(runs=old, failures=old // 20, times=()), Sample(runs=new, failures=failed, times=())
    before = tuple(exact(10**12 * chance.random()) for _ in range(old))
    after = tuple(exact(10**12 * chance.random() ** (1 / 9)) for _ in range(new))
    return Sample(runs=old, failures=0, times=before), Sample(runs=new, failures=0, times=after)


def page() -> str:
    """The page with both tables."""
    lines = [_OPENING, "| history | new | old | blamed | 99 % bound | stated | |", "|---|---|---|---|---|---|---|"]
    for world in WORLDS:
        blamed = false_alarms(world)
        bound = upper_bound(blamed, HISTORIES)
        word = "kept" if bound <= STRICT.false_alarms.value else "**exceeded**"
        word = word if world.exchangeable else f"not guaranteed: {word}"
        old = f"{world.releases} × {world.old}" if world.releases > 1 else str(world.old)
        share = f"{100 * blamed / HISTORIES:.2f} %"
        lines.append(f"| {world.name} | {world.new} | {old} | {share} | {100 * bound:.2f} % | 2 % | {word} |")
    lines += [_POWER, "| kind | new | old | printed | simulated |", "|---|---|---|---|---|"]
    for kind, new, old in POWERS:
        one = power(kind, new, old)
        lines.append(f"| {kind} | {new} | {old} | {100 * one.printed:.1f} % | {100 * one.seen:.1f} % |")
    return "\n".join(lines) + "\n"


_OPENING = f"""# How often the gate's comparisons are wrong

Generated by `bench/gate_error_rates.py --write`; nothing here is written by hand. {HISTORIES:,} histories a row, from fixed
seeds.

## False alarms

The subject is as good as every earlier release. Without effect floor and dead band, which can only lower these numbers. The
stated rate is an upper bound wherever old and new runs are exchangeable, whatever their distribution. Under drift they are
not, and nothing is guaranteed.
"""
_POWER = """
## Power

The subject is as bad as the alternative says: half of its runs fail (one in twenty did before), or a new run is slower than an
old one 9 times in 10. *Printed* is what `gate check` prints beside the comparison.
"""

if __name__ == "__main__":
    made = page()
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(made, encoding="utf-8")
    else:
        sys.stdout.write(made)
