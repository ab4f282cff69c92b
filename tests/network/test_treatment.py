"""What one layer does to packets: as much as was asked for, and the same again with the same seed. In virtual time."""

from __future__ import annotations

import math
import statistics

import pytest
from wire import MS, S, drawing, packet, runs_of, treated

from meshkit_chaos.faults import LinkPolicy
from meshkit_chaos.network.treatment import LONGEST_QUEUE_NS, Tally, Treatment
from meshkit_chaos.slo import Duration, Ratio

SIGMAS = 5
"""How far from its expectation a share may be drawn. The seeds are fixed: what passes once passes always."""


def near(seen: int, of: int, share: float) -> bool:
    return abs(seen - of * share) <= SIGMAS * math.sqrt(of * share * (1 - share)) + 1


def test_a_link_without_a_policy_does_nothing() -> None:
    """Whatever comes in arrives at once, as it was."""
    one = packet()
    assert Treatment(LinkPolicy(), drawing(1), Tally()).treat(one, 7) == [(7, one)]


def test_a_cut_lets_nothing_through() -> None:
    """Of ten thousand packets none arrives, and all are counted."""
    late, tally = treated(LinkPolicy(cut=True))
    assert late == []
    assert (tally.seen, tally.dropped) == (10_000, 10_000)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_independent_loss_is_as_much_as_was_asked_for(share: float) -> None:
    """The share of lost packets is the one that was asked for, within what chance explains."""
    late, tally = treated(LinkPolicy(loss=Ratio(share), seed=3))
    assert near(tally.dropped, 10_000, share)
    assert len(late) == 10_000 - tally.dropped


@pytest.mark.parametrize(("share", "burst"), [(0.01, 5), (0.1, 3), (0.3, 10), (0.5, 2)])
def test_loss_in_bursts_has_both_the_share_and_the_length(share: float, burst: float) -> None:
    """Gilbert's model keeps the share of loss, and a burst is as long in the mean as was asked for."""
    treatment = Treatment(LinkPolicy(loss=Ratio(share), loss_burst=burst), drawing("bursts"), Tally())
    lost = [not treatment.treat(packet(), number) for number in range(200_000)]
    bursts = runs_of(lost)
    assert statistics.mean(bursts) == pytest.approx(burst, rel=0.1)
    assert sum(lost) / len(lost) == pytest.approx(share, rel=0.1)


def test_a_delay_is_exact() -> None:
    """Every packet arrives as much later as was asked for, to the nanosecond."""
    late, tally = treated(LinkPolicy(delay=Duration(40 * MS)))
    assert set(late) == {40 * MS}
    assert tally.delayed == 10_000


@pytest.mark.parametrize(
    ("distribution", "deviation"), [("uniform", 5 / math.sqrt(3)), ("normal", 5.0), ("pareto", 5.0)], ids=str
)
def test_jitter_has_its_mean_and_its_spread(distribution: str, deviation: float) -> None:
    """The mean stays the delay; the spread is the jitter, as the distribution means it."""
    policy = LinkPolicy(delay=Duration(50 * MS), jitter=Duration(5 * MS), distribution=distribution, seed=2)  # type: ignore[arg-type]  # one of the three that there are
    late, _ = treated(policy, count=40_000)
    in_ms = [one / MS for one in late]
    assert statistics.mean(in_ms) == pytest.approx(50, abs=0.2)
    assert statistics.stdev(in_ms) == pytest.approx(deviation, rel=0.15)
    if distribution == "uniform":
        assert min(in_ms) >= 45
        assert max(in_ms) <= 55


def test_jitter_never_makes_a_packet_early() -> None:
    """More jitter than delay leaves the delay at zero, never below."""
    late, _ = treated(LinkPolicy(delay=Duration(MS), jitter=Duration(20 * MS), distribution="normal"))
    assert min(late) == 0


def test_duplicates_arrive_twice() -> None:
    """The share that was asked for arrives a second time."""
    late, tally = treated(LinkPolicy(duplicate=Ratio(0.1)))
    assert near(tally.duplicated, 10_000, 0.1)
    assert len(late) == 10_000 + tally.duplicated


def test_reordered_packets_overtake_the_delayed() -> None:
    """The share that was asked for is not delayed, so that it arrives before what was sent earlier."""
    late, tally = treated(LinkPolicy(delay=Duration(10 * MS), reorder=Ratio(0.25)))
    assert near(tally.reordered, 10_000, 0.25)
    assert late.count(0) == tally.reordered
    assert late.count(10 * MS) == tally.delayed == 10_000 - tally.reordered


def test_corruption_flips_one_bit() -> None:
    """A corrupted packet differs in one bit and is as long as before."""
    treatment = Treatment(LinkPolicy(corrupt=Ratio(1.0)), drawing("bits"), Tally())
    one = packet(size=60)
    places = set()
    for _ in range(20_000):
        ((_, spoilt),) = treatment.treat(one, 0)
        assert len(spoilt) == len(one)
        different = int.from_bytes(one, "big") ^ int.from_bytes(spoilt, "big")
        assert different.bit_count() == 1
        places.add(different.bit_length())
    assert len(places) == 60 * 8


def test_a_rate_spaces_packets_out() -> None:
    """Packets leave one after another, each for as long as its bits take, and wait for those before."""
    late, tally = treated(LinkPolicy(rate=1_000_000), every=0, count=5, size=125)
    assert late == [MS, 2 * MS, 3 * MS, 4 * MS, 5 * MS]
    assert tally.delayed == 4  # the first one waits for nobody


def test_a_rate_that_is_not_used_up_costs_only_the_packet_itself() -> None:
    """A link that is free again delays nothing."""
    late, _ = treated(LinkPolicy(rate=1_000_000), every=10 * MS, count=5, size=125)
    assert set(late) == {MS}


def test_what_would_queue_for_too_long_is_dropped() -> None:
    """The queue of a slow link is bounded in time, so that a rate does not become a delay of seconds."""
    late, tally = treated(LinkPolicy(rate=1_000_000), every=0, count=1000, size=125)
    assert max(late) <= LONGEST_QUEUE_NS + 2 * MS
    assert tally.dropped == 1000 - len(late) > 0


def test_even_a_very_slow_link_holds_a_few_packets() -> None:
    """Where one packet takes longer than the queue may be, ten can wait all the same."""
    late, _ = treated(LinkPolicy(rate=8_000), every=0, count=50, size=1000)
    assert len(late) >= 10
    assert late[0] == S


@pytest.mark.parametrize(
    ("only", "hit"), [("all", "udp tcp icmp dns dns-tcp"), ("udp", "udp dns"), ("tcp", "tcp dns-tcp"), ("dns", "dns dns-tcp")]
)
def test_a_policy_is_only_for_the_packets_it_names(only: str, hit: str) -> None:
    """What it is not for passes untouched and uncounted."""
    kinds = {
        "udp": packet(),
        "tcp": packet(protocol=6),
        "icmp": packet(protocol=1),
        "dns": packet(ports=(40_000, 53)),
        "dns-tcp": packet(protocol=6, ports=(53, 40_000)),
    }
    for kind, one in kinds.items():
        tally = Tally()
        arrived = Treatment(LinkPolicy(cut=True, only=only), drawing(0), tally).treat(one, 0)  # type: ignore[arg-type]  # one of the four that there are
        assert bool(arrived) is (kind not in hit.split()), kind
        assert tally.seen == (0 if arrived else 1)


def test_the_same_seed_gives_the_same_fate() -> None:
    """Two links of one seed treat the same packets alike; another seed does not."""
    policy = LinkPolicy(loss=Ratio(0.2), delay=Duration(9 * MS), jitter=Duration(3 * MS), duplicate=Ratio(0.1), seed=4)
    assert treated(policy, count=500)[0] == treated(policy, count=500)[0]
    other = LinkPolicy(loss=Ratio(0.2), delay=Duration(9 * MS), jitter=Duration(3 * MS), duplicate=Ratio(0.1), seed=5)
    assert treated(policy, count=500)[0] != treated(other, count=500)[0]
