"""The estimator against outages whose true instants are known, over the whole path from samples and journal to the finding."""

from __future__ import annotations

from collections import Counter

import pytest
from known_outages import Known, known

from meshkit_chaos.judge.judge import judge
from meshkit_chaos.judge.times import judge_time
from meshkit_chaos.judge.verdict import Finding, Measurement

QUICK = 2_000
MANY = 20_000


def _judged(world: Known) -> Finding:
    return judge_time(world.record, world.objective, world.indicator)


def _wrong(world: Known, found: Finding) -> list[str]:
    """What of the law is broken: the truth outside the interval, or a verdict against the truth."""
    assert world.objective.within is not None
    limit, out = world.objective.within.ns, []
    measured = found.measured
    if measured is None:
        return [] if found.verdict == "inconclusive" else [f"{found.verdict} without a measurement"]
    if _said_unseen(found):  # a disturbance need not be, and none was seen: then the longest that can have been is told
        hidden = world.shortest > (measured.hi or 0) and world.clear
        return [f"it may have been no longer than {measured.hi}, and was {world.shortest}"] if hidden else []
    if world.truth is not None and measured.lo > world.truth:
        out.append(f"it starts at {measured.lo}, after the truth")
    if measured.hi is not None and (world.truth is None or world.truth > measured.hi):
        out.append(f"it ends at {measured.hi}, before the truth")
    if found.verdict == "pass" and (world.truth is None or world.truth > limit):
        out.append(f"a pass, and the truth is over the limit of {limit}")
    if found.verdict == "fail" and world.truth is not None and world.truth <= limit:
        out.append(f"a fail, and the truth is within the limit of {limit}")
    return out


def _said_unseen(found: Finding) -> bool:
    return found.measured is None or "was not seen out of its band" in found.sentence


def _proven(seeds: range, *, least: int) -> Counter[str]:
    """Judge every draw; fail with all that break the law."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    for seed in seeds:
        world = known(seed, least=least)
        found = _judged(world)
        seen["not seen" if _said_unseen(found) else found.verdict] += 1
        wrong += [f"{world.told}; truth {world.truth}: {told}; {found.sentence}" for told in _wrong(world, found)]
        if least and world.clear and world.shortest and _said_unseen(found):
            wrong.append(f"{world.told}: an outage of two rounds was not seen: {found.sentence}")
        if least and world.clear and world.shortest and found.measured is not None:
            wrong += _wide(world, found.measured)
    assert not wrong, f"{len(wrong)} of {len(seeds)}:\n" + "\n".join(wrong[:20])
    return seen


def _wide(world: Known, measured: Measurement) -> list[str]:
    """With every round known the interval is no wider than one span, the round's own length and the act that is subtracted."""
    widest = world.every + world.longest_round + world.every // 10 + world.acting
    if world.indicator.kind == "event":
        widest += world.every // 10
    if measured.hi is None or measured.hi - measured.lo <= widest:
        return []
    return [f"{world.told}: {measured.hi - measured.lo} wide, promised {widest}"]


def _chunks(count: int) -> list[range]:
    return [range(start, start + 1000) for start in range(0, count, 1000)]


@pytest.mark.parametrize("seeds", _chunks(QUICK), ids=str)
def test_the_interval_holds_the_truth(seeds: range) -> None:
    """For outages of at least two rounds the interval always contains the true time, and no verdict contradicts it."""
    seen = _proven(seeds, least=1)
    assert min(seen["pass"], seen["fail"], seen["inconclusive"]) > len(seeds) // 20, seen


@pytest.mark.slow
@pytest.mark.parametrize("seeds", _chunks(MANY)[QUICK // 1000 :], ids=str)
def test_the_interval_holds_the_truth_in_many_draws(seeds: range) -> None:
    """The same in twenty thousand draws."""
    _proven(seeds, least=1)


@pytest.mark.parametrize("seeds", _chunks(1000), ids=str)
def test_a_shorter_outage_is_contained_or_said_not_to_be_seen(seeds: range) -> None:
    """A single outage of any length: its true time is in the interval, or the finding says that nothing was seen."""
    seen = _proven(seeds, least=0)
    assert seen["not seen"] > len(seeds) // 20, seen


def test_what_was_not_seen_is_said() -> None:
    """Where the indicator never left its band after the fault, the sentence says so, and the verdict is no pass."""
    told = 0
    for seed in range(600):
        world = known(seed, least=0)
        found = _judged(world)
        if found.measured is None:
            told += 1
            said = ("did not see the fault", "not observed", "was never reverted", "cannot be timed")
            assert any(words in found.sentence for words in said), found.sentence
            assert found.verdict == "inconclusive"
            assert judge(world.record).verdict != "pass"
    assert told > 30
