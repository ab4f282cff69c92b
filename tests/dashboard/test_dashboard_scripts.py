"""The page's own policy allows its own style and script, and no others."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from history_builder import TWO, evidence_of, opened, written

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.unpacked import results_of


def test_each_page_allows_its_own_script_by_its_digest(tmp_path: Path) -> None:
    """Also a page on which a run is drawn, which has more of it; a page without one does not carry that."""
    with opened(tmp_path / "history") as held:
        held.add(written(evidence_of(TWO), tmp_path / "out"))
        made = Site(
            Sources(
                reader=Overview(held.database),
                settings=Settings(project="mesh"),
                clock=ManualClock(),
                evidence=lambda invocation: results_of(held.database, held.store, invocation),
            )
        )
        run = Overview(held.database).invocation(held.invocations()[0].invocation)
        assert run is not None
        drawn, grid = made.page(paths.run(run[1][0].runs[0].run)) or "", made.page(paths.GRID) or ""
    for page in (drawn, grid):
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        assert policy is not None
        for tag in ("style", "script"):
            texts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
            assert len(texts) == 1
            digest = base64.b64encode(hashlib.sha256(texts[0].encode()).digest()).decode()
            assert f"sha256-{digest}" in policy[1]
    assert len(script_of(drawn)) > len(script_of(grid)) + 5_000


def script_of(page: str) -> str:
    return page.partition("<script>")[2].partition("</script>")[0]
