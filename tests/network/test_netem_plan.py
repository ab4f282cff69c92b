"""Link policies in the words of the kernel's netem."""

from __future__ import annotations

import pytest

from meshkit_chaos.faults import LinkPolicy
from meshkit_chaos.network.netem import queue_of
from meshkit_chaos.network.netem_plan import Netem, keys, settings, why_not
from meshkit_chaos.slo import Duration, Ratio


def ms(number: int) -> Duration:
    return Duration(number * 10**6)


def test_layers_become_one_setting() -> None:
    """Delays add up, shares combine as independent ones, and the lowest rate counts."""
    one = LinkPolicy(delay=ms(10), jitter=ms(2), loss=Ratio(0.5), rate=8_000_000)
    other = LinkPolicy(delay=ms(5), loss=Ratio(0.5), duplicate=Ratio(0.1), rate=1_000_000)
    assert settings([one, other]) == {
        "all": Netem(delay_us=15_000, jitter_us=2000, loss=0.75, duplicate=pytest.approx(0.1), rate=1_000_000)  # type: ignore[arg-type]  # pytest compares it as a float
    }
    assert settings([]) == {}


def test_a_cut_is_a_loss_of_everything() -> None:
    """Whatever else is in force, nothing gets through."""
    assert settings([LinkPolicy(cut=True), LinkPolicy(loss=Ratio(0.5))])["all"].loss == 1


def test_packets_are_told_apart_where_a_policy_does() -> None:
    """Each class of packets suffers the policies that are for it, and no other."""
    found = settings([LinkPolicy(cut=True, only="udp"), LinkPolicy(delay=ms(7)), LinkPolicy(delay=ms(1), only="dns")])
    assert {name: (one.loss, one.delay_us) for name, one in found.items()} == {
        "udp-dns": (1, 8000),
        "tcp-dns": (0, 8000),
        "udp": (1, 7000),
        "tcp": (0, 7000),
        "rest": (0, 7000),
    }
    assert set(settings([LinkPolicy(cut=True, only="dns")])) == {"udp-dns", "tcp-dns"}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (LinkPolicy(loss=Ratio(0.1), loss_burst=3), "bursts"),
        (LinkPolicy(delay=ms(5), jitter=ms(1), distribution="pareto"), "pareto"),
        (LinkPolicy(delay=ms(5), jitter=ms(1), loss=Ratio(0.1)), ""),
        (LinkPolicy(delay=ms(5), distribution="normal"), ""),
    ],
)
def test_what_it_is_not_asked_for_is_told(policy: LinkPolicy, said: str) -> None:
    """Nothing is approximated in silence: what the kernel would do otherwise is refused."""
    assert said in why_not(policy)
    assert bool(why_not(policy)) is bool(said)


def test_filters_compare_sender_protocol_and_port() -> None:
    """DNS is told by either port; a class without a protocol by the sender alone."""
    sender = "0x0a010203/0xffffffff+12"
    source = bytes([10, 1, 2, 3])
    assert keys("all", source) == keys("rest", source) == [[sender]]
    assert keys("tcp", source) == [[sender, "0x0006/0x00ff+8"]]
    assert keys("udp-dns", source) == [
        [sender, "0x0011/0x00ff+8", "0x0035/0xffff+20"],
        [sender, "0x0011/0x00ff+8", "0x0035/0xffff+22"],
    ]


def test_a_rate_bounds_the_queue_in_time() -> None:
    """As on the switch: two hundred milliseconds of usual packets and what the delay holds, never fewer than ten packets."""
    assert queue_of(Netem()) == 100_000
    assert queue_of(Netem(rate=12_000_000)) == 200
    assert queue_of(Netem(rate=12_000_000, delay_us=100_000)) == 300
    assert queue_of(Netem(rate=64_000)) == 10
