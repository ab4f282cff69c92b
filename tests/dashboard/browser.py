"""Chromium, driven by Playwright, and what a page must not do in it.

Takes addresses; gives pages that remember every complaint: of the console, of the page, of the content security policy, of the
network, and every request that leaves the place where the page came from. axe-core comes from the npm registry, at one version.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

AXE: Final = ("axe-core@4.14.1", "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c")
RULES: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
PHONE, LAPTOP, WALL = {"width": 390, "height": 844}, {"width": 1280, "height": 900}, {"width": 3840, "height": 2160}
SMALL: Final = {"width": 320, "height": 640}
_FLAGS: Final = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
)
_WATCH_POLICY: Final = (
    "document.addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
)
_TOO_WIDE: Final = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const inside = (one) => { for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return true; return false; };
  const out = (one) => one.getBoundingClientRect().right > width + 1 && !inside(one);
  const wide = [...document.querySelectorAll("body *")].filter(out);
  return [`${document.documentElement.scrollWidth} > ${width}`, ...wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 120))];
}"""
_AXE: Final = """async (tags) => {
  const found = await axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target} ${node.failureSummary}`));
}"""


@dataclass
class Watched:
    """A page, and what it did that it must not do. ``home``: where everything it asks for must be."""

    page: Any
    home: str
    problems: list[str] = field(default_factory=list)

    def begin(self) -> Watched:
        page, add = self.page, self.problems.append
        page.add_init_script(_WATCH_POLICY)
        page.on("console", lambda said: add(f"console: {said.text}") if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: add(f"error: {error}"))
        page.on("request", lambda asked: None if self._ours(asked.url) else add(f"asks elsewhere: {asked.url}"))
        page.on("requestfailed", lambda asked: add(f"failed: {asked.url}") if "live/stream" not in asked.url else None)
        page.on("response", lambda told: add(f"{told.status}: {told.url}") if told.status >= 400 else None)
        page.on("dialog", lambda dialog: (add(f"dialog: {dialog.message}"), dialog.dismiss()))
        return self

    def _ours(self, address: str) -> bool:
        return address.startswith((f"{self.home}/", "data:,"))

    def go(self, path: str) -> Any:
        """The page at a path of the dashboard."""
        self.page.goto(f"{self.home}/{path}")
        return self.page

    def too_wide(self) -> list[str]:
        """What makes the whole page scroll sideways."""
        return list(self.page.evaluate(_TOO_WIDE))

    def inaccessible(self, axe: str) -> list[str]:
        """What axe-core finds, each with where and why."""
        self.page.evaluate(axe)
        return list(self.page.evaluate(_AXE, list(RULES)))


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    playwright: Any = pytest.importorskip("playwright.sync_api", reason="playwright is missing: it drives the browser")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is missing")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=_FLAGS.split())
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched(browser: Any, home: str, *, size: Mapping[str, int] = LAPTOP, **options: Any) -> Iterator[Watched]:
    """A page of its own. At the end it has done nothing that it must not do."""
    context = browser.new_context(viewport=size, **options)
    context.set_default_timeout(30_000)
    try:
        one = Watched(context.new_page(), home).begin()
        yield one
        assert one.problems == [], one.problems
    finally:
        context.close()


def axe_core(folder: Path) -> str:
    """axe-core's own script."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is missing")
    name, digest = AXE
    subprocess.run([npm, "pack", "--silent", name], cwd=folder, check=True, capture_output=True, timeout=120)
    (packed,) = folder.glob("*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    text = (folder / "package" / "axe.min.js").read_bytes()
    assert hashlib.sha256(text).hexdigest() == digest
    return text.decode()
