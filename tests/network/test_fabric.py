"""All links together: layers add up, end, and are lifted; nothing arrives that should not. In virtual time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from wire import MS, S, drawing, packet

from meshkit_chaos.faults import LinkPolicy, PacketCounts, Shape, Unshape
from meshkit_chaos.network import fabric as fabric_module
from meshkit_chaos.network.fabric import Fabric
from meshkit_chaos.slo import Duration, Ratio

NAMES = ("a", "b", "c")
ONE = packet()


def shape(
    policy: LinkPolicy, *, member: str = "a", towards: tuple[str, ...] = ("b",), layer: str = "x", lasting: int = 60 * S
) -> Shape:
    return Shape(member=member, towards=towards, policy=policy, layer=layer, lasting=Duration(lasting))


def slow(ms: int) -> LinkPolicy:
    return LinkPolicy(delay=Duration(ms * MS))


def test_only_the_named_direction_suffers() -> None:
    """What others send, and what is sent to others, arrives at once."""
    fabric = Fabric(drawing)
    fabric.change(shape(LinkPolicy(cut=True)), 0)
    assert fabric.send(("a", "b"), ONE, 1) == []
    assert fabric.is_shaped(("a", "b"))
    for link in (("b", "a"), ("a", "c"), ("c", "b")):
        assert not fabric.is_shaped(link)
        assert fabric.send(link, ONE, 1) == [ONE]


def test_layers_add_up() -> None:
    """Two delays are one after the other, and each is counted under its own name."""
    fabric = Fabric(drawing)
    fabric.change(shape(slow(10), layer="x"), 0)
    fabric.change(shape(slow(5), layer="y"), 0)
    assert fabric.send(("a", "b"), ONE, 0) == []
    assert fabric.next_at() == 15 * MS
    assert fabric.due(15 * MS - 1) == []
    assert fabric.due(15 * MS) == [("b", ONE)]
    counts = fabric.in_force(20 * MS)["a"]
    assert [counts[name].delayed for name in ("x", "y")] == [1, 1]


def test_the_same_layer_again_is_no_other_layer() -> None:
    """A repeated call changes nothing but when it ends; another policy under the name takes its place and counts anew."""
    fabric = Fabric(drawing)
    fabric.change(shape(slow(10), lasting=S), 0)
    fabric.send(("a", "b"), ONE, 0)
    fabric.change(shape(slow(10), lasting=S), S // 2)
    assert fabric.in_force(S)["a"]["x"].seen == 1
    assert fabric.in_force(S + S // 2) == {}
    fabric.change(shape(LinkPolicy(cut=True), lasting=S), S // 2)
    assert fabric.in_force(S)["a"]["x"] == PacketCounts(seen=0, dropped=0, delayed=0, duplicated=0, reordered=0, corrupted=0)
    assert fabric.send(("a", "b"), ONE, S // 2) == []


def test_a_layer_ends_by_itself() -> None:
    """When its time is over nobody needs to lift it, and whoever serves the fabric is told when that is."""
    fabric = Fabric(drawing)
    fabric.change(shape(LinkPolicy(cut=True), lasting=S), 0)
    assert fabric.next_at() == S
    assert fabric.send(("a", "b"), ONE, S - 1) == []
    fabric.due(S)
    assert fabric.send(("a", "b"), ONE, S) == [ONE]
    assert fabric.in_force(S) == {}
    assert fabric.next_at() is None


def test_lifting_is_idempotent_and_delivers_what_was_held() -> None:
    """What a lifted layer held back arrives at once; lifting it again, or one that never was, does nothing."""
    fabric = Fabric(drawing)
    fabric.change(shape(slow(1000)), 0)
    fabric.send(("a", "b"), ONE, 0)
    fabric.change(Unshape(member="a", layer="x"), 5 * MS)
    fabric.change(Unshape(member="a", layer="x"), 5 * MS)
    fabric.change(Unshape(member="c", layer="never"), 5 * MS)
    assert fabric.due(5 * MS) == [("b", ONE)]
    assert fabric.due(2 * S) == []


def test_what_is_under_way_when_a_link_is_cut_never_arrives() -> None:
    """After a cut has taken effect not one packet gets through, not even one that was held back before."""
    fabric = Fabric(drawing)
    fabric.change(shape(slow(50), layer="slow"), 0)
    fabric.send(("a", "b"), ONE, 0)
    fabric.change(shape(LinkPolicy(cut=True), layer="cut"), 10 * MS)
    assert fabric.due(S) == []
    assert fabric.in_force(S)["a"]["cut"].dropped == 1


def test_what_is_held_is_bounded(monkeypatch: object) -> None:
    """A long delay on a fast link cannot eat the machine's memory: what is too much is dropped, and counted."""
    fabric = Fabric(drawing)
    fabric.change(shape(slow(60_000)), 0)
    big = packet(size=60_000)
    count = fabric_module.MOST_HELD // len(big)
    for _ in range(count + 10):
        fabric.send(("a", "b"), big, 0)
    assert fabric.in_force(1)["a"]["x"].dropped == 10


POLICIES = st.builds(
    lambda cut, delay, jitter, loss, duplicate, rate: LinkPolicy(
        cut=cut,
        delay=Duration(delay * MS),
        jitter=Duration(jitter * MS),
        loss=Ratio(loss),
        duplicate=Ratio(duplicate),
        rate=rate,
    ),
    st.booleans(),
    st.integers(0, 50),
    st.integers(0, 20),
    st.sampled_from([0.0, 0.2, 1.0]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0, 10**5, 10**7]),
)
CALLS = st.one_of(
    st.builds(
        lambda policy, member, towards, layer, lasting: shape(
            policy, member=member, towards=tuple(towards), layer=layer, lasting=lasting * MS
        ),
        POLICIES,
        st.sampled_from(NAMES),
        st.lists(st.sampled_from(NAMES), unique=True),
        st.sampled_from("xyz"),
        st.integers(1, 100),
    ),
    st.builds(lambda member, layer: Unshape(member=member, layer=layer), st.sampled_from(NAMES), st.sampled_from("xyz")),
)
SENDS = st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(CALLS, SENDS), max_size=40))
def test_whatever_is_done_all_ends_well(acts: list[Shape | Unshape | tuple[str, str]]) -> None:
    """Left alone, every fabric becomes clear: no layer stays, nothing stays held, and a packet passes each link at once."""
    fabric = Fabric(drawing)
    now = 0
    for act in acts:
        now += MS
        fabric.due(now)
        if isinstance(act, tuple):
            fabric.send(act, ONE, now)
        else:
            fabric.change(act, now)
    while (at := fabric.next_at()) is not None:
        assert at >= now or fabric.due(now) is not None
        now = max(now, at)
        fabric.due(now)
    assert fabric.in_force(now) == {}
    assert all(fabric.send((one, other), ONE, now) == [ONE] for one in NAMES for other in NAMES)
