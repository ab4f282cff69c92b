"""A client that prefers HTTP/3 and falls back to HTTP/2, as browsers do; ``answer HTTP/3`` says by which a request went."""

import asyncio
import ssl
import sys

import httpx2
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

NAME = "localhost"
HOST, PORT = sys.argv[1], int(sys.argv[2])


class Http3(QuicConnectionProtocol):
    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.http, self.answered = H3Connection(self._quic), asyncio.get_running_loop().create_future()

    def quic_event_received(self, event):
        for told in self.http.handle_event(event):
            if isinstance(told, HeadersReceived) and not self.answered.done():
                self.answered.set_result(dict(told.headers)[b":status"])

    async def get(self):
        stream = self._quic.get_next_available_stream_id()
        wanted = {":method": "GET", ":scheme": "https", ":authority": f"{NAME}:{PORT}", ":path": "/"}
        self.http.send_headers(stream, [(key.encode(), text.encode()) for key, text in wanted.items()], end_stream=True)
        self.transmit()
        return await self.answered


async def by_http3():
    settings = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name=NAME)
    async with asyncio.timeout(1.0):
        async with connect(HOST, PORT, configuration=settings, create_protocol=Http3) as connection:
            return await connection.get() == b"200"


async def by_http2(client):
    answer = await client.get(f"https://{HOST}:{PORT}/", headers={"Host": f"{NAME}:{PORT}"}, extensions={"sni_hostname": NAME})
    return answer.http_version if answer.status_code == 200 else "-"


async def main():
    async with httpx2.AsyncClient(http2=True, verify=False, timeout=2, trust_env=False) as client:
        while True:
            try:
                said = "HTTP/3" if await by_http3() else "-"
            except (TimeoutError, OSError):
                try:
                    said = await by_http2(client)
                except httpx2.HTTPError as error:
                    said = type(error).__name__
            sys.stdout.write(f"answer {said}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.1)


asyncio.run(main())
