"""Many nights and many scenarios: pages that hold them all, each once, and none too large; in a server and as files."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from gate_worlds import HOUR, NOW, invocation, one_run, policy, result
from hypothesis import given
from hypothesis import strategies as st

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.details import RESULTS
from meshkit_chaos.dashboard.export import export
from meshkit_chaos.dashboard.gate import MOST_ITEMS
from meshkit_chaos.dashboard.grid_pages import every_other
from meshkit_chaos.dashboard.older import every_older
from meshkit_chaos.dashboard.overviews import PAGES
from meshkit_chaos.dashboard.paging import befores, parts, span
from meshkit_chaos.dashboard.remembered import Remembered
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import COLUMNS, Settings, Sources
from meshkit_chaos.gate.policy import Policy
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import OverviewReader, PastScenario

MANY = 2000
FAILING = "module-7-holds-through-a-fault-0007"
LARGEST = 300_000
POLICY = b'version: 1\nmatch: commit\nrequirements: [{id: all, scenarios: ["*"]}]\n'


def sources(held: OverviewReader, *, served: bool = False, rules: Policy | None = None) -> Sources:
    return Sources(reader=held, settings=Settings(project="mesh", served=served, policy=rules), clock=ManualClock(wall_ns=NOW))


def site(held: OverviewReader, *, served: bool = False) -> Site:
    return Site(sources(held, served=served))


def nights(count: int, names: tuple[str, ...] = ("leader-killed",)) -> MemoryHistory:
    """So many nights, one day apart."""
    held = MemoryHistory()
    for night in range(count):
        several = [one_of(name, night) for name in names]
        held.add(invocation(several), several)
    return held


def subject_of(night: int) -> dict[str, str]:
    return {"version": f"1.{9 - night // 10}", "commit": f"c{night:06d}", "branch": "main"}


def one_of(name: str, night: int, **changes: object) -> PastScenario:
    told = {"scenario": name, "invocation": f"I{night:04d}", "hours": 2 + 24 * night, "subject": subject_of(night)}
    return result("pass", **{**told, **changes})  # type: ignore[arg-type]  # as result takes them


@given(
    st.lists(st.integers(0, 60), max_size=80).map(lambda hours: sorted((one * HOUR for one in hours), reverse=True)),
    st.integers(1, 9),
)
def test_pages_of_nights_hold_every_one_once(instants: list[int], count: int) -> None:
    """From the newest page by its older ones to the last, each invocation stands on one page, and the way back is the same."""
    way, shown, before = [], 0, None
    while True:
        here = span(instants, before, count=count)
        assert here.newer == (way[-1] if way else None)
        assert here.later == bool(way)
        assert [one for one in instants if before is None or one < before] == instants[shown:]
        way.append(before)
        shown += here.size
        if here.older is None:
            break
        before = here.older
    assert shown == len(instants)
    assert tuple(way) == befores(instants, count=count)


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 700))
def test_parts_hold_every_row_in_order_and_are_no_larger_than_they_must(weights: list[int], most: int) -> None:
    """Together they are all rows; a part is too large only where one row alone is."""
    told = [weights[one] for one in parts(weights, most=most)]
    assert [weight for part in told for weight in part] == weights
    assert all(sum(part) <= most or len(part) == 1 for part in told)


def columns(page: str | None) -> list[str]:
    assert page is not None
    return re.findall(r'<th scope="col"><a href="[^"]*invocation/(I\d+)\.html', page)


def link(page: str, name: str) -> str | None:
    found = re.search(rf'<a [^>]*href="([^"]*)">{name}</a>', page)
    return found[1] if found else None


@pytest.mark.parametrize("served", [True, False])
def test_older_nights_are_reached_link_by_link_and_newer_ones_back(served: bool) -> None:
    """Every night of a hundred stands on one of the pages, and the links lead there and back."""
    made = site(nights(100), served=served)
    path, seen, way = paths.GRID, [], []
    while True:
        page = made.page(path) or ""
        seen += columns(page)
        way.append(path)
        if (more := link(page, "Older nights")) is None:
            break
        path = urljoin(path, more)
    assert seen == [f"I{night:04d}" for night in range(100)]
    assert len(way) == -(-100 // COLUMNS)
    for newer in reversed(way[:-1]):
        path = urljoin(path, link(made.page(path) or "", "Newer nights") or "")
        assert path == newer


def test_all_pages_of_the_grid_are_made_and_lead_to_each_other() -> None:
    """Of older nights and of further scenarios: every scenario once for each page of nights, and no link leads nowhere."""
    names = tuple(f"scenario-{number:03d}" for number in range(60))
    made = sources(nights(40, names))
    pages = {paths.GRID: Site(made).page(paths.GRID) or "", **dict(every_other(made))}
    assert len(pages) >= 4
    rows = [row for page in pages.values() for row in re.findall(r'<tr data-search="([\w-]+)', page)]
    assert sorted(rows) == sorted(2 * names)
    for path, page in pages.items():
        led = {urljoin(path, href) for href in re.findall(r'href="([^"#?]*\.html)', page)}
        assert {one for one in led if one.startswith("grid")} <= set(pages)
        assert Site(made).page(path) == page


def test_an_export_has_the_older_nights(tmp_path: Path) -> None:
    """They are files, and the newest page leads to them."""
    export(site(nights(35)), tmp_path / "site", progress=lambda _: None)
    older = link((tmp_path / "site" / paths.GRID).read_text(), "Older nights") or ""
    assert columns((tmp_path / "site" / older).read_text()) == [f"I{night:04d}" for night in range(COLUMNS, 35)]


def test_a_server_shows_the_nights_before_an_instant_and_rows_that_hold_words() -> None:
    """``?before=`` and ``?q=`` narrow the grid over all its parts; what cannot be read or is not there is the newest page."""
    names = tuple(f"scenario-{number:03d}" for number in range(60))
    made = site(nights(40, names), served=True)
    assert columns(made.page(paths.GRID, {"before": str(NOW - 24 * HOUR)}))[0] == "I0001"
    found = made.page(paths.GRID, {"q": "scenario-059 pass"}) or ""
    assert re.findall(r'<tr data-search="([\w-]+)', found) == ["scenario-059"]
    assert 'value="scenario-059 pass"' in found
    for senseless in ("-1", "0", "x", "9" * 40, str(2**63)):
        assert columns(made.page(paths.GRID, {"before": senseless}))[0] == "I0000"
    assert made.page("grid/before-0.html") is None
    assert made.page("grid/newest-1.html") is None  # it has another name
    assert made.page("grid/newest-99.html") is None
    assert made.page(f"grid/before-{'9' * 19}.html") is None


def test_words_that_nothing_holds_show_no_row_and_say_so() -> None:
    """The page stands, with what was looked for, escaped."""
    page = site(nights(3), served=True).page(paths.GRID, {"q": "<script>no"}) or ""
    assert "<tr data-search" not in page
    assert 'value="&lt;script&gt;no"' in page
    assert "0 of 0 scenarios" in page


@pytest.fixture(scope="module")
def large() -> Remembered:
    """Thirty nights of two thousand scenarios, read once."""
    return Remembered(many(COLUMNS), lambda: "")


def many(count: int) -> MemoryHistory:
    """Two thousand scenarios of 40 modules; three in a hundred fail."""
    held = MemoryHistory()
    for night in range(count):
        several = []
        for number in range(MANY):
            failed = number % 33 == 7 and night < 3
            runs = (one_run("fail" if failed else "pass", prefix=f"R{night}-{number}-"),)
            one = one_of(f"module-{number % 40}-holds-through-a-fault-{number:04d}", night, modules=(f"module-{number % 40}",))
            several.append(result("fail", runs=runs, scenario=one.scenario, invocation=one.invocation, hours=2 + 24 * night,
                subject=one.subject, modules=one.modules) if failed else one)  # fmt: skip
        held.add(invocation(several), several)
    return held


@pytest.mark.parametrize("served", [True, False])
def test_no_page_is_large_with_two_thousand_scenarios(large: Remembered, served: bool) -> None:
    """Each kind of page stays under 300 kB."""
    made = site(large, served=served)
    pages = [*PAGES, paths.grid(None, 40), paths.invocation("I0000"), paths.scenario(FAILING), paths.run("R0-7-1")]
    texts = {path: made.page(path) for path in pages}
    assert {path for path, text in texts.items() if text is None} <= {"by-version.html"}  # the usual page is by version
    assert {path: len(text.encode()) for path, text in texts.items() if text and len(text.encode()) >= LARGEST} == {}


def test_the_page_of_the_gate_is_not_large_either() -> None:
    """It shows the items that come first, and says how many are left."""
    page = Site(sources(many(1), rules=policy(POLICY))).page(paths.GATE) or ""
    assert len(page.encode()) < LARGEST
    assert f"{MANY - MOST_ITEMS} more are not shown" in page


def test_the_first_rows_of_many_are_those_that_fail(large: Remembered) -> None:
    """Whoever opens the grid of two thousand scenarios sees what fails, without a filter."""
    rows = re.findall(r'<tr data-search="([^"]*)', site(large).page(paths.GRID) or "")
    assert len(rows) >= 20
    assert all(" fail" in row for row in rows)


def test_older_results_of_a_scenario_are_reached_link_by_link() -> None:
    """From its page on, every result it ever had stands on one of the pages; those are files in an export, too."""
    made, count = sources(nights(520)), 520
    path, seen, way = paths.scenario("leader-killed"), set(), []
    while True:
        page = Site(made).page(path) or ""
        assert len(page) < LARGEST
        seen |= set(re.findall(r"invocation/(I\d+)\.html", page))
        way.append(path)
        if (more := link(page, "Older results")) is None:
            break
        path = urljoin(path, more)
    assert seen == {f"I{night:04d}" for night in range(count)}
    assert [path for path, _ in every_older(made, "leader-killed", room=RESULTS)] == way[1:]
    assert len(way) == 4


def test_results_of_one_instant_do_not_fall_between_two_pages() -> None:
    """Three clusters that began at once stand together on one of the pages, wherever a page ends."""
    held = MemoryHistory()
    for number in range(450):
        one = result("pass", invocation=f"I{number:04d}", hours=2 + 24 * (number // 3))
        held.add(invocation([one]), [one])
    pages = [Site(sources(held)).page(paths.scenario("leader-killed")) or ""]
    pages += [text for _, text in every_older(sources(held), "leader-killed", room=RESULTS)]
    assert {name for page in pages for name in re.findall(r"invocation/(I\d+)\.html", page)} == {
        f"I{number:04d}" for number in range(450)
    }


def test_a_hostile_name_has_its_older_results_too() -> None:
    """Whatever stands in it: the link leads to the page, which shows it as text and nothing more."""
    name = "a~41.5 <script>alert(1)</script>/..\u202e"
    held = nights(RESULTS + 3, (name,))
    path = urljoin(paths.scenario(name), link(site(held).page(paths.scenario(name)) or "", "Older results") or "")
    page = site(held).page(path) or ""
    assert f"I{RESULTS + 2:04d}" in page
    assert "<script>alert" not in page
    assert "\u202e" not in page


NO_PAGES = ("leader-killed.html", "leader-killed.x.html", "leader-killed.0.html", ".5.html", "nobody.5.html")


@pytest.mark.parametrize("file", NO_PAGES)
def test_there_is_no_page_of_older_results_that_there_are_not(file: str) -> None:
    """A name that was never written, an instant before everything and a scenario that is not known have none."""
    assert site(nights(3)).page(f"older/{file}") is None


def test_hundreds_of_modules_show_the_worst_and_say_how_many_are_left() -> None:
    """Readiness stays small however many there are, and hides nothing that is worse than what it shows."""
    held = MemoryHistory()
    several = [one_of(f"s{number:03d}", 0, modules=(f"m{number:03d}",)) for number in range(400)]
    several[390] = result("fail", scenario="s390", invocation="I0000", subject=subject_of(0), modules=("m390",))
    held.add(invocation(several), several)
    page = site(held).page(paths.READINESS) or ""
    assert len(page.encode()) < LARGEST
    assert re.findall(r">(m\d+)</a></th>", page)[0] == "m390"
    assert "And 150 modules more" in page
