"""The catalogue: what each kind asks of an environment, for whom, and what it refuses to be aimed at."""

from __future__ import annotations

from itertools import chain

import pytest

from meshkit_chaos.faults import (
    CATALOGUE,
    Aim,
    Fault,
    MemberState,
    PacketCounts,
    Parameter,
    Shape,
    Unshape,
    lever_name,
    parse_rate,
)
from meshkit_chaos.scenario.load import load_scenarios
from meshkit_chaos.slo import Duration

FIVE = ("a", "b", "c", "d", "e")
GIVEN = {
    "latency": {"delay": "50ms"},
    "packet-loss": {"loss": "5%"},
    "corruption": {"share": "5%"},
    "duplication": {"share": "5%"},
    "reordering": {"share": "5%"},
    "bandwidth": {"rate": "1mbit"},
}


def aim(kind: str, *targets: str, clients: tuple[str, ...] = (), members: tuple[str, ...] = FIVE, **given: str | float) -> Aim:
    parameters = CATALOGUE[kind].completed({**GIVEN.get(kind, {}), **given})
    return Aim(
        node="it",
        targets=targets or ("a",),
        members=members,
        clients=clients,
        parameters=parameters,
        seed=7,
        lasting=Duration.parse("1m"),
    )


def links(kind: str, aimed: Aim) -> set[tuple[str, str]]:
    """Who cannot, or only badly, send to whom."""
    calls = [call for call in CATALOGUE[kind].inject(aimed) if isinstance(call, Shape)]
    return {(call.member, other) for call in calls for other in call.towards}


def both(one: str, others: str) -> set[tuple[str, str]]:
    return {pair for mine in one for other in others for pair in ((mine, other), (other, mine))}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_a_fault_pulls_what_it_declares(kind: str) -> None:
    """Every lever call of a kind is of a lever that it says it needs, and its undo touches each member that it touched."""
    fault, aimed = CATALOGUE[kind], aim(kind, "a", "b", clients=("load",))
    calls, undo = fault.inject(aimed), fault.revert(aimed)
    assert {lever_name(call) for call in calls} == set(fault.pulls)
    assert {lever_name(call) for call in undo} == set(fault.undone_by)
    assert {call.member for call in calls} == {call.member for call in undo}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_an_example_passes_lint(kind: str) -> None:
    """The example that the reference shows is a step that lint has nothing against."""
    steps = "\n".join("      " + line for line in CATALOGUE[kind].example.splitlines())
    text = f"""version: 1
indicators: {{up: {{promql: sum(up), good: "== 3"}}}}
scenarios:
  - id: example
    title: The example
    steady_state: {{for: 2s, indicators: [up]}}
    blast_radius: {{members: 3}}
    steps:
{steps}
    objectives: [{{converge: up, within: 5s}}]
"""
    assert load_scenarios(text.encode(), path="x.yaml").problems == ()


@pytest.mark.parametrize("kind", [kind for kind, fault in CATALOGUE.items() if "shape" in fault.pulls])
def test_a_layer_is_named_after_its_injection_and_ends_by_itself(kind: str) -> None:
    """Each layer bears the node's name, so that it is lifted alone, and has the injection's deadline as its limit."""
    calls = [call for call in CATALOGUE[kind].inject(aim(kind)) if isinstance(call, Shape)]
    assert {(call.layer, call.lasting) for call in calls} == {("it", Duration.parse("1m"))}
    assert all(call.member not in call.towards for call in calls)
    assert all(isinstance(call, Unshape) and call.layer == "it" for call in CATALOGUE[kind].revert(aim(kind)))


def test_partitions() -> None:
    """Isolated, in two groups, each for itself, one way only, and with a bridge that both sides still reach."""
    assert links("partition", aim("partition", "a")) == both("a", "bcde")
    assert links("partition", aim("partition", "a", "b")) == both("ab", "cde")
    assert links("partition", aim("partition", "a", "b", sides="each")) == both("ab", "cde") | both("a", "b")
    assert links("partition", aim("partition", "a", way="out")) == {("a", other) for other in "bcde"}
    assert links("partition", aim("partition", "a", way="in")) == {(other, "a") for other in "bcde"}
    bridged = links("partition", aim("partition", "a", "b", bridges=1.0))
    (bridge,) = set("cde") - set(chain.from_iterable(bridged))
    assert bridged == both("ab", "".join(sorted(set("cde") - {bridge})))
    assert bridged == links("partition", aim("partition", "a", "b", bridges=1.0)), "drawn by the seed, not by chance"


def test_nobody_on_the_other_side_is_refused() -> None:
    """A partition that would separate nobody is no partition."""
    for aimed in (aim("partition", *FIVE), aim("partition", "a", bridges=4.0), aim("latency", members=("a",))):
        with pytest.raises(ValueError, match="nobody"):
            CATALOGUE["partition" if "sides" in aimed.parameters else "latency"].inject(aimed)


def test_links_to_clients_are_links_too() -> None:
    """A fault may be of the links to clients, to members, or to all; by default a partition leaves clients alone."""
    clients = ("load",)
    assert links("partition", aim("partition", "a", clients=clients)) == both("a", "bcde")
    assert links("partition", aim("partition", "a", clients=clients, links="clients")) == {("a", "load"), ("load", "a")}
    assert links("udp-blocked", aim("udp-blocked", "a", clients=clients)) >= {("a", "load"), ("load", "a"), ("a", "b")}


def counted(**counts: int | None) -> dict[str, MemberState]:
    up = MemberState(up=True, paused=False)
    seen = PacketCounts(**{"seen": 10, "dropped": 0, **counts})  # type: ignore[arg-type]  # as its fields are
    shaped = MemberState(up=True, paused=False, layers=("it",), counts={"it": seen})
    return {**dict.fromkeys(FIVE, up), "a": shaped}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("latency", {"delayed": 1}, {"delayed": 0}),
        ("packet-loss", {"dropped": 1}, {"dropped": 0}),
        ("corruption", {"corrupted": 1}, {"corrupted": 0}),
        ("duplication", {"duplicated": 1}, {"duplicated": 0}),
        ("reordering", {"reordered": 1}, {"reordered": 0}),
        ("bandwidth", {"delayed": 1}, {"delayed": 0}),
    ],
)
def test_only_packets_that_suffered_prove_a_fault(kind: str, good: dict[str, int], bad: dict[str, int]) -> None:
    """A layer in force proves nothing: something must have happened to a packet. Where nobody can tell, they met it."""
    fault, aimed = CATALOGUE[kind], aim(kind, "a")

    def said(after: dict[str, MemberState]) -> str | None:
        return fault.effect(aimed, "a", {}, after) or (fault.toll(aimed, "a", {}, after) if fault.toll else None)

    assert said(counted(**good)) is None
    assert "none of the 10 packets" in str(said(counted(**bad)))
    assert "no packet met it" in str(said(counted(seen=0)))
    assert "no such layer" in str(said({**counted(**good), "a": MemberState(up=True, paused=False)}))
    if kind != "packet-loss":
        assert said(counted(**dict.fromkeys(bad))) is None, "a backend that cannot count it"


def test_what_came_in_counts_for_the_one_way_partition() -> None:
    """Of a partition that nothing reaches the target through, the others' links are counted, for there its packets are lost."""
    aimed = aim("partition", "a", way="in")
    shaped = MemberState(up=True, paused=False, layers=("it",), counts={"it": PacketCounts(seen=3, dropped=3)})
    after = {**dict.fromkeys(FIVE, shaped), "a": MemberState(up=True, paused=False)}
    assert CATALOGUE["partition"].effect(aimed, "a", {}, after) is None
    after["c"] = MemberState(up=True, paused=False)
    assert "in force on what c sends" in str(CATALOGUE["partition"].effect(aimed, "a", {}, after))


@pytest.mark.parametrize(
    ("parameter", "first", "last", "middle"),
    [
        (Parameter(name="p", type="duration", doc=""), "10ms", "20ms", "15ms"),
        (Parameter(name="p", type="ratio", doc=""), "0%", "50%", "25%"),
        (Parameter(name="p", type="rate", doc=""), "1mbit", "2mbit", "1500kbit"),
        (Parameter(name="p", type="integer", doc=""), 1.0, 4.0, 2.0),
        (Parameter(name="p", type="number", doc=""), 1.0, 2.0, 1.5),
    ],
)
def test_a_ramp_goes_straight(parameter: Parameter, first: str | float, last: str | float, middle: str | float) -> None:
    """Half way from one value to another is the value in the middle, written as a document would have it."""
    assert parameter.between(first, last, 0.5) == middle
    assert parameter.number(parameter.between(first, last, 1)) == parameter.number(last)


def test_limits_are_told_in_their_units() -> None:
    """Whoever is over a limit reads it as it would be written."""
    delay = next(one for one in CATALOGUE["latency"].parameters if one.name == "delay")
    assert delay.reason_against("2m") == "2m is above 1m"
    assert delay.limits == "1ms to 1m"
    rate = next(one for one in CATALOGUE["bandwidth"].parameters if one.name == "rate")
    assert rate.reason_against("1kbit") == "1kbit is below 8kbit"
    assert parse_rate("1.5mbit") == 1_500_000


def test_every_kind_can_be_told_from_the_outside() -> None:
    """Each kind says what proves it, what it does and how it looks; one that is judged over time says that too."""
    for fault in CATALOGUE.values():
        assert isinstance(fault, Fault)
        assert fault.summary.endswith(".")
        assert fault.effect_doc
        assert bool(fault.toll) == bool(fault.toll_doc)
