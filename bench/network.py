"""The network lab: what is asked of a link against what is measured on it, and what the switch itself costs.

Takes the kernel it runs on; gives a table. It asserts nothing. Each packet carries the instant at which it was sent, and both
ends are sockets of this process inside the members' namespaces, so that one clock measures. The machine's load shows in them.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import socket
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from meshkit_chaos.faults import LinkPolicy, Shape, Unshape
from meshkit_chaos.network.addresses import addresses
from meshkit_chaos.network.lab import Lab
from meshkit_chaos.scenario.environment import Network
from meshkit_chaos.slo import Duration, Ratio

PORT: Final = 7000
BUFFER: Final = 8 * 1024 * 1024
QUIET_S: Final = 0.3
LINK: Final = ("a", "b")
HEADERS: Final = 28  # of IPv4 and UDP


@asynccontextmanager
async def running(network: Network) -> AsyncIterator[Lab]:
    """A lab of two places, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), addresses(folder, LINK))
        process, _ = await lab.start(network, variables={})
        try:
            yield lab
        finally:
            process.kill()
            process.wait()


def shaped(**policy: Any) -> Shape:
    return Shape(member="a", towards=("b",), policy=LinkPolicy(**policy), layer="x", lasting=Duration.parse("1h"))


@dataclass(frozen=True, slots=True)
class Heard:
    """``late``: seconds of each packet, in the order of arrival; ``lasted``: from the first arrival to the last."""

    late: list[float]
    lasted: float

    def at(self, share: float) -> float:
        """A percentile in milliseconds."""
        return sorted(self.late)[min(len(self.late) - 1, int(share * len(self.late)))] * 1000


async def heard(lab: Lab, count: int, *, every_s: float, size: int = 100) -> Heard:
    """Send so many datagrams at equal distances and listen until nothing comes any more."""
    sender, receiver = await lab.door("a", "udp"), await lab.door("b", "udp")
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    to = lab.addresses["b"], PORT
    receiver.bind(to)
    late: list[float] = []
    instants: list[int] = []

    def receive() -> None:
        while True:
            try:
                data = receiver.recv(65_536)
            except BlockingIOError:
                return
            instants.append(time.monotonic_ns())
            late.append((instants[-1] - int(data[:20])) / 1e9)

    loop = asyncio.get_running_loop()
    loop.add_reader(receiver, receive)
    began = loop.time()
    for number in range(count):
        sender.sendto(f"{time.monotonic_ns():020}".encode().ljust(size, b"."), to)
        await asyncio.sleep(max(0, began + (number + 1) * every_s - loop.time()))
    before = -1
    while len(late) > before:
        before = len(late)
        await asyncio.sleep(QUIET_S)
    loop.remove_reader(receiver)
    sender.close()
    receiver.close()
    return Heard(late, (instants[-1] - instants[0]) / 1e9 if instants else 0.0)


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval at 99.9 % for a share."""
    z, share = 3.29, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


async def accuracy(lab: Lab) -> AsyncIterator[str]:
    yield f"{'asked for':<28}{'measured':<46}within"
    plain = await heard(lab, 1000, every_s=0.001)
    yield f"{'nothing':<28}{f'{plain.at(0.5):.3f} ms p50, {plain.at(0.99):.3f} ms p99, {len(plain.late)} of 1000':<46}-"
    for ms in (1, 5, 20, 100, 500):
        await lab.change(shaped(delay=Duration(ms * 10**6)))
        found = await heard(lab, 500, every_s=0.002)
        ok = abs(found.at(0.5) - ms) <= max(1, 0.05 * ms)
        yield _row(f"delay {ms} ms", f"{found.at(0.5):.3f} ms p50, {found.at(0.99):.3f} ms p99", "1 ms or 5 %", ok)
    for share in (0.01, 0.1, 0.5):
        await lab.change(shaped(loss=Ratio(share), seed=1))
        lost = 3000 - len((await heard(lab, 3000, every_s=0.0003)).late)
        low, high = interval(lost, 3000)
        yield _row(
            f"loss {share:.0%}", f"{lost / 3000:.2%} of 3000 ({low:.2%} to {high:.2%})", "99.9 % interval", low <= share <= high
        )
    await lab.change(shaped(cut=True))
    through = len((await heard(lab, 2000, every_s=0.0003)).late)
    yield _row("cut", f"{through} of 2000 packets", "none", through == 0)
    for rate in (1_000_000, 10_000_000, 50_000_000):
        await lab.change(shaped(rate=rate))
        size = 1200
        count = max(200, rate * 2 // ((size + HEADERS) * 8))
        found = await heard(lab, count, every_s=(size + HEADERS) * 8 / rate * 0.8, size=size)
        measured = (len(found.late) - 1) * (size + HEADERS) * 8 / found.lasted
        yield _row(f"rate {rate / 1e6:g} Mbit/s", f"{measured / 1e6:.3f} Mbit/s", "5 %", abs(measured / rate - 1) <= 0.05)
    await lab.change(Unshape(member="a", layer="x"))


def _row(asked: str, measured: str, within: str, ok: bool) -> str:
    return f"{asked:<28}{measured:<46}{within:<18}{'yes' if ok else 'NO'}"


async def instants(lab: Lab, times: int) -> str:
    """How long it takes to shape and to lift."""
    spans = []
    for _ in range(times):
        for call in (shaped(cut=True), Unshape(member="a", layer="x")):
            start = time.perf_counter()
            await lab.change(call)
            spans.append((time.perf_counter() - start) * 1000)
    late = sorted(spans)[int(len(spans) * 0.99)]
    return f"shape and lift: {statistics.median(spans):.2f} ms p50, {late:.2f} ms p99 (aim: p99 under 20 ms)"


async def throughput(lab: Lab, seconds: float) -> float:
    """TCP from a to b, as fast as it goes, in Gbit/s."""
    loop = asyncio.get_running_loop()
    listener, sender = await lab.door("b"), await lab.door("a")
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((lab.addresses["b"], PORT))
    listener.listen()
    await loop.sock_connect(sender, (lab.addresses["b"], PORT))
    receiver, _ = await loop.sock_accept(listener)
    for one in (sender, receiver):
        one.setblocking(True)
    end = time.perf_counter() + seconds

    def pour() -> None:
        data = bytes(1 << 20)
        while time.perf_counter() < end:
            sender.send(data)
        sender.close()

    def drain() -> float:
        count, buffer, start = 0, bytearray(1 << 20), time.perf_counter()
        while got := receiver.recv_into(buffer):
            count += got
        return count * 8 / (time.perf_counter() - start) / 1e9

    _, gbit = await asyncio.gather(asyncio.to_thread(pour), asyncio.to_thread(drain))
    receiver.close()
    listener.close()
    return gbit


async def round_trips(lab: Lab, times: int) -> str:
    """TCP there and back through the switch, blocking, in microseconds."""
    loop = asyncio.get_running_loop()
    listener, sender = await lab.door("b"), await lab.door("a")
    listener.bind((lab.addresses["b"], PORT + 1))
    listener.listen()
    await loop.sock_connect(sender, (lab.addresses["b"], PORT + 1))
    receiver, _ = await loop.sock_accept(listener)
    for one in (sender, receiver):
        one.setblocking(True)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def echo() -> None:
        while data := receiver.recv(64):
            receiver.send(data)

    def ask() -> list[float]:
        spans = []
        for _ in range(times):
            start = time.perf_counter()
            sender.send(b"?")
            sender.recv(64)
            spans.append((time.perf_counter() - start) * 1e6)
        sender.close()
        return spans

    _, spans = await asyncio.gather(asyncio.to_thread(echo), asyncio.to_thread(ask))
    receiver.close()
    listener.close()
    spans.sort()
    return f"round trip of TCP: {spans[len(spans) // 2]:.0f} us p50, {spans[int(len(spans) * 0.99)]:.0f} us p99"


async def report(backend: str, *, seconds: float, say: Callable[[str], None]) -> None:
    say(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; backend {backend}")
    async with running(Network(backend=backend)) as lab:  # type: ignore[arg-type]  # of three
        async for line in accuracy(lab):
            say(line)
        say(await instants(lab, 500))
        say(await round_trips(lab, 3000))
    for mtu in (1500, 9000, 65_521):
        async with running(Network(mtu=mtu, backend=backend)) as lab:  # type: ignore[arg-type]  # as above
            plain = await throughput(lab, seconds)
            await lab.change(shaped(delay=Duration(10**6)))
            say(
                f"TCP, MTU {mtu}: {plain:.2f} Gbit/s unshaped, {await throughput(lab, seconds):.2f} Gbit/s with a delay of 1 ms"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=["auto", "userspace", "netem"], default="userspace")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measured transfer")
    given = parser.parse_args()
    asyncio.run(report(given.backend, seconds=given.seconds, say=lambda line: print(line, flush=True)))


if __name__ == "__main__":
    main()
