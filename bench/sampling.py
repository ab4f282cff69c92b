"""How fast pages are parsed, and how many rounds a second are possible over loopback. Asserts nothing."""

from __future__ import annotations

import asyncio
import sys
import time

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.journal.samples import Round
from meshkit_chaos.measure import Scraper, Wanted, parse, scrape_client
from meshkit_chaos.slo import Duration

LINES = 1250
SECONDS = 2.0


def page() -> bytes:
    """As large as etcd's, with the two metrics that indicators read most."""
    lines = ["etcd_server_is_leader 1", "etcd_server_has_leader 1"]
    lines += [
        f'grpc_server_handled_total{{grpc_code="OK",grpc_method="M{number}",grpc_service="etcd",grpc_type="unary"}} {number}'
        for number in range(LINES)
    ]
    return ("\n".join(lines) + "\n").encode()


def parsing() -> None:
    data = page()
    print(f"page of {LINES} lines, {len(data) / 1000:.0f} kB")
    print(f"{'wanted':<10} {'ms a page':>10} {'MB/s':>7} {'samples/s':>10} {'x split':>8}")
    start = time.perf_counter()
    for _ in range(200):
        data.split(b"\n")
    split = (time.perf_counter() - start) / 200
    wanted = {"two": Wanted(frozenset({"etcd_server_is_leader", "etcd_server_has_leader"})), "all": Wanted(None)}
    for name, names in wanted.items():
        times = 200 if name == "two" else 20
        found = parse(data, names)
        start = time.perf_counter()
        for _ in range(times):
            parse(data, names)
        each = (time.perf_counter() - start) / times
        rate = len(found.samples) / each
        print(f"{name:<10} {each * 1000:>10.3f} {len(data) / each / 1e6:>7.0f} {rate:>10.0f} {each / split:>8.1f}")


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(head + body)
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


async def rounds(members: int, every_ms: int) -> tuple[int, int, float]:
    """Rounds that came, ticks that were skipped, and a round's median length in ms."""
    body = page()
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, body), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    seen: list[Round] = []
    async with scrape_client(members) as client:
        scraper = Scraper(
            targets={f"m{number}": f"http://127.0.0.1:{port}/metrics" for number in range(members)},
            every=Duration(every_ms * 10**6),
            timeout=Duration(every_ms * 10**6),
            wanted=Wanted(frozenset({"etcd_server_is_leader"})),
            client=client,
            clock=SystemClock(),
            on_round=lambda one, _: seen.append(one),
        )
        task = asyncio.create_task(scraper.run())
        await asyncio.sleep(SECONDS)
        scraper.stop()
        await task
    server.close()
    lengths = sorted(one.end - one.start for one in seen if not one.failed)
    return len(lengths), scraper.skipped, lengths[len(lengths) // 2] / 1e6 if lengths else 0.0


def scraping() -> None:
    print(f"\nrounds over loopback, server and scraper in one process, {SECONDS:g} s each")
    print(f"{'members':>7} {'every ms':>9} {'whole rounds':>13} {'due':>5} {'skipped':>8} {'median ms':>10}")
    for members, every in ((3, 200), (3, 50), (3, 20), (3, 10), (20, 200), (20, 50), (100, 200)):
        whole, skipped, median = asyncio.run(rounds(members, every))
        print(f"{members:>7} {every:>9} {whole:>13} {SECONDS * 1000 / every:>5.0f} {skipped:>8} {median:>10.1f}")


if __name__ == "__main__":
    parsing()
    sys.exit(scraping())
