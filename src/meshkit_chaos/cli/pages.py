"""Pages of metrics for lint: saved ones, and ones that an address answers now."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meshkit_chaos.errors import UsageError
from meshkit_chaos.measure.exposition import LARGEST_PAGE, Wanted, parse
from meshkit_chaos.measure.fetch import NoPage, Page, fetch, scrape_client
from meshkit_chaos.scenario.exported import Exported
from meshkit_chaos.slo import Duration

_WITHIN = Duration(5 * 10**9)


def saved_page(path: Path) -> Exported:
    """Raises UsageError for a page that cannot be read, or says nothing."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_PAGE + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint="save one: curl -o metrics.txt URL") from error
    return _exported(data, where=str(path), openmetrics=False)


def fetched_page(url: str) -> Exported:
    """Ask once. Raises UsageError where there is no page."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"--live {url!r} does not start with http:// or https://")
    page = asyncio.run(_fetch(url))
    if isinstance(page, NoPage):
        raise UsageError(f"--live {url}: {page.cause}", hint="check the address, or give a saved page with --exposition")
    return _exported(page.body, where=url, openmetrics=page.openmetrics)


async def _fetch(url: str) -> Page | NoPage:
    async with scrape_client(1) as client:
        return await fetch(client, url, within=_WITHIN, largest=LARGEST_PAGE)


def _exported(data: bytes, *, where: str, openmetrics: bool) -> Exported:
    parsed = parse(data, Wanted(None), openmetrics=openmetrics)
    if parsed.problems:
        raise UsageError(
            f"{where} is no page of metrics: {parsed.problems[0]}", hint="it must be Prometheus text, as a scrape gives it"
        )
    if not parsed.samples:
        raise UsageError(f"{where} holds no metrics", hint="save it while the target is up")
    return Exported.of((labels for labels, _ in parsed.samples), where=where)
