"""Pages of small histories: what they say, in which order, and what nothing can make them say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from gate_worlds import HOUR, NOW, history, one_run, policy, result
from history_builder import TWO, evidence_of, opened, variant, written

from meshkit_chaos.campaign.sequential import interval
from meshkit_chaos.clock import ManualClock
from meshkit_chaos.dashboard import paths
from meshkit_chaos.dashboard.export import MARK, export
from meshkit_chaos.dashboard.quoting import plain, unquoted
from meshkit_chaos.dashboard.site import Site
from meshkit_chaos.dashboard.sources import GateFiles, Settings, Sources
from meshkit_chaos.deliver.action import Action, Receipt, State, Told
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.errors import UsageError
from meshkit_chaos.history.cells import cell_of
from meshkit_chaos.history.memory import MemoryHistory
from meshkit_chaos.history.model import Ask
from meshkit_chaos.history.overview import Overview
from meshkit_chaos.history.unpacked import results_of

NIGHTLY = b"""version: 1
match: commit
requirements: [{id: all, scenarios: ["*"]}]
nightly: {cron: "0 2 * * *", grace: 1h}
"""
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;\x1b[2J\u202e"


def site(held: MemoryHistory, *, nightly: bool = False) -> Site:
    settings = Settings(project="mesh", policy=policy(NIGHTLY) if nightly else None, compare="https://forge/c/{last}...{first}")
    return Site(Sources(reader=held, settings=settings, clock=ManualClock(wall_ns=NOW)))


def text_of(page: str | None) -> str:
    """What a reader sees, without tags."""
    assert page is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.partition("<main")[2].partition("<footer")[0]))


def test_what_fails_stands_first() -> None:
    """A row that fails now stands above one that failed earlier, and that one above one that never did."""
    held = history(
        result("pass", scenario="always-good", invocation="I2", hours=2),
        result("fail", scenario="fails-now", invocation="I2", hours=2),
        result("pass", scenario="failed-before", invocation="I2", hours=2),
        result("fail", scenario="failed-before", invocation="I1", hours=26),
    )
    rows = re.findall(r'<tr data-search="([\w-]+)', site(held).page(paths.GRID) or "")
    assert rows == ["fails-now", "failed-before", "always-good"]


def test_a_night_that_did_not_run_is_a_gap() -> None:
    """Between two nights there is a column for the one that was due and did not come."""
    held = history(result("pass", hours=6, invocation="I3"), result("pass", hours=54, invocation="I1"))
    assert text_of(site(held, nightly=True).page(paths.GRID)).count("did not run") == 2  # the column, and the legend
    assert text_of(site(held).page(paths.GRID)).count("did not run") == 1  # without a schedule nothing was due


def test_shards_are_one_night_and_repeated_runs_are_two() -> None:
    """Invocations of one build that share its scenarios out stand in one column; the same scenario twice in two."""
    shards = history(
        result("pass", scenario="one", invocation="A", hours=2), result("fail", scenario="two", invocation="B", hours=3)
    )
    assert text_of(site(shards).page(paths.GRID)).count("11-25") == 1
    repeated = history(result("pass", invocation="A", hours=2), result("fail", invocation="B", hours=3))
    assert text_of(site(repeated).page(paths.GRID)).count("11-25") == 2


def test_an_announced_scenario_without_a_result_is_lost_and_no_pass() -> None:
    """It has a row and says so, on the grid and on the page of its invocation."""
    held = history(result("pass", invocation="I1"))
    from gate_worlds import invocation  # noqa: PLC0415  # only here

    held.add(invocation([result("pass", invocation="I1")], "vanished"), [result("pass", invocation="I1")])
    assert "announced, and left no result" in (site(held).page(paths.GRID) or "")
    assert "vanished" in text_of(site(held).page(paths.invocation("I1")))


def test_readiness_tells_a_regression_with_both_commits() -> None:
    """What passed in the last release and fails in this one is regressed, since its first failure, with a link to compare."""
    old = {"version": "1.0", "commit": "aaaaaaa1"}
    new = {"version": "1.1", "commit": "bbbbbbb2"}
    held = history(
        result("fail", invocation="I2", hours=5, subject=new, modules=("leadership",)),
        result("pass", invocation="I1", hours=50, subject=old, modules=("leadership",)),
    )
    page = site(held).page(paths.READINESS) or ""
    assert "1.1 is not ready" in text_of(page)
    assert "Regressed" in text_of(page)
    assert "https://forge/c/aaaaaaa1...bbbbbbb2" in page


@pytest.mark.parametrize(
    ("verdict", "hours", "said"),
    [("inconclusive", 2, "Undecided"), ("invalid", 2, "Undecided"), ("not-run", 2, "Undecided"), ("pass", 100, "Stale")],
)
def test_only_a_fresh_pass_is_ready(verdict: str, hours: int, said: str) -> None:
    """Nothing else makes a release ready: the page says what it is instead."""
    held = history(result(verdict, hours=hours, modules=("m",)))  # type: ignore[arg-type]  # one of the verdicts
    shown = text_of(site(held).page(paths.READINESS))
    assert "is not ready" in shown
    assert said in shown


def test_a_result_that_people_set_aside_makes_nothing_ready() -> None:
    """An invalidated pass is no result that counts."""
    held = history(result("pass", runs=(one_run("pass", invalidated="wrong build"),), modules=("m",)))
    assert "no result that counts" in text_of(site(held).page(paths.READINESS))


def test_an_empty_history_is_not_ready() -> None:
    """No page takes the want of results for a good sign."""
    assert "not ready" in text_of(site(MemoryHistory()).page(paths.READINESS))
    assert "not a pass" in text_of(site(MemoryHistory()).page(paths.GRID))


def test_hostile_names_are_shown_and_nothing_more() -> None:
    """No text of a scenario, a sentence or a subject becomes markup on any page."""
    bad = result(
        "fail",
        scenario=HOSTILE,
        invocation="I1",
        subject={"version": HOSTILE, HOSTILE: HOSTILE},
        modules=(HOSTILE,),
        owner=HOSTILE,
        severity=HOSTILE,
        runs=(one_run("fail", prefix=HOSTILE),),
    )
    every = site(history(bad))
    for path, page in every.every():
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
        assert "\x1b" not in page, path
        assert "\u202e" not in page, path


@pytest.mark.parametrize("name", ["leader-killed", "..", ".", "a/b", "a~2fb", "ü ", "", "a" * 50, "~", "x.html"])
def test_names_come_back_from_their_files(name: str) -> None:
    """A file's name tells which scenario it is of, and stays in its folder."""
    told = plain(name)
    assert unquoted(told) == name
    assert "/" not in told
    assert told not in {".", ".."}


def test_every_link_leads_somewhere(tmp_path: Path) -> None:
    """In an export each relative link names a file that was written, and each anchor stands in it."""
    held = history(
        result("pass", scenario="one", invocation="A", hours=2, modules=("m",)),
        result("fail", scenario="two", invocation="A", hours=2, modules=("m",)),
        result("pass", scenario="two", invocation="B", hours=30, modules=("m",)),
    )
    export(site(held), tmp_path / "site", progress=lambda count: None)
    for file in (tmp_path / "site").rglob("*.html"):
        for href in re.findall(r'href="([^"]+)"', file.read_text(encoding="utf-8")):
            if href.startswith(("http", "#sign-", "#main", "data:,")):
                continue
            place, _, anchor = href.partition("#")
            target = (file.parent / place).resolve() if place else file
            assert target.is_file(), (file, href)
            text = target.read_text(encoding="utf-8")
            assert not anchor or anchor.startswith("filter=") or f'id="{anchor}"' in text, (file, href)


def test_an_export_refuses_a_folder_that_is_not_its_own(tmp_path: Path) -> None:
    """Somebody else's files are not mixed with pages; an earlier export is replaced, and what is gone is taken away."""
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="something else"):
        export(site(history(result("pass"))), tmp_path, progress=lambda count: None)
    out = tmp_path / "site"
    export(site(history(result("pass", scenario="old"))), out, progress=lambda count: None)
    export(site(history(result("pass", scenario="new"))), out, progress=lambda count: None)
    assert (out / MARK).is_file()
    assert [file.name for file in (out / "scenario").iterdir()] == ["new.html"]


def test_cells_are_the_same_from_a_database_and_from_memory(tmp_path: Path) -> None:
    """The one query gives what the whole results would."""
    with opened(tmp_path / "history") as held:
        for number in range(3):
            held.add(written(variant(evidence_of(TWO), number * 90_000), tmp_path / f"out{number}"))
        overview = Overview(held.database)
        whole = held.results(Ask(invalidated=True))
        names = [one.invocation for one in overview.newest(10)]
        told = sorted(overview.cells(names), key=lambda cell: (cell.invocation, cell.scenario))
        assert told == sorted(map(cell_of, whole), key=lambda cell: (cell.invocation, cell.scenario))
        assert len(told) == 6
        assert len(overview.newest(2)) == 2


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 10, 0.0, 0.3085), (1, 9, 0.0028, 0.4825), (10, 10, 0.6915, 1.0), (1000, 9000, 0.1047, 0.1178)],
)
def test_shares_have_exact_intervals(hits: int, trials: int, low: float, high: float) -> None:
    """The interval is the one of Clopper and Pearson, as statistics tables have it."""
    assert interval(hits, trials) == pytest.approx((low, high), abs=1e-4)


def test_how_long_ago_is_counted_from_now() -> None:
    """A release's pass is stale once it is older than the policy's longest freshness."""
    held = history(result("pass", hours=35, modules=("m",)))
    fresh = site(held)
    assert "is ready" in text_of(fresh.page(paths.READINESS))
    later = Site(Sources(reader=held, settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW + 2 * HOUR)))
    assert "Stale" in text_of(later.page(paths.READINESS))


@pytest.mark.parametrize("path", [paths.READINESS, paths.GRID, paths.COVERAGE, paths.COMPARE, paths.GATE, paths.BINARIES])
def test_every_page_of_an_empty_history_says_so(path: str) -> None:
    """Nothing is there, and no page breaks or looks good for it."""
    shown = text_of(site(MemoryHistory()).page(path))
    assert "✓" not in shown
    assert "Passes" not in shown.partition("Regressed:")[0]


def test_what_was_never_exercised_is_shown() -> None:
    """A kind of fault that never bit in a module has a cell that says never; one that bit says when and how it went."""
    held = history(result("fail", runs=(one_run("fail", faults=("kill",)),), modules=("leadership",)))
    shown = text_of(site(held).page(paths.COVERAGE))
    assert "1 of " in shown
    assert "today" in shown
    assert "Exercised nowhere" in shown


def test_a_run_that_says_nothing_proves_nothing() -> None:
    """An inconclusive run is no proof, though its fault bit."""
    held = history(result("inconclusive", runs=(one_run("inconclusive", faults=("kill",)),), modules=("leadership",)))
    assert "0 of " in text_of(site(held).page(paths.COVERAGE))


def test_the_gate_page_decides_as_the_gate_does() -> None:
    """With a policy it tells what blocks the newest build; without one nothing is open."""
    held = history(result("fail"))
    shown = text_of(site(held, nightly=True).page(paths.GATE))
    assert "BLOCKED" in shown
    assert "leader-killed" in shown
    assert "nothing was decided" in text_of(site(held).page(paths.GATE))


def test_a_changed_log_is_told() -> None:
    """The page of the gate verifies the log that it shows."""
    broken = b'{"seq":0}\n'
    held = Site(
        Sources(
            reader=history(result("pass")),
            settings=Settings(project="mesh"),
            clock=ManualClock(wall_ns=NOW),
            gate_files=GateFiles(log=lambda: broken),
        )
    )
    assert "The log was changed" in text_of(held.page(paths.GATE))


def test_two_builds_are_compared_where_their_times_differ() -> None:
    """The newest build stands beside the one before it, with the least difference between their intervals."""
    slow = one_run("pass", time=(4_000_000_000, 4_200_000_000))
    held = history(
        result("pass", invocation="I2", hours=2, commit="bbb", runs=(slow,)),
        result("pass", invocation="I1", hours=30, commit="aaa"),
    )
    assert "slower by at least 2.8 s" in text_of(site(held).page(paths.COMPARE))


def test_a_run_is_shown_from_its_evidence(tmp_path: Path) -> None:
    """The page of a run draws its record; where the evidence is gone it says so and still tells what the index knows."""
    with opened(tmp_path / "history") as held:
        held.add(written(variant(evidence_of(TWO), 0), tmp_path / "out"))
        run = held.results(Ask())[0].runs[0].run
        overview = Overview(held.database)
        bare = Sources(reader=overview, settings=Settings(project="mesh"), clock=ManualClock(wall_ns=NOW))
        whole = Site(replace(bare, evidence=lambda invocation: results_of(held.database, held.store, invocation)))
        page = whole.page(paths.run(run)) or ""
        assert "Course of the run" in page
        assert "What if the limit were" in page
        assert "not at hand" in (Site(bare).page(paths.run(run)) or "")
        for name in held.bundles().values():
            held.store.remove(name)
        assert "Course of the run" not in (whole.page(paths.run(run)) or "")


@pytest.mark.parametrize(
    "path", ["nothing.html", "scenario/nobody.html", "run/.html", "../secret.html", "grid", "grid/x.html", ""]
)
def test_what_is_not_there_is_no_page(path: str) -> None:
    """No page is made up for a path that nothing is at."""
    assert site(history(result("pass"))).page(path) is None


def test_what_was_sent_is_shown_with_what_needs_somebody_first() -> None:
    """A dead delivery stands above one that arrived; a link is one only where it is http; the scenario tells of its own."""

    def one(key: str, state: State, url: str, scenario: str) -> Told:
        message = Message(title=f"about {scenario}", lead="", tone="bad")
        action = Action(
            key=key,
            channel="tracker",
            thread=scenario,
            occasion="first-failure",
            message=message,
            reason="it failed",
            at=NOW,
            causes=(Cause(kind="missed", scenario=scenario),),
        )
        return Told(action=action, state=state, receipt=Receipt(did="opened", url=url))

    told = (one("a", "delivered", "https://forge/1", "leader-killed"), one("b", "dead", "javascript:alert(1)", "other"))
    held = Site(
        Sources(
            reader=history(result("fail")),
            settings=Settings(project="mesh"),
            clock=ManualClock(wall_ns=NOW),
            told=lambda count: told[:count],
        )
    )
    page = held.page(paths.DELIVERIES) or ""
    assert "javascript:" not in page
    assert text_of(page).index("about other") < text_of(page).index("about leader-killed")
    assert "1 delivery needs somebody" in text_of(page)
    assert "about leader-killed" in text_of(held.page(paths.scenario("leader-killed")))
    assert "about other" not in text_of(held.page(paths.scenario("leader-killed")))


def test_a_cell_shows_the_time_that_decided() -> None:
    """A pass with a failed run in it shows what the passing runs took."""
    runs = (one_run("fail", 1), one_run("pass", 2))
    assert cell_of(result("pass", runs=runs, flaky=True)).hi == 1_200_000_000
    assert cell_of(result("fail", runs=runs)).hi == 8_000_000_000


def test_an_export_says_what_it_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, a folder that cannot be made and a full disk are the operator's to mend, named with the place."""
    made = site(history(result("pass")))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot be written"):
            export(made, place, progress=lambda count: None)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(UsageError, match="No space left"):
        export(made, tmp_path / "site", progress=lambda count: None)


def test_an_export_writes_through_no_link(tmp_path: Path) -> None:
    """A page that was made a link to somebody else's file is replaced by a page; a folder that was made a link is refused."""
    made = site(history(result("pass")))
    out, mine = tmp_path / "site", tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    export(made, out, progress=lambda count: None)
    for name in (MARK, "index.html"):
        (out / name).unlink()
        (out / name).symlink_to(mine)
    export(made, out, progress=lambda count: None)
    assert mine.read_text(encoding="utf-8") == "mine"
    assert not (out / "index.html").is_symlink()
    elsewhere = tmp_path / "elsewhere"
    (out / "run").rename(elsewhere)
    (out / "run").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="link"):
        export(made, out, progress=lambda count: None)
    (out / "run").unlink()
    (elsewhere / "kept.tar.gz").write_bytes(b"theirs")
    (out / "evidence").symlink_to(elsewhere)
    export(made, out, progress=lambda count: None)
    assert (elsewhere / "kept.tar.gz").read_bytes() == b"theirs"


def test_nothing_is_ready_while_the_gate_is_closed() -> None:
    """All that was tested passed, but a night that was due did not come: no green sign stands over a closed gate."""
    shown = site(history(result("pass", hours=20, modules=("m",))), nightly=True).page(paths.READINESS) or ""
    assert "BLOCKED" in text_of(shown)
    heading = shown.partition("<h1>")[2].partition("</h1>")[0]
    assert "sign-pass" not in heading
    assert "Nothing that was tested holds 1.4.2 back, but the gate is closed." in text_of(shown)
