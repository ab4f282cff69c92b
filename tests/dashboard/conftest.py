"""Small histories are built by the tests of the gate, histories on disk by those of history. A browser and what it sees."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from meshkit_chaos.dashboard.export import export

if TYPE_CHECKING:
    from browser_world import BrowserWorld

for neighbour in ("gate", "history", "run"):
    sys.path.insert(0, str(Path(__file__).parents[1] / neighbour))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where an empty history is, in either kind of database."""
    from history_builder import opened  # noqa: PLC0415  # its neighbours are found only by now
    from postgres_server import server  # noqa: PLC0415  # as above

    if request.param == "postgres":
        with server() as url:
            yield url
    else:
        with opened(tmp_path / "history"):
            pass
        yield str(tmp_path / "history")


@pytest.fixture(scope="module")
def browser(world: BrowserWorld) -> Iterator[Any]:
    """After the world, whose runs have an event loop of their own: no other can run while a browser is driven."""
    del world
    from browser import chromium  # noqa: PLC0415  # found only beside this file

    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    from browser import axe_core  # noqa: PLC0415  # found only beside this file

    return axe_core(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserWorld]:
    from browser_world import browser_world  # noqa: PLC0415  # its neighbours are found only by now

    with browser_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="module")
def exported(world: BrowserWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the export."""
    folder = tmp_path_factory.mktemp("export") / "site"
    export(world.site(served=False), folder, progress=lambda count: None)
    return folder


@pytest.fixture(scope="module")
def homes(world: BrowserWorld, exported: Path) -> Iterator[dict[str, str]]:
    """Where the pages are: at the server, and in the file system."""
    from dashboard_server import answering  # noqa: PLC0415  # skips where nothing can be served

    with answering(world.served()) as client:
        yield {"server": f"http://127.0.0.1:{client.port}", "file": exported.as_uri()}
