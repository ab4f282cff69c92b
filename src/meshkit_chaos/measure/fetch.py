"""One page of one member over HTTP, within a time and a size.

Takes an address and limits; gives the bytes, or the cause why there are none. Whatever a target does (never answers, never
stops, resets, answers an error, HTML or a compressed bomb) is a cause; memory is bounded by the size limit, for the body is
read piece by piece and never unpacked.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2

from meshkit_chaos.slo import Duration

_HEADERS = {"Accept": "text/plain;version=0.0.4;q=1,*/*;q=0.1", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Page:
    """``openmetrics``: the target declared that dialect."""

    body: bytes
    openmetrics: bool = False


@dataclass(frozen=True, slots=True)
class NoPage:
    """``cause`` is a phrase that follows the member's name and a colon."""

    cause: str


def scrape_client(members: int) -> httpx2.AsyncClient:
    """A client for scraping: connections kept and bounded, no proxy from the environment, no redirect followed."""
    return httpx2.AsyncClient(
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # every request runs under its own deadline, from the tick on
        limits=httpx2.Limits(max_connections=2 * members + 2, max_keepalive_connections=members + 1, keepalive_expiry=60),
    )


async def fetch(client: httpx2.AsyncClient, url: str, *, within: Duration, largest: int) -> Page | NoPage:
    """Ask once. Only cancellation gets out of here."""
    try:
        async with asyncio.timeout(within.seconds):
            return await _read(client, url, largest)
    except TimeoutError:
        return NoPage(f"no whole answer within {max(1, round(within.ns / 10**6))}ms")  # what was left of the round, for people
    except httpx2.ConnectError as refused:
        return NoPage(f"cannot connect: {_said(refused)}")
    except Exception as broken:  # noqa: BLE001  # a target must not end the run; the client lets groups and OverflowError out
        return NoPage(f"the exchange broke: {_said(broken)}")


async def _read(client: httpx2.AsyncClient, url: str, largest: int) -> Page | NoPage:
    async with client.stream("GET", url, headers=_HEADERS) as response:
        if response.status_code != httpx2.codes.OK:
            return NoPage(f"answered status {response.status_code}; expected 200")
        kind = response.headers.get("content-type", "").lower()
        if "html" in kind:
            return NoPage(f"answered {kind}; expected Prometheus text")
        if (coding := response.headers.get("content-encoding", "identity").lower()) != "identity":
            return NoPage(f"answered with content-encoding {coding}, which was not asked for")
        body = bytearray()
        async for piece in response.aiter_bytes():  # nothing is decoded: the coding is identity
            body += piece
            if len(body) > largest:
                return NoPage(f"answered more than {largest} bytes")
        return Page(bytes(body), openmetrics="openmetrics" in kind)


def _said(error: Exception) -> str:
    """The error's own words, or its kind where it has none; of a group, its first error's."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return str(error).strip() or type(error).__name__
