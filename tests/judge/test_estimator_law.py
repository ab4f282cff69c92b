"""The estimator's law against simulated outages whose true instants are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

import pytest

from meshkit_chaos.judge.estimator import Instant, Measured, NotSeen, Question, estimate
from meshkit_chaos.slo import Goodness

EVERY = 1_000
DRAWS = 1_500


@dataclass(frozen=True)
class World:
    """A simulated truth: outages, the true injection instant, and what was sampled of it."""

    outages: tuple[tuple[int, int], ...]
    injected: int
    question: Question
    instants: tuple[Instant, ...]
    longest_round: int

    @property
    def truth(self) -> int:
        return max(0, self.outages[-1][1] - self.injected)

    @property
    def two_rounds(self) -> int:
        return 2 * (EVERY + self.longest_round)


def _reading(rng: Random, looks: list[int], outages: tuple[tuple[int, int], ...]) -> Goodness:
    """What a query over members says that were each asked at another moment: all must be good, or one suffices."""
    bad = [any(begin <= look < end for begin, end in outages) for look in looks]
    return "bad" if (any(bad) if rng.random() < 0.5 else all(bad)) else "good"


def _rounds(rng: Random, *, until: int, outages: tuple[tuple[int, int], ...], unknown: float, dropped: float) -> list[Instant]:
    length = rng.choice([0, EVERY // 10, EVERY // 2, EVERY])
    tick, out = -8 * EVERY - rng.randrange(EVERY), []
    while tick < until:
        start = tick + (rng.randrange(EVERY // 5) if length < EVERY else 0)
        end = start + (rng.randint(0, length) if length else 0)
        looks = [start, end, rng.randint(start, end)]
        state: Goodness = "unknown" if rng.random() < unknown else _reading(rng, looks, outages)
        out.append(Instant(tick=tick, start=start, end=end, state=state))
        tick += EVERY * (rng.randint(2, 12) if rng.random() < dropped else 1)
    return out


def _question(rng: Random, *, recover_after: int = 0) -> Question:
    acting = rng.choice([0, 1, EVERY // 3, 3 * EVERY])
    limit = rng.randint(2 * EVERY, 25 * EVERY)
    settle = rng.choice([0, EVERY, 5 * EVERY])
    return Question(
        kind="state",
        since=0,
        origin=(recover_after, recover_after + acting),
        limit=limit,
        settle=settle,
        watched=limit + settle,
        every=EVERY,
        until=0,
        ended=0,
    )


def _outages(rng: Random, injected: int, count: int, least: int) -> tuple[tuple[int, int], ...]:
    out, at = [], injected + rng.choice([0, rng.randrange(12 * EVERY)])
    for _ in range(count):
        end = at + least + rng.randrange(15 * EVERY)
        out.append((at, end))
        at = end + rng.randrange(1, 12 * EVERY)
    return tuple(out)


def _world(seed: int, *, outages: int = 1, least: int, unknown: float, dropped: float) -> World:
    rng = Random(seed)
    question = _question(rng)
    injected = rng.randint(*question.origin)
    broken = _outages(rng, injected, outages, least)
    until = max(broken[-1][1], question.origin[1] + question.watched) + rng.randint(0, 8 * EVERY)
    rounds = _rounds(rng, until=until, outages=broken, unknown=unknown, dropped=dropped)
    longest = max(instant.end - instant.tick for instant in rounds)
    question = replace(question, until=until + EVERY, ended=until + EVERY)
    return World(outages=broken, injected=injected, question=question, instants=tuple(rounds), longest_round=longest)


def _holds(world: World, seed: int) -> None:
    found = estimate(world.instants, world.question)
    if isinstance(found, NotSeen):
        return
    measured = found.measurement
    assert measured.lo <= world.truth, f"seed {seed}: {measured} starts after the truth {world.truth}"
    assert measured.hi is None or world.truth <= measured.hi, f"seed {seed}: {measured} ends before the truth {world.truth}"
    passes = measured.hi is not None and measured.hi <= world.question.limit
    assert not (passes and world.truth > world.question.limit), f"seed {seed}"


@pytest.mark.parametrize(("unknown", "dropped"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2), (0.15, 0.1)])
def test_the_interval_contains_the_truth_of_an_outage_of_two_rounds(unknown: float, dropped: float) -> None:
    """Whatever the phases, lengths, gaps and unknown rounds: a measured outage's end lies in the interval."""
    for seed in range(DRAWS):
        _holds(_world(seed, least=4 * EVERY + EVERY // 2, unknown=unknown, dropped=dropped), seed)


@pytest.mark.parametrize(("unknown", "dropped"), [(0.0, 0.0), (0.1, 0.1)])
def test_of_several_outages_the_last_one_counts(unknown: float, dropped: float) -> None:
    """With several outages of at least two rounds the interval contains the end of the last one."""
    for seed in range(DRAWS):
        world = _world(seed, outages=3, least=4 * EVERY + EVERY // 2, unknown=unknown, dropped=dropped)
        _holds(world, seed)


def test_a_shorter_outage_is_contained_or_not_seen() -> None:
    """An outage shorter than two rounds is contained in the interval or reported as not seen."""
    seen = 0
    for seed in range(DRAWS):
        world = _world(seed, least=0, unknown=0.05, dropped=0.05)
        world = replace(world, outages=((world.outages[0][0], world.outages[0][0] + Random(seed).randrange(2 * EVERY)),))
        _holds(_resampled(world, seed), seed)
        seen += isinstance(estimate(_resampled(world, seed).instants, world.question), Measured)
    assert DRAWS // 5 < seen < DRAWS


def _resampled(world: World, seed: int) -> World:
    rng = Random(seed)
    until = max(world.question.origin[1] + world.question.watched + 4 * EVERY, world.outages[-1][1])
    rounds = _rounds(rng, until=until, outages=world.outages, unknown=0.05, dropped=0.05)
    question = replace(world.question, until=until + EVERY, ended=until + EVERY)
    return replace(world, question=question, instants=tuple(rounds))


def test_without_unknown_rounds_an_outage_of_two_rounds_is_always_seen() -> None:
    """With every round known, an outage of two rounds and their length is measured, never 'not seen'."""
    for seed in range(DRAWS):
        world = _world(seed, least=4 * EVERY + EVERY // 2, unknown=0, dropped=0)
        assert isinstance(estimate(world.instants, world.question), Measured), f"seed {seed}"


def test_the_interval_is_as_narrow_as_promised() -> None:
    """No wider than one span, the unknown spans behind the last bad round, the round's own length and the injection's."""
    decided = 0
    for seed in range(DRAWS):
        world = _world(seed, least=4 * EVERY, unknown=0.1 if seed % 2 else 0, dropped=0)
        found = estimate(world.instants, world.question)
        if isinstance(found, NotSeen) or found.measurement.hi is None:
            continue
        states = [instant.state for instant in world.instants if instant.end >= 0]
        last_bad = len(states) - 1 - states[::-1].index("bad")
        adjoining = len(states) - states[::-1].index("unknown") - 1 - last_bad if "unknown" in states[last_bad:] else 0
        acting = world.question.origin[1] - world.question.origin[0]
        widest = EVERY * (1 + adjoining) + world.longest_round + acting
        assert found.measurement.hi - found.measurement.lo <= widest, f"seed {seed}"
        decided += 1
    assert decided > DRAWS // 3


def _spans(seed: int, world: World) -> tuple[Instant, ...]:
    """The same world seen through an error counter: events all through the outages, the last one at their very end."""
    rng = Random(seed)
    events = sorted(moment for begin, end in world.outages for moment in (*range(begin, end, EVERY // 4), end))
    rounds = _rounds(rng, until=world.instants[-1].tick, outages=(), unknown=0.1 if seed % 3 else 0, dropped=0.1)
    looks = [rng.randint(instant.start, instant.end) for instant in rounds]
    out = []
    for (earlier, before), (later, after) in pairwise(zip(rounds, looks, strict=True)):
        known = "unknown" not in (earlier.state, later.state)
        happened = any(before < event <= after for event in events)
        state: Goodness = ("bad" if happened else "good") if known else "unknown"
        out.append(Instant(tick=later.tick, start=earlier.start, end=later.end, state=state))
    return tuple(out)


def test_the_last_event_lies_in_the_interval() -> None:
    """For an event indicator the interval contains the last event, whatever spans are unknown."""
    for seed in range(DRAWS):
        world = _world(seed, outages=1 + seed % 2, least=4 * EVERY, unknown=0, dropped=0)
        world = replace(world, instants=_spans(seed, world), question=replace(world.question, kind="event"))
        _holds(world, seed)


def test_recovery_is_counted_from_the_revert() -> None:
    """Counted from the revert the interval contains the truth, which is nothing where recovery came before it."""
    before = 0
    for seed in range(DRAWS):
        world = _world(seed, least=4 * EVERY + EVERY // 2, unknown=0.1, dropped=0)
        rng = Random(seed)
        begun = rng.randrange(20 * EVERY)
        acting = rng.randrange(2 * EVERY)
        question = replace(world.question, origin=(begun, begun + acting), watched=0, settle=0)
        world = replace(world, question=question, injected=rng.randint(begun, begun + acting))
        _holds(world, seed)
        found = estimate(world.instants, question)
        before += isinstance(found, Measured) and found.measurement.hi == 0
    assert before > DRAWS // 20


def test_with_flaps_allowed_the_first_sustained_stretch_is_contained() -> None:
    """Where flaps are accepted, the interval contains the start of the first good stretch that lasts long enough."""
    for seed in range(DRAWS):
        world = _world(seed, outages=3, least=4 * EVERY + EVERY // 2, unknown=0.05, dropped=0)
        question = replace(world.question, flaps_allowed=True, settle=5 * EVERY)
        found = estimate(world.instants, question)
        gaps = [later[0] - earlier[1] for earlier, later in pairwise(world.outages)]
        if isinstance(found, NotSeen) or any(abs(gap - question.settle) < 3 * EVERY for gap in gaps):
            continue
        first = next((i for i, gap in enumerate(gaps) if gap > question.settle), len(gaps))
        truth = world.outages[first][1] - world.injected
        assert found.measurement.lo <= truth, f"seed {seed}"
        assert found.measurement.hi is None or truth <= found.measurement.hi, f"seed {seed}"
