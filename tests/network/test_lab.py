"""A lab that is really there: namespaces, devices, packets of this machine's kernel, and the switch between them."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit_chaos.environments.processes import stat_of
from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.faults import LinkPolicy, PacketCounts, Shape, Unshape
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.slo import Duration, Ratio

pytestmark = pytest.mark.lab
PORT = 7000
QUIET_S = 0.25
LOOK_S = 0.02
ALL_COME_S = 10.0
ToCome = Callable[[], Awaitable[int]]
WithLab = Callable[[Callable[[Lab], Awaitable[Any]]], Any]


def shape(member: str = "a", *towards: str, layer: str = "x", lasting: str = "60s", **policy: Any) -> Shape:
    return Shape(
        member=member,
        towards=towards or ("b",),
        policy=LinkPolicy(**policy),
        layer=layer,
        lasting=Duration.parse(lasting),
    )


@dataclass
class Wire:
    """A socket that sends and one that receives, each inside its member's namespace."""

    sender: socket.socket
    receiver: socket.socket
    to: tuple[str, int]

    @classmethod
    async def between(cls, lab: Lab, sender: str, receiver: str, *, port: int = PORT, size: int = 4 * 1024 * 1024) -> Wire:
        out, into = await lab.door(sender, "udp"), await lab.door(receiver, "udp")
        into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, "SO_RCVBUFFORCE") else 33, size)
        to = lab.addresses[receiver], port
        into.bind(to)
        return cls(out, into, to)

    async def send(
        self, count: int, *, every_s: float = 0.0, size: int = 64, to_come: ToCome | None = None
    ) -> list[tuple[int, float]]:
        """Send numbered packets; give the number and the lateness (s) of each that arrives, in the order of arrival.

        Where nobody says how many are ``to_come``, the last one has come when nothing came for a while.
        """
        arrived: list[tuple[int, float]] = []
        loop = asyncio.get_running_loop()

        def receive() -> None:
            while True:
                try:
                    data = self.receiver.recv(65_536)
                except BlockingIOError:
                    return
                number, sent = data[:40].split()[:2]
                arrived.append((int(number), (time.monotonic_ns() - int(sent)) / 1e9))

        loop.add_reader(self.receiver, receive)
        for number in range(count):
            self.sender.sendto(f"{number} {time.monotonic_ns()} ".encode().ljust(size, b"."), self.to)
            await asyncio.sleep(every_s)
        before, until = -1, loop.time() + ALL_COME_S
        while len(arrived) > before if to_come is None else len(arrived) < await to_come() and loop.time() < until:
            before = len(arrived)
            await asyncio.sleep(QUIET_S if to_come is None else LOOK_S)
        loop.remove_reader(self.receiver)
        return arrived

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()


async def sent(
    lab: Lab,
    count: int,
    *,
    sender: str = "a",
    receiver: str = "b",
    all_come: bool = False,
    counted: bool = False,
    port: int = PORT,
    **how: Any,
) -> list[tuple[int, float]]:
    """``all_come``: wait for all. ``counted``: wait for as many as the layer x says that it let through."""

    async def everyone() -> int:
        return count

    async def let_through() -> int:
        now = await counts(lab)
        left = now.seen - now.dropped - (now.corrupted or 0) + (now.duplicated or 0)
        return left if now.seen - before >= count else count * 2

    before = (await counts(lab)).seen if counted else 0
    wire = await Wire.between(lab, sender, receiver, port=port)
    try:
        return await wire.send(count, to_come=everyone if all_come else let_through if counted else None, **how)
    finally:
        wire.close()


async def soonest(lab: Lab) -> float:
    """How late the least late of some packets is: the machine may be busy, and is not all the time."""
    return min(late for _, late in await sent(lab, 30, every_s=0.002, all_come=True))


async def counts(lab: Lab, layer: str = "x", member: str = "a") -> PacketCounts:
    return (await lab.in_force())[member][layer]


def test_packets_pass_in_order_and_soon(with_lab: WithLab) -> None:
    """A link without a layer delivers everything, in order, and in less than a millisecond where the machine is free."""

    async def work(lab: Lab) -> list[tuple[int, float]]:
        return await sent(lab, 300, every_s=0.0005, all_come=True)

    arrived = with_lab(work)
    assert [number for number, _ in arrived] == list(range(300))
    assert min(late for _, late in arrived) < 0.001


def test_a_cut_lets_no_packet_through_and_ends_by_itself(with_lab: WithLab) -> None:
    """From the call's return on not one packet arrives, until the layer's time is over; then traffic flows again by itself."""

    async def work(lab: Lab) -> tuple[int, int, PacketCounts, dict[str, Any], int]:
        await lab.change(shape(cut=True, lasting="1500ms"))
        during = len(await sent(lab, 100, every_s=0.001))
        other_way = len(await sent(lab, 5, sender="b", receiver="a", all_come=True))
        counted = await counts(lab)
        await asyncio.sleep(1.5)
        after = len(await sent(lab, 20, all_come=True))
        return during, other_way, counted, await lab.in_force(), after

    during, other_way, counted, in_force, after = with_lab(work)
    assert (during, other_way, after) == (0, 5, 20)
    assert counted.dropped == counted.seen == 100
    assert in_force == {}


def test_a_delay_is_as_long_as_was_asked_for(with_lab: WithLab) -> None:
    """No packet comes early, and those that found the machine free come within a millisecond of their time."""

    async def work(lab: Lab) -> list[tuple[int, float]]:
        await lab.change(shape(delay=Duration.parse("25ms")))
        return await sent(lab, 200, every_s=0.002, all_come=True)

    late = [late for _, late in with_lab(work)]
    assert len(late) == 200
    assert 0.025 <= min(late) < 0.026


def test_the_same_seed_loses_the_same_packets(with_lab: WithLab) -> None:
    """Two labs whose packets are the same lose the same of them; another seed loses others."""

    async def lost(lab: Lab, seed: int) -> set[int]:
        await lab.change(shape(loss=Ratio(0.3), loss_burst=3, seed=seed, only="udp"))
        return set(range(200)) - {number for number, _ in await sent(lab, 200, counted=True)}

    first = with_lab(lambda lab: lost(lab, 5))
    assert 20 < len(first) < 100
    assert with_lab(lambda lab: lost(lab, 5)) == first
    assert with_lab(lambda lab: lost(lab, 6)) != first


def test_spoilt_packets_are_thrown_away_by_the_receiver(with_lab: WithLab) -> None:
    """A flipped bit is found by the checksums: what is corrupted does not arrive, and is counted as corrupted, not dropped."""

    async def work(lab: Lab) -> tuple[int, PacketCounts]:
        await lab.change(shape(corrupt=Ratio(0.5), seed=1))
        return len(await sent(lab, 200, size=200, counted=True)), await counts(lab)

    arrived, counted = with_lab(work)
    assert counted.corrupted is not None
    assert 60 < counted.corrupted < 140
    assert arrived == 200 - counted.corrupted
    assert counted.dropped == 0


def test_packets_come_twice_or_overtake(with_lab: WithLab) -> None:
    """Duplicates arrive twice, and what is reordered arrives before what was sent earlier."""

    async def work(lab: Lab) -> tuple[list[tuple[int, float]], list[tuple[int, float]], PacketCounts]:
        await lab.change(shape(duplicate=Ratio(0.2), seed=1))
        twice = await sent(lab, 100, counted=True)
        await lab.change(shape(delay=Duration.parse("20ms"), reorder=Ratio(0.2), seed=1))
        mixed = await sent(lab, 100, every_s=0.001, all_come=True)
        return twice, mixed, await counts(lab)

    twice, mixed, counted = with_lab(work)
    numbers = [number for number, _ in twice]
    assert set(numbers) == set(range(100))
    assert 105 < len(numbers) < 140
    order = [number for number, _ in mixed]
    assert order != sorted(order)
    assert counted.reordered is not None
    assert counted.reordered >= sum(late < 0.02 for _, late in mixed) > 0  # a busy machine makes some late all the same


def test_a_rate_limits_what_passes(with_lab: WithLab) -> None:
    """No more bits pass in a second than were asked for, and what would queue for too long is dropped."""

    async def work(lab: Lab) -> tuple[list[tuple[int, float]], PacketCounts]:
        await lab.change(shape(rate=4_000_000))
        return await sent(lab, 300, size=972, counted=True), await counts(lab)  # 1000 bytes with the headers: 2 ms each

    arrived, counted = with_lab(work)
    assert len(arrived) == 300 - counted.dropped >= 90
    assert counted.dropped > 0
    assert max(late for _, late in arrived) >= 0.15  # nearly as long as the queue may be


def test_layers_add_up_and_are_lifted_one_by_one(with_lab: WithLab) -> None:
    """Each has its own name; with one lifted, the other goes on."""

    async def work(lab: Lab) -> list[float]:
        await lab.change(shape(delay=Duration.parse("20ms"), layer="x"))
        await lab.change(shape(delay=Duration.parse("10ms"), layer="y"))
        times = [await soonest(lab)]
        await lab.change(Unshape(member="a", layer="x"))
        times.append(await soonest(lab))
        await lab.change(Unshape(member="a", layer="y"))
        times.append(await soonest(lab))
        return times

    both, one, none = with_lab(work)
    assert both >= 0.030
    assert 0.010 <= one < 0.020
    assert none < 0.005


def test_only_some_packets_can_be_meant(with_lab: WithLab) -> None:
    """With UDP blocked, TCP still connects."""

    async def work(lab: Lab) -> int:
        await lab.change(shape("a", "b", cut=True, only="udp"))
        await lab.change(shape("b", "a", cut=True, only="udp"))
        listener = await lab.door("b")
        listener.bind((lab.addresses["b"], PORT))
        listener.listen()
        caller = await lab.door("a")
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(caller, (lab.addresses["b"], PORT)), 2)
        caller.close()
        listener.close()
        return len(await sent(lab, 20))

    assert with_lab(work) == 0


def test_dns_alone_can_be_lost(with_lab: WithLab) -> None:
    """What goes to port 53 is lost, other datagrams pass. Any user may listen there: it is the members' own network."""

    async def work(lab: Lab) -> tuple[int, int, int]:
        before = len(await sent(lab, 10, port=53, all_come=True))
        await lab.change(shape(cut=True, only="dns"))
        return before, len(await sent(lab, 10, port=53)), len(await sent(lab, 10, all_come=True))

    assert with_lab(work) == (10, 0, 10)


def test_what_observes_does_not_pass_the_switch(with_lab: WithLab) -> None:
    """A member that is cut off in both directions from everybody is still reached, by its address and by its name."""

    async def work(lab: Lab) -> bytes:
        for one in ("a", "b", "c"):
            await lab.change(shape(one, *({"a", "b", "c"} - {one}), cut=True))
        server = await lab.door("b")
        server.bind(("0.0.0.0", PORT))
        server.listen()
        heard = b""
        for host in (lab.addresses["b"], "b"):
            _, writer = await lab.connect(host, PORT)
            connection, _ = await asyncio.get_running_loop().sock_accept(server)
            writer.write(b"hello ")
            heard += await asyncio.get_running_loop().sock_recv(connection, 100)
            connection.close()
            writer.close()
        server.close()
        return heard

    assert with_lab(work) == b"hello hello "


def test_a_program_inside_knows_members_by_name_and_nothing_else(with_lab: WithLab) -> None:
    """It has its own network and the members' names; there is no way from it to the machine or to anywhere."""
    script = (
        "import os, socket; print(socket.gethostbyname('c'), sorted(n for _, n in socket.if_nameindex()), "
        "os.readlink('/proc/self/ns/net'))\n"
        "try: socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError as e: print(e.errno)"
    )

    async def work(lab: Lab) -> str:
        async with lab.way_in("b") as way:
            process = await asyncio.create_subprocess_exec(
                *way.words,
                sys.executable,
                sys.executable,
                "-c",
                script,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=way.descriptors,
            )
        out, _ = await process.communicate()
        address, rest = out.decode().split(" ", 1)
        assert address == lab.addresses["c"]
        return rest

    devices, number = with_lab(work).rsplit("\n", 2)[0:2]
    assert "['lo', 'mesh0']" in devices
    assert str(Path("/proc/self/ns/net").readlink()) not in devices
    assert int(number) in {101, 113}  # unreachable


def test_a_program_that_cannot_be_started_is_told(with_lab: WithLab) -> None:
    """Whoever starts something inside hears why it was not started."""

    async def work(lab: Lab) -> None:
        with pytest.raises(EnvironmentProblem, match=r"no program can be started in the network of a: .*No such file"):
            async with lab.way_in("a") as way:
                process = await asyncio.create_subprocess_exec(*way.words, "/nowhere", "nowhere", pass_fds=way.descriptors)
        await process.wait()

    with_lab(work)


def test_nonsense_is_refused_and_harms_nobody(with_lab: WithLab) -> None:
    """Unknown members, torn messages and callers that hang up change nothing, and others are answered as before."""

    async def work(lab: Lab) -> None:
        with pytest.raises(EnvironmentProblem, match="there is no member 'z'"):
            await lab.change(shape("a", "z", cut=True))
        with pytest.raises(EnvironmentProblem, match="there is no member 'z'"):
            await lab.change(Unshape(member="z", layer="x"))
        for data in (b"", b"{", b'{"asked":"lunch"}', b"\xff" * 1000):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stranger:
                stranger.connect(str(lab.control))
                if data:
                    stranger.send(data)
        assert await lab.in_force() == {}

    with_lab(work)


def test_a_caller_who_says_nothing_holds_nothing_up(with_lab: WithLab) -> None:
    """Others are answered and packets pass while somebody calls and hangs; the longest silent of too many is hung up on."""

    async def work(lab: Lab) -> tuple[int, bytes]:
        silent = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(300)]
        for one in silent:
            one.connect(str(lab.control))
            await lab.in_force()
        arrived = len(await sent(lab, 20, all_come=True))
        silent[0].settimeout(2)
        hung_up = silent[0].recv(100)
        for one in silent:
            one.close()
        return arrived, hung_up

    assert with_lab(work) == (20, b"")


def test_labs_do_not_meet(with_lab: WithLab) -> None:
    """Two labs at once have segments of their own, and nothing passes from one to the other."""

    async def inner(first: Lab) -> None:
        loop = asyncio.get_running_loop()

        async def work(second: Lab) -> tuple[int, int]:
            assert first.addresses["a"] != second.addresses["a"]
            stranger = await first.door("a")
            with pytest.raises(OSError):  # noqa: PT011  # unreachable, by whatever name
                await asyncio.wait_for(loop.sock_connect(stranger, (second.addresses["b"], PORT)), 1)
            stranger.close()
            return len(await sent(first, 10, all_come=True)), len(await sent(second, 10, all_come=True))

        assert await loop.run_in_executor(None, with_lab, work) == (10, 10)

    with_lab(inner)


ASKS = """
import asyncio, sys
from pathlib import Path
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.scenario.environment import Network

async def main():
    process, _ = await Lab(Path(sys.argv[1]), {"trial": "10.0.0.1"}).start(Network(), variables={}, tied=True)
    print(process.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_a_trial_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    """A runner that is killed while it tries whether a network can be made leaves neither a process nor a folder."""
    folder = tmp_path / "trial"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-P", "-c", ASKS, str(folder)], stdout=subprocess.PIPE, text=True) as asker:
        assert asker.stdout is not None
        keeper = int(asker.stdout.readline())
        assert stat_of(keeper) is not None
        asker.kill()
    until = time.monotonic() + 20
    while folder.exists() or (stat_of(keeper) or "Z")[0] != "Z":
        assert time.monotonic() < until, f"left: {folder}, process {keeper}"
        time.sleep(0.02)
