"""Levers as values: they come back from a record as they were, and no link is asked for that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit_chaos.faults import Kill, LeverCall, LinkPolicy, MemberState, PacketCounts, Shape, Unshape, lever_name
from meshkit_chaos.slo import Duration, Ratio
from meshkit_chaos.slo.codec import builtins, convert, decode, encode

LOSSY = LinkPolicy(
    delay=Duration.parse("40ms"), jitter=Duration.parse("5ms"), loss=Ratio(0.25), loss_burst=3, only="udp", seed=7
)
SHAPE = Shape(member="a", towards=("b", "c"), policy=LOSSY, layer="slow", lasting=Duration.parse("30s"))


@pytest.mark.parametrize(
    ("call", "name"), [(SHAPE, "shape"), (Unshape(member="a", layer="slow"), "unshape"), (Kill("a"), "kill")]
)
def test_a_lever_call_comes_back_from_a_record(call: LeverCall, name: str) -> None:
    """What was written down is what will be done, by whoever reads it."""
    assert convert(builtins(call), LeverCall) == call
    assert lever_name(call) == name
    assert builtins(call)["lever"] == name


def test_a_state_recorded_before_there_were_links_has_no_layers() -> None:
    """Journals of earlier versions are read as before."""
    state = decode(b'{"up":true,"paused":false,"identity":"1@2"}', MemberState)
    assert (state.layers, state.counts) == ((), {})
    now = MemberState(up=True, paused=False, layers=("slow",), counts={"slow": PacketCounts(seen=3, dropped=1)})
    assert decode(encode(now), MemberState) == now


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"delay": Duration(-1)}, "expected none below 0"),
        ({"jitter": Duration(-1)}, "expected none below 0"),
        ({"rate": -1}, "expected 0"),
        ({"reorder": Ratio(0.1)}, "no delay holds those back"),
        ({"loss_burst": 0.5}, "too few for a loss of 0%"),
        ({"loss": Ratio(0.8), "loss_burst": 2}, "at least 4"),
    ],
)
def test_what_no_link_can_do_is_refused(policy: dict[str, Any], said: str) -> None:
    """Neither negative times and rates, nor so much loss in so short bursts."""
    with pytest.raises(ValueError, match=said):
        LinkPolicy(**policy)


def test_independent_loss_may_be_as_much_as_one_likes() -> None:
    """A burst of one says that each packet is lost by itself, whatever the share."""
    assert LinkPolicy(loss=Ratio(1.0)).loss_burst == 1
