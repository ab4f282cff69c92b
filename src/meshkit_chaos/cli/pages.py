"""Pages of metrics for lint: saved ones, one that an address answers now, and those of all members of an environment."""

from __future__ import annotations

import asyncio
from pathlib import Path

from meshkit_chaos.cli.reading import load_environment_alone
from meshkit_chaos.errors import UsageError
from meshkit_chaos.measure.exposition import LARGEST_PAGE, Wanted, parse
from meshkit_chaos.measure.fetch import NoPage, Page, fetch, scrape_client
from meshkit_chaos.scenario.environment import EnvironmentDescription
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


def described_page(description: EnvironmentDescription) -> Exported | None:
    """The saved page that an environment's document names; None where it names none. Raises UsageError as ``saved_page``."""
    metrics = description.metrics
    if metrics is None or not metrics.exposition:
        return None
    beside = Path(description.path).parent
    page = beside / metrics.exposition
    if not page.resolve().is_relative_to(beside.resolve()):
        raise UsageError(f"{page} lies outside of {beside}, behind a symbolic link", hint="put the page beside the document")
    return saved_page(page)


def target_pages(environment: str) -> Exported:
    """What the members of an environment export now: one that is up, by its id, or an attached mesh, by its document.

    Raises UsageError where a member's page is missing: names that only that member exports would be told as unknown.
    """
    targets = _targets(environment)
    if not targets:
        hint = "save a page (curl -o metrics.txt URL) and give it with --exposition, or as `metrics: {exposition: …}`"
        raise UsageError(f"the members of {environment} have no page of their own to ask", hint=hint)
    inside = _own_network(environment)
    pages = [fetched_page(url, inside=inside) for url in dict.fromkeys(targets.values())]
    several: dict[str, tuple[dict[str, str], ...]] = {}
    for page in pages:
        for name, labels in page.series.items():
            several[name] = (*several.get(name, ()), *labels)
    return Exported(where=environment, series=several)


def _targets(environment: str) -> dict[str, str]:
    from meshkit_chaos.environments.registry import environment_folder, registered  # noqa: PLC0415  # only for this
    from meshkit_chaos.environments.state import load_state  # noqa: PLC0415  # as above

    if not Path(environment).exists() and environment in registered():
        state = load_state(environment_folder(environment))
        return {spec.name: spec.metrics for spec in state.members if spec.metrics} if state is not None else {}
    described = load_environment_alone(Path(environment))
    if described.kind != "attached":
        hint = f"bring it up and give its id: meshkit-chaos env up {environment}"
        raise UsageError(f"{environment} describes members of kind {described.kind}, which nobody has started", hint=hint)
    from meshkit_chaos.environments.resolving import resolve_attached  # noqa: PLC0415  # as above

    return {spec.name: spec.metrics for spec in resolve_attached(described, given={}) if spec.metrics}


def _own_network(environment: str) -> Path | None:
    """The state folder of a standing environment whose members' addresses mean nothing to this machine."""
    from meshkit_chaos.environments.registry import environment_folder, registered  # noqa: PLC0415  # only for this
    from meshkit_chaos.environments.state import load_state  # noqa: PLC0415  # as above

    if Path(environment).exists() or environment not in registered():
        return None
    folder = environment_folder(environment)
    state = load_state(folder)
    return folder if state is not None and state.description.network is not None else None


def fetched_page(url: str, *, inside: Path | None = None) -> Exported:
    """Ask once, or by way of the environment ``inside`` a state folder. Raises UsageError where there is no page."""
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{url!r} does not start with http:// or https://")
    page = asyncio.run(_fetch(url) if inside is None else _fetch_inside(inside, url))
    if isinstance(page, NoPage):
        raise UsageError(f"{url}: {page.cause}", hint="check the address, or give a saved page with --exposition")
    return _exported(page.body, where=url, openmetrics=page.openmetrics)


async def _fetch(url: str) -> Page | NoPage:
    async with scrape_client(1) as client:
        return await fetch(client, url, within=_WITHIN, largest=LARGEST_PAGE)


async def _fetch_inside(folder: Path, url: str) -> Page | NoPage:
    from meshkit_chaos.environments.opening import open_environment  # noqa: PLC0415  # only for this

    environment = open_environment(folder)
    if environment is None:
        return NoPage("its environment is not up")
    try:
        return await fetch(environment.client(), url, within=_WITHIN, largest=LARGEST_PAGE)
    finally:
        await environment.close()


def _exported(data: bytes, *, where: str, openmetrics: bool) -> Exported:
    parsed = parse(data, Wanted(None), openmetrics=openmetrics)
    if parsed.problems:
        raise UsageError(
            f"{where} is no page of metrics: {parsed.problems[0]}", hint="it must be Prometheus text, as a scrape gives it"
        )
    if not parsed.samples:
        raise UsageError(f"{where} holds no metrics", hint="save it while the target is up")
    return Exported.of((labels for labels, _ in parsed.samples), where=where)
