"""Every page in a real browser, from the server and from the file system: what it must not do, at every size and colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from browser import LAPTOP, PHONE, SMALL, WALL, watched

from meshkit_chaos.dashboard import overviews, paths

if TYPE_CHECKING:
    from browser_world import BrowserWorld

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MADE_RUN = "NIGHT03longname1"
"""A run without evidence at hand."""
PAGES = (
    *overviews.PAGES,
    paths.scenario("hostile-title"),
    paths.scenario("long-name"),
    "invocation",
    "run",
    paths.run(MADE_RUN),
)

ABSENT = {("file", paths.LIVE), ("server", paths.BY_VERSION), ("file", paths.BY_VERSION)}
"""Files follow no run in progress, and readiness is by version already."""


def path_of(page: str, world: BrowserWorld) -> str:
    """``run`` and ``invocation`` stand for the newest one with evidence."""
    newest = world.sources.reader.newest(1)[0].invocation
    if page == "invocation":
        return paths.invocation(newest)
    if page == "run":
        found = world.sources.reader.invocation(newest)
        assert found is not None
        return paths.run(next(one for one in found[1] if one.scenario == "too-strict").runs[0].run)
    return page


@pytest.mark.parametrize("page", [*PAGES, paths.LIVE])
@pytest.mark.parametrize("mode", ["server", "file"])
def test_every_page_is_whole_in_a_browser(
    mode: str, page: str, world: BrowserWorld, browser: Any, homes: dict[str, str], axe: str
) -> None:
    """No complaint, nothing asked elsewhere, no sideways scrolling of the page, and nothing that axe-core finds."""
    path = path_of(page, world)
    if world.site(served=mode == "server").page(path) is None:
        assert (mode, page) in ABSENT
        return
    with watched(browser, homes[mode], size=LAPTOP) as one:
        shown = one.go(path)
        assert shown.locator("main").inner_text().strip()
        for scheme, axe_at in (("light", PHONE), ("dark", LAPTOP)):
            shown.emulate_media(color_scheme=scheme)
            for size in (LAPTOP, WALL, SMALL, PHONE) if scheme == "light" else (WALL, LAPTOP):
                shown.set_viewport_size(size)
                assert one.too_wide() == [], (size, scheme)
            shown.set_viewport_size(axe_at)
            assert one.inaccessible(axe) == [], (axe_at, scheme)
