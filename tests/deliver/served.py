"""Servers on loopback for senders, which are synchronous: a handler is served by a loop in a thread, well or badly.

``served`` gives the address of any handler of ``measure.loopback``. ``Faulty`` stands before a handler and spoils the next
answers as told. ``certificates`` makes an authority and a server's certificate with it (needs the program openssl).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from meshkit_chaos.measure.loopback import Answer, Handler, Request, serving

Fault = Literal["cut-before", "cut-after", "silent", "late", "drip", "oversized", "half"] | Answer
"""``cut-before``: hangs up without processing; ``cut-after``: processes, then hangs up without an answer. ``silent``: neither
processes nor answers; ``late``: processes, does not answer. ``drip``: processes, answers too slowly. ``oversized``: processes,
answers without end. ``half``: processes, hangs up within the body. An ``Answer``: given instead of processing.
"""


@contextmanager
def served(handler: Handler, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address, while the handler is served there."""
    ready, stop = threading.Event(), asyncio.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with serving(handler, tls=tls) as url:
            address.append(url)
            ready.set()
            await stop.wait()
        for _ in range(3):
            await asyncio.sleep(0)  # a connection that was cut is gone some turns later, one behind TLS after more

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@dataclass(slots=True)
class Faulty:
    """``faults``: what happens to the next requests, first come first; then all is well. ``requests``: all that came."""

    handler: Handler
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Answer):
            return fault
        if fault == "cut-before":
            raise ConnectionResetError
        if fault == "silent":
            await asyncio.Event().wait()
        answer = await self.handler(request)
        match fault:
            case "cut-after":
                raise ConnectionResetError
            case "late":
                await asyncio.Event().wait()
            case "drip":
                return Answer(status=answer.status, body=answer.body, headers=answer.headers, drip_s=0.05)
            case "oversized":
                return Answer(status=answer.status, body=b" " * (8 * 2**20), headers=answer.headers)
            case "half":
                return Answer(status=answer.status, body=answer.body, headers=answer.headers, cut=len(answer.body) // 2)
        return answer


def closed_address() -> str:
    """An address of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def certificates(folder: Path) -> ssl.SSLContext:
    """Write ``ca.pem``, and ``server.pem``/``server.key`` for localhost and 127.0.0.1; give the server's side."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=our own authority", *usage)
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "server.ext").write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n", encoding="ascii"
    )
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext", "-days", "2")
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.pem", *signing)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context
