"""The page of a run in a real browser: one stretch of time for its drawings, its journal, and what members said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import watched
from history_builder import opened
from log_builder import logged
from test_dashboard_logs import line, run_page, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page of a run with a log lies. It is made before there is a browser: both have a loop of their own."""
    folder = tmp_path_factory.mktemp("zoom")
    lines = b"".join(line(second / 10, f"line-{second}-", "error" if second == 50 else "info") for second in range(90))
    with opened(folder / "history") as history:
        history.add(logged(folder / "out", {"node-1/node-1.log": lines}))
        (folder / "run.html").write_text(run_page(site(history), history), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def page(folder: Path, browser: Any) -> Iterator[Any]:
    """That page, from the file system. It complains of nothing."""
    with watched(browser, folder.as_uri()) as one:
        yield one.go("run.html")


@pytest.fixture(autouse=True)
def _whole(page: Any) -> None:
    page.get_by_role("button", name="whole run").click()


def stretch(page: Any) -> tuple[float, float]:
    """What the two fields say."""
    return tuple(float(page.locator(f".zoom [name={name}]").input_value()) for name in ("from", "to"))  # type: ignore[return-value]  # two of them


def shown(page: Any, rows: str) -> list[float]:
    """The seconds of the rows that are to be seen."""
    return list(page.eval_on_selector_all(rows, "rows => rows.filter(row => !row.hidden).map(row => Number(row.dataset.at))"))


LOGS, EVENTS = ".logs tbody tr[data-at]", ".events tr[data-at]"


def test_a_button_moves_everything(page: Any) -> None:
    """The drawings, the journal and the log lines show the fault, and the whole run again."""
    every = len(shown(page, LOGS)), len(shown(page, EVENTS))
    wide = page.locator(".course > .time-line rect.fault:not(.moving)").first.bounding_box()["width"]
    page.get_by_role("button", name="fault", exact=True).click()
    start, end = stretch(page)
    assert start < 0 < end
    for rows in (LOGS, EVENTS):
        assert shown(page, rows)
        assert all(start <= at <= end for at in shown(page, rows))
    assert page.locator(".course > .time-line rect.fault:not(.moving)").first.bounding_box()["width"] > 1.2 * wide
    assert "events are in the part" in (page.locator("[data-in-window]").text_content() or "")
    page.get_by_role("button", name="whole run").click()
    assert (len(shown(page, LOGS)), len(shown(page, EVENTS))) == every


def test_a_keyboard_does_it_all(page: Any) -> None:
    """Steps by buttons, and any stretch by the two fields; one that is none is refused in words."""
    whole = stretch(page)
    page.get_by_role("button", name="closer").focus()
    page.keyboard.press("Enter")
    closer = stretch(page)
    assert closer[1] - closer[0] == pytest.approx((whole[1] - whole[0]) / 2, abs=0.01)
    page.get_by_role("button", name="later", exact=True).press("Enter")
    assert stretch(page)[0] > closer[0]
    page.locator(".zoom [name=from]").fill("1")
    page.locator(".zoom [name=to]").fill("2")
    page.keyboard.press("Tab")
    assert stretch(page) == (1.0, 2.0)
    page.locator(".zoom [name=from]").fill("3")
    page.keyboard.press("Tab")
    assert page.locator(".zoom [name=from]").evaluate("one => one.validationMessage") == "from must be before to"


def test_a_drag_over_a_drawing_shows_that_part(page: Any) -> None:
    """The middle half of a plot becomes the whole of it; a double click brings the rest back."""
    whole = stretch(page)
    box = page.locator(".plot:not(.close-up)").first.bounding_box()
    for share, act in ((0.25, page.mouse.down), (0.75, page.mouse.up)):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        act()
    start, end = stretch(page)
    assert end - start == pytest.approx((whole[1] - whole[0]) / 2, rel=0.02)
    page.mouse.dblclick(box["x"] + 30, box["y"] + 20)
    assert stretch(page) == whole


def test_evidence_and_lines_move_the_stretch(page: Any) -> None:
    """A link to an event opens the journal there; a click on a log line moves everything to that line."""
    link = page.locator(".findings a[href^='#event-']").first
    anchor = (link.get_attribute("href") or "").removeprefix("#")
    link.click()
    row = page.locator(f"[id='{anchor}']")
    assert row.is_visible()
    start, end = stretch(page)
    assert start <= float(row.get_attribute("data-at") or "nan") <= end
    page.get_by_role("button", name="whole run").click()
    line_row = page.locator(f"{LOGS}.error").first
    line_row.click()
    start, end = stretch(page)
    assert (start + end) / 2 == pytest.approx(float(line_row.get_attribute("data-at")), abs=1.5)


def test_lines_are_found_by_level_and_words(page: Any) -> None:
    """Filters of the log work together with the stretch of time, and say how many lines are left."""
    page.locator("[name=level]").select_option("error")
    assert page.locator("[data-logs-count]").text_content() == "1 of 90 lines"
    page.locator("[name=level]").select_option("")
    page.locator("[name=words]").fill("line-50-")
    assert page.locator("[data-logs-count]").text_content() == "1 of 90 lines"
    page.locator("[name=words]").fill("")


def test_a_link_that_cannot_be_read_shows_the_whole_run(page: Any) -> None:
    """A broken escape behind the # of an address is no event, and stops nothing else."""
    page.evaluate("location.hash = '#%'")
    page.reload()
    start, end = stretch(page)
    assert start < end
