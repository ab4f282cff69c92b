"""The simulated mesh: what any mesh with a leader owes those who test against it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from virtual_runs import ENVIRONMENT, described

from meshkit_chaos.environments.simulated import SimulatedEnvironment
from meshkit_chaos.environments.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import Kill, LeverCall, LinkPolicy, PacketCounts, Pause, Resume, Shape, Start, Unshape
from meshkit_chaos.slo import Duration, Ratio

MEMBERS = ["node-1", "node-2", "node-3", "node-4", "node-5"]
BEHAVIOURS = st.builds(
    lambda lever, member: lever(member), st.sampled_from([Kill, Start, Pause, Resume]), st.sampled_from(MEMBERS)
)
CUTS = st.builds(
    lambda member, towards, layer: Shape(
        member=member, towards=tuple(towards), policy=LinkPolicy(cut=True), layer=layer, lasting=Duration.parse("60s")
    ),
    st.sampled_from(MEMBERS),
    st.lists(st.sampled_from(MEMBERS), unique=True, min_size=1),
    st.sampled_from(["split", "other"]),
)
HEALS = st.builds(
    lambda member, layer: Unshape(member=member, layer=layer), st.sampled_from(MEMBERS), st.sampled_from(["split", "other"])
)
CALLS = st.one_of(BEHAVIOURS, CUTS, HEALS)
ELECTION_S, REJOIN_S = 1.5, 0.2


async def _follow(
    environment: SimulatedEnvironment, changes: list[tuple[LeverCall, float]], seen: list[tuple[float, frozenset[str]]]
) -> None:
    loop = asyncio.get_running_loop()
    await environment.deploy()
    await asyncio.sleep(ELECTION_S + REJOIN_S)
    for call, pause in changes:
        await environment.pull(call)
        end = loop.time() + pause
        while loop.time() < end:
            seen.append((loop.time(), await environment.holders("leader")))
            await asyncio.sleep(0.1)
    await environment.close()


def mesh() -> tuple[VirtualTimeLoop, SimulatedEnvironment]:
    loop = VirtualTimeLoop()
    text = ENVIRONMENT.replace("count: 3", "count: 5")
    return loop, SimulatedEnvironment(described(text), VirtualClock(loop), marker="m")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CALLS, st.sampled_from([0.05, 0.7, 2.5])), max_size=8))
def test_at_most_one_member_holds_the_role(changes: list[tuple[LeverCall, float]]) -> None:
    """Whatever is done to the members, never do two of them hold the leader's role, and a dead one never does."""
    loop, environment = mesh()
    seen: list[tuple[float, frozenset[str]]] = []
    run_virtually(loop, _follow(environment, changes, seen))
    assert all(len(holders) <= 1 for _, holders in seen)
    state = environment.mesh
    if seen and seen[-1][1]:
        (last,) = seen[-1][1]
        assert state.members[last].up


@settings(max_examples=40, deadline=None)
@given(st.lists(BEHAVIOURS, max_size=8))
def test_a_majority_has_a_leader_after_the_election_time(changes: list[LeverCall]) -> None:
    """Left alone for long enough, a mesh with a majority has an able leader, and one without a majority has none."""
    loop, environment = mesh()
    seen: list[tuple[float, frozenset[str]]] = []
    run_virtually(loop, _follow(environment, [*((call, 0.0) for call in changes), (Kill("node-5"), 6.0)], seen))
    able = {name for name, member in environment.mesh.members.items() if member.able}
    holders = seen[-1][1]
    assert bool(holders) is (2 * len(able) > len(MEMBERS))
    assert holders <= able


@settings(max_examples=40, deadline=None)
@given(CALLS, st.lists(CALLS, max_size=4))
def test_levers_are_idempotent(call: LeverCall, before: list[LeverCall]) -> None:
    """Pulling a lever twice leaves every member as pulling it once does."""

    async def work(environment: SimulatedEnvironment) -> tuple[Any, Any]:
        await environment.deploy()
        for one in before:
            await environment.pull(one)
        await environment.pull(call)
        once = await environment.observe()
        await environment.pull(call)
        twice = await environment.observe()
        await environment.close()
        return once, twice

    loop, environment = mesh()
    once, twice = run_virtually(loop, work(environment))
    assert {name: structs.replace(state, counts={}) for name, state in once.items()} == {
        name: structs.replace(state, counts={}) for name, state in twice.items()
    }


def cut(member: str, *towards: str, lasting: str = "60s") -> Shape:
    return Shape(member=member, towards=towards, policy=LinkPolicy(cut=True), layer="split", lasting=Duration.parse(lasting))


async def _leader(environment: SimulatedEnvironment) -> str:
    (leader,) = await environment.holders("leader")
    return leader


@pytest.mark.parametrize("outwards", [True, False], ids=["from the leader", "to the leader"])
def test_a_leader_cut_off_from_the_majority_is_a_lost_leader(outwards: bool) -> None:
    """Where a leader reaches fewer than a majority, or they do not reach it, another one leads after the election time."""
    loop, environment = mesh()

    async def work() -> tuple[str, str]:
        await environment.deploy()
        await asyncio.sleep(ELECTION_S)
        first = await _leader(environment)
        others = [name for name in MEMBERS if name != first]
        for call in [cut(first, *others)] if outwards else [cut(name, first) for name in others]:
            await environment.pull(call)
        await asyncio.sleep(ELECTION_S + 0.01)
        second = await _leader(environment)
        await environment.close()
        return first, second

    first, second = run_virtually(loop, work())
    assert first != second


def test_a_cut_that_leaves_the_leader_its_majority_changes_nothing() -> None:
    """A minority that is split off does not cost the mesh its leader."""
    loop, environment = mesh()

    async def work() -> tuple[str, str]:
        await environment.deploy()
        await asyncio.sleep(ELECTION_S)
        first = await _leader(environment)
        off = [name for name in MEMBERS if name != first][:2]
        for name in off:
            await environment.pull(cut(name, *(other for other in MEMBERS if other not in off)))
        await asyncio.sleep(2 * ELECTION_S)
        second = await _leader(environment)
        await environment.close()
        return first, second

    first, second = run_virtually(loop, work())
    assert first == second


def test_layers_add_up_are_counted_and_end_by_themselves() -> None:
    """Each layer is seen under its own name with what it did, until it is lifted or its time is over."""
    loop, environment = mesh()

    async def work() -> list[Any]:
        await environment.deploy()
        lossy = LinkPolicy(loss=Ratio(0.25), delay=Duration.parse("5ms"))
        towards = ("node-2", "node-3")
        await environment.pull(Shape(member="node-1", towards=towards, policy=lossy, layer="b", lasting=Duration.parse("2s")))
        await environment.pull(cut("node-1", "node-4", lasting="10s"))
        await asyncio.sleep(1)
        seen = [(await environment.observe())["node-1"]]
        await asyncio.sleep(1)
        seen.append((await environment.observe())["node-1"])
        await environment.pull(Unshape(member="node-1", layer="split"))
        seen.append((await environment.observe())["node-1"])
        await environment.close()
        return seen

    both, one, none = run_virtually(loop, work())
    assert (both.layers, one.layers, none.layers) == (("b", "split"), ("split",), ())
    assert both.counts["split"].dropped == both.counts["split"].seen == 100
    assert both.counts["b"] == PacketCounts(seen=200, dropped=50, delayed=150, duplicated=0, reordered=0, corrupted=0)


def test_an_unknown_member_or_role_is_an_error() -> None:
    """What is not there cannot be hit or asked."""
    loop, environment = mesh()

    async def work() -> None:
        await environment.deploy()
        with pytest.raises(EnvironmentProblem, match="no member 'node-50'"):
            await environment.pull(Kill("node-50"))
        with pytest.raises(EnvironmentProblem, match="no role 'follower'"):
            await environment.holders("follower")
        await environment.close()

    run_virtually(loop, work())


def test_a_restarted_member_is_another_one() -> None:
    """A member that was started again has another identity: an undo or an effect can tell."""
    loop, environment = mesh()

    async def work() -> tuple[str, str]:
        await environment.deploy()
        first = (await environment.observe())["node-2"].identity
        await environment.pull(Kill("node-2"))
        await environment.pull(Start("node-2"))
        second = (await environment.observe())["node-2"].identity
        await environment.close()
        return first, second

    first, second = run_virtually(loop, work())
    assert first != second


def test_virtual_time_says_when_nothing_can_ever_happen() -> None:
    """A task that waits for what never comes ends with an error instead of hanging."""
    loop = VirtualTimeLoop()

    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="never come"):
        run_virtually(loop, forever())


def test_virtual_time_passes_only_by_waiting() -> None:
    """An hour passes in no time, to the nanosecond, and ends with its loop closed."""
    loop = VirtualTimeLoop()
    clock = VirtualClock(loop)

    async def hour() -> int:
        before = clock.monotonic_ns()
        await asyncio.sleep(3600)
        return clock.monotonic_ns() - before

    assert run_virtually(loop, hour()) == 3600 * 10**9
    assert loop.is_closed()
