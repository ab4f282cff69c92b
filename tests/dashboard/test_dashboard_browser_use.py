"""The dashboard used as people use it: by keyboard, without a script, on paper, in other colours and time zones, live."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import PHONE, watched
from browser_world import MARKED, SCENARIOS
from test_dashboard_browser import path_of

from meshkit_chaos.dashboard import paths

if TYPE_CHECKING:
    from browser_world import BrowserWorld

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

MODES = pytest.mark.parametrize("mode", ["server", "file"])
_REACHABLE = """() => {
  const all = document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']");
  const there = (one) => one.checkVisibility() && one.getClientRects().length && !one.disabled && one.tabIndex >= 0;
  const shown = [...all].filter(there);
  shown.forEach((one, number) => { one.dataset.number = number; });
  return shown.length;
}"""
_FOCUSED = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const style = getComputedStyle(one), box = one.getClientRects()[0];
  const seen = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height, innerHeight - box.y) / 2);
  const ringed = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [one.dataset.number ?? "", ringed, !!seen && (one.contains(seen) || seen.contains(one)), one.outerHTML.slice(0, 160)];
}"""


@pytest.mark.parametrize("page", ["index.html", "grid.html", "gate.html", "compare.html", f"scenario/{MARKED}.html", "run"])
def test_everything_is_reached_by_tab(page: str, world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """Each link, button, field and region has its turn, with a ring around it, and nothing before it."""
    with watched(browser, homes["server"], reduced_motion="reduce") as one:  # what is reached is in view at once
        shown = one.go(path_of(page, world))
        count = shown.evaluate(_REACHABLE)
        assert count > 10
        reached = set()
        for _ in range(count + 10):
            shown.keyboard.press("Tab")
            focused = shown.evaluate(_FOCUSED)
            if focused is None:
                break
            number, ringed, seen, text = focused
            assert ringed, text
            assert seen, text
            reached.add(number)
        missed = {str(number) for number in range(count)} - reached
        assert not missed, [shown.evaluate(f"document.querySelector(\"[data-number='{one}']\").outerHTML") for one in missed][
            :5
        ]


@MODES
def test_the_arrow_keys_go_from_run_to_run(mode: str, browser: Any, homes: dict[str, str]) -> None:
    """A drawing is one stop of Tab; arrows go through its runs, each with a ring, and Enter opens the one that they are at."""
    with watched(browser, homes[mode], reduced_motion="reduce") as one:
        shown = one.go(paths.scenario(MARKED))
        stops = shown.locator(".plot a[tabindex='0']")
        assert stops.count() == 1
        stops.focus()
        seen = set()
        for _ in range(5):
            seen.add(shown.evaluate("document.activeElement.getAttribute('href')"))
            assert shown.evaluate(_FOCUSED)[1]
            shown.keyboard.press("ArrowLeft")
        assert len(seen) == 5
        with shown.expect_navigation():
            shown.keyboard.press("Enter")
        assert "/run/" in shown.url


def test_a_cell_is_not_hidden_behind_the_names(browser: Any, homes: dict[str, str]) -> None:
    """Whoever goes back through a row by keyboard sees where they are, also where the row was scrolled."""
    with watched(browser, homes["file"], size=PHONE) as one:
        shown = one.go(paths.GRID)
        shown.locator("tbody tr").first.locator("td a").last.focus()
        for _ in range(11):
            shown.keyboard.press("Shift+Tab")
            _, _, seen, text = shown.evaluate(_FOCUSED)
            assert seen, text


@MODES
def test_the_skip_link_leads_past_the_header(mode: str, browser: Any, homes: dict[str, str]) -> None:
    """The first stop of Tab; it is seen there, and Enter goes to the content."""
    with watched(browser, homes[mode]) as one:
        shown = one.go(paths.GRID)
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.className") == "skip"
        assert shown.evaluate(_FOCUSED)[1:3] == [True, True]
        shown.keyboard.press("Enter")
        assert shown.evaluate("document.activeElement.id") == "main"


@MODES
def test_the_grid_is_filtered_and_entered_by_keyboard(mode: str, browser: Any, homes: dict[str, str]) -> None:
    """A slash goes to the filter, words leave the rows that hold all of them, Enter on a cell leads to that night's result."""
    with watched(browser, homes[mode]) as one:
        shown = one.go(paths.GRID)
        rows = shown.locator("tbody tr:visible")
        assert rows.count() == SCENARIOS
        shown.keyboard.press("/")
        shown.keyboard.type("HOSTILE fail")
        assert rows.count() == 1
        assert shown.locator("[data-count]").inner_text() == f"1 of {SCENARIOS} scenarios"
        shown.keyboard.press("Enter")
        assert rows.count() == 1
        shown.locator("tbody tr:visible td a").first.focus()
        shown.keyboard.press("Enter")
        shown.wait_for_url(f"**/invocation/*#scenario-{MARKED}")
        assert MARKED in shown.locator(":target").inner_text() or shown.locator(":target").count() == 1


@MODES
def test_details_open_by_enter(mode: str, world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """A folded run shows its findings, and folds again."""
    with watched(browser, homes[mode]) as one:
        shown = one.go(path_of("invocation", world))
        folded = shown.locator("details.run-line:not([open])").first
        text = folded.locator("summary").inner_text()
        folded.locator("summary").focus()
        shown.keyboard.press("Enter")
        opened = shown.locator("details.run-line[open]", has_text=text.split("\n")[0]).first
        assert opened.locator(".findings").first.is_visible()
        assert shown.evaluate("document.activeElement.parentElement.open") is True
        shown.keyboard.press("Enter")
        assert shown.evaluate("document.activeElement.parentElement.open") is False


@MODES
def test_without_a_script_everything_is_there_to_read(mode: str, exported: Path, browser: Any, homes: dict[str, str]) -> None:
    """What scripts would do is not offered, and nothing else is missing."""
    with watched(browser, homes[mode], java_script_enabled=False) as one:
        shown = one.go(paths.GRID)
        assert shown.locator("tbody tr:visible").count() == SCENARIOS
        assert not shown.locator("input[type=search]").is_visible()
        for path in sorted(file.relative_to(exported).as_posix() for file in exported.glob("*.html")):
            shown = one.go(path)
            assert len(shown.locator("main").inner_text()) > 80, path
            assert not shown.locator("button[data-zone]").is_visible()


@MODES
def test_what_if_answers(mode: str, world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """On the page at once, from the stored interval; the server then judges the run again."""
    with watched(browser, homes[mode]) as one:
        shown = one.go(path_of("run", world))
        asked = shown.locator("[data-what-if] input").first
        said = shown.locator("[data-said]").first
        assert said.inner_text() == "would fail"
        asked.fill("-1")
        assert said.inner_text() == ""
        asked.fill("2")
        assert said.inner_text() == "would pass, if it was watched for 2 s"
        assert said.get_attribute("class") == "word inconclusive"
        if mode == "server":
            for limit, verdict in (("2", "pass"), ("60", "inconclusive")):
                asked.fill(limit)
                asked.press("Tab")
                shown.get_by_text(f"the objective would be {verdict}").wait_for()
        asked.fill("")
        assert said.inner_text() == ""


def test_the_live_page_follows_a_run(world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """What is written to a journal appears on the page; what ended is not in progress any more."""
    journal = world.runs / "now/runs/leader-killed/001/journal.jsonl"
    begun = journal.read_bytes()
    with watched(browser, homes["server"]) as one:
        shown = one.go(paths.LIVE)
        lines = shown.locator("[data-lines] li")
        lines.first.wait_for()
        before = lines.count()
        assert shown.locator("#live-state").inner_text() == "live"
        assert "<script>" in shown.locator("[data-title], h2").first.inner_text()
        whole = world.whole_journal().splitlines(keepends=True)
        try:
            journal.write_bytes(begun + b"".join(whole[len(begun.splitlines()) :]))
            lines.nth(before).wait_for()
            shown.locator("#live-none").wait_for()
        finally:
            journal.write_bytes(begun)


@pytest.mark.parametrize("page", [paths.GRID, paths.GATE, "invocation", "run"])
def test_paper_shows_the_content_alone(page: str, world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """No navigation, no forms, nothing cut off or folded; and it can be printed."""
    with watched(browser, homes["file"]) as one:
        shown = one.go(path_of(page, world))
        shown.emulate_media(media="print")
        shown.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert shown.locator("h1").first.is_visible() or page == "run"
        assert shown.locator("nav:visible, form:visible, button:visible, .skip:visible").count() == 0
        assert shown.locator("details:not([open])").count() == 0
        cut = "[...document.querySelectorAll('.scroll')].filter((one) => getComputedStyle(one).overflowX !== 'visible').length"
        assert shown.evaluate(cut) == 0
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert shown.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("page", [paths.READINESS, paths.GRID, "run"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_forced_colours_and_less_motion_do_no_harm(
    scheme: str, page: str, world: BrowserWorld, browser: Any, homes: dict[str, str], axe: str
) -> None:
    """Where the system chooses the colours, signs and words are there and the current page is told; nothing moves by itself."""
    options = {"color_scheme": scheme, "forced_colors": "active", "reduced_motion": "reduce"}
    with watched(browser, homes["file"], **options) as one:
        shown = one.go(path_of(page, world))
        assert one.inaccessible(axe) == []
        assert shown.evaluate("document.getAnimations().length") == 0
        assert shown.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        sign = shown.locator("main svg.sign").first
        fill, ground = sign.evaluate("(one) => [getComputedStyle(one).color, getComputedStyle(document.body).backgroundColor]")
        assert fill != ground
        if page != "run":
            width = shown.locator("nav [aria-current]").evaluate("(one) => getComputedStyle(one).borderBottomWidth")
            assert width == "4px"


@MODES
def test_times_are_utc_and_can_be_local(mode: str, world: BrowserWorld, browser: Any, homes: dict[str, str]) -> None:
    """UTC is said; a button tells the same instants by the reader's clock, with their distance from UTC, and takes it back."""
    with watched(browser, homes[mode], timezone_id="Asia/Kolkata") as one:
        shown = one.go(path_of("invocation", world))
        before = shown.locator("body").inner_text()
        assert "2026-11-25 02:00 UTC" in before
        button = shown.locator("[data-zone]")
        button.press("Enter")
        told = shown.locator("body").inner_text()
        assert "2026-11-25 07:30 +05:30" in told
        assert not re.search(r"\d\d:\d\d UTC", told)
        assert re.search("Asia/(Kolkata|Calcutta)", shown.locator("footer").inner_text())
        button.press("Enter")
        assert shown.locator("body").inner_text() == before
        shown = one.go(paths.GATE)
        assert "2026-11-25 02:00Z" in shown.locator("main").inner_text()
        shown.locator("[data-zone]").press("Enter")
        assert not re.search(r"\d\d:\d\d(Z| UTC)", shown.locator("body").inner_text())
