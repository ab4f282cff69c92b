"""Real metric servers on loopback (Debian packages), scraping members that the test itself serves."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import httpx2

from meshkit_chaos.measure.loopback import Answer, Request, serving

Kind = Literal["prometheus", "victoria-metrics"]
READY = {"prometheus": "/-/ready", "victoria-metrics": "/health"}
HOW_TO_INSTALL = "apt-get install -y --no-install-recommends prometheus victoria-metrics"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def is_installed(kind: Kind) -> bool:
    return shutil.which(kind) is not None


@contextmanager
def scraping(kind: Kind, folder: Path, targets: list[str], *, every: str, port: int | None = None) -> Iterator[str]:
    """The address of a server that scrapes the targets; it is ended and its data removed with the folder."""
    chosen = port or free_port()
    configuration = {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [{"job_name": "mesh", "static_configs": [{"targets": targets}]}],
    }
    path = folder / f"{kind}.yml"
    path.write_text(json.dumps(configuration), encoding="ascii")  # JSON is YAML
    data = folder / f"{kind}-data"
    arguments = (
        [f"--config.file={path}", f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{chosen}"]
        if kind == "prometheus"
        else [f"-promscrape.config={path}", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{chosen}"]
    )
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen([kind, *arguments], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{chosen}"
    finally:
        process.kill()
        process.wait(10)


async def until_ready(kind: Kind, url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client, asyncio.timeout(20):
        while True:
            try:
                if (await client.get(url + READY[kind])).is_success:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def members(page: Callable[[int], str | None], count: int = 3) -> AsyncIterator[list[str]]:
    """Members that serve what ``page`` gives for their number (None: an error); their addresses as host:port."""

    def handler(number: int) -> Callable[[Request], object]:
        async def handle(request: Request) -> Answer:
            text = page(number)
            if text is None:
                return Answer(status=503)
            return Answer(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4"})

        return handle

    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(handler(number))) for number in range(count)]  # type: ignore[arg-type]  # each is a handler
        yield [url.removeprefix("http://") for url in urls]
