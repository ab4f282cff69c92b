"""The pages of deliveries: in parts, what needs somebody first, each once, and small enough for a phone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from gate_worlds import NOW, SECOND, history, result

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.deliveries import ROWS
from meshkit_chaos.dashboard.deliveries_pages import KEPT
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import Settings, Sources
from meshkit_chaos.deliver.action import Action, State, Told
from meshkit_chaos.deliver.message import Message


def told(number: int, state: State = "delivered", *, title: str = "About") -> Told:
    """The higher its number, the older it is."""
    message = Message(title=f"{title} {number:04}", lead="", tone="bad")
    action = Action(
        key=f"v1:{number}", channel="chat", thread=f"{number}", occasion="summary", message=message, reason="r",
        at=NOW - number * SECOND,
    )  # fmt: skip
    return Told(action=action, state=state, error="x" * 300 if state == "dead" else "")


def site(held: Sequence[Told], *, served: bool = False) -> Site:
    sources = Sources(
        reader=history(result("pass")),
        settings=Settings(project="mesh", served=served),
        clock=ManualClock(wall_ns=NOW),
        told=lambda count: tuple(held[:count]),
    )
    return Site(sources)


def exported(held: Sequence[Told]) -> dict[str, str]:
    """The parts in the order of their numbers: an export writes the first page last."""
    pages = {path: text for path, text in site(held).every() if path.startswith("deliveries")}
    return {path: pages[path] for path in sorted(pages, key=lambda path: int(path.partition("/")[2].partition(".")[0] or 1))}


def titles(page: str) -> list[str]:
    return re.findall(r"About (\d+)", page.partition("<tbody>")[2].partition("</tbody>")[0])


def test_every_delivery_stands_on_one_part_those_that_need_somebody_first() -> None:
    """All parts together hold each once; an old one that died is on the first page, at the top."""
    held = [told(number, "dead" if number == 333 else "delivered") for number in range(400)]
    pages = exported(held)
    assert list(pages) == ["deliveries.html", *(f"deliveries/{part}.html" for part in range(2, len(pages) + 1))]
    shown = [titles(page) for page in pages.values()]
    assert shown[0][0] == "0333"
    assert [one for page in shown for one in page] == ["0333", *(f"{number:04}" for number in range(400) if number != 333)]
    assert max(map(len, shown)) == ROWS


def test_a_server_gives_the_same_parts() -> None:
    """Whatever the export writes, the server answers at the same path with the same text."""
    held = [told(number) for number in range(200)]
    for path, text in exported(held).items():
        assert site(held).page(path) == text


def test_parts_lead_to_each_other() -> None:
    """Every link to a part leads to a page that is there, and the header says on each how everything stands."""
    pages = exported([told(number, "dead" if number == 7 else "delivered") for number in range(200)])
    for path, text in pages.items():
        assert "1 delivery needs somebody" in text
        nav = text.partition('aria-label="Deliveries, in parts"')[2].partition("</nav>")[0]
        found = re.findall(r'href="([^"]+)"', nav)
        here = "" if "/" not in path else "../"
        assert {f"{here}{one}" for one in pages} == set(found)
        assert f"part {list(pages).index(path) + 1} of {len(pages)}" in nav


@pytest.mark.parametrize("path", ["deliveries/1.html", "deliveries/9.html", "deliveries/02.html", "deliveries/x.html"])
def test_what_is_no_part_is_no_page(path: str) -> None:
    """There is one path for each part, and none beyond the last."""
    assert site([told(number) for number in range(200)]).page(path) is None


def test_long_texts_make_more_parts_and_no_large_page() -> None:
    """However long titles and errors are, a part stays below 300 kB."""
    held = [told(number, "dead", title="\N{GRINNING FACE}" * 150) for number in range(KEPT)]
    pages = exported(held)
    assert max(len(text.encode()) for text in pages.values()) < 300_000
    assert sum(text.count("<tr data-search") for text in pages.values()) == KEPT


def test_a_full_house_says_that_older_ones_are_elsewhere() -> None:
    """Where more were sent than pages hold, the last part says who lists the rest; else nothing is said."""
    pages = list(exported([told(number) for number in range(KEPT + 5)]).values())
    assert f"Only the newest {KEPT}" in pages[-1]
    assert not [page for page in pages[:-1] if "Only the newest" in page]
    assert "Only the newest" not in list(exported([told(number) for number in range(200)]).values())[-1]


def test_a_server_searches_all_parts() -> None:
    """A delivery that no first page has any more is found by its words, and each part says where to look."""
    served = site([told(number) for number in range(KEPT)], served=True)
    found = served.page(paths.SEARCH, {"q": f"about {KEPT - 1}"}) or ""
    assert f"About {KEPT - 1}" in found
    assert '<a href="../search.html">search</a> in all' in (served.page("deliveries/3.html") or "")
    assert "search</a> in all" not in exported([told(number) for number in range(200)])["deliveries/3.html"]


def test_few_deliveries_are_one_page_without_parts() -> None:
    """A page that holds all of them has nothing to lead to."""
    pages = exported([told(number) for number in range(ROWS)])
    assert list(pages) == [paths.DELIVERIES]
    assert "in parts" not in pages[paths.DELIVERIES]
